//! Quirks of logins: clocks, challenges, refusals in many wordings, lock-outs.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicI64, AtomicUsize, Ordering},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cctv_agent::{
    http_auth::digest::Algorithm,
    onvif::{
        Authentication, Error, Hint, Kind, Limits, Resolved, Target, auth::Clock, clock::CivilTime, report,
        resolve_within,
    },
};

use super::{is_public, resolved, uris};
use crate::support::onvif_camera::{Answer, Camera, PASSWORD, Request, md5_hex, now, ordinary, sha256_hex};

fn no() -> Answer {
    Answer::fault(400, &["ter:NotAuthorized"], "Sender not authorized")
}

/// A camera that requires a UsernameToken, its clock `offset` seconds ahead.
fn token_camera(offset: i64) -> Camera {
    Camera::start(
        move |request| {
            if is_public(request) || request.has_good_token(offset) { ordinary(request, offset) } else { no() }
        },
    )
}

fn resolved_with(target: &Target, profile: Option<&str>, hint: &Hint) -> Resolved {
    smol::block_on(resolve_within(target, profile, hint, Limits::default())).unwrap()
}

/// Each kind of camera gets as few requests with a login as possible: one for the list of profiles,
/// which a hint makes unnecessary, one for the stream and one for the serial number.
#[test]
fn as_few_requests_as_possible_carry_a_login() {
    let both = || {
        Camera::start(|request| {
            let known = request.has_good_token(0) || request.has_good_digest("n,1", md5_hex);
            if is_public(request) || known { ordinary(request, 0) } else { Answer::http(401, MD5, "") }
        })
    };
    let digest = Authentication::Digest(Algorithm::Md5);
    let kinds: [(Camera, Authentication, [usize; 2]); 4] = [
        (Camera::start(|request| ordinary(request, 0)), Authentication::Open, [0, 0]),
        (digest_camera(MD5, "n,1", md5_hex), digest, [3, 2]),
        (token_camera(0), Authentication::UsernameToken(Clock::Camera), [3, 2]),
        (both(), digest, [3, 2]),
    ];
    for (camera, mode, [fresh, hinted]) in kinds {
        let found = resolved(&camera.target(), Some("000")).unwrap();
        assert_eq!((found.authentication, camera.passwords_sent()), (Some(mode), fresh), "{:?}", camera.names());
        camera.forget();
        let again = resolved_with(&camera.target(), Some("000"), &found.hint());
        assert_eq!((again.authentication, camera.passwords_sent()), (Some(mode), hinted), "{:?}", camera.names());
        assert_eq!((again.streams, again.device), (found.streams, found.device));
    }
}

#[test]
fn hint_saves_every_password_that_would_be_refused() {
    // Digest succeeds, but the service behind it requires a token.
    let behind = Camera::start(|request| match request.header("authorization") {
        _ if is_public(request) || request.has_good_token(0) => ordinary(request, 0),
        Some(_) => no(),
        None => Answer::http(401, MD5, ""),
    });
    let other_clock =
        Camera::start(
            |request| {
                if is_public(request) || request.has_good_token(0) { ordinary(request, 5000) } else { no() }
            },
        );
    for camera in [behind, other_clock, digest_camera(TWO_HEADERS, "for md5", md5_hex)] {
        let found = resolved(&camera.target(), Some("000")).unwrap();
        assert_eq!(camera.passwords_sent(), 4, "one of them refused");
        camera.forget();
        resolved_with(&camera.target(), Some("000"), &found.hint());
        assert_eq!(camera.passwords_sent(), 2, "{:?}", camera.names());
    }
}

#[test]
fn hint_that_no_longer_holds_is_overcome() {
    let modes = ["open", "digest-md5", "digest-sha-256", "username-token", "username-token-our-clock"];
    for mode in modes {
        let hint = Hint { authentication: mode.parse().ok(), token: Some("gone".into()), stream: None };
        for camera in [token_camera(5000), digest_camera(TWO_HEADERS, "for sha", sha256_hex)] {
            let found = resolved_with(&camera.target(), Some("Sub stream"), &hint);
            assert_eq!(found.profile.token, "000", "{mode}");
        }
    }
    let camera = token_camera(0);
    let hint = Hint { authentication: None, token: Some("Sub stream".into()), stream: None };
    assert_eq!(resolved_with(&camera.target(), Some("Sub stream"), &hint).profile.token, "000");
}

#[test]
fn quirk_01_clock_that_is_years_off_is_followed() {
    for offset in [-3 * 365 * 86_400, 0, 86_400] {
        let camera = token_camera(offset);
        let found = resolved(&camera.target(), Some("000")).unwrap();
        assert_eq!(found.authentication, Some(Authentication::UsernameToken(Clock::Camera)));
        assert!((found.clock_offset.unwrap().0 - offset).abs() <= 2, "{:?}", found.clock_offset);
        assert_eq!(camera.passwords_sent(), 3, "{:?}", camera.names());
    }
}

#[test]
fn quirk_02_camera_that_tells_another_time_than_it_measures_by_gets_ours() {
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
fn quirk_10_clock_refused_without_a_login_is_read_from_the_date_of_the_refusal() {
    let camera = Camera::start(|request| {
        if request.has_good_token(-86_400) {
            return ordinary(request, -86_400);
        }
        dated(no(), -86_400)
    });
    let found = resolved(&camera.target(), Some("000")).unwrap();
    assert!((found.clock_offset.unwrap().0 + 86_400).abs() <= 2);
}

/// A camera that requires Digest by `hash` and sends `challenges`, of which the one with `nonce` is
/// used.
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
fn quirk_15_several_challenges_in_one_header_are_told_apart() {
    let camera = digest_camera(MD5, "n,1", md5_hex);
    let found = resolved(&camera.target(), Some("000")).unwrap();
    assert_eq!(found.authentication, Some(Authentication::Digest(Algorithm::Md5)));
    assert_eq!(found.device.model, "Eye 1");
}

#[test]
fn quirk_13_two_headers_with_different_nonces_are_kept_apart() {
    let camera = digest_camera(TWO_HEADERS, "for sha", sha256_hex);
    let found = resolved(&camera.target(), Some("000")).unwrap();
    assert_eq!(found.authentication, Some(Authentication::Digest(Algorithm::Sha256)));
}

#[test]
fn quirk_13_sha_256_offered_but_not_understood_leads_to_md5() {
    let camera = digest_camera(TWO_HEADERS, "for md5", md5_hex);
    let found = resolved(&camera.target(), Some("000")).unwrap();
    assert_eq!(found.authentication, Some(Authentication::Digest(Algorithm::Md5)));
    assert_eq!(found.device.model, "Eye 1", "the lesson holds for the next service");
}

#[test]
fn quirk_16_wrong_password_is_sent_twice_at_most_whatever_the_camera_says() {
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
                    smol::block_on(report(&target)).err()
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
fn quirk_13_stale_nonce_is_renewed_without_counting_as_a_failure() {
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
fn quirk_16_warning_of_a_lockout_ends_the_tries_at_once() {
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
fn quirk_12_missing_login_is_told_and_nothing_is_guessed() {
    let camera =
        Camera::start(|request| if is_public(request) { ordinary(request, 0) } else { Answer::http(401, MD5, "") });
    let error = resolved(&camera.target_without_login(), Some("000")).unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    assert!(error.to_string().ends_with("wants a login for GetProfiles; set username and password"), "{error}");
    assert_eq!(camera.passwords_sent(), 0);
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
    assert!(!shown.contains(PASSWORD) && !shown.contains("\"wrong\""), "{shown}");
}

#[test]
fn quirk_01_clock_that_is_set_while_we_talk_is_asked_again_once() {
    let offset = AtomicI64::new(-86_400);
    let camera = Camera::start(move |request| {
        let before = offset.load(Ordering::Relaxed);
        if request.name() == "GetStreamUri" && before < 0 {
            offset.store(3600, Ordering::Relaxed);
            return no();
        }
        if is_public(request) || request.has_good_token(before) { ordinary(request, before) } else { no() }
    });
    let found = resolved(&camera.target(), Some("000")).unwrap();
    assert!((found.clock_offset.unwrap().0 - 3600).abs() <= 2, "{:?}", found.clock_offset);
    assert_eq!(found.authentication, Some(Authentication::UsernameToken(Clock::Camera)));
    assert_eq!(camera.passwords_sent(), 4, "one of them refused: {:?}", camera.names());
}

/// Adds to `answer` the `Date` of a camera whose clock is `offset` seconds ahead.
fn dated(mut answer: Answer, offset: i64) -> Answer {
    let time = CivilTime::from_unix(now() + offset);
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let ([year, month, day], [hour, minute, second]) = (time.date(), time.time());
    let month = months[usize::try_from(month - 1).unwrap()];
    let date = format!("Date: Mon, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT\r\nContent-Length");
    answer.bytes = String::from_utf8(answer.bytes).unwrap().replacen("Content-Length", &date, 1).into_bytes();
    answer
}

#[test]
fn quirk_02_time_that_is_local_missing_or_impossible_does_not_matter() {
    let clocks = [
        // Used as UTC if there is no other time.
        ("<LocalDateTime>TIME</LocalDateTime>", 3600),
        ("<UTCDateTime/>", 0),
        (
            "<UTCDateTime><Time><Hour>25</Hour><Minute>0</Minute><Second>0</Second></Time><Date><Year>1900</Year><Month>13</Month><Day>0</Day></Date></UTCDateTime>",
            0,
        ),
    ];
    for (given, offset) in clocks {
        let camera = Camera::start(move |request| {
            if request.name() == "GetSystemDateAndTime" {
                let time = CivilTime::from_unix(now() + 3600);
                let ([year, month, day], [hour, minute, second]) = (time.date(), time.time());
                let time = format!(
                    "<Time><Hour>{hour}</Hour><Minute>{minute}</Minute><Second>{second}</Second></Time><Date><Year>{year}</Year><Month>{month}</Month><Day>{day}</Day></Date>"
                );
                return Answer::soap(&format!(
                    "<R><SystemDateAndTime>{}</SystemDateAndTime></R>",
                    given.replace("TIME", &time)
                ));
            }
            if is_public(request) || request.has_good_token(offset) { ordinary(request, 0) } else { no() }
        });
        let found = resolved(&camera.target(), Some("000"));
        assert!(found.is_ok(), "{given}: {:?}", found.err());
    }
}

#[test]
fn quirk_10_clock_refused_because_of_the_login_is_asked_without() {
    let camera = Camera::start(|request| match request.name() {
        "GetSystemDateAndTime" if request.carries_a_password() => no(),
        _ if is_public(request) || request.has_good_token(7777) => ordinary(request, 7777),
        _ => no(),
    });
    resolved(&camera.target(), Some("000")).unwrap();
    assert!(camera.requests().iter().all(|request| !is_public(request) || !request.carries_a_password()));
}

#[test]
fn quirk_11_refusal_is_known_under_any_status_and_in_any_words() {
    type Refuse = fn() -> Answer;
    let habits: [(&str, Refuse); 8] = [
        ("400 with subcode", no),
        ("401 with a page", || Answer::http(401, "", "<!DOCTYPE html><html>no</html>")),
        ("401 with a fault", || Answer::fault(401, &["ter:NotAuthorized"], "")),
        ("500 with another subcode", || Answer::fault(500, &["wsse:FailedAuthentication"], "")),
        ("200", || Answer::fault(200, &["ter:NotAuthorized"], "")),
        ("words only", || Answer::fault(400, &[], "Authority failure")),
        ("other words", || Answer::fault(500, &[], "WS-Security: the security token could not be authenticated")),
        ("SOAP 1.1", || {
            Answer::http(
                500,
                "",
                "<E:Envelope><E:Body><E:Fault><faultcode>E:Client</faultcode><faultstring>Unauthorized</faultstring></E:Fault></E:Body></E:Envelope>",
            )
        }),
    ];
    for (habit, refuse) in habits {
        let camera = Camera::start(move |request| {
            if is_public(request) || request.has_good_token(0) { ordinary(request, 0) } else { refuse() }
        });
        let found = resolved(&camera.target(), Some("000"));
        assert!(found.is_ok(), "{habit}: {:?}", found.err());
        let error = resolved(&camera.target_with_wrong_password(), Some("000")).unwrap_err();
        assert_eq!(error.kind(), Kind::Denied, "{habit}: {error}");
    }
}

#[test]
fn quirk_12_refused_login_points_at_the_onvif_user() {
    let error = resolved(&token_camera(0).target_with_wrong_password(), Some("000")).unwrap_err();
    assert!(
        error.to_string().contains("check username and password, and that the camera has an ONVIF user"),
        "{error}"
    );
}

#[test]
fn quirk_13_sha_256_alone_is_answered() {
    const SHA_256: &str = "WWW-Authenticate: DIGEST Realm=\"the realm\",Nonce=abc,QOP=auth,Algorithm=sha-256\r\n";
    let camera = digest_camera(SHA_256, "abc", sha256_hex);
    let found = resolved(&camera.target(), Some("000")).unwrap();
    assert_eq!(found.authentication, Some(Authentication::Digest(Algorithm::Sha256)));
}

#[test]
fn quirk_13_nonce_that_is_bound_to_its_path_is_asked_for_on_each() {
    let camera = Camera::start(|request| {
        let nonce = format!("for {}", request.path);
        if is_public(request) || request.has_good_digest(&nonce, md5_hex) {
            return ordinary(request, 0);
        }
        Answer::http(
            401,
            &format!("WWW-Authenticate: Digest realm=\"the realm\", nonce=\"{nonce}\", qop=\"auth\"\r\n"),
            "",
        )
    });
    let found = resolved(&camera.target(), Some("000")).unwrap();
    assert_eq!(found.device.model, "Eye 1");
    assert_eq!(camera.passwords_sent(), 3, "none of them in vain");
}

#[test]
fn quirk_40_nonces_are_short_and_never_used_again() {
    let camera = token_camera(0);
    resolved(&camera.target(), Some("000")).unwrap();
    resolved(&camera.target(), Some("000")).unwrap();
    let mut nonces = BTreeSet::new();
    for request in camera.requests() {
        let Some(token) = request.envelope.at(&["Header", "Security", "UsernameToken"]) else { continue };
        let nonce = STANDARD.decode(token.text_at(&["Nonce"]).unwrap()).unwrap();
        assert_eq!(nonce.len(), 16);
        assert!(nonces.insert(nonce), "a nonce was used twice");
        assert_eq!(token.text_at(&["Created"]).unwrap().len(), "2026-11-22T18:00:00Z".len());
    }
    assert_eq!(nonces.len(), camera.passwords_sent());
}

#[test]
fn quirk_42_camera_that_echoes_our_login_is_not_quoted() {
    let camera = Camera::start(|request| {
        if is_public(request) {
            return ordinary(request, 0);
        }
        let echo = request
            .envelope
            .at(&["Header", "Security", "UsernameToken"])
            .and_then(|token| token.text_at(&["Password"]));
        let body = format!(
            "<E:Envelope><E:Header><Password>{}</Password></E:Header><E:Body><E:Fault><E:Code><E:Value>E:Sender</E:Value>\
             <E:Subcode><E:Value>ter:NotAuthorized</E:Value></E:Subcode></E:Code></E:Fault></E:Body></E:Envelope>",
            echo.unwrap_or("")
        );
        Answer::http(400, "", &body)
    });
    let error = resolved(&camera.target(), Some("000")).unwrap_err();
    let sent = camera.requests();
    let digests = sent.iter().filter_map(|request| request.envelope.at(&["Header", "Security", "UsernameToken"]));
    let digests: Vec<_> = digests.filter_map(|token| token.text_at(&["Password"])).collect();
    assert!(!digests.is_empty());
    let shown = format!("{error} {error:?}");
    assert!(digests.iter().all(|digest| !shown.contains(digest)), "{shown}");
}

#[test]
fn quirk_43_password_is_never_sent_in_clear() {
    let camera = Camera::start(|request| {
        if is_public(request) {
            return ordinary(request, 0);
        }
        Answer::fault(400, &["ter:NotAuthorized"], "PasswordText expected")
    });
    let error = resolved(&camera.target(), Some("000")).unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    assert!(camera.passwords_sent() >= 1);
    for request in camera.requests() {
        let whole = format!("{} {:?}", request.head, request.envelope);
        assert!(!whole.contains(PASSWORD) && !whole.contains("PasswordText") && !whole.contains("Basic"));
    }
}

const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"the realm\", nonce=\"1\", qop=\"auth\"\r\n";

#[test]
fn quirk_46_digest_and_username_token_are_sent_together_where_both_are_wanted() {
    // The web server requires Digest, the service behind it a UsernameToken. Which of them answers
    // first differs; if the service does, it forwards any request that has a token.
    for service_first in [false, true] {
        let camera = Camera::start(move |request| {
            let (digest, token) = (request.has_good_digest("1", md5_hex), request.has_good_token(0));
            match (digest, token) {
                _ if is_public(request) => ordinary(request, 0),
                (true, true) => ordinary(request, 0),
                (false, false) if service_first => no(),
                (true, false) => no(),
                (false, _) => Answer::http(401, CHALLENGE, "<html>401</html>"),
            }
        });
        let found = resolved(&camera.target(), Some("000")).unwrap();
        assert_eq!(uris(&found), ["rtsp://127.0.0.1/sub"], "service first: {service_first}");
        assert_eq!(found.authentication, Some(Authentication::DigestAndUsernameToken(Algorithm::Md5)));
        // The next time, no request with a password is refused.
        camera.forget();
        resolved_with(&camera.target(), Some("000"), &found.hint());
        let with_password = camera.requests().into_iter().filter(Request::carries_a_password);
        assert!(with_password.clone().count() > 0);
        if !service_first {
            assert!(with_password.into_iter().all(|request| request.has_good_token(0)));
        }
    }
}

#[test]
fn quirk_46_wrong_password_is_sent_twice_at_most_where_both_are_wanted() {
    let camera = Camera::start(|request| match () {
        () if is_public(request) => ordinary(request, 0),
        () if request.header("authorization").is_some() => no(),
        () => Answer::http(401, CHALLENGE, ""),
    });
    let error = resolved(&camera.target_with_wrong_password(), Some("000")).unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    assert_eq!(camera.passwords_sent(), 2);
}

#[test]
fn quirk_12_login_that_is_not_spoken_is_not_told_as_a_wrong_password() {
    let camera = Camera::start(|request| match () {
        () if is_public(request) => ordinary(request, 0),
        () => Answer::http(401, "WWW-Authenticate: Basic realm=\"x\"\r\n", ""),
    });
    let error = resolved(&camera.target(), Some("000")).unwrap_err();
    assert_eq!(error.kind(), Kind::Denied, "the account is left alone all the same");
    let text = error.to_string();
    assert!(text.contains("asks for a login by Basic") && text.contains("switch on Digest"), "{text}");
    assert!(!text.contains("check username"), "{text}");
}

#[test]
fn quirk_12_right_that_is_missing_is_not_told_as_a_wrong_password() {
    let camera = Camera::start(|request| match request.name() {
        "GetStreamUri" => no(),
        _ if is_public(request) || request.has_good_token(0) => ordinary(request, 0),
        _ => no(),
    });
    let error = resolved(&camera.target(), Some("000")).unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    let text = error.to_string();
    assert!(text.contains("the login itself is right") && !text.contains("check username"), "{text}");
}
