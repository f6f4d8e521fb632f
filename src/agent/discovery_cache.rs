//! Searches for cameras that are not at their address, on behalf of all supervisors.
//!
//! One search at a time serves everybody who waits for one. Announcements of devices are remembered
//! for a while. None of it is verified: the caller must ask the device who it is before it uses an
//! address.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use crate::discovery::{Announcement, DeviceMatcher, DiscoveredDevice, Event, Search};
use crate::sync::{Mutex, MutexGuard};

/// How long an announcement is used; after that the device may have moved.
const FRESH: Duration = Duration::from_secs(60);

/// Maximum number of announcements kept: anybody on the network can send them.
const MAX_ANNOUNCED: usize = 256;

#[derive(Default)]
pub struct DiscoveryCache {
    /// The local UDP port from which searches are sent; 0: any.
    port: AtomicU16,
    /// The devices that the next search is to look for.
    waiting: Mutex<Vec<DeviceMatcher>>,
    announced_devices: Mutex<VecDeque<(Instant, DiscoveredDevice)>>,
    /// The result of the last search; locked while a search runs.
    found: smol::lock::Mutex<Vec<DiscoveredDevice>>,
}

impl DiscoveryCache {
    /// Sets the local port of all further searches, for networks with a firewall; 0: any.
    pub fn set_port(&self, port: u16) {
        self.port.store(port, Ordering::Relaxed);
    }

    /// Returns devices that recently announced themselves and claim to be `wanted`.
    pub fn announced(&self, wanted: &DeviceMatcher, now: Instant) -> Vec<DiscoveredDevice> {
        let announced_devices = lock(&self.announced_devices);
        let fresh = announced_devices.iter().filter(|(at, _)| now.saturating_duration_since(*at) < FRESH);
        fresh.map(|(_, discovered)| discovered).filter(|discovered| wanted.is(discovered)).cloned().collect()
    }

    /// Returns devices that may be `wanted`: those that claim so, and cameras without an identity
    /// in their response. Takes as long as a search, or two if one is running; a few seconds.
    pub async fn look_for(&self, wanted: &DeviceMatcher) -> Vec<DiscoveredDevice> {
        self.wait_with_others(wanted);
        let mut found = self.found.lock().await;
        // A search that began after this call has looked for it as well.
        if lock(&self.waiting).contains(wanted) {
            let everybody = lock(&self.waiting).clone();
            let search = Search::new(self.port.load(Ordering::Relaxed));
            *found = search.find(&everybody).await.discovered_devices;
            // Only now, because a search that was cancelled has looked for nothing.
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

    /// Remembers what a device announced.
    pub fn on_announcement(&self, announcement: Announcement, now: Instant) {
        let mut announced_devices = lock(&self.announced_devices);
        let same = |discovered: &DiscoveredDevice| {
            discovered.identity.is_some() && discovered.identity == announcement.discovered.identity
                || discovered.identity.is_none() && discovered.source == announcement.discovered.source
        };
        announced_devices.retain(|(_, discovered)| !same(discovered));
        if announcement.event == Event::Here {
            announced_devices.push_back((now, announcement.discovered));
        }
        if announced_devices.len() > MAX_ANNOUNCED {
            announced_devices.pop_front();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here panics while it holds a lock, and a panic ends the process anyway.
    mutex.lock()
}
