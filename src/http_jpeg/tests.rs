//! The client against a server on this machine that says what it was told to.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use super::{
    stream::{self, Event},
    *,
};
use crate::{camera::Secret, http_auth::login::LoginError, media::jpeg_scan::sample, tcp::ConnectError};

const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n";
const PART: &str = "--frame\r\nContent-Type: image/jpeg\r\n\r\n";
const BASIC: &str = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n";
const DIGEST: &str =
    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"x\", nonce=\"1\"\r\nContent-Length: 0\r\n\r\n";

/// What came of an attempt.
struct Attempt {
    error: Error,
    events: Vec<Event>,
    requests: Vec<String>,
}

impl Attempt {
    /// The lengths of the pictures; 0 for a damaged one.
    fn pictures(&self) -> Vec<usize> {
        let len = |event: &Event| match event {
            Event::Picture { jpeg, .. } => jpeg.len(),
            Event::Damaged { .. } => 0,
        };
        self.events.iter().map(len).collect()
    }
}

/// Reads a stream from a server that gives each connection the next one of `answers`, and then ends.
fn read(answers: Vec<Vec<u8>>, change: impl FnOnce(&mut Config)) -> Attempt {
    attempt(answers, change, |config, events| smol::block_on(stream::read("gate", config, |event| events.push(event))))
}

/// As [`read`], of snapshots.
fn fetch(answers: Vec<Vec<u8>>) -> Attempt {
    let every = Duration::from_millis(1);
    attempt(
        answers,
        |_| (),
        |config, events| smol::block_on(snapshots::read("gate", config, every, |event| events.push(event))),
    )
}

fn attempt(
    answers: Vec<Vec<u8>>,
    change: impl FnOnce(&mut Config),
    read: impl FnOnce(Config, &mut Vec<Event>) -> Error,
) -> Attempt {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let serve = |answer: Vec<u8>| {
            let (mut socket, _) = listener.accept().unwrap();
            let (mut request, mut byte) = (Vec::new(), [0]);
            while !request.ends_with(b"\r\n\r\n") && socket.read(&mut byte).unwrap() > 0 {
                request.push(byte[0]);
            }
            // The client may have had enough.
            let _ = socket.write_all(&answer);
            String::from_utf8(request).unwrap()
        };
        answers.into_iter().map(serve).collect()
    });
    let mut config = Config {
        uri: StreamUri::split_http(&format!("http://127.0.0.1:{port}/video?a=b")).unwrap().0,
        credentials: Some(Credentials { username: "viewer".into(), password: Secret::new("geheim") }),
        allow_clear_password: false,
        tls: KeyCheck::default(),
        timeouts: Timeouts::default(),
        seed: [0; 8],
    };
    change(&mut config);
    let mut events = Vec::new();
    let error = read(config, &mut events);
    Attempt { error, events, requests: server.join().unwrap() }
}

fn texts(answers: &[&str]) -> Vec<Vec<u8>> {
    answers.iter().map(|answer| answer.as_bytes().to_vec()).collect()
}

#[test]
fn pictures_come_untouched_until_the_camera_ends() {
    let jpeg = sample(&[1, 2, 3]);
    let body = [STREAM.as_bytes(), PART.as_bytes(), &jpeg, b"\r\n", PART.as_bytes(), &jpeg[..20], b"\r\n"].concat();
    let body = [&body[..], PART.as_bytes(), &jpeg].concat();
    let attempt = read(vec![body.clone()], |_| ());
    assert_eq!((attempt.pictures(), attempt.error), (vec![jpeg.len(), 0, jpeg.len()], Error::Closed));
    assert!(matches!(&attempt.events[0], Event::Picture { jpeg: first, .. } if *first == jpeg));
    assert!(attempt.requests[0].starts_with("GET /video?a=b HTTP/1.1\r\nHost: 127.0.0.1:"), "{:?}", attempt.requests);
    assert!(!attempt.requests[0].contains("Authorization"), "{:?}", attempt.requests);
    let ended = read(vec![[&body[..], b"\r\n--frame--\r\n"].concat()], |_| ());
    assert_eq!(ended.error, Error::EndedByCamera);
}

#[test]
fn digest_is_answered_and_a_wrong_password_is_sent_once() {
    let jpeg = sample(&[1]);
    let stream = [STREAM.as_bytes(), PART.as_bytes(), &jpeg].concat();
    let attempt = read(vec![DIGEST.into(), stream], |_| ());
    assert_eq!(attempt.pictures(), [jpeg.len()]);
    let sent = &attempt.requests[1];
    assert!(sent.contains("\r\nAuthorization: Digest username=\"viewer\"") && sent.contains("uri=\"/video?a=b\""));
    assert!(!sent.contains("geheim"), "{sent}");
    let wrong = read(texts(&[DIGEST, DIGEST]), |_| ());
    assert_eq!(wrong.error, LoginError::Denied { status: 401 }.into());
}

#[test]
fn password_goes_in_clear_text_only_where_that_is_allowed() {
    let attempt = read(texts(&[BASIC]), |_| ());
    assert_eq!(attempt.error, LoginError::ClearPassword.into());
    let attempt = read(texts(&[BASIC, STREAM]), |config| config.allow_clear_password = true);
    assert_eq!(attempt.error, Error::Closed);
    assert!(attempt.requests[1].contains("\r\nAuthorization: Basic "), "{}", attempt.requests[1]);
    let attempt = read(texts(&[BASIC]), |config| config.credentials = None);
    assert_eq!(attempt.error, LoginError::Required.into());
}

#[test]
fn answers_that_are_no_stream_say_what_they_are() {
    let status = |line: &str| read(vec![format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n").into()], |_| ()).error;
    assert_eq!(status("404 Not Found"), Error::NotFound { status: 404 });
    assert_eq!(status("503 Service Unavailable"), Error::Busy { status: 503 });
    assert_eq!(status("500 Oops"), Error::Refused { status: 500 });
    assert_eq!(status("403 Forbidden"), LoginError::Denied { status: 403 }.into());
    let page = "HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=utf-8\r\n\r\n<html>";
    assert_eq!(read(texts(&[page]), |_| ()).error, Error::WrongType { content_type: "text/html".into() });
    assert_eq!(read(vec![Vec::new()], |_| ()).error, Error::ClosedUnanswered);
    let silent = |config: &mut Config| config.timeouts.connect = Duration::from_secs(1);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let uri = StreamUri::split_http(&format!("http://127.0.0.1:{port}/")).unwrap().0;
    let refused = read(Vec::new(), |config| {
        silent(config);
        config.uri = uri;
    });
    assert_eq!(refused.error, ConnectError::Refused { address: format!("127.0.0.1:{port}") }.into());
}

#[test]
fn redirects_are_followed_on_the_same_host_a_few_times() {
    let to = |location: &str| format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    let attempt = read(texts(&["HTTP/1.1 302 Found\r\nLocation: ?\r\n\r\n"]), |_| ());
    assert!(matches!(attempt.error, Error::Redirect { .. }), "{:?}", attempt.error);
    let elsewhere = read(vec![to("http://127.0.0.9/").into()], |_| ());
    assert_eq!(elsewhere.error, Error::Redirect { location: "http://127.0.0.9/".into() });
    let again = to("/again");
    assert_eq!(read(texts(&[again.as_str(); 4]), |_| ()).error, Error::TooManyRedirects);
    // The server has one port, so only the path differs.
    let attempt = read(texts(&[to("/other").as_str(), STREAM]), |_| ());
    assert!(attempt.requests[1].starts_with("GET /other HTTP/1.1\r\n"), "{}", attempt.requests[1]);
}

/// An answer with `fields` and this body.
fn snapshot(fields: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n{fields}\r\n").as_bytes(), body].concat()
}

const GONE: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

#[test]
fn same_bytes_are_no_new_picture_and_lengths_do_not_matter() {
    let (one, two) = (sample(&[1]), sample(&[2, 3]));
    let attempt = fetch(vec![
        snapshot("Content-Length: 9999\r\n", &one),
        snapshot("", &[&one[..], b"\0\0"].concat()),
        snapshot("X: y\r\n", &[b"\r\n", &two[..]].concat()),
        snapshot("", &one),
        GONE.into(),
    ]);
    assert_eq!(
        (attempt.pictures(), attempt.error),
        (vec![one.len(), two.len(), one.len()], Error::NotFound { status: 404 })
    );
    assert_eq!(attempt.requests.len(), 5);
}

#[test]
fn snapshot_cut_short_is_damage_and_what_is_no_jpeg_says_so() {
    let jpeg = sample(&[1, 2]);
    let attempt = fetch(vec![snapshot("", &jpeg[..jpeg.len() - 1]), snapshot("", &jpeg), GONE.into()]);
    assert_eq!(attempt.pictures(), [0, jpeg.len()]);
    assert_eq!(fetch(vec![snapshot("", b"<html>")]).error, Error::OutOfStep { skipped: 6 });
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>";
    assert_eq!(fetch(texts(&[page])).error, Error::WrongType { content_type: "text/html".into() });
    assert_eq!(fetch(vec![snapshot("", b"")]).error, Error::Closed);
}

#[test]
fn few_requests_may_fail_once_a_picture_has_come() {
    let jpeg = sample(&[1]);
    let busy = || b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_vec();
    assert_eq!(fetch(vec![busy()]).error, Error::Busy { status: 503 });
    let attempt = fetch(vec![snapshot("", &jpeg), busy(), busy(), snapshot("", &jpeg), busy(), busy(), busy()]);
    assert_eq!((attempt.error, attempt.requests.len()), (Error::Busy { status: 503 }, 7));
    // Not where another one changes nothing.
    assert_eq!(fetch(vec![snapshot("", &jpeg), GONE.into()]).error, Error::NotFound { status: 404 });
}

#[test]
fn login_of_one_snapshot_is_that_of_the_next() {
    let (one, two) = (sample(&[1]), sample(&[2]));
    let attempt = fetch(vec![DIGEST.into(), snapshot("", &one), snapshot("", &two), GONE.into()]);
    assert_eq!(attempt.pictures(), [one.len(), two.len()]);
    let has_login = |request: &String| request.contains("\r\nAuthorization: Digest ");
    assert_eq!(attempt.requests.iter().map(has_login).collect::<Vec<_>>(), [false, true, true, true]);
}

#[test]
fn picture_is_as_old_as_the_camera_says() {
    let dates = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nLast-Modified: Sun, 06 Nov 1994 08:49:07 GMT\r\n";
    let before = std::time::Instant::now();
    let attempt = fetch(vec![snapshot(dates, &sample(&[1])), snapshot(dates, &sample(&[1])), GONE.into()]);
    let [Event::Picture { received_at, .. }] = &attempt.events[..] else { panic!("{:?}", attempt.events) };
    let (age, passed) = (Duration::from_secs(30), before.elapsed());
    assert!(*received_at + age >= before && *received_at + age <= before + passed);
}

#[test]
fn date_that_is_the_same_with_every_picture_makes_none_old() {
    let dates = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nLast-Modified: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
    let before = std::time::Instant::now();
    let attempt = fetch(vec![snapshot(dates, &sample(&[1])), snapshot(dates, &sample(&[2, 3])), GONE.into()]);
    let [Event::Picture { received_at, jpeg, .. }] = &attempt.events[..] else { panic!("{:?}", attempt.events) };
    assert!(*jpeg == sample(&[2, 3]) && *received_at >= before);
}
