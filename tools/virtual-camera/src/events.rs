//! The ONVIF event service: pull points, with the events that the control port makes.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{Condvar, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use crate::{
    calendar::Moment,
    camera::Camera,
    http::Response,
    settings::PullPoints,
    soap::{self, Call, Fault, text},
};

/// Paths of the service and of the pull points, which have their number behind it.
pub const EVENTS_PATH: &str = "/onvif/event_service";
pub const PULL_POINT_PATH: &str = "/onvif/pull_point/";

/// How long a subscription lives unless it is prolonged: what ONVIF wants a device to accept at least.
const LIFETIME: Duration = Duration::from_secs(60);
/// Pull points that the camera keeps at the same time; real ones keep few.
const MAX_PULL_POINTS: usize = 4;
/// Messages that wait in a pull point; the oldest are dropped.
const MAX_WAITING: usize = 1000;
/// Longest time for which an answer is held back.
const MAX_HOLD: Duration = Duration::from_secs(60);

/// Topics with a name of their own on the control port, and the name of their source and their value.
const KNOWN: [(&str, &str, &str, &str); 4] = [
    ("motion", "tns1:RuleEngine/CellMotionDetector/Motion", "VideoSourceConfigurationToken", "IsMotion"),
    ("doorbell", "tns1:RuleEngine/MyRuleDetector/Visitor", "Source", "State"),
    ("input", "tns1:Device/Trigger/DigitalInput", "InputToken", "LogicalState"),
    ("line", "tns1:RuleEngine/LineDetector/Crossed", "VideoSourceConfigurationToken", "ObjectId"),
];

/// One event.
#[derive(Clone)]
struct Message {
    topic: String,
    source: (String, String),
    data: (String, String),
    /// Whether it is a state that lasts.
    is_property: bool,
}

impl Message {
    fn xml(&self, operation: &str, at: &str) -> String {
        let Self { topic, source, data, is_property } = self;
        let operation = if *is_property { format!(" PropertyOperation=\"{operation}\"") } else { String::new() };
        let item = |(name, value): &(String, String)| {
            format!("<tt:SimpleItem Name=\"{}\" Value=\"{}\"/>", text(name), text(value))
        };
        format!(
            "<wsnt:NotificationMessage><wsnt:Topic Dialect=\"http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet\">\
             {}</wsnt:Topic><wsnt:Message><tt:Message UtcTime=\"{at}\"{operation}><tt:Source>{}</tt:Source><tt:Data>{}</tt:Data>\
             </tt:Message></wsnt:Message></wsnt:NotificationMessage>",
            text(topic),
            item(source),
            item(data)
        )
    }
}

struct PullPoint {
    number: u64,
    until: Instant,
    waiting: VecDeque<String>,
}

/// The events of one camera.
#[derive(Default)]
pub struct Events {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    last_number: u64,
    pull_points: Vec<PullPoint>,
    /// The newest of each property, by topic and source.
    properties: BTreeMap<(String, String), Message>,
    /// Pull points ever made.
    made: u64,
}

impl State {
    fn end_old(&mut self, now: Instant) {
        self.pull_points.retain(|point| point.until > now);
    }

    fn send(&mut self, message: &str) {
        for point in &mut self.pull_points {
            if point.waiting.len() >= MAX_WAITING {
                point.waiting.pop_front();
            }
            point.waiting.push_back(message.to_owned());
        }
    }
}

impl Events {
    /// Makes the event that the control port describes: `topic` (one of the known names, or a whole topic), `active`
    /// (`true`, `false`, or `none` for one without a length), `source`, and `count` for many.
    ///
    /// # Errors
    /// What would be right.
    pub fn make(&self, camera: &Camera, value: impl Fn(&str) -> Option<String>) -> Result<(), &'static str> {
        let topic =
            value("topic").ok_or("event?topic=motion&active=true, with doorbell, input, line or a whole topic")?;
        let known = KNOWN.iter().find(|(name, ..)| *name == topic);
        let (full, source, name) =
            known.map_or((topic.as_str(), "Source", "State"), |(_, full, source, name)| (*full, *source, *name));
        let active = value("active").unwrap_or_else(|| "true".into());
        if !["true", "false", "none"].contains(&active.as_str()) {
            return Err("active must be true, false or none");
        }
        let is_property = active != "none";
        let count: u32 = value("count").map_or(Some(1), |count| count.parse().ok()).ok_or("count must be a number")?;
        let message = Message {
            topic: full.to_owned(),
            source: (source.to_owned(), value("source").unwrap_or_else(|| "VideoSourceConfig_1".into())),
            data: (name.to_owned(), if is_property { active } else { "7".into() }),
            is_property,
        };
        let mut state = self.lock();
        state.end_old(Instant::now());
        if is_property {
            state.properties.insert((message.topic.clone(), message.source.1.clone()), message.clone());
        }
        let xml = message.xml("Changed", &time(camera.clock_s()));
        for _ in 0..count.min(10_000) {
            state.send(&xml);
        }
        self.changed.notify_all();
        Ok(())
    }

    /// Forgets all pull points, as a restart does.
    pub fn forget(&self) {
        self.lock().pull_points.clear();
        self.changed.notify_all();
    }

    /// Pull points now, and ever made.
    pub fn counts(&self) -> (usize, u64) {
        let mut state = self.lock();
        state.end_old(Instant::now());
        (state.pull_points.len(), state.made)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding the events")
    }

    fn subscribe(&self, camera: &Camera, reached: SocketAddr, lifetime: Duration) -> Result<String, Fault> {
        let mut state = self.lock();
        state.end_old(Instant::now());
        if state.pull_points.len() >= MAX_PULL_POINTS {
            return Err(Fault::ActionNotSupported);
        }
        state.last_number += 1;
        state.made += 1;
        let number = state.last_number;
        state.pull_points.push(PullPoint { number, until: Instant::now() + lifetime, waiting: VecDeque::new() });
        Ok(format!(
            "<tev:SubscriptionReference><wsa5:Address>http://{reached}{PULL_POINT_PATH}{number}</wsa5:Address>\
             <wsa5:ReferenceParameters><dom0:SubscriptionId xmlns:dom0=\"http://www.example.org/2009/event\">{number}\
             </dom0:SubscriptionId></wsa5:ReferenceParameters></tev:SubscriptionReference>{}",
            times(camera, lifetime)
        ))
    }

    /// Waits until there is something in the pull point; `None`: there is no such pull point.
    fn pull(&self, number: u64, hold: Duration, limit: usize) -> Option<Vec<String>> {
        let until = Instant::now() + hold;
        let mut state = self.lock();
        loop {
            state.end_old(Instant::now());
            let point = state.pull_points.iter_mut().find(|point| point.number == number)?;
            let left = until.saturating_duration_since(Instant::now());
            if !point.waiting.is_empty() || left.is_zero() {
                let count = point.waiting.len().min(limit);
                return Some(point.waiting.drain(..count).collect());
            }
            let step = left.min(Duration::from_secs(1));
            state = self.changed.wait_timeout(state, step).expect("nobody panics while holding the events").0;
        }
    }

    /// Changes the pull point `number`; `None`: there is none.
    fn with(&self, number: u64, change: impl FnOnce(&mut State, usize)) -> Option<()> {
        let mut state = self.lock();
        state.end_old(Instant::now());
        let index = state.pull_points.iter().position(|point| point.number == number)?;
        change(&mut state, index);
        self.changed.notify_all();
        Some(())
    }
}

/// Answers a call of the event service or of a pull point; blocks while there is no event.
pub fn answer(camera: &Camera, path: &str, reached: SocketAddr, call: &Call) -> Result<Response, Fault> {
    let kind = camera.settings.events.ok_or(Fault::ActionNotSupported)?;
    let lifetime = match kind {
        PullPoints::Usual => LIFETIME,
        PullPoints::EndAfter(lifetime) => lifetime,
        PullPoints::Refused => return Err(Fault::ActionNotSupported),
    };
    let events = &camera.events;
    let name = call.operation.as_str();
    if path == EVENTS_PATH {
        return match name {
            "CreatePullPointSubscription" => {
                Ok(soap::answer("tev", name, &events.subscribe(camera, reached, lifetime)?))
            }
            _ => Err(Fault::ActionNotSupported),
        };
    }
    let number: u64 =
        path.strip_prefix(PULL_POINT_PATH).and_then(|number| number.parse().ok()).ok_or(Fault::NoProfile)?;
    let gone = Fault::NoProfile;
    match name {
        "PullMessages" => {
            let hold = call.argument("Timeout").and_then(seconds).unwrap_or(Duration::ZERO).min(MAX_HOLD);
            let limit = call.argument("MessageLimit").and_then(|limit| limit.parse().ok()).unwrap_or(1);
            let messages = events.pull(number, hold, limit).ok_or(gone)?;
            Ok(soap::answer("tev", name, &(times(camera, lifetime) + &messages.concat())))
        }
        "SetSynchronizationPoint" => {
            let at = time(camera.clock_s());
            let all = |state: &mut State, index: usize| {
                let states: Vec<String> =
                    state.properties.values().map(|property| property.xml("Initialized", &at)).collect();
                state.pull_points[index].waiting.extend(states);
            };
            events.with(number, all).ok_or(gone)?;
            Ok(soap::answer("tev", name, ""))
        }
        "Renew" if kind == PullPoints::Usual => {
            events
                .with(number, |state, index| state.pull_points[index].until = Instant::now() + LIFETIME)
                .ok_or(gone)?;
            Ok(soap::answer("wsnt", name, &times(camera, lifetime)))
        }
        "Unsubscribe" => {
            events.with(number, |state, index| drop(state.pull_points.remove(index))).ok_or(gone)?;
            Ok(soap::answer("wsnt", name, ""))
        }
        _ => Err(Fault::ActionNotSupported),
    }
}

fn times(camera: &Camera, lifetime: Duration) -> String {
    let now = camera.clock_s();
    let end = now + lifetime.as_secs() as i64;
    format!(
        "<wsnt:CurrentTime>{}</wsnt:CurrentTime><wsnt:TerminationTime>{}</wsnt:TerminationTime>",
        time(now),
        time(end)
    )
}

fn time(unix: i64) -> String {
    let at = Moment::from_unix(unix);
    format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", at.year, at.month, at.day, at.hour, at.minute, at.second)
}

/// Reads `PT20S`, and other units of a day.
fn seconds(duration: &str) -> Option<Duration> {
    let text = duration.trim().strip_prefix("PT")?;
    let (number, unit) = text.split_at(text.len().checked_sub(1)?);
    let factor = match unit {
        "S" => 1.0,
        "M" => 60.0,
        "H" => 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * factor).ok()
}
