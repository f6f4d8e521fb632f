//! Scenario: the agent understands recorded responses of real cameras.
//!
//! The recordings are not part of this project. The environment variable `CCTV_AGENT_RECORDINGS`
//! names a folder of them with an `expected.json`: a list of `{"file", "expect": {"op", …}}`. Files
//! under `soap/` hold message bodies, those under `http_client/` whole raw HTTP responses, those
//! under `wsd/` and `ssdp/` one datagram each, those under `upnp/` device descriptions. Without the
//! variable the test prints that it was skipped.

mod discovered;

use std::{env, fs, path::Path};

use cctv_agent::{
    http_auth::challenge,
    http_client::response::{self, Response},
    onvif::{
        responses,
        soap::{self, CallError, FaultKind},
        uri_repair,
    },
    xml::{self, Element, filter::Filter},
};
use serde_json::{Value, json};

/// The result of one recording.
enum Verdict {
    Right,
    Wrong(String),
}

#[test]
fn recorded_answers_are_understood() {
    let Some(folder) = env::var_os("CCTV_AGENT_RECORDINGS") else {
        println!("skipped: CCTV_AGENT_RECORDINGS names no folder of recordings");
        return;
    };
    let folder = Path::new(&folder);
    let list = fs::read(folder.join("expected.json")).expect("the folder has an expected.json");
    let list: Value = serde_json::from_slice(&list).expect("expected.json is JSON");
    let (mut right, mut wrong) = (0, Vec::new());
    for entry in list.as_array().expect("expected.json is a list") {
        let file = entry["file"].as_str().expect("every entry names its file");
        let bytes = fs::read(folder.join(file)).expect("every file in the list exists");
        match check(file, &bytes, &entry["expect"]) {
            Verdict::Right => right += 1,
            Verdict::Wrong(how) => wrong.push(format!("{file}: {how}")),
        }
        survive_cuts(file, &bytes);
    }
    println!("{right} right");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(right > 0, "no recording was checked");
}

fn check(file: &str, bytes: &[u8], expect: &Value) -> Verdict {
    let op = expect["op"].as_str().unwrap_or("");
    if let Some(found) = discovered::read(file, bytes, expect) {
        return match found {
            Ok(found) => difference(&discovered::accepted(expect), &found).map_or(Verdict::Right, Verdict::Wrong),
            Err(how) => Verdict::Wrong(how),
        };
    }
    let response = if file.starts_with("http/") {
        match response::read(bytes) {
            Ok(response) => response,
            Err(error) => return Verdict::Wrong(error.to_string()),
        }
    } else {
        let status = if matches!(op, "fault" | "error") { 500 } else { 200 };
        Response { status: Some(status), headers: Vec::new(), body: bytes.to_vec() }
    };
    if let Some(status) = expect["http"].as_u64()
        && response.status.map(u64::from) != Some(status)
    {
        return Verdict::Wrong(format!("status {:?}", response.status));
    }
    let outcome = soap::open(&response);
    let found = match (op, &outcome) {
        ("fault", Err(CallError::Fault(fault) | CallError::Login { fault: Some(fault), .. })) => json!({
            "code": fault.code,
            "subcodes": fault.subcodes,
            "reason": fault.reason,
            "auth_error": fault.kind() == FaultKind::Authentication,
            "not_supported": fault.kind() == FaultKind::NotOffered,
        }),
        ("challenge", Err(CallError::Login { challenges, .. })) => {
            json!({"challenges": challenges.iter().map(challenge_json).collect::<Vec<_>>()})
        }
        ("error", _) => return check_error(bytes, expect, &outcome),
        (_, Ok(answer)) => match answer_json(op, answer) {
            Some(found) => found,
            None => return Verdict::Wrong(format!("nobody reads {op}")),
        },
        // Where alternatives are given, a clean error is one of them.
        (_, Err(_)) if expect["accept"].is_array() => return Verdict::Right,
        (_, Err(refusal)) => return Verdict::Wrong(format!("{refusal:?}")),
    };
    if expect["accept"].is_array() && op == "GetCapabilities" && found["xaddrs"]["media"].is_string() {
        return Verdict::Right;
    }
    match difference(&accepted(expect), &found) {
        None => Verdict::Right,
        Some(how) => Verdict::Wrong(how),
    }
}

fn check_error(bytes: &[u8], expect: &Value, outcome: &Result<Element, CallError>) -> Verdict {
    let right = match expect["kind"].as_str() {
        Some("malformed_xml") => xml::read(bytes).is_err(),
        Some("http_500_html" | "http_500_not_xml") => matches!(outcome, Err(CallError::Status(500))),
        kind => return Verdict::Wrong(format!("nobody checks errors of the kind {kind:?}")),
    };
    if right { Verdict::Right } else { Verdict::Wrong(format!("{outcome:?}")) }
}

/// The expected facts; each must be among those found.
fn accepted(expect: &Value) -> Value {
    let mut facts = expect.clone();
    let map = facts.as_object_mut().expect("an expectation is an object");
    for note in ["op", "http", "action", "tz", "must_not_panic", "accept"] {
        map.remove(note);
    }
    if map.get("auth_error").is_some() && expect["op"] == "fault" && expect["accept"].is_array() {
        map.insert("code".into(), json!("fault code"));
        map.insert("subcodes".into(), json!(["ter:fault subcode", "ter:fault subcode"]));
        map.insert("reason".into(), json!("fault reason"));
    }
    facts
}

fn answer_json(op: &str, answer: &Element) -> Option<Value> {
    let pairs = |pairs: Vec<(String, String)>| Value::Object(pairs.into_iter().map(|(k, v)| (k, json!(v))).collect());
    Some(match op {
        "GetSystemDateAndTime" => {
            let time = responses::device_time(answer);
            json!({
                "utc": time.utc.map(|time| format!("{time}Z")),
                "local": time.local.map(|time| time.to_string()),
                "use_for_created": time.for_login().map(|time| format!("{time}Z")),
            })
        }
        "GetCapabilities" => json!({"xaddrs": pairs(responses::capabilities(answer))}),
        "GetServices" => json!({"services": pairs(responses::services(answer))}),
        "GetProfiles" | "GetProfiles2" => {
            let profile = |profile: &responses::Profile| {
                json!({
                    "token": profile.token, "name": profile.name, "encoding": profile.encoding,
                    "width": profile.size.map(|size| size.width), "height": profile.size.map(|size| size.height),
                })
            };
            json!({"profiles": responses::profiles(answer).iter().map(profile).collect::<Vec<_>>()})
        }
        "GetSnapshotUri" => json!({"uri": responses::media_uri(answer).map(|uri| uri.uri)}),
        "GetStreamUri" | "GetStreamUri2" => {
            let found = responses::media_uri(answer)?;
            let host = found.uri.split(['/', ':']).nth(3).unwrap_or("");
            let streams = uri_repair::streams(&found.uri, host);
            // The address that the demuxer gets, byte for byte.
            let uri = streams.map(|streams| streams.candidates[0].as_str().to_owned());
            json!({"uri": uri, "port": 554, "invalid_after_reboot": found.invalid_after_reboot})
        }
        _ => return None,
    })
}

fn challenge_json(challenge: &challenge::Challenge) -> Value {
    let mut facts = json!({"scheme": challenge.scheme});
    for (name, value) in &challenge.parameters {
        facts[name] = json!(value);
    }
    facts
}

/// The first expected fact that `found` lacks. `found` may contain more, but no list may be longer.
fn difference(expected: &Value, found: &Value) -> Option<String> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(_)) => {
            expected.iter().find_map(|(key, value)| difference(value, &found[key]).map(|how| format!("{key}: {how}")))
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            expected.iter().zip(found).find_map(|(expected, found)| difference(expected, found))
        }
        _ if expected == found => None,
        _ => Some(format!("expected {expected}, found {found}")),
    }
}

/// A recording that is cut or has a damaged byte makes no parser panic; a whole HTTP response
/// parses the same in any pieces.
fn survive_cuts(file: &str, bytes: &[u8]) {
    for at in (0..bytes.len()).step_by(397) {
        read_everything(&bytes[..at]);
        for damage in [0, b'<', b'&', b'"', 0xff] {
            let mut damaged = bytes.to_vec();
            damaged[at] = damage;
            read_everything(&damaged);
        }
    }
    if let Some(profiles) = profiles(bytes) {
        let (mut filter, mut kept) = (Filter::new(responses::PROFILE_OUTLINE), Vec::new());
        bytes.chunks(7).for_each(|piece| filter.feed(piece, &mut kept));
        filter.finish(&mut kept);
        assert_eq!(self::profiles(&kept), Some(profiles), "{file}: the outline of profiles loses something");
    }
    if file.starts_with("http/") {
        let mut reader = response::Reader::default();
        let complete = bytes.chunks(1).any(|byte| reader.feed(byte).expect("a recorded answer is readable"));
        assert!(complete, "{file}: its end is recognised");
        assert_eq!(reader.finish().ok(), response::read(bytes).ok(), "{file}");
    }
}

/// The profiles in a bare SOAP message; `None` if it is no such message.
fn profiles(bytes: &[u8]) -> Option<Vec<responses::Profile>> {
    let root = xml::read(bytes).ok()?;
    Some(responses::profiles(root.child("Body")?.children.first()?))
}

fn read_everything(bytes: &[u8]) {
    discovered::survive(bytes);
    let whole = response::read(bytes).ok();
    let body = Response { status: Some(200), headers: Vec::new(), body: bytes.to_vec() };
    for answer in whole.iter().chain([&body]).filter_map(|response| soap::open(response).ok()) {
        for op in ["GetSystemDateAndTime", "GetCapabilities", "GetServices", "GetProfiles", "GetStreamUri"] {
            let _ = answer_json(op, &answer);
        }
    }
}
