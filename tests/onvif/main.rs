//! Story: cameras of all kinds are resolved, and none is locked out by us.
//!
//! Each test talks over loopback to a small camera with one habit of real ones.

// A test that cannot set up its camera has failed.
#![allow(clippy::unwrap_used)]

mod camera;

use std::{
    error::Error as _,
    net::TcpListener,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use camera::{Answer, Camera, Request, md5_hex, ordinary, sha256_hex};
use cctv_agent::{
    media::Size,
    onvif::{
        Authentication, Error, Hint, Kind, Limits, Offset, Resolved, Target, digest::Algorithm, login::Clock, resolve,
        resolve_within, survey,
    },
};

fn resolved(target: &Target, profile: Option<&str>) -> Result<Resolved, Error> {
    smol::block_on(resolve(target, profile))
}

fn uris(resolved: &Resolved) -> Vec<&str> {
    resolved.streams.iter().map(|uri| uri.as_str()).collect()
}

/// Whether an operation may be asked for without a login.
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
    let expected =
        ["GetSystemDateAndTime", "GetServices", "GetStreamUri", "GetDeviceInformation", "GetEndpointReference"];
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
fn profile_without_a_stream_says_so() {
    let camera = Camera::start(|request| ordinary(request, 0));
    let error = resolved(&camera.target(), Some("meta")).unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(error.to_string().contains("no stream for profile \"meta\""), "{error}");
}

#[test]
fn username_token_follows_a_clock_that_is_years_off() {
    for offset in [-3 * 365 * 86_400, 0, 86_400] {
        let camera = Camera::start(move |request| {
            if is_public(request) || request.has_good_token(offset) {
                ordinary(request, offset)
            } else {
                Answer::fault(400, &["ter:NotAuthorized"], "Sender not authorized")
            }
        });
        let found = resolved(&camera.target(), Some("000")).unwrap();
        assert_eq!(found.authentication, Some(Authentication::UsernameToken(Clock::Camera)));
        assert!((found.clock_offset.unwrap().0 - offset).abs() <= 2, "{:?}", found.clock_offset);
        assert_eq!(camera.passwords_sent(), 2, "{:?}", camera.names());
    }
}

#[test]
fn camera_that_measures_by_another_clock_than_it_tells_gets_our_time() {
    let camera = Camera::start(|request| {
        if is_public(request) || request.has_good_token(0) {
            ordinary(request, 5000)
        } else {
            Answer::fault(500, &["wsse:FailedAuthentication"], "")
        }
    });
    let found = resolved(&camera.target(), Some("000")).unwrap();
    assert_eq!(found.authentication, Some(Authentication::UsernameToken(Clock::Ours)));
}

#[test]
fn camera_that_hides_its_clock_is_logged_in_to_by_the_date_of_its_refusal() {
    let camera = Camera::start(|request| {
        if request.has_good_token(-86_400) {
            return ordinary(request, -86_400);
        }
        let mut refusal = Answer::fault(400, &["ter:NotAuthorized"], "no");
        let time = cctv_agent::onvif::clock::CivilTime::from_unix(camera::now() - 86_400);
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let month = months[usize::try_from(time.month - 1).unwrap()];
        let date = format!(
            "Date: Mon, {:02} {month} {} {:02}:{:02}:{:02} GMT\r\nContent-Length",
            time.day, time.year, time.hour, time.minute, time.second
        );
        refusal.bytes = String::from_utf8(refusal.bytes).unwrap().replacen("Content-Length", &date, 1).into_bytes();
        refusal
    });
    let found = resolved(&camera.target(), Some("000")).unwrap();
    assert!((found.clock_offset.unwrap().0 + 86_400).abs() <= 2);
}

/// A camera that wants Digest by `hash` and sends `challenges`, of which the one with `nonce` counts.
fn digest_camera(challenges: &'static str, nonce: &'static str, hash: fn(&str) -> String) -> Camera {
    Camera::start(move |request| {
        if is_public(request) || request.has_good_digest(nonce, hash) {
            ordinary(request, 0)
        } else {
            Answer::http(401, challenges, "")
        }
    })
}

const MD5: &str = "WWW-Authenticate: Basic realm=\"x\", Digest realm=\"the realm\",nonce=\"n,1\", qop=\"auth,auth-int\", stale=FALSE\r\n";
const TWO_HEADERS: &str = "WWW-Authenticate: Digest realm=\"the realm\", nonce=\"for md5\", qop=\"auth\"\r\n\
    WWW-Authenticate: Digest realm=\"the realm\", nonce=\"for sha\", qop=\"auth\", algorithm=\"SHA-256\", opaque=\"\"\r\n";

#[test]
fn digest_with_md5_is_answered() {
    let camera = digest_camera(MD5, "n,1", md5_hex);
    let found = resolved(&camera.target(), Some("000")).unwrap();
    assert_eq!(found.authentication, Some(Authentication::Digest(Algorithm::Md5)));
    assert_eq!(found.device.model, "Eye 1");
}

#[test]
fn digest_with_sha_256_is_answered_with_the_nonce_of_its_own_header() {
    let camera = digest_camera(TWO_HEADERS, "for sha", sha256_hex);
    let found = resolved(&camera.target(), Some("000")).unwrap();
    assert_eq!(found.authentication, Some(Authentication::Digest(Algorithm::Sha256)));
}

#[test]
fn camera_that_offers_sha_256_but_cannot_do_it_gets_md5() {
    let camera = digest_camera(TWO_HEADERS, "for md5", md5_hex);
    let found = resolved(&camera.target(), Some("000")).unwrap();
    assert_eq!(found.authentication, Some(Authentication::Digest(Algorithm::Md5)));
    assert_eq!(found.device.model, "Eye 1", "the lesson holds for the next service");
}

#[test]
fn wrong_password_is_sent_twice_at_most_whatever_the_camera_says() {
    type Refuse = fn(&Request) -> Answer;
    let habits: [(&str, Refuse); 8] = [
        ("token", |_| Answer::fault(400, &["ter:NotAuthorized"], "Sender not authorized")),
        ("token, status 200, words only", |_| Answer::fault(200, &[], "Authority failure")),
        ("digest md5", |_| Answer::http(401, MD5, "")),
        ("digest both", |_| Answer::http(401, TWO_HEADERS, "<html>no</html>")),
        ("always stale", |_| Answer::http(401, "WWW-Authenticate: Digest realm=r, nonce=1, stale=true\r\n", "")),
        ("digest, then fault", |request| match request.header("authorization") {
            Some(_) => Answer::fault(400, &["ter:NotAuthorized"], ""),
            None => Answer::http(401, MD5, ""),
        }),
        ("basic only", |_| Answer::http(401, "WWW-Authenticate: Basic realm=\"x\"\r\n", "")),
        ("token, then digest", |request| match request.carries_a_password() {
            true => Answer::http(401, MD5, ""),
            false => Answer::fault(500, &["ter:NotAuthorized"], ""),
        }),
    ];
    for (habit, refuse) in habits {
        for hides_everything in [false, true] {
            let camera = Camera::start(move |request| {
                if is_public(request) && !hides_everything { ordinary(request, 1000) } else { refuse(request) }
            });
            let target = camera.target_with_wrong_password();
            let asked: [&dyn Fn() -> Option<Error>; 3] =
                [&|| resolved(&target, Some("000")).err(), &|| resolved(&target, None).err(), &|| {
                    smol::block_on(survey(&target)).err()
                }];
            for ask in asked {
                camera.forget();
                assert_eq!(ask().map(|error| error.kind()), Some(Kind::Denied), "{habit}");
                let sent = camera.passwords_sent();
                assert!((1..=2).contains(&sent), "{habit}: the password was sent {sent} times");
            }
        }
    }
}

#[test]
fn stale_nonce_is_renewed_without_counting_as_a_failure() {
    let count = AtomicUsize::new(0);
    let camera = Camera::start(move |request| {
        if is_public(request) || request.has_good_digest("new", md5_hex) {
            return ordinary(request, 0);
        }
        let (nonce, stale) =
            if count.fetch_add(1, Ordering::Relaxed) == 0 { ("old", "") } else { ("new", ", stale=TRUE") };
        let field = format!("WWW-Authenticate: Digest realm=\"the realm\", nonce=\"{nonce}\", qop=\"auth\"{stale}\r\n");
        Answer::http(401, &field, "")
    });
    resolved(&camera.target(), Some("000")).unwrap();
}

#[test]
fn warning_of_a_lockout_ends_the_tries_at_once() {
    let camera = Camera::start(|request| {
        if is_public(request) {
            return ordinary(request, 5000);
        }
        Answer::fault(400, &["ter:NotAuthorized"], "wrong password, 3 attempts left")
    });
    let error = resolved(&camera.target_with_wrong_password(), Some("000")).unwrap_err();
    assert!(error.to_string().contains("may lock the account"), "{error}");
    assert_eq!(camera.passwords_sent(), 1);
}

#[test]
fn missing_login_is_told_and_nothing_is_guessed() {
    let camera =
        Camera::start(|request| if is_public(request) { ordinary(request, 0) } else { Answer::http(401, MD5, "") });
    let error = resolved(&camera.target_without_login(), Some("000")).unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    assert!(error.to_string().ends_with("wants a login for GetStreamUri; set username and password"), "{error}");
    assert_eq!(camera.passwords_sent(), 0);
}

#[test]
fn camera_without_get_services_is_asked_for_its_capabilities() {
    let camera = Camera::start(|request| match request.name() {
        "GetServices" => Answer::fault(400, &[], "Method 'GetServices' not implemented"),
        _ => ordinary(request, 0),
    });
    assert_eq!(uris(&resolved(&camera.target(), Some("000")).unwrap()), ["rtsp://127.0.0.1/sub"]);
}

#[test]
fn camera_that_names_no_media_service_is_found_at_a_usual_place() {
    let camera = Camera::start(|request| match (request.name(), request.path.as_str()) {
        ("GetServices" | "GetCapabilities", _) => Answer::http(404, "", "<html>no</html>"),
        ("GetStreamUri", path) if path != "/onvif/media" => Answer::http(404, "", ""),
        _ => ordinary(request, 0),
    });
    assert_eq!(uris(&resolved(&camera.target(), Some("000")).unwrap()), ["rtsp://127.0.0.1/sub"]);
}

#[test]
fn first_media_service_stands_in_for_a_broken_second_one() {
    for broken in ["", "HTTP/1.1 500 Error\r\nContent-Type: text/html\r\n\r\n<!DOCTYPE html><html><br></html>"] {
        let camera = Camera::start(move |request| match request.path.as_str() {
            "/onvif/Media2" => Answer::raw(broken),
            _ => ordinary(request, 0),
        });
        assert_eq!(uris(&resolved(&camera.target(), Some("000")).unwrap()), ["rtsp://127.0.0.1/sub"]);
        assert_eq!(resolved(&camera.target(), None).unwrap().profile.token, "0 & main");
    }
}

#[test]
fn profiles_that_the_second_service_lists_bare_are_filled_in_from_the_first() {
    let camera = Camera::start(|request| match (request.name(), request.path.as_str()) {
        ("GetProfiles", "/onvif/Media2") => {
            Answer::soap("<R><tr2:Profiles token=\"000\"><tr2:Name>S</tr2:Name></tr2:Profiles></R>")
        }
        _ => ordinary(request, 0),
    });
    let found = resolved(&camera.target(), None).unwrap();
    assert_eq!((found.profile.name.as_str(), found.profile.encoding.as_deref()), ("S", Some("H264")));
}

#[test]
fn stream_addresses_are_corrected_and_the_login_in_them_kept_apart() {
    let cases: [(&str, &[&str]); 4] = [
        ("rtsp://0.0.0.0:8554/a", &["rtsp://127.0.0.1:8554/a"]),
        ("rtsp://192.168.7.7:554/a", &["rtsp://192.168.7.7:554/a", "rtsp://127.0.0.1:554/a"]),
        ("rtsp://127.0.0.1:80/a?x=1&y", &["rtsp://127.0.0.1:80/a?x=1&y", "rtsp://127.0.0.1:554/a?x=1&y"]),
        (" RTSP://own:p%40ss@127.0.0.1/a ", &["rtsp://127.0.0.1/a"]),
    ];
    for (given, expected) in cases {
        // Bare ampersands as some firmwares write them.
        let camera = Camera::start(move |request| match request.name() {
            "GetStreamUri" => Answer::soap(&format!("<R><Uri>{given}</Uri></R>")),
            _ => ordinary(request, 0),
        });
        let found = resolved(&camera.target_without_login(), Some("000")).unwrap();
        assert_eq!(uris(&found), expected);
        let own = found.camera_credentials.map(|own| (own.username, own.password.expose().to_owned()));
        assert_eq!(own, given.contains("own").then(|| ("own".to_owned(), "p@ss".to_owned())));
        assert_eq!(resolved(&camera.target(), Some("000")).unwrap().camera_credentials, None);
    }
}

#[test]
fn unusable_stream_address_is_told_without_its_password() {
    let camera = Camera::start(|request| match request.name() {
        "GetStreamUri" => Answer::soap("<R><Uri>rtsp://user:geh/eim@10.0.0.1/a</Uri></R>"),
        _ => ordinary(request, 0),
    });
    let error = resolved(&camera.target(), Some("000")).unwrap_err();
    assert_eq!(error.kind(), Kind::Malformed);
    let text = format!("{error} {error:?}");
    assert!(text.contains("unusable stream address") && !text.contains("eim"), "{text}");
}

/// Turns the well-framed `answer` into another framing.
fn reframe(answer: &Answer, frame: fn(&str) -> Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8(answer.bytes.clone()).unwrap();
    frame(text.split_once("\r\n\r\n").unwrap().1)
}

#[test]
fn every_framing_is_understood_in_any_pieces() {
    type Frame = fn(&str) -> Vec<u8>;
    let chunked: Frame = |body| {
        let mut answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
        let bytes = body.as_bytes();
        for piece in bytes.chunks(100) {
            answer += &format!("{:x};odd=\"1\"\r\n{}\r\n", piece.len(), std::str::from_utf8(piece).unwrap());
        }
        (answer + "0\r\nX-Trailer: 1\r\n\r\n").into_bytes()
    };
    let frames: [(&str, Frame, bool); 8] = [
        ("close-delimited HTTP/1.0", |body| format!("HTTP/1.0 200 OK\r\n\r\n{body}").into_bytes(), false),
        ("no length and kept open", |body| format!("HTTP/1.1 200 OK\r\n\r\n{body}").into_bytes(), true),
        ("chunked", chunked, true),
        (
            "length too big, closed",
            |body| format!("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{body}").into_bytes(),
            false,
        ),
        (
            "length too big, kept open",
            |body| format!("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{body}").into_bytes(),
            true,
        ),
        (
            "interim answer and bare LF",
            |body| {
                format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\nContent-Length: {}\n\n{body}", body.len())
                    .into_bytes()
            },
            true,
        ),
        ("rubbish before the XML", |body| format!("HTTP/1.1 200 OK\r\n\r\n\0\0junk{body}\0").into_bytes(), false),
        ("rubbish for a status line", |body| format!("\0\0HTT/ 200\r\nServer: x\r\n\r\n{body}").into_bytes(), false),
    ];
    for (habit, frame, keep_open) in frames {
        for step in [1, 7, usize::MAX] {
            let camera = Camera::start(move |request| Answer {
                bytes: reframe(&ordinary(request, 0), frame),
                step,
                pause: None,
                keep_open,
            });
            let limits = Limits { quiet: Duration::from_millis(20), ..Limits::default() };
            let found = smol::block_on(resolve_within(&camera.target(), None, &Hint::default(), limits));
            let found =
                found.unwrap_or_else(|error| panic!("{habit} in steps of {step}: {error}: {:?}", error.source()));
            assert_eq!(found.profile.token, "0 & main", "{habit}");
        }
    }
}

#[test]
fn length_too_small_is_read_to_the_end_of_the_message() {
    for keep_open in [false, true] {
        let camera = Camera::start(move |request| Answer {
            bytes: reframe(&ordinary(request, 0), |body| {
                format!("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{body}").into_bytes()
            }),
            step: usize::MAX,
            pause: None,
            keep_open,
        });
        assert_eq!(uris(&resolved(&camera.target(), Some("000")).unwrap()), ["rtsp://127.0.0.1/sub"]);
    }
}

#[test]
fn broken_connection_is_tried_once_more() {
    let first = Mutex::new(Vec::new());
    let camera = Camera::start(move |request| {
        let mut seen = first.lock().unwrap();
        if seen.iter().any(|name| name == request.name()) {
            return ordinary(request, 0);
        }
        seen.push(request.name().to_owned());
        Answer::raw("")
    });
    resolved(&camera.target(), Some("000")).unwrap();
    assert_eq!(camera.names().iter().filter(|name| *name == "GetStreamUri").count(), 2);
}

#[test]
fn camera_that_refuses_the_action_parameter_is_asked_without() {
    let camera = Camera::start(|request| {
        if request.header("content-type").unwrap().contains("action") {
            Answer::http(400, "", "")
        } else {
            ordinary(request, 0)
        }
    });
    resolved(&camera.target(), Some("000")).unwrap();
    assert_eq!(camera.requests().len(), 6, "{:?}", camera.names());
}

#[test]
fn camera_of_soap_1_1_is_understood() {
    let camera = Camera::start(|request| match request.header("soapaction") {
        Some(_) => ordinary(request, 0),
        None => Answer::http(415, "", ""),
    });
    resolved(&camera.target(), Some("000")).unwrap();
}

#[test]
fn redirect_to_https_is_a_clear_message() {
    let camera = Camera::start(|_| Answer::http(301, "Location: https://127.0.0.1/onvif/device_service\r\n", ""));
    let error = resolved(&camera.target(), Some("000")).unwrap_err();
    assert!(error.to_string().contains("only by HTTPS"), "{error}");
    assert_eq!(camera.requests().len(), 1);
}

#[test]
fn camera_with_an_ipv6_address_is_resolved() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        println!("skipped: this machine has no IPv6");
        return;
    };
    let camera = Camera::listen(listener, |request| match request.name() {
        "GetStreamUri" => Answer::soap("<R><Uri>rtsp://[fe80::1]:8554/a</Uri></R>"),
        _ => ordinary(request, 0),
    });
    let found = resolved(&camera.target(), Some("000")).unwrap();
    assert_eq!(uris(&found), ["rtsp://[::1]:8554/a"]);
    let port = camera.target().port;
    assert!(camera.requests().iter().all(|request| request.header("host") == Some(&format!("[::1]:{port}"))));
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
    let target = Target { host: "127.0.0.1".into(), port, credentials: None };
    let error = resolved(&target, Some("000")).unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert_eq!(error.to_string(), format!("cannot reach the ONVIF service at 127.0.0.1:{port}"));
    assert!(error.source().is_some());
}

#[test]
fn silent_and_trickling_cameras_run_into_the_deadline() {
    let limits = Limits { call: Duration::from_millis(300), ..Limits::default() };
    let silent = Camera::start(|_| Answer { keep_open: true, ..Answer::raw("") });
    let error = smol::block_on(resolve_within(&silent.target(), Some("000"), &Hint::default(), limits)).unwrap_err();
    assert!(matches!(error, Error::Slow { .. }), "{error}");
    assert_eq!(silent.requests().len(), 1, "a silent camera is not asked again");
    // No pause is long, yet the whole is.
    let trickling = Camera::start(|request| {
        let answer = ordinary(request, 0);
        Answer { step: 1, pause: Some(Duration::from_millis(50)), ..answer }
    });
    let error = smol::block_on(resolve_within(&trickling.target(), Some("000"), &Hint::default(), limits)).unwrap_err();
    assert!(matches!(error, Error::Slow { .. }), "{error}");
}

#[test]
fn survey_lists_every_profile_or_why_it_has_no_stream() {
    let camera = Camera::start(|request| ordinary(request, 0));
    let survey = smol::block_on(survey(&camera.target())).unwrap();
    let tokens: Vec<_> = survey.offers.iter().map(|offer| offer.profile.token.as_str()).collect();
    assert_eq!(tokens, ["meta", "0 & main", "000"]);
    assert!(survey.offers[0].streams.as_ref().unwrap_err().to_string().contains("no stream"));
    let main = survey.offers[1].streams.as_ref().unwrap();
    assert_eq!(main.candidates[0].as_str(), "rtsp://127.0.0.1/main?a=1&b=2");
    assert_eq!(survey.device.model, "Eye 1");
    assert!(survey.clock_offset.is_some_and(|Offset(seconds)| seconds.abs() <= 2));
}

#[test]
fn nothing_that_is_shown_holds_the_password() {
    let camera = Camera::start(|request| {
        if is_public(request) || request.has_good_token(0) {
            return ordinary(request, 0);
        }
        Answer::fault(400, &["ter:NotAuthorized"], "no")
    });
    let found = resolved(&camera.target(), Some("000")).unwrap();
    let error = resolved(&camera.target_with_wrong_password(), Some("000")).unwrap_err();
    let shown = format!("{found:?} {error} {error:?} {:?}", camera.target());
    assert!(!shown.contains(camera::PASSWORD) && !shown.contains("\"wrong\""), "{shown}");
}
