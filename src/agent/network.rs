//! Detects that this machine gets a network: a cable is plugged in, a switch comes back, DHCP
//! assigns an address. Cameras that failed without a network need not wait any longer.

use std::{collections::BTreeSet, fmt, io, net::IpAddr};

use nix::net::if_::InterfaceFlags;

use crate::discovery;

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
    fn this_machine_is_no_way_out_of_itself() {
        assert!(local_addresses().unwrap().iter().all(|local| !local.address.is_loopback()));
    }
}
