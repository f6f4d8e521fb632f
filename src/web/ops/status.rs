//! `/api/cameras` and `/healthz`.

use std::time::{Duration, Instant, SystemTime};

use serde_json::{Map, Value, json};

use crate::web::{
    Web,
    http::{metadata::Metadata, response::Response},
    ops::self_usage,
    reasons,
    stream::frame::unix_now,
    visitor::{Visitor, proxy_mistakes},
};
use crate::{
    camera::CameraId,
    hub::{ProfileStatus, Reception, RenditionStatus, Status},
    log,
    media::Size,
    proc,
    sandbox::SandboxPart,
};

/// Every camera in the order of the configuration.
pub fn cameras(web: &Web, metadata: &Metadata, visitor: &Visitor) -> Response {
    let now = Instant::now();
    let reload = web.agent_status.reload();
    let cameras: Vec<_> = web.hub.channels().iter().map(|channel| camera(web, &channel.status(now), now)).collect();
    Response::json(
        200,
        &json!({
            "version": web.version,
            "pid": std::process::id(),
            "now": unix_now() / 1_000_000,
            "uptime": seconds(web.started.elapsed()),
            "viewers": web.viewers(),
            "runs_as_root": proc::runs_as_root(),
            "agent": self_usage::usage().map(agent),
            "connections": web.admission.connections(),
            "limits": limits(web),
            "tls": tls(web, visitor),
            "refused": web.admission.refused().into_iter().map(|(name, count)| (name.to_owned(), json!(count))).collect::<Map<_, _>>(),
            "log_lines_lost": log::lost(),
            "complaints": complaints(web, metadata),
            "reload": {
                "asked": reload.asked,
                "count": reload.count,
                "taken": reload.taken,
                "outcome": reload.outcome,
            },
            "walls": web.walls.as_json(),
            "cameras": cameras,
        }),
    )
}

/// The mistakes in the configuration, and those of the proxy that passed this request on.
fn complaints(web: &Web, metadata: &Metadata) -> Vec<String> {
    web.agent_status.complaints().into_iter().chain(proxy_mistakes(metadata)).collect()
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

fn camera(web: &Web, status: &Status, now: Instant) -> Value {
    let (units, bytes) = status.gop_cache;
    let failures: Map<_, _> =
        status.failures.iter().map(|(cause, count)| (cause.as_str().to_owned(), json!(count))).collect();
    json!({
        "id": status.id.as_str(),
        "name": status.name,
        "state": status.condition.state.as_str(),
        "why": &*status.condition.why,
        "reason": reasons::as_json(&status.condition.why),
        "since": seconds(status.since),
        "address": status.place.as_ref().map(|place| &place.address),
        "profile": status.place.as_ref().and_then(|place| place.profile.as_ref()),
        "age": status.age.map(seconds),
        "codec": status.stream.map(|stream| stream.codec.as_str()),
        "size": status.stream.map(|stream| size(stream.size)),
        "fps": rounded(status.measured_fps, 10.0),
        "bitrate": status.bitrate.round() as u64,
        "frames": status.frames,
        "bytes": status.bytes,
        "reconnects": status.reconnects,
        "stalls": status.stalls,
        "key_frame_requests": status.key_frame_requests,
        "failures": failures,
        "viewers": status.viewers,
        "streams": web.streams.as_json(status.id.as_str(), now),
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
        "profiles": status.profiles.iter().map(profile).collect::<Vec<_>>(),
        "worker": worker(status),
        "group": { "units": units, "bytes": bytes },
        "reception": status.reception.map(reception),
    })
}

/// One of two streams of a camera.
fn profile(profile: &ProfileStatus) -> Value {
    let status = &profile.status;
    json!({
        "stream": profile.stream,
        "profile": status.place.as_ref().and_then(|place| place.profile.as_ref()),
        "state": if profile.idle { "resting" } else { status.condition.state.as_str() },
        "why": &*status.condition.why,
        "reason": reasons::as_json(&status.condition.why),
        "codec": status.stream.map(|stream| stream.codec.as_str()),
        "size": status.stream.map(|stream| size(stream.size)),
        "fps": rounded(status.measured_fps, 10.0),
        "bitrate": status.bitrate.round() as u64,
        "viewers": status.viewers,
        "reconnects": status.reconnects,
        "key_frame_requests": status.key_frame_requests,
        "worker": worker(status),
        "reception": status.reception.map(reception),
    })
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
        "connections": bounds.connections.min(bounds.descriptors),
        "connections_per_address": bounds.connections_per_address,
    })
}

/// 200 while every supervisor meets its heartbeat deadline. A dead camera that is shown as such is
/// healthy.
pub fn health(web: &Web) -> Response {
    let now = Instant::now();
    let overdue_supervisors = web.hub.overdue_supervisors(web.limits.heartbeat_late, now);
    let ok = overdue_supervisors.is_empty();
    let mut body = json!({ "ok": ok, "cameras": web.hub.channels().len(), "viewers": web.viewers() });
    if !ok {
        let names: Vec<_> = overdue_supervisors.iter().map(|(id, _)| id.as_str()).collect();
        let late = |(id, late): &(CameraId, Duration)| json!({ "id": id.as_str(), "late": seconds(*late) });
        body["error"] = json!(format!("nobody looks after: {}", names.join(", ")));
        body["late"] = overdue_supervisors.iter().map(late).collect();
    }
    Response::json(if ok { 200 } else { 503 }, &body)
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
