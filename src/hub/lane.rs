//! One camera's fan-out point.
//!
//! The keeper publishes into it; viewers sit down at it. Time is an argument throughout: the lane
//! never reads a clock, so its stall clock can be tested without waiting.

use std::{
    collections::BTreeMap,
    error, fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use smol::channel::{Receiver, Sender, bounded};

use super::{
    group::Group,
    rates::Rates,
    seat::Seat,
    status::{RenditionStatus, Standing, Status, WorkerVitals},
};
use crate::{
    camera::{CameraId, State, Tuning},
    media::{AccessUnit, Picture, Rendition, Size, StreamInfo, Wish},
};

/// Renditions of one camera that are encoded side by side at most. Each costs an encode per frame
/// (4 ms at 1080p), so this bounds what strangers can make a worker do.
pub const MOST_RENDITIONS: usize = 16;

/// Counted as the stream's size until the camera says its own.
const ASSUMED_SIZE: Size = Size { width: 1920, height: 1080 };

/// A viewer asked for one more rendition than is encoded for one camera.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TooManyRenditions;

impl fmt::Display for TooManyRenditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{MOST_RENDITIONS} different sizes, qualities and rates of this camera are being watched already; \
             ask for one of them, or try again later"
        )
    }
}

impl error::Error for TooManyRenditions {}

pub struct Lane {
    id: CameraId,
    inner: Mutex<Inner>,
    demand_bell: (Sender<()>, Receiver<()>),
}

struct Inner {
    name: String,
    tuning: Tuning,
    standing: Standing,
    since: Instant,
    stream: Option<StreamInfo>,
    group: Group,
    rates: Rates,
    next_sequence: u32,
    /// When the newest access unit came.
    last_unit: Option<Instant>,
    /// When the newest picture came, or pictures were first wanted of a live stream.
    last_picture: Option<Instant>,
    seats: Vec<Chair>,
    next_seat: u64,
    wanted: Vec<Rendition>,
    encodes: BTreeMap<Rendition, u64>,
    newest: BTreeMap<Rendition, Arc<Picture>>,
    frames: u64,
    bytes: u64,
    skipped: u64,
    workers: u64,
    stalls: u64,
    last_error: Option<String>,
    decoding: bool,
    vitals: Option<WorkerVitals>,
    keeper_due: Option<Instant>,
    closed: bool,
}

/// The lane's end of a seat.
struct Chair {
    number: u64,
    wish: Wish,
    pictures: Sender<Arc<Picture>>,
    /// The other end of `pictures`, to take back what must no longer be shown.
    unread: Receiver<Arc<Picture>>,
    news: Sender<()>,
    skipped: Arc<AtomicU64>,
}

impl Lane {
    /// A lane of a camera that is about to be connected.
    pub fn new(id: CameraId, name: String, tuning: Tuning, now: Instant) -> Self {
        Self {
            id,
            inner: Mutex::new(Inner {
                name,
                tuning,
                standing: Standing { state: State::Connecting, why: "starting".to_owned() },
                since: now,
                stream: None,
                group: Group::default(),
                rates: Rates::default(),
                next_sequence: 1,
                last_unit: None,
                last_picture: None,
                seats: Vec::new(),
                next_seat: 0,
                wanted: Vec::new(),
                encodes: BTreeMap::new(),
                newest: BTreeMap::new(),
                frames: 0,
                bytes: 0,
                skipped: 0,
                workers: 0,
                stalls: 0,
                last_error: None,
                decoding: false,
                vitals: None,
                keeper_due: None,
                closed: false,
            }),
            demand_bell: bounded(1),
        }
    }

    pub fn id(&self) -> &CameraId {
        &self.id
    }

    pub fn name(&self) -> String {
        self.inner().name.clone()
    }

    pub fn standing(&self) -> Standing {
        self.inner().standing.clone()
    }

    pub fn tuning(&self) -> Tuning {
        self.inner().tuning.clone()
    }

    /// How long the camera has been in its state.
    pub fn since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.inner().since)
    }

    pub fn stream(&self) -> Option<StreamInfo> {
        self.inner().stream
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here panics while it holds the lock, and a panic ends the process anyway.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The keeper's side.
impl Lane {
    /// A worker begins. Returns the sequence its first access unit must have.
    pub fn begin_worker(&self, now: Instant) -> u32 {
        let mut inner = self.inner();
        inner.workers += 1;
        inner.last_unit = None;
        inner.last_picture = Some(now);
        inner.next_sequence
    }

    /// The worker is gone: what it said of itself is void.
    pub fn end_worker(&self) {
        let mut inner = self.inner();
        inner.decoding = false;
        inner.vitals = None;
        inner.newest.clear();
        inner.group.clear();
        inner.rates.clear();
    }

    /// The stream was opened, or changed its size or codec.
    pub fn describe_stream(&self, stream: StreamInfo) {
        let mut inner = self.inner();
        if inner.stream.is_some_and(|old| old.codec != stream.codec || old.size != stream.size) {
            inner.group.clear();
            inner.newest.clear();
        }
        inner.stream = Some(stream);
        inner.ring_seats();
        self.refresh_demand(&mut inner);
    }

    /// Takes one access unit: the stream's heartbeat. The first key frame makes the camera live;
    /// returns `true` at that moment.
    pub fn publish_unit(&self, unit: &AccessUnit, now: Instant) -> bool {
        let mut inner = self.inner();
        inner.frames += 1;
        inner.bytes += unit.data.len() as u64;
        inner.rates.note(unit.data.len(), now);
        inner.group.push(unit);
        inner.next_sequence = unit.sequence.wrapping_add(1);
        inner.last_unit = Some(now);
        let goes_live = unit.key && inner.standing.state != State::Live;
        if goes_live {
            inner.last_picture = Some(now);
            inner.change_standing(State::Live, String::new(), now);
        }
        goes_live
    }

    /// Puts `picture` into the mailbox of every seat of its rendition. A picture of a camera that is
    /// not live is dropped: it could only be taken for a live one.
    pub fn publish_picture(&self, picture: Picture, now: Instant) {
        let mut inner = self.inner();
        if inner.standing.state != State::Live {
            return;
        }
        let picture = Arc::new(picture);
        let rendition = picture.rendition;
        let mut replaced = 0;
        for chair in &inner.seats {
            if inner.rendition(chair.wish) == rendition
                && let Ok(Some(_unread)) = chair.pictures.force_send(Arc::clone(&picture))
            {
                replaced += 1;
                chair.skipped.fetch_add(1, Ordering::Relaxed);
            }
        }
        inner.last_picture = Some(now);
        inner.skipped += replaced;
        if inner.wanted.contains(&rendition) {
            *inner.encodes.entry(rendition).or_default() += 1;
            inner.newest.insert(rendition, picture);
        }
    }

    /// The camera is not live, for the reason `why`; told to every viewer at once.
    pub fn report(&self, state: State, why: impl Into<String>, now: Instant) {
        let mut inner = self.inner();
        let why = why.into();
        if state == State::Stalled && inner.standing.state == State::Live {
            inner.stalls += 1;
        }
        if matches!(state, State::Stalled | State::Offline | State::Denied) {
            inner.last_error = Some(why.clone());
        }
        if state != State::Live {
            inner.newest.clear();
            // A viewer that reads only when the camera is live again must not find a picture from before.
            for chair in &inner.seats {
                while chair.unread.try_recv().is_ok() {}
            }
        }
        inner.change_standing(state, why, now);
    }

    /// What is overdue at `now`, in words, if anything: access units while a worker runs, or pictures
    /// while somebody waits for them and units do arrive.
    pub fn overdue(&self, now: Instant) -> Option<String> {
        let inner = self.inner();
        let limit = inner.tuning.stall_after;
        let late = |at: Option<Instant>| at.is_some_and(|at| now.saturating_duration_since(at) >= limit);
        if inner.standing.state == State::Live && late(inner.last_unit) {
            Some(format!("no frame for {:.1} s", limit.as_secs_f64()))
        } else if inner.standing.state == State::Live && !inner.wanted.is_empty() && late(inner.last_picture) {
            Some(format!("frames arrive, but the decoder has given no picture for {:.1} s", limit.as_secs_f64()))
        } else {
            None
        }
    }

    /// The renditions to be encoded from now on.
    pub fn demand(&self) -> Vec<Rendition> {
        self.inner().wanted.clone()
    }

    /// Rings, at least once, after each change of [`Lane::demand`]. There is one bell for the one
    /// keeper.
    pub fn demand_changes(&self) -> Receiver<()> {
        self.demand_bell.1.clone()
    }

    /// Whether the worker says that it runs a decoder.
    pub fn set_decoding(&self, decoding: bool) {
        self.inner().decoding = decoding;
    }

    pub fn set_vitals(&self, vitals: WorkerVitals) {
        self.inner().vitals = Some(vitals);
    }

    /// The keeper promises to be back by `due`; `/healthz` tells when it is not.
    pub fn promise(&self, due: Instant) {
        self.inner().keeper_due = Some(due);
    }

    /// Another name, quality, rate or stall limit, from now on.
    pub fn retune(&self, name: String, tuning: Tuning) {
        let mut inner = self.inner();
        inner.name = name;
        inner.tuning = tuning;
        inner.ring_seats();
        self.refresh_demand(&mut inner);
    }

    /// Ends every seat: the camera left the configuration.
    pub(super) fn close(&self) {
        let mut inner = self.inner();
        inner.closed = true;
        inner.seats.clear();
        self.refresh_demand(&mut inner);
    }
}

/// The viewer's side.
impl Lane {
    /// Takes a seat with the given wish; its first [`Seat::next`] answers at once.
    ///
    /// # Errors
    /// [`TooManyRenditions`] where the wish would need one more rendition than the lane may have.
    pub fn sit(self: &Arc<Self>, wish: Wish) -> Result<Seat, TooManyRenditions> {
        let mut inner = self.inner();
        inner.admit(wish, None)?;
        let number = inner.next_seat;
        inner.next_seat += 1;
        let (picture_sender, pictures) = bounded(1);
        let (news_sender, news) = bounded(1);
        let skipped = Arc::new(AtomicU64::new(0));
        let unread = pictures.clone();
        let seat = Seat { lane: Arc::clone(self), number, pictures, news, skipped: Arc::clone(&skipped) };
        if inner.closed {
            return Ok(seat); // Its senders are dropped here: it reads as closed.
        }
        let _ = news_sender.force_send(());
        inner.seats.push(Chair { number, wish, pictures: picture_sender, unread, news: news_sender, skipped });
        inner.serve_newest(number);
        self.refresh_demand(&mut inner);
        Ok(seat)
    }

    /// The standing, as of the same moment at which the mailbox behind `pictures` was emptied of what
    /// must no longer be shown.
    pub(super) fn standing_for(&self, pictures: &Receiver<Arc<Picture>>) -> Standing {
        let inner = self.inner();
        if inner.standing.state != State::Live {
            while pictures.try_recv().is_ok() {}
        }
        inner.standing.clone()
    }

    pub(super) fn change_wish(&self, number: u64, wish: Wish) -> Result<(), TooManyRenditions> {
        let mut inner = self.inner();
        inner.admit(wish, Some(number))?;
        if let Some(chair) = inner.seats.iter_mut().find(|chair| chair.number == number) {
            chair.wish = wish;
        }
        inner.serve_newest(number);
        self.refresh_demand(&mut inner);
        Ok(())
    }

    pub(super) fn count_skipped(&self) {
        self.inner().skipped += 1;
    }

    pub(super) fn leave(&self, number: u64) {
        let mut inner = self.inner();
        inner.seats.retain(|chair| chair.number != number);
        self.refresh_demand(&mut inner);
    }

    pub fn status(&self, now: Instant) -> Status {
        let inner = self.inner();
        let (measured_fps, bitrate) = inner.rates.read(now);
        let age = inner.last_unit.map(|at| now.saturating_duration_since(at));
        let rendition_status = |&rendition: &Rendition| RenditionStatus {
            rendition,
            viewers: inner.seats.iter().filter(|chair| inner.rendition(chair.wish) == rendition).count(),
            encodes: inner.encodes.get(&rendition).copied().unwrap_or(0),
        };
        Status {
            id: self.id.clone(),
            name: inner.name.clone(),
            standing: inner.standing.clone(),
            since: now.saturating_duration_since(inner.since),
            age,
            stream: inner.stream,
            measured_fps,
            bitrate,
            frames: inner.frames,
            bytes: inner.bytes,
            reconnects: inner.workers.saturating_sub(1),
            stalls: inner.stalls,
            last_error: inner.last_error.clone(),
            group: (inner.group.units().len(), inner.group.bytes()),
            viewers: inner.seats.len(),
            skipped: inner.skipped,
            decoding: inner.decoding,
            renditions: inner.wanted.iter().map(rendition_status).collect(),
            worker: inner.vitals,
            keeper_late: inner.keeper_due.map_or(Duration::ZERO, |due| now.saturating_duration_since(due)),
        }
    }

    fn refresh_demand(&self, inner: &mut Inner) {
        let mut wanted: Vec<_> = match inner.stream {
            Some(_) => inner.seats.iter().map(|chair| inner.rendition(chair.wish)).collect(),
            None => Vec::new(),
        };
        wanted.sort_unstable();
        wanted.dedup();
        wanted.truncate(MOST_RENDITIONS);
        if wanted == inner.wanted {
            return;
        }
        if inner.wanted.is_empty() {
            // The decoder's clock starts with the first wish, not with the last picture of old.
            inner.last_picture = inner.last_unit;
        }
        inner.newest.retain(|rendition, _| wanted.contains(rendition));
        inner.encodes.retain(|rendition, _| wanted.contains(rendition));
        inner.wanted = wanted;
        let _ = self.demand_bell.0.force_send(());
    }
}

impl Inner {
    fn rendition(&self, wish: Wish) -> Rendition {
        let size = self.stream.map_or(ASSUMED_SIZE, |stream| stream.size);
        Rendition::for_wish(wish, size, self.tuning.quality, self.tuning.max_fps)
    }

    /// Refuses `wish` where it would need one rendition too many, not counting seat `except`.
    fn admit(&self, wish: Wish, except: Option<u64>) -> Result<(), TooManyRenditions> {
        let others = self.seats.iter().filter(|chair| Some(chair.number) != except);
        let mut renditions: Vec<_> = others.map(|chair| self.rendition(chair.wish)).collect();
        renditions.push(self.rendition(wish));
        renditions.sort_unstable();
        renditions.dedup();
        if renditions.len() > MOST_RENDITIONS { Err(TooManyRenditions) } else { Ok(()) }
    }

    /// Gives a new seat the picture others of its rendition already see.
    fn serve_newest(&self, number: u64) {
        let Some(chair) = self.seats.iter().find(|chair| chair.number == number) else { return };
        if let Some(picture) = self.newest.get(&self.rendition(chair.wish)) {
            let _ = chair.pictures.force_send(Arc::clone(picture));
        }
    }

    fn change_standing(&mut self, state: State, why: String, now: Instant) {
        if self.standing.state != state {
            self.since = now;
        }
        let standing = Standing { state, why };
        if self.standing != standing {
            self.standing = standing;
            self.ring_seats();
        }
    }

    fn ring_seats(&self) {
        for chair in &self.seats {
            let _ = chair.news.force_send(());
        }
    }
}

#[cfg(test)]
#[path = "lane_tests.rs"]
mod tests;
