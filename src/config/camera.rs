//! `[defaults]` and `[[camera]]`: the cameras, and how each one is shown.

use std::{collections::BTreeMap, path::Path, time::Duration};

use super::{
    MAX_CAMERAS, address,
    credentials::{Login, SecretReader, is_quotable},
    diagnostics::Diagnostics,
    section::{Located, Section},
};
use crate::camera::{Camera, CameraId, Source, StreamOptions, StreamSource, StreamUri, Transport, Trust};

pub(super) const DEFAULTS_KEYS: &[&str] =
    &["username", "password", "password_file", "transport", "quality", "max_fps", "passthrough", "stall_after"];

pub(super) const CAMERA_KEYS: &[&str] = &[
    "id",
    "name",
    "ip",
    "profile",
    "small_profile",
    "onvif_port",
    "uuid",
    "trust",
    "stream_host",
    "url",
    "enabled",
    "username",
    "password",
    "password_file",
    "transport",
    "quality",
    "max_fps",
    "passthrough",
    "stall_after",
];

/// Keys that are valid only for a camera that is asked by ONVIF.
const ONVIF_KEYS: &[&str] = &["ip", "profile", "small_profile", "onvif_port", "uuid", "trust", "stream_host"];

/// Maximum length of a name, profile or identity, in characters.
const MAX_WORDS_LEN: usize = 200;

const ONVIF_PORT: u16 = 80;
const QUALITY: u8 = 80;
const MAX_FPS: u8 = 25;
const PASSTHROUGH: bool = true;
const STALL_AFTER: f64 = 5.0;

/// The keys that are valid both in `[defaults]` and in a camera.
#[derive(Clone, Default)]
pub(super) struct CameraDefaults {
    login: Login,
    transport: Option<Transport>,
    quality: Option<u8>,
    max_fps: Option<u8>,
    passthrough: Option<bool>,
    stall_after: Option<f64>,
}

impl CameraDefaults {
    fn read(
        section: &Section<'_>,
        base: &Path,
        read_secret: SecretReader<'_>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Self {
        Self {
            login: Login::read(section, base, read_secret, diagnostics),
            transport: transport(section, diagnostics),
            quality: section.whole("quality", 1..=100, diagnostics),
            max_fps: section.whole("max_fps", 1..=60, diagnostics),
            passthrough: section.flag("passthrough", diagnostics),
            stall_after: section.number("stall_after", 1.0..=60.0, diagnostics),
        }
    }

    fn options(&self, defaults: &Self) -> StreamOptions {
        let stall_after = self.stall_after.or(defaults.stall_after).unwrap_or(STALL_AFTER);
        StreamOptions {
            quality: self.quality.or(defaults.quality).unwrap_or(QUALITY),
            max_fps: self.max_fps.or(defaults.max_fps).unwrap_or(MAX_FPS),
            passthrough: self.passthrough.or(defaults.passthrough).unwrap_or(PASSTHROUGH),
            stall_after: Duration::from_secs_f64(stall_after),
        }
    }
}

fn transport(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<Transport> {
    let Located { at, value } = section.text("transport", "tcp", diagnostics)?;
    match value.as_str() {
        "tcp" => Some(Transport::Tcp),
        "udp" => Some(Transport::Udp),
        other => {
            let quoted = if is_quotable(other) { format!(" {other:?}") } else { String::new() };
            section.report(at, format!("transport{quoted} is unknown; write \"tcp\" or \"udp\""), diagnostics);
            None
        }
    }
}

pub(super) fn defaults(
    section: &Section<'_>,
    base: &Path,
    read_secret: SecretReader<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> CameraDefaults {
    section.refuse_unknown(diagnostics);
    CameraDefaults::read(section, base, read_secret, diagnostics)
}

/// Returns every camera that is valid and enabled. All cameras are checked.
pub(super) fn all(
    sections: &[Section<'_>],
    defaults: &CameraDefaults,
    base: &Path,
    read_secret: SecretReader<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<Camera> {
    if let Some(first_too_many) = sections.get(MAX_CAMERAS) {
        let words = format!("one of {} cameras; at most {MAX_CAMERAS} fit on the wall", sections.len());
        first_too_many.report(first_too_many.at, words, diagnostics);
    }
    let mut lines = BTreeMap::new();
    let mut cameras = Vec::new();
    for section in sections {
        section.refuse_unknown(diagnostics);
        let id = id(section, &mut lines, diagnostics);
        let enabled = section.flag("enabled", diagnostics).unwrap_or(true);
        let camera = camera(section, id, defaults, base, read_secret, diagnostics);
        cameras.extend(camera.filter(|_| enabled));
    }
    cameras
}

/// Returns the identifiers of all cameras, whether or not their other keys are valid.
pub(super) fn identifiers(sections: &[Section<'_>]) -> Vec<String> {
    let id = |section: &Section<'_>| Some(section.value("id")?.get_ref().as_str()?.to_owned());
    sections.iter().filter_map(id).collect()
}

fn id(
    section: &Section<'_>,
    lines: &mut BTreeMap<CameraId, usize>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<CameraId> {
    let right = "letters, digits, - and _, like \"gate\"";
    let Some(written) = section.text("id", "gate", diagnostics) else {
        if section.lacks(&["id"]) {
            section.report(section.at, format!("id is missing; add one of {right}"), diagnostics);
        }
        return None;
    };
    let Some(id) = CameraId::new(&written.value) else {
        let quoted = if is_quotable(&written.value) { format!(" {:?}", written.value) } else { String::new() };
        section.report(written.at, format!("id{quoted} cannot stand in a URL; write 1 to 64 {right}"), diagnostics);
        return None;
    };
    if let Some(line) = lines.get(&id) {
        let words = format!("this id is already used on line {line}; give every camera its own");
        section.report(written.at, words, diagnostics);
    } else {
        lines.insert(id.clone(), diagnostics.line(written.at));
    }
    Some(id)
}

/// Parses one camera. All keys are checked even if the result is no camera.
fn camera(
    section: &Section<'_>,
    id: Option<CameraId>,
    defaults: &CameraDefaults,
    base: &Path,
    read_secret: SecretReader<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Camera> {
    let name = section.words("name", "Front gate", MAX_WORDS_LEN, diagnostics);
    let camera_defaults = CameraDefaults::read(section, base, read_secret, diagnostics);
    let small_profile = section.words("small_profile", "Profile_2", MAX_WORDS_LEN, diagnostics);
    let (source, in_url) = match section.key_at("url") {
        Some(_) => from_url(section, diagnostics),
        None => (from_onvif(section, diagnostics), None),
    };
    let credentials = camera_defaults.login.for_camera(in_url, &defaults.login, section, diagnostics);
    let options = camera_defaults.options(defaults);
    let transport = camera_defaults.transport.or(defaults.transport);
    let id = id?;
    Some(Camera {
        name: name.map_or_else(|| id.to_string(), |name| name.value),
        stream_source: StreamSource {
            source: source?,
            small_profile: small_profile.map(|small| small.value),
            credentials,
            transport,
        },
        options,
        id,
    })
}

fn from_onvif(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<Source> {
    let stream_host = host("stream_host", section, diagnostics);
    let host = host("ip", section, diagnostics);
    let trust = trust(section, diagnostics);
    let uuid = section.words("uuid", "urn:uuid:2f1e…", MAX_WORDS_LEN, diagnostics).map(|uuid| uuid.value);
    let profile = section.words("profile", "Profile_1", MAX_WORDS_LEN, diagnostics).map(|profile| profile.value);
    let port = section.whole("onvif_port", 1..=65535, diagnostics).unwrap_or(ONVIF_PORT);
    if section.lacks(&["ip", "uuid", "url"]) {
        let words = "nothing says where the camera is; add ip, or uuid, or url";
        section.report(section.at, words, diagnostics);
    }
    (host.is_some() || uuid.is_some()).then_some(Source::Onvif { host, port, profile, uuid, trust, stream_host })
}

/// Returns the host in the value of `key`.
fn host(key: &str, section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<String> {
    let written = section.text(key, "192.168.1.20", diagnostics)?;
    address::host(key, &written.value).map_err(|wrong| section.report(written.at, wrong, diagnostics)).ok()
}

fn trust(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Trust {
    let Some(Located { at, value }) = section.text("trust", "identity", diagnostics) else { return Trust::Identity };
    match value.as_str() {
        "identity" => Trust::Identity,
        "address" => {
            if section.lacks(&["ip"]) {
                section.report(at, "trust = \"address\" needs an address; add ip", diagnostics);
            }
            Trust::Address
        }
        other => {
            let quoted = if is_quotable(other) { format!(" {other:?}") } else { String::new() };
            section.report(at, format!("trust{quoted} is unknown; write \"identity\" or \"address\""), diagnostics);
            Trust::Identity
        }
    }
}

/// Returns the stream of `url` and the login that it contained, still percent-encoded.
fn from_url(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> (Option<Source>, Option<(String, String)>) {
    for key in ONVIF_KEYS {
        if let Some(at) = section.key_at(key) {
            let words = format!("{key} means nothing next to url, which is opened as it is; remove one of them");
            section.report(at, words, diagnostics);
        }
    }
    let Some(written) = section.text("url", "rtsp://192.168.1.20/live", diagnostics) else {
        return (None, None);
    };
    let right = "write it like \"rtsp://192.168.1.20/live\", and give username and password as keys of their own";
    let printable = !written.value.chars().any(|c| c.is_control() || c.is_whitespace());
    match StreamUri::split(&written.value).filter(|_| printable) {
        Some((uri, login)) => (Some(Source::Url(uri)), login),
        None => {
            section.report(written.at, format!("url is not an RTSP address; {right}"), diagnostics);
            (None, None)
        }
    }
}
