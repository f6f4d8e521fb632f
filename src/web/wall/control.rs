//! `/api/wall` and `/api/walls/NAME`: what a wall shows and why, and what it is told to show for a while.

use std::time::{Duration, Instant};

use http_types::Method;
use serde_json::{Map, Value, json};

use crate::web::{
    Web,
    admission::{identification::Identification, principal::Principal},
    http::response::Response,
    visible_cameras::VisibleCameras,
    wall::{order::Order, scene::Scene, wall_settings::WallView},
};
use crate::{
    call_ups::{CallUp, CallUps, Emphasis, MAX_TIME, USUAL_TIME, WallCallUps},
    camera::CameraId,
    config::LAYOUTS,
    text::counted,
};

/// The state of the wall `name`; the one without a name has an empty one.
pub fn state(web: &Web, name: &str, principal: &Principal) -> Response {
    match web.walls.view(name, principal) {
        Some(wall) => Response::json(200, &wall_state(web, name, &wall, principal)),
        None => unknown(name),
    }
}

fn wall_state(web: &Web, name: &str, wall: &WallView, principal: &Principal) -> Value {
    let now = Instant::now();
    let told = Told::of(web, name, now);
    let mut state = told.as_json(principal, now);
    state["why"] = json!(told.why());
    state["name"] = json!(name);
    state["cameras"] = json!(wall.cameras);
    if let Some(object) = state.as_object_mut() {
        object.entry("layout").or_insert(json!({ "layout": wall.layout }));
    }
    state
}

/// What a wall is told: by somebody, and by its timetable and tour.
#[derive(PartialEq)]
pub struct Told {
    call_ups: WallCallUps,
    scene: Option<Scene>,
}

impl Told {
    /// What the wall `name` is told at `now`.
    pub fn of(web: &Web, name: &str, now: Instant) -> Self {
        Self { call_ups: web.call_ups.of(name, now), scene: web.scenes.of(name) }
    }

    /// It, as far as `principal` may see the cameras. `seconds` is the time that is left.
    pub fn as_json(&self, principal: &Principal, now: Instant) -> Value {
        let mut value = call_ups(&self.call_ups, principal, now);
        if let Some(scene) = &self.scene {
            value["scene"] = scene.as_json(principal, now);
        }
        value
    }

    /// What decides which cameras are shown.
    fn why(&self) -> &'static str {
        match &self.scene {
            _ if self.call_ups.is_lit() => "call_up",
            Some(scene) => scene.cause.as_str(),
            None => "file",
        }
    }
}

fn call_ups(told: &WallCallUps, principal: &Principal, now: Instant) -> Value {
    let left = |until: Instant| (until.saturating_duration_since(now).as_secs_f64() * 10.0).ceil() / 10.0;
    let of = |is_shown: bool| {
        let seen =
            |call_up: &&CallUp| call_up.emphasis.is_large() == is_shown && principal.sees(call_up.camera.as_str());
        let cameras = told.cameras.iter().filter(seen).map(|call_up| {
            let CallUp { number, camera, since, until, by, emphasis } = call_up;
            let mut told = json!({ "camera": camera.as_str(), "seconds": left(*until), "by": by, "number": number });
            match emphasis {
                Emphasis::Sounded => told["sound"] = json!(true),
                Emphasis::LookedBack => {
                    told["look_back"] = json!(now.saturating_duration_since(*since).as_secs_f64().round());
                }
                Emphasis::Shown | Emphasis::Marked => {}
            }
            told
        });
        cameras.collect::<Value>()
    };
    let mut value = json!({ "shown": of(true), "marked": of(false) });
    if let Some(layout) = &told.layout {
        value["layout"] = json!({ "layout": layout.layout, "seconds": left(layout.until), "by": layout.by });
    }
    value
}

/// Carries out `order`, whose parameters are in `body`, for the wall `name`.
pub fn obey(asked: &Identification<'_>, name: &str, order: Order, body: &[u8], principal: &Principal) -> Response {
    if asked.request.method() != Method::Post {
        return Response::error(405, "a wall is told something with POST").header("Allow", "POST");
    }
    if let Err(refused) = asked.check_own_page() {
        return refused;
    }
    let web = asked.web;
    let by = principal.name().map_or_else(|| asked.admitted.visitor.address.to_string(), str::to_owned);
    let Some(wall) = web.walls.view(name, principal) else { return unknown(name) };
    match tell_wall(web, (name, &wall), order, body, principal, &by) {
        Ok(()) => Response::json(200, &wall_state(web, name, &wall, principal)),
        Err((status, wrong)) => Response::error(status, wrong),
    }
}

fn tell_wall(
    web: &Web,
    (name, wall): (&str, &WallView),
    order: Order,
    body: &[u8],
    principal: &Principal,
    by: &str,
) -> Result<(), (u16, String)> {
    let camera = |value: &Value| wall_camera(&web.cameras(principal), wall, value);
    let done = carry_out(&web.call_ups, name, (order, body), camera, by)?;
    let wall_text = if name.is_empty() { "the wall".to_owned() } else { format!("the wall {name}") };
    log::info!("web: {wall_text} {done}, as {by} wants");
    Ok(())
}

impl Web {
    /// Tells the wall `name`, the one without a name by an empty one, to `show`, `mark`, have another `layout` or
    /// `clear`, with the parameters of the HTTP request of that name in `body`, as the machine itself wants. `by` names
    /// who asked it.
    ///
    /// # Errors
    /// What would be right.
    pub fn tell_wall(&self, name: &str, order: &str, body: &[u8], by: &str) -> Result<(), String> {
        let order = Order::of(order).ok_or("a wall can be told show, mark, layout and clear")?;
        let principal = Principal::machine();
        let Some(wall) = self.walls.view(name, &principal) else {
            return Err("there is no wall with this name; write it below [wall.NAME] in cameras.toml".to_owned());
        };
        tell_wall(self, (name, &wall), order, body, &principal, by).map_err(|(_, wrong)| wrong)
    }

    /// What the wall `name` is told now, with all cameras; `None`: there is no such wall.
    pub fn wall_is_told(&self, name: &str) -> Option<Value> {
        let principal = Principal::machine();
        self.walls.view(name, &principal)?;
        let now = Instant::now();
        Some(call_ups(&self.call_ups.of(name, now), &principal, now))
    }
}

fn carry_out(
    call_ups: &CallUps,
    name: &str,
    (order, body): (Order, &[u8]),
    camera_of: impl Fn(&Value) -> Result<CameraId, (u16, String)>,
    by: &str,
) -> Result<String, (u16, String)> {
    let bad = |wrong: String| (400, wrong);
    let parameters = parameters(body).map_err(bad)?;
    let known: &[&str] = match order {
        Order::Show => &["camera", "seconds", "look_back"],
        Order::Mark => &["camera", "seconds"],
        Order::Layout => &["layout", "seconds"],
        Order::Clear => &["camera"],
    };
    if let Some(other) = parameters.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(bad(format!("{other:?} is not known here; known are {}", known.join(" and "))));
    }
    let time = seconds(&parameters).map_err(bad)?;
    let camera = parameters.get("camera").map(camera_of).transpose()?;
    let now = Instant::now();
    let needed = || bad("camera is missing, like {\"camera\": \"gate\", \"seconds\": 30}".to_owned());
    Ok(match order {
        Order::Show | Order::Mark => {
            let camera = camera.ok_or_else(needed)?;
            let (emphasis, verb) = match (order, parameters.get("look_back")) {
                (Order::Mark, _) => (Emphasis::Marked, "marks"),
                (_, None | Some(Value::Bool(false))) => (Emphasis::Shown, "shows"),
                (_, Some(Value::Bool(true))) => (Emphasis::LookedBack, "looks back at"),
                (_, Some(_)) => return Err(bad("look_back must be true or false".to_owned())),
            };
            let text = format!("{verb} {camera} for {:.0} s", time.as_secs_f64());
            call_ups.add(name, camera, emphasis, time, by, now);
            text
        }
        Order::Layout => {
            let word = parameters.get("layout").and_then(Value::as_str).unwrap_or_default();
            let Some(layout) = LAYOUTS.iter().find(|layout| **layout == word) else {
                return Err(bad(format!("layout must be one of {}", LAYOUTS.join(", "))));
            };
            call_ups.set_layout(name, layout, time, by, now);
            format!("has the layout {layout} for {:.0} s", time.as_secs_f64())
        }
        Order::Clear => {
            let ended = call_ups.clear(name, camera.as_ref(), now);
            format!("ends {}", counted(ended as u64, "call-up"))
        }
    })
}

/// The object in `body`; an empty body is an empty one.
fn parameters(body: &[u8]) -> Result<Map<String, Value>, String> {
    if body.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    let right = "the body must be an object of JSON, like {\"camera\": \"gate\", \"seconds\": 30}";
    match serde_json::from_slice(body) {
        Ok(Value::Object(parameters)) => Ok(parameters),
        Ok(_) => Err(right.to_owned()),
        Err(error) => Err(format!("{right}: {error}")),
    }
}

fn seconds(parameters: &Map<String, Value>) -> Result<Duration, String> {
    let Some(value) = parameters.get("seconds") else { return Ok(USUAL_TIME) };
    let most = MAX_TIME.as_secs();
    let seconds = value.as_f64().filter(|seconds| (1.0..=most as f64).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| format!("seconds must be from 1 to {most}"))
}

/// The camera named by `value`, if it is on the wall and among `cameras`.
fn wall_camera(cameras: &VisibleCameras, wall: &WallView, value: &Value) -> Result<CameraId, (u16, String)> {
    let name = value.as_str().ok_or((400, "camera must be a text".to_owned()))?;
    let unknown = || (404, "there is no camera with this name".to_owned());
    let id = CameraId::new(name).ok_or_else(unknown)?;
    let _known = cameras.channel(name).ok_or_else(unknown)?;
    match &wall.cameras {
        Some(cameras) if !cameras.iter().any(|camera| camera == name) => {
            Err((404, "this camera is not on that wall".to_owned()))
        }
        _ => Ok(id),
    }
}

fn unknown(name: &str) -> Response {
    if name.is_empty() {
        return Response::error(404, "there is no wall for this user");
    }
    Response::error(404, "there is no wall with this name; write it below [wall.NAME] in cameras.toml")
}
