//! `[defaults]` and `[[camera]]`: the cameras, and how each one is shown.

use std::{collections::BTreeMap, path::Path, time::Duration};

use super::{
    address,
    camera_defaults::CameraDefaults,
    credentials::SecretReader,
    diagnostics::Diagnostics,
    key::{Key, Text, Unset},
    keys::{self, MAX_CAMERAS},
    ptz_keys, schema,
    section::{Located, Section},
    stream_address::{
        WithLogin, check_every, check_reader, from_snapshot_url, from_url, refuse_beside_url, stream_uri,
    },
    template::{self, Template, Templates, Values},
    wording::quoted,
};
use crate::camera::fingerprint::Fingerprint;
use crate::camera::{Camera, CameraId, Reader, Source, StreamSource, StreamUri, TlsPolicy, Trust};

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
    pub(super) templates: &'a Templates,
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
    &Surroundings { defaults, templates, base, read_secret }: &Surroundings<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Camera> {
    let name = section.words(&keys::NAME, diagnostics);
    let camera_defaults = CameraDefaults::read(section, base, read_secret, diagnostics);
    let small_profile = section.words(&keys::SMALL_PROFILE, diagnostics);
    let template = of_name(section, templates, diagnostics);
    let defaults = template.map_or(defaults, |template| &template.defaults);
    let addresses = Addresses::read(section, id.as_ref(), template, diagnostics);
    let every = section.number(&keys::EVERY, diagnostics);
    let has_snapshot_url = section.key_at(&keys::SNAPSHOT_URL).is_some();
    let is_snapshot = has_snapshot_url || addresses.is_snapshot;
    let (source, in_url) = match section.key_at(&keys::URL) {
        _ if has_snapshot_url => from_snapshot_url(section, diagnostics),
        Some(_) => from_url(section, diagnostics),
        None if template.is_some_and(|template| template.url.is_some()) => {
            refuse_beside_url(section, &|key| key.name() == keys::IP.name, diagnostics);
            addresses.url.map_or((None, None), |(uri, login)| (Some(Source::Url(uri)), login))
        }
        // A template that is not in the file may have an address.
        None if template.is_none() && section.key_at(&keys::TEMPLATE).is_some() => (None, None),
        None => (from_onvif(section, diagnostics), None),
    };
    if let (Some(Source::Onvif { .. }), Some(at), true) =
        (&source, section.key_at(&keys::SMALL_URL), addresses.small.is_some())
    {
        section.report(at, "small_url needs url; write small_profile for a camera with ip or uuid", diagnostics);
    }
    let credentials = camera_defaults.login.for_camera(in_url, &defaults.login, section, diagnostics);
    let options = camera_defaults.options(defaults);
    let snapshot_every = Duration::from_secs_f64(every.unwrap_or(keys::EVERY.default));
    if is_snapshot {
        check_every(section, snapshot_every, options.stall_after, diagnostics);
    }
    let tls = section.one_of(&keys::TLS, diagnostics);
    let pinned = fingerprints(section, diagnostics);
    let (id, source) = (id?, source?);
    let ptz = camera_defaults.ptz(defaults, &source);
    check_ptz(section, &source, diagnostics);
    let is_url = matches!(source, Source::Url(_));
    let stream_source = camera_defaults.stream_source(defaults, source, credentials);
    check_reader(section, &stream_source.source, stream_source.reader, diagnostics);
    check_tls(section, &stream_source, tls.as_ref(), &pinned, diagnostics);
    Some(Camera {
        name: name.unwrap_or_else(|| id.to_string()),
        stream_source: StreamSource {
            small_profile,
            small_url: addresses.small.filter(|_| is_url),
            is_snapshot,
            snapshot_every,
            tls: tls.map_or(stream_source.tls, |tls| tls.value),
            fingerprints: pinned.value,
            ..stream_source
        },
        options,
        ptz,
        sound: camera_defaults.sound(defaults),
        id,
    })
}

/// Complains of `ptz` beside an address that is opened as it is.
fn check_ptz(section: &Section<'_>, source: &Source, diagnostics: &mut Diagnostics<'_>) {
    let is_on = section.value(&ptz_keys::PTZ).is_some_and(|value| value.get_ref().as_bool() == Some(true));
    if let (Some(at), Source::Url(_), true) = (section.key_at(&ptz_keys::PTZ), source, is_on) {
        section.report(at, "ptz needs ONVIF; write ip in place of url, or remove ptz", diagnostics);
    }
}

/// The keys of which a service must have one; none if any will do.
pub(super) fn fingerprints(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Located<Vec<Fingerprint>> {
    let at = section.value(&keys::FINGERPRINT).map_or(0, |value| value.span().start);
    Located { at, value: section.parsed(&keys::FINGERPRINT, diagnostics).unwrap_or_default() }
}

/// Complains of TLS keys that would have no effect.
fn check_tls(
    section: &Section<'_>,
    stream_source: &StreamSource,
    tls: Option<&Located<TlsPolicy>>,
    pinned: &Located<Vec<Fingerprint>>,
    diagnostics: &mut Diagnostics<'_>,
) {
    if pinned.value.is_empty() {
        return;
    }
    let words = match &stream_source.source {
        Source::Url(uri) if uri.device().is_some() => {
            "fingerprint means nothing for a camera at this machine; remove it"
        }
        Source::Url(uri) if !uri.is_tls() && section.key_at(&keys::SNAPSHOT_URL).is_some() => {
            "fingerprint needs TLS; write snapshot_url = \"https://…\", or remove fingerprint"
        }
        Source::Url(uri) if !uri.is_tls() && uri.is_http() => {
            "fingerprint needs TLS; write url = \"https://…\", or remove fingerprint"
        }
        Source::Url(uri) if !uri.is_tls() => "fingerprint needs TLS; write url = \"rtsps://…\", or remove fingerprint",
        Source::Onvif { .. } if tls.is_some_and(|tls| tls.value == TlsPolicy::Off) => {
            "fingerprint needs TLS; remove tls = \"off\", or fingerprint"
        }
        Source::Url(uri) if uri.needs_opencv() => {
            "fingerprint means nothing for HLS and RTMP, which OpenCV reads: it takes any key; remove fingerprint"
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
    if section.lacks(&[&keys::IP, &keys::UUID, &keys::URL, &keys::SNAPSHOT_URL]) {
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

/// The template that the camera names.
fn of_name<'t>(
    section: &Section<'_>,
    templates: &'t Templates,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<&'t Template> {
    let Located { at, value: name } = section.text(&keys::TEMPLATE, diagnostics)?;
    let found = templates.get(&name);
    if found.is_none() {
        let words = format!("there is no template{}; add a section like [template.acme]", quoted(&name));
        section.report(at, words, diagnostics);
    }
    found
}

/// The addresses that a template gives the camera, and its small one.
#[derive(Default)]
struct Addresses {
    url: Option<WithLogin>,
    /// `url` is that of one JPEG.
    is_snapshot: bool,
    small: Option<StreamUri>,
}

impl Addresses {
    fn read(
        section: &Section<'_>,
        id: Option<&CameraId>,
        template: Option<&Template>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Self {
        let channel = section.whole(&keys::CHANNEL, diagnostics);
        let url = template.and_then(|template| template.url.as_deref());
        let small = template.and_then(|template| template.small_url.as_deref());
        // A template that is not in the file may need it.
        let is_unknown = template.is_none() && section.key_at(&keys::TEMPLATE).is_some();
        let is_used = is_unknown || [url, small].into_iter().flatten().any(|pattern| pattern.contains("{channel}"));
        if let (Some(at), false) = (section.key_at(&keys::CHANNEL).filter(|_| channel.is_some()), is_used) {
            let words = "channel needs a template with {channel} in its url; for a recorder write [[recorder]]";
            section.report(at, words, diagnostics);
        }
        let own = section.text(&keys::SMALL_URL, diagnostics);
        let of_template = template.filter(|template| template.url.is_some() || section.key_at(&keys::URL).is_some());
        let ip = of_template.and_then(|_| host(&keys::IP, section, diagnostics));
        let ip = ip.map(|ip| if ip.contains(':') { format!("[{ip}]") } else { ip });
        let values = Values { ip, channel, n: id.and_then(|id| template::number_of(id.as_str())) };
        let mut address = |pattern: &str, key: &str| -> Option<WithLogin> {
            let address = of_template?.filled(pattern, &values).and_then(|text| stream_uri(&text, key));
            address.map_err(|wrong| section.report(section.at, wrong, diagnostics)).ok()
        };
        let url = url.filter(|_| section.key_at(&keys::URL).is_none());
        let is_snapshot = url.is_some() && template.is_some_and(|template| template.is_snapshot);
        let key = if is_snapshot { keys::SNAPSHOT_URL.name } else { keys::URL.name };
        let url = url.and_then(|url| address(url, key));
        let small = match &own {
            Some(_) => None,
            None => small.and_then(|small| address(small, keys::SMALL_URL.name)),
        };
        let own = own.and_then(|own| {
            let read = stream_uri(&own.value, keys::SMALL_URL.name);
            read.map_err(|wrong| section.report(own.at, wrong, diagnostics)).ok()
        });
        let small = own.or(small);
        if small.as_ref().is_some_and(|(_, login)| login.is_some()) {
            let words = "small_url has a login in it; write username and password as keys of their own";
            section.report(section.key_at(&keys::SMALL_URL).unwrap_or(section.at), words, diagnostics);
        }
        if is_snapshot && url.as_ref().is_some_and(|(uri, _)| !uri.is_http()) {
            let words = "snapshot_url is not an address of HTTP; write it like \"http://{ip}/snapshot.jpg\"";
            section.report(section.at, words, diagnostics);
        }
        Self { url, is_snapshot, small: small.map(|(uri, _)| uri) }
    }
}
