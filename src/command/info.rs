//! `cctv-agent info`: shows what one camera reports about itself, for the writer of `cameras.toml`.
//!
//! The texts come from the camera and go to a terminal, so control characters are escaped and
//! addresses are masked.

pub mod address;
mod measurement;
mod other_sources;
mod picture;
mod section;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use serde_json::{Value, json};
use smol::LocalExecutor;

use self::measurement::Measurement;
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

/// The exit code if the camera could not be asked, or gave no picture.
const FAILED: u8 = 70;

/// Number of streams that are read, and of those that are read at the same time.
const MAX_STREAMS: usize = 64;
const AT_ONCE: usize = 4;

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
    /// No stream is opened.
    pub is_quick: bool,
    /// Where the JPEG of the first stream goes.
    pub picture: Option<PathBuf>,
    pub json: bool,
}

/// Asks the camera and prints what it reports, or prints one line to stderr if that fails.
///
/// # Blocking
/// Blocks until the camera has answered, a few requests of at most ten seconds each, and until its
/// streams were read, four at a time for a quarter of a minute at most.
pub fn run(arguments: Info) -> ExitCode {
    let Info { host, port, tls, username, password, is_quick, picture, json } = arguments;
    let credentials = username.map(|username| {
        let password = password.unwrap_or_else(|| Secret::new(""));
        Credentials { username, password }
    });
    let target = Target { host, port, tls: tls.then(KeyCheck::default), credentials };
    let username = target.credentials.as_ref().map(|credentials| credentials.username.clone());
    let report = match smol::block_on(report(&target)) {
        Ok(report) => report,
        Err(error) => {
            complain(format!("cctv-agent info: {}", log::chain(&error)));
            return ExitCode::from(FAILED);
        }
    };
    let measured = if is_quick { Vec::new() } else { smol::block_on(measure_all(&report, &target)) };
    if json {
        print_json(&as_json(&report, &measured));
    } else {
        print(&as_text(&report));
        print(&streams_as_text(&measured));
        print(&section::write(&report, &target, username.as_deref()));
    }
    picture.map_or(ExitCode::SUCCESS, |file| write_picture(&measured, &file))
}

/// The stream of a profile or at an address, and how it was.
struct Measured {
    token: String,
    result: Result<Measurement, String>,
}

/// Reads the streams of the first profiles that have one, some at a time: a recorder has many and
/// serves few.
async fn measure_all(report: &DeviceReport, target: &Target) -> Vec<Measured> {
    let offers: Vec<_> = report.offers.iter().filter(|offer| offer.streams.is_ok()).take(MAX_STREAMS).collect();
    let mut measured = Vec::new();
    let executor = LocalExecutor::new();
    for some in offers.chunks(AT_ONCE) {
        let tasks: Vec<_> = some.iter().map(|offer| executor.spawn(measure_one(offer, target))).collect();
        executor
            .run(async {
                for task in tasks {
                    measured.push(task.await);
                }
            })
            .await;
    }
    measured
}

/// Tries the addresses that the stream may have, until one can be opened.
async fn measure_one(offer: &ProfileReport, target: &Target) -> Measured {
    let mut result = Err("it has no address".to_owned());
    for uri in offer.streams.iter().flat_map(|streams| &streams.candidates) {
        let login = offer.streams.as_ref().ok().and_then(|streams| streams.login.clone());
        // The login of the command line goes to the host of the command line alone.
        let credentials = target.credentials.clone().or(login).filter(|_| uri.host() == target.host);
        result = measurement::measure(uri.clone(), credentials, KeyCheck::default()).await;
        if result.is_ok() {
            break;
        }
    }
    Measured { token: text::fact(&offer.profile.token), result }
}

/// Writes the newest picture of the first stream that has one, or prints a line to stderr.
fn write_picture(measured: &[Measured], file: &Path) -> ExitCode {
    let write = || {
        let first = measured.iter().find_map(|measured| measured.result.as_ref().ok());
        let jpeg = smol::block_on(picture::newest(first.ok_or("no stream could be read")?))?;
        fs::write(file, jpeg).map_err(|error| error.to_string())
    };
    match write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format!("cctv-agent info: no picture for {}: {error}", file.display()));
            ExitCode::from(FAILED)
        }
    }
}

/// Formats what the streams were like, for people; empty if none was read.
fn streams_as_text(measured: &[Measured]) -> String {
    if measured.is_empty() {
        return String::new();
    }
    let heads = ["PROFILE", "BY", "LOGIN", "CODEC", "SIZE", "RATE", "BIT RATE", "FIRST PICTURE", "KEY FRAMES", "LOST"];
    let mut rows = vec![heads.map(str::to_owned)];
    let mut failed = String::new();
    for Measured { token, result } in measured {
        match result {
            Ok(measurement) => rows.push(stream_row(token, measurement)),
            Err(error) => failed.push_str(&format!("{}: {}\n", shown(token), shown(error))),
        }
    }
    let table = if rows.len() > 1 { aligned(&rows, [Side::Left; 10]) } else { Vec::new() };
    let table: String = table.iter().map(|line| format!("{line}\n")).collect();
    format!("\nThe streams, each read for some seconds:\n{table}{failed}")
}

fn stream_row(token: &str, measurement: &Measurement) -> [String; 10] {
    let dash = || "-".to_owned();
    let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
    let key_frames = match (measurement.key_frame_interval(), measurement.without_key_frame()) {
        (Some(interval), _) => format!("every {}", seconds(interval)),
        (None, Some(time)) => format!("none in {}", seconds(time)),
        (None, None) => dash(),
    };
    let stats = &measurement.stats;
    [
        shown(token),
        measurement.transport.map_or_else(dash, str::to_owned),
        measurement.login.map_or_else(|| "none".to_owned(), str::to_owned),
        measurement.info.map_or_else(dash, |info| info.codec.as_str().to_uppercase()),
        measurement.info.map_or_else(dash, |info| format!("{}x{}", info.size.width, info.size.height)),
        measurement.fps().map_or_else(dash, |fps| format!("{fps:.1} fps")),
        measurement.bitrate().map_or_else(dash, |bits| format!("{:.2} Mbit/s", bits / 1e6)),
        measurement.first_picture.map_or_else(dash, seconds),
        key_frames,
        format!("{} of {}", stats.lost, stats.packets + stats.lost),
    ]
}

async fn report(target: &Target) -> Result<DeviceReport, onvif::Error> {
    let error = match onvif::report(target).await {
        Err(error) if target.tls.is_none() => error,
        result => return result,
    };
    let Some(port) = error.tls_port(&target.host) else { return Err(error) };
    let over_tls = onvif::report(&Target { port, tls: Some(KeyCheck::default()), ..target.clone() }).await;
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
fn as_json(report: &DeviceReport, measured: &[Measured]) -> Value {
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
        "profiles": report.offers.iter().map(|offer| offer_json(offer, measured)).collect::<Vec<_>>(),
    })
}

fn offer_json(offer: &ProfileReport, measured: &[Measured]) -> Value {
    let profile = &offer.profile;
    let measured = measured.iter().find(|measured| measured.token == text::fact(&profile.token));
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
        "measured": measured.and_then(|measured| measured.result.as_ref().ok()).map(measurement_json),
        "not_measured": measured.and_then(|measured| measured.result.as_ref().err()),
    })
}

fn measurement_json(measurement: &Measurement) -> Value {
    let rounded = |number: f64| (number * 1000.0).round() / 1000.0;
    let seconds = |time: Duration| rounded(time.as_secs_f64());
    json!({
        "seconds": seconds(measurement.time),
        "transport": measurement.transport,
        "login": measurement.login,
        "codec": measurement.info.map(|info| info.codec.as_str()),
        "size": measurement.info.map(|info| [info.size.width, info.size.height]),
        "fps": measurement.fps().map(rounded),
        "bitrate": measurement.bitrate().map(f64::round),
        "first_picture": measurement.first_picture.map(seconds),
        "key_frame_interval": measurement.key_frame_interval().map(seconds),
        "packets": measurement.stats.packets,
        "lost": measurement.stats.lost,
        "damaged_frames": measurement.damaged,
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
            has_ptz: false,
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
        assert_eq!(as_json(&report, &[])["tls_key"], key.to_string());
    }

    #[test]
    fn programs_get_every_field() {
        let json = as_json(&report(), &[]);
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
