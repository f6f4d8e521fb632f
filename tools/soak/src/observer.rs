//! The observers, viewers that never leave: a wall WebSocket with every camera on it as JPEG, and one
//! with the untouched video, for the whole soak.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use async_tungstenite::tungstenite::Message;
use serde_json::{Value, json};

use crate::{
    board::{Board, Seen, StateReport},
    net,
    processes::Camera,
};

const PROTOCOL: &str = "cctv.wall.1";

/// Interval between two checks of the tiles.
const CHECK_EVERY: Duration = Duration::from_millis(100);

/// If this program itself did not run for this long, the messages in the socket are older than they
/// seem: all checks pause for a second.
const LATE: Duration = Duration::from_millis(400);
const CATCH_UP: Duration = Duration::from_secs(1);

/// Pictures per second and camera.
const RATE: u32 = 5;

/// The format of a binary message with a JPEG.
const JPEG: u8 = 1;

/// Bytes before the JPEG in a binary message.
const HEADER: usize = 16;

/// A wall that breaks off more often than this is not reopened.
const MAX_BREAKS: usize = 50;
const BEFORE_AGAIN: Duration = Duration::from_millis(500);

/// What an observer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Jpeg,
    Untouched,
}

pub struct Observer {
    pub form: Form,
    pub address: String,
    pub cameras: Vec<Camera>,
    pub board: Arc<Board>,
    pub stop: Arc<AtomicBool>,
    /// Maximum delay of this thread, in milliseconds.
    pub lateness: Arc<AtomicU64>,
}

impl Observer {
    /// Observes until it is stopped.
    pub fn run(self) {
        for _ in 0..MAX_BREAKS {
            if let Err(broken) = self.watch() {
                self.board.remark(format!("the observer's wall socket broke: {broken}"));
            }
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            thread::sleep(BEFORE_AGAIN);
        }
        self.board.remark("the observer gave up".to_owned());
    }

    fn watch(&self) -> Result<(), String> {
        let mut socket = net::socket(&self.address, "/ws", Some(PROTOCOL), CHECK_EVERY)?;
        let accept: &[&str] = match self.form {
            Form::Jpeg => &["jpeg"],
            Form::Untouched => &["h264", "h265", "jpeg"],
        };
        let tile = |(n, camera): (usize, &Camera)| json!({ "tile": n, "camera": camera.id, "size": [320, 184], "fps": RATE, "accept": accept });
        let tiles: Vec<_> = self.cameras.iter().enumerate().map(tile).collect();
        socket.send(Message::text(json!({ "show": tiles }).to_string())).map_err(|error| error.to_string())?;
        let mut checked = Instant::now();
        let mut trusted = checked;
        while !self.stop.load(Ordering::Relaxed) {
            let before = Instant::now();
            let message = match socket.read() {
                Ok(message) => Some(message),
                Err(error) if net::is_silence(&error) => None,
                Err(error) => return Err(error.to_string()),
            };
            let now = Instant::now();
            match message {
                Some(Message::Text(text)) if self.form == Form::Jpeg => self.hear(&text, now),
                Some(Message::Binary(bytes)) if self.form == Form::Untouched => {
                    // The first byte of the header is the version. JPEG, which JPEG cameras send, does
                    // not count.
                    if let [_, format, tile, ..] = bytes[..]
                        && format != JPEG
                        && let Some(camera) = self.cameras.get(usize::from(tile))
                    {
                        self.board.unit(&camera.id, now);
                    }
                }
                Some(Message::Binary(bytes)) => {
                    if let Some(drawn) = self.look(&bytes, now) {
                        let drawn = json!({ "drawn": drawn }).to_string();
                        socket.send(Message::text(drawn)).map_err(|error| error.to_string())?;
                    }
                }
                Some(Message::Close(frame)) => {
                    return Err(frame.map_or_else(|| "closed".to_owned(), |frame| frame.reason.to_string()));
                }
                _ => {}
            }
            let done = Instant::now();
            let late = (now - before).saturating_sub(CHECK_EVERY) + (done - now);
            self.lateness.fetch_max(u64::try_from(late.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
            if late >= LATE {
                trusted = done + CATCH_UP;
            }
            if self.form == Form::Jpeg && done - checked >= CHECK_EVERY && done >= trusted {
                checked = done;
                self.board.check(done, net::unix_ms());
            }
        }
        let _ = socket.close(None);
        Ok(())
    }

    fn hear(&self, text: &str, at: Instant) {
        let Ok(message) = serde_json::from_str::<Value>(text) else { return };
        if let Some(error) = message["error"].as_str() {
            // This error is also sent while a camera is missing from the file.
            if !error.contains("there is no camera") {
                self.board.remark(format!("the wall says: {error}"));
            }
        }
        if let (Some(camera), Some(state)) = (message["camera"].as_str(), message["state"].as_str()) {
            let why = message["why"].as_str().unwrap_or_default().to_owned();
            self.board.reports(camera, StateReport { at, state: state.to_owned(), why });
        }
    }

    /// Reads the clock in a picture; returns the pictures to report as drawn.
    fn look(&self, bytes: &[u8], at: Instant) -> Option<BTreeMap<String, u32>> {
        let (header, jpeg) = bytes.split_at_checked(HEADER)?;
        let tile = header[2];
        let sequence = u32::from_le_bytes(header[4..8].try_into().ok()?);
        let camera = self.cameras.get(usize::from(tile))?;
        match net::burnt_in(jpeg) {
            Some(taken) => self.board.seen(&camera.id, Seen { at, taken }),
            None => self.board.damaged(&camera.id, at),
        }
        Some(BTreeMap::from([(tile.to_string(), sequence)]))
    }
}
