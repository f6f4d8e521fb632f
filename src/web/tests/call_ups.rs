//! Walls that are told what to show: orders, rights, and what a page hears of it.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};

use super::{
    scene::{Reply, Scene, play},
    sockets::Page,
};
use crate::{
    account::{Account, Credential, Rights, Seen, WithoutLogin, token_hash::TokenHash},
    camera::CameraId,
    config::{Layout, Wall, Walls},
    web::{Cause, Place, Scene as Shown, Until},
};

/// Runs `story` with a wall `hall` that shows `gate` alone; the wall without a name shows all.
fn with_walls(story: impl AsyncFnOnce(&Scene)) {
    play(
        |_| {},
        async |scene| {
            let gate = CameraId::new("gate").unwrap();
            let hall = Wall { cameras: Some(vec![gate]), layout: Some(Layout::Word("4")), ..Wall::default() };
            let named = BTreeMap::from([("hall".to_owned(), hall)]);
            scene.web.walls.set(Walls { standard: Wall::default(), named });
            story(scene).await;
        },
    );
}

pub(super) async fn post_with(scene: &Scene, path: &str, body: &str, lines: &[&str]) -> Reply {
    let mut client = scene.connect().await;
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let (host, length) = (scene.address, body.len());
    let head = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n{lines}\r\n{body}");
    client.send(&head).await;
    client.reply(false).await
}

pub(super) async fn post(scene: &Scene, path: &str, body: Value) -> Reply {
    post_with(scene, path, &body.to_string(), &[]).await
}

async fn state(scene: &Scene, path: &str) -> Value {
    let mut client = scene.connect().await;
    client.send(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", scene.address)).await;
    let reply = client.reply(false).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    serde_json::from_slice(&reply.body).unwrap()
}

fn cameras(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|entry| entry["camera"].as_str().unwrap()).collect()
}

#[test]
fn wall_tells_what_it_was_told_and_why_until_it_is_given_back() {
    with_walls(async |scene| {
        let before = state(scene, "/api/walls/hall").await;
        assert_eq!(
            before,
            json!({
                "name": "hall", "cameras": ["gate"], "layout": { "layout": "4" }, "shown": [], "marked": [], "why": "file"
            })
        );
        let shown = post(scene, "/api/walls/hall/show", json!({ "camera": "gate", "seconds": 20 })).await;
        assert_eq!(shown.status, 200, "{}", shown.text());
        post(scene, "/api/walls/hall/mark", json!({ "camera": "gate" })).await;
        post(scene, "/api/walls/hall/layout", json!({ "layout": "1+5", "seconds": 5 })).await;
        let now = state(scene, "/api/walls/hall").await;
        assert_eq!((cameras(&now["shown"]), cameras(&now["marked"])), (vec!["gate"], vec!["gate"]));
        let seconds = now["shown"][0]["seconds"].as_f64().unwrap();
        assert!((10.0..=20.0).contains(&seconds) && now["shown"][0]["by"] == "127.0.0.1", "{now}");
        assert_eq!((&now["layout"]["layout"], &now["why"]), (&json!("1+5"), &json!("call_up")));
        assert!(state(scene, "/api/wall").await["shown"].as_array().unwrap().is_empty(), "another wall");

        // The wall without a name, and an order without parameters.
        for camera in ["gate", "porch"] {
            assert_eq!(post(scene, "/api/wall/show", json!({ "camera": camera })).await.status, 200);
        }
        assert_eq!(cameras(&state(scene, "/api/wall").await["shown"]), ["gate", "porch"]);
        assert_eq!(post(scene, "/api/wall/clear", json!({ "camera": "gate" })).await.status, 200);
        assert_eq!(cameras(&state(scene, "/api/wall").await["shown"]), ["porch"]);
        assert_eq!(post_with(scene, "/api/walls/hall/clear", "", &[]).await.status, 200);
        assert_eq!(state(scene, "/api/walls/hall").await, before);
    });
}

#[test]
fn order_that_is_wrong_is_told_and_changes_nothing() {
    with_walls(async |scene| {
        for (path, body, status, words) in [
            ("/api/walls/cellar/show", r#"{"camera":"gate"}"#, 404, "there is no wall with this name"),
            ("/api/walls/hall/show", r#"{"camera":"vault"}"#, 404, "there is no camera with this name"),
            ("/api/walls/hall/show", r#"{"camera":"porch"}"#, 404, "this camera is not on that wall"),
            ("/api/walls/hall/show", "", 400, "camera is missing, like"),
            ("/api/walls/hall/show", "gate", 400, "must be an object of JSON"),
            ("/api/walls/hall/show", "[1]", 400, "must be an object of JSON"),
            ("/api/walls/hall/show", r#"{"camera":7}"#, 400, "camera must be a text"),
            ("/api/walls/hall/show", r#"{"camera":"gate","seconds":0}"#, 400, "seconds must be from 1 to 86400"),
            (
                "/api/walls/hall/show",
                r#"{"camera":"gate","second":9}"#,
                400,
                "is not known here; known are camera and seconds",
            ),
            ("/api/walls/hall/layout", r#"{"layout":"7"}"#, 400, "layout must be one of auto, 1, 4"),
        ] {
            let reply = post_with(scene, path, body, &[]).await;
            assert!(reply.status == status && reply.text().contains(words), "{path} {body}: {}", reply.text());
        }
        let long = format!("{{\"camera\":\"{}\"}}", "x".repeat(5000));
        assert_eq!(post_with(scene, "/api/wall/show", &long, &[]).await.status, 413);
        assert_eq!(post_with(scene, "/login", "{}", &[]).await.status, 413, "elsewhere a request has no body");
        let foreign = ["Origin: http://evil.example"];
        assert_eq!(post_with(scene, "/api/wall/show", r#"{"camera":"gate"}"#, &foreign).await.status, 403);
        let mut client = scene.connect().await;
        client.send(&format!("GET /api/wall/show HTTP/1.1\r\nHost: {}\r\n\r\n", scene.address)).await;
        assert_eq!(client.reply(false).await.header("allow"), Some("POST"));
        assert!(state(scene, "/api/wall").await["shown"].as_array().unwrap().is_empty());
    });
}

#[test]
fn only_who_may_tells_a_wall_something_and_only_of_cameras_that_exist_for_him() {
    with_walls(async |scene| {
        let account = |name: &str, rights: Rights| Account {
            name: name.to_owned(),
            rights,
            cameras: Seen::Only(["gate".to_owned()].into()),
            credential: Credential::Token(TokenHash::of(name)),
        };
        let button = Rights { watch: false, show: true, ..Rights::WATCH };
        let accounts = vec![account("guard", Rights::WATCH), account("button", button)];
        scene.web.users.set(accounts, WithoutLogin::Nobody, Path::new(super::scene::NO_FOLDER));
        let show = async |token: &str, camera: &str| {
            let login = format!("Authorization: Bearer {token}");
            let body = json!({ "camera": camera }).to_string();
            post_with(scene, "/api/wall/show", &body, &[&login]).await.status
        };
        assert_eq!((show("nobody", "gate").await, show("guard", "gate").await), (401, 403));
        assert_eq!((show("button", "gate").await, show("button", "porch").await), (200, 404));
        let told = scene.web.call_ups.of("", std::time::Instant::now()).cameras;
        assert!(told.len() == 1 && told[0].by == "button", "{told:?}");
    });
}

#[test]
fn page_hears_what_its_wall_is_told_and_nothing_of_another() {
    with_walls(async |scene| {
        let mut page = Page::wall(scene).await;
        page.say(json!({ "wall": "hall" })).await;
        let first = page.next_message().await;
        assert_eq!(first, json!({ "wall": { "shown": [], "marked": [] } }));
        post(scene, "/api/wall/show", json!({ "camera": "gate" })).await;
        post(scene, "/api/walls/hall/show", json!({ "camera": "gate", "seconds": 20 })).await;
        let told = page.next_message().await["wall"].clone();
        assert_eq!(cameras(&told["shown"]), ["gate"]);
        assert!(told["shown"][0]["seconds"].as_f64().unwrap() <= 20.0, "{told}");
        post(scene, "/api/walls/hall/clear", json!({})).await;
        assert_eq!(page.next_message().await, first);

        // A page that comes in the middle is told at once.
        post(scene, "/api/walls/hall/mark", json!({ "camera": "gate" })).await;
        let mut late = Page::wall(scene).await;
        late.say(json!({ "wall": "hall" })).await;
        assert_eq!(cameras(&late.next_message().await["wall"]["marked"]), ["gate"]);
        late.say(json!({ "wall": "no wall" })).await;
        assert_eq!(late.next_message().await, json!({ "error": "wall must be the name of a wall, or an empty text" }));
    });
}

#[test]
fn page_and_others_hear_which_step_of_its_tour_a_wall_shows() {
    with_walls(async |scene| {
        let mut page = Page::wall(scene).await;
        page.say(json!({ "wall": "hall" })).await;
        assert_eq!(page.next_message().await, json!({ "wall": { "shown": [], "marked": [] } }));
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let cameras = Some(vec![CameraId::new("gate").unwrap()]);
        let place = Some(Place { step: 2, of: 3, until });
        let step = Shown { layout: Some(Layout::Word("1+5")), cameras, place, ..Shown::of(Cause::Tour) };
        scene.web.scenes.set(BTreeMap::from([("hall".to_owned(), step.clone())]));
        let told = page.next_message().await["wall"]["scene"].clone();
        let seconds = told["seconds"].as_f64().unwrap();
        assert!((10.0..=20.0).contains(&seconds), "{told}");
        let mut rest = told.clone();
        rest.as_object_mut().unwrap().remove("seconds");
        assert_eq!(
            rest,
            json!({
                "by": "tour", "wall": null, "screen": "on", "until": null, "until_day": null,
                "layout": "1+5", "cameras": ["gate"], "step": 2, "steps": 3
            })
        );
        let now = state(scene, "/api/walls/hall").await;
        assert_eq!(
            (&now["why"], &now["scene"]["step"], &now["scene"]["by"]),
            (&json!("tour"), &json!(2), &json!("tour"))
        );
        assert_eq!(state(scene, "/api/wall").await["why"], "file");

        // The same again is told to nobody.
        scene.web.scenes.set(BTreeMap::from([("hall".to_owned(), step)]));
        scene.web.scenes.set(BTreeMap::new());
        assert_eq!(page.next_message().await, json!({ "wall": { "shown": [], "marked": [] } }));
    });
}

#[test]
fn screen_that_is_off_is_told_as_meant_and_is_healthy() {
    with_walls(async |scene| {
        let until = Some(Until { minute: 360, weekday: None });
        let off = Shown { is_off: true, until, ..Shown::of(Cause::Timetable) };
        scene.web.scenes.set(BTreeMap::from([("hall".to_owned(), off)]));
        let now = state(scene, "/api/walls/hall").await;
        assert_eq!(
            (&now["why"], &now["scene"]["screen"], &now["scene"]["until"]),
            (&json!("timetable"), &json!("off"), &json!("06:00"))
        );
        let health = state(scene, "/healthz").await;
        assert_eq!((&health["ok"], &health["dark"]), (&json!(true), &json!([{ "wall": "hall", "until": "06:00" }])));
        let told = state(scene, "/api/cameras").await["scenes"].clone();
        assert_eq!((&told[0]["name"], &told[0]["scene"]["screen"]), (&json!("hall"), &json!("off")));
        post(scene, "/api/walls/hall/show", json!({ "camera": "gate" })).await;
        assert_eq!(state(scene, "/api/walls/hall").await["why"], "call_up");
        assert_eq!(state(scene, "/healthz").await["dark"], json!([]), "it is lit");
    });
}
