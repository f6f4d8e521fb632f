//! A network link that loses RTP packets: a relay between one camera and its readers, on loopback.
//!
//! Over TCP it leaves out whole interleaved packets, over UDP datagrams. All else passes unchanged,
//! except the UDP ports in the Transport headers, which become those of the relay.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use crate::rng::Rng;

/// How often a thread for datagrams looks whether the session has ended.
const LOOK: Duration = Duration::from_millis(500);

/// Maximum length of a message's head or body.
const MAX_LEN: u64 = 1 << 20;

/// RTP packets that passed, and that were left out.
#[derive(Debug, Default)]
pub struct Counters {
    pub passed: AtomicU64,
    pub lost: AtomicU64,
}

/// Which packets are left out.
#[derive(Clone, Debug)]
pub struct Loss {
    pub permille: usize,
    pub rng: Rng,
    pub counters: Arc<Counters>,
}

impl Loss {
    /// Decides about the next packet.
    fn loses(&mut self) -> bool {
        let is_lost = self.rng.below(1000) < self.permille;
        let counter = if is_lost { &self.counters.lost } else { &self.counters.passed };
        counter.fetch_add(1, Ordering::Relaxed);
        is_lost
    }
}

/// Relays to `camera` until this process ends; returns the address for readers.
///
/// # Errors
/// If no port can be had.
pub fn start(camera: SocketAddr, loss: Loss) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let mut loss = loss;
    thread::Builder::new().name("link".into()).spawn(move || {
        for reader in listener.incoming().map_while(Result::ok) {
            let loss = Loss { rng: loss.rng.child(), ..loss.clone() };
            let _ = TcpStream::connect(camera).and_then(|camera| relay(reader, camera, loss));
        }
    })?;
    Ok(address)
}

/// Relays one connection in threads of its own.
fn relay(reader: TcpStream, camera: TcpStream, loss: Loss) -> io::Result<()> {
    reader.set_nodelay(true)?;
    camera.set_nodelay(true)?;
    let over = Arc::new(AtomicBool::new(false));
    let ports = Arc::new(Mutex::new(None));
    let (from_reader, mut to_camera) = (reader.try_clone()?, camera.try_clone()?);
    let (ended, requested, datagram_loss) = (Arc::clone(&over), Arc::clone(&ports), loss.clone());
    thread::Builder::new().name("requests".into()).spawn(move || {
        let mut items = BufReader::new(from_reader);
        while let Ok(mut item) = next_item(&mut items) {
            if let Item::Message(text) = &mut item
                && let Some(client) = pair_of(text, "client_port=")
                && let Ok(pair) = Ports::open(client, &datagram_loss, &ended)
            {
                *text = with_pair(text, "client_port=", pair.to_camera);
                *requested.lock().unwrap_or_else(PoisonError::into_inner) = Some(pair);
            }
            if to_camera.write_all(item.bytes()).is_err() {
                break;
            }
        }
        let _ = to_camera.shutdown(Shutdown::Both);
    })?;
    let (mut to_reader, mut loss) = (reader, loss);
    thread::Builder::new().name("responses".into()).spawn(move || {
        let mut items = BufReader::new(camera);
        while let Ok(mut item) = next_item(&mut items) {
            match &mut item {
                // Odd channels have RTCP.
                Item::Packet(packet) if packet[1].is_multiple_of(2) && loss.loses() => continue,
                Item::Message(text) => {
                    if let Some(pair) = *ports.lock().unwrap_or_else(PoisonError::into_inner) {
                        *text = with_pair(text, "client_port=", pair.client);
                        *text = with_pair(text, "server_port=", pair.to_reader);
                    }
                }
                Item::Packet(_) => {}
            }
            if to_reader.write_all(item.bytes()).is_err() {
                break;
            }
        }
        over.store(true, Ordering::Relaxed);
        let _ = to_reader.shutdown(Shutdown::Both);
    })?;
    Ok(())
}

/// What comes over an RTSP connection.
#[derive(Debug)]
enum Item {
    /// With its four bytes of framing.
    Packet(Vec<u8>),
    /// A request or a response, whole.
    Message(Vec<u8>),
}

impl Item {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Packet(bytes) | Self::Message(bytes) => bytes,
        }
    }
}

fn next_item(from: &mut impl BufRead) -> io::Result<Item> {
    let first = *from.fill_buf()?.first().ok_or(io::ErrorKind::UnexpectedEof)?;
    if first == b'$' {
        let mut packet = vec![0; 4];
        from.read_exact(&mut packet)?;
        packet.resize(4 + usize::from(u16::from_be_bytes([packet[2], packet[3]])), 0);
        from.read_exact(&mut packet[4..])?;
        return Ok(Item::Packet(packet));
    }
    let (mut message, mut length) = (Vec::new(), 0);
    loop {
        let begin = message.len();
        if from.take(MAX_LEN).read_until(b'\n', &mut message)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&message[begin..]).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0).min(MAX_LEN);
        } else if line.trim().is_empty() {
            from.take(length).read_to_end(&mut message)?;
            return Ok(Item::Message(message));
        }
    }
}

/// The two ports behind `key` in a message.
fn pair_of(message: &[u8], key: &str) -> Option<(u16, u16)> {
    let text = std::str::from_utf8(message).ok()?;
    let (first, rest) = text.split_once(key)?.1.split_once('-')?;
    let second = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((first.parse().ok()?, second.parse().ok()?))
}

/// `message` with `pair` in place of the ports behind `key`; unchanged if there are none.
fn with_pair(message: &[u8], key: &str, pair: (u16, u16)) -> Vec<u8> {
    let Some((first, second)) = pair_of(message, key) else { return message.to_vec() };
    let text = String::from_utf8_lossy(message);
    text.replacen(&format!("{key}{first}-{second}"), &format!("{key}{}-{}", pair.0, pair.1), 1).into_bytes()
}

/// The ports of a session over UDP.
#[derive(Clone, Copy, Debug)]
struct Ports {
    /// Of the reader.
    client: (u16, u16),
    /// Ours, to which the camera sends.
    to_camera: (u16, u16),
    /// Ours, from which the reader gets its packets.
    to_reader: (u16, u16),
}

impl Ports {
    /// Binds sockets, and relays from the camera to the reader until `over`.
    fn open(client: (u16, u16), loss: &Loss, over: &Arc<AtomicBool>) -> io::Result<Self> {
        let (camera_side, reader_side) = (bind_pair()?, bind_pair()?);
        let port = |socket: &UdpSocket| socket.local_addr().map(|address| address.port());
        let to_camera = (port(&camera_side[0])?, port(&camera_side[1])?);
        let to_reader = (port(&reader_side[0])?, port(&reader_side[1])?);
        let ways = camera_side.into_iter().zip(reader_side).zip([client.0, client.1]);
        for (((from, to), port), loss) in ways.zip([Some(loss.clone()), None]) {
            from.set_read_timeout(Some(LOOK))?;
            let over = Arc::clone(over);
            thread::Builder::new().name("datagrams".into()).spawn(move || forward(&from, &to, port, loss, &over))?;
        }
        Ok(Self { client, to_camera, to_reader })
    }
}

fn forward(from: &UdpSocket, to: &UdpSocket, port: u16, mut loss: Option<Loss>, over: &AtomicBool) {
    let mut buffer = vec![0; 1 << 16];
    while !over.load(Ordering::Relaxed) {
        let Ok(count) = from.recv(&mut buffer) else { continue };
        if loss.as_mut().is_none_or(|loss| !loss.loses()) {
            let _ = to.send_to(&buffer[..count], (Ipv4Addr::LOCALHOST, port));
        }
    }
}

/// An even port and the next one.
fn bind_pair() -> io::Result<[UdpSocket; 2]> {
    let mut held = Vec::new();
    for _ in 0..64 {
        let first = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = first.local_addr()?.port();
        if port.is_multiple_of(2)
            && let Ok(second) = UdpSocket::bind((Ipv4Addr::LOCALHOST, port + 1))
        {
            return Ok([first, second]);
        }
        held.push(first);
    }
    Err(io::ErrorKind::AddrInUse.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_packets_are_told_apart() {
        let bytes =
            b"RTSP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nv=0$\x00\x00\x02ab$\x01\x00\x00OPTIONS * RTSP/1.0\r\n\r\n";
        let mut from = &bytes[..];
        let items: Vec<_> = std::iter::from_fn(|| next_item(&mut from).ok()).collect();
        let lengths: Vec<_> = items.iter().map(|item| (matches!(item, Item::Packet(_)), item.bytes().len())).collect();
        assert_eq!(lengths, [(false, 41), (true, 6), (true, 4), (false, 22)]);
    }

    #[test]
    fn ports_are_replaced() {
        let text = b"Transport: RTP/AVP;unicast;client_port=4000-4001;server_port=5000-5001\r\n";
        assert_eq!(pair_of(text, "server_port="), Some((5000, 5001)));
        let changed = with_pair(text, "client_port=", (6000, 6001));
        assert_eq!(changed, b"Transport: RTP/AVP;unicast;client_port=6000-6001;server_port=5000-5001\r\n");
        assert_eq!(pair_of(b"Transport: RTP/AVP/TCP;interleaved=0-1", "client_port="), None);
    }

    #[test]
    fn share_of_lost_packets_is_as_asked() {
        let mut loss = Loss { permille: 10, rng: Rng::new(1), counters: Arc::default() };
        (0..100_000).for_each(|_| {
            loss.loses();
        });
        let lost = loss.counters.lost.load(Ordering::Relaxed);
        assert!((800..1200).contains(&lost), "{lost}");
        assert_eq!(lost + loss.counters.passed.load(Ordering::Relaxed), 100_000);
    }
}
