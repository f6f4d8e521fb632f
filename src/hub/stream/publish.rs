//! The keeper's side of a lane: what it publishes, and what it learns of the demand.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use smol::channel::Receiver;

use super::Stream;
use crate::{
    camera::{State, StreamOptions},
    hub::status::{Cause, Condition, Endpoint, WorkerUsage},
    media::{AccessUnit, Codec, Picture, Rendition, StreamInfo},
};

impl Stream {
    /// A worker begins. Returns the sequence its first access unit must have.
    pub fn begin_worker(&self, now: Instant) -> u32 {
        let mut inner = self.inner();
        inner.workers += 1;
        if std::mem::take(&mut inner.idle) {
            inner.fresh += 1;
        }
        inner.stall.begin(now);
        inner.next_sequence
    }

    /// The worker is gone: what it said of itself is void.
    pub fn end_worker(&self) {
        let mut inner = self.inner();
        inner.decoding = false;
        (inner.vitals, inner.worker_share) = (None, None);
        inner.newest.clear();
        inner.gop_cache.clear();
        inner.withdraw_units();
        inner.rate_meter.clear();
    }

    /// The stream was opened, or changed its size, shape, codec or variant.
    pub fn set_stream_info(&self, stream: StreamInfo) {
        let mut inner = self.inner();
        let kind = |stream: StreamInfo| (stream.codec, stream.codec_config, stream.size, stream.sample_aspect);
        if inner.stream.is_some_and(|old| kind(old) != kind(stream)) {
            inner.gop_cache.clear();
            inner.withdraw_units();
            inner.newest.clear();
            inner.described_at = Some(inner.next_sequence);
        }
        inner.stream = Some(stream);
        inner.ring_seats();
        inner.ring_bells();
        self.refresh_demand(&mut inner);
    }

    /// Takes one access unit: the stream's heartbeat. The first key frame makes the camera live, or what
    /// follows it where it may be old; returns `true` at that moment.
    pub fn publish_unit(&self, unit: &AccessUnit, now: Instant) -> bool {
        let mut inner = self.inner();
        inner.frames += 1;
        inner.bytes += unit.data.len() as u64;
        inner.rate_meter.note(unit.data.len(), now);
        inner.gop_cache.push(unit);
        inner.next_sequence = unit.sequence.wrapping_add(1);
        let prompt = inner.stream.is_some_and(|stream| stream.codec == Codec::Jpeg);
        inner.stall.unit(unit.sequence, unit.key, prompt, now);
        let is_young = inner.stall.is_young(inner.options.stall_after, now);
        let goes_live = is_young && !inner.is_live() && !inner.gop_cache.units().is_empty();
        if goes_live {
            inner.stall.live(now);
            inner.change_standing(State::Live, String::new(), now);
            inner.offer_group();
        } else if inner.is_live() {
            inner.offer_unit(unit);
        }
        goes_live
    }

    /// Puts `picture` into the mailbox of every seat of its rendition. A picture of a camera that is
    /// not live, or one that is older than that may be, is dropped: it could only be taken for a live one. So is one of a
    /// frame from before the stream changed: it was scaled to a shape that is not its own.
    pub fn publish_picture(&self, picture: Picture, now: Instant) {
        let mut inner = self.inner();
        if inner.condition.state != State::Live || inner.is_of_stream_before(picture.sequence) {
            return;
        }
        let picture = Arc::new(picture);
        if inner.stall.picture(picture.sequence, now) > inner.options.stall_after {
            return;
        }
        let rendition = picture.rendition;
        let mut replaced = 0;
        for subscriber in &inner.subscriptions {
            if inner.rendition(subscriber.rendition_request) == rendition
                && let Ok(Some(_unread)) = subscriber.pictures.force_send(Arc::clone(&picture))
            {
                replaced += 1;
                subscriber.skipped.fetch_add(1, Ordering::Relaxed);
            }
        }
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
        if state == State::Stalled && inner.condition.state == State::Live {
            inner.stalls += 1;
        }
        if matches!(state, State::Stalled | State::Offline | State::Denied) {
            inner.last_error = Some((why.clone(), now));
        }
        if state != State::Live {
            inner.newest.clear();
            // It is live again from a key frame on.
            inner.gop_cache.clear();
            inner.withdraw_units();
            // A viewer that reads only when the camera is live again must not find a picture from before.
            for subscriber in &inner.subscriptions {
                while subscriber.unread.try_recv().is_ok() {}
            }
        }
        inner.change_standing(state, why, now);
    }

    /// Nobody needs the stream, so it is not open: viewers see `condition` until it is.
    pub fn rest(&self, condition: Condition, now: Instant) {
        self.inner().idle = true;
        self.report(condition.state, condition.why, now);
    }

    /// What becomes of the camera where something is overdue at `now`: access units while a worker runs,
    /// key frames, or pictures while somebody waits for them and units do arrive.
    pub fn overdue(&self, now: Instant) -> Option<Condition> {
        let inner = self.inner();
        let terms = inner.terms();
        let lack = inner.stall.overdue(terms, now)?;
        let state = if terms.live { State::Stalled } else { State::Offline };
        Some(Condition { state, why: lack.to_string() })
    }

    /// When something is overdue unless it comes before; `None` before the first access unit.
    pub fn due(&self) -> Option<Instant> {
        let inner = self.inner();
        inner.stall.due(inner.terms())
    }

    /// The renditions to be encoded from now on.
    pub fn demand(&self) -> Vec<Rendition> {
        self.inner().wanted.clone()
    }

    /// Rings, at least once, after each change of [`Stream::demand`]. There is one bell for the one
    /// keeper.
    pub fn demand_changes(&self) -> Receiver<()> {
        self.demand_bell.1.clone()
    }

    /// Whether the worker says that it runs a decoder.
    pub fn set_decoding(&self, decoding: bool) {
        self.inner().decoding = decoding;
    }

    pub fn set_vitals(&self, vitals: WorkerUsage, now: Instant) {
        let mut inner = self.inner();
        if let Some((before, at)) = inner.vitals.filter(|(before, _)| before.pid == vitals.pid) {
            let seconds = now.saturating_duration_since(at).as_secs_f64();
            if seconds > 0.0 {
                inner.worker_share = Some(vitals.cpu.saturating_sub(before.cpu).as_secs_f64() / seconds);
            }
        }
        inner.vitals = Some((vitals, now));
    }

    /// A stream, or an attempt at one, came to its end; `error` says why, without what is done about it.
    pub fn note_failure(&self, cause: Cause, error: Option<String>, now: Instant) {
        let mut inner = self.inner();
        *inner.failures.entry(cause).or_default() += 1;
        if let Some(error) = error {
            inner.last_error = Some((error, now));
        }
    }

    /// How many renditions newcomers may have encoded side by side. Those who watch keep theirs.
    pub fn allow_renditions(&self, most: usize) {
        self.inner().most_renditions = most;
    }

    /// Where the camera is and which of its profiles is shown.
    pub fn found_at(&self, place: Endpoint) {
        self.inner().place = Some(place);
    }

    /// The keeper promises to be back by `due`; `/healthz` tells when it is not, and the watchdog of
    /// the machine is not fed.
    pub fn set_heartbeat_deadline(&self, due: Instant) {
        self.inner().keeper_due = Some(due);
    }

    /// By how much the keeper is behind its promise; zero while it is in time.
    pub fn keeper_late(&self, now: Instant) -> Duration {
        self.inner().keeper_due.map_or(Duration::ZERO, |due| now.saturating_duration_since(due))
    }

    /// Another name, quality, rate or stall limit, from now on.
    pub fn retune(&self, name: String, options: StreamOptions) {
        let mut inner = self.inner();
        inner.name = name;
        inner.options = options;
        inner.ring_seats();
        self.refresh_demand(&mut inner);
        // News make viewers forget their picture; a slow camera's next one may take a while.
        for number in inner.subscriptions.iter().map(|subscriber| subscriber.number) {
            inner.serve_newest(number);
        }
    }

    /// Ends every seat: the camera left the configuration.
    pub(in crate::hub) fn close(&self) {
        let mut inner = self.inner();
        inner.closed = true;
        inner.subscriptions.clear();
        inner.unit_seats.clear();
        self.refresh_demand(&mut inner);
    }
}
