//! `[defaults]` and `[[camera]]`: what is to be shown, and how.

use std::{collections::BTreeMap, path::Path, time::Duration};

use super::{
    MAX_CAMERAS, address,
    complaint::Ledger,
    login::{Login, SecretReader, is_quotable},
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

/// Keys that only mean something where ONVIF is asked.
const ONVIF_KEYS: &[&str] = &["ip", "profile", "small_profile", "onvif_port", "uuid", "trust", "stream_host"];

/// The longest name, profile or identity, in characters.
const MAX_WORDS_LEN: usize = 200;

const ONVIF_PORT: u16 = 80;
const QUALITY: u8 = 80;
const MAX_FPS: u8 = 25;
const PASSTHROUGH: bool = true;
const STALL_AFTER: f64 = 5.0;

/// The keys that may stand in `[defaults]` and in a camera.
#[derive(Clone, Default)]
pub(super) struct Habits {
    login: Login,
    transport: Option<Transport>,
    quality: Option<u8>,
    max_fps: Option<u8>,
    passthrough: Option<bool>,
    stall_after: Option<f64>,
}

impl Habits {
    fn read(section: &Section<'_>, base: &Path, read_secret: SecretReader<'_>, ledger: &mut Ledger<'_>) -> Self {
        Self {
            login: Login::read(section, base, read_secret, ledger),
            transport: transport(section, ledger),
            quality: section.whole("quality", 1..=100, ledger),
            max_fps: section.whole("max_fps", 1..=60, ledger),
            passthrough: section.flag("passthrough", ledger),
            stall_after: section.number("stall_after", 1.0..=60.0, ledger),
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

fn transport(section: &Section<'_>, ledger: &mut Ledger<'_>) -> Option<Transport> {
    let Located { at, value } = section.text("transport", "tcp", ledger)?;
    match value.as_str() {
        "tcp" => Some(Transport::Tcp),
        "udp" => Some(Transport::Udp),
        other => {
            let quoted = if is_quotable(other) { format!(" {other:?}") } else { String::new() };
            section.complain(at, format!("transport{quoted} is unknown; write \"tcp\" or \"udp\""), ledger);
            None
        }
    }
}

pub(super) fn defaults(
    section: &Section<'_>,
    base: &Path,
    read_secret: SecretReader<'_>,
    ledger: &mut Ledger<'_>,
) -> Habits {
    section.refuse_unknown(ledger);
    Habits::read(section, base, read_secret, ledger)
}

/// Every camera that is right and enabled. All are checked.
pub(super) fn all(
    sections: &[Section<'_>],
    defaults: &Habits,
    base: &Path,
    read_secret: SecretReader<'_>,
    ledger: &mut Ledger<'_>,
) -> Vec<Camera> {
    if let Some(first_too_many) = sections.get(MAX_CAMERAS) {
        let words = format!("one of {} cameras; at most {MAX_CAMERAS} fit on the wall", sections.len());
        first_too_many.complain(first_too_many.at, words, ledger);
    }
    let mut lines = BTreeMap::new();
    let mut cameras = Vec::new();
    for section in sections {
        section.refuse_unknown(ledger);
        let id = id(section, &mut lines, ledger);
        let enabled = section.flag("enabled", ledger).unwrap_or(true);
        let camera = camera(section, id, defaults, base, read_secret, ledger);
        cameras.extend(camera.filter(|_| enabled));
    }
    cameras
}

/// What the cameras are called, whether or not the rest of them is right.
pub(super) fn identifiers(sections: &[Section<'_>]) -> Vec<String> {
    let id = |section: &Section<'_>| Some(section.value("id")?.get_ref().as_str()?.to_owned());
    sections.iter().filter_map(id).collect()
}

fn id(section: &Section<'_>, lines: &mut BTreeMap<CameraId, usize>, ledger: &mut Ledger<'_>) -> Option<CameraId> {
    let right = "letters, digits, - and _, like \"gate\"";
    let Some(written) = section.text("id", "gate", ledger) else {
        if section.lacks(&["id"]) {
            section.complain(section.at, format!("id is missing; add one of {right}"), ledger);
        }
        return None;
    };
    let Some(id) = CameraId::new(&written.value) else {
        let quoted = if is_quotable(&written.value) { format!(" {:?}", written.value) } else { String::new() };
        section.complain(written.at, format!("id{quoted} cannot stand in a URL; write 1 to 64 {right}"), ledger);
        return None;
    };
    if let Some(line) = lines.get(&id) {
        let words = format!("this id is already used on line {line}; give every camera its own");
        section.complain(written.at, words, ledger);
    } else {
        lines.insert(id.clone(), ledger.line(written.at));
    }
    Some(id)
}

/// One camera; everything in it is checked even where it cannot become one.
fn camera(
    section: &Section<'_>,
    id: Option<CameraId>,
    defaults: &Habits,
    base: &Path,
    read_secret: SecretReader<'_>,
    ledger: &mut Ledger<'_>,
) -> Option<Camera> {
    let name = section.words("name", "Front gate", MAX_WORDS_LEN, ledger);
    let habits = Habits::read(section, base, read_secret, ledger);
    let small_profile = section.words("small_profile", "Profile_2", MAX_WORDS_LEN, ledger);
    let (source, in_url) = match section.key_at("url") {
        Some(_) => from_url(section, ledger),
        None => (from_onvif(section, ledger), None),
    };
    let credentials = habits.login.for_camera(in_url, &defaults.login, section, ledger);
    let options = habits.options(defaults);
    let transport = habits.transport.or(defaults.transport);
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

fn from_onvif(section: &Section<'_>, ledger: &mut Ledger<'_>) -> Option<Source> {
    let stream_host = host("stream_host", section, ledger);
    let host = host("ip", section, ledger);
    let trust = trust(section, ledger);
    let uuid = section.words("uuid", "urn:uuid:2f1e…", MAX_WORDS_LEN, ledger).map(|uuid| uuid.value);
    let profile = section.words("profile", "Profile_1", MAX_WORDS_LEN, ledger).map(|profile| profile.value);
    let port = section.whole("onvif_port", 1..=65535, ledger).unwrap_or(ONVIF_PORT);
    if section.lacks(&["ip", "uuid", "url"]) {
        let words = "nothing says where the camera is; add ip, or uuid, or url";
        section.complain(section.at, words, ledger);
    }
    (host.is_some() || uuid.is_some()).then_some(Source::Onvif { host, port, profile, uuid, trust, stream_host })
}

/// The host that `key` names.
fn host(key: &str, section: &Section<'_>, ledger: &mut Ledger<'_>) -> Option<String> {
    let written = section.text(key, "192.168.1.20", ledger)?;
    address::host(key, &written.value).map_err(|wrong| section.complain(written.at, wrong, ledger)).ok()
}

fn trust(section: &Section<'_>, ledger: &mut Ledger<'_>) -> Trust {
    let Some(Located { at, value }) = section.text("trust", "identity", ledger) else { return Trust::Identity };
    match value.as_str() {
        "identity" => Trust::Identity,
        "address" => {
            if section.lacks(&["ip"]) {
                section.complain(at, "trust = \"address\" needs an address; add ip", ledger);
            }
            Trust::Address
        }
        other => {
            let quoted = if is_quotable(other) { format!(" {other:?}") } else { String::new() };
            section.complain(at, format!("trust{quoted} is unknown; write \"identity\" or \"address\""), ledger);
            Trust::Identity
        }
    }
}

/// The stream of `url` and the login that stood in it, still percent-encoded.
fn from_url(section: &Section<'_>, ledger: &mut Ledger<'_>) -> (Option<Source>, Option<(String, String)>) {
    for key in ONVIF_KEYS {
        if let Some(at) = section.key_at(key) {
            let words = format!("{key} means nothing next to url, which is opened as it is; remove one of them");
            section.complain(at, words, ledger);
        }
    }
    let Some(written) = section.text("url", "rtsp://192.168.1.20/live", ledger) else {
        return (None, None);
    };
    let right = "write it like \"rtsp://192.168.1.20/live\", and give username and password as keys of their own";
    let printable = !written.value.chars().any(|c| c.is_control() || c.is_whitespace());
    match StreamUri::split(&written.value).filter(|_| printable) {
        Some((uri, login)) => (Some(Source::Url(uri)), login),
        None => {
            section.complain(written.at, format!("url is not an RTSP address; {right}"), ledger);
            (None, None)
        }
    }
}
