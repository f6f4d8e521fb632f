//! The camera's own video on the wall socket.

use std::time::Instant;

use async_tungstenite::tungstenite::Message;
use serde_json::{Value, json};

use super::{
    scene::{STREAM, Scene, eventually, in_time, picture, play, stream},
    sockets::{Page, strict},
};
use crate::{
    camera::State,
    hub::Stream,
    media::{AccessUnit, Codec, CodecConfig, Damage, SampleAspect, StreamInfo},
};

/// Flags, sequence number and payload of one binary message, which must be of `format`.
#[derive(Debug, PartialEq)]
struct Unit {
    format: u8,
    flags: u8,
    sequence: u32,
    length: usize,
}

async fn unit(page: &mut Page) -> Unit {
    let Message::Binary(bytes) = page.message().await else { panic!("no unit") };
    assert_eq!((bytes[0], bytes[2]), (1, 0), "version 1, tile 0");
    let sequence = u32::from_le_bytes(bytes[4..8].try_into().unwrap());
    let taken = u64::from_le_bytes(bytes[8..16].try_into().unwrap());
    assert!(bytes[1] == 1 || taken == time(sequence));
    Unit { format: bytes[1], flags: bytes[3], sequence, length: bytes.len() - 16 }
}

async fn sequence(page: &mut Page) -> u32 {
    unit(page).await.sequence
}

fn time(sequence: u32) -> u64 {
    1_700_000_000_000_000 + u64::from(sequence) * 40_000
}

fn publish(stream: &Stream, sequence: u32, key: bool, length: usize) {
    let unit = AccessUnit { sequence, taken: time(sequence), key, damage: None, data: vec![7; length].into() };
    stream.publish_unit(&unit, Instant::now());
}

fn tile(accept: &[&str]) -> Value {
    json!({"show": [{"tile": 0, "camera": "gate", "size": [640, 360], "fps": 5, "accept": accept}]})
}

/// Opens a page that gets the camera's state `live`; returns that message too.
async fn open(scene: &Scene, accept: &[&str]) -> (Page, Value) {
    let mut page = Page::wall(scene).await;
    page.say(tile(accept)).await;
    let state = page.next_message().await;
    assert_eq!(state["state"], "live");
    (page, state)
}

fn go_live(scene: &Scene, stream: StreamInfo) {
    scene.gate.begin_worker(Instant::now());
    scene.gate.set_stream_info(stream);
    publish(&scene.gate, 10, true, 100);
}

#[test]
fn page_that_can_is_sent_the_kept_group_and_every_unit_and_nothing_is_decoded() {
    play(strict, async |scene| {
        go_live(scene, STREAM);
        publish(&scene.gate, 11, false, 20);
        let (mut page, state) = open(scene, &["h265", "h264", "jpeg"]).await;
        assert_eq!((&state["format"], &state["codec"]), (&"h264".into(), &"avc1.64001f".into()));
        assert_eq!(unit(&mut page).await, Unit { format: 2, flags: 1, sequence: 10, length: 100 });
        assert_eq!(unit(&mut page).await, Unit { format: 2, flags: 0, sequence: 11, length: 20 });
        // Nothing was reported as drawn, and more units are sent than the tile's `fps` would allow
        // pictures.
        for sequence in 12..40 {
            publish(&scene.gate, sequence, false, 20);
            assert_eq!(unit(&mut page).await.sequence, sequence);
        }
        assert!(scene.gate.demand().is_empty());
        assert_eq!(scene.gate.status(Instant::now()).untouched, 1);
        page.say(json!({"show": []})).await;
        eventually(|| scene.gate.status(Instant::now()).viewers == 0).await;
    });
}

#[test]
fn h265_is_told_apart() {
    play(strict, async |scene| {
        let codec_config = Some(CodecConfig::H265([1, 0x60, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93]));
        go_live(scene, StreamInfo { codec: Codec::H265, codec_config, ..STREAM });
        let (mut page, state) = open(scene, &["h265", "h264", "jpeg"]).await;
        assert_eq!((&state["format"], &state["codec"]), (&"h265".into(), &"hvc1.1.6.L93.B0".into()));
        assert_eq!(unit(&mut page).await.format, 3);
    });
}

#[test]
fn page_that_cannot_is_sent_jpeg_beside_one_that_can() {
    play(strict, async |scene| {
        go_live(scene, STREAM);
        let (mut can, _) = open(scene, &["h264", "jpeg"]).await;
        let (mut cannot, state) = open(scene, &["h265", "jpeg"]).await;
        assert_eq!((&state["format"], &state["codec"]), (&"jpeg".into(), &"mjpeg".into()));
        assert_eq!(scene.gate.demand().len(), 1);
        scene.publish(10).await;
        assert_eq!(unit(&mut cannot).await, Unit { format: 1, flags: 1, sequence: 10, length: picture(10).len() });
        assert_eq!(unit(&mut can).await.format, 2);
    });
}

#[test]
fn page_whose_decoder_fails_asks_for_jpeg_and_gets_it_and_may_come_back() {
    play(strict, async |scene| {
        go_live(scene, STREAM);
        let (mut page, _) = open(scene, &["h264", "jpeg"]).await;
        assert_eq!(sequence(&mut page).await, 10);
        page.say(tile(&["jpeg"])).await;
        assert_eq!(page.next_message().await["format"], "jpeg");
        eventually(|| !scene.gate.demand().is_empty()).await;
        scene.publish_pictures(10, &picture(10).into());
        assert_eq!(unit(&mut page).await.format, 1);
        assert_eq!(scene.gate.status(Instant::now()).untouched, 0);
        page.say(tile(&["h264", "jpeg"])).await;
        assert_eq!(page.next_message().await["format"], "h264");
        assert_eq!(unit(&mut page).await, Unit { format: 2, flags: 1, sequence: 10, length: 100 });
        eventually(|| scene.gate.demand().is_empty()).await;
    });
}

#[test]
fn camera_may_be_kept_from_passing_its_video_on_while_it_runs() {
    play(strict, async |scene| {
        go_live(scene, STREAM);
        let (mut page, _) = open(scene, &["h264", "jpeg"]).await;
        assert_eq!(sequence(&mut page).await, 10);
        let mut options = scene.gate.options();
        options.passthrough = false;
        scene.gate.retune("Gate".into(), options.clone());
        let state = page.next_message().await;
        assert_eq!((&state["name"], &state["format"]), (&"Gate".into(), &"jpeg".into()));
        eventually(|| !scene.gate.demand().is_empty()).await;
        options.passthrough = true;
        scene.gate.retune("Gate".into(), options);
        assert_eq!(page.next_message().await["format"], "h264");
        assert_eq!(sequence(&mut page).await, 10);
    });
}

#[test]
fn format_of_a_camera_that_was_never_seen_is_open_until_it_is() {
    play(strict, async |scene| {
        let mut page = Page::wall(scene).await;
        page.say(tile(&["h264", "jpeg"])).await;
        let state = page.next_message().await;
        assert_eq!((&state["state"], &state["format"]), (&"connecting".into(), &Value::Null));
        let info = StreamInfo { codec_config: None, ..STREAM };
        scene.gate.begin_worker(Instant::now());
        scene.gate.set_stream_info(info);
        assert_eq!(page.next_message().await["size"], json!([1280, 720]));
        assert!(scene.gate.demand().is_empty(), "nothing is decoded on suspicion");
        scene.gate.set_stream_info(STREAM);
        publish(&scene.gate, 10, true, 100);
        let mut state = page.next_message().await;
        while state["state"] != "live" {
            state = page.next_message().await;
        }
        assert_eq!(state["format"], "h264");
        assert_eq!(sequence(&mut page).await, 10);
    });
}

#[test]
fn page_that_can_show_nothing_is_told_so_and_sent_nothing() {
    play(strict, async |scene| {
        go_live(scene, STREAM);
        let mut page = Page::wall(scene).await;
        page.say(tile(&["h265"])).await;
        assert!(page.next_message().await["error"].as_str().unwrap().contains("accept must hold jpeg"));
        assert_eq!(page.next_message().await["format"], Value::Null);
        publish(&scene.gate, 11, false, 20);
        page.settle().await;
        page.say(tile(&["h265", "h264"])).await;
        assert_eq!(page.next_message().await["format"], "h264");
        assert_eq!(sequence(&mut page).await, 10);
    });
}

#[test]
fn changed_resolution_is_told_before_its_first_key_frame() {
    play(strict, async |scene| {
        go_live(scene, STREAM);
        let (mut page, _) = open(scene, &["h264", "jpeg"]).await;
        assert_eq!(sequence(&mut page).await, 10);
        let size = crate::media::Size { width: 640, height: 360 };
        let stream = StreamInfo { size, codec_config: Some(CodecConfig::H264([0x4d, 0, 0x1e])), ..STREAM };
        scene.gate.set_stream_info(stream);
        publish(&scene.gate, 11, false, 20);
        publish(&scene.gate, 12, true, 100);
        let state = page.next_message().await;
        assert_eq!((&state["codec"], &state["size"]), (&"avc1.4d001e".into(), &json!([640, 360])));
        assert_eq!(sequence(&mut page).await, 12);
        scene.gate.set_stream_info(StreamInfo { codec: Codec::Jpeg, codec_config: None, ..stream });
        assert_eq!(page.next_message().await["format"], "jpeg");
        scene.publish(13).await;
        assert_eq!(unit(&mut page).await.format, 1);
    });
}

#[test]
fn size_counts_samples_and_display_counts_square_pixels() {
    play(strict, async |scene| {
        let size = crate::media::Size { width: 704, height: 576 };
        let stream = StreamInfo { size, sample_aspect: SampleAspect::new(16, 11), ..STREAM };
        go_live(scene, stream);
        let (_, state) = open(scene, &["h264", "jpeg"]).await;
        assert_eq!((&state["size"], &state["display"]), (&json!([704, 576]), &json!([1024, 576])));
        let (_, state) = open(scene, &["jpeg"]).await;
        assert_eq!(
            (&state["size"], &state["display"]),
            (&json!([704, 576]), &json!([1024, 576])),
            "the same for both ways"
        );
    });
}

#[test]
fn nothing_old_is_sent_of_a_camera_that_is_not_live() {
    play(strict, async |scene| {
        go_live(scene, STREAM);
        let (mut page, _) = open(scene, &["h264", "jpeg"]).await;
        assert_eq!(sequence(&mut page).await, 10);
        scene.gate.report(State::Stalled, "no frame for 5.0 s", Instant::now());
        assert_eq!(page.next_message().await["state"], "stalled");
        publish(&scene.gate, 11, false, 20);
        page.say(json!({"show": []})).await;
        page.say(tile(&["h264"])).await;
        assert_eq!(page.next_message().await["state"], "stalled");
        page.settle().await;
        publish(&scene.gate, 12, true, 100);
        assert_eq!(page.next_message().await["state"], "live");
        assert_eq!(sequence(&mut page).await, 12);
    });
}

#[test]
fn page_that_stops_reading_is_not_waited_for_and_goes_on_at_a_key_frame() {
    play(strict, async |scene| {
        scene.hub.replace_streams(vec![stream("porch"), std::sync::Arc::clone(&scene.gate)]);
        go_live(scene, STREAM);
        let (mut slow, _) = open(scene, &["h264"]).await;
        let (mut quick, _) = open(scene, &["h264"]).await;
        assert_eq!((sequence(&mut slow).await, sequence(&mut quick).await), (10, 10));
        // 100 kB each: the kernel's buffers are full long before the end.
        for number in 11..1000 {
            publish(&scene.gate, number, number % 50 == 0, 100_000);
            assert_eq!(in_time(sequence(&mut quick)).await, number);
        }
        assert!(scene.gate.status(Instant::now()).skipped > 50);
        let mut last = 10;
        let mut jumps = 0;
        while last != 999 {
            let Unit { flags, sequence, .. } = unit(&mut slow).await;
            if flags & 2 == 0 {
                assert_eq!(sequence, last + 1, "a gap is never hidden");
            } else {
                assert_eq!((flags & 1, sequence % 50), (1, 0), "after a gap comes a key frame");
                jumps += 1;
            }
            last = sequence;
        }
        assert!(jumps > 0);
    });
}

#[test]
fn damaged_units_are_flagged_and_the_reason_comes_first() {
    play(strict, async |scene| {
        go_live(scene, STREAM);
        let (mut page, state) = open(scene, &["h264", "jpeg"]).await;
        assert_eq!((&state["why"], sequence(&mut page).await), (&"".into(), 10));
        let damage = Some(Damage { lost_permille: Some(12) });
        let unit_of = |sequence, key, damage| AccessUnit {
            sequence,
            taken: time(sequence),
            key,
            damage,
            data: vec![7; 20].into(),
        };
        scene.gate.publish_unit(&unit_of(11, true, damage), Instant::now());
        let state = page.next_message().await;
        assert_eq!(
            (&state["state"], &state["why"]),
            (&"live".into(), &"picture damaged: 1.2 % of packets lost".into())
        );
        assert_eq!(state["reason"][0]["code"], "picture_damaged");
        assert_eq!(state["reason"][0]["params"]["percent"], 1.2);
        assert_eq!(unit(&mut page).await, Unit { format: 2, flags: 1 | 4, sequence: 11, length: 20 });
        let reply = scene.get("/metrics").await.text();
        assert!(reply.contains("cctv_camera_damaged{camera=\"gate\"} 1\n"), "{reply}");
        assert_eq!(
            scene.get("/api/cameras").await.json()["cameras"][0]["why"],
            "picture damaged: 1.2 % of packets lost"
        );
        scene.gate.publish_unit(&unit_of(12, false, None), Instant::now());
        assert_eq!(page.next_message().await["why"], "");
        assert_eq!(unit(&mut page).await, Unit { format: 2, flags: 0, sequence: 12, length: 20 });
        assert!(scene.get("/metrics").await.text().contains("cctv_camera_damaged{camera=\"gate\"} 0\n"));
    });
}
