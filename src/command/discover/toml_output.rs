//! Writes discovered cameras as sections for `cameras.toml` that `check` accepts.

use std::{collections::BTreeSet, net::IpAddr};

use super::candidate::Candidate;
use crate::{camera::CameraId, config::Config, discovery::XAddr, onvif::Profile, text::is_hidden};

/// Maximum length of an identifier made from a name, in characters.
const MAX_ID_LEN: usize = 40;
/// Maximum length of a name or an identity that `check` accepts, in characters.
const MAX_WORDS_LEN: usize = 200;

/// Writes a section for every camera that is not configured, and a comment for every one that is.
pub fn write(found: &[Candidate], config: Option<&Config>) -> String {
    let cameras = config.map_or(&[][..], |config| &config.cameras);
    let mut taken: BTreeSet<String> = cameras.iter().map(|camera| camera.id.to_string()).collect();
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
        let channels = channels(found);
        if let [only] = channels[..]
            && let Some(source) = &only.source
        {
            text.push_str(&format!("# Video source {}\n", one_line(&source.token)));
        }
        // A recorder gets one camera for each channel. A device that lists none gets no profile.
        let several = channels.len() > 1;
        for channel in if several { channels.into_iter().map(Some).collect() } else { vec![None] } {
            let id = unused(&[&name, &kind], &mut taken);
            text.push_str(&format!("[[camera]]\nid = \"{id}\"\n"));
            if !name.is_empty() {
                text.push_str(&format!("name = {}\n", quoted(&name)));
            }
            if let Some(address) = host {
                text.push_str(&format!("ip = {}\n", quoted(&address.host)));
                if address.secure {
                    text.push_str("tls = \"learn\"\n");
                }
                if let Some(key) = found.answers.as_ref().and_then(|answers| answers.key) {
                    text.push_str(&format!("# Its TLS key is now {key}\n"));
                }
                if address.port != if address.secure { 443 } else { 80 } {
                    text.push_str(&format!("onvif_port = {}\n", address.port));
                }
            }
            if let Some(Profile { token, source: Some(source), .. }) = channel {
                text.push_str(&format!("profile = {} # video source {}\n", quoted(token), one_line(&source.token)));
            }
            if let Some(uuid) = &uuid {
                text.push_str(&format!("uuid = {}\n", quoted(uuid)));
            }
            text.push('\n');
        }
    }
    if text.is_empty() { text } else { format!("{HEAD}{}", text.trim_end_matches('\n').to_owned() + "\n") }
}

const HEAD: &str = "\
# Found by cctv-agent discover. Add these sections to cameras.toml, with the login of the cameras in
# [defaults] or in each of them; then cctv-agent check says whether all is well. A recorder shows
# several cameras and needs a section for each, with its profile: cctv-agent info IP lists the profiles
# with the video source of each.

";

/// Returns the first profile with video of each video source. Empty if the device does not report
/// them, or uses texts that the file cannot hold.
fn channels(found: &Candidate) -> Vec<&Profile> {
    let mut channels: Vec<&Profile> = Vec::new();
    let profiles = found.answers.iter().flat_map(|answers| &answers.profiles);
    for profile in profiles.filter(|profile| profile.encoding.is_some()) {
        let is_known = |channel: &&Profile| {
            channel.source.as_ref().map(|source| &source.token) == profile.source.as_ref().map(|source| &source.token)
        };
        let is_writable = !profile.token.contains(is_hidden) && profile.token.chars().count() <= MAX_WORDS_LEN;
        if profile.source.is_some() && is_writable && !channels.iter().any(is_known) {
            channels.push(profile);
        }
    }
    channels
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

/// Returns an identifier made from the first of `names` that has letters for an unused one.
fn unused(names: &[&str], taken: &mut BTreeSet<String>) -> CameraId {
    let base = names.iter().map(|name| slug(name)).find(|slug| !slug.is_empty());
    let base = base.unwrap_or_else(|| "camera".to_owned());
    let numbered = (2..).map(|number: u32| format!("{base}-{number}"));
    let id = std::iter::once(base.clone()).chain(numbered).find(|id| !taken.contains(id));
    let id = id.expect("there are more numbers than cameras");
    taken.insert(id.clone());
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
fn one_line(text: &str) -> String {
    let printable: String = text.chars().map(|c| if is_hidden(c) { ' ' } else { c }).collect();
    printable.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_WORDS_LEN).collect()
}

/// Returns `text`, which holds no control characters, as a TOML string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
