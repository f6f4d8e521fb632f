//! `[defaults]` and `[[camera]]`: the cameras, and how each one is shown.

use std::{collections::BTreeMap, path::Path, time::Duration};

use super::{
    address,
    credentials::{Login, SecretReader},
    diagnostics::Diagnostics,
    key::{Key, Text, Unset},
    keys::{self, MAX_CAMERAS},
    schema,
    section::{Located, Section},
    wording::quoted,
};
use crate::camera::fingerprint::Fingerprint;
use crate::camera::{
    Camera, CameraId, Credentials, Damaged, Reader, Source, StreamOptions, StreamSource, StreamUri, TlsPolicy,
    Transport, Trust,
};

/// The keys that are valid both in `[defaults]` and in a camera.
#[derive(Clone, Default)]
pub(super) struct CameraDefaults {
    login: Login,
    transport: Option<Transport>,
    reader: Option<Reader>,
    open_within: Option<u64>,
    clear_password: Option<bool>,
    quality: Option<u8>,
    max_fps: Option<u8>,
    passthrough: Option<bool>,
    stall_after: Option<f64>,
    damaged: Option<Damaged>,
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
            transport: section.one_of(&keys::TRANSPORT, diagnostics).map(|transport| transport.value),
            reader: section.one_of(&keys::READER, diagnostics).map(|reader| reader.value),
            open_within: section.whole(&keys::OPEN_WITHIN, diagnostics),
            clear_password: section.flag(&keys::CLEAR_PASSWORD, diagnostics),
            quality: section.whole(&keys::QUALITY, diagnostics),
            max_fps: section.whole(&keys::MAX_FPS, diagnostics),
            passthrough: section.flag(&keys::PASSTHROUGH, diagnostics),
            stall_after: section.number(&keys::STALL_AFTER, diagnostics),
            damaged: section.one_of(&keys::DAMAGED, diagnostics).map(|damaged| damaged.value),
        }
    }

    fn options(&self, defaults: &Self) -> StreamOptions {
        let stall_after = self.stall_after.or(defaults.stall_after).unwrap_or(keys::STALL_AFTER.default);
        StreamOptions {
            quality: self.quality.or(defaults.quality).unwrap_or(keys::QUALITY.default),
            max_fps: self.max_fps.or(defaults.max_fps).unwrap_or(keys::MAX_FPS.default),
            passthrough: self.passthrough.or(defaults.passthrough).unwrap_or(keys::PASSTHROUGH.default),
            stall_after: Duration::from_secs_f64(stall_after),
            damaged: self.damaged.or(defaults.damaged).unwrap_or(keys::DAMAGED.default),
        }
    }

    fn stream_source(&self, defaults: &Self, source: Source, credentials: Option<Credentials>) -> StreamSource {
        let open_within = self.open_within.or(defaults.open_within).unwrap_or(keys::OPEN_WITHIN.default);
        StreamSource {
            source,
            channel: None,
            small_profile: None,
            credentials,
            transport: self.transport.or(defaults.transport),
            reader: self.reader.or(defaults.reader).unwrap_or(keys::READER.default),
            open_within: Duration::from_secs(open_within),
            clear_password: self.clear_password.or(defaults.clear_password).unwrap_or(keys::CLEAR_PASSWORD.default),
            tls: keys::TLS.default,
            fingerprint: None,
        }
    }
}

/// What applies to a camera without any of these keys.
impl Default for StreamOptions {
    fn default() -> Self {
        let nothing = CameraDefaults::default();
        nothing.options(&nothing)
    }
}

/// A camera with no other key than those of its source.
impl From<Source> for StreamSource {
    fn from(source: Source) -> Self {
        let nothing = CameraDefaults::default();
        nothing.stream_source(&nothing, source, None)
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

/// What is known before the cameras are read, and how their password files are.
pub(super) struct Surroundings<'a> {
    pub(super) defaults: &'a CameraDefaults,
    pub(super) base: &'a Path,
    pub(super) read_secret: SecretReader<'a>,
}

/// The line of each identifier that is in use.
pub(super) type Lines = BTreeMap<CameraId, usize>;

/// Returns every camera that is valid and enabled, with the byte at which its section begins. All
/// cameras are checked.
pub(super) fn all(
    sections: &[Section<'_>],
    surroundings: &Surroundings<'_>,
    lines: &mut Lines,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<(usize, Camera)> {
    if let Some(first_too_many) = sections.get(MAX_CAMERAS) {
        let words = format!("one of {} cameras; at most {MAX_CAMERAS} fit on the wall", sections.len());
        first_too_many.report(first_too_many.at, words, diagnostics);
    }
    let mut cameras = Vec::new();
    for section in sections {
        let camera = one(section, surroundings, lines, diagnostics);
        cameras.extend(camera.map(|camera| (section.at, camera)));
    }
    cameras
}

/// Returns the camera of `section` if it is valid and enabled.
pub(super) fn one(
    section: &Section<'_>,
    surroundings: &Surroundings<'_>,
    lines: &mut Lines,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Camera> {
    section.refuse_unknown(diagnostics);
    let id = id(section, lines, diagnostics);
    let enabled = section.flag(&keys::ENABLED, diagnostics).unwrap_or(keys::ENABLED.default);
    camera(section, id, surroundings, diagnostics).filter(|_| enabled)
}

/// Returns the identifiers of all cameras, whether or not their other keys are valid.
pub(super) fn identifiers(sections: &[Section<'_>]) -> Vec<String> {
    sections.iter().filter_map(written_id).collect()
}

/// The identifier in `section`, valid or not.
pub(super) fn written_id(section: &Section<'_>) -> Option<String> {
    Some(section.value(&keys::ID)?.get_ref().as_str()?.to_owned())
}

fn id(section: &Section<'_>, lines: &mut Lines, diagnostics: &mut Diagnostics<'_>) -> Option<CameraId> {
    let right = "letters, digits, - and _, like \"gate\"";
    let Some(written) = section.text(&keys::ID, diagnostics) else {
        if section.lacks(&[&keys::ID]) {
            section.report(section.at, format!("id is missing; add one of {right}"), diagnostics);
        }
        return None;
    };
    let Some(id) = CameraId::new(&written.value) else {
        let quoted = quoted(&written.value);
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
    &Surroundings { defaults, base, read_secret }: &Surroundings<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Camera> {
    let name = section.words(&keys::NAME, diagnostics);
    let camera_defaults = CameraDefaults::read(section, base, read_secret, diagnostics);
    let small_profile = section.words(&keys::SMALL_PROFILE, diagnostics);
    let (source, in_url) = match section.key_at(&keys::URL) {
        Some(_) => from_url(section, diagnostics),
        None => (from_onvif(section, diagnostics), None),
    };
    let credentials = camera_defaults.login.for_camera(in_url, &defaults.login, section, diagnostics);
    let options = camera_defaults.options(defaults);
    let tls = section.one_of(&keys::TLS, diagnostics);
    let pinned = fingerprint(section, diagnostics);
    let (id, source) = (id?, source?);
    let stream_source = camera_defaults.stream_source(defaults, source, credentials);
    check_tls(section, &stream_source, tls.as_ref(), pinned.as_ref(), diagnostics);
    Some(Camera {
        name: name.unwrap_or_else(|| id.to_string()),
        stream_source: StreamSource {
            small_profile,
            tls: tls.map_or(stream_source.tls, |tls| tls.value),
            fingerprint: pinned.map(|pinned| pinned.value),
            ..stream_source
        },
        options,
        id,
    })
}

fn fingerprint(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<Located<Fingerprint>> {
    let written = section.text(&keys::FINGERPRINT, diagnostics)?;
    match written.value.parse() {
        Ok(value) => Some(Located { at: written.at, value }),
        Err(_) => {
            let words = "fingerprint is not a SHA-256 value; write \"sha256:\" and 64 digits, as cctv-agent info prints \
                         it, or what openssl x509 -fingerprint -sha256 prints";
            section.report(written.at, words, diagnostics);
            None
        }
    }
}

/// Complains of TLS keys that would have no effect.
fn check_tls(
    section: &Section<'_>,
    stream_source: &StreamSource,
    tls: Option<&Located<TlsPolicy>>,
    pinned: Option<&Located<Fingerprint>>,
    diagnostics: &mut Diagnostics<'_>,
) {
    let Some(pinned) = pinned else { return };
    let words = match &stream_source.source {
        Source::Url(uri) if !uri.is_tls() => "fingerprint needs TLS; write url = \"rtsps://…\", or remove fingerprint",
        Source::Onvif { .. } if tls.is_some_and(|tls| tls.value == TlsPolicy::Off) => {
            "fingerprint needs TLS; remove tls = \"off\", or fingerprint"
        }
        _ if stream_source.reader == Reader::Opencv => {
            "fingerprint means nothing to OpenCV, which takes any key; remove reader = \"opencv\", or fingerprint"
        }
        _ => return,
    };
    section.report(pinned.at, words, diagnostics);
}

fn from_onvif(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<Source> {
    let stream_host = host(&keys::STREAM_HOST, section, diagnostics);
    let host = host(&keys::IP, section, diagnostics);
    let trust = trust(section, diagnostics);
    let uuid = section.words(&keys::UUID, diagnostics);
    let profile = section.words(&keys::PROFILE, diagnostics);
    let port = section.whole_or_default(&keys::ONVIF_PORT, diagnostics);
    if section.lacks(&[&keys::IP, &keys::UUID, &keys::URL]) {
        let words = match section.is_of(&schema::RECORDER) {
            true => "nothing says where the recorder is; add ip, or uuid",
            false => "nothing says where the camera is; add ip, or uuid, or url",
        };
        section.report(section.at, words, diagnostics);
    }
    (host.is_some() || uuid.is_some()).then_some(Source::Onvif { host, port, profile, uuid, trust, stream_host })
}

/// Returns the host in the value of `key`.
fn host(key: &Key<Text, Unset>, section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<String> {
    let written = section.text(key, diagnostics)?;
    address::host(key.name, &written.value).map_err(|wrong| section.report(written.at, wrong, diagnostics)).ok()
}

fn trust(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Trust {
    let Some(Located { at, value: trust }) = section.one_of(&keys::TRUST, diagnostics) else {
        return keys::TRUST.default;
    };
    if trust == Trust::Address && section.lacks(&[&keys::IP]) {
        section.report(at, "trust = \"address\" needs an address; add ip", diagnostics);
    }
    trust
}

/// Returns the stream of `url` and the login that it contained, still percent-encoded.
fn from_url(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> (Option<Source>, Option<(String, String)>) {
    for key in keys::ONVIF_ROWS {
        if let Some(at) = section.key_at(*key) {
            let words =
                format!("{} means nothing next to url, which is opened as it is; remove one of them", key.name());
            section.report(at, words, diagnostics);
        }
    }
    let Some(written) = section.text(&keys::URL, diagnostics) else {
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
