//! `cctv-agent info`: shows what one camera reports about itself, for the writer of `cameras.toml`.
//!
//! The texts come from the camera and go to a terminal, so control characters are escaped and
//! addresses are masked.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{
    output::{complain, print, print_json},
    table::{Side, aligned, shown},
};
use crate::{
    camera::{Credentials, Secret},
    log,
    onvif::{self, DeviceReport, ProfileReport, Target},
    text,
    tls::client::KeyCheck,
};

/// The exit code if the camera could not be asked.
const FAILED: u8 = 70;

/// The arguments of the command.
#[derive(Clone, Debug)]
pub struct Info {
    /// IP address (IPv6 without brackets) or host name.
    pub host: String,
    pub port: u16,
    /// Over TLS. If not, it is asked over TLS after it has sent us there.
    pub tls: bool,
    pub username: Option<String>,
    pub password: Option<Secret>,
    pub json: bool,
}

/// Asks the camera and prints what it reports, or prints one line to stderr if that fails.
///
/// # Blocking
/// Blocks until the camera has answered: a few requests of at most ten seconds each.
pub fn run(arguments: Info) -> ExitCode {
    let Info { host, port, tls, username, password, json } = arguments;
    let credentials = username.map(|username| {
        let password = password.unwrap_or_else(|| Secret::new(""));
        Credentials { username, password }
    });
    let target = Target { host, port, tls: tls.then(KeyCheck::default), credentials };
    match smol::block_on(report(target)) {
        Ok(report) => {
            if json {
                print_json(&as_json(&report));
            } else {
                print(&as_text(&report));
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(format!("cctv-agent info: {}", log::chain(&error)));
            ExitCode::from(FAILED)
        }
    }
}

async fn report(target: Target) -> Result<DeviceReport, onvif::Error> {
    let error = match onvif::report(&target).await {
        Err(error) if target.tls.is_none() => error,
        result => return result,
    };
    let Some(port) = error.tls_port(&target.host) else { return Err(error) };
    let over_tls = onvif::report(&Target { port, tls: Some(KeyCheck::default()), ..target }).await;
    over_tls.map_err(|other| if other.kind() == onvif::Kind::Unreachable { error } else { other })
}

/// Formats the result for people.
pub fn as_text(report: &DeviceReport) -> String {
    let device = &report.device;
    let unknown = || "not given".to_owned();
    let or_unknown = |text: &str| if text.is_empty() { unknown() } else { shown(text) };
    let facts = [
        ("device", or_unknown(format!("{} {}", device.manufacturer, device.model).trim())),
        ("firmware", or_unknown(&device.firmware)),
        ("serial", or_unknown(&device.serial)),
        ("host name", report.host_name.as_deref().map_or_else(unknown, shown)),
        ("identity", report.endpoint.as_deref().map_or_else(unknown, shown)),
        ("clock", report.clock_offset.map_or_else(unknown, |offset| offset.to_string())),
        ("login", report.authentication.map_or_else(unknown, |authentication| authentication.to_string())),
    ];
    let mut text: String = facts.iter().map(|(name, fact)| format!("{name:<10}{fact}\n")).collect();
    if let Some(key) = report.key {
        text.push_str(&format!("{:<10}{}\n", "TLS key", key.key));
    }
    text.push('\n');
    if report.offers.is_empty() {
        text.push_str("no media profiles\n");
        return text;
    }
    let mut rows = vec![["PROFILE", "NAME", "SOURCE", "ENCODING", "SIZE", "RATE", "STREAM"].map(str::to_owned)];
    for offer in &report.offers {
        rows.extend(offer_rows(offer));
    }
    for line in aligned(&rows, [Side::Left; 7]) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Returns one row for the profile, and one for each further address that its stream may have.
fn offer_rows(offer: &ProfileReport) -> Vec<[String; 7]> {
    let profile = &offer.profile;
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let mut places = match &offer.streams {
        Ok(streams) => streams.candidates.iter().map(|uri| shown(&uri.to_string())).collect(),
        Err(error) => vec![format!("none: {}", shown(&log::chain(error)))],
    }
    .into_iter();
    let first = [
        shown(&text::fact(&profile.token)),
        or_dash(Some(shown(&text::fact(&profile.name))).filter(|name| !name.is_empty())),
        or_dash(profile.source.as_ref().map(|source| shown(&text::fact(&source.token)))),
        or_dash(profile.encoding.as_deref().map(|encoding| shown(&text::fact(encoding)))),
        or_dash(profile.size.map(|size| format!("{}x{}", size.width, size.height))),
        or_dash(profile.fps.map(|fps| format!("{fps} fps"))),
        places.next().unwrap_or_default(),
    ];
    let further = places.map(|place| {
        let mut row: [String; 7] = Default::default();
        row[6] = format!("or {place}");
        row
    });
    std::iter::once(first).chain(further).collect()
}

/// Formats the result for programs. Addresses are masked here, too.
pub fn as_json(report: &DeviceReport) -> Value {
    let device = &report.device;
    json!({
        "device": {
            "manufacturer": device.manufacturer,
            "model": device.model,
            "firmware": device.firmware,
            "serial": device.serial,
        },
        "endpoint": report.endpoint,
        "host_name": report.host_name,
        "tls_key": report.key.map(|key| key.key.to_string()),
        "clock_offset": report.clock_offset.map(|offset| offset.0),
        "authentication": report.authentication.map(|authentication| authentication.to_string()),
        "profiles": report.offers.iter().map(offer_json).collect::<Vec<_>>(),
    })
}

fn offer_json(offer: &ProfileReport) -> Value {
    let profile = &offer.profile;
    let candidates = offer.streams.iter().flat_map(|streams| &streams.candidates);
    json!({
        "token": text::fact(&profile.token),
        "name": text::fact(&profile.name),
        "source": profile.source.as_ref().map(|source| text::fact(&source.token)),
        "encoding": profile.encoding.as_deref().map(text::fact),
        "size": profile.size.map(|size| [size.width, size.height]),
        "fps": profile.fps,
        "streams": candidates.map(ToString::to_string).collect::<Vec<_>>(),
        "error": offer.streams.as_ref().err().map(|error| log::chain(error)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        camera::StreamUri,
        camera::fingerprint::{Fingerprint, PeerKey},
        media::Size,
        onvif::{DeviceInformation, Error, Offset, Profile, Streams, VideoSource},
    };

    fn report() -> DeviceReport {
        let uri = |text: &str| StreamUri::split(text).unwrap().0;
        let candidates = vec![uri("rtsp://10.0.0.9/a?password=x"), uri("rtsp://10.0.0.1/a")];
        let main = Profile {
            token: "000".into(),
            name: "\u{9580}\u{1b}[2J".into(),
            encoding: Some("H265".into()),
            size: Some(Size { width: 2560, height: 1440 }),
            fps: Some(12.5),
            source: Some(VideoSource { token: "VideoSource_1".into(), configuration: None }),
        };
        let bare = Profile { token: "a long token".into(), ..Profile::default() };
        let none = Error::NoStream { device: "10.0.0.1:80".into(), profile: "a long token".into(), source: None };
        DeviceReport {
            device: DeviceInformation { manufacturer: "Acme".into(), model: "Eye".into(), ..Default::default() },
            endpoint: None,
            host_name: None,
            key: None,
            offers: vec![
                ProfileReport { profile: main, streams: Ok(Streams { candidates, login: None }) },
                ProfileReport { profile: bare, streams: Err(none) },
            ],
            clock_offset: Some(Offset(-300)),
            authentication: None,
        }
    }

    #[test]
    fn people_get_an_aligned_table() {
        let expected = "\
device    Acme Eye
firmware  not given
serial    not given
host name not given
identity  not given
clock     5 min behind
login     not given

PROFILE       NAME         SOURCE         ENCODING  SIZE       RATE      STREAM
000           \u{9580}\\u{1b}[2J  VideoSource_1  H265      2560x1440  12.5 fps  rtsp://10.0.0.9/a?password=***
                                                                         or rtsp://10.0.0.1/a
a long token  -            -              -         -          -         none: 10.0.0.1:80 has no stream for profile \"a long token\"
";
        assert_eq!(as_text(&report()), expected);
    }

    #[test]
    fn key_of_a_camera_over_tls_is_told_in_the_form_of_the_configuration() {
        let (key, certificate) = (Fingerprint([7; 32]), Fingerprint([8; 32]));
        let report = DeviceReport { key: Some(PeerKey { key, certificate }), ..report() };
        assert!(as_text(&report).contains(&format!("\nTLS key   {key}\n")), "{}", as_text(&report));
        assert_eq!(as_json(&report)["tls_key"], key.to_string());
    }

    #[test]
    fn programs_get_every_field() {
        let json = as_json(&report());
        assert_eq!(json["device"]["model"], "Eye");
        assert_eq!(json["clock_offset"], -300);
        assert_eq!(json["profiles"][0]["source"], "VideoSource_1");
        assert_eq!(json["profiles"][1]["source"], Value::Null);
        assert_eq!(json["profiles"][0]["size"], json!([2560, 1440]));
        assert_eq!(json["profiles"][0]["streams"], json!(["rtsp://10.0.0.9/a?password=***", "rtsp://10.0.0.1/a"]));
        assert_eq!(json["profiles"][0]["error"], Value::Null);
        assert_eq!(json["profiles"][1]["streams"], json!([]));
        assert!(json["profiles"][1]["error"].as_str().is_some_and(|error| error.contains("no stream")));
    }

    #[test]
    fn camera_without_profiles_is_told() {
        let empty = DeviceReport { offers: Vec::new(), ..report() };
        assert!(as_text(&empty).ends_with("\nno media profiles\n"));
    }
}
