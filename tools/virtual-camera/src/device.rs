//! The camera's ONVIF device: receives requests, checks logins, and passes calls to the services.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use crate::{
    authentication::{Authentication, Refusal},
    camera::{Camera, count},
    events,
    http::{Request, Response},
    media, ptz, services, snapshot,
    soap::{self, Call, Fault},
    stream::Stream,
};

pub const DEVICE_PATH: &str = "/onvif/device_service";
pub const MEDIA_PATH: &str = "/onvif/media_service";
pub const MEDIA2_PATH: &str = "/onvif/media2_service";
pub const PTZ_PATH: &str = "/onvif/ptz_service";
const SNAPSHOT_PATH: &str = "/snapshot";
const TOKEN: &[u8] = b"UsernameToken";

/// ONVIF's access class PRE_AUTH: answered without a login, as clients need it before they log in.
const PRE_AUTH: [&str; 7] = [
    "GetSystemDateAndTime",
    "GetServices",
    "GetServiceCapabilities",
    "GetCapabilities",
    "GetHostname",
    "GetEndpointReference",
    "GetWsdlUrl",
];

pub struct Device {
    pub camera: Arc<Camera>,
    pub profiles: Vec<Profile>,
    rtsp_port: u16,
    /// The streams are given as `rtsps`.
    tls: bool,
    authentication: Authentication,
}

/// One stream as ONVIF describes it.
pub struct Profile {
    pub token: &'static str,
    pub name: &'static str,
    /// RTSP path.
    pub path: &'static str,
    pub stream: Arc<Stream>,
}

impl Device {
    pub fn new(camera: Arc<Camera>, profiles: Vec<Profile>, rtsp_port: u16, tls: bool) -> Self {
        Self { camera, profiles, rtsp_port, tls, authentication: Authentication::default() }
    }

    pub fn stream_uri(&self, host: IpAddr, profile: &Profile) -> String {
        let scheme = if self.tls { "rtsps" } else { "rtsp" };
        format!("{scheme}://{}{}", SocketAddr::new(host, self.rtsp_port), profile.path)
    }

    pub fn snapshot_uri(&self, reached: SocketAddr, profile: &Profile) -> String {
        format!("http://{reached}{SNAPSHOT_PATH}{}", profile.path)
    }

    /// Answers one HTTP request in clear text, of a camera that has ONVIF over TLS at `https`, too.
    pub fn answer_in_clear_text(&self, request: &Request, https: SocketAddr) -> Response {
        count(&self.camera.counters.plain_requests);
        if has_proof(request) {
            count(&self.camera.counters.plain_proofs);
        }
        if self.camera.faults().https_redirect {
            let mut response = Response::new(301, "text/html", "<html><body>301 Moved Permanently</body></html>");
            response.headers = vec![("Location", format!("https://{https}{}", request.target))];
            return response;
        }
        self.answer(request)
    }

    /// Answers one HTTP request.
    pub fn answer(&self, request: &Request) -> Response {
        count_proofs(&self.camera, request);
        if self.camera.faults().garbage {
            return Response::new(200, "text/html", &b"<html><body>\0\0 busy <b>\xff\xfe try & again"[..]);
        }
        let call = if request.method == "POST" { soap::read(&request.body) } else { None };
        if let Some(path) = request.path().strip_prefix(SNAPSHOT_PATH) {
            return self.snapshot(request, path);
        }
        let is_of_events = request.path() == events::EVENTS_PATH || request.path().starts_with(events::PULL_POINT_PATH);
        if !is_of_events && ![DEVICE_PATH, MEDIA_PATH, MEDIA2_PATH, PTZ_PATH].contains(&request.path()) {
            return Response::new(404, "text/html", "<html><body>404 Not Found</body></html>");
        }
        if request.method != "POST" {
            return Response::new(405, "text/html", "<html><body>405 Method Not Allowed</body></html>");
        }
        let Some(call) = call else {
            // A client that uses Digest may hold the body back until it gets the challenge, as curl
            // does.
            let check = self.authentication.check(&self.camera, request, None);
            return match check {
                Err(refusal @ Refusal::Challenge(_)) => refused(refusal),
                _ => Fault::NotWellFormed.response(),
            };
        };
        *self
            .camera
            .counters
            .operations
            .lock()
            .expect("counting does not panic")
            .entry(call.operation.clone())
            .or_default() += 1;
        if !PRE_AUTH.contains(&call.operation.as_str())
            && let Err(refusal) = self.authentication.check(&self.camera, request, call.token.as_ref())
        {
            return refused(refusal);
        }
        self.serve(request, &call).unwrap_or_else(Fault::response)
    }

    /// Each service answers only at its own path.
    fn serve(&self, request: &Request, call: &Call) -> Result<Response, Fault> {
        let offered = self.camera.settings.media;
        match (request.path(), call.namespace.as_str()) {
            (DEVICE_PATH, soap::DEVICE) => services::answer(self, request.local, call),
            (MEDIA_PATH, soap::MEDIA) if offered.has_one() => media::answer_media1(self, request.local, call),
            (MEDIA2_PATH, soap::MEDIA2) if offered.has_two() => media::answer_media2(self, request.local, call),
            (path, _) if path == events::EVENTS_PATH || path.starts_with(events::PULL_POINT_PATH) => {
                events::answer(&self.camera, path, request.local, call)
            }
            (PTZ_PATH, soap::PTZ) => match self.camera.settings.ptz {
                Some(habits) => ptz::answer(self, habits, call),
                None => Err(Fault::ActionNotSupported),
            },
            _ => Err(Fault::ActionNotSupported),
        }
    }

    fn snapshot(&self, request: &Request, path: &str) -> Response {
        let Some(profile) = self.profiles.iter().find(|profile| profile.path == path) else {
            return Response::new(404, "text/html", "<html><body>404 Not Found</body></html>");
        };
        if let Err(refusal) = self.authentication.check(&self.camera, request, None) {
            return refused(refusal);
        }
        match snapshot::jpeg(&profile.stream) {
            Ok(jpeg) => Response::new(200, "image/jpeg", jpeg),
            Err(error) => Response::new(500, "text/plain", format!("{error}\n")),
        }
    }
}

fn has_proof(request: &Request) -> bool {
    request.header("authorization").is_some() || request.body.windows(TOKEN.len()).any(|bytes| bytes == TOKEN)
}

/// Counts every form of a password that a request may carry, whether or not it is checked.
pub fn count_proofs(camera: &Camera, request: &Request) {
    if let Some(header) = request.header("authorization") {
        let digest = header.trim_start().get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("digest"));
        camera.counters.count_proof(if digest { "Digest" } else { "Authorization" });
    }
    // Searched in the raw bytes, so that one in a broken envelope counts too.
    if request.body.windows(TOKEN.len()).any(|bytes| bytes == TOKEN) {
        camera.counters.count_proof("UsernameToken");
    }
}

fn refused(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Fault => Fault::NotAuthorized.response(),
        Refusal::Challenge(challenges) => {
            let mut response = Response::new(401, "text/html", "<html><body>401 Unauthorized</body></html>");
            response.headers = challenges.into_iter().map(|challenge| ("WWW-Authenticate", challenge)).collect();
            response
        }
    }
}
