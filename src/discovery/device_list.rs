//! The devices that a search has seen, each one once. A device answers every repeat of every probe,
//! on every interface, by both protocols.

use std::{collections::BTreeMap, net::IpAddr};

use super::discovered_device::{DeviceMatcher, DiscoveredDevice};

/// Maximum number of devices kept for each protocol. More than this is an attack.
const MAX: usize = 512;

/// The devices that a search has seen, without duplicates.
#[derive(Debug, Default)]
pub struct DeviceList {
    /// Devices with an identity.
    devices: Vec<DiscoveredDevice>,
    /// Hosts that SSDP reported.
    hosts: BTreeMap<IpAddr, DiscoveredDevice>,
}

impl DeviceList {
    /// Adds a device, or merges it with one that is already in the list.
    pub fn add(&mut self, discovered: DiscoveredDevice) {
        if discovered.identity.is_some() {
            self.add_device(discovered);
        } else {
            self.add_host(discovered);
        }
    }

    fn add_device(&mut self, mut discovered: DiscoveredDevice) {
        let mut twins = self.devices.iter_mut().filter(|known| known.identity == discovered.identity);
        if let Some(known) = twins.find(|known| is_one_device(known, &discovered)) {
            // The address that people and other programs can use comes first.
            if preference(discovered.source) > preference(known.source) {
                std::mem::swap(known, &mut discovered);
            }
            known.learn_addresses(&discovered);
            known.learn(&discovered);
            return;
        }
        for twin in self.devices.iter_mut().filter(|known| known.identity == discovered.identity) {
            twin.is_ambiguous = true;
            discovered.is_ambiguous = true;
        }
        if self.devices.len() < MAX {
            self.devices.push(discovered);
        }
    }

    fn add_host(&mut self, mut discovered: DiscoveredDevice) {
        let has_room = self.hosts.len() < MAX;
        match self.hosts.get_mut(&discovered.source) {
            // Of two devices on one host, the camera is the relevant one.
            Some(known) if known.is_camera && !discovered.is_camera => {}
            Some(known) if known.udn == discovered.udn || (discovered.is_camera && !known.is_camera) => {
                let before = known.clone();
                if before.udn == discovered.udn {
                    discovered.learn(&before);
                }
                discovered.learn_addresses(&before);
                *known = discovered;
            }
            Some(_) => {}
            None if has_room => {
                self.hosts.insert(discovered.source, discovered);
            }
            None => {}
        }
    }

    /// Whether any device matches `wanted`.
    pub fn holds(&self, wanted: &DeviceMatcher) -> bool {
        self.devices.iter().chain(self.hosts.values()).any(|discovered| wanted.is(discovered))
    }

    /// Returns every device once: those with an identity first, otherwise by address. What SSDP
    /// reports about a host is added to the device that answers there, if there is only one.
    pub fn finish(mut self) -> Vec<DiscoveredDevice> {
        self.devices.sort_by_key(|device| device.source);
        let mut hosts = Vec::new();
        for (source, host) in self.hosts {
            let mut there = self.devices.iter_mut().filter(|device| device.source == source);
            match (there.next(), there.next()) {
                (Some(device), None) => device.learn(&host),
                // Several devices on one host: it is unknown which of them this is.
                (Some(_), Some(_)) => {}
                (None, _) => hosts.push(host),
            }
        }
        self.devices.extend(hosts);
        self.devices
    }
}

/// Whether two entries with one identity are one device, seen at two addresses. Some
/// firmwares give the same identity to every unit; two units have different MACs, or
/// different addresses of the same kind.
fn is_one_device(one: &DiscoveredDevice, other: &DiscoveredDevice) -> bool {
    if let (Some(one), Some(other)) = (one.mac, other.mac) {
        return one == other;
    }
    let kind = |ip: IpAddr| (ip.is_ipv4(), matches!(ip, IpAddr::V4(ip) if ip.is_link_local()));
    let shares_an_address = || {
        let addresses = |discovered: &DiscoveredDevice| -> Vec<IpAddr> {
            discovered.xaddrs.iter().filter_map(|x| x.ip()).collect()
        };
        let theirs = addresses(other);
        addresses(one).iter().any(|ip| theirs.contains(ip))
    };
    one.source == other.source || kind(one.source) != kind(other.source) || shares_an_address()
}

/// Returns how suitable an address is to reach a device; higher is better.
fn preference(source: IpAddr) -> u8 {
    match source {
        IpAddr::V4(ip) if ip.is_link_local() => 0,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => 1,
        IpAddr::V6(_) => 2,
        IpAddr::V4(_) => 3,
    }
}

#[cfg(test)]
mod tests {
    use crate::device_id::{DeviceId, Mac};

    use super::{
        super::{description::Description, discovered_device::DiscoveryMethod, ssdp, wsd, xaddr::DatagramSource},
        *,
    };

    fn device(identity: &str, source: &str, xaddrs: &str) -> DiscoveredDevice {
        let device = wsd::Device {
            endpoint: identity.into(),
            identity: DeviceId::new(identity),
            types: vec![wsd::Type { name: "NetworkVideoTransmitter".into(), namespace: None, prefix: "dn".into() }],
            scopes: Default::default(),
            xaddrs: xaddrs.into(),
            metadata_version: None,
        };
        DiscoveredDevice::from_device(&device, &DatagramSource::new(source.parse().unwrap()), DiscoveryMethod::Ws)
            .unwrap()
    }

    fn host(source: &str, udn: &str, maker: Option<&str>) -> DiscoveredDevice {
        let text = format!("HTTP/1.1 200 OK\r\nUSN: uuid:{udn}\r\n\r\n");
        let description = Description { manufacturer: maker.map(str::to_owned), ..Description::default() };
        let message = ssdp::parse(text.as_bytes()).unwrap();
        DiscoveredDevice::from_ssdp(
            &message,
            maker.map(|_| &description),
            &DatagramSource::new(source.parse().unwrap()),
        )
    }

    fn finished(discovered_devices: impl IntoIterator<Item = DiscoveredDevice>) -> Vec<DiscoveredDevice> {
        let mut device_list = DeviceList::default();
        discovered_devices.into_iter().for_each(|discovered| device_list.add(discovered));
        device_list.finish()
    }

    #[test]
    fn quirk_30_one_device_is_listed_once_however_often_it_answers() {
        let found = finished([
            device("a", "fe80::1", ""),
            device("urn:uuid:a", "10.0.0.1", "http://10.0.0.1/o"),
            device("uuid:A", "10.0.0.1", "http://10.0.0.1/o"),
            device("a", "169.254.1.1", "http://169.254.1.1/o"),
        ]);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(!found[0].is_ambiguous);
        assert_eq!(found[0].source.to_string(), "10.0.0.1");
        assert_eq!(found[0].xaddrs[0].to_string(), "http://10.0.0.1:80/o");
        assert_eq!(found[0].xaddrs.len(), 3);
    }

    #[test]
    fn quirk_32_two_units_with_one_identity_are_both_listed_and_marked() {
        let found = finished([device("a", "10.0.0.1", ""), device("a", "10.0.0.2", ""), device("b", "10.0.0.3", "")]);
        assert_eq!(found.iter().map(|one| one.is_ambiguous).collect::<Vec<_>>(), [true, true, false]);
        let mac = |discovered: DiscoveredDevice, mac: &str| DiscoveredDevice { mac: Mac::new(mac), ..discovered };
        let one = mac(device("a", "10.0.0.1", ""), "000000000001");
        let other = mac(device("a", "10.0.0.1", ""), "000000000002");
        assert_eq!(finished([one, other]).len(), 2);
        let roaming = [device("a", "10.0.0.1", "http://10.0.0.9/o"), device("a", "10.0.0.2", "http://10.0.0.9/o")];
        assert_eq!(finished(roaming).len(), 1, "two cards of one camera name the same addresses");
    }

    #[test]
    fn both_protocols_tell_of_one_device() {
        let found = finished([
            host("10.0.0.1", "x-00AABB270AD8", Some("Axis")),
            device("a", "10.0.0.1", "http://10.0.0.1/o"),
            host("10.0.0.2", "router", None),
        ]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].how, [DiscoveryMethod::Ws, DiscoveryMethod::Ssdp]);
        assert_eq!(found[0].maker.as_deref(), Some("Axis"));
        assert_eq!(found[0].mac, Mac::new("00aabb270ad8"));
        assert_eq!(found[0].xaddrs.len(), 1, "where ONVIF is, is known");
        assert_eq!((found[1].is_camera, found[1].identity.as_ref()), (false, None));
    }

    #[test]
    fn several_devices_on_one_host_take_no_hearsay() {
        let two = [device("a", "10.0.0.1", ""), device("b", "10.0.0.1", ""), host("10.0.0.1", "x", Some("Axis"))];
        let found = finished(two);
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|device| device.maker.is_none()));
    }

    #[test]
    fn a_description_that_comes_later_completes_the_host() {
        let found =
            finished([host("10.0.0.1", "x", None), host("10.0.0.1", "x", Some("Axis")), host("10.0.0.1", "tv", None)]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].maker.as_deref(), found[0].is_camera), (Some("Axis"), true));
    }

    #[test]
    fn a_flood_is_bounded() {
        let flood = (0..2 * MAX).map(|n| device(&format!("unit {n}"), "10.0.0.1", ""));
        assert_eq!(finished(flood).len(), MAX);
    }
}
