//! Reads the notifications of a device, and keeps the states of its properties.
//!
//! A property has a state that begins and ends, such as motion; devices repeat it, and tell it anew to each
//! subscription. [`PropertyStates`] makes of that what began and what ended.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    event::{Occurrence, Phase, without_namespaces},
    text,
    xml::Element,
};

/// Maximum number of properties whose states are kept; of more the oldest are forgotten.
const MAX_PROPERTIES: usize = 256;
/// A device that says again that a property is active does not mean a new beginning, unless it was silent for so
/// long: some never say that it ended.
const REPEAT_TIME: Duration = Duration::from_secs(30);
/// Maximum number of source tokens of one notification; the standard's have one or two.
const MAX_SOURCES: usize = 8;

/// How the device came to send a notification of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    /// The state when the subscription began.
    Initialized,
    Changed,
    /// The property exists no longer.
    Deleted,
    /// Not of a property: something that has no length.
    None,
}

/// One message of a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// Without namespaces.
    topic: String,
    sources: Vec<String>,
    operation: Operation,
    /// `None`: it has no value that is true or false.
    active: Option<bool>,
}

/// Reads the answer to PullMessages; what is no notification is left out.
pub fn notifications(answer: &Element) -> Vec<Notification> {
    answer.all("NotificationMessage").filter_map(notification).collect()
}

fn notification(element: &Element) -> Option<Notification> {
    let topic = without_namespaces(&text::fact(element.text_at(&["Topic"])?));
    let message = element.at(&["Message", "Message"])?;
    let operation = match message.attribute("PropertyOperation") {
        Some("Initialized") => Operation::Initialized,
        Some("Deleted") => Operation::Deleted,
        Some(_) => Operation::Changed,
        None => Operation::None,
    };
    let items = |part: &str| message.child(part).map(|part| part.children.as_slice()).unwrap_or_default();
    let value = |item: &Element| item.attribute("Value").map(text::fact);
    let sources = items("Source").iter().filter_map(value).take(MAX_SOURCES).collect();
    let flags = items("Data").iter().filter_map(|item| {
        let name = item.attribute("Name").unwrap_or_default();
        Some((name, flag(item.attribute("Value")?)?))
    });
    // Of several values the one with a usual name counts, else the first.
    let flags: Vec<_> = flags.collect();
    let usual = |(name, _): &&(&str, bool)| {
        ["State", "IsMotion", "LogicalState", "IsInside", "active"].iter().any(|usual| usual.eq_ignore_ascii_case(name))
    };
    let active = flags.iter().find(usual).or(flags.first()).map(|(_, active)| *active);
    Some(Notification { topic, sources, operation, active })
}

fn flag(value: &str) -> Option<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "on" | "active" | "open" => Some(true),
        "false" | "0" | "off" | "inactive" | "closed" => Some(false),
        _ => None,
    }
}

/// The properties of one device, over all its subscriptions.
#[derive(Debug, Default)]
pub struct PropertyStates(BTreeMap<(String, Vec<String>), (bool, Instant)>);

impl PropertyStates {
    /// What `notification`, which came `now`, says that is new; `None`: nothing.
    pub fn take(&mut self, notification: Notification, now: Instant) -> Option<Occurrence> {
        let Notification { topic, sources, operation, active } = notification;
        let key = (topic.clone(), sources.clone());
        let before = self.0.get(&key).copied();
        let phase = match (operation, active) {
            (Operation::None, Some(false)) => None,
            (Operation::None, _) | (Operation::Changed, None) => Some(Phase::Momentary),
            (Operation::Initialized, None) => None,
            (Operation::Deleted, _) => {
                self.0.remove(&key);
                matches!(before, Some((true, _))).then_some(Phase::Ended)
            }
            (operation, Some(active)) => {
                if before.is_none() && self.0.len() >= MAX_PROPERTIES {
                    self.forget_oldest();
                }
                self.0.insert(key, (active, now));
                match (before, active) {
                    // What lasted before anybody asked is not an event.
                    (None, _) if operation == Operation::Initialized => None,
                    (None | Some((false, _)), true) => Some(Phase::Began),
                    (Some((true, at)), true) => {
                        let is_new = operation == Operation::Changed && now.duration_since(at) > REPEAT_TIME;
                        Some(if is_new { Phase::Began } else { Phase::Lasts })
                    }
                    (Some((true, _)), false) => Some(Phase::Ended),
                    (None | Some((false, _)), false) => None,
                }
            }
        };
        phase.map(|phase| Occurrence { topic, sources, phase })
    }

    fn forget_oldest(&mut self) {
        let oldest = self.0.iter().min_by_key(|(_, (_, at))| *at).map(|(key, _)| key.clone());
        if let Some(oldest) = oldest {
            self.0.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml;

    fn message(topic: &str, operation: &str, source: &str, data: &str) -> String {
        let operation =
            if operation.is_empty() { String::new() } else { format!(" PropertyOperation=\"{operation}\"") };
        format!(
            "<wsnt:NotificationMessage><wsnt:Topic Dialect=\"x\">{topic}</wsnt:Topic><wsnt:Message>\
             <tt:Message UtcTime=\"2026-12-01T00:00:00Z\"{operation}><tt:Source><tt:SimpleItem Name=\"VideoSourceConfigurationToken\" \
             Value=\"{source}\"/></tt:Source><tt:Data>{data}</tt:Data></tt:Message></wsnt:Message></wsnt:NotificationMessage>"
        )
    }

    fn read(messages: &str) -> Vec<Notification> {
        let text = format!("<tev:PullMessagesResponse>{messages}</tev:PullMessagesResponse>");
        notifications(&xml::read(text.as_bytes()).unwrap())
    }

    const ON: &str = "<tt:SimpleItem Name=\"IsMotion\" Value=\"true\"/>";
    const OFF: &str = "<tt:SimpleItem Name=\"IsMotion\" Value=\"false\"/>";
    const MOTION: &str = "tns1:RuleEngine/CellMotionDetector/Motion";

    fn phases(states: &mut PropertyStates, messages: &[(&str, &str)], now: Instant) -> Vec<Option<Phase>> {
        let taken = messages.iter().map(|(operation, data)| {
            let [notification] = read(&message(MOTION, operation, "V1", data)).try_into().unwrap();
            states.take(notification, now).map(|occurrence| occurrence.phase)
        });
        taken.collect()
    }

    #[test]
    fn notification_is_read_by_local_names() {
        let found = read(&message(MOTION, "Changed", "V1", ON));
        let expected = Notification {
            topic: "RuleEngine/CellMotionDetector/Motion".into(),
            sources: vec!["V1".into()],
            operation: Operation::Changed,
            active: Some(true),
        };
        assert_eq!(found, [expected]);
        // Words, another order, and no message at all.
        let two = "<tt:SimpleItem Name=\"ObjectId\" Value=\"1\"/><tt:SimpleItem Name=\"State\" Value=\"off\"/>";
        assert_eq!(read(&message(MOTION, "", "V1", two))[0].active, Some(false));
        assert_eq!(read(&message(MOTION, "", "V1", "<tt:SimpleItem Name=\"n\" Value=\"7\"/>"))[0].active, None);
        assert!(read("<wsnt:NotificationMessage/><x/>").is_empty());
    }

    #[test]
    fn state_of_a_property_begins_and_ends_once() {
        let (mut states, now) = (PropertyStates::default(), Instant::now());
        let told = phases(
            &mut states,
            &[("Initialized", OFF), ("Changed", ON), ("Changed", ON), ("Changed", OFF), ("Changed", OFF)],
            now,
        );
        assert_eq!(told, [None, Some(Phase::Began), Some(Phase::Lasts), Some(Phase::Ended), None]);
        // A camera that never says that it ended.
        assert_eq!(phases(&mut states, &[("Changed", ON)], now), [Some(Phase::Began)]);
        let later = now + REPEAT_TIME + Duration::from_secs(1);
        assert_eq!(phases(&mut states, &[("Changed", ON)], later), [Some(Phase::Began)]);
        assert_eq!(phases(&mut states, &[("Deleted", ON)], later), [Some(Phase::Ended)]);
    }

    #[test]
    fn new_subscription_tells_only_what_changed_meanwhile() {
        let (mut states, now) = (PropertyStates::default(), Instant::now());
        // Active when the agent starts: nobody knows since when.
        assert_eq!(phases(&mut states, &[("Initialized", ON), ("Changed", OFF)], now), [None, Some(Phase::Ended)]);
        // The subscription was lost and begun again; meanwhile motion began, and ended.
        assert_eq!(phases(&mut states, &[("Initialized", ON)], now), [Some(Phase::Began)]);
        let later = now + 10 * REPEAT_TIME;
        assert_eq!(phases(&mut states, &[("Initialized", ON)], later), [Some(Phase::Lasts)]);
        assert_eq!(phases(&mut states, &[("Initialized", OFF)], later), [Some(Phase::Ended)]);
    }

    #[test]
    fn what_is_no_property_has_no_length() {
        let (mut states, now) = (PropertyStates::default(), Instant::now());
        let told = phases(&mut states, &[("", ON), ("", OFF), ("", ""), ("Changed", ""), ("Initialized", "")], now);
        assert_eq!(told, [Some(Phase::Momentary), None, Some(Phase::Momentary), Some(Phase::Momentary), None]);
    }

    #[test]
    fn number_of_properties_is_bounded() {
        let (mut states, now) = (PropertyStates::default(), Instant::now());
        for number in 0..2 * MAX_PROPERTIES {
            let [notification] = read(&message(MOTION, "Changed", &number.to_string(), ON)).try_into().unwrap();
            states.take(notification, now + Duration::from_millis(number as u64));
        }
        assert_eq!(states.0.len(), MAX_PROPERTIES);
        assert!(states.0.contains_key(&("RuleEngine/CellMotionDetector/Motion".into(), vec!["511".into()])));
    }
}
