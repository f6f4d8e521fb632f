//! Detects that this machine gets a network: a cable is plugged in, a switch comes back, DHCP
//! assigns an address. Cameras that failed without a network need not wait any longer.

use std::{
    collections::BTreeSet,
    fmt, fs, io,
    net::{IpAddr, Ipv6Addr},
};

use nix::net::if_::InterfaceFlags;

use crate::discovery;

/// The flag of a temporary address (linux/if_addr.h).
const IFA_F_TEMPORARY: u32 = 0x01;

/// An address of this machine on an interface that has a carrier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalAddress {
    interface: String,
    address: IpAddr,
}

impl fmt::Display for LocalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has {}", self.interface, self.address)
    }
}

/// The addresses found by the last check.
#[derive(Default)]
pub struct Network(Option<BTreeSet<LocalAddress>>);

impl Network {
    /// The first address that was not there at the last check; the first check finds nothing new.
    pub fn added(&mut self, now: BTreeSet<LocalAddress>) -> Option<LocalAddress> {
        let new = self.0.as_ref().and_then(|before| now.difference(before).next().cloned());
        self.0 = Some(now);
        new
    }
}

/// Every address by which this machine reaches others: without loopback and links without a
/// carrier.
///
/// # Errors
/// If the kernel does not report them.
///
/// # Blocking
/// One short exchange with the kernel.
pub fn local_addresses() -> io::Result<BTreeSet<LocalAddress>> {
    let entries = discovery::entries_with(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING)?;
    let addresses = entries.filter_map(|entry| {
        let address = entry.address?;
        let v4 = address.as_sockaddr_in().map(|v4| v4.ip().into());
        let v6 = || address.as_sockaddr_in6().map(|v6| v6.ip().into());
        Some(LocalAddress { interface: entry.interface_name, address: v4.or_else(v6)? })
    });
    Ok(addresses.collect())
}

/// The addresses by which browsers ask for this machine: those of `local_addresses` that last.
/// Link-local addresses of IPv6 stand in no address line, and temporary ones (RFC 8981) change
/// daily.
///
/// # Blocking
/// One short exchange with the kernel.
pub fn own_addresses(local_addresses: &BTreeSet<LocalAddress>) -> BTreeSet<IpAddr> {
    let temporary = temporary(&fs::read_to_string("/proc/net/if_inet6").unwrap_or_default());
    let lasts = |address: &IpAddr| match address {
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && !temporary.contains(v6),
        IpAddr::V4(_) => true,
    };
    local_addresses.iter().map(|local| local.address).filter(lasts).collect()
}

/// The temporary addresses in the kernel's list: address, interface, prefix, scope, flags and name,
/// all numbers in hexadecimal.
fn temporary(list: &str) -> BTreeSet<Ipv6Addr> {
    let address = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let flags = u32::from_str_radix(fields.get(4)?, 16).ok()?;
        let bits = u128::from_str_radix(fields.first()?, 16).ok()?;
        (flags & IFA_F_TEMPORARY != 0).then(|| Ipv6Addr::from_bits(bits))
    };
    list.lines().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local_address(interface: &str, address: &str) -> LocalAddress {
        LocalAddress { interface: interface.into(), address: address.parse().unwrap() }
    }

    #[test]
    fn network_comes_when_a_way_is_there_that_was_not() {
        let (first, second) = (local_address("eth0", "10.0.2.15"), local_address("eth1", "10.0.3.15"));
        let mut network = Network::default();
        let mut look =
            |local_addresses: &[&LocalAddress]| network.added(local_addresses.iter().copied().cloned().collect());
        assert_eq!(look(&[&first]), None, "it was there when the agent began");
        assert_eq!(look(&[&first]), None);
        assert_eq!(look(&[&first, &second]), Some(second.clone()));
        assert_eq!(look(&[&second]), None, "what goes brings nothing back");
        assert_eq!(look(&[]), None);
        assert_eq!(look(&[&first]), Some(first));
        assert_eq!(second.to_string(), "eth1 has 10.0.3.15");
    }

    #[test]
    fn temporary_addresses_are_known_by_their_flag() {
        let list = "fe800000000000000242acfffe110002 02 40 20 80     eth0\n\
                    20010db8000000000000000000000001 02 40 00 00     eth0\n\
                    20010db800000000a1b2c3d4e5f60718 02 40 00 01     eth0\nrubbish\n";
        assert_eq!(temporary(list), BTreeSet::from(["2001:db8::a1b2:c3d4:e5f6:718".parse().unwrap()]));
    }

    #[test]
    fn this_machine_is_no_way_out_of_itself() {
        assert!(local_addresses().unwrap().iter().all(|local| !local.address.is_loopback()));
    }
}
