//! What happens, and what walls do then: the rules, the pictures that are lost or back, and the broker.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use smol::{
    Executor,
    channel::{Receiver, Sender, bounded},
};

use super::{
    cameras::CameraManager,
    input::Input,
    mqtt_bridge::{Bridge, BridgeSpec},
    picture_watch::PictureWatch,
    rules::RuleEngine,
};
use crate::{
    camera::CameraId,
    config::{Config, Trigger},
    event::CameraEvent,
    hub::Hub,
    web::Web,
};

/// Maximum number of inputs that wait; who tells them waits while the queue is full.
const MAX_INPUTS: usize = 256;

pub struct Automation {
    executor: Arc<Executor<'static>>,
    hub: Arc<Hub>,
    web: Arc<Web>,
    rules: RuleEngine,
    pictures: PictureWatch,
    bridge: Option<Bridge>,
    tell: Sender<Input>,
    inputs: Receiver<Input>,
}

impl Automation {
    pub fn new(executor: Arc<Executor<'static>>, hub: Arc<Hub>, web: Arc<Web>) -> Self {
        let (tell, inputs) = bounded(MAX_INPUTS);
        let (rules, pictures) = (RuleEngine::default(), PictureWatch::default());
        Self { executor, hub, web, rules, pictures, bridge: None, tell, inputs }
    }

    /// Puts the rules and the broker of `config` into force, whose cameras `cameras` already has.
    pub fn set(&mut self, config: &Config, cameras: &mut CameraManager) {
        self.rules.set(config);
        let is_wanted = |camera: &CameraId| self.rules.wants(camera, CameraEvent::is_of_camera);
        cameras.watch_events(&config.cameras, is_wanted, &self.tell);
        let spec = config.mqtt.as_ref().map(|broker| BridgeSpec {
            broker: broker.clone(),
            rule_topics: self.rules.mqtt_topics(),
            walls: std::iter::once(String::new()).chain(config.walls.named.keys().cloned()).collect(),
            events: wanted_events(config),
        });
        if self.bridge.as_ref().map(Bridge::spec) == spec.as_ref() {
            return;
        }
        // The old one ends first, which tells the broker that the agent is away.
        self.bridge = None;
        self.bridge = spec.map(|spec| Bridge::start(&self.executor, spec, &self.hub, &self.web, self.tell.clone()));
    }

    /// Waits for something to which the rules are applied. Cancel-safe.
    pub async fn next(&self) -> Input {
        match self.inputs.recv().await {
            Ok(input) => input,
            // This holds a sender, so there is always one.
            Err(_closed) => smol::future::pending().await,
        }
    }

    /// Applies the rules to `input`; `minute` is that of the day by a clock at the wall, `None`: nobody knows.
    pub fn take(&mut self, input: &Input, minute: Option<u16>, now: Instant) {
        self.rules.set_minute(minute);
        match input {
            Input::Happened(happened) => {
                if let Some(bridge) = &self.bridge {
                    bridge.publish(happened);
                }
                self.rules.on_occurrence(happened, &self.web.call_ups, now);
            }
            Input::Message(topic) => self.rules.on_message(topic, &self.web.call_ups, now),
        }
    }

    /// Looks at the pictures, and keeps up what lasts; to be called about once a second. `minute` as for
    /// [`take`](Self::take).
    pub fn tick(&mut self, minute: Option<u16>, now: Instant) {
        self.rules.set_minute(minute);
        let channels = self.hub.channels();
        let states = channels.iter().map(|channel| (channel.id().clone(), channel.state()));
        for (camera, event) in self.pictures.tick(states, now) {
            self.rules.on_picture(&camera, &event, &self.web.call_ups, now);
        }
        self.rules.tick(&self.web.call_ups, now);
    }
}

/// The events of ONVIF that the rules of `config` want of each camera, by their words.
fn wanted_events(config: &Config) -> BTreeMap<CameraId, Vec<&'static str>> {
    const EVENTS: [CameraEvent; 3] = [CameraEvent::Motion, CameraEvent::Alarm, CameraEvent::Doorbell];
    let mut wanted: BTreeMap<CameraId, BTreeSet<&'static str>> = BTreeMap::new();
    for trigger in config.rules.iter().flat_map(|rule| &rule.on) {
        let Trigger::Camera { camera, event } = trigger else { continue };
        let word = match EVENTS.iter().find(|known| *known == event) {
            Some(CameraEvent::Motion) => "motion",
            Some(CameraEvent::Alarm) => "alarm",
            Some(CameraEvent::Doorbell) => "doorbell",
            _ => continue,
        };
        for known in config.cameras.iter().filter(|known| camera.as_ref().is_none_or(|camera| *camera == known.id)) {
            wanted.entry(known.id.clone()).or_default().insert(word);
        }
    }
    wanted.into_iter().map(|(camera, words)| (camera, words.into_iter().collect())).collect()
}
