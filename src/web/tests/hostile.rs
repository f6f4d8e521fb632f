//! Requests that are wrong, endless or impolite, and the plain rules of HTTP.

use std::{sync::Arc, time::Duration};

use smol::{future::FutureExt, net::TcpListener};

use super::{
    super::{AdmissionLimits, Web, serve},
    scene::{Client, LONG, Scene, eventually, play},
};
use crate::hub::Hub;

async fn status(scene: &Scene, request: &str) -> u16 {
    let mut client = scene.connect().await;
    client.send(request).await;
    let reply = client.reply(false).await;
    assert!(reply.json()["error"].is_string(), "{request:?}");
    reply.status
}

#[test]
fn errors_are_told_in_json_with_the_right_status() {
    play(
        |_| {},
        async |scene| {
            for (path, expected, hint) in [
                ("/live/nobody", 404, "no camera"),
                ("/snapshot/nobody", 404, "no camera"),
                ("/live/", 404, "no camera"),
                ("/live/gate?size=1x1", 400, "640x360"),
                ("/snapshot/gate?size=huge", 400, "640x360"),
                ("/live/gate?q=101", 400, "1 to 100"),
                ("/live/gate?fps=0", 400, "1 to 60"),
                ("/ws", 426, "WebSocket"),
                ("/nothing", 404, "nothing"),
            ] {
                let reply = scene.get(path).await;
                assert_eq!(
                    (reply.status, reply.header("content-type")),
                    (expected, Some("application/json")),
                    "{path}"
                );
                assert!(reply.json()["error"].as_str().unwrap().contains(hint), "{path}: {}", reply.text());
            }
        },
    );
}

#[test]
fn only_get_and_head_exist() {
    play(
        |_| {},
        async |scene| {
            let mut client = scene.connect().await;
            client.send("DELETE /api/cameras HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
            let reply = client.reply(false).await;
            assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD")));
            assert!(client.ended().await);
            // Followed at once by a body, which is never read; the response still arrives.
            let post =
                format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n{}", "x".repeat(60_000));
            assert_eq!(status(scene, &post).await, 405);
        },
    );
}

#[test]
fn bodies_and_expectations_are_refused_before_they_are_decoded() {
    play(
        |_| {},
        async |scene| {
            let get = |header: &str| format!("GET / HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n");
            assert_eq!(status(scene, &get("Expect: 100-continue")).await, 417);
            assert_eq!(status(scene, &get("Content-Length: 10")).await, 413);
            assert_eq!(status(scene, &get("Transfer-Encoding: chunked")).await, 413);
            assert_eq!(status(scene, "GET http://[/ HTTP/1.1\r\nHost: localhost\r\n\r\n").await, 400);
            assert_eq!(status(scene, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n").await, 400);
            assert_eq!(status(scene, "\u{17}\u{3}\u{1} hello TLS\r\n\r\n").await, 400);
        },
    );
}

#[test]
fn head_without_an_end_is_cut_off() {
    play(
        |_| {},
        async |scene| {
            assert_eq!(status(scene, &"x".repeat(17 << 10)).await, 431);
            let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nCookie: {}\r\n\r\n", "x".repeat(17 << 10));
            assert_eq!(status(scene, &long).await, 431);
            let address = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(9 << 10));
            assert_eq!(status(scene, &address).await, 431);
            let cookies =
                format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nCookie: {}\u{e4}\r\n\r\n", "x".repeat(12 << 10));
            let mut client = scene.connect().await;
            client.send(&cookies).await;
            assert_eq!(client.reply(false).await.status, 200, "what other services set on this host does not hurt");
        },
    );
}

#[test]
fn head_that_trickles_is_not_waited_for() {
    play(
        |limits| limits.head_time = Duration::from_millis(50),
        async |scene| {
            let mut slow = scene.connect().await;
            slow.send("GET / HTTP/1.1\r\n").await;
            assert_eq!(slow.reply(false).await.status, 408);
            assert!(slow.ended().await);
            let mut silent = scene.connect().await;
            assert!(silent.ended().await, "who never begins is not even answered");
        },
    );
}

#[test]
fn idle_connection_is_closed() {
    play(
        |limits| limits.idle = Duration::from_millis(20),
        async |scene| {
            let mut client = scene.connect().await;
            client.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
            assert_eq!(client.reply(false).await.status, 200);
            assert!(client.ended().await);
        },
    );
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    play(
        |_| {},
        async |scene| {
            let mut client = scene.connect().await;
            let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            client
                .send(&[request("/healthz"), request("/nothing"), "\r\n".into(), request("/api/cameras")].concat())
                .await;
            assert_eq!(client.reply(false).await.status, 200);
            assert_eq!(client.reply(false).await.status, 404);
            assert!(client.reply(false).await.json()["cameras"].is_array());
        },
    );
}

#[test]
fn version_one_zero_gets_its_answer_and_a_close() {
    play(
        |_| {},
        async |scene| {
            let mut client = scene.connect().await;
            client.send("GET /healthz HTTP/1.0\r\n\r\n").await;
            let reply = client.reply(false).await;
            assert_eq!((reply.status, reply.header("connection")), (200, Some("close")));
            assert!(client.ended().await);
        },
    );
}

#[test]
fn head_is_answered_like_get_without_the_body() {
    play(
        |limits| limits.first_picture = Duration::from_millis(20),
        async |scene| {
            let mut client = scene.connect().await;
            for (path, expected) in [("/api/cameras", 200), ("/healthz", 200), ("/metrics", 200), ("/nothing", 404)] {
                client.send(&format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
                let reply = client.reply(true).await;
                assert_eq!(reply.status, expected, "{path}");
                assert_ne!(reply.header("content-length"), Some("0"), "{path}");
            }
            client.send("HEAD /snapshot/gate HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
            let snapshot = client.reply(true).await;
            assert_eq!((snapshot.status, snapshot.header("content-type")), (503, Some("image/jpeg")));
            client.send("HEAD /live/gate HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
            let live = client.head().await;
            assert!(
                live.status == 200 && live.header("content-type").unwrap().starts_with("multipart/x-mixed-replace")
            );
            assert!(client.ended().await);
        },
    );
}

#[test]
fn one_connection_too_many_is_told_to_come_back() {
    play(
        |limits| limits.head_time = LONG,
        async |scene| {
            scene.web.set_admission_limits(AdmissionLimits { connections: 1, own: 0, ..AdmissionLimits::default() });
            let first = scene.connect().await;
            eventually(|| scene.web.admission.connections() == 1).await;
            let mut second = scene.connect().await;
            let reply = second.reply(false).await;
            assert_eq!((reply.status, reply.header("retry-after")), (503, Some("5")));
            drop(first);
            eventually(|| scene.web.admission.connections() == 0).await;
            assert_eq!(scene.get("/healthz").await.status, 200);
        },
    );
}

#[test]
fn dropped_server_takes_its_connections_along() {
    let hub = Arc::new(Hub::default());
    let web = Arc::new(Web::new(hub, "/nonexistent".into(), "1", Arc::new(|_, _, _| Ok(Vec::new()))));
    smol::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = Box::pin(serve(listener, Arc::clone(&web)));
        let mut client = Client::connect(address).await;
        let opened = eventually(|| web.admission.connections() == 1);
        opened
            .or(async {
                (&mut serving).await;
            })
            .await;
        drop(serving);
        assert!(client.ended().await);
        assert_eq!((web.admission.connections(), Arc::strong_count(&web)), (0, 1));
    });
}
