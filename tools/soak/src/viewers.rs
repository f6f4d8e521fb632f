//! Viewers that come and go, well behaved and otherwise. Those that read check what they are shown.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use async_tungstenite::tungstenite::Message;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;

use crate::{Result, board::Board, net, rng::Rng};

/// How a viewer behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ViewerKind {
    /// Motion JPEG, read as fast as it comes.
    MotionJpeg,
    /// Motion JPEG at a few kB/s.
    SlowReader,
    /// Requests Motion JPEG and never reads.
    Sleeper,
    /// Resets the connection in the middle of a picture.
    Vanisher,
    /// A wall of a few tiles that reports what it drew.
    Wall,
    /// A wall that reports nothing as drawn and reads nothing.
    DeadWall,
    /// A page of the old protocol.
    OldPage,
    Snapshots,
    /// Begins a request and never completes it.
    HalfRequest,
}

pub const VIEWER_KINDS: [(ViewerKind, &str); 9] = [
    (ViewerKind::MotionJpeg, "Motion JPEG"),
    (ViewerKind::SlowReader, "Motion JPEG, read slowly"),
    (ViewerKind::Sleeper, "Motion JPEG, never read"),
    (ViewerKind::Vanisher, "Motion JPEG, gone with a reset"),
    (ViewerKind::Wall, "wall socket"),
    (ViewerKind::DeadWall, "wall socket, never read"),
    (ViewerKind::OldPage, "old protocol"),
    (ViewerKind::Snapshots, "snapshots"),
    (ViewerKind::HalfRequest, "half a request"),
];

/// Interval at which a waiting viewer checks whether its visit is over.
const TURN: Duration = Duration::from_millis(200);

/// The agent repeats a picture or card every second: a longer silence than this is a violation.
const SILENCE: Duration = Duration::from_secs(6);

/// Totals of all viewers of one kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub visits: u64,
    pub pictures: u64,
    /// Cards, or responses that there is no live picture.
    pub cards: u64,
    /// Closed or refused by the agent.
    pub turned_away: u64,
}

/// What all viewers share.
pub struct ViewerGroup {
    pub address: String,
    pub cameras: Vec<String>,
    pub board: Arc<Board>,
    /// All viewers must leave.
    pub closing: AtomicBool,
    tallies: Mutex<BTreeMap<ViewerKind, Tally>>,
}

impl ViewerGroup {
    pub fn new(address: String, cameras: Vec<String>, board: Arc<Board>) -> Arc<Self> {
        Arc::new(Self { address, cameras, board, closing: AtomicBool::new(false), tallies: Mutex::default() })
    }

    pub fn tallies(&self) -> BTreeMap<ViewerKind, Tally> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, kind: ViewerKind, count: impl FnOnce(&mut Tally)) {
        count(self.tallies.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default());
    }

    /// One visit in a thread of its own, until `until` at the latest.
    pub fn visit(self: &Arc<Self>, kind: ViewerKind, until: Instant, mut rng: Rng) -> Result<JoinHandle<()>> {
        let group = Arc::clone(self);
        let thread = thread::Builder::new().name(format!("{kind:?}"));
        Ok(thread.spawn(move || {
            let camera = rng.of(&group.cameras).cloned().unwrap_or_default();
            let visit = Visit { group: &group, kind, camera, until };
            group.count(kind, |tally| tally.visits += 1);
            if visit.go(&mut rng).is_err() {
                group.count(kind, |tally| tally.turned_away += 1);
            }
        })?)
    }
}

struct Visit<'a> {
    group: &'a ViewerGroup,
    kind: ViewerKind,
    camera: String,
    until: Instant,
}

/// The agent ended the visit.
struct TurnedAway;

impl From<std::io::Error> for TurnedAway {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

impl From<String> for TurnedAway {
    fn from(_: String) -> Self {
        Self
    }
}

type Ending = std::result::Result<(), TurnedAway>;

impl Visit<'_> {
    fn is_over(&self) -> bool {
        Instant::now() >= self.until || self.group.closing.load(Ordering::Relaxed)
    }

    fn go(&self, rng: &mut Rng) -> Ending {
        match self.kind {
            ViewerKind::MotionJpeg => self.read_motion_jpeg(rng),
            ViewerKind::SlowReader => self.read_slowly(),
            ViewerKind::Sleeper => self.sleep(self.ask("")?),
            ViewerKind::Vanisher => self.vanish(rng),
            ViewerKind::Wall => self.hang_a_wall(rng),
            ViewerKind::DeadWall => self.leave_a_wall(),
            ViewerKind::OldPage => self.show_old_page(),
            ViewerKind::Snapshots => self.take_snapshots(rng),
            ViewerKind::HalfRequest => {
                let mut stream = net::connect(&self.group.address)?;
                write!(stream, "GET /live/{} HTTP/1.1\r\nHost:", self.camera)?;
                self.sleep(stream)
            }
        }
    }

    fn ask(&self, query: &str) -> std::result::Result<TcpStream, TurnedAway> {
        let mut stream = net::connect(&self.group.address)?;
        write!(stream, "GET /live/{}{query} HTTP/1.1\r\nHost: {}\r\n\r\n", self.camera, self.group.address)?;
        Ok(stream)
    }

    /// Holds the connection and reads nothing.
    fn sleep(&self, stream: TcpStream) -> Ending {
        while !self.is_over() {
            thread::sleep(TURN);
        }
        drop(stream);
        Ok(())
    }

    fn assess(&self, jpeg: &[u8]) {
        match net::burnt_in(jpeg) {
            Some(taken) => {
                let viewer = VIEWER_KINDS.iter().find(|(kind, _)| *kind == self.kind).map_or("", |(_, name)| name);
                self.group.board.check_picture(&self.camera, taken, net::unix_ms(), viewer);
                self.group.count(self.kind, |tally| tally.pictures += 1);
            }
            None => self.group.count(self.kind, |tally| tally.cards += 1),
        }
    }

    fn read_motion_jpeg(&self, rng: &mut Rng) -> Ending {
        let query = rng.of(&["", "?size=160x92", "?q=40", "?fps=3"]).copied().unwrap_or_default();
        let mut live = net::MotionJpeg::open(&self.group.address, &format!("/live/{}{query}", self.camera))?;
        live.stream().set_read_timeout(Some(SILENCE))?;
        while !self.is_over() {
            let asked = Instant::now();
            let part = live.next().inspect_err(|error| {
                if asked.elapsed() >= SILENCE {
                    self.group.board.remark(format!("{}: a Motion JPEG viewer got no answer: {error}", self.camera));
                }
            })?;
            match part.sequence {
                0 => self.group.count(self.kind, |tally| tally.cards += 1),
                // Too small for a readable stamp.
                _ if query.contains("size") => self.group.count(self.kind, |tally| tally.pictures += 1),
                _ => self.assess(&part.jpeg),
            }
        }
        Ok(())
    }

    fn read_slowly(&self) -> Ending {
        let mut stream = self.ask("")?;
        let mut little = [0; 1024];
        while !self.is_over() {
            if stream.read(&mut little)? == 0 {
                return Err(TurnedAway);
            }
            thread::sleep(TURN);
        }
        Ok(())
    }

    fn vanish(&self, rng: &mut Rng) -> Ending {
        let mut stream = self.ask("")?;
        let mut some = vec![0; 1000 + rng.below(20_000)];
        stream.read_exact(&mut some)?;
        // Closing with a linger time of zero sends a reset.
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        Ok(())
    }

    fn hang_a_wall(&self, rng: &mut Rng) -> Ending {
        let mut socket = net::socket(&self.group.address, "/ws", Some("cctv.wall.1"), TURN)?;
        let count = 1 + rng.below(self.group.cameras.len());
        let tiles: Vec<_> = (0..count)
            .filter_map(|n| {
                Some(json!({ "tile": n, "camera": rng.of(&self.group.cameras)?, "size": [320, 184], "fps": 5 }))
            })
            .collect();
        socket.send(Message::text(json!({ "show": tiles }).to_string())).map_err(|_| TurnedAway)?;
        while !self.is_over() {
            match socket.read() {
                Ok(Message::Binary(bytes)) if bytes.len() > 16 => {
                    self.group.count(self.kind, |tally| tally.pictures += 1);
                    let sequence = bytes[4..8].try_into().map_or(0, u32::from_le_bytes);
                    let drawn = BTreeMap::from([(bytes[2].to_string(), sequence)]);
                    let drawn = Message::text(json!({ "drawn": drawn }).to_string());
                    socket.send(drawn).map_err(|_| TurnedAway)?;
                }
                Ok(Message::Close(_)) => return Err(TurnedAway),
                Ok(_) => {}
                Err(error) if net::is_silence(&error) => {}
                Err(_) => return Err(TurnedAway),
            }
        }
        let _ = socket.close(None);
        let _ = socket.flush();
        Ok(())
    }

    fn leave_a_wall(&self) -> Ending {
        let mut socket = net::socket(&self.group.address, "/ws", Some("cctv.wall.1"), TURN)?;
        let tile = |(n, camera): (usize, &String)| json!({ "tile": n, "camera": camera });
        let tiles: Vec<_> = self.group.cameras.iter().enumerate().map(tile).collect();
        socket.send(Message::text(json!({ "show": tiles }).to_string())).map_err(|_| TurnedAway)?;
        while !self.is_over() {
            thread::sleep(TURN);
        }
        Ok(())
    }

    fn show_old_page(&self) -> Ending {
        let mut socket = net::socket(&self.group.address, &format!("/ws/{}", self.camera), None, TURN)?;
        let (mut expected, mut url) = (0, String::new());
        while !self.is_over() {
            match socket.read() {
                Ok(Message::Text(text)) => {
                    if let Some(count) = text.strip_prefix("::").and_then(|rest| rest.strip_suffix("::")) {
                        expected = count.parse().unwrap_or(0);
                        url.clear();
                    } else if let Some((n, piece)) = text.strip_prefix('~').and_then(|rest| rest.split_once('~')) {
                        url.push_str(piece);
                        if n.parse() == Ok(expected) {
                            let base64 = url.strip_prefix("data:image/jpeg;base64,").unwrap_or_default();
                            self.assess(&BASE64_STANDARD.decode(base64).unwrap_or_default());
                        }
                    }
                }
                Ok(Message::Close(_)) => return Err(TurnedAway),
                Ok(_) => {}
                Err(error) if net::is_silence(&error) => {}
                Err(_) => return Err(TurnedAway),
            }
        }
        let _ = socket.close(None);
        let _ = socket.flush();
        Ok(())
    }

    fn take_snapshots(&self, rng: &mut Rng) -> Ending {
        while !self.is_over() {
            let answer = net::http("GET", &self.group.address, &format!("/snapshot/{}", self.camera))?;
            match answer.status {
                200 => self.assess(&answer.body),
                503 => self.group.count(self.kind, |tally| tally.cards += 1),
                _ => return Err(TurnedAway),
            }
            thread::sleep(rng.milliseconds(100..=1000));
        }
        Ok(())
    }
}
