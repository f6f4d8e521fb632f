//! Who is served what: strangers, a user of one of two cameras, and visitors that need no login.

use std::path::Path;

use async_tungstenite::{
    client_async,
    tungstenite::{Message, client::IntoClientRequest},
};
use serde_json::json;
use smol::{net::TcpStream, stream::StreamExt};

use super::{
    super::{Rules, http::route::Route},
    scene::{Reply, Scene, in_time, play},
};
use crate::{
    account::{Account, Credential, Rights, Seen, WithoutLogin, token_hash::TokenHash},
    camera::{CameraId, State},
    config::{Wall, Walls},
    text::Code,
};

/// Of the guard, who may watch the camera `gate`; of somebody for each right; and of the chief, who may
/// do everything.
const GUARD: &str = "Authorization: Bearer guard";
const CHIEF: &str = "Authorization: Bearer chief";

fn account(name: &str, rights: Rights, cameras: Seen) -> Account {
    Account { name: name.to_owned(), rights, cameras, credential: Credential::Token(TokenHash::of(name)) }
}

fn gate_alone() -> Seen {
    Seen::Only(["gate".to_owned()].into())
}

fn accounts() -> Vec<Account> {
    let none = Rights::NONE;
    vec![
        account("guard", Rights::WATCH, gate_alone()),
        account("detective", Rights { details: true, ..Rights::WATCH }, gate_alone()),
        account("prometheus", Rights { metrics: true, ..none }, gate_alone()),
        account("chief", Rights::ALL, Seen::All),
    ]
}

/// Runs `story` where nobody is served without a login.
fn closed(story: impl AsyncFnOnce(&Scene)) {
    play(
        |_| {},
        async |scene| {
            scene.web.set_access(Rules::default());
            scene.web.users.set(accounts(), WithoutLogin::Nobody, Path::new("/dev/null/state"));
            story(scene).await;
        },
    );
}

/// The response to `method` with these header lines; of an endless one only the head.
async fn asked(scene: &Scene, method: &str, target: &str, lines: &[&str]) -> Reply {
    let mut client = scene.connect().await;
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let host = scene.address;
    client.send(&format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{lines}Connection: close\r\n\r\n")).await;
    let reply = client.head().await;
    let Some(length) = reply.header("content-length").map(|length| length.parse().unwrap()) else { return reply };
    let body = client.exactly(length).await;
    Reply { body, ..reply }
}

async fn get(scene: &Scene, target: &str, lines: &[&str]) -> Reply {
    asked(scene, "GET", target, lines).await
}

async fn socket(scene: &Scene, path: &str, token: &str) -> async_tungstenite::WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(scene.address).await.unwrap();
    let mut request = format!("ws://{}{path}", scene.address).into_client_request().unwrap();
    if path == "/ws" {
        request.headers_mut().insert("sec-websocket-protocol", "cctv.wall.1".parse().unwrap());
    }
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    in_time(client_async(request, stream)).await.unwrap().0
}

/// What a stranger, the guard, and somebody with the right to metrics alone get of each route. A new
/// route does not compile until it has a row.
fn expected(route: &Route<'_>) -> (u16, u16, u16) {
    match route {
        Route::Live(_) | Route::Snapshot(_) | Route::Cameras => (401, 200, 403),
        // They are no handshakes.
        Route::Wall | Route::Legacy(_) => (401, 426, 403),
        Route::Metrics => (401, 403, 200),
        Route::Users | Route::WallOrder(..) | Route::Ptz(_) | Route::Sound(_) => (401, 403, 403),
        // There is no such wall in this scene.
        Route::WallState(_) => (401, 404, 403),
        // Nothing is kept to look back at.
        Route::Past(_) => (401, 404, 403),
        Route::Health => (200, 200, 200),
        // There are no files in this scene.
        Route::Login => (404, 404, 404),
        Route::Logout => (405, 405, 405),
        Route::File("/status.html") => (303, 403, 403),
        Route::File("/" | "/index.html") => (303, 404, 404),
        Route::File("/js/login.js" | "/login.html") => (404, 404, 404),
        Route::File(_) => (401, 404, 404),
    }
}

#[test]
fn every_route_is_closed_to_strangers_and_open_by_rights() {
    closed(async |scene| {
        scene.go_live();
        for target in Route::EXAMPLES {
            let url = http_types::Url::parse(&format!("http://x{target}")).unwrap();
            let expected = expected(&Route::of(&url));
            let mut seen = Vec::new();
            for lines in [&[][..], &[GUARD], &["Authorization: Bearer prometheus"]] {
                let publishing = async {
                    scene.publish(1).await;
                    smol::future::pending().await
                };
                let reply = smol::future::or(get(scene, target, lines), publishing).await;
                seen.push(reply.status);
            }
            assert_eq!((seen[0], seen[1], seen[2]), expected, "{target}");
        }
    });
}

#[test]
fn routes_have_an_example_each() {
    let kinds: std::collections::BTreeSet<_> = Route::EXAMPLES
        .iter()
        .map(|target| {
            let url = http_types::Url::parse(&format!("http://x{target}")).unwrap();
            match Route::of(&url) {
                Route::Live(_) => 0,
                Route::Snapshot(_) => 1,
                Route::Wall => 2,
                Route::Legacy(_) => 3,
                Route::Cameras => 4,
                Route::Health => 5,
                Route::Metrics => 6,
                Route::Users => 7,
                Route::Login => 8,
                Route::Logout => 9,
                Route::File(_) => 10,
                Route::WallState(_) => 11,
                Route::WallOrder(..) => 12,
                Route::Past(_) => 13,
                Route::Ptz(_) => 14,
                Route::Sound(_) => 15,
            }
        })
        .collect();
    assert!(kinds.into_iter().eq(0..=15));
}

#[test]
fn stranger_learns_nothing_but_that_a_login_is_needed() {
    closed(async |scene| {
        for target in ["/live/gate", "/snapshot/gate", "/ws/gate", "/api/cameras", "/metrics"] {
            let there = get(scene, target, &[]).await;
            let absent = get(scene, &target.replace("gate", "absent"), &[]).await;
            assert_eq!((there.status, there.text()), (absent.status, absent.text()), "{target}");
            assert_eq!(there.header("www-authenticate"), Some("Basic realm=\"cctv-agent\", charset=\"UTF-8\""));
        }
        let prompts = async |destination: &str| {
            let line = format!("Sec-Fetch-Dest: {destination}");
            get(scene, "/live/gate", &[&line]).await.header("www-authenticate").is_some()
        };
        assert!(prompts("image").await && prompts("document").await);
        assert!(!prompts("empty").await && !prompts("websocket").await, "a page asks by itself");
        let health = get(scene, "/healthz", &[]).await;
        assert_eq!(health.json(), json!({ "ok": true }));
        for (target, location) in [
            ("/?wall=hall&x=%20y", "login?to=%3Fwall%3Dhall%26x%3D%2520y"),
            ("/examples/view.html", "../login?to=examples%2Fview.html"),
            ("/", "login?to="),
        ] {
            let reply = get(scene, target, &[]).await;
            assert_eq!((reply.status, reply.header("location")), (303, Some(location)), "{target}");
        }
    });
}

#[test]
fn camera_of_others_is_told_from_no_absent_one() {
    closed(async |scene| {
        scene.go_live();
        let gate: CameraId = CameraId::new("gate").unwrap();
        let porch = CameraId::new("porch").unwrap();
        let standard = Wall { cameras: Some(vec![gate, porch]), ..Wall::default() };
        scene.web.walls.set(Walls { standard, ..Walls::default() });
        for target in ["/live/porch", "/snapshot/porch", "/ws/porch", "/snapshot/porch?size=x"] {
            let hidden = get(scene, target, &[GUARD]).await;
            let absent = get(scene, &target.replace("porch", "absent"), &[GUARD]).await;
            assert_eq!((hidden.status, hidden.text()), (absent.status, absent.text()), "{target}");
            assert_eq!(hidden.status, 404, "{target}");
            assert_ne!(get(scene, target, &[CHIEF]).await.status, 404, "{target}");
        }
        for (user, target) in [
            ("guard", "/api/cameras"),
            ("detective", "/api/cameras"),
            ("detective", "/healthz"),
            ("prometheus", "/metrics"),
        ] {
            let line = format!("Authorization: Bearer {user}");
            let reply = get(scene, target, &[&line]).await;
            assert_eq!(reply.status, 200, "{user} {target}");
            assert!(!reply.text().contains("porch"), "{user} {target}: {}", reply.text());
        }
        let metrics = get(scene, "/metrics", &["Authorization: Bearer prometheus"]).await.text();
        assert!(metrics.contains("cctv_camera_up{camera=\"gate\"} 1"), "{metrics}");
        let health = get(scene, "/healthz", &["Authorization: Bearer detective"]).await.json();
        assert_eq!(health["cameras"], 1);

        let mut wall = socket(scene, "/ws", "guard").await;
        let mut answers = Vec::new();
        for camera in ["porch", "absent"] {
            let show = json!({"show": [{"tile": 0, "camera": camera, "accept": ["jpeg"]}]}).to_string();
            wall.send(Message::text(show)).await.unwrap();
            for _ in 0..2 {
                let Some(Ok(Message::Text(text))) = in_time(wall.next()).await else { panic!("no text") };
                answers.push(text.replace(camera, "NAME"));
            }
        }
        assert_eq!(answers[..2], answers[2..]);
    });
}

#[test]
fn reasons_and_addresses_are_for_those_with_the_right_to_details() {
    closed(async |scene| {
        scene.go_live();
        let reason = Code::CannotConnect.with("host", "10.0.0.9:554");
        let retry = Code::Retry.with("seconds", 4.0).with("attempt", 3_u32);
        scene.gate.report(State::Offline, crate::text::Reason::from(reason).and(retry), std::time::Instant::now());
        let camera = async |line: &str| get(scene, "/api/cameras", &[line]).await.json()["cameras"][0].clone();
        let (guard, chief) = (camera(GUARD).await, camera(CHIEF).await);
        assert!(chief["why"].as_str().unwrap().contains("10.0.0.9"), "{chief}");
        assert_eq!(guard["why"], "trying again in 4 s (attempt 3)");
        assert_eq!((&guard["state"], &guard["id"]), (&json!("offline"), &json!("gate")));
        assert_eq!(guard["reason"].as_array().unwrap().len(), 1);
        assert!(guard.get("address").is_none() && guard.get("last_error").is_none() && guard.get("worker").is_none());
        for target in ["/snapshot/gate", "/api/cameras"] {
            assert!(!get(scene, target, &[GUARD]).await.text().contains("10.0.0.9"), "{target}");
        }
        assert!(get(scene, "/snapshot/gate", &[CHIEF]).await.text().contains("10.0.0.9"));
        let api = get(scene, "/api/cameras", &[GUARD]).await.json();
        assert_eq!(api["user"], json!({ "name": "guard", "may": ["watch"], "session": false }));
        assert!(api.get("pid").is_none() && api.get("viewers").is_none() && api["complaints"] == json!([]), "{api}");

        let mut wall = socket(scene, "/ws", "guard").await;
        let show = json!({"show": [{"tile": 0, "camera": "gate", "accept": ["jpeg"]}]}).to_string();
        wall.send(Message::text(show)).await.unwrap();
        let Some(Ok(Message::Text(text))) = in_time(wall.next()).await else { panic!("no text") };
        assert!(text.contains("offline") && !text.contains("10.0.0.9"), "{text}");
    });
}

#[test]
fn viewers_are_told_when_what_they_may_see_changes() {
    closed(async |scene| {
        scene.go_live();
        let mut wall = socket(scene, "/ws", "guard").await;
        let mut old = socket(scene, "/ws/gate", "guard").await;
        let mut chief = socket(scene, "/ws", "chief").await;
        let mut live = scene.connect().await;
        live.send(&format!("GET /live/gate HTTP/1.1\r\nHost: {}\r\n{GUARD}\r\n\r\n", scene.address)).await;
        assert_eq!(live.head().await.status, 200);
        let mut changed = accounts();
        changed[0].cameras = Seen::All;
        scene.web.users.set(changed, WithoutLogin::Nobody, Path::new("/dev/null/state"));
        for socket in [&mut wall, &mut old] {
            let close = loop {
                match in_time(socket.next()).await {
                    Some(Ok(Message::Close(Some(close)))) => break close,
                    Some(Ok(_)) => {}
                    other => panic!("{other:?}"),
                }
            };
            assert_eq!(u16::from(close.code), 1008);
            assert!(close.reason.contains("login"), "{}", close.reason);
        }
        while !live.some_or_end().await.is_empty() {}
        chief.send(Message::text(r#"{"ping": 1}"#)).await.unwrap();
        let Some(Ok(Message::Text(_))) = in_time(chief.next()).await else { panic!("the chief is not concerned") };
    });
}

#[test]
fn session_is_a_cookie_from_login_to_logout() {
    closed(async |scene| {
        scene.go_live();
        let login = async |lines: &[&str]| asked(scene, "POST", "/login", lines).await;
        let reply = login(&[GUARD]).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.json()["user"]["name"], "guard");
        let cookie = reply.header("set-cookie").unwrap();
        let (pair, attributes) = cookie.split_once("; ").unwrap();
        assert!(pair.starts_with("__Host-cctv=") && pair.len() > 40, "{cookie}");
        assert!(attributes.starts_with("Secure; HttpOnly; SameSite=Lax; Path=/; Max-Age="), "{cookie}");
        let line = format!("Cookie: other=1; {pair}");
        let api = get(scene, "/api/cameras", &[&line]).await;
        assert_eq!((api.status, api.json()["user"]["session"].clone()), (200, json!(true)));
        assert_eq!(get(scene, "/snapshot/porch", &[&line]).await.status, 404);

        for lines in [
            &["Origin: http://evil.example"][..],
            &["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"],
        ] {
            let with_cookie = [&[line.as_str()], lines].concat();
            assert_eq!(asked(scene, "POST", "/logout", &with_cookie).await.status, 403, "{lines:?}");
            assert_eq!(login(&[&[GUARD], lines].concat()).await.status, 403, "{lines:?}");
        }
        assert_eq!(get(scene, "/api/cameras", &[&line]).await.status, 200, "no other page ended it");
        let mut wall = {
            let stream = TcpStream::connect(scene.address).await.unwrap();
            let mut request = format!("ws://{}/ws", scene.address).into_client_request().unwrap();
            request.headers_mut().insert("sec-websocket-protocol", "cctv.wall.1".parse().unwrap());
            request.headers_mut().insert("cookie", pair.parse().unwrap());
            in_time(client_async(request, stream)).await.unwrap().0
        };
        let reply = asked(scene, "POST", "/logout", &[&line]).await;
        assert_eq!(reply.status, 200);
        assert!(reply.header("set-cookie").unwrap().contains("__Host-cctv=; "), "{reply:?}");
        assert!(reply.header("set-cookie").unwrap().ends_with("Max-Age=0"));
        let Some(Ok(Message::Close(Some(_)))) = in_time(wall.next()).await else { panic!("it goes on") };
        assert_eq!(get(scene, "/api/cameras", &[&line]).await.status, 401);

        for lines in [&[][..], &[line.as_str()], &["Authorization: Bearer wrong"], &["Authorization: Basic eA=="]] {
            let reply = login(lines).await;
            assert_eq!((reply.status, reply.header("set-cookie")), (401, None), "{lines:?}");
            assert_eq!(reply.header("www-authenticate"), None, "{lines:?}");
        }
    });
}

#[test]
fn visitors_are_served_without_a_login_as_the_configuration_says() {
    closed(async |scene| {
        scene.go_live();
        // Not loopback: asked for under another address. It is http from elsewhere, so plain_http is on.
        scene.web.set_access(super::scene::open());
        let elsewhere = async |lines: &[&str]| {
            let mut client = scene.connect().await;
            let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            client.send(&format!("GET /api/cameras HTTP/1.1\r\nHost: 10.0.0.5\r\n{lines}\r\n")).await;
            client.reply(false).await
        };
        let here = async |lines: &[&str]| get(scene, "/api/cameras", lines).await.status;
        for (without_login, own, other) in
            [(WithoutLogin::Nobody, 401, 401), (WithoutLogin::Loopback, 200, 401), (WithoutLogin::Everybody, 200, 200)]
        {
            scene.web.users.set(accounts(), without_login, Path::new("/dev/null/state"));
            assert_eq!((here(&[]).await, elsewhere(&[]).await.status), (own, other), "{without_login:?}");
        }
        // The login of a proxy in front hinders nobody where everybody is served.
        assert_eq!(elsewhere(&["Authorization: Basic eDp5"]).await.status, 200);
        scene.web.users.set(accounts(), WithoutLogin::Loopback, Path::new("/dev/null/state"));
        assert_eq!(here(&["Authorization: Bearer wrong"]).await, 401, "a login that is there must be right");
        let insecure = elsewhere(&[GUARD]).await;
        assert_eq!(insecure.status, 403);
        assert!(insecure.text().contains("needs https"), "{}", insecure.text());
        let stranger = elsewhere(&[]).await;
        assert!(stranger.text().contains("needs https") && stranger.header("www-authenticate").is_none());
    });
}

#[test]
fn failed_logins_have_to_wait_and_others_do_not() {
    closed(async |scene| {
        scene.web.set_access(Rules { trusted_proxies: vec![scene.address.ip()], ..Rules::default() });
        let from = async |address: &str, token: &str| {
            let lines = [
                "X-Forwarded-Proto: https".to_owned(),
                format!("X-Forwarded-For: {address}"),
                format!("Authorization: Bearer {token}"),
            ];
            get(scene, "/api/cameras", &lines.each_ref().map(String::as_str)).await
        };
        let mut last = from("10.0.0.7", "wrong").await;
        for _ in 0..39 {
            last = from("10.0.0.7", "wrong").await;
        }
        assert_eq!(last.status, 429);
        assert!(last.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
        assert_eq!(from("10.0.0.7", "guard").await.status, 429, "not even looked at");
        assert_eq!(from("10.0.0.8", "guard").await.status, 200);
    });
}

#[test]
fn accounts_are_listed_for_those_who_see_everything() {
    closed(async |scene| {
        let reply = get(scene, "/api/users", &[CHIEF]).await;
        assert_eq!(reply.status, 200);
        let users = reply.json()["users"].clone();
        assert_eq!(users[0]["name"], "guard");
        assert_eq!((&users[0]["may"], &users[0]["cameras"]), (&json!(["watch"]), &json!(["gate"])));
        assert_eq!((&users[3]["cameras"], &users[3]["login"]), (&json!(null), &json!("token")));
        let hash = TokenHash::of("guard").to_string();
        assert!(!reply.text().contains(&hash) && !reply.text().contains("sha256"), "{}", reply.text());
    });
}
