//! `/api/cameras`, `/api/users` and `/healthz`.

use std::time::{Duration, Instant, SystemTime};

use serde_json::{Map, Value, json};

use crate::web::{
    Web,
    admission::principal::{Principal, rights},
    http::{metadata::Metadata, response::Response},
    ops::self_usage,
    reasons,
    stream::frame::unix_now,
    visitor::{Visitor, proxy_mistakes},
    wall::scene::{Scene, Until},
};
use crate::{
    account::{Credential, Seen},
    camera::CameraId,
    hub::{ProfileStatus, Reception, RenditionStatus, Status},
    log,
    media::Size,
    proc,
    sandbox::SandboxPart,
    users::Overview,
};

/// What a principal without the right to details is told of the agent, of a camera and of one of its
/// streams. Everything else is a detail, also what will be added.
const WITHOUT_DETAILS: [&str; 7] = ["version", "now", "uptime", "complaints", "walls", "user", "cameras"];
const CAMERA_WITHOUT_DETAILS: [&str; 20] = [
    "id",
    "name",
    "state",
    "why",
    "reason",
    "since",
    "age",
    "codec",
    "as_jpeg",
    "size",
    "display",
    "fps",
    "viewers",
    "streams",
    "untouched",
    "profiles",
    "ptz",
    "may_steer",
    "sound",
    "may_listen",
];
const PROFILE_WITHOUT_DETAILS: [&str; 9] =
    ["stream", "state", "why", "reason", "codec", "size", "display", "fps", "viewers"];

/// Every camera that exists for `principal`, in the order of the configuration.
pub fn cameras(web: &Web, metadata: &Metadata, visitor: &Visitor, principal: &Principal) -> Response {
    let now = Instant::now();
    let reload = web.agent_status.reload();
    let channels = web.cameras(principal).channels();
    let cameras: Vec<_> = channels.iter().map(|channel| camera(web, &channel.status(now), principal, now)).collect();
    let mut answer = json!({
        "version": web.version,
        "pid": std::process::id(),
        "now": unix_now() / 1_000_000,
        "uptime": seconds(web.started.elapsed()),
        "user": principal.as_json(),
        "viewers": web.viewers(),
        "runs_as_root": proc::runs_as_root(),
        "agent": self_usage::usage().map(agent),
        "connections": web.admission.connections(),
        "limits": limits(web),
        "tls": tls(web, visitor),
        "refused": web.admission.refused().into_iter().map(|(name, count)| (name.to_owned(), json!(count))).collect::<Map<_, _>>(),
        "log_lines_lost": log::lost(),
        "complaints": complaints(web, metadata, principal),
        "reload": {
            "asked": reload.asked,
            "count": reload.count,
            "taken": reload.taken,
            "outcome": reload.outcome,
        },
        "walls": web.walls.as_json(principal, visitor.is_loopback),
        "scenes": scenes(web, principal),
        "cameras": cameras,
    });
    if !principal.rights().details {
        keep(&mut answer, &WITHOUT_DETAILS);
    }
    Response::json(200, &answer)
}

/// Removes all members of an object but those named.
fn keep(object: &mut Value, names: &[&str]) {
    if let Some(object) = object.as_object_mut() {
        object.retain(|name, _| names.contains(&name.as_str()));
    }
}

/// `/api/users`: all accounts, for a principal from which nothing is kept.
pub fn users(web: &Web) -> Response {
    let user = |user: Overview| {
        let Overview { account, last_seen, sessions } = user;
        let since = last_seen.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        json!({
            "name": account.name,
            "may": rights(account.rights),
            "cameras": match &account.cameras {
                Seen::All => Value::Null,
                Seen::Only(ids) => json!(ids),
            },
            "login": match account.credential {
                Credential::Password(_) => "password",
                Credential::Token(_) => "token",
            },
            "last_seen": since.map(|since| since.as_secs()),
            "sessions": sessions,
        })
    };
    Response::json(200, &json!({ "users": web.users.overview().into_iter().map(user).collect::<Vec<_>>() }))
}

/// What walls show in the place of their settings.
fn scenes(web: &Web, principal: &Principal) -> Value {
    let now = Instant::now();
    let seen = web.scenes.all().into_iter().filter(|(name, _)| web.walls.view(name, principal).is_some());
    seen.map(|(name, scene)| json!({ "name": name, "scene": scene.as_json(principal, now) })).collect()
}

/// The walls that are dark because a timetable says so, and until when.
fn dark(web: &Web, principal: &Principal) -> Value {
    let now = Instant::now();
    let is_dark = |(name, scene): &(String, Scene)| {
        scene.is_off && !web.call_ups.of(name, now).is_lit() && web.walls.view(name, principal).is_some()
    };
    let dark = web.scenes.all().into_iter().filter(is_dark);
    dark.map(|(name, scene)| json!({ "wall": name, "until": scene.until.map(Until::time) })).collect()
}

/// The mistakes in the configuration, which are details, and those of the proxy that passed this
/// request on.
fn complaints(web: &Web, metadata: &Metadata, principal: &Principal) -> Vec<String> {
    let own = if principal.rights().details { web.agent_status.complaints() } else { Vec::new() };
    own.into_iter().chain(proxy_mistakes(metadata)).collect()
}

/// The certificate; `null` before there is one. The page on this machine's own screen shows its
/// fingerprint for the first minute, for a person who is about to open the wall elsewhere.
fn tls(web: &Web, visitor: &Visitor) -> Option<Value> {
    let certificate = web.tls.certificate()?;
    Some(json!({
        "fingerprint": certificate.fingerprint,
        "own": certificate.is_own,
        "announced": visitor.is_loopback && web.started.elapsed() < web.limits.announced,
        "expires": certificate.expires_in(SystemTime::now()),
    }))
}

fn camera(web: &Web, status: &Status, principal: &Principal, now: Instant) -> Value {
    let why = principal.reason(status.condition.why.clone());
    let (units, bytes) = status.gop_cache;
    let failures: Map<_, _> =
        status.failures.iter().map(|(cause, count)| (cause.as_str().to_owned(), json!(count))).collect();
    let mut answer = json!({
        "id": status.id.as_str(),
        "name": status.name,
        "state": status.condition.state.as_str(),
        "why": &*why,
        "reason": reasons::as_json(&why),
        "since": seconds(status.since),
        "address": status.place.as_ref().map(|place| &place.address),
        "profile": status.place.as_ref().and_then(|place| place.profile.as_ref()),
        "tls_key": status.place.as_ref().and_then(|place| place.tls_key).map(|key| key.to_string()),
        "age": status.age.map(seconds),
        "codec": status.stream.map(|stream| stream.codec.as_str()),
        "as_jpeg": reasons::as_json(&reasons::as_jpeg(status.stream, status.passthrough)),
        "size": status.stream.map(|stream| size(stream.size)),
        "display": status.stream.map(|stream| size(stream.display_size())),
        "fps": rounded(status.measured_fps, 10.0),
        "bitrate": status.bitrate.round() as u64,
        "frames": status.frames,
        "bytes": status.bytes,
        "reconnects": status.reconnects,
        "stalls": status.stalls,
        "key_frame_requests": status.key_frame_requests,
        "failures": failures,
        "viewers": status.viewers,
        "streams": web.streams.as_json(status.id.as_str(), principal, now),
        "untouched": status.untouched,
        "skipped": status.skipped,
        "refused": status.refused,
        "decoding": status.decoding,
        "last_error": status.last_error.as_deref(),
        "last_error_reason": status.last_error.as_ref().map(reasons::as_json),
        "last_error_age": status.last_error_age.map(seconds),
        "last_live_age": status.last_live_age.map(seconds),
        "live_seconds": seconds(status.live),
        "known_seconds": seconds(status.known),
        "availability": availability(status),
        "renditions": status.renditions.iter().map(rendition).collect::<Vec<_>>(),
        "profiles": status.profiles.iter().map(|status| profile(status, principal)).collect::<Vec<_>>(),
        "worker": worker(status),
        "group": { "units": units, "bytes": bytes },
        "reception": status.reception.map(reception),
    });
    if let Some(events) = &status.events {
        let why = &events.why;
        let state = events.state.as_str();
        answer["events"] =
            json!({ "state": state, "why": &**why, "reason": reasons::as_json(why), "count": events.count });
    }
    let has_ptz = web.ptz.get(status.id.as_str()).is_some();
    answer["ptz"] = json!(has_ptz);
    answer["may_steer"] = json!(has_ptz && principal.rights().ptz);
    let has_sound = web.sounds.get(status.id.as_str()).is_some();
    answer["sound"] = json!(has_sound);
    answer["may_listen"] = json!(has_sound && principal.rights().listen);
    if !principal.rights().details {
        keep(&mut answer, &CAMERA_WITHOUT_DETAILS);
    }
    answer
}

/// One of two streams of a camera.
fn profile(profile: &ProfileStatus, principal: &Principal) -> Value {
    let status = &profile.status;
    let why = principal.reason(status.condition.why.clone());
    let mut answer = json!({
        "stream": profile.stream,
        "profile": status.place.as_ref().and_then(|place| place.profile.as_ref()),
        "state": if profile.idle { "resting" } else { status.condition.state.as_str() },
        "why": &*why,
        "reason": reasons::as_json(&why),
        "codec": status.stream.map(|stream| stream.codec.as_str()),
        "size": status.stream.map(|stream| size(stream.size)),
        "display": status.stream.map(|stream| size(stream.display_size())),
        "fps": rounded(status.measured_fps, 10.0),
        "bitrate": status.bitrate.round() as u64,
        "viewers": status.viewers,
        "reconnects": status.reconnects,
        "key_frame_requests": status.key_frame_requests,
        "worker": worker(status),
        "reception": status.reception.map(reception),
    });
    if !principal.rights().details {
        keep(&mut answer, &PROFILE_WITHOUT_DETAILS);
    }
    answer
}

fn reception(reception: Reception) -> Value {
    json!({
        "packets": reception.packets,
        "lost": reception.lost,
        "late": reception.late,
        "foreign": reception.foreign,
        "resyncs": reception.resyncs,
        "jitter": rounded(reception.jitter.as_secs_f64(), 1e6),
        "damaged_frames": reception.damaged_units,
        "waiting_for_key_frame": reception.waiting_for_key_frame.map(seconds),
        "camera_clock": reception.camera_clock.map(|ahead| ahead as f64 / 1000.0),
    })
}

fn rendition(status: &RenditionStatus) -> Value {
    json!({
        "size": size(status.rendition.size),
        "quality": status.rendition.quality,
        "fps": status.rendition.fps,
        "viewers": status.viewers,
        "encodes": status.encodes,
    })
}

fn worker(status: &Status) -> Option<Value> {
    let vitals = status.worker?;
    Some(json!({
        "pid": vitals.pid,
        "cpu_seconds": seconds(vitals.cpu),
        "cpu": status.worker_share.map(|share| rounded(share, 1000.0)),
        "memory_bytes": vitals.resident,
        "own_memory_bytes": vitals.own,
        "sandbox": status.sandbox.map(|sandbox| sandbox.level().as_str()),
        "sandbox_missing": status.sandbox.map(|sandbox| sandbox.missing().map(SandboxPart::as_str).collect::<Vec<_>>()),
    }))
}

/// The fraction of the time on the wall for which the camera was live.
pub fn availability(status: &Status) -> Option<f64> {
    let known = status.known.as_secs_f64();
    (known > 0.0).then(|| rounded(status.live.as_secs_f64() / known, 1e6))
}

fn agent(usage: self_usage::Usage) -> Value {
    json!({
        "cpu_seconds": seconds(usage.cpu),
        "memory_bytes": usage.resident,
        "threads": usage.threads,
        "descriptors": usage.descriptors,
        "most_descriptors": usage.most_descriptors,
    })
}

/// The limits for new clients.
fn limits(web: &Web) -> Value {
    let bounds = web.admission.bounds();
    json!({
        "viewers": bounds.viewers,
        "viewers_per_address": bounds.viewers_per_address,
        "connections": bounds.connections.min(bounds.descriptors),
        "connections_per_address": bounds.connections_per_address,
    })
}

/// 200 while every supervisor meets its heartbeat deadline. A dead camera that is shown as such is
/// healthy. Only who may see details is told more than that.
pub fn health(web: &Web, principal: Option<&Principal>) -> Response {
    let now = Instant::now();
    let ok = web.is_healthy(now);
    let mut body = json!({ "ok": ok });
    if let Some(principal) = principal.filter(|principal| principal.rights().details) {
        let cameras = web.cameras(principal);
        body["cameras"] = json!(cameras.channels().len());
        body["viewers"] = json!(web.viewers());
        body["dark"] = dark(web, principal);
        let overdue_supervisors = cameras.overdue_supervisors(web.limits.heartbeat_late, now);
        if overdue_supervisors.is_empty() {
            return health_response(ok, &body);
        }
        let names: Vec<_> = overdue_supervisors.iter().map(|(id, _)| id.as_str()).collect();
        let late = |(id, late): &(CameraId, Duration)| json!({ "id": id.as_str(), "late": seconds(*late) });
        body["error"] = json!(format!("nobody looks after: {}", names.join(", ")));
        body["late"] = overdue_supervisors.iter().map(late).collect();
    }
    health_response(ok, &body)
}

fn health_response(ok: bool, body: &Value) -> Response {
    Response::json(if ok { 200 } else { 503 }, body)
}

fn size(size: Size) -> [u32; 2] {
    [size.width, size.height]
}

/// Seconds with three decimals.
fn seconds(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64(), 1000.0)
}

fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}
