//! Looks for cameras that are not where they should be, on behalf of all keepers.
//!
//! One search at a time serves everybody who waits for one, and what devices announce by themselves
//! is remembered for a while. All of it is hearsay: whoever uses it asks the device who it is first.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant},
};

use crate::discovery::{Announcement, DeviceMatcher, DiscoveredDevice, Event, Search};

/// An announcement is believed for so long; then the device may have moved on.
const FRESH: Duration = Duration::from_secs(60);

/// Announcements kept at most: anybody on the network can send them.
const MAX_HEARD: usize = 256;

#[derive(Default)]
pub struct DiscoveryCache {
    /// The local UDP port searches ask from; 0: any.
    port: AtomicU16,
    /// Whom the next search is to look for.
    waiting: Mutex<Vec<DeviceMatcher>>,
    heard: Mutex<VecDeque<(Instant, DiscoveredDevice)>>,
    /// What the last search brought; held while one goes on.
    found: smol::lock::Mutex<Vec<DiscoveredDevice>>,
}

impl DiscoveryCache {
    /// Asks from this local port from the next search on, for networks with a firewall; 0: any.
    pub fn set_port(&self, port: u16) {
        self.port.store(port, Ordering::Relaxed);
    }

    /// Devices that announced themselves lately and say that they are `wanted`.
    pub fn announced(&self, wanted: &DeviceMatcher, now: Instant) -> Vec<DiscoveredDevice> {
        let heard = lock(&self.heard);
        let fresh = heard.iter().filter(|(at, _)| now.saturating_duration_since(*at) < FRESH);
        fresh.map(|(_, discovered)| discovered).filter(|discovered| wanted.is(discovered)).cloned().collect()
    }

    /// What may be `wanted`: devices that say so, and cameras that do not say who they are. Takes as
    /// long as a search, or two where one is going on; a few seconds.
    pub async fn look_for(&self, wanted: &DeviceMatcher) -> Vec<DiscoveredDevice> {
        self.wait_with_others(wanted);
        let mut found = self.found.lock().await;
        // A search that began after this call has looked for it as well.
        if lock(&self.waiting).contains(wanted) {
            let everybody = lock(&self.waiting).clone();
            let search = Search::new(self.port.load(Ordering::Relaxed));
            *found = search.find(&everybody).await.discovered_devices;
            // Only now: a search that was given up has looked for nobody.
            lock(&self.waiting).retain(|other| !everybody.contains(other));
        }
        let may_be = |discovered: &&DiscoveredDevice| {
            wanted.is(discovered) || discovered.is_camera && discovered.identity.is_none()
        };
        found.iter().filter(may_be).cloned().collect()
    }

    fn wait_with_others(&self, wanted: &DeviceMatcher) {
        let mut waiting = lock(&self.waiting);
        if !waiting.contains(wanted) {
            waiting.push(wanted.clone());
        }
    }

    /// Takes note of what a device announced.
    pub fn on_announcement(&self, hint: Announcement, now: Instant) {
        let mut heard = lock(&self.heard);
        let same = |discovered: &DiscoveredDevice| {
            discovered.identity.is_some() && discovered.identity == hint.discovered.identity
                || discovered.identity.is_none() && discovered.source == hint.discovered.source
        };
        heard.retain(|(_, discovered)| !same(discovered));
        if hint.event == Event::Here {
            heard.push_back((now, hint.discovered));
        }
        if heard.len() > MAX_HEARD {
            heard.pop_front();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here panics while it holds a lock, and a panic ends the process anyway.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
