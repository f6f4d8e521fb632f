//! State shared by the worker's three threads: the newest group, the wanted renditions, and the
//! socket to the agent.

use std::{
    io,
    net::Shutdown,
    os::unix::net::UnixStream,
    sync::{Condvar, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::decode_cursor::{DecodeCursor, Group, Step};
use cctv_agent::{
    ipc::{self, FromWorker, UnitAsPicture},
    media::{AccessUnit, Codec, Picture, WantedRendition},
    sync::{Mutex, MutexGuard},
};

/// An agent that takes nothing for this long is stopped or stuck: the worker ends, and so does the
/// session with the camera.
const SEND_LIMIT: Duration = Duration::from_secs(2);

/// Shared by all threads of the worker.
pub struct Shared {
    out: Mutex<Out>,
    /// The same socket, to close it without waiting for a write in progress.
    end: UnixStream,
    state: Mutex<State>,
    changed: Condvar,
}

struct Out {
    socket: UnixStream,
    /// The sequence number and bytes of the last unit.
    newest: Option<(u32, Bytes)>,
}

struct State {
    decode_cursor: Group,
    codec: Option<Codec>,
    wanted: Vec<WantedRendition>,
    /// Counts the changes of `wanted`.
    rendition_request: u64,
    stopping: bool,
}

/// The next job of the decoding thread.
pub enum Job {
    /// Make these renditions from now on.
    SetRenditions(Codec, Vec<WantedRendition>),
    Develop(Step),
    /// No unit is left to decode, and it is time to say so.
    Report,
    Stop,
}

/// How far the decoding thread has come.
#[derive(Default)]
pub struct Position {
    /// Number of the last change of the renditions that was handled.
    rendition_request: u64,
    /// The position in the group; `None` while nothing is wanted.
    pub cursor: Option<DecodeCursor>,
    /// Number of the next unit at the last [`Job::Report`].
    reported: u64,
}

impl Shared {
    /// `group_memory`: as [`ipc::Open::group_memory`].
    ///
    /// # Errors
    /// If the system refuses the timeout or a second handle.
    pub fn new(socket: &UnixStream, group_memory: u64) -> io::Result<Self> {
        let out = socket.try_clone()?;
        out.set_write_timeout(Some(SEND_LIMIT))?;
        let end = socket.try_clone()?;
        Ok(Self {
            out: Mutex::new(Out { socket: out, newest: None }),
            end,
            state: Mutex::new(State {
                decode_cursor: Group::new(usize::try_from(group_memory).unwrap_or(usize::MAX)),
                codec: None,
                wanted: Vec::new(),
                rendition_request: 0,
                stopping: false,
            }),
            changed: Condvar::new(),
        })
    }

    /// Sends one message to the agent.
    ///
    /// # Errors
    /// If the agent has ended, or took nothing for [`SEND_LIMIT`].
    pub fn tell(&self, message: &FromWorker) -> io::Result<()> {
        let mut out = self.out.lock();
        if let FromWorker::Unit(unit) = message {
            out.newest = Some((unit.sequence, unit.data.clone()));
        }
        ipc::send(&mut out.socket, message)
    }

    /// Sends a picture. If it is the last unit, its bytes are not sent again.
    ///
    /// # Errors
    /// As [`Shared::tell`].
    pub fn show(&self, picture: Picture) -> io::Result<()> {
        let Picture { rendition, sequence, .. } = picture;
        let mut out = self.out.lock();
        let is_newest = |(newest, data): &(u32, Bytes)| *newest == sequence && data.as_ptr() == picture.jpeg.as_ptr();
        let message = if out.newest.as_ref().is_some_and(is_newest) {
            FromWorker::UnitAsPicture(UnitAsPicture { rendition, sequence })
        } else {
            FromWorker::Picture(picture)
        };
        ipc::send(&mut out.socket, &message)
    }

    /// Closes the socket: nothing more is sent, and the listening thread wakes.
    pub fn close(&self) {
        // Fails only if the agent closed it first.
        let _ = self.end.shutdown(Shutdown::Both);
    }

    /// Asks all threads to end.
    pub fn stop(&self) {
        self.state().stopping = true;
        self.changed.notify_all();
    }

    pub fn is_stopping(&self) -> bool {
        self.state().stopping
    }

    pub fn want(&self, renditions: Vec<WantedRendition>) {
        let mut state = self.state();
        state.wanted = renditions;
        state.rendition_request += 1;
        self.changed.notify_all();
    }

    pub fn put(&self, codec: Codec, unit: AccessUnit) {
        let mut state = self.state();
        state.codec = Some(codec);
        state.decode_cursor.push(unit);
        // Otherwise every unit would wake the decoding thread for nothing.
        if !state.wanted.is_empty() {
            self.changed.notify_all();
        }
    }

    /// Waits for a job. If units have come since the last report, the next one is due at `report_at`.
    ///
    /// # Blocking
    /// Until there is a job or [`Shared::stop`] is called; its caller never waits for this thread alone.
    pub fn work(&self, position: &mut Position, report_at: Instant) -> Job {
        let mut state = self.state();
        loop {
            if state.stopping {
                return Job::Stop;
            }
            if let (Some(codec), true) = (state.codec, state.rendition_request != position.rendition_request) {
                position.rendition_request = state.rendition_request;
                if state.wanted.is_empty() {
                    position.cursor = None;
                } else {
                    position.cursor.get_or_insert_default();
                }
                return Job::SetRenditions(codec, state.wanted.clone());
            }
            if let Some(step) = position.cursor.as_mut().and_then(|cursor| cursor.step(&state.decode_cursor)) {
                return Job::Develop(step);
            }
            if position.cursor.is_none() || position.reported == state.decode_cursor.end() {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let left = report_at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                position.reported = state.decode_cursor.end();
                return Job::Report;
            }
            (state, _) = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}
