//! Searches the network for a camera that does not answer at its address.

use std::time::{Duration, Instant};

use super::{ResolvedStream, locator::Locator};
use crate::{
    camera::{Source, TlsPolicy},
    device_id::{DeviceId, Mac},
    discovery::{DeviceMatcher, DiscoveredDevice},
    onvif,
    store::{Address, CameraRecord},
    sync::MutexGuard,
    text::{Code, Reason},
};

/// Shortest time between two searches of the network for one camera.
const BETWEEN_SEARCHES: Duration = Duration::from_secs(30);

/// Maximum number of cameras without an identity that one attempt asks, one after the other.
const MAX_SUSPECTS: usize = 16;

impl Locator {
    /// What distinguishes the camera from others: the configured identity, or else the learnt one.
    pub(super) fn wanted(&self, record: Option<&CameraRecord>) -> DeviceMatcher {
        let configured = match &self.stream_source.source {
            Source::Onvif { uuid, .. } => uuid.as_deref().and_then(DeviceId::new),
            Source::Url(_) => None,
        };
        let record = record.map(|record| &record.identity);
        let endpoint = record.and_then(|identity| identity.endpoint.as_deref()).and_then(DeviceId::new);
        DeviceMatcher {
            identity: configured.or(endpoint),
            serial: record.and_then(|identity| identity.serial.clone()),
            mac: record.and_then(|identity| identity.mac.as_deref()).and_then(Mac::new),
        }
    }

    fn searched(&self) -> MutexGuard<'_, Option<Instant>> {
        self.searched.lock()
    }

    /// Whether the camera can be distinguished from others, and has either announced itself or was
    /// not searched for just now.
    pub(super) fn may_search(&self, wanted: &DeviceMatcher) -> bool {
        let now = Instant::now();
        let recently = |at: Instant| now.saturating_duration_since(at) < BETWEEN_SEARCHES;
        let announced = || !self.context.discovery_cache.announced(wanted, now).is_empty();
        self.stream_source.may_move()
            && *wanted != DeviceMatcher::default()
            && (announced() || !self.searched().is_some_and(recently))
    }

    /// Searches the network for the camera and asks it there. The address `not` was asked or is
    /// being asked; with `again` it was asked, and is asked once more if its announcement says that
    /// it is the camera.
    pub(super) async fn search(
        &self,
        wanted: &DeviceMatcher,
        record: Option<&CameraRecord>,
        not: Option<&Address>,
        again: bool,
    ) -> Result<ResolvedStream, Reason> {
        if !self.may_search(wanted) {
            return Err(Code::SearchedJustNow.into());
        }
        let mut discovered_devices = self.context.discovery_cache.announced(wanted, Instant::now());
        if discovered_devices.is_empty() {
            *self.searched() = Some(Instant::now());
            discovered_devices = self.context.discovery_cache.look_for(wanted).await;
        }
        let mut places: Vec<_> = discovered_devices.iter().filter(|discovered| wanted.is(discovered)).collect();
        if places.is_empty() {
            // A camera found by UPnP alone does not say which ONVIF device it is. It is asked
            // below.
            places.extend(
                discovered_devices.iter().filter(|discovered| discovered.identity.is_none()).take(MAX_SUSPECTS),
            );
        } else if places.len() > 1 || places[0].is_ambiguous {
            let hosts: Vec<_> = places.iter().map(|discovered| discovered.source.to_string()).collect();
            let several = Code::SeveralClaimants.with("hosts", hosts.join(", "));
            return Err([several, Code::WriteIp.into()].into());
        }
        for discovered in places {
            if let Some(found) = self.ask_at(discovered, wanted, record, not, again).await {
                return Ok(found);
            }
        }
        Err(Code::NotOnNetwork.into())
    }

    async fn ask_at(
        &self,
        discovered: &DiscoveredDevice,
        wanted: &DeviceMatcher,
        record: Option<&CameraRecord>,
        not: Option<&Address>,
        again: bool,
    ) -> Option<ResolvedStream> {
        let mut xaddrs = discovered.near_addresses();
        xaddrs.sort_by_key(|xaddr| xaddr.secure);
        for xaddr in xaddrs.iter().filter(|xaddr| !xaddr.secure || self.stream_source.tls != TlsPolicy::Off) {
            let at = Address { host: xaddr.host.clone(), port: xaddr.port, tls: xaddr.secure };
            let is_announced = wanted.identity.is_some()
                && discovered.identity == wanted.identity
                && xaddr.ip() == Some(discovered.source);
            if not == Some(&at) && !(again && is_announced) {
                continue;
            }
            // Silence is not enough here: only a device that proves to be the camera is sent the
            // login.
            if !wanted.is(discovered) {
                let seen = onvif::identity(&self.place(&at).await.target(None), onvif::Limits::default()).await;
                let seen = seen.ok().and_then(|seen| seen.endpoint).as_deref().and_then(DeviceId::new);
                if seen.is_none() || seen != wanted.identity {
                    continue;
                }
            }
            if let Ok(found) = self.ask(&at, record, is_announced).await {
                log::info!("{}: found at {}:{}", self.label, at.host, at.port);
                return Some(found);
            }
        }
        None
    }
}
