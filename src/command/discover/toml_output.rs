//! Writes discovered cameras as sections for `cameras.toml` that `check` accepts.

use std::{collections::BTreeSet, net::IpAddr};

use super::{candidate::Candidate, local::LocalCandidate};
use crate::{
    camera::{CameraId, fingerprint::Fingerprint},
    config::{Config, MAX_CAMERAS},
    discovery::XAddr,
    onvif::DEFAULT_PORT,
    text::is_hidden,
    tls::client::HTTPS_PORT,
};

/// Maximum length of an identifier made from a name, in characters.
const MAX_ID_LEN: usize = 40;
/// Maximum length of a name or an identity that `check` accepts, in characters.
const MAX_WORDS_LEN: usize = 200;

/// Writes a section for every camera that is not configured, and a comment for every one that is.
pub fn write(found: &[Candidate], local: &[LocalCandidate], config: Option<&Config>) -> String {
    let cameras = config.map_or(&[][..], |config| &config.cameras);
    let recorders = cameras.iter().filter_map(|camera| camera.stream_source.channel.as_ref());
    let recorders = recorders.map(|channel| &channel.recorder);
    let mut taken: BTreeSet<String> =
        cameras.iter().map(|camera| &camera.id).chain(recorders).map(CameraId::to_string).collect();
    let mut text = String::new();
    for found in found {
        if let Some(id) = found.configured.id() {
            text.push_str(&format!("# {} is configured already, as {id}.\n\n", found.discovered.source));
            continue;
        }
        let host = found.address.as_ref().filter(|address| is_writable(address));
        let uuid = found.identity().filter(|_| !found.discovered.is_ambiguous);
        let uuid = uuid.filter(|uuid| !uuid.contains(is_hidden) && uuid.chars().count() <= MAX_WORDS_LEN);
        if host.is_none() && uuid.is_none() {
            text.push_str(&format!("# {} is a camera, but says nothing of ONVIF.\n\n", found.discovered.source));
            continue;
        }
        let kind: Vec<&str> = found.maker().into_iter().chain(found.model()).collect();
        let kind = one_line(&kind.join(" "));
        let name = found.discovered.name.as_deref().map(one_line).filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| kind.clone());
        if !kind.is_empty() {
            text.push_str(&format!("# {kind}\n"));
        }
        let sources = sources(found);
        if let [only] = sources[..] {
            text.push_str(&format!("# Video source {}\n", one_line(only)));
        }
        // A device that lists none is taken for one camera.
        let count = sources.len();
        let id = unused(&[&name, &kind], if count > 1 { count } else { 0 }, &mut taken);
        let section = if count > 1 { "recorder" } else { "camera" };
        text.push_str(&format!("[[{section}]]\nid = \"{id}\"\n"));
        if !name.is_empty() {
            text.push_str(&format!("name = {}\n", quoted(&name)));
        }
        if let Some(address) = host {
            let key = found.answers.as_ref().and_then(|answers| answers.key);
            text.push_str(&place(&address.host, address.port, address.secure, key));
        }
        if count > 1 {
            text.push_str(&channels(count));
        }
        if let Some(uuid) = &uuid {
            text.push_str(&format!("uuid = {}\n", quoted(uuid)));
        }
        text.push('\n');
    }
    for camera in local {
        text.push_str(&local_section(camera, &mut taken));
    }
    if text.is_empty() { text } else { format!("{HEAD}{}", text.trim_end_matches('\n').to_owned() + "\n") }
}

/// The section of a camera at this machine, or a comment if it has one.
fn local_section(LocalCandidate { camera, configured }: &LocalCandidate, taken: &mut BTreeSet<String>) -> String {
    if let Some(id) = configured.id() {
        return format!("# {} is configured already, as {id}.\n\n", camera.path());
    }
    let name = one_line(&camera.name);
    let id = unused(&[&name], 0, taken);
    let mut text = String::from("# A camera at this machine; the service needs a file for it (docs/installing.md)\n");
    if !camera.is_certain {
        text.push_str("# This machine does not say whether it gives video; cctv-agent info tells\n");
    }
    text.push_str(&format!("[[camera]]\nid = \"{id}\"\n"));
    if !name.is_empty() {
        text.push_str(&format!("name = {}\n", quoted(&name)));
    }
    text.push_str(&format!("url = {}\n\n", quoted(camera.path())));
    text
}

const HEAD: &str = "\
# Found by cctv-agent discover. Add these sections to cameras.toml, with the login of the cameras in
# [defaults] or in each of them; then cctv-agent check says whether all is well. A recorder shows
# several cameras, one for each of its channels. One that lists its channels only with a login looks like
# a camera here: cctv-agent info IP lists its profiles with the video source of each.

";

/// The lines that say where a device is. `is_tls`: it is asked over TLS; `key`: the one that it has now.
pub fn place(host: &str, port: u16, is_tls: bool, key: Option<Fingerprint>) -> String {
    let mut text = format!("ip = {}\n", quoted(host));
    if is_tls {
        text.push_str("tls = \"learn\"\n");
    }
    if let Some(key) = key {
        text.push_str(&format!("# Its TLS key is now {key}\n"));
    }
    if port != if is_tls { HTTPS_PORT } else { DEFAULT_PORT } {
        text.push_str(&format!("onvif_port = {port}\n"));
    }
    text
}

/// The line that shows the first `count` channels of a recorder.
pub fn channels(count: usize) -> String {
    format!("channels = \"1-{}\"\n", count.min(MAX_CAMERAS))
}

/// Returns the video sources of the device's profiles with video. Empty if it does not report them.
fn sources(found: &Candidate) -> Vec<&str> {
    let mut sources: Vec<&str> = Vec::new();
    let profiles = found.answers.iter().flat_map(|answers| &answers.profiles);
    for profile in profiles.filter(|profile| profile.encoding.is_some()) {
        if let Some(source) = profile.source.as_ref().filter(|source| !sources.contains(&source.token.as_str())) {
            sources.push(&source.token);
        }
    }
    sources
}

/// Whether `ip` can hold the address: not one that is valid on its own link only.
fn is_writable(address: &XAddr) -> bool {
    let is_name = || !address.host.rsplit('.').next().unwrap_or("").bytes().all(|byte| byte.is_ascii_digit());
    match address.host.parse::<IpAddr>() {
        Ok(IpAddr::V6(ip)) => !ip.is_unicast_link_local(),
        Ok(IpAddr::V4(_)) => true,
        Err(_) => !address.host.contains(['%', ':']) && is_name(),
    }
}

/// Returns an identifier made from the first of `names` that has letters, which is not used, and with
/// the number of none of `channels` channels either.
pub fn unused(names: &[&str], channels: usize, taken: &mut BTreeSet<String>) -> CameraId {
    let base = names.iter().map(|name| slug(name)).find(|slug| !slug.is_empty());
    let base = base.unwrap_or_else(|| "camera".to_owned());
    let numbered = (2..).map(|number: u32| format!("{base}-{number}"));
    let with_channels = |id: &str| {
        let channels = (1..=channels).map(|number| format!("{id}-{number}"));
        std::iter::once(id.to_owned()).chain(channels).collect::<Vec<_>>()
    };
    let is_free = |id: &String| with_channels(id).iter().all(|id| !taken.contains(id));
    let id = std::iter::once(base.clone()).chain(numbered).find(is_free);
    let id = id.expect("there are more numbers than cameras");
    taken.extend(with_channels(&id));
    CameraId::new(&id).expect("a slug is made of what identifiers are made of, and is short")
}

/// Returns the ASCII letters and digits of `name` in lower case,
/// with single hyphens between groups.
fn slug(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let joined = words.collect::<Vec<_>>().join("-");
    joined.chars().take(MAX_ID_LEN).collect::<String>().trim_end_matches('-').to_owned()
}

/// Returns `text` without hidden characters and shortened to the maximum length.
pub fn one_line(text: &str) -> String {
    let printable: String = text.chars().map(|c| if is_hidden(c) { ' ' } else { c }).collect();
    printable.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_WORDS_LEN).collect()
}

/// Returns `text`, which holds no control characters, as a TOML string.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
