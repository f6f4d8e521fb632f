//! Scenario: cameras of all kinds are resolved, and the agent locks none of them out.
//!
//! Each test uses a small camera on loopback with one quirk of real ones.

mod quirks_channels;
mod quirks_http;
mod quirks_login;
mod quirks_messages;
mod quirks_ptz;

use std::{collections::BTreeSet, error::Error as _, fs, net::TcpListener, path::Path};

use crate::support::onvif_camera::{Answer, Camera, Request, ordinary};
use cctv_agent::{
    device_id::DeviceId,
    media::Size,
    onvif::{Authentication, Error, Kind, Limits, Offset, Resolved, Target, identity, report, resolve},
};

fn resolved(target: &Target, profile: Option<&str>) -> Result<Resolved, Error> {
    smol::block_on(resolve(target, profile))
}

fn uris(resolved: &Resolved) -> Vec<&str> {
    resolved.streams.iter().map(|uri| uri.as_str()).collect()
}

/// Whether an operation is allowed without a login.
fn is_public(request: &Request) -> bool {
    matches!(request.name(), "GetSystemDateAndTime" | "GetServices" | "GetCapabilities" | "GetEndpointReference")
}

#[test]
fn open_camera_is_resolved_by_token_in_few_requests() {
    let camera = Camera::start(|request| ordinary(request, 0));
    let found = resolved(&camera.target_without_login(), Some("0 & main")).unwrap();
    assert_eq!(uris(&found), ["rtsp://127.0.0.1/main?a=1&b=2"]);
    assert_eq!(found.profile.token, "0 & main");
    assert_eq!(found.authentication, Some(Authentication::Open));
    assert_eq!((found.device.manufacturer.as_str(), found.device.serial.as_str()), ("Acme", "77"));
    assert_eq!(found.endpoint.as_deref(), Some("urn:uuid:1"));
    assert!(found.clock_offset.unwrap().0.abs() <= 2);
    assert_eq!(found.hardware_addresses, ["00:12:34:56:78:9a"]);
    let expected = [
        "GetSystemDateAndTime",
        "GetServices",
        "GetProfiles",
        "GetStreamUri",
        "GetDeviceInformation",
        "GetNetworkInterfaces",
        "GetEndpointReference",
    ];
    assert_eq!(camera.names(), expected);
}

#[test]
fn open_camera_is_not_shown_the_password_it_does_not_ask_for() {
    let camera = Camera::start(|request| ordinary(request, 0));
    resolved(&camera.target(), Some("000")).unwrap();
    assert_eq!(camera.passwords_sent(), 0);
}

#[test]
fn profile_is_found_by_name_and_left_out_means_the_first_with_video() {
    let camera = Camera::start(|request| ordinary(request, 0));
    let found = resolved(&camera.target(), Some("Sub stream")).unwrap();
    assert_eq!((found.profile.token.as_str(), uris(&found)), ("000", vec!["rtsp://127.0.0.1/sub"]));
    assert_eq!(found.profile.size, Some(Size { width: 640, height: 360 }));
    let found = resolved(&camera.target(), None).unwrap();
    assert_eq!((found.profile.token.as_str(), found.profile.encoding.as_deref()), ("0 & main", Some("H265")));
    assert_eq!(found.profile.fps, Some(25.0));
}

#[test]
fn unknown_profile_is_answered_with_what_is_offered() {
    let camera = Camera::start(|request| ordinary(request, 0));
    let error = resolved(&camera.target(), Some("Nosuch")).unwrap_err();
    assert_eq!(error.kind(), Kind::NoSuchProfile);
    let text = error.to_string();
    assert!(text.ends_with(
        "has no media profile \"Nosuch\"; it offers \"meta\" (Metadata), \"0 & main\" (Main stream), \"000\" (Sub stream)"
    ), "{text}");
}

#[test]
fn what_is_no_camera_is_told() {
    let camera = Camera::start(|_| Answer::http(200, "", "<!DOCTYPE html><html>Router</html>"));
    let error = resolved(&camera.target(), Some("000")).unwrap_err();
    assert_eq!(error.kind(), Kind::Malformed);
    let camera = Camera::start(|_| Answer::http(404, "", "<html>no</html>"));
    let error = resolved(&camera.target(), None).unwrap_err();
    assert!(error.to_string().contains("HTTP status 404"), "{error}");
}

#[test]
fn nobody_listening_is_unreachable_at_once() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let target = Target { host: "127.0.0.1".into(), port, tls: None, credentials: None };
    let error = resolved(&target, Some("000")).unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert_eq!(error.to_string(), format!("cannot reach the ONVIF service at 127.0.0.1:{port}"));
    assert!(error.source().is_some());
}

#[test]
fn survey_lists_every_profile_or_why_it_has_no_stream() {
    let camera = Camera::start(|request| ordinary(request, 0));
    let report = smol::block_on(report(&camera.target())).unwrap();
    let tokens: Vec<_> = report.offers.iter().map(|offer| offer.profile.token.as_str()).collect();
    assert_eq!(tokens, ["meta", "0 & main", "000"]);
    assert!(report.offers[0].streams.as_ref().unwrap_err().to_string().contains("no stream"));
    let main = report.offers[1].streams.as_ref().unwrap();
    assert_eq!(main.candidates[0].as_str(), "rtsp://127.0.0.1/main?a=1&b=2");
    assert_eq!(report.device.model, "Eye 1");
    assert!(report.clock_offset.is_some_and(|Offset(seconds)| seconds.abs() <= 2));
}

#[test]
fn device_says_who_it_is_before_any_password() {
    let ask = |camera: &Camera| {
        let target = camera.target();
        smol::block_on(identity(&target, Limits::default()))
    };
    let camera = Camera::start(|request| ordinary(request, 0));
    let endpoint = ask(&camera).unwrap().endpoint.unwrap();
    assert_eq!(DeviceId::new(&endpoint), DeviceId::new("uuid:1"));
    assert_eq!(camera.names(), ["GetEndpointReference"]);
    // One that does not know the operation, but requires no login.
    let older = Camera::start(|request| match request.name() {
        "GetEndpointReference" => Answer::fault(500, &["ter:ActionNotSupported"], ""),
        _ => ordinary(request, 0),
    });
    let found = ask(&older).unwrap();
    assert_eq!((found.serial.as_deref(), found.hardware_addresses.len()), (Some("77"), 1));
    // One that reveals nothing without a login, and one that is no camera.
    let shut = Camera::start(|_| Answer::fault(400, &["ter:NotAuthorized"], ""));
    assert_eq!(ask(&shut).unwrap(), Default::default());
    let router = Camera::start(|_| Answer::http(404, "", "<html>no</html>"));
    assert_eq!(ask(&router).unwrap_err().kind(), Kind::Refused);
    for camera in [camera, older, shut, router] {
        assert_eq!(camera.passwords_sent(), 0);
    }
}

#[test]
fn every_quirk_has_a_test_and_the_list_names_them_all() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names = |file: &str, before: &str| -> BTreeSet<String> {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let found = text.split(before).skip(1).filter(|rest| rest.starts_with("quirk_"));
        found.map(|rest| rest.split(['(', '`']).next().unwrap().to_owned()).filter(|name| name.len() > 10).collect()
    };
    // The tests of datagrams and device descriptions are next to the code.
    let files = [
        "tests/pure/onvif/quirks_channels.rs",
        "tests/pure/onvif/quirks_http.rs",
        "tests/pure/onvif/quirks_login.rs",
        "tests/pure/onvif/quirks_messages.rs",
        "tests/pure/onvif/quirks_ptz.rs",
        "src/discovery/device_list.rs",
        "src/discovery/description/tests.rs",
        "src/discovery/socket_set.rs",
        "src/device_id.rs",
        "src/discovery/listen.rs",
        "src/discovery/search/send_schedule.rs",
        "src/discovery/search/tests.rs",
        "src/discovery/ssdp.rs",
        "src/discovery/wsd/tests.rs",
        "src/discovery/xaddr.rs",
    ];
    let tests: BTreeSet<_> = files.iter().flat_map(|file| names(file, "fn ")).collect();
    assert_eq!(names("docs/onvif-quirks.md", "`"), tests);
    for number in 1..=54 {
        let prefix = format!("quirk_{number:02}_");
        assert!(tests.iter().any(|name| name.starts_with(&prefix)), "no test for quirk {number}");
    }
}
