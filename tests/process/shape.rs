//! A picture has the same shape in every format, also if the camera's samples are not square, and if the
//! configuration cuts or turns it.

use crate::support::wall::Wall;
use crate::support::{Agent, Cameras, MotionJpeg, PATIENCE, burnt_in, jpeg_size, try_burnt_in, wait_for};
use async_tungstenite::{client_async, tungstenite::Message};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;
use smol::{Timer, block_on, future::FutureExt, net::TcpStream, stream::StreamExt};

/// The first picture that the old protocol sends at `target` and that `is_wanted`, joined.
pub fn old_picture(address: &str, target: &str, is_wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    block_on(
        async {
            let stream = TcpStream::connect(address).await.unwrap();
            let (mut socket, _) = client_async(format!("ws://{address}{target}"), stream).await.unwrap();
            let mut url = String::new();
            loop {
                let Message::Text(text) = socket.next().await.unwrap().unwrap() else { continue };
                if text.starts_with("::") {
                    let jpeg =
                        url.strip_prefix("data:image/jpeg;base64,").map(|text| BASE64_STANDARD.decode(text).unwrap());
                    // Cards come before the first picture.
                    if let Some(jpeg) = jpeg.filter(|jpeg| is_wanted(jpeg)) {
                        return jpeg;
                    }
                    url.clear();
                } else {
                    url.push_str(text.splitn(3, '~').nth(2).unwrap());
                }
            }
        }
        .or(async {
            Timer::after(PATIENCE).await;
            panic!("waited in vain for a picture by the old protocol")
        }),
    )
}

/// Asserts that `jpeg` has this size and contains the camera's whole picture, down to its lower
/// edge.
fn has_size(what: &str, jpeg: &[u8], size: (usize, usize)) {
    assert_eq!(jpeg_size(jpeg), size, "{what}");
    burnt_in(jpeg);
}

#[test]
fn analogue_camera_is_as_wide_by_every_way() {
    let cameras = Cameras::start(&[
        "id=gate codec=h264 size=704x576 aspect=16:11 small=352x288",
        "id=porch codec=h265 size=704x576 aspect=16:11 small=none",
        // NTSC: the samples are higher than wide.
        "id=yard codec=h264 size=704x480 aspect=10:11 small=none",
    ]);
    let configuration: String = ["gate", "porch", "yard"]
        .iter()
        .map(|id| format!("[[camera]]\nid = \"{id}\"\n{}", cameras.place(id)))
        .collect();
    let agent = Agent::start(&configuration);
    for (id, coded, whole, small) in [
        ("gate", [704, 576], (1024, 576), (640, 360)),
        ("porch", [704, 576], (1024, 576), (640, 360)),
        ("yard", [704, 480], (704, 528), (480, 360)),
    ] {
        let camera = agent.wait_for_state(id, "live");
        assert_eq!(camera["size"], json!(coded), "what is encoded");
        let jpeg = |target: &str| agent.get(target).unwrap().body;
        has_size("/snapshot", &jpeg(&format!("/snapshot/{id}")), whole);
        has_size("/snapshot?size", &jpeg(&format!("/snapshot/{id}?size=640x360")), small);
        let is_camera = |jpeg: &[u8]| try_burnt_in(jpeg).is_some();
        let live = |target: &str| MotionJpeg::open(&agent.address, target).next_live().jpeg;
        has_size("/live", &live(&format!("/live/{id}")), whole);
        has_size("/live?size", &live(&format!("/live/{id}?size=640x360")), small);
        has_size("/ws/<id>", &old_picture(&agent.address, &format!("/ws/{id}"), is_camera), whole);
        has_size("/ws/<id>?size", &old_picture(&agent.address, &format!("/ws/{id}?size=640x360"), is_camera), small);
        for accept in [&["jpeg"][..], &["h264", "h265", "jpeg"]] {
            let mut wall = Wall::open(&agent.address);
            wall.show_at(id, [1920, 1080], accept);
            let state = wall.state(|state| state["state"] == "live");
            assert_eq!((&state["size"], &state["display"]), (&json!(coded), &json!([whole.0, whole.1])), "{accept:?}");
            let frame = wall.frame();
            if frame.format == 1 {
                has_size("wall socket", &frame.payload, whole);
            }
        }
    }
    agent.wait_for_log(&["gate: live, 704x576 h264", ", shown as 1024x576"]);
}

#[test]
fn sample_aspect_may_change_while_the_stream_goes_on() {
    let cameras = Cameras::start(&["id=gate codec=h264 size=704x576 small=none gop=10"]);
    let agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\n{}", cameras.place("gate")));
    agent.wait_for_state("gate", "live");
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    assert_eq!(jpeg_size(&viewer.next_live().jpeg), (704, 576));
    for (aspect, size) in [
        ("16:11", (1024, 576)),
        ("12:11", (768, 576)),
        // An invalid ratio, treated as square samples.
        ("1:200", (704, 576)),
        ("10:11", (704, 634)),
    ] {
        cameras.fault("gate", &format!("aspect?to={aspect}"));
        let picture = wait_for(&format!("pictures of samples {aspect}"), || {
            let jpeg = viewer.next_live().jpeg;
            (jpeg_size(&jpeg) == size).then_some(jpeg)
        });
        burnt_in(&picture);
    }
    assert_eq!(agent.camera("gate")["reconnects"], 0, "in the same session");
}

#[test]
fn picture_is_cut_and_turned_by_every_way_and_a_reload_touches_no_stream() {
    let cameras =
        Cameras::start(&["id=gate codec=h264 size=704x576 small=none", "id=yard codec=mjpeg size=640x480 small=none"]);
    let camera = |id: &str, keys: &str| format!("[[camera]]\nid = \"{id}\"\n{}{keys}\n", cameras.place(id));
    let keys = "aspect = \"16:9\"\ncrop = [25, 0, 25, 0]\nmirror = true\nrotate = 90\n";
    let agent = Agent::start(&(camera("gate", keys) + &camera("yard", keys)));
    let view = json!({"crop": [0.25, 0.0, 0.5, 1.0], "mirror": true, "turn": 90});
    for (id, coded, whole) in [("gate", [704, 576], (576, 512)), ("yard", [640, 480], (480, 426))] {
        let camera = agent.wait_for_state(id, "live");
        assert_eq!((&camera["size"], &camera["display"]), (&json!(coded), &json!([whole.0, whole.1])), "{id}");
        assert_eq!(jpeg_size(&agent.get(&format!("/snapshot/{id}")).unwrap().body), whole, "{id}: /snapshot");
        let live = MotionJpeg::open(&agent.address, &format!("/live/{id}")).next_live().jpeg;
        assert_eq!(jpeg_size(&live), whole, "{id}: /live");
        let old = old_picture(&agent.address, &format!("/ws/{id}"), |jpeg| jpeg_size(jpeg) == whole);
        assert_eq!(jpeg_size(&old), whole, "{id}: /ws/<id>");
        for accept in [&["jpeg"][..], &["h264", "jpeg"]] {
            let mut wall = Wall::open(&agent.address);
            wall.show_at(id, [1920, 1080], accept);
            let state = wall.state(|state| state["state"] == "live");
            assert_eq!((&state["size"], &state["display"]), (&json!(coded), &json!([whole.0, whole.1])), "{id}");
            let is_untouched = state["format"] == "h264";
            assert_eq!(state["view"], if is_untouched { view.clone() } else { json!(null) }, "{id}");
            assert_eq!(is_untouched, id == "gate" && accept.len() == 2);
            let frame = wall.frame();
            if frame.format == 1 {
                assert_eq!(jpeg_size(&frame.payload), whole, "{id}: wall socket");
            }
        }
    }
    let mut wall = Wall::open(&agent.address);
    wall.show_at("gate", [1920, 1080], &["h264", "jpeg"]);
    wall.state(|state| state["view"] == view);
    let mut viewer = MotionJpeg::open(&agent.address, "/live/yard");
    viewer.next_live();
    agent.reload(&(camera("gate", "") + &camera("yard", "")));
    let state = wall.state(|state| state["view"].is_null());
    assert_eq!(state["display"], json!([704, 576]));
    let picture = wait_for("the camera's own picture", || {
        let jpeg = viewer.next_live().jpeg;
        (jpeg_size(&jpeg) == (640, 480)).then_some(jpeg)
    });
    burnt_in(&picture);
    for id in ["gate", "yard"] {
        assert_eq!(agent.camera(id)["reconnects"], 0, "{id}");
    }
}

#[test]
fn small_stream_is_shown_in_the_shape_of_the_main_one() {
    let cameras = Cameras::start(&["id=gate codec=h264 size=1280x720 small=352x288"]);
    let agent =
        Agent::start(&format!("[[camera]]\nid = \"gate\"\nsmall_profile = \"auto\"\n{}", cameras.place("gate")));
    agent.wait_for_state("gate", "live");
    let mut wall = Wall::open(&agent.address);
    wall.show_at("gate", [320, 180], &["h264", "jpeg"]);
    let state = wall.state(|state| state["state"] == "live" && state["size"] == json!([352, 288]));
    assert_eq!(state["display"], json!([512, 288]));
    assert_eq!(jpeg_size(&agent.get("/snapshot/gate?size=320x180").unwrap().body), (320, 180));
    wall.show_at("gate", [1920, 1080], &["h264", "jpeg"]);
    let state = wall.state(|state| state["state"] == "live" && state["size"] == json!([1280, 720]));
    assert_eq!(state["display"], json!([1280, 720]));
}
