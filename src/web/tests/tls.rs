//! TLS on the same port: the first byte decides, and everything behind it is as without.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use smol::{
    Timer,
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    super::Rules,
    scene::{Reply, Scene, eventually, in_time, picture, play},
};
use crate::tls::{
    OwnCertificates,
    client::{self, KeyCheck},
};

type Stream = client::TlsStream<TcpStream>;

/// Takes any certificate; what it is, the tests of `tls` say.
async fn connect(scene: &Scene) -> Stream {
    let stream = TcpStream::connect(scene.address).await.unwrap();
    let host = scene.address.ip().to_string();
    in_time(client::connect(stream, &host, &KeyCheck::default())).await.unwrap()
}

fn set_certificate(scene: &Scene) {
    // Not kept: a file is no directory.
    let mut own = OwnCertificates::new(PathBuf::from("/dev/null/none"));
    let made = own.certificate(&BTreeSet::from(["localhost".to_owned()]), SystemTime::now()).unwrap();
    scene.web.tls.set(made.certificate).unwrap();
}

/// Reads until `end` has been received, and returns all of it.
async fn read_until(stream: &mut Stream, end: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    while !bytes.windows(end.len()).any(|part| part == end) {
        let count = in_time(stream.read(&mut chunk)).await.unwrap();
        assert!(count > 0, "the connection ended after {:?}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&chunk[..count]);
    }
    bytes
}

#[test]
fn fingerprint_is_announced_for_a_while() {
    play(
        |limits| limits.announced = Duration::ZERO,
        async |scene| {
            set_certificate(scene);
            assert_eq!(scene.get("/api/cameras").await.json()["tls"]["announced"], false);
        },
    );
}

/// The response to a request that a proxy passes on by HTTPS, with this header line.
async fn from(scene: &Scene, target: &str, line: &str) -> Reply {
    let mut client = scene.connect().await;
    let host = scene.address;
    let lines = format!("Host: {host}\r\nX-Forwarded-Proto: https\r\n{line}\r\nConnection: close");
    client.send(&format!("GET {target} HTTP/1.1\r\n{lines}\r\n\r\n")).await;
    client.reply(false).await
}

#[test]
fn both_protocols_are_served_on_one_port() {
    play(
        |_| {},
        async |scene| {
            scene.web.set_access(Rules { trusted_proxies: vec![scene.address.ip()], ..Rules::default() });
            set_certificate(scene);
            let mut stream = connect(scene).await;
            // Two requests on one connection, and a host that plain HTTP is not served for.
            for _ in 0..2 {
                stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n").await.unwrap();
                stream.flush().await.unwrap();
                let reply = read_until(&mut stream, b"}\n").await;
                assert!(reply.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&reply));
            }
            assert_eq!(scene.get("/healthz").await.status, 200);
            // A connection counts as one.
            eventually(|| scene.web.admission.connections() == 1).await;
            let tls = scene.get("/api/cameras").await.json()["tls"].clone();
            assert!(tls["fingerprint"].as_str().unwrap().len() == 95 && tls["own"] == true, "{tls}");
            assert_eq!(tls["announced"], true, "to the screen of this machine, in the first minute");
            let other = from(scene, "/api/cameras", "X-Forwarded-For: 10.0.0.7").await.json();
            assert_eq!(other["tls"]["announced"], false);
            assert!(scene.get("/metrics").await.text().contains("\ncctv_tls_expires_seconds 3"));
        },
    );
}

#[test]
fn pictures_arrive_over_tls_one_by_one() {
    play(
        |_| {},
        async |scene| {
            set_certificate(scene);
            scene.go_live();
            let mut stream = connect(scene).await;
            stream.write_all(b"GET /live/gate HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
            stream.flush().await.unwrap();
            // Nothing of a picture is kept back until the next one is written.
            for sequence in 1..4 {
                scene.publish(sequence).await;
                read_until(&mut stream, &picture(sequence)).await;
            }
        },
    );
}

#[test]
fn viewer_that_stops_reading_over_tls_is_closed_and_holds_little() {
    play(
        |limits| limits.write_stall = Duration::from_millis(300),
        async |scene| {
            set_certificate(scene);
            scene.go_live();
            let mut stream = connect(scene).await;
            stream.write_all(b"GET /live/gate HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
            stream.flush().await.unwrap();
            eventually(|| scene.web.viewers() == 1).await;
            let mut sequence = 0;
            let flood = async {
                // More than all buffers between them take.
                while scene.web.viewers() == 1 {
                    sequence += 1;
                    scene.publish_large(sequence, vec![0; 4 << 20]);
                    Timer::after(Duration::from_millis(5)).await;
                }
            };
            in_time(flood).await;
            eventually(|| scene.web.admission.connections() == 0).await;
        },
    );
}

#[test]
fn slow_handshake_is_cut_and_counts_as_a_connection_until_then() {
    play(
        |limits| limits.head_time = Duration::from_millis(300),
        async |scene| {
            set_certificate(scene);
            let mut stream = TcpStream::connect(scene.address).await.unwrap();
            stream.write_all(&[0x16, 3, 1]).await.unwrap();
            eventually(|| scene.web.admission.connections() == 1).await;
            assert_eq!(in_time(stream.read(&mut [0; 16])).await.unwrap_or(0), 0);
            eventually(|| scene.web.admission.connections() == 0).await;
        },
    );
}

#[test]
fn what_begins_like_tls_and_is_none_is_closed() {
    play(
        |_| {},
        async |scene| {
            set_certificate(scene);
            for bytes in [&b"\x16rubbish that is longer than a record's head"[..], &[0x16, 3, 1, 0xff, 0xff, 1]] {
                let mut stream = TcpStream::connect(scene.address).await.unwrap();
                stream.write_all(bytes).await.unwrap();
                if bytes.len() < 10 {
                    // A record that never ends: the client gives up.
                    stream.shutdown(std::net::Shutdown::Write).unwrap();
                }
                let mut rest = Vec::new();
                let _reset = in_time(stream.read_to_end(&mut rest)).await;
                assert!(rest.len() < 64, "an alert at most: {rest:?}");
            }
            eventually(|| scene.web.admission.connections() == 0).await;
            assert_eq!(scene.get("/healthz").await.status, 200);
        },
    );
}

#[test]
fn browsers_are_told_to_keep_to_https_only_if_the_file_says_so_and_over_tls() {
    play(
        |_| {},
        async |scene| {
            set_certificate(scene);
            let strict = async |scene: &Scene| {
                let mut stream = connect(scene).await;
                stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
                stream.flush().await.unwrap();
                let reply = String::from_utf8(read_until(&mut stream, b"}\n").await).unwrap().to_ascii_lowercase();
                reply.contains("strict-transport-security: max-age=31536000\r\n")
            };
            assert!(!strict(scene).await);
            scene.web.set_access(Rules { hsts: true, ..Rules::default() });
            assert!(strict(scene).await);
            assert!(scene.get("/healthz").await.header("strict-transport-security").is_none());
        },
    );
}

/// A stream that is closed by the one who writes: the last response must arrive all the same.
#[test]
fn refusal_arrives_over_tls() {
    play(
        |_| {},
        async |scene| {
            set_certificate(scene);
            let limits = super::super::AdmissionLimits { connections: 0, own: 0, ..Default::default() };
            scene.web.set_admission_limits(limits);
            let mut stream = connect(scene).await;
            let mut text = Vec::new();
            in_time(stream.read_to_end(&mut text)).await.unwrap();
            let text = String::from_utf8(text).unwrap();
            assert!(text.starts_with("HTTP/1.1 503") && text.contains("connections"), "{text}");
        },
    );
}
