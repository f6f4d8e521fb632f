//! Logins: what is sent, to whom, and how often.

use std::time::Duration;

use super::fake::{Fake, SDP, config};
use crate::{
    camera::Transport,
    camera::fingerprint::Fingerprint,
    http_auth::login::LoginError,
    rtsp::{
        Error, Retry,
        session::{Config, Learnt, Note},
    },
    tls::client::KeyCheck,
};

const MD5: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"1\"\r\n";
const MD5_AGAIN: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"2\"\r\n";
const SHA: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"3\", algorithm=SHA-256, qop=\"auth\"\r\n";
const BASIC: &str = "WWW-Authenticate: Basic realm=\"/\"\r\n";

fn authorization(fake: &Fake) -> &str {
    fake.header("Authorization").unwrap_or("")
}

fn logged_in() -> Fake {
    let mut fake = Fake::new();
    fake.status(401, MD5);
    fake.describe(SDP);
    assert_eq!(fake.method(), "SETUP");
    fake
}

#[test]
fn r019_sha_256_comes_before_md5_and_basic_with_its_own_nonce() {
    let mut fake = Fake::new();
    assert_eq!(authorization(&fake), "", "no password before it is asked for");
    fake.status(401, &format!("{BASIC}{MD5}{SHA}"));
    assert!(authorization(&fake).contains("nonce=\"3\""), "{}", fake.request);
    assert!(authorization(&fake).contains("algorithm=SHA-256"), "{}", fake.request);
    fake.describe(SDP);
    assert!(authorization(&fake).contains("nc=00000002"), "{}", fake.request);
    // In one field, and alone.
    let mut fake = Fake::new();
    fake.status(401, "WWW-Authenticate: Basic realm=\"x\", Digest realm=\"r\", nonce=\"1\", algorithm=\"SHA-256\"\r\n");
    assert!(authorization(&fake).contains("algorithm=SHA-256"), "{}", fake.request);
}

#[test]
fn r019_md5_is_tried_once_where_sha_256_is_refused() {
    let both = format!("{SHA}{MD5}");
    let mut fake = Fake::new();
    fake.status(401, &both);
    fake.status(401, &both);
    assert!(authorization(&fake).contains("nonce=\"1\""), "{}", fake.request);
    fake.describe(SDP);
    fake.session.stop();
    fake.run();
    let mut next = Fake::with(config(super::fake::URI), fake.session.learnt().clone());
    next.status(401, &both);
    assert!(authorization(&next).contains("nonce=\"1\""), "remembered: {}", next.request);
    let mut fake = Fake::new();
    fake.status(401, &both);
    fake.status(401, &both);
    fake.status(401, &both);
    assert_eq!(*fake.error(), Error::Login(LoginError::Denied { status: 401 }));
}

#[test]
fn r020_challenges_without_algorithm_and_qop_get_the_old_form() {
    let mut fake = Fake::new();
    fake.status(
        401,
        "WWW-Authenticate: digest realm=\"Login to 1\", nonce=\"00000001\", algorithm=\"md5\", stale=\"FALSE\"\r\n",
    );
    let sent = authorization(&fake).to_owned();
    assert!(sent.contains("algorithm=md5") && !sent.contains("qop") && !sent.contains("cnonce"), "{sent}");
    // md5(md5("admin:Login to 1:secret"):00000001:md5("DESCRIBE:rtsp://10.0.0.1/stream?channel=1"))
    let expected = {
        use md5::Digest as _;
        let hash = |text: &str| md5::Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let (first, second) = (hash("admin:Login to 1:secret"), hash(&format!("DESCRIBE:{}", super::fake::URI)));
        hash(&format!("{first}:00000001:{second}"))
    };
    assert!(sent.contains(&format!("response=\"{expected}\"")), "{sent}");
}

#[test]
fn r021_uri_of_the_digest_is_that_of_the_request_line() {
    let mut fake = logged_in();
    loop {
        let url = fake.line().split(' ').nth(1).unwrap();
        assert!(authorization(&fake).contains(&format!("uri=\"{url}\"")), "{}", fake.request);
        if fake.method() == "TEARDOWN" {
            break;
        }
        match fake.is_playing {
            false => fake.ok("Session: 1\r\n"),
            true => {
                fake.session.stop();
                fake.run();
            }
        }
    }
    assert_eq!(fake.requests.len(), 5);
}

#[test]
fn r022_nonce_that_worked_is_renewed_and_that_is_no_refused_login() {
    let mut fake = logged_in();
    for nonce in ["a", "b"] {
        fake.status(401, &format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"{nonce}\"\r\n"));
        assert!(authorization(&fake).contains(&format!("nonce=\"{nonce}\"")), "{}", fake.request);
        fake.ok("Session: 1\r\n");
    }
    fake.session.on_packet();
    fake.pass(Duration::from_secs(20));
    assert_eq!(fake.method(), "OPTIONS");
    fake.status(401, &MD5_AGAIN.replace('\r', ", stale=true\r"));
    assert_eq!(fake.method(), "OPTIONS");
    assert!(authorization(&fake).contains("nonce=\"2\""), "{}", fake.request);
    fake.ok("");
    // A keepalive that stays refused does not go on sending the password.
    fake.pass(Duration::from_secs(20));
    for _ in 0..4 {
        fake.status(401, MD5);
    }
    assert_eq!(fake.end, None, "the video goes on");
    fake.pass(Duration::from_secs(20));
    assert_eq!((fake.method(), fake.header("Authorization")), ("OPTIONS", None));
}

#[test]
fn r022_stale_nonce_is_renewed_once() {
    let stale = "WWW-Authenticate: Digest realm=\"r\", nonce=\"9\", stale=true\r\n";
    let mut fake = Fake::new();
    fake.status(401, MD5);
    fake.status(401, stale);
    assert!(authorization(&fake).contains("nonce=\"9\""), "{}", fake.request);
    fake.status(401, stale);
    assert_eq!(*fake.error(), Error::Login(LoginError::Denied { status: 401 }));
}

#[test]
fn r023_challenge_counts_with_404_and_not_with_200() {
    let mut fake = Fake::new();
    fake.status(404, MD5);
    assert!(authorization(&fake).starts_with("Digest "), "{}", fake.request);
    fake.status(404, MD5);
    assert_eq!(*fake.error(), Error::NotFound { status: 404 });
    let mut fake = Fake::new();
    fake.describe(SDP);
    fake.ok(&format!("{MD5}Session: 1\r\n"));
    assert_eq!((fake.method(), authorization(&fake)), ("PLAY", ""));
}

#[test]
fn r024_basic_is_answered_only_if_that_is_allowed_and_all_there_is() {
    let mut fake = Fake::new();
    fake.status(401, BASIC);
    assert_eq!(*fake.error(), Error::Login(LoginError::ClearPassword));
    let allowed = || {
        let mut config = config(super::fake::URI);
        config.allow_clear_password = true;
        Fake::with(config, Learnt::default())
    };
    let mut fake = allowed();
    fake.status(401, BASIC);
    assert_eq!(authorization(&fake), "Basic YWRtaW46c2VjcmV0");
    assert_eq!(fake.notes, [Note::PasswordInClear]);
    fake.status(401, BASIC);
    assert_eq!(*fake.error(), Error::Login(LoginError::Denied { status: 401 }));
    let mut fake = allowed();
    fake.status(401, &format!("{BASIC}{MD5}"));
    assert!(authorization(&fake).starts_with("Digest "), "{}", fake.request);
    // A liar who refuses Digest does not get the password.
    fake.status(401, BASIC);
    assert_eq!(*fake.error(), Error::Login(LoginError::Denied { status: 401 }));
}

#[test]
fn r025_login_that_nobody_configured_is_wanted() {
    let mut config = config(super::fake::URI);
    config.credentials = None;
    let mut fake = Fake::with(config, Learnt::default());
    fake.status(401, "WWW-Authenticate: Digest realm=\"TP-LINK Streaming Media\", nonce=\"1\"\r\n");
    assert_eq!(*fake.error(), Error::Login(LoginError::Required));
    assert_eq!(fake.error().to_string(), "the camera needs a login");
    assert_eq!(fake.error().retry(), Retry::Denied);
}

#[test]
fn r026_no_login_is_in_a_url_and_path_bytes_stay() {
    let mut config = config("rtsp://us%40er:p%3a@10.0.0.1:8554/user=a_password=b%2F_#x?y=%20");
    config.credentials = None;
    let fake = Fake::with(config, Learnt::default());
    assert_eq!(fake.line(), "DESCRIBE rtsp://10.0.0.1:8554/user=a_password=b%2F_#x?y=%20");
    assert_eq!(fake.connects[0].1, 8554);
    // The camera writes its own login into the URLs.
    let mut fake = Fake::new();
    let sdp = SDP.replace("trackID=1", "rtsp://admin:secret@10.0.0.1/stream/t");
    fake.answer(&format!(
        "RTSP/1.0 200 OK\r\nContent-Base: rtsp://admin:p@ss@10.0.0.1/stream/\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    ));
    assert_eq!(fake.line(), "SETUP rtsp://10.0.0.1/stream/t");
    fake.ok("");
    assert_eq!(fake.line(), "PLAY rtsp://10.0.0.1/stream/");
}

#[test]
fn r027_connection_closed_after_401_is_opened_again_and_begins_with_the_login() {
    let mut fake = Fake::new();
    fake.status(401, MD5);
    fake.close();
    assert_eq!(fake.connects.len(), 2);
    assert!(fake.method() == "DESCRIBE" && authorization(&fake).contains("nonce=\"1\""), "{}", fake.request);
    // A nonce may belong to its connection; the password may be right all the same.
    fake.status(401, MD5_AGAIN);
    assert!(authorization(&fake).contains("nonce=\"2\""), "{}", fake.request);
    fake.status(401, MD5);
    assert_eq!(*fake.error(), Error::Login(LoginError::Denied { status: 401 }), "two refusals are the end");
}

#[test]
fn r027_camera_that_always_closes_ends_the_attempt() {
    let mut fake = Fake::new();
    for _ in 0..20 {
        if fake.end.is_some() {
            break;
        }
        fake.status(401, MD5);
        if fake.end.is_none() {
            fake.close();
        }
    }
    assert!(fake.end.is_some() && fake.connects.len() <= 8);
    let passwords = fake.connects.len();
    assert!(passwords <= 4, "{passwords}");
}

#[test]
fn r028_redirects_are_followed_and_the_login_stays_at_its_host() {
    let mut fake = logged_in();
    fake.status(302, "Location: rtsp://10.0.0.1:8554/other\r\n");
    assert_eq!(fake.connects[1].1, 8554);
    assert_eq!(fake.line(), "DESCRIBE rtsp://10.0.0.1:8554/other");
    assert!(authorization(&fake).starts_with("Digest "), "the same host: {}", fake.request);
    fake.status(301, "Location: rtsp://10.0.0.9/other\r\n");
    assert_eq!(fake.connects[2].0, "10.0.0.9");
    assert_eq!(authorization(&fake), "", "a stranger");
    fake.status(401, BASIC);
    assert_eq!(*fake.error(), Error::Login(LoginError::Required));
}

#[test]
fn r028_redirect_leads_to_tls_and_never_back() {
    let mut fake = logged_in();
    fake.status(302, "Location: rtsps://10.0.0.1/other\r\n");
    assert_eq!((fake.connects[1].1, fake.connects[1].2, fake.over_tls), (322, Transport::Tcp, true));
    fake.status(302, "Location: rtsp://10.0.0.1/other\r\n");
    assert!(matches!(fake.error(), Error::Redirect { .. }));
    assert_eq!(fake.connects.len(), 2);
}

#[test]
fn r024_password_in_clear_text_goes_over_tls_to_a_known_key_only() {
    let key = Fingerprint([7; 32]);
    for (check, is_sent) in
        [(KeyCheck::default(), false), (KeyCheck::new(None, Some(key)), true), (KeyCheck::new(Some(key), None), true)]
    {
        for (uri, is_tls) in [("rtsps://10.0.0.1/x", true), ("rtsp://10.0.0.1/x", false)] {
            let mut fake = Fake::with(Config { tls: check.clone(), ..config(uri) }, Learnt::default());
            fake.status(401, BASIC);
            let is_sent = is_sent && is_tls;
            assert_eq!(authorization(&fake).starts_with("Basic "), is_sent, "{uri} {check:?}");
            assert_eq!(fake.notes, [], "it is not readable on the way");
            assert_eq!(fake.end.is_some(), !is_sent);
        }
    }
}

#[test]
fn r028_redirects_end() {
    let mut fake = Fake::new();
    for number in 1..=4 {
        fake.status(305, &format!("Location: rtsp://10.0.0.1/{number}\r\n"));
    }
    assert_eq!(*fake.error(), Error::TooManyRedirects);
    assert_eq!(fake.connects.len(), 4);
    for location in ["", "Location: http://10.0.0.1/\r\n", "Location: nonsense\r\n"] {
        let mut fake = Fake::new();
        fake.status(302, location);
        assert!(matches!(fake.error(), Error::Redirect { .. }), "{location}");
    }
}

#[test]
fn missing_right_is_said_with_its_status() {
    let mut fake = logged_in();
    fake.status(403, "");
    assert_eq!(*fake.error(), Error::Login(LoginError::Denied { status: 403 }));
    let mut fake = Fake::new();
    fake.status(401, "WWW-Authenticate: Digest realm=r, nonce=1, algorithm=SHA-512-256, Negotiate\r\n");
    assert_eq!(
        *fake.error(),
        Error::Login(LoginError::Unsupported { offered: "Digest SHA-512-256 or Negotiate".into() })
    );
}
