//! The control port: sets faults and returns counters, for curl and for tests.

use std::{
    net::{IpAddr, SocketAddr, TcpListener},
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Instant,
};

use serde_json::{Value, json};

use crate::{
    camera::Camera,
    discovery::Discovery,
    faults::{Refusal, value},
    http::{self, Request, Response},
    rtsp::Rtsp,
};

/// A running camera with its servers.
pub struct Running {
    pub camera: Arc<Camera>,
    pub rtsp: Rtsp,
    pub onvif: http::Server,
    pub discovery: Discovery,
}

/// Starts the control port for these cameras.
pub fn start(address: SocketAddr, cameras: Arc<[Running]>) -> std::io::Result<http::Server> {
    http::Server::start(address, move |request| answer(&cameras, request))
}

fn answer(cameras: &[Running], request: &Request) -> Response {
    let mut words = request.path().split('/').filter(|word| !word.is_empty());
    let (id, fault, more) = (words.next(), words.next(), words.next());
    let find = |id: &str| cameras.iter().find(|running| running.camera.settings.id == id);
    match (request.method.as_str(), id, fault, more) {
        ("GET", None, ..) => {
            let all = cameras.iter().map(|running| (running.camera.settings.id.clone(), report(&running.camera)));
            rendered(&Value::Object(all.collect()))
        }
        ("GET", Some(id), None, _) => match find(id) {
            Some(running) => rendered(&report(&running.camera)),
            None => error(404, "no camera of this id"),
        },
        ("POST", Some(id), Some(fault), None) => match find(id) {
            Some(running) => match running.set(fault, request) {
                Ok(()) => rendered(&report(&running.camera)),
                Err((status, complaint)) => error(status, complaint),
            },
            None => error(404, "no camera of this id"),
        },
        ("GET" | "POST", ..) => error(404, "GET /, GET /<id> or POST /<id>/<fault>"),
        _ => error(405, "GET or POST"),
    }
}

impl Running {
    /// Returns when the fault is active, except that closing and freezing connections may take the
    /// serving thread another moment.
    fn set(&self, fault: &str, request: &Request) -> Result<(), Refusal> {
        let camera = &self.camera;
        let query = request.target.split_once('?').map_or("", |(_, query)| query);
        match fault {
            "move" => {
                let ip = value(query, "ip").and_then(|ip| ip.parse::<IpAddr>().ok());
                let ip = ip.filter(IpAddr::is_ipv4).ok_or((400, "move?ip=ADDRESS with an IPv4 address"))?;
                TcpListener::bind((ip, 0)).map_err(|_| (409, "this machine does not have that address"))?;
                camera.set_ip(ip);
            }
            "skew" => {
                let seconds = value(query, "seconds").and_then(|seconds| seconds.parse().ok());
                camera.set_skew_s(seconds.ok_or((400, "skew?seconds=N with a whole number"))?);
            }
            "event" => {
                let parameter = |key: &str| query.split('&').find_map(|pair| value(pair, key)).map(str::to_owned);
                let made = camera.events.make(camera, parameter);
                made.map_err(|right| (400, right))?;
            }
            "forget-events" => camera.events.forget(),
            "resume" => {
                camera.set_skew_s(camera.settings.skew);
                camera.change_faults(|faults| *faults = faults.resumed());
            }
            _ => {
                let mut begun = Ok(());
                camera.change_faults(|faults| begun = faults.begin(fault, query, &camera.settings));
                begun?;
            }
        }
        self.rtsp.follow_faults();
        let (faults, ip) = (camera.faults(), camera.place().ip);
        let onvif = (|| {
            if self.onvif.address().ip() != ip {
                self.onvif.move_to(ip)?;
            }
            self.onvif.set_open(!faults.refuse && !faults.onvif_down)
        })();
        onvif.map_err(|_| (500, "the ONVIF port cannot be opened or closed"))?;
        self.discovery.follow().map_err(|_| (500, "discovery cannot follow"))
    }
}

fn report(camera: &Camera) -> Value {
    let (counters, faults) = (&camera.counters, camera.faults());
    let streams = counters.streams.lock().expect("counting does not panic");
    let (pull_points, pull_points_made) = camera.events.counts();
    let stream =
        |name| json!({ "sessions": streams.open(name), "opened": streams.opened(name), "most": streams.most(name) });
    let proofs = counters.proofs.lock().expect("counting does not panic").clone();
    json!({
        "ip": camera.place().ip.to_string(),
        "endpoint": camera.endpoint,
        "sessions": counters.sessions.load(Ordering::Relaxed),
        "sessions_opened": counters.sessions_opened.load(Ordering::Relaxed),
        "streams": { "main": stream("main"), "small": stream("small") },
        "sounds_opened": counters.sounds_opened.load(Ordering::Relaxed),
        "teardowns": counters.teardowns.load(Ordering::Relaxed),
        "key_frame_requests": counters.key_frame_requests.load(Ordering::Relaxed),
        "frames": counters.frames.load(Ordering::Relaxed),
        "handshakes": counters.handshakes.load(Ordering::Relaxed),
        "decrypted": counters.decrypted.load(Ordering::Relaxed),
        "plain_requests": counters.plain_requests.load(Ordering::Relaxed),
        "plain_proofs": counters.plain_proofs.load(Ordering::Relaxed),
        "failed_logins": counters.failed_logins.load(Ordering::Relaxed),
        "proofs": proofs.values().sum::<u64>(),
        "proofs_by_kind": proofs,
        "onvif": *counters.operations.lock().expect("counting does not panic"),
        "pull_points": pull_points,
        "pull_points_made": pull_points_made,
        "ptz": camera.settings.ptz.map(|_| {
            camera.mount.lock().unwrap_or_else(PoisonError::into_inner).report(Instant::now())
        }),
        "skew": camera.skew_s(),
        "faults": faults.standing(),
    })
}

fn rendered(value: &Value) -> Response {
    Response::new(200, "application/json", format!("{value}\n"))
}

fn error(status: u16, complaint: &str) -> Response {
    Response::new(status, "application/json", format!("{}\n", json!({ "error": complaint })))
}
