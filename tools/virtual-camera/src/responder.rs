//! A member of a multicast group: receives datagrams sent to the group or to the camera, and
//! answers.
//!
//! The [`Speaker`] makes the messages. This module has the sockets, the delays and the thread.
//! Several cameras of one host share the port; each receives from the group on the interface of its
//! own address.

use std::{
    io::{self, Read},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket},
    os::{fd::AsFd, unix::net::UnixStream},
    thread,
    time::{Duration, Instant},
};

use nix::{
    ifaddrs::getifaddrs,
    net::if_::if_nametoindex,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use socket2::{Domain, Protocol, Socket, Type};

/// Real devices wait up to this long before they answer, so that not all send at once
/// (APP_MAX_DELAY of WS-Discovery).
const MAX_DELAY_MS: u16 = 500;
/// Maximum number of pending answers. Only a flood exceeds it, and then the rest is not needed.
const WAITING_LIMIT: usize = 256;
const DATAGRAM_LIMIT: usize = 64 * 1024;

pub struct Group {
    pub name: &'static str,
    pub v4: SocketAddrV4,
    /// The same group on the link for IPv6, if there is one.
    pub v6: Option<Ipv6Addr>,
    /// The TTL of datagrams to the group: the routers they may pass, plus one.
    pub hops: u32,
}

/// The messages of a camera in its group. An empty list sends nothing.
pub trait Speaker: Send + 'static {
    /// Messages to the group at the start.
    fn hello(&mut self) -> Vec<String>;
    /// Messages to the group at the end.
    fn bye(&mut self) -> Vec<String>;
    /// Messages to the sender of `datagram`.
    fn answers(&mut self, datagram: &[u8]) -> Vec<String>;
}

/// A speaker in its group until dropped. Dropping sends nothing, as when power fails;
/// [`Responder::end`] sends Bye.
pub struct Responder {
    /// Closed to end the thread; a byte before that requests the Bye.
    order: Option<UnixStream>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Responder {
    /// Joins the group on the interface of `ip` and sends Hello. Answers come from the port of the
    /// group, or with `any_port` from one that the system chooses.
    pub fn start(group: &Group, ip: Ipv4Addr, any_port: bool, speaker: impl Speaker) -> io::Result<Self> {
        let sockets = Sockets::open(group, ip, any_port)?;
        let (order, ordered) = UnixStream::pair()?;
        ordered.set_nonblocking(true)?;
        let name = format!("{} {ip}", group.name);
        let thread = thread::Builder::new().name(name.clone()).spawn(move || {
            if let Err(error) = serve(&sockets, &ordered, speaker) {
                eprintln!("{name}: {error}");
            }
        })?;
        Ok(Self { order: Some(order), thread: Some(thread) })
    }

    /// Sends Bye to the group and leaves it.
    pub fn end(self) {
        if let Some(mut order) = self.order.as_ref() {
            // Fails only if the thread has ended, and then there is no Bye to send.
            let _ = io::Write::write_all(&mut order, b"b");
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.order.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Sockets {
    /// All sockets that receive, each with the socket that answers.
    heard: Vec<(UdpSocket, UdpSocket)>,
    /// The group addresses, each with the socket that sends to it.
    groups: Vec<(SocketAddr, UdpSocket)>,
}

impl Sockets {
    fn open(group: &Group, ip: Ipv4Addr, any_port: bool) -> io::Result<Self> {
        let port = group.v4.port();
        let joined = shared(Domain::IPV4)?;
        joined.join_multicast_v4(group.v4.ip(), &ip)?;
        // Without this the socket would receive the group from every interface on which any program
        // joined it.
        joined.set_multicast_all_v4(false)?;
        joined.bind(&SocketAddr::V4(group.v4).into())?;
        let own = speaking_v4(group, SocketAddrV4::new(ip, port))?;
        let voice = if any_port { speaking_v4(group, SocketAddrV4::new(ip, 0))? } else { own.try_clone()? };
        let mut sockets = Self {
            groups: vec![(SocketAddr::V4(group.v4), voice.try_clone()?)],
            heard: vec![(joined.into(), voice.try_clone()?), (own, voice)],
        };
        if let (Some(v6), Some(interface)) = (group.v6, interface_of(ip)) {
            match speaking_v6(group, v6, interface, port) {
                Ok(own) => {
                    let voice = if any_port { speaking_v6(group, v6, interface, 0)? } else { own.try_clone()? };
                    let all = SocketAddrV6::new(v6, port, 0, interface);
                    sockets.groups.push((SocketAddr::V6(all), voice.try_clone()?));
                    sockets.heard.push((own, voice));
                }
                // A machine without IPv6.
                Err(error) => eprintln!("{} {ip}: not on IPv6: {error}", group.name),
            }
        }
        for (socket, _) in &sockets.heard {
            socket.set_nonblocking(true)?;
        }
        Ok(sockets)
    }
}

/// A datagram socket that shares its port.
fn shared(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    Ok(socket)
}

fn speaking_v4(group: &Group, own: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = shared(Domain::IPV4)?;
    socket.set_multicast_if_v4(own.ip())?;
    socket.set_multicast_ttl_v4(group.hops)?;
    socket.bind(&SocketAddr::V4(own).into())?;
    Ok(socket.into())
}

fn speaking_v6(group: &Group, all: Ipv6Addr, interface: u32, port: u16) -> io::Result<UdpSocket> {
    let socket = shared(Domain::IPV6)?;
    socket.set_only_v6(true)?;
    socket.set_multicast_if_v6(interface)?;
    socket.set_multicast_hops_v6(group.hops)?;
    if port != 0 {
        socket.join_multicast_v6(&all, interface)?;
        socket.set_multicast_all_v6(false)?;
    }
    socket.bind(&SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0)).into())?;
    Ok(socket.into())
}

/// The index of the interface that has this address.
fn interface_of(ip: Ipv4Addr) -> Option<u32> {
    let holds = |address: &nix::ifaddrs::InterfaceAddress| {
        let found = address.address.as_ref().and_then(|address| address.as_sockaddr_in().map(|v4| v4.ip()));
        found == Some(ip)
    };
    let interface = getifaddrs().ok()?.find(holds)?;
    if_nametoindex(interface.interface_name.as_str()).ok()
}

/// A pending answer: text, time and recipient.
struct Waiting<'a> {
    at: Instant,
    text: String,
    to: SocketAddr,
    voice: &'a UdpSocket,
}

/// Runs until the other end of `ordered` is closed.
fn serve(sockets: &Sockets, ordered: &UnixStream, mut speaker: impl Speaker) -> io::Result<()> {
    let mut waiting: Vec<Waiting> = Vec::new();
    let mut buffer = vec![0; DATAGRAM_LIMIT];
    speak_to_groups(sockets, &speaker.hello());
    loop {
        let now = Instant::now();
        waiting.retain(|answer| {
            if answer.at <= now {
                // The client may be gone; a device never learns that.
                let _ = answer.voice.send_to(answer.text.as_bytes(), answer.to);
            }
            answer.at > now
        });
        let pause = waiting.iter().map(|answer| answer.at - now).min();
        let pause = pause.map_or(PollTimeout::NONE, |pause| {
            // Rounded up: waking too early would poll again at once.
            PollTimeout::try_from(pause + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
        });
        let mut watched = vec![PollFd::new(ordered.as_fd(), PollFlags::POLLIN)];
        watched.extend(sockets.heard.iter().map(|(socket, _)| PollFd::new(socket.as_fd(), PollFlags::POLLIN)));
        match poll(&mut watched, pause) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        if watched[0].any() == Some(true) {
            if matches!((&*ordered).read(&mut [0]), Ok(1)) {
                speak_to_groups(sockets, &speaker.bye());
            }
            return Ok(());
        }
        for (socket, voice) in &sockets.heard {
            while let Ok((length, to)) = socket.recv_from(&mut buffer) {
                for text in speaker.answers(&buffer[..length]) {
                    if waiting.len() < WAITING_LIMIT {
                        waiting.push(Waiting { at: Instant::now() + random_delay(), text, to, voice });
                    }
                }
            }
        }
    }
}

/// The network may be down at the moment; a device ignores that.
fn speak_to_groups(sockets: &Sockets, texts: &[String]) {
    for (group, voice) in &sockets.groups {
        for text in texts {
            if let Err(error) = voice.send_to(text.as_bytes(), group) {
                eprintln!("{group}: {error}");
            }
        }
    }
}

fn random_delay() -> Duration {
    let mut random = [0; 2];
    getrandom::fill(&mut random).expect("the system has random numbers");
    Duration::from_millis((u16::from_le_bytes(random) % (MAX_DELAY_MS + 1)).into())
}

/// Returns the IPv4 address, which discovery needs.
pub fn v4(ip: IpAddr) -> io::Result<Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) => Ok(ip),
        IpAddr::V6(_) => Err(io::Error::other("discovery needs an IPv4 address")),
    }
}
