use smol::future::{block_on, poll_once};

use super::*;
use crate::{
    camera::StreamOptions,
    hub::{Reception, UnitEvent, UnitView, View, ViewEvent, ViewerOrigin},
    media::{
        AccessUnit, Codec, CodecConfig, Damage, Picture, RenditionRequest, SampleAspect, Size, StreamInfo, UnixMicros,
        WantedRendition, transform::Transform,
    },
};

const FULL_HD: Size = Size { width: 1920, height: 1080 };

fn stream() -> Arc<Stream> {
    let options = StreamOptions::default();
    Arc::new(Stream::new(CameraId::new("gate").unwrap(), "Gate".into(), options, Instant::now()))
}

/// A camera with both streams. Neither is live; the main stream is idle.
fn scene() -> (Arc<Channel>, Arc<Stream>, Arc<Stream>) {
    let (main, small) = (stream(), stream());
    let channel = Channel::of(Arc::clone(&main));
    channel.set_small(Some(Arc::clone(&small)));
    main.rest(Condition { state: State::Connecting, why: "not open".into() }, Instant::now());
    (channel, main, small)
}

fn go_live(stream: &Stream, size: Size) {
    stream.begin_worker(Instant::now());
    let codec_config = Some(CodecConfig::H264([0x64, 0, 0x1f]));
    stream.set_stream_info(StreamInfo {
        codec: Codec::H264,
        codec_config,
        size,
        sample_aspect: SampleAspect::SQUARE,
        transform: Transform::NONE,
        fps: 25.0,
    });
    unit(stream, 1, true, 0);
}

fn unit(stream: &Stream, sequence: u32, key: bool, taken: UnixMicros) {
    stream.publish_unit(&AccessUnit { sequence, taken, key, damage: None, data: vec![0; 100].into() }, Instant::now());
}

fn publish(stream: &Stream, taken: UnixMicros) {
    for WantedRendition { rendition, .. } in stream.demand() {
        let picture = Picture { rendition, sequence: 1, taken, jpeg: vec![0].into() };
        stream.publish_picture(picture, Instant::now());
    }
}

fn rendition_request(width: u32, height: u32) -> RenditionRequest {
    RenditionRequest { size: Some(Size { width, height }), quality: None, fps: None }
}

/// What the viewer has been shown so far: the times of pictures, and the states between them.
fn shown(view: &mut View) -> Vec<String> {
    let mut shown = Vec::new();
    while let Some(next) = block_on(poll_once(view.next())) {
        match next {
            ViewEvent::Picture(picture) => shown.push(format!("{} of {}", picture.taken, picture.rendition.size.width)),
            ViewEvent::StateChange(condition) => shown.push(condition.state.as_str().to_owned()),
            ViewEvent::Closed => {
                shown.push("closed".to_owned());
                break;
            }
        }
    }
    shown
}

#[test]
fn stream_suits_by_the_size_it_is_seen_at() {
    let (channel, main, small) = scene();
    let stretched = |stream: &Stream, width, height| {
        go_live(stream, Size { width, height });
        let info = stream.info().unwrap();
        stream.set_stream_info(StreamInfo { sample_aspect: SampleAspect::new(16, 11), ..info });
    };
    stretched(&main, 704, 576);
    stretched(&small, 352, 288);
    // 512x288 with square pixels, not 352x288.
    assert!(Arc::ptr_eq(&channel.stream_for(rendition_request(512, 288)), &small));
    assert!(Arc::ptr_eq(&channel.stream_for(rendition_request(640, 360)), &main));
}

#[test]
fn small_stream_takes_the_shape_of_the_main_one_as_soon_as_that_is_known() {
    let (_channel, main, small) = scene();
    let shape = || small.info().unwrap().display_size();
    go_live(&small, Size { width: 352, height: 288 });
    assert_eq!(shape(), Size { width: 352, height: 288 });
    small.expect_main_size(Size { width: 1440, height: 1080 });
    assert_eq!(shape(), Size { width: 384, height: 288 });
    go_live(&main, FULL_HD);
    assert_eq!(shape(), Size { width: 512, height: 288 });
    small.expect_main_size(Size { width: 1440, height: 1080 });
    assert_eq!(shape(), Size { width: 512, height: 288 }, "the stream itself knows better");
}

#[test]
fn new_small_stream_has_the_shape_of_the_main_one_from_the_start() {
    let (channel, main, _) = scene();
    go_live(&main, FULL_HD);
    let small = Arc::new(Stream::new(channel.id().clone(), "Gate".into(), StreamOptions::default(), Instant::now()));
    channel.set_small(Some(Arc::clone(&small)));
    go_live(&small, Size { width: 352, height: 288 });
    assert_eq!(small.info().unwrap().display_size(), Size { width: 512, height: 288 });
}

#[test]
fn growing_viewer_is_shown_the_small_stream_until_the_main_one_has_a_newer_picture() {
    let (channel, main, small) = scene();
    go_live(&small, Size { width: 640, height: 360 });
    let mut view = channel.subscribe(rendition_request(640, 360), ViewerOrigin::Own).unwrap();
    publish(&small, 10);
    assert_eq!(shown(&mut view), ["live", "10 of 640"]);
    assert!(!channel.needs_main(Instant::now()));
    view.change(rendition_request(1920, 1080)).unwrap();
    assert!(channel.needs_main(Instant::now()));
    publish(&small, 20);
    assert_eq!(shown(&mut view), ["20 of 640"]);
    publish(&small, 3_000_020);
    assert_eq!(shown(&mut view), ["3000020 of 640"]);
    go_live(&main, FULL_HD);
    publish(&main, 15);
    publish(&small, 3_000_030);
    assert_eq!(shown(&mut view), ["3000030 of 640"], "an older one never follows a newer one");
    publish(&main, 3_000_040);
    assert_eq!(shown(&mut view), ["live", "3000040 of 1920"]);
    publish(&small, 3_000_050);
    assert_eq!((shown(&mut view), small.status(Instant::now()).viewers), (vec![], 0));
    view.change(rendition_request(640, 360)).unwrap();
    publish(&main, 3_000_060);
    assert_eq!(shown(&mut view), ["3000060 of 640"]);
    publish(&small, 3_000_070);
    assert_eq!(shown(&mut view), ["live", "3000070 of 640"]);
    assert!(!channel.needs_main(Instant::now()));
}

/// Both streams are live. The view was shown 0.08 s of the small stream and then grew; the main
/// stream has a picture from before that.
fn grown_tile_whose_main_stream_is_behind() -> (Arc<Stream>, Arc<Stream>, View) {
    let (channel, main, small) = scene();
    go_live(&small, Size { width: 640, height: 360 });
    go_live(&main, FULL_HD);
    let mut view = channel.subscribe(rendition_request(640, 360), ViewerOrigin::Own).unwrap();
    publish(&small, 80_000);
    assert_eq!(shown(&mut view), ["live", "80000 of 640"]);
    view.change(rendition_request(1920, 1080)).unwrap();
    publish(&main, 40_000);
    (main, small, view)
}

#[test]
fn stream_that_is_always_a_little_behind_is_waited_for() {
    let (main, small, mut view) = grown_tile_whose_main_stream_is_behind();
    assert_eq!(shown(&mut view), [""; 0]);
    publish(&small, 120_000);
    publish(&main, 80_000);
    assert_eq!(shown(&mut view), [""; 0], "the picture stands");
    publish(&small, 160_000);
    publish(&main, 120_000);
    assert_eq!(shown(&mut view), ["live", "120000 of 1920"]);
}

#[test]
fn stream_that_does_not_catch_up_is_not_waited_for() {
    let (_main, small, mut view) = grown_tile_whose_main_stream_is_behind();
    publish(&small, 1_040_000);
    assert_eq!(shown(&mut view), [""; 0]);
    publish(&small, 1_120_000);
    assert_eq!(shown(&mut view), ["1120000 of 640"]);
}

#[test]
fn failure_is_told_before_the_other_stream_stands_in_and_ends_when_it_is_back() {
    let (channel, main, small) = scene();
    go_live(&small, Size { width: 640, height: 360 });
    let mut view = channel.subscribe(rendition_request(640, 360), ViewerOrigin::Own).unwrap();
    publish(&small, 10);
    shown(&mut view);
    let start = Instant::now();
    small.report(State::Stalled, "silent", start);
    assert_eq!(shown(&mut view), ["stalled"]);
    assert!(!channel.needs_main(start) && channel.needs_main(start + STAND_IN_AFTER), "a blink opens nothing");
    go_live(&main, FULL_HD);
    assert_eq!(shown(&mut view), [""; 0], "live is who has a picture");
    publish(&main, 20);
    assert_eq!(shown(&mut view), ["live", "20 of 640"]);
    let status = channel.status(Instant::now());
    assert_eq!(status.condition.why, "the main stream stands in for the small one, which is stalled");
    assert_eq!((status.viewers, status.stalls), (1, 1));
    small.report(State::Denied, "wrong password", Instant::now());
    assert!(!channel.needs_main(Instant::now()), "it would count as another attempt");
    go_live(&small, Size { width: 640, height: 360 });
    publish(&small, 30);
    assert_eq!(shown(&mut view), ["live", "30 of 640"]);
}

#[test]
fn untouched_video_changes_over_at_a_key_frame_and_not_before() {
    let (channel, main, small) = scene();
    go_live(&small, Size { width: 640, height: 360 });
    let mut view = channel.subscribe_units(rendition_request(640, 360));
    let take = |view: &mut UnitView| {
        let mut taken = Vec::new();
        while let Some(delivery) = view.take() {
            match delivery {
                UnitEvent::Unit(unit) => taken.push(unit.unit.taken.to_string()),
                UnitEvent::StateChange(condition) => taken.push(condition.state.as_str().to_owned()),
                UnitEvent::Closed => {
                    taken.push("closed".to_owned());
                    break;
                }
            }
        }
        taken
    };
    assert_eq!(take(&mut view), ["live", "0"]);
    go_live(&main, FULL_HD);
    view.change(rendition_request(1920, 1080));
    unit(&small, 2, false, 10);
    unit(&main, 2, false, 11);
    assert_eq!(take(&mut view), ["10"], "what lies before the key frame is not shown");
    unit(&small, 3, false, 200_021);
    assert_eq!(take(&mut view), ["200021"]);
    unit(&main, 3, true, 20);
    assert_eq!(take(&mut view), [""; 0], "it is too old");
    unit(&main, 4, true, 21);
    unit(&main, 5, false, 200_030);
    unit(&small, 4, false, 200_031);
    assert_eq!(take(&mut view), ["live", "21", "200030"], "overtaken on the way here");
    channel.set_small(None);
    channel.close();
    assert_eq!(take(&mut view), ["closed"]);
}

#[test]
fn viewers_of_a_small_stream_that_is_no_longer_configured_go_on_with_the_main_one() {
    let (channel, main, small) = scene();
    go_live(&small, Size { width: 640, height: 360 });
    go_live(&main, FULL_HD);
    let mut view = channel.subscribe(rendition_request(640, 360), ViewerOrigin::Own).unwrap();
    publish(&small, 10);
    shown(&mut view);
    channel.set_small(None);
    assert_eq!(shown(&mut view), ["live"]);
    publish(&main, 20);
    assert_eq!(shown(&mut view), ["20 of 640"]);
    channel.close();
    assert_eq!(shown(&mut view), ["closed"]);
}

#[test]
fn packets_of_both_streams_are_added_and_the_clock_is_the_cameras() {
    let (channel, main, small) = scene();
    let received = Reception { packets: 100, lost: 3, late: 1, foreign: 2, resyncs: 1, ..Reception::default() };
    small.set_reception(received);
    assert_eq!(channel.status(Instant::now()).reception, Some(received));
    let jitter = std::time::Duration::from_millis(4);
    main.set_reception(Reception {
        packets: 7,
        damaged_units: 5,
        jitter,
        camera_clock: Some(-80),
        ..Reception::default()
    });
    let whole = channel.status(Instant::now());
    let expected = Reception { packets: 107, damaged_units: 5, jitter, camera_clock: Some(-80), ..received };
    assert_eq!(whole.reception, Some(expected));
    let each: Vec<_> = whole.profiles.iter().map(|profile| profile.status.reception.unwrap().packets).collect();
    assert_eq!(each, [7, 100]);
}

#[test]
fn stream_that_stands_in_with_damaged_pictures_says_both() {
    let (channel, main, small) = scene();
    go_live(&main, FULL_HD);
    go_live(&small, Size { width: 640, height: 360 });
    let mut view = channel.subscribe(rendition_request(1920, 1080), ViewerOrigin::Own).unwrap();
    main.report(State::Stalled, "silent", Instant::now());
    let damage = Some(Damage { lost_permille: Some(12) });
    let unit = AccessUnit { sequence: 2, taken: 1, key: true, damage, data: vec![0; 100].into() };
    small.publish_unit(&unit, Instant::now());
    let mut last = None;
    for _ in 0..100 {
        publish(&small, 2);
        while let Some(event) = block_on(poll_once(view.next())) {
            if let ViewEvent::StateChange(condition) = event {
                last = Some(condition);
            }
        }
    }
    let condition = last.unwrap();
    let expected =
        "picture damaged: 1.2 % of packets lost; the small stream stands in for the main one, which is stalled";
    assert_eq!((condition.state, &*condition.why), (State::Live, expected));
    assert!(condition.is_damaged());
    assert!(channel.status(Instant::now()).condition.is_damaged(), "the camera as a whole, too");
}
