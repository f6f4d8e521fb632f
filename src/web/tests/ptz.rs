//! Cameras that are steered: words, rights, presets, and who is told of it. The test is the camera's task.

use std::{path::Path, sync::Arc, time::Instant};

use serde_json::{Value, json};

use super::{
    call_ups::{post, post_with},
    scene::{NO_FOLDER, Scene, eventually, play},
    sockets::Page,
};
use crate::{
    account::{Account, Credential, Rights, Seen, WithoutLogin, token_hash::TokenHash},
    camera::CameraId,
    ptz::{Destination, Motion, Outcome, Preset, PresetRef, PtzControl},
    text::{Code, Reason},
};

const PTZ: &str = "/api/cameras/gate/ptz";

/// Runs `story` with a camera `gate` that can be steered, and a camera `porch` that cannot.
fn with_ptz(story: impl AsyncFnOnce(&Scene, Arc<PtzControl>)) {
    play(
        |_| {},
        async |scene| {
            let control = scene.web.ptz.add(&CameraId::new("gate").unwrap());
            story(scene, control).await;
        },
    );
}

async fn get(scene: &Scene, path: &str) -> Value {
    let mut client = scene.connect().await;
    client.send(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", scene.address)).await;
    let reply = client.reply(false).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    serde_json::from_slice(&reply.body).unwrap()
}

fn motion(control: &PtzControl) -> Option<Motion> {
    control.motion(Instant::now()).map(|(motion, _)| motion)
}

#[test]
fn word_moves_the_camera_and_the_answer_says_who_steers() {
    with_ptz(async |scene, control| {
        let reply = post(scene, PTZ, json!({ "pan": -0.5, "zoom": 1 })).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        // On a busy machine the half second may be over.
        let wanted = Motion { pan: -0.5, tilt: 0.0, zoom: 1.0 };
        assert!(motion(&control).is_none_or(|motion| motion == wanted));
        let told: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!((&told["by"], &told["own"], &told["error"]), (&json!("127.0.0.1"), &json!(true), &Value::Null));
        control.report(true, Some(Reason::from(Code::NotMoved)));
        let told: Value = serde_json::from_slice(&post(scene, PTZ, json!({ "stop": true })).await.body).unwrap();
        assert_eq!((&told["moving"], &told["error"]), (&json!(true), &json!("the camera was not moved")));
        assert_eq!(told["reason"][0]["code"], "not_moved");
        assert!(control.take_asked().stop && motion(&control).is_none());
    });
}

#[test]
fn wrong_words_and_other_cameras_are_refused() {
    with_ptz(async |scene, control| {
        for (path, body, status, words) in [
            (PTZ, r#"{"pan":2}"#, 400, "from -1 to 1"),
            (PTZ, "", 400, "must be one of"),
            ("/api/cameras/porch/ptz", r#"{"pan":1}"#, 409, "no ptz = true"),
            ("/api/cameras/vault/ptz", r#"{"pan":1}"#, 404, "there is no camera with this name"),
        ] {
            let reply = post_with(scene, path, body, &[]).await;
            assert!(reply.status == status && reply.text().contains(words), "{path} {body}: {}", reply.text());
        }
        let foreign = ["Origin: http://evil.example"];
        assert_eq!(post_with(scene, PTZ, r#"{"pan":1}"#, &foreign).await.status, 403);
        assert_eq!((motion(&control), control.state(Instant::now()).by), (None, None));
    });
}

#[test]
fn goto_is_answered_with_what_became_of_it() {
    with_ptz(async |scene, control| {
        let numbered =
            |names: &[&str]| Preset::numbered(names.iter().map(|name| ((*name).into(), (*name).into())).collect());
        let answer = async |outcome: Outcome| {
            let mut found = None;
            eventually(|| {
                found = control.take_asked().goto.or(found.take());
                found.is_some()
            })
            .await;
            let (number, goto) = found.unwrap();
            control.report_outcome(number, outcome);
            goto
        };
        let both = |body: Value, outcome: Outcome| smol::future::zip(post(scene, PTZ, body), answer(outcome));
        let (reply, goto) = both(json!({ "home": true }), Outcome::Done).await;
        assert_eq!((reply.status, goto), (200, Destination::Home));
        control.report_presets(Some(numbered(&["Door", "Yard"])), Instant::now());
        let (reply, goto) = both(json!({ "preset": "Dor" }), Outcome::NoSuchPreset).await;
        assert_eq!(goto, Destination::Preset(PresetRef::Name("Dor".into())));
        assert!(reply.status == 404 && reply.text().contains("there are Door (1), Yard (2)"), "{}", reply.text());
        let (reply, goto) = both(json!({ "preset": 2 }), Outcome::Failed(Code::NotMoved.into())).await;
        assert_eq!((reply.status, goto), (502, Destination::Preset(PresetRef::Number(2))));
        let (reply, _) = both(json!({ "home": true }), Outcome::Replaced).await;
        assert_eq!(reply.status, 409);
    });
}

#[test]
fn presets_are_asked_for_once_and_told_with_their_numbers() {
    with_ptz(async |scene, control| {
        let answer = async {
            eventually(|| control.take_asked().presets).await;
            let presets = vec![("3".into(), "Door".into()), ("7".into(), "門".into())];
            control.report_presets(Some(Preset::numbered(presets)), Instant::now());
        };
        let (told, ()) = smol::future::zip(get(scene, PTZ), answer).await;
        let door = json!({ "number": 3, "name": "Door", "token": "3" });
        assert_eq!(told["presets"], json!([door, { "number": 7, "name": "門", "token": "7" }]));
        assert_eq!(get(scene, PTZ).await["presets"][0], door);
        assert!(!control.take_asked().presets);
    });
}

#[test]
fn only_who_may_steers_and_one_person_at_a_time() {
    with_ptz(async |scene, control| {
        let account = |name: &str, rights: Rights, cameras: Seen| Account {
            name: name.to_owned(),
            rights,
            cameras,
            credential: Credential::Token(TokenHash::of(name)),
        };
        let may = Rights { ptz: true, ..Rights::WATCH };
        let accounts = vec![
            account("viewer", Rights::WATCH, Seen::All),
            account("guard", may, Seen::All),
            account("chief", may, Seen::All),
            account("porter", may, Seen::Only(["porch".to_owned()].into())),
        ];
        scene.web.users.set(accounts, WithoutLogin::Nobody, Path::new(NO_FOLDER));
        let steer = async |token: &str| {
            let login = format!("Authorization: Bearer {token}");
            let reply = post_with(scene, PTZ, r#"{"tilt":1}"#, &[&login]).await;
            (reply.status, reply.text())
        };
        assert_eq!((steer("nobody").await.0, steer("viewer").await.0, steer("porter").await.0), (401, 403, 404));
        assert_eq!(steer("guard").await.0, 200);
        let (status, words) = steer("chief").await;
        assert!(status == 409 && words.contains("guard steers this camera"), "{words}");
        assert_eq!(control.state(Instant::now()).by.map(|by| by.name()), Some("guard".into()));
        let cameras = async |token: &str| {
            let mut client = scene.connect().await;
            let host = scene.address;
            client
                .send(&format!("GET /api/cameras HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"))
                .await;
            let told: Value = serde_json::from_slice(&client.reply(false).await.body).unwrap();
            let of = |camera: &Value| (camera["ptz"].as_bool().unwrap(), camera["may_steer"].as_bool().unwrap());
            told["cameras"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(cameras("viewer").await, [(true, false), (false, false)]);
        assert_eq!(cameras("guard").await, [(true, true), (false, false)]);
    });
}

#[test]
fn page_that_shows_the_camera_is_told_who_steers_it() {
    with_ptz(async |scene, _control| {
        let show = |camera: &str| json!({ "show": [{ "tile": 0, "camera": camera }] });
        let told = json!({ "ptz": { "camera": "gate", "by": "127.0.0.1", "own": true } });
        let next_ptz = async |page: &mut Page| {
            loop {
                let message = page.next_message().await;
                if message.get("ptz").is_some() {
                    return message;
                }
            }
        };
        let (mut page, mut other) = (Page::wall(scene).await, Page::wall(scene).await);
        page.say(show("gate")).await;
        other.say(show("porch")).await;
        assert_eq!(page.next_message().await["camera"], "gate");
        assert_eq!(other.next_message().await["camera"], "porch");
        post(scene, PTZ, json!({ "pan": 1 })).await;
        assert_eq!(next_ptz(&mut page).await, told);
        // One that comes in the middle, and nobody else.
        other.settle().await;
        let mut late = Page::wall(scene).await;
        late.say(show("gate")).await;
        assert_eq!(next_ptz(&mut late).await, told);
        scene.web.ptz.remove(&CameraId::new("gate").unwrap());
        assert_eq!(next_ptz(&mut page).await["ptz"]["by"], Value::Null);
    });
}
