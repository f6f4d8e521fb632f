//! The sockets of a search or of a listener, read together.

use std::{
    fmt, future,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket},
    task::{Context, Poll},
};

use smol::Async;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use super::{
    interfaces::{InterfaceAddress, Subnet},
    xaddr::DatagramSource,
};

/// The IPv4 multicast group of both WS-Discovery and SSDP.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
/// The IPv6 multicast group of WS-Discovery on one link.
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xc);

/// Maximum length of a datagram, in bytes.
pub const LARGEST: usize = 64 << 10;

/// Maximum number of errors of one socket that are skipped per read,
/// such as those of unreachable hosts.
const MAX_ERRORS: usize = 16;

/// One socket and its role.
#[derive(Debug)]
pub struct BoundSocket {
    socket: Async<UdpSocket>,
    pub place: SocketRole,
}

/// The purpose of a socket and the address to which it is bound.
#[derive(Clone, Debug, PartialEq)]
pub enum SocketRole {
    /// On one of our addresses, for multicast and for hosts near it.
    Interface(InterfaceAddress),
    /// On the address from which the hosts that are asked directly are reached.
    Address(IpAddr),
    /// In a multicast group, only to receive.
    Group(SocketAddr),
}

impl fmt::Display for SocketRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(place) => place.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::Group(group) => group.fmt(f),
        }
    }
}

impl BoundSocket {
    /// Opens a socket on `place` that sends multicast only there. `port`: 0 for any. If the port is
    /// in use, any other one is taken: that works at least where no firewall blocks the response.
    ///
    /// # Errors
    /// If the address cannot be bound: it may be gone again, or not be confirmed yet.
    pub fn on(place: &InterfaceAddress, port: u16) -> io::Result<Self> {
        let bound = |port| match place.address {
            IpAddr::V4(address) => {
                let socket = unbound(Domain::IPV4)?;
                socket.bind(&SocketAddr::new(address.into(), port).into())?;
                socket.set_multicast_if_v4(&address)?;
                Ok(socket)
            }
            IpAddr::V6(address) => {
                let socket = unbound(Domain::IPV6)?;
                socket.set_only_v6(true)?;
                let scope = if address.is_unicast_link_local() { place.index } else { 0 };
                socket.bind(&SocketAddr::from(SocketAddrV6::new(address, port, 0, scope)).into())?;
                socket.set_multicast_if_v6(place.index)?;
                socket.set_multicast_hops_v6(1)?;
                Ok(socket)
            }
        };
        Self::new(or_any_port(port, bound)?, SocketRole::Interface(place.clone()))
    }

    /// Opens a socket on one of our addresses, for hosts that are asked directly.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub fn at(address: IpAddr, port: u16) -> io::Result<Self> {
        let bound = |port| {
            let socket = unbound(Domain::for_address(SocketAddr::new(address, port)))?;
            socket.bind(&SocketAddr::new(address, port).into())?;
            Ok(socket)
        };
        Self::new(or_any_port(port, bound)?, SocketRole::Address(address))
    }

    /// Opens a socket that receives what is sent to `group`, also while other programs do
    /// the same. It is bound to the group and not to all addresses, so it receives
    /// nothing that is meant for others.
    ///
    /// # Errors
    /// If a program uses the port exclusively.
    pub fn in_group(group: SocketAddr) -> io::Result<Self> {
        let socket = unbound(Domain::for_address(group))?;
        if group.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_address(true)?;
        socket.bind(&group.into())?;
        Self::new(socket, SocketRole::Group(group))
    }

    fn new(socket: Socket, place: SocketRole) -> io::Result<Self> {
        Ok(Self { socket: Async::new(socket.into())?, place })
    }

    /// Joins the group of this socket on the interface with number
    /// `index`. Joining twice is no error.
    ///
    /// # Errors
    /// If the interface is gone, or the kernel has no memory for it.
    pub fn join(&self, index: u32) -> io::Result<()> {
        let socket = socket2::SockRef::from(self.socket.get_ref());
        let joined = match &self.place {
            SocketRole::Group(SocketAddr::V4(group)) => {
                socket.join_multicast_v4_n(group.ip(), &InterfaceIndexOrAddress::Index(index))
            }
            SocketRole::Group(SocketAddr::V6(group)) => socket.join_multicast_v6(group.ip(), index),
            _ => Ok(()),
        };
        joined.or_else(|error| if error.kind() == ErrorKind::AddrInUse { Ok(()) } else { Err(error) })
    }

    /// Sends without blocking. If the kernel has no buffer, the datagram is lost.
    /// `hops` applies to IPv4 multicast.
    ///
    /// # Errors
    /// If there is no route to `to`.
    pub fn send(&self, text: &[u8], to: SocketAddr, hops: u32) -> io::Result<()> {
        let socket = self.socket.get_ref();
        if to.is_ipv4() && to.ip().is_multicast() {
            socket.set_multicast_ttl_v4(hops)?;
        }
        match socket.send_to(text, to) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    fn near(&self) -> Option<Subnet> {
        match &self.place {
            SocketRole::Interface(place) => place.subnet,
            _ => None,
        }
    }
}

/// Several sockets that are read together.
#[derive(Debug, Default)]
pub struct SocketSet {
    pub sockets: Vec<BoundSocket>,
    /// The socket that is read first; it changes, so that a busy socket does not block the others.
    turn: usize,
}

impl SocketSet {
    /// Waits for the next datagram; returns its length in `buffer` and its source.
    /// Without sockets it waits for ever.
    pub async fn receive(&mut self, buffer: &mut [u8]) -> (usize, DatagramSource) {
        future::poll_fn(|context| self.poll(buffer, context)).await
    }

    fn poll(&mut self, buffer: &mut [u8], context: &mut Context<'_>) -> Poll<(usize, DatagramSource)> {
        self.turn = self.turn.wrapping_add(1);
        let count = self.sockets.len();
        for step in 0..count {
            let socket = &self.sockets[self.turn.wrapping_add(step) % count];
            let mut errors = 0;
            loop {
                match socket.socket.get_ref().recv_from(buffer) {
                    Ok((length, from)) => {
                        let link = match from {
                            SocketAddr::V6(from) if from.scope_id() != 0 => Some(from.scope_id()),
                            _ => match &socket.place {
                                SocketRole::Interface(place) => Some(place.index),
                                _ => None,
                            },
                        };
                        return Poll::Ready((length, DatagramSource { source: from.ip(), link, near: socket.near() }));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => match socket.socket.poll_readable(context) {
                        Poll::Ready(Ok(())) => {}
                        _ => break,
                    },
                    Err(_) if errors < MAX_ERRORS => errors += 1,
                    Err(_) => {
                        context.waker().wake_by_ref();
                        break;
                    }
                }
            }
        }
        Poll::Pending
    }
}

/// Returns our own address from which `to` is reached, by the routing table; sends nothing.
///
/// # Errors
/// If there is no route to `to`.
pub fn source_towards(to: SocketAddr) -> io::Result<IpAddr> {
    let any: SocketAddr =
        if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.connect(to)?;
    Ok(socket.local_addr()?.ip())
}

fn unbound(domain: Domain) -> io::Result<Socket> {
    Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))
}

fn or_any_port(port: u16, bound: impl Fn(u16) -> io::Result<Socket>) -> io::Result<Socket> {
    match bound(port) {
        Err(error) if port != 0 && error.kind() == ErrorKind::AddrInUse => {
            log::debug!("discovery_port {port} is in use, perhaps by another search; searching from another port");
            bound(0)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn address(socket: &BoundSocket) -> SocketAddr {
        socket.socket.get_ref().local_addr().unwrap()
    }

    #[test]
    fn quirk_30_datagrams_of_every_socket_arrive_whole() {
        let mut socket_set =
            SocketSet { sockets: vec![BoundSocket::at(HOME, 0).unwrap(), BoundSocket::at(HOME, 0).unwrap()], turn: 0 };
        let sender = BoundSocket::at(HOME, 0).unwrap();
        let large = vec![b'x'; 60_000];
        for socket in &socket_set.sockets {
            sender.send(&large, address(socket), 1).unwrap();
        }
        let mut buffer = vec![0; LARGEST];
        for _ in 0..2 {
            let (length, origin) = smol::block_on(socket_set.receive(&mut buffer));
            assert_eq!((length, origin.source), (large.len(), HOME));
        }
    }

    #[test]
    fn quirk_44_a_taken_port_is_replaced_by_a_free_one() {
        let first = BoundSocket::at(HOME, 0).unwrap();
        let port = address(&first).port();
        let second = BoundSocket::at(HOME, port).unwrap();
        assert_ne!(address(&second).port(), port);
        drop((first, second));
        assert_eq!(address(&BoundSocket::at(HOME, port).unwrap()).port(), port);
    }

    #[test]
    fn way_to_loopback_is_loopback() {
        assert_eq!(source_towards("127.0.0.1:3702".parse().unwrap()).unwrap(), HOME);
    }
}
