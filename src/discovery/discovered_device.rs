//! A discovered device: what it reported, where to ask it by ONVIF,
//! and whether it is the wanted one.

use std::{fmt, net::IpAddr};

use super::{
    description::{self, Description},
    interfaces::networks,
    ssdp, wsd,
    xaddr::{DatagramSource, XAddr},
};
use crate::device_id::{DeviceId, Mac};

/// Shorter serial numbers prove nothing: firmwares send `0` and `1234`.
const MIN_SERIAL: usize = 6;

/// How a device was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiscoveryMethod {
    /// It answered a WS-Discovery probe.
    Ws,
    /// It announced itself by WS-Discovery.
    Hello,
    /// It answered or announced itself by SSDP: a host to ask, which may not be a camera.
    Ssdp,
}

impl fmt::Display for DiscoveryMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ws => "WS-Discovery",
            Self::Hello => "Hello",
            Self::Ssdp => "UPnP",
        })
    }
}

/// One device as it was found. Nothing in it is certain, because anybody on the network can send
/// it. Ask the device for its identity before sending it a password.
#[derive(Clone, Debug, PartialEq)]
pub struct DiscoveredDevice {
    /// The source address of its datagrams.
    pub source: IpAddr,
    /// In order of [`DiscoveryMethod`], without duplicates.
    pub how: Vec<DiscoveryMethod>,
    /// Its WS-Discovery endpoint; `None` if only SSDP found it.
    pub identity: Option<DeviceId>,
    /// Its UPnP name.
    pub udn: Option<DeviceId>,
    /// Where to ask for ONVIF, best first.
    pub xaddrs: Vec<XAddr>,
    pub name: Option<String>,
    pub maker: Option<String>,
    /// The maker's name for it: a scope of WS-Discovery, or the model in its description.
    pub hardware: Option<String>,
    pub location: Option<String>,
    pub serial: Option<String>,
    pub mac: Option<Mac>,
    /// The types that it reports, without prefixes.
    pub types: Vec<String>,
    /// Whether it says that it is a camera, or is of a kind that hardly includes anything else.
    pub is_camera: bool,
    /// Another device with the same identity was seen at the same time:
    /// the identity alone proves nothing.
    pub is_ambiguous: bool,
}

impl DiscoveredDevice {
    fn empty(origin: &DatagramSource, how: DiscoveryMethod) -> Self {
        Self {
            source: origin.source,
            how: vec![how],
            identity: None,
            udn: None,
            xaddrs: Vec::new(),
            name: None,
            maker: None,
            hardware: None,
            location: None,
            serial: None,
            mac: None,
            types: Vec::new(),
            is_camera: false,
            is_ambiguous: false,
        }
    }

    /// Converts a device of WS-Discovery; `None` if it is not an ONVIF device or has no identity.
    pub fn from_device(device: &wsd::Device, origin: &DatagramSource, how: DiscoveryMethod) -> Option<Self> {
        let identity = device.identity.clone().filter(|_| device.is_onvif())?;
        Some(Self {
            identity: Some(identity),
            xaddrs: device.addresses(origin),
            name: device.scopes.name.clone(),
            hardware: device.scopes.hardware.clone(),
            location: device.scopes.location.clone(),
            mac: device.mac(),
            types: device.types.iter().map(|kind| kind.name.clone()).collect(),
            is_camera: true,
            ..Self::empty(origin, how)
        })
    }

    /// Converts a host of SSDP, with the facts in its description if that is available.
    pub fn from_ssdp(message: &ssdp::Message, description: Option<&Description>, origin: &DatagramSource) -> Self {
        let none = Description::default();
        let found = description.unwrap_or(&none);
        let udn = found.identity().or_else(|| message.identity());
        Self {
            xaddrs: description::xaddrs_to_ask(found.presentation.as_deref(), origin),
            name: found.friendly_name.clone(),
            maker: found.manufacturer.clone(),
            hardware: found.model_name.clone().or_else(|| found.model_number.clone()),
            serial: found.serial.clone(),
            mac: found.mac().or_else(|| udn.as_ref().and_then(DeviceId::mac)),
            types: found.device_type.iter().chain(&message.target).take(1).cloned().collect(),
            is_camera: message.is_camera() || found.is_camera(),
            udn,
            ..Self::empty(origin, DiscoveryMethod::Ssdp)
        }
    }

    /// Returns its addresses that may be asked; see [`XAddr::is_near`].
    /// Drops the others with a log line.
    ///
    /// # Blocking
    /// Blocks for one short request to the kernel.
    pub fn near_addresses(&self) -> Vec<XAddr> {
        let networks = networks().unwrap_or_default();
        let is_near = |xaddr: &&XAddr| {
            let is_near = xaddr.is_near(self.source, &networks);
            if !is_near {
                log::debug!("{xaddr} is not asked: {} named it, and it is in none of our networks", self.source);
            }
            is_near
        };
        self.xaddrs.iter().filter(is_near).cloned().collect()
    }

    /// Adds facts of `other`, which is the same device, that this one lacks.
    pub fn learn(&mut self, other: &Self) {
        self.how.extend(&other.how);
        self.how.sort_unstable();
        self.how.dedup();
        let Self { identity, udn, name, maker, hardware, location, serial, mac, .. } = other.clone();
        self.identity = self.identity.take().or(identity);
        self.udn = self.udn.take().or(udn);
        self.name = self.name.take().or(name);
        self.maker = self.maker.take().or(maker);
        self.hardware = self.hardware.take().or(hardware);
        self.location = self.location.take().or(location);
        self.serial = self.serial.take().or(serial);
        self.mac = self.mac.or(mac);
        if self.types.is_empty() {
            self.types.clone_from(&other.types);
        }
        self.is_camera |= other.is_camera;
        self.is_ambiguous |= other.is_ambiguous;
    }

    /// Adds addresses of `other` that this one lacks.
    pub fn learn_addresses(&mut self, other: &Self) {
        for xaddr in &other.xaddrs {
            if !self.xaddrs.contains(xaddr) {
                self.xaddrs.push(xaddr.clone());
            }
        }
    }
}

/// A wanted device: what is known of it, from the configuration or from an earlier contact.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeviceMatcher {
    pub identity: Option<DeviceId>,
    pub serial: Option<String>,
    pub mac: Option<Mac>,
}

impl DeviceMatcher {
    /// Whether `discovered` is this device, as far as it reports. If both have a
    /// WS-Discovery identity, only that counts; then the MAC; the serial number last, as
    /// some makers give one to all units.
    pub fn is(&self, discovered: &DiscoveredDevice) -> bool {
        if let (Some(wanted), Some(seen)) = (&self.identity, &discovered.identity) {
            return wanted == seen;
        }
        if self.identity.is_some() && self.identity == discovered.udn {
            return true;
        }
        if let (Some(wanted), Some(seen)) = (self.mac, discovered.mac) {
            return wanted == seen;
        }
        let serial = |text: &Option<String>| {
            let text = text.as_deref().unwrap_or("").trim().to_lowercase();
            (text.len() >= MIN_SERIAL).then_some(text)
        };
        let wanted = serial(&self.serial);
        wanted.is_some() && wanted == serial(&discovered.serial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> DatagramSource {
        DatagramSource::new("10.0.0.1".parse().unwrap())
    }

    fn seen() -> DiscoveredDevice {
        DiscoveredDevice::empty(&origin(), DiscoveryMethod::Ws)
    }

    #[test]
    fn identity_decides_before_mac_and_serial() {
        let mac = Mac::new("00aabb270ad8");
        let wanted = DeviceMatcher { identity: DeviceId::new("uuid:a"), serial: Some("SN123456".into()), mac };
        let same = DiscoveredDevice { identity: DeviceId::new("urn:uuid:A"), ..seen() };
        assert!(wanted.is(&same));
        let other = DiscoveredDevice { identity: DeviceId::new("b"), mac, serial: Some("SN123456".into()), ..seen() };
        assert!(!wanted.is(&other), "the identity says otherwise");
        assert!(wanted.is(&DiscoveredDevice { udn: DeviceId::new("a"), ..seen() }));
        assert!(wanted.is(&DiscoveredDevice { mac, ..seen() }));
        let elsewhere = Mac::new("00aabb270ad9");
        assert!(!wanted.is(&DiscoveredDevice { mac: elsewhere, serial: Some("SN123456".into()), ..seen() }));
        assert!(wanted.is(&DiscoveredDevice { serial: Some(" sn123456".into()), ..seen() }));
        assert!(!wanted.is(&seen()));
    }

    #[test]
    fn address_that_a_stranger_chose_is_not_asked() {
        // Documentation networks belong to nobody.
        let source: std::net::IpAddr = "198.51.100.7".parse().unwrap();
        let xaddrs = ["198.51.100.7", "198.51.100.9", "203.0.113.5", "127.0.0.1", "localhost.example"];
        let xaddrs = xaddrs.map(|host| XAddr::at(host, 80)).to_vec();
        let discovered = DiscoveredDevice { source, xaddrs, ..seen() };
        let near: Vec<_> = discovered.near_addresses().into_iter().map(|xaddr| xaddr.host).collect();
        assert_eq!(near, ["198.51.100.7", "198.51.100.9"]);
    }

    #[test]
    fn what_says_nothing_is_nobody() {
        assert!(!DeviceMatcher::default().is(&seen()));
        let short = DeviceMatcher { serial: Some("1234".into()), ..DeviceMatcher::default() };
        assert!(!short.is(&DiscoveredDevice { serial: Some("1234".into()), ..seen() }));
    }

    #[test]
    fn a_description_makes_a_host_to_ask() {
        let text = "HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nUSN: uuid:x-00AABB270AD8::upnp:rootdevice\r\n\r\n";
        let message = ssdp::parse(text.as_bytes()).unwrap();
        let bare = DiscoveredDevice::from_ssdp(&message, None, &origin());
        assert_eq!(bare.mac, Mac::new("00aabb270ad8"));
        assert_eq!((bare.is_camera, bare.xaddrs.len()), (false, 7));
        let description = Description { manufacturer: Some("Axis".into()), ..Description::default() };
        let found = DiscoveredDevice::from_ssdp(&message, Some(&description), &origin());
        assert!(found.is_camera && found.maker.as_deref() == Some("Axis"));
    }
}
