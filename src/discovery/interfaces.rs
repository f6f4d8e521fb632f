//! The network interfaces of this machine from which discovery can search.

use std::{
    collections::BTreeMap,
    fmt, io,
    net::{IpAddr, Ipv4Addr},
};

use nix::{
    ifaddrs,
    net::if_::{InterfaceFlags, if_nametoindex},
};

/// Maximum number of addresses to search from; a machine with more is a router, not a wall.
const MAX_ADDRESSES: usize = 64;

/// One of our own addresses on an interface that is up and supports multicast. Link-local addresses
/// count: cameras have such addresses when they come from the factory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InterfaceAddress {
    /// The interface's name, such as `eth0`.
    pub interface: String,
    /// The interface's number.
    pub index: u32,
    pub address: IpAddr,
    /// The subnet, for an IPv4 address.
    pub subnet: Option<Subnet>,
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.interface, self.address)
    }
}

/// A range of IPv4 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subnet {
    base: u32,
    mask: u32,
}

impl Subnet {
    /// Returns the subnet that contains `address`.
    pub fn new(address: Ipv4Addr, mask: Ipv4Addr) -> Self {
        let mask = u32::from(mask);
        Self { base: u32::from(address) & mask, mask }
    }

    /// Whether `ip` is in the subnet.
    pub fn holds(self, ip: IpAddr) -> bool {
        // A mask of zero would contain every address and mean nothing.
        matches!(ip, IpAddr::V4(ip) if self.mask != 0 && u32::from(ip) & self.mask == self.base)
    }
}

/// An IPv4 or IPv6 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// Number of bits that its addresses have in common.
    prefix: u32,
}

impl Network {
    /// Returns the network that contains `address`, with `prefix` common bits.
    pub fn new(address: IpAddr, prefix: u32) -> Self {
        Self { address, prefix }
    }

    /// Returns the presumed network of a host whose network is not known: its /24, or /64 of IPv6.
    pub fn around(host: IpAddr) -> Self {
        Self::new(host, if host.is_ipv4() { 24 } else { 64 })
    }

    /// Whether `ip` is in the network.
    pub fn holds(self, ip: IpAddr) -> bool {
        let differing = match (self.address, ip) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (u32::from(a) ^ u32::from(b)).leading_zeros(),
            (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a) ^ u128::from(b)).leading_zeros(),
            _ => return false,
        };
        // A prefix of zero would contain every address and mean nothing.
        self.prefix > 0 && differing >= self.prefix
    }
}

/// The addresses of this machine's interfaces that have all `flags`, without loopback.
///
/// # Errors
/// If the kernel does not report them.
///
/// # Blocking
/// Blocks for one short request to the kernel.
pub fn entries_with(flags: InterfaceFlags) -> io::Result<impl Iterator<Item = ifaddrs::InterfaceAddress>> {
    let is_usable = move |entry: &ifaddrs::InterfaceAddress| {
        entry.flags.contains(flags) && !entry.flags.contains(InterfaceFlags::IFF_LOOPBACK)
    };
    Ok(ifaddrs::getifaddrs()?.filter(is_usable))
}

/// Returns the networks of this machine's interfaces that are up, without loopback.
///
/// # Errors
/// If the kernel does not report them.
///
/// # Blocking
/// Blocks for one short request to the kernel.
pub fn networks() -> io::Result<Vec<Network>> {
    let mut found = Vec::new();
    for entry in entries_with(InterfaceFlags::IFF_UP)? {
        let Some((address, mask)) = entry.address.zip(entry.netmask) else { continue };
        if let (Some(v4), Some(mask)) = (address.as_sockaddr_in(), mask.as_sockaddr_in()) {
            found.push(Network::new(v4.ip().into(), u32::from(mask.ip()).leading_ones()));
        } else if let (Some(v6), Some(mask)) = (address.as_sockaddr_in6(), mask.as_sockaddr_in6()) {
            // All link-local addresses are in one network, on any link.
            if !v6.ip().is_unicast_link_local() {
                found.push(Network::new(v6.ip().into(), u128::from(mask.ip()).leading_ones()));
            }
        }
    }
    Ok(found)
}

/// Returns every address to search from: each IPv4 address, and one IPv6 address per
/// interface. This is the link-local one if there is one, because devices in the multicast
/// group of a link answer to that.
///
/// # Errors
/// If the kernel does not report them.
///
/// # Blocking
/// Blocks for one short request to the kernel.
pub fn interface_addresses() -> io::Result<Vec<InterfaceAddress>> {
    let mut found = Vec::new();
    let mut sixes: BTreeMap<u32, InterfaceAddress> = BTreeMap::new();
    for entry in entries_with(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_MULTICAST)? {
        let Some(address) = entry.address else { continue };
        // An alias such as `eth0:1` has the number of its interface.
        let interface = entry.interface_name.split(':').next().unwrap_or("").to_owned();
        let Ok(index) = if_nametoindex(interface.as_str()) else {
            continue;
        };
        if let Some(v4) = address.as_sockaddr_in() {
            let mask = entry.netmask.and_then(|mask| mask.as_sockaddr_in().map(|mask| mask.ip()));
            let subnet = mask.map(|mask| Subnet::new(v4.ip(), mask));
            found.push(InterfaceAddress { interface, index, address: v4.ip().into(), subnet });
        } else if let Some(v6) = address.as_sockaddr_in6() {
            let is_better = sixes.get(&index).is_none_or(|_| v6.ip().is_unicast_link_local());
            if is_better {
                sixes.insert(index, InterfaceAddress { interface, index, address: v6.ip().into(), subnet: None });
            }
        }
    }
    found.extend(sixes.into_values());
    found.truncate(MAX_ADDRESSES);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_no_place_to_search() {
        assert!(interface_addresses().unwrap().iter().all(|place| !place.address.is_loopback()));
    }

    #[test]
    fn subnets_hold_their_neighbours() {
        let subnet = Subnet::new(Ipv4Addr::new(10, 1, 2, 3), Ipv4Addr::new(255, 255, 0, 0));
        assert!(subnet.holds("10.1.99.1".parse().unwrap()));
        assert!(!subnet.holds("10.2.2.3".parse().unwrap()));
        assert!(!subnet.holds("fe80::1".parse().unwrap()));
        assert!(!Subnet::new(Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED).holds("10.2.2.3".parse().unwrap()));
    }
}
