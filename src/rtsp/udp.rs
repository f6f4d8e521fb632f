//! The pair of UDP sockets of a session: RTP at an even port, RTCP at the next one.
//!
//! Only packets from the camera are taken: from its address, and, once known, from its ports.
//! Anybody could send a picture otherwise. Some cameras announce ports from which they do not send.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::Arc,
};

use smol::Async;
use socket2::{Domain, Protocol, Socket, Type};

use super::{error::Error, membership::Membership};
use crate::reactor::ReadSocket;

/// Requested size of the receive buffer, in bytes: a key frame comes as a burst of hundreds of
/// packets.
const RECEIVE_BUFFER: usize = 2 << 20;
/// Number of pairs that are tried.
const MAX_TRIES: usize = 32;
/// Packets from one other port of the camera that show that it is the right one, if none came from the
/// announced port.
const PACKETS_OF_OTHER_PORT: u32 = 3;

/// A pair of sockets.
pub struct UdpPair {
    pub rtp: ReadSocket<UdpSocket>,
    pub rtcp: ReadSocket<UdpSocket>,
    /// The port of `rtp`; that of `rtcp` is the next one.
    pub port: u16,
    membership: Option<Arc<Membership>>,
}

impl UdpPair {
    /// Binds a pair of free ports, for the family of `camera`.
    ///
    /// # Errors
    /// `AddrInUse` if no pair is free; any other error is the system's.
    pub fn bind(camera: IpAddr) -> io::Result<Self> {
        let any: IpAddr = if camera.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        Self::bind_by(any, bind)
    }

    /// Binds the ports of the group of `rtp`, and joins the group on the interface with the address `local`. Others may
    /// read the same group: each socket has its own copy of a datagram.
    ///
    /// # Errors
    /// [`Error::GroupPort`] if another program has a port for itself; [`Error::Connect`] with the system's error, also if
    /// the group's address is not of the family of `local`.
    pub fn join(rtp: SocketAddr, rtcp_port: u16, local: SocketAddr) -> Result<Self, Error> {
        // Bound to the group, so that nothing else that comes to the port is taken.
        let bind = |port| {
            let address = SocketAddr::new(rtp.ip(), port);
            bind_socket(address, true).map_err(|error| Error::no_group_socket(address, &error))
        };
        let [first, second] = [bind(rtp.port())?, bind(rtcp_port)?];
        let joined = || {
            let membership = Membership::of(rtp.ip(), local)?;
            let [rtp_socket, rtcp] = [Async::new(first)?, Async::new(second)?].map(ReadSocket::new);
            Ok(Self { rtp: rtp_socket, rtcp, port: rtp.port(), membership: Some(membership) })
        };
        joined().map_err(|error| Error::no_group_socket(rtp, &error))
    }

    /// The membership of a group that is read.
    pub fn membership(&self) -> Option<&Membership> {
        self.membership.as_deref()
    }

    /// Binds each socket by `bind`.
    fn bind_by(any: IpAddr, mut bind: impl FnMut(SocketAddr) -> io::Result<UdpSocket>) -> io::Result<Self> {
        let mut held = Vec::new();
        for _ in 0..MAX_TRIES {
            let first = bind(SocketAddr::new(any, 0))?;
            let port = first.local_addr()?.port();
            let other = if port % 2 == 0 { port + 1 } else { port - 1 };
            match bind(SocketAddr::new(any, other)) {
                Ok(second) => {
                    let (rtp, rtcp) = if port % 2 == 0 { (first, second) } else { (second, first) };
                    let [rtp, rtcp] = [Async::new(rtp)?, Async::new(rtcp)?].map(ReadSocket::new);
                    return Ok(Self { rtp, rtcp, port: port & !1, membership: None });
                }
                // Held until the end, so that the kernel gives another one.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => held.push(first),
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    bind_socket(address, false)
}

/// `is_shared`: others of this machine may read what comes to `address`, too.
fn bind_socket(address: SocketAddr, is_shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(is_shared)?;
    // The kernel gives as much as it may.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// From where packets of the camera come.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The camera's address; its port counts only if `is_port_known`.
    address: SocketAddr,
    is_port_known: bool,
    /// Whether a packet came from this port.
    is_port_seen: bool,
    /// The port of the last packet from elsewhere, and how many came from there in a row.
    other_port: (u16, u32),
}

impl Peer {
    /// `camera` is any of the camera's addresses. Without `port`, the first packet shows it.
    pub fn new(mut camera: SocketAddr, port: Option<u16>) -> Self {
        camera.set_port(port.unwrap_or(0));
        Self { address: camera, is_port_known: port.is_some(), is_port_seen: false, other_port: (0, 0) }
    }

    /// Whether a packet from `sender` is the camera's. The first one decides about an unknown port, some
    /// in a row about an announced one from which nothing comes.
    pub fn accepts(&mut self, sender: SocketAddr) -> bool {
        if sender.ip() != self.address.ip() {
            return false;
        }
        let is_other = self.is_port_known && sender.port() != self.address.port();
        if is_other {
            let (port, count) = self.other_port;
            self.other_port = (sender.port(), if port == sender.port() { count + 1 } else { 1 });
            if self.is_port_seen || self.other_port.1 < PACKETS_OF_OTHER_PORT {
                return false;
            }
        }
        self.address.set_port(sender.port());
        (self.is_port_known, self.is_port_seen) = (true, true);
        true
    }

    /// Where to send, if that is known.
    pub fn socket_address(&self) -> Option<SocketAddr> {
        self.is_port_known.then_some(self.address)
    }
}

/// An RTP packet without payload: it opens the way through a firewall for the camera's packets.
pub const PUNCH: [u8; 12] = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// An RTCP receiver report of `ssrc` without blocks (RFC 3550 6.4.2): it says that somebody listens.
pub fn receiver_report(ssrc: u32) -> [u8; 8] {
    let [a, b, c, d] = ssrc.to_be_bytes();
    [0x80, 201, 0, 1, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::ConnectError;

    #[test]
    fn pair_is_even_and_adjacent() {
        let pair = UdpPair::bind(Ipv4Addr::LOCALHOST.into()).unwrap();
        let port = |socket: &ReadSocket<UdpSocket>| socket.socket().get_ref().local_addr().unwrap().port();
        assert_eq!(pair.port % 2, 0);
        assert_eq!((port(&pair.rtp), port(&pair.rtcp)), (pair.port, pair.port + 1));
    }

    #[test]
    fn ports_in_use_are_told_apart_from_what_the_system_refuses() {
        let camera = SocketAddr::from((Ipv4Addr::LOCALHOST, 554));
        let failing = |kind: io::ErrorKind| {
            let tries = std::cell::Cell::new(0);
            let second_fails = |address: SocketAddr| {
                tries.set(tries.get() + 1);
                if address.port() == 0 { bind(address) } else { Err(kind.into()) }
            };
            let error = UdpPair::bind_by(camera.ip(), second_fails).err().unwrap();
            (Error::no_udp_pair(camera, &error), tries.get())
        };
        assert_eq!(failing(io::ErrorKind::AddrInUse), (Error::UdpPorts, 2 * MAX_TRIES));
        let refused =
            Error::Connect(ConnectError::Failed { address: "127.0.0.1:554".into(), error: "permission denied".into() });
        assert_eq!(failing(io::ErrorKind::PermissionDenied), (refused, 2));
    }

    #[test]
    fn group_is_read_by_several_and_can_be_joined_again() {
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let group = Ipv4Addr::new(239, 255, 77, 1);
        let port = UdpPair::bind(local.ip()).unwrap().port;
        let pairs = [(); 2].map(|()| UdpPair::join(SocketAddr::from((group, port)), port + 1, local).unwrap());
        let camera = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
        camera.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
        let camera = UdpSocket::from(camera);
        let received = |pair: &UdpPair| {
            let socket = pair.rtp.socket().get_ref();
            socket.set_nonblocking(false).unwrap();
            socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
            let mut buffer = [0; 20];
            let count = socket.recv(&mut buffer).unwrap();
            buffer[..count].to_vec()
        };
        for word in [&b"one"[..], b"two"] {
            // Nothing but the group's datagrams comes to the port.
            camera.send_to(b"stray", (Ipv4Addr::LOCALHOST, port)).unwrap();
            camera.send_to(word, (group, port)).unwrap();
            assert_eq!(pairs.each_ref().map(received), [word, word]);
            for pair in &pairs {
                pair.membership().unwrap().join_again().unwrap();
            }
        }
        let other = UdpPair::join(SocketAddr::from((group, port)), port + 1, (Ipv6Addr::LOCALHOST, 0).into());
        assert!(matches!(other, Err(Error::Connect(ConnectError::Failed { .. }))));
    }

    #[test]
    fn port_of_a_group_that_another_program_has_for_itself_is_named() {
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let group = Ipv4Addr::new(239, 255, 77, 2);
        for is_second in [false, true] {
            let UdpPair { rtp, rtcp, port, .. } = UdpPair::bind(local.ip()).unwrap();
            let (free, held, taken) = if is_second { (rtp, rtcp, port + 1) } else { (rtcp, rtp, port) };
            drop(free);
            let error = UdpPair::join(SocketAddr::from((group, port)), port + 1, local).err().unwrap();
            assert_eq!(error, Error::GroupPort { address: SocketAddr::from((group, taken)) });
            drop(held);
        }
    }

    #[test]
    fn r078_burst_of_a_key_frame_waits_in_the_socket() {
        let pair = UdpPair::bind(Ipv4Addr::LOCALHOST.into()).unwrap();
        let camera = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        // More than the usual buffer takes: 212 992 bytes, and each packet counts 2304.
        const BURST: usize = 150;
        for _ in 0..BURST {
            camera.send_to(&[7; 1400], (Ipv4Addr::LOCALHOST, pair.port)).unwrap();
        }
        let mut buffer = [0; 2000];
        let count = (0..BURST).filter(|_| pair.rtp.socket().get_ref().recv(&mut buffer).is_ok()).count();
        assert_eq!(count, BURST);
    }

    #[test]
    fn only_the_cameras_packets_are_taken() {
        let camera = SocketAddr::from(([10, 0, 0, 1], 554));
        let at = |port| SocketAddr::new(camera.ip(), port);
        let mut peer = Peer::new(camera, None);
        assert!(!peer.accepts(SocketAddr::from(([10, 0, 0, 9], 5000))));
        assert_eq!(peer.socket_address(), None);
        assert!(peer.accepts(at(6970)));
        for _ in 0..10 {
            assert!(!peer.accepts(at(6972)), "the first one decides");
        }
        assert_eq!(peer.socket_address(), Some(at(6970)));
    }

    /// The server rtsp-rs 0.1.8 answers `server_port=5000-5001` and sends from a port that the kernel
    /// chose.
    #[test]
    fn r116_camera_that_sends_from_another_port_than_announced_is_read() {
        let at = |port| SocketAddr::from(([10, 0, 0, 1], port));
        let mut peer = Peer::new(at(554), Some(5000));
        assert_eq!(peer.socket_address(), Some(at(5000)));
        assert!(!peer.accepts(at(6970)) && !peer.accepts(at(7000)) && !peer.accepts(at(6970)));
        assert!(!peer.accepts(at(6970)) && peer.accepts(at(6970)), "the third one in a row");
        assert!(!peer.accepts(at(7000)) && peer.accepts(at(6970)));
        assert_eq!(peer.socket_address(), Some(at(6970)));
        let mut honest = Peer::new(at(554), Some(5000));
        assert!(honest.accepts(at(5000)));
        assert!((0..10).all(|_| !honest.accepts(at(6970))), "the announced port is in use");
    }
}
