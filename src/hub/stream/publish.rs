//! The supervisor's side of a stream: what it publishes, and how it learns of the demand.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Inner, Stream};
use crate::{
    camera::{State, StreamOptions},
    hub::status::{Cause, Condition, Endpoint, Reception, WorkerUsage},
    media::{AccessUnit, Codec, Picture, StreamInfo, WantedRendition},
    sandbox::Sandbox,
    sync::Notified,
    text::Reason,
};

impl Stream {
    /// Records that a worker starts to read the stream and to make its pictures. Returns the
    /// sequence number of its first access unit.
    pub fn begin_worker(&self, now: Instant) -> u32 {
        self.begin(false, now)
    }

    /// Records that the agent's own client starts to read the stream; the transcoder makes its
    /// pictures. Returns the sequence number of its first access unit.
    pub fn begin_client(&self, now: Instant) -> u32 {
        self.begin(true, now)
    }

    fn begin(&self, by_client: bool, now: Instant) -> u32 {
        let mut inner = self.inner();
        let was_idle = std::mem::take(&mut inner.idle);
        inner.stats.begin_session(was_idle);
        inner.stall.begin(by_client, now);
        (inner.by_client, inner.rejected) = (by_client, None);
        inner.live_reason = Reason::default();
        inner.sequence.next()
    }

    /// Sets what viewers read while the session that has begun is live, because it is not all that the stream
    /// should be.
    pub fn set_live_reason(&self, reason: Reason) {
        self.inner().live_reason = reason;
    }

    /// Records that the worker that read the stream has ended: what it reported about itself is no
    /// longer valid.
    pub fn end_worker(&self) {
        let mut inner = self.inner();
        inner.stats.end_worker();
        inner.stats.end_session();
        inner.withdraw();
    }

    /// Records that the agent's own client has ended.
    pub fn end_client(&self) {
        let mut inner = self.inner();
        inner.stats.end_session();
        inner.withdraw();
    }

    /// Publishes one access unit of a worker: the stream's sign of life. Viewers learn of its damage
    /// before they get the unit. The first key frame makes
    /// the camera live; if it may be too old, a unit that follows it does. Returns `true` when the
    /// camera becomes live.
    pub fn publish_unit(&self, unit: &AccessUnit, now: Instant) -> bool {
        let inner = &mut *self.inner();
        let prompt = inner.info.is_some_and(|info| info.codec == Codec::Jpeg);
        inner.stall.unit(unit.sequence, unit.key, prompt, now);
        self.publish(inner, unit, now)
    }

    /// The same for a unit of the agent's own client, whose last packet came at `received_at`.
    pub fn publish_received_unit(&self, unit: &AccessUnit, received_at: Instant, now: Instant) -> bool {
        let inner = &mut *self.inner();
        inner.stall.received(unit.sequence, unit.key, received_at);
        self.publish(inner, unit, now)
    }

    fn publish(&self, inner: &mut Inner, unit: &AccessUnit, now: Instant) -> bool {
        inner.stats.note_unit(unit.data.len(), now);
        inner.look_back.push(unit, now);
        if inner.gop_cache.push(unit) {
            // Before anybody misses it.
            inner.outgrown_at = Some(now);
            self.want_key_frame(inner);
        } else if unit.key {
            inner.outgrown_at = None;
        }
        inner.sequence.note(unit.sequence);
        let is_young = inner.stall.is_young(inner.options.stall_after, now);
        let goes_live = is_young && !inner.is_live() && !inner.gop_cache.units().is_empty();
        if goes_live || inner.is_live() {
            inner.set_damage(unit.damage, now);
        }
        if goes_live {
            inner.stall.live(now);
            for unit in inner.gop_cache.units() {
                inner.stats.skipped += inner.subscribers.offer(unit);
            }
            self.notify_transcoder(inner);
        } else if inner.is_live() {
            inner.stats.skipped += inner.subscribers.offer(unit);
        }
        goes_live
    }

    /// Records a unit of the agent's own client that may not be shown, because it is damaged or
    /// precedes a key frame: the camera sends, but viewers see nothing of it.
    pub fn withhold_unit(&self, received_at: Instant) {
        self.inner().stall.withheld(received_at);
    }

    /// How long the stream has been sending frames without a first whole key frame; `None` unless it
    /// waits for one.
    pub fn waits_for_key_frame(&self, now: Instant) -> Option<Duration> {
        let inner = self.inner();
        let since = inner.stall.waits_for_key_frame_since().filter(|_| !inner.is_live())?;
        Some(now.saturating_duration_since(since))
    }

    /// Puts `picture` into the mailbox of each subscription of its rendition. A picture of a camera
    /// that is not live, or a picture that may be too old, is dropped: it would look live. A
    /// picture of a frame from before the stream changed is dropped too: it was scaled to a wrong
    /// shape.
    pub fn publish_picture(&self, picture: Picture, now: Instant) {
        let mut inner = self.inner();
        if !inner.is_live() || inner.sequence.is_before_change(picture.sequence) {
            return;
        }
        let age = inner.stall.picture(picture.sequence, now);
        if age > inner.options.stall_after {
            return;
        }
        inner.pictures_are_back();
        let picture = Arc::new(picture);
        let replaced = inner.subscribers.deliver(&picture, |request| inner.rendition(request) == picture.rendition);
        inner.stats.skipped += replaced;
        let rendition = picture.rendition;
        if inner.demand.note(picture, now - age) {
            inner.notify_viewers_of(rendition);
        }
    }

    /// Reports to every viewer at once that the camera is not live, for the reason `why`.
    pub fn report(&self, state: State, why: impl Into<Reason>, now: Instant) {
        let mut inner = self.inner();
        let why = why.into();
        if state == State::Stalled && inner.condition.state == State::Live {
            inner.stats.stalls += 1;
        }
        if matches!(state, State::Stalled | State::Offline | State::Denied) {
            inner.stats.set_last_error(why.clone(), now);
        }
        let was_live = inner.is_live();
        if state != State::Live {
            // It becomes live again at a key frame.
            inner.withdraw();
            // A viewer that reads only after the camera is live again must not find an earlier
            // picture.
            inner.subscribers.withdraw_pictures();
            inner.no_pictures = None;
        }
        inner.set_condition(state, why, now);
        if was_live {
            self.notify_transcoder(&inner);
        }
    }

    /// Records that nobody needs the stream, so it is not open. Viewers see `condition` until it
    /// is.
    pub fn rest(&self, condition: Condition, now: Instant) {
        self.inner().idle = true;
        self.report(condition.state, condition.why, now);
    }

    /// The new condition of the camera if something is overdue at `now`: access units while a
    /// session runs, key frames, or pictures while viewers wait for them and units arrive.
    pub fn overdue(&self, now: Instant) -> Option<Condition> {
        let inner = self.inner();
        let stalled = || inner.stall.overdue(inner.limits(), now).map(Reason::from);
        let why = inner.rejected.clone().or_else(stalled)?;
        let state = if inner.is_live() { State::Stalled } else { State::Offline };
        Some(Condition { state, why })
    }

    /// When something will be overdue unless it arrives before; `None` before the first access
    /// unit.
    pub fn due(&self) -> Option<Instant> {
        let inner = self.inner();
        inner.stall.due(inner.limits())
    }

    /// The renditions to encode from now on.
    pub fn demand(&self) -> Vec<WantedRendition> {
        self.inner().demand.wanted().to_vec()
    }

    /// A receiver that is notified, at least once, after each later change of [`Stream::demand`] or
    /// [`Stream::transcoding_demand`].
    pub fn demand_changes(&self) -> Notified {
        self.demand_changes.subscribe()
    }

    /// A receiver that is notified when a viewer joins the live stream who begins with the next key
    /// frame, because no group of pictures is kept or fits.
    pub fn key_frames_wanted(&self) -> Notified {
        self.key_frames_wanted.subscribe()
    }

    /// Counts a request to the camera for a key frame.
    pub fn count_key_frame_request(&self) {
        self.inner().stats.key_frame_requests += 1;
    }

    /// Records whether the worker reports a running decoder.
    pub fn set_decoding(&self, decoding: bool) {
        self.inner().stats.decoding = decoding;
    }

    /// Records what of the worker's sandbox took hold.
    pub fn set_sandbox(&self, sandbox: Sandbox) {
        self.inner().stats.sandbox = Some(sandbox);
    }

    /// Records what the present session with the camera has received so far.
    pub fn set_reception(&self, reception: Reception) {
        self.inner().stats.set_reception(reception);
    }

    /// Sets how many bytes the kept group of pictures may take.
    pub fn limit_group(&self, most_bytes: usize) {
        self.inner().gop_cache.set_limit(most_bytes);
    }

    /// Sets how long the units of the stream are kept for those who look back, and how many bytes they may take.
    pub fn limit_look_back(&self, keep: Duration, most_bytes: usize) {
        self.inner().look_back.set_limits(keep, most_bytes);
    }

    /// The units of the last `time`, a key frame first, and what they are; `None`: none are kept.
    pub fn past(&self, time: Duration, now: Instant) -> Option<(StreamInfo, Vec<AccessUnit>)> {
        let inner = self.inner();
        let units = inner.look_back.last(time, now);
        inner.info.filter(|_| !units.is_empty()).map(|info| (info, units))
    }

    /// How many bytes the kept group of pictures may take.
    pub fn group_limit(&self) -> usize {
        self.inner().gop_cache.limit()
    }

    pub fn set_vitals(&self, vitals: WorkerUsage, now: Instant) {
        self.inner().stats.set_usage(vitals, now);
    }

    /// Records that a stream, or an attempt to open one, ended. `error` is the reason, without the
    /// reaction.
    pub fn note_failure(&self, cause: Cause, error: Option<Reason>, now: Instant) {
        let mut inner = self.inner();
        inner.stats.note_failure(cause);
        if let Some(error) = error {
            inner.stats.set_last_error(error, now);
        }
    }

    /// Sets how many renditions new viewers may have encoded at the same time, all together and those
    /// of one origin. Present viewers keep theirs.
    pub fn allow_renditions(&self, most: usize, of_origin: usize) {
        self.inner().demand.set_limits(most, of_origin);
    }

    /// Records the camera's address and the profile shown.
    pub fn found_at(&self, place: Endpoint) {
        self.inner().place = Some(place);
    }

    /// Sets the supervisor's heartbeat deadline. If it is missed, `/healthz` reports that and the
    /// machine's watchdog gets no heartbeat.
    pub fn set_heartbeat_deadline(&self, due: Instant) {
        self.inner().heartbeat_deadline = Some(due);
    }

    /// How far the supervisor is past its heartbeat deadline; zero while it is in time.
    pub fn heartbeat_late(&self, now: Instant) -> Duration {
        self.inner().heartbeat_late(now)
    }

    /// Sets the name and the options (quality, rate, shape, stall limit) from now on.
    pub fn retune(&self, name: String, options: StreamOptions) {
        let mut inner = self.inner();
        inner.name = name;
        inner.options = options;
        inner.subscribers.notify();
        self.reshape(&mut inner);
        self.refresh_demand(&mut inner);
        // A state change makes viewers drop their picture; a slow camera's next one may take a
        // while.
        inner.serve_newest(None);
    }

    /// Ends all subscriptions: the camera is no longer in the configuration.
    pub(in crate::hub) fn close(&self) {
        let mut inner = self.inner();
        inner.subscribers.close();
        self.refresh_demand(&mut inner);
    }
}
