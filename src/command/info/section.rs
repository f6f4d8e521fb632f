//! Lines for `cameras.toml` that show the camera.

use std::collections::BTreeSet;

use super::super::discover::toml_output::{one_line, quoted, unused};
use crate::{
    config::MAX_CAMERAS,
    onvif::{DEFAULT_PORT, DeviceReport, ProfileReport, Target},
    text,
    tls::client::HTTPS_PORT,
};

/// The section of the device: a camera, or a recorder if its profiles have several video sources.
/// Profiles that may be named in it stand behind it, as comments.
pub fn write(report: &DeviceReport, target: &Target, username: Option<&str>) -> String {
    let offers: Vec<_> = report.offers.iter().filter(|offer| offer.streams.is_ok()).collect();
    if offers.is_empty() {
        return String::new();
    }
    let device = &report.device;
    let kind = one_line(format!("{} {}", device.manufacturer, device.model).trim());
    let sources: BTreeSet<_> = offers.iter().filter_map(|offer| source(offer)).collect();
    let is_recorder = sources.len() > 1;
    let id = unused(&[&kind], if is_recorder { sources.len() } else { 0 }, &mut BTreeSet::new());
    let section = if is_recorder { "recorder" } else { "camera" };
    let mut text = format!("\nFor cameras.toml:\n\n[[{section}]]\nid = \"{id}\"\nip = {}\n", quoted(&target.host));
    let is_tls = target.tls.is_some() || report.key.is_some();
    if is_tls {
        text.push_str("tls = \"learn\"\n");
    }
    if target.port != DEFAULT_PORT && !(is_tls && target.port == HTTPS_PORT) {
        text.push_str(&format!("onvif_port = {}\n", target.port));
    }
    if let Some(username) = username {
        text.push_str(&format!("username = {}\npassword_file = \"/etc/cctv-agent/{id}.password\"\n", quoted(username)));
    }
    if is_recorder {
        text.push_str(&format!("channels = \"1-{}\"\n", sources.len().min(MAX_CAMERAS)));
    }
    if offers.len() > sources.len().max(1) {
        text.push_str("small_profile = \"auto\"\n");
    }
    if !is_recorder {
        for offer in offers {
            text.push_str(&format!("# profile = {}{}\n", quoted(&text::fact(&offer.profile.token)), what(offer)));
        }
    }
    text
}

fn source(offer: &ProfileReport) -> Option<&str> {
    offer.profile.source.as_ref().map(|source| source.token.as_str())
}

/// What the profile holds, as a comment.
fn what(offer: &ProfileReport) -> String {
    let size = offer.profile.size.map(|size| format!("{}x{}", size.width, size.height));
    let encoding = offer.profile.encoding.as_deref().map(|encoding| one_line(&text::fact(encoding)));
    let parts: Vec<_> = encoding.into_iter().chain(size).collect();
    if parts.is_empty() { String::new() } else { format!("   # {}", parts.join(" ")) }
}
