//! Lines for `cameras.toml` that show the camera.

use std::collections::BTreeSet;

use super::super::discover::toml_output::{channels, one_line, place, quoted, unused};
use crate::{
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
    let is_tls = target.tls.is_some() || report.key.is_some();
    // It has sent us on to the usual port.
    let port = if is_tls && target.port == DEFAULT_PORT { HTTPS_PORT } else { target.port };
    let place = place(&target.host, port, is_tls, None);
    let mut text = format!("\nFor cameras.toml:\n\n[[{section}]]\nid = \"{id}\"\n{place}");
    if let Some(username) = username {
        text.push_str(&format!("username = {}\npassword_file = \"/etc/cctv-agent/{id}.password\"\n", quoted(username)));
    }
    if is_recorder {
        text.push_str(&channels(sources.len()));
    } else {
        if offers.len() > 1 {
            text.push_str("small_profile = \"auto\"\n");
        }
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        camera::StreamUri,
        config::{Config, parse},
        onvif::{DeviceInformation, Profile, Streams, VideoSource},
    };

    fn offer(profile: &str, source: &str) -> ProfileReport {
        let uri = StreamUri::split(&format!("rtsp://10.0.0.9/{profile}")).unwrap().0;
        let source = VideoSource { token: source.into(), configuration: None };
        ProfileReport {
            profile: Profile { token: profile.into(), source: Some(source), ..Profile::default() },
            streams: Ok(Streams { candidates: vec![uri], login: None }),
        }
    }

    fn report(offers: Vec<ProfileReport>) -> DeviceReport {
        let device = DeviceInformation { manufacturer: "Acme".into(), model: "Eye".into(), ..Default::default() };
        let (endpoint, host_name, key) = (None, None, None);
        DeviceReport { device, endpoint, host_name, key, offers, clock_offset: None, authentication: None }
    }

    /// What a file with the section means.
    fn read(offers: Vec<ProfileReport>, port: u16) -> Config {
        let target = Target { host: "10.0.0.9".into(), port, tls: None, credentials: None };
        let text = write(&report(offers), &target, None);
        let (_, section) = text.split_once("For cameras.toml:\n").unwrap();
        parse(section, Path::new("c"), &|_: &Path| Err(std::io::ErrorKind::NotFound.into())).unwrap()
    }

    #[test]
    fn section_of_a_camera_has_its_small_stream() {
        let config = read(vec![offer("main", "s"), offer("small", "s")], 8000);
        let [camera] = &config.cameras[..] else { panic!("{config:?}") };
        assert_eq!(camera.id.as_str(), "acme-eye");
        assert_eq!(camera.stream_source.small_profile.as_deref(), Some("auto"));
    }

    #[test]
    fn section_of_a_recorder_shows_all_its_sources() {
        let offers = ["1", "2", "3"].map(|source| [offer(source, source), offer(&format!("{source}s"), source)]);
        let config = read(offers.into_iter().flatten().collect(), DEFAULT_PORT);
        let ids: Vec<_> = config.cameras.iter().map(|camera| camera.id.as_str()).collect();
        assert_eq!(ids, ["acme-eye-1", "acme-eye-2", "acme-eye-3"]);
    }
}
