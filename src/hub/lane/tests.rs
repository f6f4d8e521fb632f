use smol::future::{FutureExt, block_on};

use super::*;
use crate::{
    hub::{
        seat::{Seat, Shown},
        unit_seat::{Delivery, UnitSeat},
    },
    media::{AccessUnit, Codec, CodecConfig, SampleAspect},
};

const STREAM: StreamInfo = StreamInfo {
    codec: Codec::H264,
    codec_config: Some(CodecConfig::H264([0x64, 0, 0x1f])),
    size: Size { width: 1280, height: 720 },
    sample_aspect: SampleAspect::SQUARE,
    fps: 25.0,
};
const ANY: RenditionRequest = RenditionRequest { size: None, quality: None, fps: None };
const SMALL: RenditionRequest =
    RenditionRequest { size: Some(Size { width: 320, height: 180 }), quality: None, fps: None };

struct Scene {
    lane: Arc<Lane>,
    start: Instant,
}

impl Scene {
    fn connecting() -> Self {
        let options =
            StreamOptions { quality: 80, max_fps: 25, passthrough: true, stall_after: Duration::from_secs(5) };
        let start = Instant::now();
        let id = CameraId::new("gate").unwrap();
        Self { lane: Arc::new(Lane::new(id, "Gate".into(), options, start)), start }
    }

    fn live() -> Self {
        let scene = Self::connecting();
        let first = scene.lane.begin_worker(scene.start);
        scene.lane.describe_stream(STREAM);
        scene.unit(first, true, 0);
        scene
    }

    fn at(&self, milliseconds: u64) -> Instant {
        self.start + Duration::from_millis(milliseconds)
    }

    fn unit(&self, sequence: u32, key: bool, milliseconds: u64) -> bool {
        let unit = AccessUnit { sequence, taken: 0, key, data: vec![0; 100].into() };
        self.lane.publish_unit(&unit, self.at(milliseconds))
    }

    fn picture(&self, rendition_request: RenditionRequest, sequence: u32, milliseconds: u64) {
        let rendition = self.lane.inner().rendition(rendition_request);
        let picture = Picture { rendition, sequence, taken: 0, jpeg: vec![1].into() };
        self.lane.publish_picture(picture, self.at(milliseconds));
    }
}

/// What the seat shows without waiting; `None` where it would have to wait.
fn now(seat: &mut Seat) -> Option<Shown> {
    block_on(async { Some(seat.next().await) }.or(async { None }))
}

fn state(seat: &mut Seat) -> Option<State> {
    match now(seat) {
        Some(Shown::News(standing)) => Some(standing.state),
        _ => None,
    }
}

fn sequence(seat: &mut Seat) -> Option<u32> {
    match now(seat) {
        Some(Shown::Picture(picture)) => Some(picture.sequence),
        _ => None,
    }
}

#[test]
fn camera_is_live_from_its_first_key_frame() {
    let scene = Scene::connecting();
    scene.lane.begin_worker(scene.start);
    assert!(!scene.unit(1, false, 0));
    assert_eq!(scene.lane.standing().state, State::Connecting);
    assert!(scene.unit(2, true, 40));
    assert_eq!(scene.lane.standing().state, State::Live);
    assert!(!scene.unit(3, true, 80), "it goes live only once");
}

#[test]
fn viewer_that_does_not_read_finds_only_the_newest_picture() {
    let scene = Scene::live();
    let mut seat = scene.lane.sit(ANY).unwrap();
    assert_eq!(state(&mut seat), Some(State::Live));
    for sequence in 1..=10 {
        scene.picture(ANY, sequence, 40);
    }
    assert_eq!(sequence(&mut seat), Some(10));
    assert!(now(&mut seat).is_none());
    assert_eq!(seat.skipped(), 9);
    seat.note_skipped();
    assert_eq!((seat.skipped(), scene.lane.status(scene.at(40)).skipped), (10, 10));
}

#[test]
fn unread_picture_is_withdrawn_when_the_camera_stalls() {
    let scene = Scene::live();
    let mut seat = scene.lane.sit(ANY).unwrap();
    assert_eq!(state(&mut seat), Some(State::Live));
    scene.picture(ANY, 1, 40);
    scene.lane.report(State::Stalled, "no frame for 5.0 s", scene.at(5000));
    assert_eq!(state(&mut seat), Some(State::Stalled));
    assert!(now(&mut seat).is_none(), "the old picture must not follow the news");
    scene.picture(ANY, 2, 5040);
    assert!(now(&mut seat).is_none(), "nor a late one of the same worker");
}

#[test]
fn picture_from_before_a_stall_is_not_found_after_it() {
    let scene = Scene::live();
    let mut seat = scene.lane.sit(ANY).unwrap();
    assert_eq!(state(&mut seat), Some(State::Live));
    scene.picture(ANY, 1, 40);
    scene.lane.report(State::Stalled, "no frame for 5.0 s", scene.at(5000));
    scene.unit(2, true, 6000);
    scene.unit(3, false, 6040);
    assert_eq!(state(&mut seat), Some(State::Live), "it slept through the stall");
    assert!(now(&mut seat).is_none(), "and must not wake up to the old picture");
}

#[test]
fn second_viewer_of_a_rendition_gets_its_picture_at_once_and_adds_no_encode() {
    let scene = Scene::live();
    let _first = scene.lane.sit(SMALL).unwrap();
    scene.picture(SMALL, 1, 40);
    let demand = scene.lane.demand();
    let mut second = scene.lane.sit(SMALL).unwrap();
    assert_eq!(state(&mut second), Some(State::Live));
    assert_eq!(sequence(&mut second), Some(1));
    assert_eq!(scene.lane.demand(), demand);
    assert_eq!(demand.len(), 1);
}

#[test]
fn demand_ends_with_the_last_viewer() {
    let scene = Scene::live();
    let bell = scene.lane.demand_changes();
    let (one, two) = (scene.lane.sit(ANY).unwrap(), scene.lane.sit(SMALL).unwrap());
    assert!(bell.try_recv().is_ok());
    assert_eq!(scene.lane.demand().len(), 2);
    drop(one);
    assert_eq!(scene.lane.demand().len(), 1);
    drop(two);
    assert!(scene.lane.demand().is_empty());
    assert!(bell.try_recv().is_ok());
}

#[test]
fn wishes_wait_for_the_stream_before_they_become_demand() {
    let scene = Scene::connecting();
    let _seat = scene.lane.sit(SMALL).unwrap();
    assert!(scene.lane.demand().is_empty());
    scene.lane.describe_stream(STREAM);
    assert_eq!(scene.lane.demand()[0].size, Size { width: 320, height: 180 });
}

/// 704x576 of an analogue camera, to be seen as 16:9.
const STRETCHED: StreamInfo =
    StreamInfo { size: Size { width: 704, height: 576 }, sample_aspect: SampleAspect::SQUARE, ..STREAM };

#[test]
fn sample_aspect_gives_every_rendition_its_shape() {
    let scene = Scene::connecting();
    let _seats = (scene.lane.sit(SMALL).unwrap(), scene.lane.sit(ANY).unwrap());
    let sizes = |aspect| {
        scene.lane.describe_stream(StreamInfo { sample_aspect: aspect, ..STRETCHED });
        scene.lane.demand().iter().map(|rendition| (rendition.size.width, rendition.size.height)).collect::<Vec<_>>()
    };
    assert_eq!(sizes(SampleAspect::new(16, 11)), [(320, 180), (1024, 576)]);
    assert_eq!(sizes(SampleAspect::new(12, 11)), [(240, 180), (768, 576)], "it may change at any time");
    assert_eq!(sizes(SampleAspect::SQUARE), [(220, 180), (704, 576)]);
}

#[test]
fn picture_of_a_frame_from_before_another_shape_is_not_shown() {
    let scene = Scene::live();
    let wide = |aspect| scene.lane.describe_stream(StreamInfo { sample_aspect: aspect, ..STRETCHED });
    wide(SampleAspect::new(16, 11));
    assert!(!scene.unit(2, true, 40));
    let mut seat = scene.lane.sit(ANY).unwrap();
    assert_eq!(state(&mut seat), Some(State::Live));
    scene.picture(ANY, 2, 50);
    assert_eq!(sequence(&mut seat), Some(2));
    wide(SampleAspect::new(12, 11));
    scene.unit(3, true, 80);
    assert_eq!(state(&mut seat), Some(State::Live));
    // The worker makes the new size already, of a frame that has the old shape.
    scene.picture(ANY, 2, 90);
    assert!(now(&mut seat).is_none());
    scene.picture(ANY, 3, 100);
    assert_eq!(sequence(&mut seat), Some(3));
}

#[test]
fn changed_wish_replaces_the_old_rendition() {
    let scene = Scene::live();
    let seat = scene.lane.sit(SMALL).unwrap();
    seat.change(ANY).unwrap();
    let sizes: Vec<_> = scene.lane.demand().iter().map(|rendition| rendition.size).collect();
    assert_eq!(sizes, [STREAM.size]);
}

#[test]
fn one_rendition_too_many_is_refused_and_disturbs_nobody() {
    let scene = Scene::live();
    let quality = |quality| RenditionRequest { quality: Some(quality), ..SMALL };
    let seats: Vec<_> = (1..=16).map(|q| scene.lane.sit(quality(q)).unwrap()).collect();
    assert_eq!(scene.lane.sit(quality(17)).err(), Some(TooManyRenditions { most: 16 }));
    assert_eq!(seats[0].change(quality(16)), Ok(()));
    assert!(scene.lane.sit(quality(17)).is_ok());
    assert_eq!(scene.lane.status(scene.at(0)).refused, 1);
}

#[test]
fn lower_bound_takes_nothing_from_those_who_watch() {
    let scene = Scene::live();
    let quality = |quality| RenditionRequest { quality: Some(quality), ..SMALL };
    let _seats: Vec<_> = (1..=3).map(|q| scene.lane.sit(quality(q)).unwrap()).collect();
    scene.lane.allow_renditions(1);
    assert_eq!(scene.lane.demand().len(), 3);
    assert_eq!(scene.lane.sit(quality(4)).err(), Some(TooManyRenditions { most: 1 }));
    assert!(scene.lane.sit(quality(3)).is_ok(), "what is encoded anyway may be watched by more");
    scene.lane.describe_stream(STREAM);
    assert_eq!(scene.lane.demand().len(), 3);
}

#[test]
fn share_of_the_worker_is_that_of_the_last_seconds() {
    let scene = Scene::live();
    let vitals = |pid, millis| WorkerVitals { pid, cpu: Duration::from_millis(millis), resident: 0, own: 0 };
    let share = || scene.lane.status(scene.at(0)).worker_share;
    scene.lane.set_vitals(vitals(1, 60_000), scene.at(0));
    assert_eq!(share(), None);
    scene.lane.set_vitals(vitals(1, 60_500), scene.at(2000));
    assert_eq!(share(), Some(0.25));
    scene.lane.set_vitals(vitals(2, 100), scene.at(4000));
    assert_eq!(share(), Some(0.25), "of another worker nothing is known yet");
    scene.lane.end_worker();
    assert_eq!(share(), None);
}

#[test]
fn silence_of_a_live_stream_is_overdue_after_the_limit() {
    let scene = Scene::live();
    scene.unit(2, false, 1000);
    scene.unit(3, false, 1040);
    assert_eq!(scene.lane.overdue(scene.at(5999)), None);
    assert_eq!(scene.lane.overdue(scene.at(6000)).unwrap().why, "no frame for 5.0 s");
    assert_eq!(scene.lane.due(), Some(scene.at(6000)), "FFmpeg may have had the last one since 1000 ms");
}

#[test]
fn key_frame_that_may_be_old_makes_no_camera_live_and_what_follows_it_does() {
    let scene = Scene::connecting();
    let first = scene.lane.begin_worker(scene.start);
    scene.lane.describe_stream(STREAM);
    let mut untouched = scene.lane.sit_for_units();
    assert!(!scene.unit(first, true, 4500), "FFmpeg may have had it all the time");
    assert_eq!(scene.lane.standing().state, State::Connecting);
    assert!(scene.unit(first + 1, false, 4540), "this one it had not");
    assert_eq!(deliveries(&mut untouched), ["live", "1", "2"], "with what it needs to be decoded");
}

#[test]
fn camera_with_a_frame_every_few_seconds_is_never_live_and_told_why() {
    let scene = Scene::live();
    scene.unit(2, true, 40);
    scene.unit(3, true, 4040);
    let why = scene.lane.overdue(scene.at(5040)).unwrap().why;
    assert_eq!(why, "only one frame in 4.0 s arrives; stall_after is 5.0 s and must be at least twice as long");
    assert_eq!(scene.lane.overdue(scene.at(5039)), None, "the one from 40 ms is shown until then");
    scene.lane.report(State::Stalled, why, scene.at(5040));
    scene.lane.end_worker();
    let first = scene.lane.begin_worker(scene.at(6000));
    for (number, at) in (first..).zip([8600, 12_600]) {
        assert!(!scene.unit(number, true, at));
        assert_eq!(scene.lane.overdue(scene.at(at)), None);
    }
    let lack = scene.lane.overdue(scene.at(13_600)).unwrap();
    assert!(lack.state == State::Offline && lack.why.starts_with("only one frame in 4.0 s"), "{lack:?}");
}

#[test]
fn frame_every_two_seconds_is_live_and_so_is_a_slow_jpeg_camera() {
    for (codec, every) in [(Codec::H264, 2000), (Codec::Jpeg, 4900)] {
        let scene = Scene::live();
        scene.lane.describe_stream(StreamInfo { codec, ..STREAM });
        for number in 2..20_u32 {
            scene.unit(number, true, every * u64::from(number - 1));
            assert_eq!(scene.lane.overdue(scene.at(every * u64::from(number))), None, "{codec:?} {number}");
        }
    }
}

#[test]
fn picture_of_a_frame_that_lay_in_ffmpeg_gives_the_decoder_no_more_time() {
    let scene = Scene::live();
    let mut seat = scene.lane.sit(ANY).unwrap();
    assert_eq!(state(&mut seat), Some(State::Live));
    // Rubbish follows, and only after 2 s something that looks like the beginning of a frame.
    scene.unit(2, false, 2000);
    scene.picture(ANY, 2, 2000);
    assert_eq!(sequence(&mut seat), Some(2));
    for number in 3..=50 {
        scene.unit(number, false, 2000 + u64::from(number) * 60);
    }
    assert!(scene.lane.overdue(scene.at(5000)).unwrap().why.contains("decoder"), "and not 2 s later");
    scene.picture(ANY, 2, 5040);
    assert!(now(&mut seat).is_none(), "a decoder that late shows nothing");
}

#[test]
fn decoder_without_pictures_is_overdue_only_while_somebody_watches() {
    let scene = Scene::live();
    let frames = |from: u32, until: u32| {
        (from..=until).step_by(40).for_each(|at| {
            scene.unit(at / 40 + 1, false, at.into());
        });
    };
    frames(40, 9000);
    assert_eq!(scene.lane.overdue(scene.at(9000)), None);
    let _seat = scene.lane.sit(ANY).unwrap();
    frames(9040, 14_000);
    assert!(scene.lane.overdue(scene.at(14_000)).unwrap().why.contains("decoder"));
    scene.picture(ANY, 351, 14_000);
    assert_eq!(scene.lane.overdue(scene.at(14_000)), None);
}

#[test]
fn live_stream_is_stalled_where_one_that_never_was_live_is_offline() {
    let scene = Scene::live();
    assert_eq!(scene.lane.overdue(scene.at(5000)).unwrap().state, State::Stalled);
    let scene = Scene::connecting();
    let first = scene.lane.begin_worker(scene.start);
    scene.unit(first, false, 0);
    assert_eq!(scene.lane.overdue(scene.at(5000)).unwrap().state, State::Offline);
}

#[test]
fn live_stream_without_key_frames_is_overdue_once_its_group_is_outgrown() {
    let scene = Scene::live();
    for number in 1..=30 {
        scene.unit(number, number % 10 == 0, u64::from(number) * 40);
    }
    // Ten frames to a group, then none begins any longer.
    let mut number = 31;
    while scene.lane.overdue(scene.at(u64::from(number - 1) * 40)).is_none() {
        scene.unit(number, false, u64::from(number) * 40);
        number += 1;
    }
    assert_eq!(number - 30, 501, "500 units are kept, and the next one drops them");
    let standing = scene.lane.overdue(scene.at(u64::from(number - 1) * 40)).unwrap();
    assert!(standing.why.contains("no key frame"), "{}", standing.why);
    assert!(scene.lane.status(scene.at(0)).group.0 == 0);
}

#[test]
fn sequences_go_on_with_the_next_worker() {
    let scene = Scene::live();
    scene.unit(41, false, 40);
    scene.lane.end_worker();
    assert_eq!(scene.lane.begin_worker(scene.at(1000)), 42);
    assert_eq!(scene.lane.status(scene.at(1000)).reconnects, 1);
}

#[test]
fn closed_lane_ends_its_viewers_and_takes_no_new_ones() {
    let scene = Scene::live();
    let mut seat = scene.lane.sit(ANY).unwrap();
    assert_eq!(state(&mut seat), Some(State::Live));
    scene.lane.close();
    assert!(matches!(now(&mut seat), Some(Shown::Closed)));
    let mut late = scene.lane.sit(ANY).unwrap();
    assert!(matches!(now(&mut late), Some(Shown::Closed)));
}

#[test]
fn new_name_reaches_seated_viewers() {
    let scene = Scene::live();
    let mut seat = scene.lane.sit(ANY).unwrap();
    assert_eq!(state(&mut seat), Some(State::Live));
    scene.lane.retune("Tor".into(), scene.lane.options());
    assert!(matches!(now(&mut seat), Some(Shown::News(_))));
    assert_eq!(scene.lane.name(), "Tor");
}

/// Everything a seat can take now: `n` for news, else the sequence and whether units before it are missing.
fn deliveries(seat: &mut UnitSeat) -> Vec<String> {
    let taken = std::iter::from_fn(|| seat.take()).take(1000);
    let word = |delivery| match delivery {
        Delivery::News(standing) => standing.state.word().to_owned(),
        Delivery::Unit(taken) => format!("{}{}", taken.unit.sequence, if taken.after_gap { "!" } else { "" }),
        Delivery::Closed => "closed".to_owned(),
    };
    let mut words: Vec<_> = taken.map(word).collect();
    words.dedup();
    words
}

#[test]
fn viewer_of_units_is_given_the_news_the_kept_group_and_then_every_unit() {
    let scene = Scene::live();
    scene.unit(2, false, 40);
    let mut seat = scene.lane.sit_for_units();
    assert_eq!(deliveries(&mut seat), ["live", "1", "2"]);
    let must_wait = block_on(
        async {
            seat.ready().await;
            false
        }
        .or(async { true }),
    );
    assert!(must_wait);
    scene.unit(3, false, 80);
    block_on(seat.ready());
    assert_eq!(deliveries(&mut seat), ["3"]);
    assert!(scene.lane.demand().is_empty(), "nothing is to be decoded for it");
    let status = scene.lane.status(scene.at(80));
    assert_eq!((status.viewers, status.untouched), (1, 1));
    drop(seat);
    assert_eq!(scene.lane.status(scene.at(80)).viewers, 0);
}

#[test]
fn units_not_taken_are_withdrawn_when_the_camera_stalls() {
    let scene = Scene::live();
    let mut seat = scene.lane.sit_for_units();
    deliveries(&mut seat);
    scene.unit(2, false, 40);
    scene.lane.report(State::Stalled, "no frame for 5.0 s", scene.at(5000));
    assert_eq!(deliveries(&mut seat), ["stalled"]);
    scene.unit(3, false, 5040);
    assert!(deliveries(&mut seat).is_empty());
    let mut late = scene.lane.sit_for_units();
    assert_eq!(deliveries(&mut late), ["stalled"], "the group of a camera that is not live is not given");
    scene.unit(4, true, 6000);
    assert_eq!(deliveries(&mut seat), ["live", "4!"]);
    assert_eq!(deliveries(&mut late), ["live", "4"]);
}

#[test]
fn units_of_the_next_worker_begin_with_a_key_frame() {
    let scene = Scene::live();
    let mut seat = scene.lane.sit_for_units();
    deliveries(&mut seat);
    scene.lane.end_worker();
    let first = scene.lane.begin_worker(scene.at(100));
    scene.unit(first, false, 140);
    scene.unit(first + 1, true, 180);
    assert_eq!(deliveries(&mut seat), [(first + 1).to_string()]);
}

#[test]
fn changed_stream_is_told_before_the_units_it_describes() {
    let scene = Scene::live();
    let mut seat = scene.lane.sit_for_units();
    deliveries(&mut seat);
    scene.unit(2, false, 40);
    scene.lane.describe_stream(StreamInfo { codec_config: Some(CodecConfig::H264([0x42, 0, 0x1e])), ..STREAM });
    scene.unit(3, false, 80);
    scene.unit(4, true, 120);
    assert_eq!(deliveries(&mut seat), ["live", "4!"]);
}

#[test]
fn slow_viewer_of_units_changes_nothing_for_another() {
    let scene = Scene::live();
    let (mut slow, mut quick) = (scene.lane.sit_for_units(), scene.lane.sit_for_units());
    deliveries(&mut slow);
    deliveries(&mut quick);
    for sequence in 2..2000 {
        let unit = AccessUnit {
            sequence,
            taken: u64::from(sequence) * 40_000,
            key: sequence % 50 == 0,
            data: vec![0; 1000].into(),
        };
        scene.lane.publish_unit(&unit, scene.start);
        assert_eq!(deliveries(&mut quick), [sequence.to_string()]);
    }
    let late = deliveries(&mut slow);
    assert_eq!((late.len(), late[0].as_str()), (50, "1950!"), "the newest group, and that something is missing");
    assert_eq!(scene.lane.status(scene.start).skipped, 1948);
}

#[test]
fn closed_lane_ends_its_viewers_of_units() {
    let scene = Scene::live();
    let mut seat = scene.lane.sit_for_units();
    scene.lane.close();
    block_on(seat.ready());
    assert_eq!(deliveries(&mut seat), ["closed"]);
    let mut late = scene.lane.sit_for_units();
    block_on(late.ready());
    assert_eq!(deliveries(&mut late), ["closed"]);
}
