//! Makes the pictures of a stream that the agent's own client reads: a JPEG camera's own pictures
//! pass through, a worker makes all others.
//!
//! The task lives as long as the supervisor and is independent of its sessions: a worker that dies or
//! hangs costs viewers of the camera's own video nothing.

mod decoder;
mod passthrough;
mod progress;

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use smol::{Timer, future::FutureExt};

use super::Context;
use crate::{
    agent::backoff::Backoff,
    camera::State,
    hub::{Cause, Condition, Stream, UnitEvent, UnitSubscription},
    ipc::FromWorker,
    media::{Codec, Rendition, StreamInfo},
    sync::{Latch, Notified},
    text::{Code, Reason},
    worker_host,
};
use decoder::{Decoder, Failure};
use passthrough::Passthrough;
use progress::Fault;

/// Longest time between two checks while pictures are wanted.
const TICK: Duration = Duration::from_millis(250);

/// How long a worker stays after the last demand for its pictures: pages open and close tiles.
const LINGER: Duration = Duration::from_secs(5);

/// The transcoder of one stream.
pub(super) struct Transcoding {
    context: Context,
    /// The stream's name in the log.
    label: String,
    stream: Arc<Stream>,
    stop: Latch,
    passthrough: Passthrough,
    decoder: Option<Decoder>,
    backoff: Backoff,
    /// No worker starts before this time.
    not_before: Instant,
    /// Why the last worker failed, until there is a picture.
    failure: Option<Reason>,
    /// Since when a worker has been there for nobody.
    unneeded: Option<Instant>,
}

enum Event {
    Tick,
    Demand,
    Message(Result<FromWorker, worker_host::Error>),
    Unit,
}

impl Transcoding {
    pub(super) fn new(context: Context, label: String, stream: Arc<Stream>, stop: Latch) -> Self {
        Self {
            context,
            label,
            stream,
            stop,
            passthrough: Passthrough::default(),
            decoder: None,
            backoff: Backoff::default(),
            not_before: Instant::now(),
            failure: None,
            unneeded: None,
        }
    }

    /// Makes pictures while they are wanted, until the supervisor is to end.
    pub(super) async fn run(mut self) {
        let (demand, stop) = (self.stream.demand_changes(), self.stop.clone());
        loop {
            if !self.stream.transcoding_demand().is_empty() {
                // Boxed: an idle stream does not keep its memory.
                Box::pin(self.serve(&demand)).await;
                self.end_decoder().await;
                self.stream.forgive_transcoder();
            }
            if stop.unless_set(demand.changed()).await.is_none() {
                return;
            }
        }
    }

    /// Makes pictures until nobody has wanted any for a while.
    async fn serve(&mut self, demand: &Notified) {
        let stop = self.stop.clone();
        let mut units = self.stream.subscribe_transcoder();
        let mut clock = Timer::interval_at(Instant::now() + TICK, TICK);
        self.unneeded = None;
        if stop.unless_set(self.reconcile(&mut units)).await.is_none() {
            return;
        }
        loop {
            let tick = async {
                smol::stream::StreamExt::next(&mut clock).await;
                Event::Tick
            };
            let demanded = async {
                let _ = demand.changed().await;
                Event::Demand
            };
            let message = async {
                match &mut self.decoder {
                    Some(decoder) => Event::Message(decoder.worker.next().await),
                    None => std::future::pending().await,
                }
            };
            let unit = async {
                units.ready().await;
                Event::Unit
            };
            // Units come last: a worker that takes them slowly falls behind in its queue, which then
            // jumps to a key frame.
            let event = tick.or(demanded).or(message).or(unit);
            let Some(event) = stop.unless_set(event).await else { return };
            // A worker that still loads its libraries may hold this up, but not the end.
            match stop.unless_set(self.handle(event, &mut units)).await {
                Some(true) => {}
                Some(false) | None => return,
            }
        }
    }

    /// Returns whether to go on.
    async fn handle(&mut self, event: Event, units: &mut UnitSubscription) -> bool {
        match event {
            Event::Tick => {
                if self.check(Instant::now()).await {
                    return false;
                }
                self.reconcile(units).await;
            }
            Event::Demand => self.reconcile(units).await,
            Event::Message(Ok(message)) => self.on_message(message),
            Event::Message(Err(error)) => self.decoder_failed(&Failure::from(&error)),
            Event::Unit => {
                match units.take() {
                    Some(UnitEvent::Unit(queued)) => self.on_unit(&queued.unit).await,
                    Some(UnitEvent::StateChange(_)) => self.reconcile(units).await,
                    Some(UnitEvent::Closed) => return false,
                    None => {}
                }
                if !units.has_next() && self.decoder.as_mut().is_some_and(Decoder::note_group) {
                    self.reconcile(units).await;
                }
            }
        }
        true
    }

    /// Brings passthrough and worker in line with what is wanted of the stream as it is now.
    async fn reconcile(&mut self, units: &mut UnitSubscription) {
        let wanted = self.stream.transcoding_demand();
        let Some(info) = self.stream.info() else { return };
        let quality = self.stream.options().quality;
        // No mark can be drawn into bytes that pass unchanged.
        let may_pass = self.stream.remark().is_none();
        let (own, others): (Vec<_>, Vec<_>) =
            wanted.into_iter().partition(|wanted| may_pass && is_own(wanted.rendition, info, quality));
        self.passthrough.want(&own);
        if self.decoder.as_ref().is_some_and(|decoder| !decoder.fits(info.codec, &self.stream)) {
            self.end_decoder().await;
        }
        let now = Instant::now();
        if self.decoder.is_none() && !others.is_empty() && now >= self.not_before {
            match Decoder::start(&self.context, &self.label, &self.stream, info.codec, quality).await {
                // The worker begins with the kept group, so its first picture is there at once.
                Ok(decoder) => (self.decoder, *units) = (Some(decoder), self.stream.subscribe_transcoder()),
                Err(failure) => self.decoder_failed(&failure),
            }
        }
        if let Some(decoder) = &mut self.decoder
            && let Err(error) = decoder.want(others).await
        {
            self.decoder_failed(&Failure::from(&error));
        }
    }

    async fn on_unit(&mut self, unit: &crate::media::AccessUnit) {
        if self.stream.remark().is_none() {
            for picture in self.passthrough.pictures(unit).await {
                self.stream.publish_picture(picture, Instant::now());
            }
        }
        // Its successor begins with the kept group, which holds this unit.
        if self.decoder.as_ref().is_some_and(|decoder| !decoder.has_remark_of(&self.stream)) {
            self.end_decoder().await;
        }
        let Some(decoder) = &mut self.decoder else { return };
        let fed = {
            let mut feed = pin!(decoder.feed(unit));
            loop {
                let late = async {
                    Timer::after(TICK).await;
                    None
                };
                match async { Some(feed.as_mut().await) }.or(late).await {
                    Some(fed) => break fed,
                    // The worker takes its time; pictures may be overdue meanwhile.
                    None => drop(withdraw_overdue(&self.stream, self.failure.as_ref(), Instant::now())),
                }
            }
        };
        if let Err(error) = fed {
            self.decoder_failed(&Failure::from(&error));
        }
    }

    fn on_message(&mut self, message: FromWorker) {
        match message {
            FromWorker::Picture(picture) => {
                let now = Instant::now();
                if self.decoder.as_mut().is_some_and(|decoder| decoder.progress.note_picture(now)) {
                    self.backoff.live(now);
                    self.failure = None;
                }
                self.stream.publish_picture(picture, now);
            }
            FromWorker::Sandbox(sandbox) => self.stream.set_sandbox(sandbox),
            FromWorker::Decoding(decoding) => {
                self.stream.set_decoding(decoding);
                if let Some(decoder) = &mut self.decoder {
                    decoder.progress.note_sign(Instant::now());
                }
            }
            FromWorker::Progress(progress) => {
                if let Some(decoder) = &mut self.decoder {
                    decoder.progress.note_progress(progress, Instant::now());
                }
            }
            // A decoder sends none of them, which `ProtocolGuard` checks.
            FromWorker::Stream(_) | FromWorker::Unit(_) | FromWorker::UnitAsPicture(_) | FromWorker::Failed(_) => {}
        }
    }

    /// What is due at `now`. Returns whether nothing is wanted any longer.
    async fn check(&mut self, now: Instant) -> bool {
        if let Some(decoder) = &mut self.decoder
            && let Err(failure) = decoder.check(&self.context, &self.stream, now)
        {
            self.decoder_failed(&failure);
        }
        if let Some(why) = withdraw_overdue(&self.stream, self.failure.as_ref(), now) {
            self.find_fault(why, now).await;
        } else if let Some(why) = self.stream.withdraw_late_renditions(now)
            && self.decoder.as_ref().and_then(|decoder| decoder.fault(&self.stream, now)) == Some(Fault::Worker)
        {
            // Where the worker cannot decode them, others show the camera's own pictures all the same.
            self.worker_hangs(why);
        }
        if !self.stream.transcoding_demand().is_empty() {
            self.unneeded = None;
            return false;
        }
        now.saturating_duration_since(*self.unneeded.get_or_insert(now)) >= LINGER
    }

    /// Pictures have been overdue for the reason `why`: decides whether that is due to the worker, which
    /// is then replaced, or to the camera, whose session then ends.
    async fn find_fault(&mut self, why: Reason, now: Instant) {
        let fault = self.decoder.as_ref().map(|decoder| decoder.fault(&self.stream, now));
        match fault {
            Some(Some(Fault::Camera)) => {
                self.end_decoder().await;
                self.stream.reject_frames(why);
            }
            Some(Some(Fault::Worker)) => self.worker_hangs(why),
            None if !self.passthrough.is_idle() => self.stream.reject_frames(why),
            Some(None) | None => {}
        }
    }

    fn worker_hangs(&mut self, why: Reason) {
        let reason = why.and(Code::WorkerHung);
        self.decoder_failed(&Failure { cause: Cause::Worker, reason, is_final: false });
    }

    /// Ends the worker, which is replaced at once, or after a pause if that happens often.
    fn decoder_failed(&mut self, failure: &Failure) {
        if let Some(decoder) = self.decoder.take() {
            decoder.abandon(&self.context);
            self.stream.end_transcoder();
        }
        let now = Instant::now();
        let random = fastrand::f64();
        let soon = if failure.is_final { None } else { self.backoff.after_crash(now, random) };
        let pause = soon.unwrap_or_else(|| self.backoff.after_failure(now, random));
        self.not_before = now + pause;
        log::warn!("{}: no pictures: {}; another worker in {:.1} s", self.label, failure.reason, pause.as_secs_f64());
        self.stream.note_failure(failure.cause, Some(failure.reason.clone()), now);
        if failure.is_final {
            // Nothing else is to be expected, so nobody waits for the limit.
            self.stream.withdraw_pictures(State::Offline, failure.reason.clone());
        }
        self.failure = Some(failure.reason.clone());
    }

    async fn end_decoder(&mut self) {
        if let Some(decoder) = self.decoder.take() {
            decoder.end(&self.context).await;
            self.stream.end_transcoder();
        }
    }
}

/// Takes the pictures back if they are overdue, and returns why. `failure`: why the last worker failed.
fn withdraw_overdue(stream: &Stream, failure: Option<&Reason>, now: Instant) -> Option<Reason> {
    let Condition { state, why } = stream.overdue_pictures(now)?;
    stream.withdraw_pictures(state, failure.unwrap_or(&why).clone());
    Some(why)
}

/// Whether `rendition` is what a JPEG camera sends itself, with nothing cut off or turned.
fn is_own(rendition: Rendition, info: StreamInfo, default_quality: u8) -> bool {
    info.codec == Codec::Jpeg
        && rendition.transform.is_none()
        && rendition.size == info.size
        && rendition.quality == default_quality
}
