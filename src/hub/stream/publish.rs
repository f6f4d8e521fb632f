//! The supervisor's side of a stream: what it publishes, and how it learns of the demand.

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
    text::Reason,
};

impl Stream {
    /// Records that a worker starts. Returns the sequence number of its first access unit.
    pub fn begin_worker(&self, now: Instant) -> u32 {
        let mut inner = self.inner();
        inner.workers += 1;
        if std::mem::take(&mut inner.idle) {
            inner.fresh += 1;
        }
        inner.stall.begin(now);
        inner.next_sequence
    }

    /// Records that the worker ended: what it reported about itself is no longer valid.
    pub fn end_worker(&self) {
        let mut inner = self.inner();
        inner.decoding = false;
        (inner.vitals, inner.worker_share) = (None, None);
        inner.newest.clear();
        inner.gop_cache.clear();
        inner.withdraw_units();
        inner.rate_meter.clear();
    }

    /// Records that the stream was opened, or changed its size, shape, codec or codec
    /// configuration.
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

    /// Publishes one access unit: the stream's sign of life. The first key frame makes the camera
    /// live; if it may be too old, a unit that follows it does. Returns `true` when the camera
    /// becomes live.
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
            inner.change_standing(State::Live, Reason::default(), now);
            inner.offer_group();
        } else if inner.is_live() {
            inner.offer_unit(unit);
        }
        goes_live
    }

    /// Puts `picture` into the mailbox of each subscription of its rendition. A picture of a camera
    /// that is not live, or a picture that may be too old, is dropped: it would look live. A
    /// picture of a frame from before the stream changed is dropped too: it was scaled to a wrong
    /// shape.
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

    /// Reports to every viewer at once that the camera is not live, for the reason `why`.
    pub fn report(&self, state: State, why: impl Into<Reason>, now: Instant) {
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
            // It becomes live again at a key frame.
            inner.gop_cache.clear();
            inner.withdraw_units();
            // A viewer that reads only after the camera is live again must not find an earlier
            // picture.
            for subscriber in &inner.subscriptions {
                while subscriber.unread.try_recv().is_ok() {}
            }
        }
        inner.change_standing(state, why, now);
    }

    /// Records that nobody needs the stream, so it is not open. Viewers see `condition` until it
    /// is.
    pub fn rest(&self, condition: Condition, now: Instant) {
        self.inner().idle = true;
        self.report(condition.state, condition.why, now);
    }

    /// The new condition of the camera if something is overdue at `now`: access units while a
    /// worker runs, key frames, or pictures while viewers wait for them and units arrive.
    pub fn overdue(&self, now: Instant) -> Option<Condition> {
        let inner = self.inner();
        let terms = inner.terms();
        let lack = inner.stall.overdue(terms, now)?;
        let state = if terms.live { State::Stalled } else { State::Offline };
        Some(Condition { state, why: lack.into() })
    }

    /// When something will be overdue unless it arrives before; `None` before the first access
    /// unit.
    pub fn due(&self) -> Option<Instant> {
        let inner = self.inner();
        inner.stall.due(inner.terms())
    }

    /// The renditions to encode from now on.
    pub fn demand(&self) -> Vec<Rendition> {
        self.inner().wanted.clone()
    }

    /// A receiver that is notified, at least once, after each change of [`Stream::demand`]. There
    /// is one receiver, for the one supervisor.
    pub fn demand_changes(&self) -> Receiver<()> {
        self.demand_bell.1.clone()
    }

    /// Records whether the worker reports a running decoder.
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

    /// Records that a stream, or an attempt to open one, ended. `error` is the reason, without the
    /// reaction.
    pub fn note_failure(&self, cause: Cause, error: Option<Reason>, now: Instant) {
        let mut inner = self.inner();
        *inner.failures.entry(cause).or_default() += 1;
        if let Some(error) = error {
            inner.last_error = Some((error, now));
        }
    }

    /// Sets how many renditions may be encoded at the same time for new viewers. Present viewers
    /// keep theirs.
    pub fn allow_renditions(&self, most: usize) {
        self.inner().most_renditions = most;
    }

    /// Records the camera's address and the profile shown.
    pub fn found_at(&self, place: Endpoint) {
        self.inner().place = Some(place);
    }

    /// Sets the supervisor's heartbeat deadline. If it is missed, `/healthz` reports that and the
    /// machine's watchdog gets no heartbeat.
    pub fn set_heartbeat_deadline(&self, due: Instant) {
        self.inner().keeper_due = Some(due);
    }

    /// How far the supervisor is past its heartbeat deadline; zero while it is in time.
    pub fn keeper_late(&self, now: Instant) -> Duration {
        self.inner().keeper_due.map_or(Duration::ZERO, |due| now.saturating_duration_since(due))
    }

    /// Sets the name and the options (quality, rate, stall limit) from now on.
    pub fn retune(&self, name: String, options: StreamOptions) {
        let mut inner = self.inner();
        inner.name = name;
        inner.options = options;
        inner.ring_seats();
        self.refresh_demand(&mut inner);
        // A state change makes viewers drop their picture; a slow camera's next one may take a
        // while.
        for number in inner.subscriptions.iter().map(|subscriber| subscriber.number) {
            inner.serve_newest(number);
        }
    }

    /// Ends all subscriptions: the camera is no longer in the configuration.
    pub(in crate::hub) fn close(&self) {
        let mut inner = self.inner();
        inner.closed = true;
        inner.subscriptions.clear();
        inner.unit_seats.clear();
        self.refresh_demand(&mut inner);
    }
}
