//! What Home Assistant is told of a camera (MQTT discovery): a device with its connection, the events that are wanted
//! of it, and a button that shows it on the wall.

use serde_json::{Value, json};

use crate::camera::CameraId;

/// What the topics of its discovery begin with, unless somebody has changed it there.
const DISCOVERY_PREFIX: &str = "homeassistant";

/// Topics and payloads for `camera`, of which `events` are wanted.
pub(super) fn messages(prefix: &str, camera: &CameraId, name: &str, events: &[&str]) -> Vec<(String, String)> {
    // A node of a topic may have letters, digits, - and _ only.
    let node = format!("{}_{camera}", prefix.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "_"));
    let device = json!({ "identifiers": [node], "name": name, "manufacturer": "cctv-agent", "model": "camera" });
    let entity = |component: &str, kind: &str, title: &str, more: Value| {
        let mut config = json!({
            "name": title,
            "unique_id": format!("{node}_{kind}"),
            "device": device,
            "availability_topic": format!("{prefix}/status"),
        });
        if let (Some(config), Value::Object(more)) = (config.as_object_mut(), more) {
            config.extend(more);
        }
        (format!("{DISCOVERY_PREFIX}/{component}/{node}/{kind}/config"), config.to_string())
    };
    let state = format!("{prefix}/cameras/{camera}/state");
    let template = "{{ 'ON' if value == 'live' else 'OFF' }}";
    let live = json!({ "state_topic": state, "value_template": template, "device_class": "connectivity" });
    let press = json!({ "camera": camera.as_str() }).to_string();
    let show = json!({ "command_topic": format!("{prefix}/wall/show"), "payload_press": press });
    let mut messages =
        vec![entity("binary_sensor", "live", "Live picture", live), entity("button", "show", "Show on the wall", show)];
    for event in events {
        let (title, class) = match *event {
            "motion" => ("Motion", json!("motion")),
            "alarm" => ("Alarm", json!("safety")),
            "doorbell" => ("Doorbell", Value::Null),
            _ => continue,
        };
        let mut sensor = json!({ "state_topic": format!("{prefix}/cameras/{camera}/{event}") });
        if !class.is_null() {
            sensor["device_class"] = class;
        }
        messages.push(entity("binary_sensor", event, title, sensor));
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn camera_is_a_device_with_its_events_and_a_button() {
        let camera = CameraId::new("gate").unwrap();
        let messages = messages("house/wall", &camera, "大門", &["motion", "doorbell"]);
        let topics: Vec<_> = messages.iter().map(|(topic, _)| topic.as_str()).collect();
        assert_eq!(
            topics,
            [
                "homeassistant/binary_sensor/house_wall_gate/live/config",
                "homeassistant/button/house_wall_gate/show/config",
                "homeassistant/binary_sensor/house_wall_gate/motion/config",
                "homeassistant/binary_sensor/house_wall_gate/doorbell/config",
            ]
        );
        let config = |index: usize| serde_json::from_str::<Value>(&messages[index].1).unwrap();
        assert_eq!(config(0)["state_topic"], "house/wall/cameras/gate/state");
        assert_eq!(
            (&config(0)["device"]["name"], &config(0)["device_class"]),
            (&json!("大門"), &json!("connectivity"))
        );
        assert_eq!(
            (&config(1)["command_topic"], &config(1)["payload_press"]),
            (&json!("house/wall/wall/show"), &json!("{\"camera\":\"gate\"}"))
        );
        assert_eq!((&config(2)["device_class"], &config(3)["device_class"]), (&json!("motion"), &Value::Null));
    }
}
