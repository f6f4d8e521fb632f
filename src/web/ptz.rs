//! `/api/cameras/ID/ptz`: steers a camera, and tells who does.

use std::{
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};

use http_types::Method;
use serde_json::{Map, Value, json};

use crate::web::{
    Web,
    admission::{identification::Identification, principal::Principal},
    http::response::Response,
    reasons,
};
use crate::{
    ptz::{Destination, Motion, Outcome, Preset, PresetRef, PtzControl, PtzState, Steerer},
    text::{Code, Reason},
    time::timeout,
};

/// How long an answer waits for the camera: as long as a slow one may take to log in and answer.
const CAMERA_TIMEOUT: Duration = Duration::from_secs(8);

/// Length of the name of a preset, in bytes; longer ones are told shortened.
const MAX_PRESET_LEN: usize = 512;

const RIGHT: &str = "the body must be one of {\"pan\": 0.5, \"tilt\": 0, \"zoom\": 0}, {\"stop\": true}, \
                     {\"preset\": \"Door\"}, {\"preset\": 3} and {\"home\": true}";

/// What a body asks for.
#[derive(Debug, PartialEq)]
enum Word {
    Move(Motion),
    Stop,
    Go(Destination),
}

/// The answer to a request for the camera `id` with `body`.
pub async fn response(asked: &Identification<'_>, id: &str, body: &[u8], principal: &Principal) -> Response {
    let web = asked.web;
    if web.cameras(principal).channel(id).is_none() {
        return Response::error(404, "there is no camera with this name");
    }
    let Some(control) = web.ptz.get(id) else {
        return Response::error(409, "this camera is not steered: it has no ptz = true in cameras.toml");
    };
    let steerer = Steerer::new(principal.name(), asked.admitted.visitor.address);
    match asked.request.method() {
        Method::Get => {
            if control.are_presets_old(Instant::now()) {
                fetch_presets(web, &control).await;
            }
            let state = control.state(Instant::now());
            let mut told = as_json(&state, &steerer, principal);
            told["presets"] =
                state.presets.as_ref().map(|presets| presets.iter().map(preset).collect::<Value>()).into();
            Response::json(200, &told)
        }
        Method::Post => match asked.check_own_page() {
            Ok(()) => obey(web, id, &control, (&steerer, body), principal).await,
            Err(refused) => refused,
        },
        _ => Response::error(405, "a camera is steered with POST").header("Allow", "GET, POST"),
    }
}

/// Carries out the word in `body`.
async fn obey(
    web: &Web,
    id: &str,
    control: &Arc<PtzControl>,
    (steerer, body): (&Steerer, &[u8]),
    principal: &Principal,
) -> Response {
    let word = match word(body) {
        Ok(word) => word,
        Err(wrong) => return Response::error(400, wrong),
    };
    let now = Instant::now();
    let begins = control.state(now).by.is_none();
    let taken = match &word {
        Word::Move(motion) => control.steer(steerer, *motion, now).map(|()| None),
        Word::Stop => control.stop(steerer, now).map(|()| None),
        Word::Go(goto) => control.go(steerer, goto.clone(), now).map(Some),
    };
    let goto = match taken {
        Ok(goto) => goto,
        Err(other) => return Response::error(409, format!("{} steers this camera", other.name())),
    };
    if begins {
        log::info!("web: {} steers {id}", steerer.name());
    }
    if let Some(goto) = goto {
        match wait(web, || control.outcome(goto)).await {
            Some(Outcome::Done) => {}
            Some(Outcome::Replaced) => return Response::error(409, "something else was asked before it was done"),
            Some(Outcome::NoSuchPreset) => return Response::error(404, no_such_preset(control)),
            Some(Outcome::Failed(reason)) => {
                return Response::error(502, principal_text(principal, reason));
            }
            None => return Response::error(504, "the camera has not answered yet"),
        }
    }
    Response::json(200, &as_json(&control.state(Instant::now()), steerer, principal))
}

async fn fetch_presets(web: &Web, control: &PtzControl) {
    let question = control.want_presets();
    wait(web, || control.presets_answered(question).then_some(())).await;
}

/// Waits until `look` returns something, for a camera's time at most.
async fn wait<T>(web: &Web, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let changes = web.ptz.changes();
    let looked = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            if !changes.changed().await {
                pending::<()>().await;
            }
        }
    };
    let stopping = async {
        web.stopping().await;
        None
    };
    smol::future::or(timeout(CAMERA_TIMEOUT, looked), stopping).await
}

/// Who steers a camera, as every page that shows it is told; `own`: whether that is the page itself.
pub fn steered(camera: &str, by: Option<&Steerer>, own: bool) -> Value {
    json!({ "camera": camera, "by": by.map(Steerer::name), "own": own })
}

fn as_json(state: &PtzState, steerer: &Steerer, principal: &Principal) -> Value {
    let error = state.error.clone().map(|error| visible(principal, error));
    json!({
        "by": state.by.as_ref().map(Steerer::name),
        "own": state.by.as_ref() == Some(steerer),
        "moving": state.moving,
        "error": error.as_deref(),
        "reason": error.as_ref().map(reasons::as_json),
    })
}

/// What `principal` may know of an error. At least that something failed.
fn visible(principal: &Principal, error: Reason) -> Reason {
    let visible = principal.reason(error);
    if visible.parts().is_empty() { Code::NotMoved.into() } else { visible }
}

fn principal_text(principal: &Principal, error: Reason) -> String {
    visible(principal, error).to_string()
}

fn preset(preset: &Preset) -> Value {
    json!({ "number": preset.number, "name": preset.name, "token": preset.token })
}

fn no_such_preset(control: &PtzControl) -> String {
    const MAX_NAMED: usize = 16;
    let presets = control.state(Instant::now()).presets.unwrap_or_default();
    let names: Vec<_> =
        presets.iter().take(MAX_NAMED).map(|preset| format!("{} ({})", preset.name, preset.number)).collect();
    match (names.is_empty(), presets.len().saturating_sub(MAX_NAMED)) {
        (true, _) => "the camera has no presets".to_owned(),
        (false, 0) => format!("there is no such preset; there are {}", names.join(", ")),
        (false, more) => format!("there is no such preset; there are {} and {more} more", names.join(", ")),
    }
}

/// Reads the word in `body`.
fn word(body: &[u8]) -> Result<Word, String> {
    let parameters: Map<String, Value> =
        serde_json::from_slice(body).map_err(|error| format!("{RIGHT}; this is none: {error}"))?;
    let keys: Vec<_> = parameters.keys().map(String::as_str).collect();
    match keys[..] {
        ["stop"] if parameters["stop"] == true => Ok(Word::Stop),
        ["home"] if parameters["home"] == true => Ok(Word::Go(Destination::Home)),
        ["preset"] => preset_ref(&parameters["preset"]).map(|preset| Word::Go(Destination::Preset(preset))),
        [_, ..] if keys.iter().all(|key| ["pan", "tilt", "zoom"].contains(key)) => motion(&parameters).map(Word::Move),
        _ => Err(RIGHT.to_owned()),
    }
}

fn motion(parameters: &Map<String, Value>) -> Result<Motion, String> {
    let speed = |name: &str| parameters.get(name).map_or(Some(0.0), |speed| speed.as_f64().map(|speed| speed as f32));
    let motion = speed("pan").zip(speed("tilt")).zip(speed("zoom"));
    let motion = motion.and_then(|((pan, tilt), zoom)| Motion::new(pan, tilt, zoom));
    motion.ok_or_else(|| "pan, tilt and zoom must be numbers from -1 to 1".to_owned())
}

fn preset_ref(value: &Value) -> Result<PresetRef, String> {
    let name = value.as_str().filter(|name| !name.is_empty() && name.len() <= MAX_PRESET_LEN);
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    let found = name.map(|name| PresetRef::Name(name.to_owned())).or(number.map(PresetRef::Number));
    found.ok_or_else(|| "preset must be the name of a preset, or its number".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read() {
        let moves = |pan, tilt, zoom| Ok(Word::Move(Motion { pan, tilt, zoom }));
        for (body, wanted) in [
            (r#"{"pan":-1}"#, moves(-1.0, 0.0, 0.0)),
            (r#"{"pan":0.5,"tilt":-0.25,"zoom":1}"#, moves(0.5, -0.25, 1.0)),
            (r#"{"stop":true}"#, Ok(Word::Stop)),
            (r#"{"home":true}"#, Ok(Word::Go(Destination::Home))),
            (r#"{"preset":"Door"}"#, Ok(Word::Go(Destination::Preset(PresetRef::Name("Door".into()))))),
            (r#"{"preset":3}"#, Ok(Word::Go(Destination::Preset(PresetRef::Number(3))))),
        ] {
            assert_eq!(word(body.as_bytes()), wanted, "{body}");
        }
    }

    #[test]
    fn wrong_words_are_told_what_is_right() {
        let long = format!(r#"{{"preset":"{}"}}"#, "x".repeat(MAX_PRESET_LEN + 1));
        for (body, hint) in [
            ("", "must be one of"),
            ("[]", "must be one of"),
            ("{}", "must be one of"),
            (r#"{"stop":false}"#, "must be one of"),
            (r#"{"stop":true,"pan":1}"#, "must be one of"),
            (r#"{"left":1}"#, "must be one of"),
            (r#"{"pan":2}"#, "from -1 to 1"),
            (r#"{"pan":"1"}"#, "from -1 to 1"),
            (r#"{"preset":-1}"#, "name of a preset"),
            (r#"{"preset":""}"#, "name of a preset"),
            (long.as_str(), "name of a preset"),
        ] {
            let wrong = word(body.as_bytes()).unwrap_err();
            assert!(wrong.contains(hint), "{body}: {wrong}");
        }
    }
}
