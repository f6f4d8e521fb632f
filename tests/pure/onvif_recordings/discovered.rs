//! Recorded responses to discovery: datagrams and descriptions.

use cctv_agent::{
    device_id::{DeviceId, Mac},
    discovery::{DatagramSource, description, ssdp, wsd},
};
use serde_json::{Map, Value, json};

/// Parses `file` if it belongs to discovery; `Err` says what failed.
pub fn read(file: &str, bytes: &[u8], expect: &Value) -> Option<Result<Value, String>> {
    let found = match file.split('/').next() {
        Some("wsd") => datagram(bytes, expect),
        Some("ssdp") => ssdp::parse(bytes).map(|message| notice(&message)),
        Some("upnp") => description::parse(bytes).map(|description| described(&description, expect)),
        _ => return None,
    };
    let wants_error = expect["op"] == "error";
    Some(match found {
        Some(_) if wants_error => Err("rubbish was understood".into()),
        Some(found) => Ok(found),
        None if wants_error => Ok(json!({})),
        None => Err("not understood".into()),
    })
}

/// The expected facts, in the terms of this file.
pub fn accepted(expect: &Value) -> Value {
    let none = Map::new();
    let mut facts = expect.as_object().unwrap_or(&none).clone();
    for note in ["op", "kind", "must_not_panic", "note"] {
        facts.remove(note);
    }
    for mac in ["mac", "mac_from_udn"] {
        if let Some(text) = facts.get(mac).and_then(Value::as_str) {
            let text = Mac::new(text).expect("a MAC is expected").to_string();
            facts.insert(mac.into(), json!(text));
        }
    }
    // A port that is left out is 80, so two spellings of one address are equal.
    if let Some(places) = facts.get("onvif_candidates").and_then(Value::as_array) {
        let first = places[0].as_str().expect("a place is a text");
        let first =
            if first.matches(':').count() == 1 { first.replacen("/onvif", ":80/onvif", 1) } else { first.into() };
        facts.insert("onvif_candidates".into(), json!([first]));
    }
    facts.into()
}

/// No input makes a parser of discovery panic.
pub fn survive(bytes: &[u8]) {
    let _ = (wsd::parse(bytes), ssdp::parse(bytes), description::parse(bytes));
}

fn datagram(bytes: &[u8], expect: &Value) -> Option<Value> {
    let message = wsd::parse(bytes)?;
    let id = expect["relates_to"].as_str();
    if let Some(id) = id {
        assert!(wsd::parse_answer(bytes, &[id.to_owned()]).is_some(), "it answers {id}");
        assert!(wsd::parse_answer(bytes, &["another".to_owned()]).is_none());
    }
    let device = |device: &wsd::Device| {
        assert!(device.is_onvif());
        json!({
            "epr": device.endpoint,
            "epr_normal": device.identity.as_ref().map(DeviceId::as_str),
            "xaddrs": device.xaddrs.split_whitespace().collect::<Vec<_>>(),
            "types": device.types.iter().map(|kind| &kind.name).collect::<Vec<_>>(),
            "name": device.scopes.name,
            "hardware": device.scopes.hardware,
            "is_nvt": device.types.iter().any(|kind| kind.name == "NetworkVideoTransmitter"),
        })
    };
    Some(json!({
        "relates_to": message.relates_to,
        "matches": message.devices.iter().map(device).collect::<Vec<_>>(),
    }))
}

fn notice(message: &ssdp::Message) -> Value {
    let nts = match message.kind {
        ssdp::Kind::Answer => None,
        ssdp::Kind::Alive => Some("ssdp:alive"),
        ssdp::Kind::Bye => Some("ssdp:byebye"),
        ssdp::Kind::Update => Some("ssdp:update"),
    };
    json!({
        "nts": nts,
        "location": message.location,
        "usn_uuid": message.udn(),
        "st": message.target,
        "max_age": message.max_age,
        "mac": message.identity().and_then(|identity| identity.mac()).map(|mac| mac.to_string()),
    })
}

fn described(description: &description::Description, expect: &Value) -> Value {
    // The recordings do not name their sender, but their addresses do.
    let given = ["presentationURL", "onvif_candidates"].iter().find_map(|key| match &expect[*key] {
        Value::Array(places) => places[0].as_str(),
        other => other.as_str(),
    });
    let host = given.and_then(|given| given.split(['/', ':']).nth(3)).unwrap_or("192.0.2.1");
    let origin = DatagramSource::new(host.parse().expect("the recorded device has an address"));
    let places = description::xaddrs_to_ask(description.presentation.as_deref(), &origin);
    json!({
        "manufacturer": description.manufacturer,
        "modelName": description.model_name,
        "serialNumber": description.serial,
        "UDN": description.udn,
        "friendlyName": description.friendly_name,
        "presentationURL": description.presentation,
        "mac_from_udn": description.identity().and_then(|identity| identity.mac()).map(|mac| mac.to_string()),
        "onvif_candidates": [places[0].to_string()],
    })
}
