//! Finds out whether a discovered device is already in `cameras.toml`.

use std::{fmt, net::IpAddr};

use super::probe::DeviceAnswers;
use crate::{
    camera::{Camera, CameraId, Source},
    config::Config,
    device_id::DeviceId,
    discovery::{DiscoveredDevice, LocalCamera},
};

/// How a device relates to the configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum Configured {
    /// There is no configuration to compare with.
    Unknown,
    No,
    As(CameraId),
    /// A configured camera has this address but another identity.
    InPlaceOf(CameraId),
}

impl Configured {
    /// The configured camera that this device is.
    pub fn id(&self) -> Option<&CameraId> {
        if let Self::As(id) = self { Some(id) } else { None }
    }
}

impl fmt::Display for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("-"),
            Self::No => f.write_str("no"),
            Self::As(id) => write!(f, "as {id}"),
            Self::InPlaceOf(id) => write!(f, "no, but has the address of {id}"),
        }
    }
}

/// Searches the configuration for the device, by identity and then by address.
pub fn find(discovered: &DiscoveredDevice, answers: Option<&DeviceAnswers>, config: Option<&Config>) -> Configured {
    let Some(config) = config else {
        return Configured::Unknown;
    };
    let answers = answers.and_then(|answers| answers.identity.as_ref());
    let identities: Vec<&DeviceId> = discovered.identity.iter().chain(&discovered.udn).chain(answers).collect();
    let by_identity = |camera: &&Camera| identity(camera).is_some_and(|identity| identities.contains(&&identity));
    let by_address = |camera: &&Camera| host(camera).is_some_and(|host| is_at(discovered, &host));
    // An identity that several devices share proves nothing.
    if !discovered.is_ambiguous
        && let Some(camera) = config.cameras.iter().find(by_identity)
    {
        return Configured::As(camera.id.clone());
    }
    match config.cameras.iter().find(by_address) {
        Some(camera) if identity(camera).is_some() && !by_identity(&camera) && !identities.is_empty() => {
            Configured::InPlaceOf(camera.id.clone())
        }
        Some(camera) => Configured::As(camera.id.clone()),
        None => Configured::No,
    }
}

/// Searches the configuration for a camera at this machine, by each of its paths.
pub fn find_local(local: &LocalCamera, config: Option<&Config>) -> Configured {
    let Some(config) = config else {
        return Configured::Unknown;
    };
    let is_it = |camera: &&Camera| match &camera.stream_source.source {
        Source::Url(uri) => uri.device().is_some_and(|device| local.paths.iter().any(|path| path == device.path)),
        Source::Onvif { .. } => false,
    };
    let camera = config.cameras.iter().find(is_it);
    camera.map_or(Configured::No, |camera| Configured::As(camera.id.clone()))
}

fn identity(camera: &Camera) -> Option<DeviceId> {
    match &camera.stream_source.source {
        Source::Onvif { uuid, .. } => uuid.as_deref().and_then(DeviceId::new),
        Source::Url(_) => None,
    }
}

fn host(camera: &Camera) -> Option<String> {
    match &camera.stream_source.source {
        Source::Onvif { host, .. } => host.clone(),
        Source::Url(uri) => Some(uri.host().to_owned()),
    }
}

/// Returns the hosts of configured cameras that are IP addresses.
pub fn addresses(config: &Config) -> Vec<IpAddr> {
    config.cameras.iter().filter_map(|camera| host(camera)?.parse().ok()).collect()
}

/// Whether `host` is the device's address, by its datagrams or by what it reports.
fn is_at(discovered: &DiscoveredDevice, host: &str) -> bool {
    let ip: Option<IpAddr> = host.parse().ok();
    ip == Some(discovered.source)
        || discovered
            .xaddrs
            .iter()
            .any(|xaddr| xaddr.host.eq_ignore_ascii_case(host) || (ip.is_some() && xaddr.ip() == ip))
}
