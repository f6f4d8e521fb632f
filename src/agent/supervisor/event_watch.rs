//! Asks one device for its events, as long as rules want them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use smol::{Timer, channel::Sender};

use super::{CameraShared, Context, identify::Peer, locator::Locator, place::Place};
use crate::{
    agent::{
        backoff::Backoff,
        input::{Happened, Input},
    },
    camera::{State, StreamSource},
    event::Occurrence,
    hub::{Channel, EventsState, EventsStatus},
    onvif::{self, PropertyStates, PullPoint},
    store::CameraRecord,
    sync::Latch,
    text::Reason,
    time::timeout,
};

/// A device that refuses a subscription is asked again after this time: its firmware or settings may be others.
const AFTER_REFUSAL: Duration = Duration::from_secs(600);
/// How often it is checked whether the camera was found, or takes its login for the stream.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// How long the stream has the right of way: it finds out where the camera is.
const HEAD_START: Duration = Duration::from_secs(10);
/// A subscription that lasted for so long is begun again at once; cameras that end each at once are asked ever less.
const GOOD_WHILE: Duration = Duration::from_secs(20);
/// How long the device has to end the subscription when nobody wants it any more.
const UNSUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(1);

/// A camera of the device.
#[derive(Clone)]
pub struct Subject {
    pub channel: Arc<Channel>,
    /// The channel of a recorder, from 1; `None`: all that the device tells is about this camera.
    pub number: Option<u16>,
}

/// What is watched: a change of it needs another watch.
pub struct WatchSpec {
    pub source: StreamSource,
    pub shared: Arc<CameraShared>,
    /// At least one.
    pub subjects: Vec<Subject>,
}

impl WatchSpec {
    /// Whether a watch of `other` serves this one, too.
    pub fn is_same(&self, other: &Self) -> bool {
        let subjects = |spec: &Self| -> Vec<(usize, Option<u16>)> {
            spec.subjects.iter().map(|subject| (Arc::as_ptr(&subject.channel).addr(), subject.number)).collect()
        };
        self.source == other.source && Arc::ptr_eq(&self.shared, &other.shared) && subjects(self) == subjects(other)
    }
}

/// A running watch. Dropping it ends it, and the subscription at the device.
pub struct EventWatch {
    spec: Arc<WatchSpec>,
    stop: Latch,
}

impl EventWatch {
    pub fn start(context: &Context, spec: WatchSpec, inputs: Sender<Input>) -> Self {
        let (spec, stop) = (Arc::new(spec), Latch::default());
        let locator = Locator::beside(context, &spec.shared, spec.subjects[0].channel.id(), &spec.source);
        let task = WatchTask { locator, spec: Arc::clone(&spec), stop: stop.clone(), inputs };
        // Detached: the latch ends it within the time for the last request.
        context.executor.spawn(task.run()).detach();
        Self { spec, stop }
    }

    pub fn spec(&self) -> &WatchSpec {
        &self.spec
    }
}

impl Drop for EventWatch {
    fn drop(&mut self) {
        self.stop.set();
        for subject in &self.spec.subjects {
            subject.channel.set_events(None);
        }
    }
}

struct WatchTask {
    locator: Locator,
    spec: Arc<WatchSpec>,
    stop: Latch,
    inputs: Sender<Input>,
}

/// Why a subscription ended, or did not begin.
struct End {
    state: EventsState,
    why: Reason,
}

impl From<onvif::Error> for End {
    fn from(error: onvif::Error) -> Self {
        let state = match error.kind() {
            onvif::Kind::Denied => EventsState::Denied,
            onvif::Kind::Refused | onvif::Kind::NoSuchProfile => EventsState::Refused,
            onvif::Kind::Unreachable | onvif::Kind::Malformed => EventsState::Subscribing,
        };
        Self { state, why: error.reason() }
    }
}

impl WatchTask {
    async fn run(self) {
        let mut pull_point = None;
        let _ = self.stop.unless_set(self.watch_again_and_again(&mut pull_point)).await;
        if let Some(pull_point) = pull_point {
            let _ = timeout(UNSUBSCRIBE_TIMEOUT, PullPoint::unsubscribe(pull_point)).await;
        }
    }

    /// Subscribes whenever there is no subscription; `pull_point` is the one that is in force.
    async fn watch_again_and_again(&self, pull_point: &mut Option<PullPoint>) {
        let mut states = PropertyStates::default();
        let mut backoff = Backoff::default();
        let mut last_told = None;
        self.tell(EventsState::Subscribing, Reason::default());
        self.wait_for_camera().await;
        loop {
            let mut begun = None;
            let End { mut state, why } = self.watch(&mut states, pull_point, &mut begun).await;
            *pull_point = None;
            let lasted = begun.map(|begun: Instant| begun.elapsed());
            // What a device refuses to a subscription that it had given is the subscription, not events.
            if lasted.is_some() && state == EventsState::Refused {
                state = EventsState::Subscribing;
            }
            if lasted.is_some_and(|lasted| lasted >= GOOD_WHILE) {
                backoff = Backoff::default();
                last_told = None;
            }
            let told = (state, why.to_string());
            if last_told.as_ref() != Some(&told) {
                let label = &self.locator.label;
                match state {
                    EventsState::Denied => log::warn!("{label}: no events: {why}; asked again after a reload"),
                    EventsState::Refused => log::warn!("{label}: no events: {why}; asked again in ten minutes"),
                    _ => log::info!("{label}: no events for now: {why}; subscribing again"),
                }
                last_told = Some(told);
            }
            self.tell(state, why);
            match state {
                EventsState::Denied => return smol::future::pending().await,
                EventsState::Refused => drop(Timer::after(AFTER_REFUSAL).await),
                // A subscription that lasted is begun again at once.
                _ if lasted.is_some_and(|lasted| lasted >= GOOD_WHILE) => {}
                _ => drop(Timer::after(backoff.after_failure(Instant::now(), fastrand::f64())).await),
            }
            self.wait_for_camera().await;
        }
    }

    /// Lets the stream find the camera first, and waits while the camera refuses its login: no second attempt at it is
    /// made for the events.
    async fn wait_for_camera(&self) {
        let since = Instant::now();
        loop {
            let state = self.locator.shared.channel.main().condition().state;
            if state != State::Denied && (state != State::Connecting || since.elapsed() > HEAD_START) {
                return;
            }
            Timer::after(CHECK_INTERVAL).await;
        }
    }

    /// Subscribes, and passes on what happens until the subscription ends; `since` is when it began.
    async fn watch(
        &self,
        states: &mut PropertyStates,
        pull_point: &mut Option<PullPoint>,
        since: &mut Option<Instant>,
    ) -> End {
        let (begun, tokens) = match Box::pin(self.subscribe()).await {
            Ok(begun) => begun,
            Err(end) => return end,
        };
        let pull_point = pull_point.insert(begun);
        *since = Some(Instant::now());
        self.tell(EventsState::Subscribed, Reason::default());
        log::info!("{}: its events are subscribed to", self.locator.label);
        loop {
            let notifications = match pull_point.pull().await {
                Ok(notifications) => notifications,
                Err(error) => return error.into(),
            };
            let now = Instant::now();
            for occurrence in notifications.into_iter().filter_map(|notification| states.take(notification, now)) {
                self.pass_on(&occurrence, &tokens).await;
            }
        }
    }

    async fn pass_on(&self, occurrence: &Occurrence, tokens: &SourceTokens) {
        log::debug!("{}: {} {:?} {:?}", self.locator.label, occurrence.topic, occurrence.phase, occurrence.sources);
        let number = tokens.channel_of(occurrence);
        for subject in &self.spec.subjects {
            if subject.number.is_some() && subject.number != number {
                continue;
            }
            if let Some(mut events) = subject.channel.events() {
                events.count += 1;
                subject.channel.set_events(Some(events));
            }
            let happened = Happened { camera: subject.channel.id().clone(), occurrence: occurrence.clone() };
            // Ends with the agent.
            let _ = self.inputs.send(Input::Happened(happened)).await;
        }
    }

    fn tell(&self, state: EventsState, why: Reason) {
        for subject in &self.spec.subjects {
            let count = subject.channel.events().map_or(0, |events| events.count);
            subject.channel.set_events(Some(EventsStatus { state, why: why.clone(), count }));
        }
    }

    async fn subscribe(&self) -> Result<(PullPoint, SourceTokens), End> {
        let locator = &self.locator;
        let record = locator.load().await;
        let unknown = || End { state: EventsState::Subscribing, why: locator.shared.channel.main().condition().why };
        let at = record.as_ref().and_then(|record| record.address.clone());
        let at = at.or_else(|| locator.home(record.as_ref())).ok_or_else(unknown)?;
        let mut place = locator.place(&at).await;
        match locator.identify(&place, record.as_ref(), false).await {
            Peer::Camera => {}
            Peer::OverTls(next, _) => place = *next,
            Peer::Other(why) | Peer::Nobody(why) => return Err(End { state: EventsState::Subscribing, why }),
        }
        self.subscribe_at(&place, record.as_ref()).await
    }

    async fn subscribe_at(
        &self,
        place: &Place,
        record: Option<&CameraRecord>,
    ) -> Result<(PullPoint, SourceTokens), End> {
        let target = place.target(self.locator.stream_source.credentials.clone());
        let hint = record
            .and_then(|record| record.authentication.as_deref())
            .and_then(|name| name.parse::<onvif::Authentication>().ok());
        let mut tokens = SourceTokens::default();
        if let Some(recorder) = &self.locator.shared.recorder {
            let profiles = onvif::profiles_within(&target, onvif::Limits::default()).await?;
            tokens.configurations = profiles
                .iter()
                .filter_map(|profile| profile.source.as_ref())
                .filter_map(|source| Some((source.configuration.clone()?, source.token.clone())))
                .collect();
            let mut sources: Vec<String> = Vec::new();
            for source in profiles.iter().filter_map(|profile| profile.source.as_ref()) {
                if !sources.contains(&source.token) {
                    sources.push(source.token.clone());
                }
            }
            tokens.order = recorder.learn_order(record.map_or(&[][..], |record| &record.sources), &sources);
        }
        Ok((PullPoint::open(&target, hint).await?, tokens))
    }
}

/// By which tokens a recorder names its channels.
#[derive(Default)]
struct SourceTokens {
    /// The tokens of video sources, by channel.
    order: Vec<String>,
    /// Tokens of configurations, each with that of its video source.
    configurations: Vec<(String, String)>,
}

impl SourceTokens {
    /// The channel at which it happened, from 1.
    fn channel_of(&self, occurrence: &Occurrence) -> Option<u16> {
        let source = |token: &String| {
            let by_configuration = self.configurations.iter().find(|(configuration, _)| configuration == token);
            by_configuration.map_or(token, |(_, source)| source).clone()
        };
        let index =
            occurrence.sources.iter().find_map(|token| self.order.iter().position(|known| *known == source(token)));
        u16::try_from(index? + 1).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Phase;

    #[test]
    fn channel_of_a_recorder_is_told_by_its_source_or_the_configuration_of_it() {
        let tokens = SourceTokens {
            order: vec!["S1".into(), "S2".into()],
            configurations: vec![("C1".into(), "S1".into()), ("C2".into(), "S2".into())],
        };
        let channel = |sources: &[&str]| {
            let sources = sources.iter().map(ToString::to_string).collect();
            tokens.channel_of(&Occurrence { topic: String::new(), sources, phase: Phase::Momentary })
        };
        assert_eq!((channel(&["S1"]), channel(&["C2"]), channel(&["rule", "S2"])), (Some(1), Some(2), Some(2)));
        assert_eq!((channel(&[]), channel(&["input-1"])), (None, None));
    }
}
