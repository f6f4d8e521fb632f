//! `[[rule]]`: what walls do when something happens.

use std::time::Duration;

use toml::{Spanned, de::DeValue};

pub use super::rule_keys::RuleAction;
use super::{
    camera_list,
    diagnostics::Diagnostics,
    rule_keys::{DO, ON, RULE_CAMERA, RULE_FROM, RULE_SECONDS, RULE_TO, RULE_WALL},
    section::{Located, Section},
    wall::Walls,
    wall_name,
    wording::{kind, quoted},
};
use crate::{
    camera::{Camera, CameraId, Source},
    event::CameraEvent,
};

/// Maximum number of rules, and of events of one rule.
const MAX_RULES: usize = 64;
const MAX_EVENTS: usize = 64;
/// Maximum length of a topic of MQTT, in bytes: far more than anybody writes, less than the protocol's 65535.
const MAX_MQTT_TOPIC_LEN: usize = 200;

/// What walls do when something happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Any of these; never empty.
    pub on: Vec<Trigger>,
    pub action: RuleAction,
    /// The camera that is brought to the front; `None`: that of the event.
    pub camera: Option<CameraId>,
    /// `None`: every wall that shows the camera.
    pub wall: Option<String>,
    pub time: Duration,
    /// `None`: at any time.
    pub hours: Option<Hours>,
}

/// A part of the day, by a clock at the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// Minutes since midnight, 0 to 1439.
    pub from: u16,
    /// Minutes since midnight, 0 to 1440, and not `from`; less than `from`: of the next day.
    pub to: u16,
}

impl Hours {
    /// Whether a clock that shows `minute` (0 to 1439) is within.
    pub fn contain(self, minute: u16) -> bool {
        let Self { from, to } = self;
        if from < to { (from..to).contains(&minute) } else { minute >= from || minute < to }
    }
}

/// What a rule waits for.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// An event of this camera, or of any.
    Camera { camera: Option<CameraId>, event: CameraEvent },
    /// A message with this topic.
    Mqtt(String),
}

/// What the rules refer to.
pub(super) struct Surroundings<'a> {
    /// The identifiers in the file, including cameras not enabled.
    pub(super) ids: &'a [String],
    pub(super) cameras: &'a [Camera],
    pub(super) walls: &'a Walls,
    pub(super) has_broker: bool,
    /// Whether something is kept to look back at.
    pub(super) has_past: bool,
}

/// Checks all rules.
pub(super) fn all(
    sections: &[Section<'_>],
    surroundings: &Surroundings<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<Rule> {
    if let Some(first_too_many) = sections.get(MAX_RULES) {
        let words = format!("one of {} rules; at most {MAX_RULES} are taken", sections.len());
        first_too_many.report(first_too_many.at, words, diagnostics);
    }
    sections.iter().filter_map(|section| rule(section, surroundings, diagnostics)).collect()
}

fn rule(section: &Section<'_>, around: &Surroundings<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<Rule> {
    section.refuse_unknown(diagnostics);
    let on = triggers(section, around, diagnostics);
    let camera = match section.text(&RULE_CAMERA, diagnostics) {
        None => None,
        Some(Located { at, value }) => match camera_list::find(&value, around.ids) {
            Ok(camera) => Some(camera),
            Err(wrong) => {
                section.report(at, wrong, diagnostics);
                return None;
            }
        },
    };
    let wall = match wall_name::named(section, &RULE_WALL, around.walls, diagnostics) {
        None => None,
        Some(found) => Some(found?),
    };
    if let Some((name, wall)) = &wall {
        let of_event = on.iter().filter_map(|trigger| match trigger {
            Trigger::Camera { camera, .. } => camera.as_ref(),
            Trigger::Mqtt(_) => None,
        });
        let shown = camera.iter().chain(of_event.filter(|_| camera.is_none()));
        let is_missing = |id: &&CameraId| wall.all_cameras().is_some_and(|cameras| !cameras.contains(*id));
        if let Some(missing) = shown.into_iter().find(is_missing) {
            let words = format!("camera {:?} is not on the wall {name:?}; add it to its cameras", missing.as_str());
            section.report(section.at, words, diagnostics);
        }
    }
    if camera.is_none() && on.iter().any(|trigger| matches!(trigger, Trigger::Mqtt(_))) {
        let words = "a message of MQTT does not say which camera; add camera = \"…\"";
        section.report(section.key_at(&ON).unwrap_or(section.at), words, diagnostics);
    }
    let action = section.one_of(&DO, diagnostics).map_or(DO.default, |located| located.value);
    if action == RuleAction::LookBack && !around.has_past {
        let words = "nothing is kept to look back at; set look_back = 60 in [limits]";
        section.report(section.key_at(&DO).unwrap_or(section.at), words, diagnostics);
    }
    let seconds = section.whole_or_default(&RULE_SECONDS, diagnostics);
    let wall = wall.map(|(name, _)| name.to_owned());
    let hours = hours(section, diagnostics);
    (!on.is_empty()).then(|| Rule { on, action, camera, wall, time: Duration::from_secs(seconds), hours })
}

fn hours(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<Hours> {
    let (from, to) = (section.parsed(&RULE_FROM, diagnostics), section.parsed(&RULE_TO, diagnostics));
    match (section.key_at(&RULE_FROM), section.key_at(&RULE_TO)) {
        (Some(at), None) if section.lacks(&[&RULE_TO]) => {
            section.report(at, "from needs to, like \"06:00\"", diagnostics)
        }
        (None, Some(at)) if section.lacks(&[&RULE_FROM]) => {
            section.report(at, "to needs from, like \"22:00\"", diagnostics);
        }
        (_, Some(at)) if from.is_some() && from == to => {
            section.report(at, "from and to are the same; leave both out for the whole day", diagnostics);
        }
        _ => {}
    }
    Some(Hours { from: from?, to: to? })
}

/// Reads `on`, a text or a list of texts.
fn triggers(section: &Section<'_>, around: &Surroundings<'_>, diagnostics: &mut Diagnostics<'_>) -> Vec<Trigger> {
    const RIGHT: &str = "write an event, like \"gate:doorbell\", or a list of events";
    let Some(value) = section.value(&ON) else {
        if section.lacks(&[&ON]) {
            section.report(section.at, format!("nothing says on what; {RIGHT} as on"), diagnostics);
        }
        return Vec::new();
    };
    let one = std::slice::from_ref(value);
    let entries = match value.get_ref() {
        DeValue::Array(list) if list.is_empty() => {
            section.report(value.span().start, format!("on is an empty list; {RIGHT}"), diagnostics);
            return Vec::new();
        }
        DeValue::Array(list) if list.len() > MAX_EVENTS => {
            let words = format!("on has {} events; write at most {MAX_EVENTS}", list.len());
            section.report(value.span().start, words, diagnostics);
            return Vec::new();
        }
        DeValue::Array(list) => list.as_ref(),
        _ => one,
    };
    let mut triggers = Vec::new();
    for entry in entries {
        match trigger(entry, around) {
            Ok(trigger) => triggers.push(trigger),
            Err(wrong) => section.report(entry.span().start, wrong, diagnostics),
        }
    }
    triggers
}

fn trigger(entry: &Spanned<DeValue<'_>>, around: &Surroundings<'_>) -> Result<Trigger, String> {
    let Some(text) = entry.get_ref().as_str() else {
        let right = "write a text in quotation marks, like \"gate:doorbell\", or a list of such texts";
        return Err(format!("on is {}; {right}", kind(entry.get_ref())));
    };
    let Some((camera, event)) = text.split_once(':') else {
        let right = "write the id of a camera, a colon and what happens, like \"gate:doorbell\"";
        return Err(format!("on{} names no event; {right}", quoted(text)));
    };
    if camera == "mqtt" {
        return mqtt_topic(event, around).map(Trigger::Mqtt);
    }
    let Some(event) = CameraEvent::parse(event) else {
        let words = "\"doorbell\", \"motion\", \"alarm\", \"lost\", \"back\", or a part of a topic of ONVIF with a /";
        return Err(format!("on{}: there is no such event; after the colon write {words}", quoted(text)));
    };
    if camera == "*" {
        return Ok(Trigger::Camera { camera: None, event });
    }
    let id = camera_list::find(camera, around.ids).map_err(|wrong| format!("on{}: {wrong}", quoted(text)))?;
    let found = around.cameras.iter().find(|camera| camera.id == id);
    if event.is_of_camera() && found.is_some_and(|camera| matches!(camera.stream_source.source, Source::Url(_))) {
        let right = "name it by ip or uuid, or write \"lost\" or \"back\"";
        return Err(format!("on{}: the camera has a url alone, and tells its events by ONVIF; {right}", quoted(text)));
    }
    Ok(Trigger::Camera { camera: Some(id), event })
}

fn mqtt_topic(topic: &str, around: &Surroundings<'_>) -> Result<String, String> {
    let is_topic = !topic.is_empty() && topic.len() <= MAX_MQTT_TOPIC_LEN && !topic.contains(char::is_control);
    if !is_topic || topic.contains(['#', '+']) {
        return Err("after \"mqtt:\" write one whole topic, like \"mqtt:house/bell\", without + and #".to_owned());
    }
    if !around.has_broker {
        return Err("messages of MQTT need a broker; add a section [mqtt]".to_owned());
    }
    Ok(topic.to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::parse;

    const FILE: &str = "[[camera]]\nid='gate'\nip='10.0.0.1'\n[[camera]]\nid='porch'\nurl='rtsp://10.0.0.2/'\n\
                        [wall.hall]\ncameras=['porch']\n[mqtt]\nbroker='mqtt://10.0.0.9'\n";

    fn read_in(file: &str, text: &str) -> Result<Vec<Rule>, Vec<String>> {
        let no_files = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        match parse(&format!("[[rule]]\n{text}\n{file}"), Path::new("c"), &no_files) {
            Ok(config) => Ok(config.rules),
            Err(complaints) => Err(complaints.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn rule_says_on_what_and_has_usual_values() {
        let [rule] = read_in(FILE, "on = 'gate:doorbell'").unwrap().try_into().unwrap();
        let gate = CameraId::new("gate");
        let trigger = Trigger::Camera { camera: gate.clone(), event: CameraEvent::Doorbell };
        let usual = Rule {
            on: vec![trigger],
            action: RuleAction::Show,
            camera: None,
            wall: None,
            time: Duration::from_secs(30),
            hours: None,
        };
        assert_eq!(rule, usual);
        let text = "on = ['*:lost', 'mqtt:house/bell']\ndo = 'sound'\ncamera = 'porch'\nwall = 'hall'\nseconds = 5\nfrom = '22:00'\nto = '06:30'";
        let [rule] = read_in(FILE, text).unwrap().try_into().unwrap();
        let on =
            vec![Trigger::Camera { camera: None, event: CameraEvent::Lost }, Trigger::Mqtt("house/bell".to_owned())];
        let full = Rule {
            on,
            action: RuleAction::Sound,
            camera: CameraId::new("porch"),
            wall: Some("hall".to_owned()),
            time: Duration::from_secs(5),
            hours: Some(Hours { from: 22 * 60, to: 6 * 60 + 30 }),
        };
        assert_eq!(rule, full);
        let within = |minute| rule.hours.unwrap().contain(minute);
        assert!(within(22 * 60) && within(0) && within(389) && !within(390) && !within(22 * 60 - 1));
        assert!(Hours { from: 60, to: 120 }.contain(60) && !Hours { from: 60, to: 120 }.contain(120));
    }

    #[test]
    fn each_mistake_has_its_place_and_what_is_right() {
        for (lines, wrong) in [
            ("do = 'show'", "c:1:1: rule 1: nothing says on what; write an event"),
            ("on = 'doorbell'", "c:2:6: rule \"doorbell\": on \"doorbell\" names no event; write the id"),
            (
                "on = 'gate:bell'",
                "c:2:6: rule \"gate:bell\": on \"gate:bell\": there is no such event; after the colon",
            ),
            (
                "on = 'gaet:motion'",
                "c:2:6: rule \"gaet:motion\": on \"gaet:motion\": there is no camera \"gaet\"; did you mean \"gate\"?",
            ),
            ("on = 'porch:motion'", "c:2:6: rule \"porch:motion\": on \"porch:motion\": the camera has a url alone"),
            (
                "on = 'gate:lost'\ndo='look_back'",
                "c:3:1: rule \"gate:lost\": nothing is kept to look back at; set look_back",
            ),
            ("on = []", "c:2:6: rule 1: on is an empty list; write an event"),
            ("on = ['gate:motion', 7]", "c:2:22: rule 1: on is a whole number; write a text"),
            ("on = 'mqtt:house/bell'", "c:2:1: rule \"mqtt:house/bell\": a message of MQTT does not say which camera"),
            (
                "on = 'mqtt:house/#'\ncamera='gate'",
                "c:2:6: rule \"mqtt:house/#\": after \"mqtt:\" write one whole topic",
            ),
            ("on = 'gate:lost'\ncamera='gaet'", "c:3:8: rule \"gate:lost\": there is no camera \"gaet\""),
            ("on = 'gate:lost'\nwall='hal'", "c:3:6: rule \"gate:lost\": there is no wall \"hal\"; did you mean"),
            (
                "on = 'gate:lost'\nwall='hall'",
                "c:1:1: rule \"gate:lost\": camera \"gate\" is not on the wall \"hall\"; add it",
            ),
            ("on = 'gate:lost'\ndo='sing'", "c:3:4: rule \"gate:lost\": do \"sing\" is unknown; write \"show\" or"),
            ("on = 'gate:lost'\nfrom='22:00'", "c:3:1: rule \"gate:lost\": from needs to, like"),
            ("on = 'gate:lost'\nto='22:00'", "c:3:1: rule \"gate:lost\": to needs from, like"),
            (
                "on = 'gate:lost'\nfrom='22:00'\nto='22:00'",
                "c:4:1: rule \"gate:lost\": from and to are the same; leave",
            ),
            (
                "on = 'gate:lost'\nfrom='25:00'\nto='1:00'",
                "c:3:6: rule \"gate:lost\": from \"25:00\" is not understood",
            ),
            ("on = 'gate:lost'\nseconds=0", "c:3:9: rule \"gate:lost\": seconds is 0; write a whole number from 1"),
            (
                "on = 'gate:lost'\nsecond=1",
                "c:3:1: rule \"gate:lost\": unknown key \"second\"; did you mean \"seconds\"?",
            ),
        ] {
            let complaints = read_in(FILE, lines).unwrap_err();
            assert!(
                complaints.len() == 1 && complaints[0].starts_with(wrong),
                "{lines}:\n{complaints:#?}\nnot {wrong}"
            );
        }
        let no_broker = FILE.split("[mqtt]").next().unwrap();
        let complaints = read_in(no_broker, "on = 'mqtt:house/bell'\ncamera = 'gate'").unwrap_err();
        assert!(complaints[0].contains("messages of MQTT need a broker; add a section [mqtt]"), "{complaints:?}");
    }

    #[test]
    fn more_rules_than_anybody_has_are_refused() {
        let many = "on='gate:lost'\n[[rule]]\n".repeat(MAX_RULES) + "on='gate:back'";
        assert!(read_in(FILE, &many).unwrap_err()[0].contains("one of 65 rules; at most 64 are taken"));
    }
}
