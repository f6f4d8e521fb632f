//! The bridge to the broker: publishes states of cameras and walls, and takes messages for walls and rules.
//!
//! It has a task of its own, which waits for the broker and for nothing else. Whatever was published is published
//! again after a loss, so nothing is queued meanwhile.

mod home_assistant;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use smol::{
    Executor, Timer,
    channel::{Receiver, Sender, bounded},
    future::FutureExt,
};

use super::{
    backoff::Backoff,
    input::{Happened, Input},
};
use crate::{
    camera::CameraId,
    config::Mqtt,
    device_id::random_uuid,
    event::{CameraEvent, Phase},
    hub::Hub,
    mqtt::{Client, Error, Message, Options},
    sync::Latch,
    time::timeout,
    tls::client::KeyCheck,
    web::Web,
};

/// How often the states are compared with what was published.
const INTERVAL: Duration = Duration::from_secs(1);
/// Maximum number of events that wait for the broker; while it is away they are dropped.
const MAX_EVENTS: usize = 64;
/// Time to say goodbye to the broker.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Maximum length of a message for a wall, in bytes, as of an HTTP request for it.
const MAX_BODY_LEN: usize = 4096;

/// What the agent says of itself; the broker says the other when the connection is lost.
const ONLINE: &str = "online";
const OFFLINE: &str = "offline";

/// What the bridge needs of the configuration.
#[derive(Clone, PartialEq)]
pub struct BridgeSpec {
    pub broker: Mqtt,
    /// Topics that rules wait for.
    pub rule_topics: Vec<String>,
    /// Names of all walls; the one without a name has an empty one.
    pub walls: Vec<String>,
    /// The events that the rules want of each camera.
    pub events: BTreeMap<CameraId, Vec<&'static str>>,
}

/// A running bridge. Dropping it ends it.
pub struct Bridge {
    spec: Arc<BridgeSpec>,
    events: Sender<Happened>,
    stop: Latch,
}

impl Bridge {
    pub fn start(
        executor: &Executor<'static>,
        spec: BridgeSpec,
        hub: &Arc<Hub>,
        web: &Arc<Web>,
        inputs: Sender<Input>,
    ) -> Self {
        let (events, happened) = bounded(MAX_EVENTS);
        let (spec, stop) = (Arc::new(spec), Latch::default());
        let (hub, web) = (Arc::clone(hub), Arc::clone(web));
        let task = BridgeTask { spec: Arc::clone(&spec), hub, web, happened, inputs, stop: stop.clone() };
        // Detached: the latch ends it within the time to say goodbye.
        executor.spawn(task.run()).detach();
        Self { spec, events, stop }
    }

    pub fn spec(&self) -> &BridgeSpec {
        &self.spec
    }

    /// Publishes what has happened, if the broker is there.
    pub fn publish(&self, happened: &Happened) {
        // A full queue is that of a broker that is away.
        let _ = self.events.try_send(happened.clone());
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.stop.set();
    }
}

struct BridgeTask {
    spec: Arc<BridgeSpec>,
    hub: Arc<Hub>,
    web: Arc<Web>,
    happened: Receiver<Happened>,
    inputs: Sender<Input>,
    stop: Latch,
}

/// What a session waits for.
enum Wake {
    Message(Result<Message, Error>),
    Happened(Happened),
    Time,
    Stop,
}

impl BridgeTask {
    async fn run(self) {
        let broker = self.spec.broker.to_string();
        let mut backoff = Backoff::default();
        let mut last_told = String::new();
        while !self.stop.is_set() {
            let connected = self.stop.unless_set(self.begin()).await;
            let error = match connected {
                None => return,
                Some(Ok(client)) => {
                    log::info!("mqtt: connected to the broker at {broker}");
                    backoff.live(Instant::now());
                    last_told.clear();
                    match self.work(client).await {
                        None => return,
                        Some(error) => error,
                    }
                }
                Some(Err(error)) => error,
            };
            let told = error.to_string();
            if told != last_told {
                log::warn!("mqtt: no broker at {broker}: {told}; trying again");
                last_told = told;
            }
            // What waits is old by then.
            while self.happened.try_recv().is_ok() {}
            let pause = backoff.after_failure(Instant::now(), fastrand::f64());
            let _ = self.stop.unless_set(Timer::after(pause)).await;
        }
    }

    async fn begin(&self) -> Result<Client, Error> {
        let BridgeSpec { broker, rule_topics, .. } = &*self.spec;
        let options = Options {
            host: broker.host.clone(),
            port: broker.port,
            check: (!broker.fingerprints.is_empty()).then(|| KeyCheck::new(broker.fingerprints.iter().copied(), None)),
            credentials: broker.credentials.clone(),
            client_id: format!("cctv-agent-{}", &random_uuid()[..8]),
            last_will: (self.topic("status"), OFFLINE.to_owned()),
        };
        let mut client = Client::connect(&options).await?;
        let mut topics = vec![self.topic("wall/+"), self.topic("walls/+/+")];
        topics.extend(rule_topics.iter().cloned());
        client.subscribe(&topics).await?;
        client.publish(&self.topic("status"), ONLINE, true).await?;
        Ok(client)
    }

    /// Works with the broker until the connection ends; `None`: the bridge is no longer wanted.
    async fn work(&self, mut client: Client) -> Option<Error> {
        let mut published = Published::default();
        let mut interval = Timer::interval(INTERVAL);
        let changes = self.web.call_ups.changes();
        if let Err(error) = self.publish_states(&mut client, &mut published).await {
            return Some(error);
        }
        loop {
            let wake = {
                let stop = async {
                    self.stop.wait().await;
                    Wake::Stop
                };
                let message = async { Wake::Message(client.next().await) };
                let happened = async {
                    match self.happened.recv().await {
                        Ok(happened) => Wake::Happened(happened),
                        Err(_ended) => smol::future::pending().await,
                    }
                };
                let time = async {
                    (&mut interval).await;
                    Wake::Time
                };
                let changed = async {
                    changes.changed().await;
                    Wake::Time
                };
                stop.or(message).or(happened).or(changed).or(time).await
            };
            let done = match wake {
                Wake::Stop => {
                    let goodbye = async {
                        let _ = client.publish(&self.topic("status"), OFFLINE, true).await;
                        client.disconnect().await;
                    };
                    let _ = timeout(CLOSE_TIMEOUT, goodbye).await;
                    return None;
                }
                Wake::Message(Err(error)) => Err(error),
                Wake::Message(Ok(message)) => {
                    self.take(&message).await;
                    Ok(())
                }
                Wake::Happened(happened) => self.publish_event(&mut client, &happened).await,
                Wake::Time => self.publish_states(&mut client, &mut published).await,
            };
            if let Err(error) = done {
                return Some(error);
            }
        }
    }

    /// Carries out what a message says.
    async fn take(&self, message: &Message) {
        let Message { topic, payload, is_retained } = message;
        // A message that the broker kept says what somebody wanted once, not now.
        if *is_retained {
            return;
        }
        if self.spec.rule_topics.contains(topic) {
            // Ends with the agent.
            let _ = self.inputs.send(Input::Message(topic.clone())).await;
        }
        let Some(rest) = topic.strip_prefix(&format!("{}/", self.spec.broker.prefix)) else { return };
        let mut parts = rest.split('/');
        let (wall, order) = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("wall"), Some(order), None, None) => ("", order),
            (Some("walls"), Some(wall), Some(order), None) => (wall, order),
            _ => return,
        };
        // Published by the agent itself, below the same topic.
        if order == "shown" {
            return;
        }
        let told = match payload.len() {
            ..=MAX_BODY_LEN => self.web.tell_wall(wall, order, &as_json(payload), "mqtt"),
            length => Err(format!("a message of {length} bytes; at most {MAX_BODY_LEN} are taken")),
        };
        if let Err(wrong) = told {
            log::warn!("mqtt: {}: {wrong}", crate::text::reason(topic));
        }
    }

    /// Publishes what differs from what was published before.
    async fn publish_states(&self, client: &mut Client, published: &mut Published) -> Result<(), Error> {
        let BridgeSpec { broker, events, .. } = &*self.spec;
        let mut now = BTreeMap::new();
        for channel in self.hub.channels() {
            let status = channel.status(Instant::now());
            let camera = format!("cameras/{}", channel.id());
            now.insert(self.topic(&format!("{camera}/state")), status.condition.state.as_str().to_owned());
            now.insert(self.topic(&format!("{camera}/name")), status.name.clone());
            now.insert(self.topic(&format!("{camera}/why")), status.condition.why.to_string());
            if broker.home_assistant {
                let events = events.get(channel.id()).map(Vec::as_slice).unwrap_or_default();
                now.extend(home_assistant::messages(&broker.prefix, channel.id(), &status.name, events));
            }
        }
        for wall in &self.spec.walls {
            let topic = if wall.is_empty() { "wall/shown".to_owned() } else { format!("walls/{wall}/shown") };
            let told = self.web.wall_is_told(wall).map(without_times);
            now.insert(self.topic(&topic), told.unwrap_or_default().to_string());
        }
        for (topic, payload) in &now {
            if published.0.get(topic) != Some(payload) {
                client.publish(topic, payload, true).await?;
            }
        }
        // The broker forgets what belongs to cameras that are no longer there.
        let gone: BTreeSet<_> = published.0.keys().filter(|topic| !now.contains_key(*topic)).cloned().collect();
        for topic in gone {
            client.publish(&topic, "", true).await?;
        }
        published.0 = now;
        Ok(())
    }

    async fn publish_event(&self, client: &mut Client, happened: &Happened) -> Result<(), Error> {
        let Happened { camera, occurrence } = happened;
        for event in [CameraEvent::Motion, CameraEvent::Alarm, CameraEvent::Doorbell] {
            if !event.is_told_by(&occurrence.topic) {
                continue;
            }
            let topic = self.topic(&format!("cameras/{camera}/{}", event.as_str()));
            let (on, off) = match occurrence.phase {
                Phase::Began => (true, false),
                Phase::Momentary => (true, true),
                Phase::Ended => (false, true),
                Phase::Lasts => (false, false),
            };
            if on {
                client.publish(&topic, "ON", false).await?;
            }
            if off {
                client.publish(&topic, "OFF", false).await?;
            }
        }
        Ok(())
    }

    fn topic(&self, rest: &str) -> String {
        format!("{}/{rest}", self.spec.broker.prefix)
    }
}

/// What the broker keeps of this session's messages, by topic.
#[derive(Default)]
struct Published(BTreeMap<String, String>);

/// `payload` as the body of an HTTP request: a bare name is that of a camera.
fn as_json(payload: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(payload).ok().and_then(|text| CameraId::new(text.trim())) {
        Some(camera) => serde_json::json!({ "camera": camera.as_str() }).to_string().into_bytes(),
        None => payload.to_vec(),
    }
}

/// `told` without the seconds that are left: they differ each time.
fn without_times(mut told: serde_json::Value) -> serde_json::Value {
    let lists = ["shown", "marked"].map(|name| told.get_mut(name).map(serde_json::Value::take));
    for (name, list) in ["shown", "marked"].into_iter().zip(lists) {
        let cameras = list.as_ref().and_then(serde_json::Value::as_array).into_iter().flatten();
        let cameras =
            cameras.map(|call_up| serde_json::json!({ "camera": call_up.get("camera"), "by": call_up.get("by") }));
        told[name] = cameras.collect();
    }
    if let Some(layout) = told.get_mut("layout") {
        *layout = layout.get("layout").cloned().unwrap_or_default();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bare_name_is_a_camera_and_everything_else_is_taken_as_it_is() {
        assert_eq!(as_json(b" gate \n"), br#"{"camera":"gate"}"#);
        assert_eq!(as_json(br#"{"camera":"gate","seconds":5}"#), br#"{"camera":"gate","seconds":5}"#);
        assert_eq!(as_json(b""), b"");
    }

    #[test]
    fn what_is_published_of_a_wall_changes_only_with_what_it_shows() {
        let told = json!({
            "shown": [{ "camera": "gate", "seconds": 27.5, "by": "guard", "number": 7 }],
            "marked": [],
            "layout": { "layout": "4", "seconds": 9.0, "by": "guard" },
        });
        let expected = json!({ "shown": [{ "camera": "gate", "by": "guard" }], "marked": [], "layout": "4" });
        assert_eq!(without_times(told), expected);
    }
}
