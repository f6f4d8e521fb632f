use smol::future::{FutureExt, block_on};

use super::*;
use crate::{
    camera::picture_options::PictureOptions,
    hub::{
        Reception, WorkerUsage,
        subscription::{Subscription, ViewEvent},
        unit_subscription::{UnitEvent, UnitSubscription},
    },
    media::{AccessUnit, Codec, CodecConfig, Damage, Picture, SampleAspect, transform::Transform},
};

const STREAM: StreamInfo = StreamInfo {
    codec: Codec::H264,
    codec_config: Some(CodecConfig::H264([0x64, 0, 0x1f])),
    size: Size { width: 1280, height: 720 },
    sample_aspect: SampleAspect::SQUARE,
    transform: Transform::NONE,
    fps: 25.0,
};
const ANY: RenditionRequest = RenditionRequest { size: None, quality: None, fps: None };
const SMALL: RenditionRequest =
    RenditionRequest { size: Some(Size { width: 320, height: 180 }), quality: None, fps: None };

struct Scene {
    stream: Arc<Stream>,
    start: Instant,
}

impl Scene {
    fn connecting() -> Self {
        let options = StreamOptions::default();
        let start = Instant::now();
        let id = CameraId::new("gate").unwrap();
        Self { stream: Arc::new(Stream::new(id, "Gate".into(), options, start)), start }
    }

    fn live() -> Self {
        let scene = Self::connecting();
        let first = scene.stream.begin_worker(scene.start);
        scene.stream.set_stream_info(STREAM);
        scene.unit(first, true, 0);
        scene
    }

    fn at(&self, milliseconds: u64) -> Instant {
        self.start + Duration::from_millis(milliseconds)
    }

    fn unit(&self, sequence: u32, key: bool, milliseconds: u64) -> bool {
        let unit = AccessUnit { sequence, taken: 0, key, damage: None, data: vec![0; 100].into() };
        self.stream.publish_unit(&unit, self.at(milliseconds))
    }

    fn picture(&self, rendition_request: RenditionRequest, sequence: u32, milliseconds: u64) {
        let rendition = self.stream.inner().rendition(rendition_request);
        let picture = Picture { rendition, sequence, taken: 0, jpeg: vec![1].into() };
        self.stream.publish_picture(picture, self.at(milliseconds));
    }
}

/// The event that the subscription has without waiting; `None` if it would have to wait.
fn now(subscription: &mut Subscription) -> Option<ViewEvent> {
    block_on(async { Some(subscription.next().await) }.or(async { None }))
}

fn state(subscription: &mut Subscription) -> Option<State> {
    match now(subscription) {
        Some(ViewEvent::StateChange(condition)) => Some(condition.state),
        _ => None,
    }
}

fn sequence(subscription: &mut Subscription) -> Option<u32> {
    match now(subscription) {
        Some(ViewEvent::Picture(picture)) => Some(picture.sequence),
        _ => None,
    }
}

#[test]
fn camera_is_live_from_its_first_key_frame() {
    let scene = Scene::connecting();
    scene.stream.begin_worker(scene.start);
    assert!(!scene.unit(1, false, 0));
    assert_eq!(scene.stream.condition().state, State::Connecting);
    assert!(scene.unit(2, true, 40));
    assert_eq!(scene.stream.condition().state, State::Live);
    assert!(!scene.unit(3, true, 80), "it goes live only once");
}

#[test]
fn viewer_that_does_not_read_finds_only_the_newest_picture() {
    let scene = Scene::live();
    let mut subscription = scene.stream.subscribe(ANY, ViewerOrigin::Own).unwrap();
    assert_eq!(state(&mut subscription), Some(State::Live));
    for sequence in 3..=12 {
        scene.unit(sequence, false, 40);
        scene.picture(ANY, sequence, 40);
    }
    assert_eq!(sequence(&mut subscription), Some(12));
    assert!(now(&mut subscription).is_none());
    assert_eq!(subscription.skipped(), 9);
    subscription.note_skipped();
    assert_eq!((subscription.skipped(), scene.stream.status(scene.at(40)).skipped), (10, 10));
}

#[test]
fn unread_picture_is_withdrawn_when_the_camera_stalls() {
    let scene = Scene::live();
    let mut subscription = scene.stream.subscribe(ANY, ViewerOrigin::Own).unwrap();
    assert_eq!(state(&mut subscription), Some(State::Live));
    scene.picture(ANY, 1, 40);
    scene.stream.report(State::Stalled, "no frame for 5.0 s", scene.at(5000));
    assert_eq!(state(&mut subscription), Some(State::Stalled));
    assert!(now(&mut subscription).is_none(), "the old picture must not follow the news");
    scene.picture(ANY, 2, 5040);
    assert!(now(&mut subscription).is_none(), "nor a late one of the same worker");
}

#[test]
fn picture_from_before_a_stall_is_not_found_after_it() {
    let scene = Scene::live();
    let mut subscription = scene.stream.subscribe(ANY, ViewerOrigin::Own).unwrap();
    assert_eq!(state(&mut subscription), Some(State::Live));
    scene.picture(ANY, 1, 40);
    scene.stream.report(State::Stalled, "no frame for 5.0 s", scene.at(5000));
    scene.unit(2, true, 6000);
    scene.unit(3, false, 6040);
    assert_eq!(state(&mut subscription), Some(State::Live), "it slept through the stall");
    assert!(now(&mut subscription).is_none(), "and must not wake up to the old picture");
}

#[test]
fn second_viewer_of_a_rendition_gets_its_picture_at_once_and_adds_no_encode() {
    let scene = Scene::live();
    let _first = scene.stream.subscribe(SMALL, ViewerOrigin::Own).unwrap();
    scene.picture(SMALL, 1, 40);
    let demand = scene.stream.demand();
    let mut second = scene.stream.subscribe(SMALL, ViewerOrigin::Own).unwrap();
    assert_eq!(state(&mut second), Some(State::Live));
    assert_eq!(sequence(&mut second), Some(1));
    assert_eq!(scene.stream.demand(), demand);
    assert_eq!(demand.len(), 1);
}

#[test]
fn demand_ends_with_the_last_viewer() {
    let scene = Scene::live();
    let changes = scene.stream.demand_changes();
    let (one, two) = (
        scene.stream.subscribe(ANY, ViewerOrigin::Own).unwrap(),
        scene.stream.subscribe(SMALL, ViewerOrigin::Own).unwrap(),
    );
    assert!(changes.take());
    assert_eq!(scene.stream.demand().len(), 2);
    drop(one);
    assert_eq!(scene.stream.demand().len(), 1);
    drop(two);
    assert!(scene.stream.demand().is_empty());
    assert!(changes.take());
}

#[test]
fn wishes_wait_for_the_stream_before_they_become_demand() {
    let scene = Scene::connecting();
    let _seat = scene.stream.subscribe(SMALL, ViewerOrigin::Own).unwrap();
    assert!(scene.stream.demand().is_empty());
    scene.stream.set_stream_info(STREAM);
    assert_eq!(scene.stream.demand()[0].rendition.size, Size { width: 320, height: 180 });
}

/// 704x576 of an analogue camera, to be shown as 16:9.
const STRETCHED: StreamInfo =
    StreamInfo { size: Size { width: 704, height: 576 }, sample_aspect: SampleAspect::SQUARE, ..STREAM };

#[test]
fn sample_aspect_gives_every_rendition_its_shape() {
    let scene = Scene::connecting();
    let _seats = (
        scene.stream.subscribe(SMALL, ViewerOrigin::Own).unwrap(),
        scene.stream.subscribe(ANY, ViewerOrigin::Own).unwrap(),
    );
    let sizes = |aspect| {
        scene.stream.set_stream_info(StreamInfo { sample_aspect: aspect, ..STRETCHED });
        scene
            .stream
            .demand()
            .iter()
            .map(|wanted| (wanted.rendition.size.width, wanted.rendition.size.height))
            .collect::<Vec<_>>()
    };
    assert_eq!(sizes(SampleAspect::new(16, 11)), [(320, 180), (1024, 576)]);
    assert_eq!(sizes(SampleAspect::new(12, 11)), [(240, 180), (768, 576)], "it may change at any time");
    assert_eq!(sizes(SampleAspect::SQUARE), [(220, 180), (704, 576)]);
}

#[test]
fn reload_turns_the_pictures_and_leaves_the_units_alone() {
    let scene = Scene::live();
    scene.unit(2, true, 40);
    let _seat = scene.stream.subscribe(ANY, ViewerOrigin::Own).unwrap();
    let picture = PictureOptions { quarter_turns: 1, crop: [500, 0, 0, 0], ..PictureOptions::default() };
    scene.stream.retune("Gate".into(), StreamOptions { picture, ..scene.stream.options() });
    let wanted = scene.stream.demand()[0].rendition;
    let Size { width, height } = STREAM.size;
    assert_eq!(wanted.size, Size { width: height, height: width / 2 });
    assert_eq!((wanted.transform.quarter_turns, wanted.transform.crop.left), (1, 500));
    assert!(scene.stream.status(scene.at(50)).gop_cache.0 > 0, "viewers of units go on");
    assert_eq!(scene.stream.declared_info(), Some(STREAM));
}

#[test]
fn picture_of_a_frame_from_before_another_shape_is_not_shown() {
    let scene = Scene::live();
    let wide = |aspect| scene.stream.set_stream_info(StreamInfo { sample_aspect: aspect, ..STRETCHED });
    wide(SampleAspect::new(16, 11));
    assert!(!scene.unit(2, true, 40));
    let mut subscription = scene.stream.subscribe(ANY, ViewerOrigin::Own).unwrap();
    assert_eq!(state(&mut subscription), Some(State::Live));
    scene.picture(ANY, 2, 50);
    assert_eq!(sequence(&mut subscription), Some(2));
    wide(SampleAspect::new(12, 11));
    scene.unit(3, true, 80);
    assert_eq!(state(&mut subscription), Some(State::Live));
    // The worker already makes the new size, from a frame that has the old shape.
    scene.picture(ANY, 2, 90);
    assert!(now(&mut subscription).is_none());
    scene.picture(ANY, 3, 100);
    assert_eq!(sequence(&mut subscription), Some(3));
}

#[test]
fn changed_wish_replaces_the_old_rendition() {
    let scene = Scene::live();
    let subscription = scene.stream.subscribe(SMALL, ViewerOrigin::Own).unwrap();
    subscription.change(ANY).unwrap();
    let sizes: Vec<_> = scene.stream.demand().iter().map(|wanted| wanted.rendition.size).collect();
    assert_eq!(sizes, [STREAM.size]);
}

#[test]
fn one_rendition_too_many_is_refused_and_disturbs_nobody() {
    let scene = Scene::live();
    let quality = |quality| RenditionRequest { quality: Some(quality), ..SMALL };
    let subscriptions: Vec<_> =
        (1..=16).map(|q| scene.stream.subscribe(quality(q), ViewerOrigin::Own).unwrap()).collect();
    assert_eq!(
        scene.stream.subscribe(quality(17), ViewerOrigin::Own).err(),
        Some(TooManyRenditions::InAll { most: 16 })
    );
    assert_eq!(subscriptions[0].change(quality(16)), Ok(()));
    assert!(scene.stream.subscribe(quality(17), ViewerOrigin::Own).is_ok());
    assert_eq!(scene.stream.status(scene.at(0)).refused, 1);
}

#[test]
fn one_origin_has_its_share_of_the_renditions() {
    let scene = Scene::live();
    let quality = |quality| RenditionRequest { quality: Some(quality), ..SMALL };
    let [greedy, modest] = [1, 2].map(ViewerOrigin::Elsewhere);
    let mut held: Vec<_> = (1..=4).map(|q| scene.stream.subscribe(quality(q), greedy).unwrap()).collect();
    let too_many = TooManyRenditions::OfItsOrigin { most: 4 };
    assert_eq!(scene.stream.subscribe(quality(5), greedy).err(), Some(too_many));
    assert!(too_many.to_string().contains("`renditions_per_address` below [limits]"), "{too_many}");
    held.push(scene.stream.subscribe(quality(4), greedy).unwrap());
    assert_eq!(held[4].change(quality(5)).err(), Some(too_many), "4 would go on for the other viewer");
    let _modest = scene.stream.subscribe(quality(5), modest).unwrap();
    held[4].change(quality(5)).unwrap();
    let _own: Vec<_> = (20..30).map(|q| scene.stream.subscribe(quality(q), ViewerOrigin::Own).unwrap()).collect();
    held.extend((20..30).map(|q| scene.stream.subscribe(quality(q), greedy).unwrap()));
    assert_eq!(scene.stream.subscribe(quality(6), greedy).err(), Some(too_many));
    let _shared = scene.stream.subscribe(quality(1), modest).unwrap();
    let _fourth = scene.stream.subscribe(quality(6), greedy).unwrap();
    assert_eq!(scene.stream.subscribe(quality(7), modest).err(), Some(TooManyRenditions::InAll { most: 16 }));
    assert_eq!(scene.stream.status(scene.at(0)).refused, 4);
}

#[test]
fn own_screen_gets_its_renditions_though_others_have_taken_all() {
    let scene = Scene::live();
    let quality = |quality| RenditionRequest { quality: Some(quality), ..SMALL };
    let others: Vec<_> = (0..16_u8)
        .map(|n| scene.stream.subscribe(quality(n + 1), ViewerOrigin::Elsewhere(u128::from(n / 4))).unwrap())
        .collect();
    let all = Some(TooManyRenditions::InAll { most: 16 });
    assert_eq!(scene.stream.subscribe(quality(50), ViewerOrigin::Elsewhere(9)).err(), all);
    let tile = scene.stream.subscribe(quality(50), ViewerOrigin::Own).unwrap();
    let enlarged = scene.stream.subscribe(quality(51), ViewerOrigin::Own).unwrap();
    assert_eq!(scene.stream.subscribe(quality(52), ViewerOrigin::Own).err(), all);
    enlarged.change(quality(52)).unwrap();
    assert_eq!(scene.stream.demand().iter().filter(|wanted| wanted.is_own).count(), 2);
    // Nobody else loses anything, or gains by it.
    assert_eq!(scene.stream.demand().len(), 18);
    drop((tile, others));
    assert_eq!(scene.stream.demand().len(), 1);
}

#[test]
fn seat_that_changes_its_size_all_the_time_has_one_rendition() {
    let scene = Scene::live();
    let quality = |quality| RenditionRequest { quality: Some(quality), ..SMALL };
    let seat = scene.stream.subscribe(quality(1), ViewerOrigin::Elsewhere(1)).unwrap();
    for q in 2..=100 {
        seat.change(quality(q)).unwrap();
        assert_eq!(scene.stream.demand().len(), 1);
    }
}

#[test]
fn renditions_of_the_own_screen_are_marked() {
    let scene = Scene::live();
    let changes = scene.stream.demand_changes();
    let _stranger = scene.stream.subscribe(SMALL, ViewerOrigin::Elsewhere(1)).unwrap();
    assert!(changes.take() && !scene.stream.demand()[0].is_own);
    let own = scene.stream.subscribe(SMALL, ViewerOrigin::Own).unwrap();
    assert!(changes.take() && scene.stream.demand()[0].is_own && scene.stream.demand().len() == 1);
    drop(own);
    assert!(changes.take() && !scene.stream.demand()[0].is_own);
}

#[test]
fn lower_bound_takes_nothing_from_those_who_watch() {
    let scene = Scene::live();
    let quality = |quality| RenditionRequest { quality: Some(quality), ..SMALL };
    let _seats: Vec<_> = (1..=3).map(|q| scene.stream.subscribe(quality(q), ViewerOrigin::Own).unwrap()).collect();
    scene.stream.allow_renditions(1, 4);
    assert_eq!(scene.stream.demand().len(), 3);
    assert_eq!(scene.stream.subscribe(quality(4), ViewerOrigin::Own).err(), Some(TooManyRenditions::InAll { most: 1 }));
    assert!(
        scene.stream.subscribe(quality(3), ViewerOrigin::Own).is_ok(),
        "what is encoded anyway may be watched by more"
    );
    scene.stream.set_stream_info(STREAM);
    assert_eq!(scene.stream.demand().len(), 3);
}

#[test]
fn share_of_the_worker_is_that_of_the_last_seconds() {
    let scene = Scene::live();
    let vitals = |pid, millis| WorkerUsage { pid, cpu: Duration::from_millis(millis), resident: 0, own: 0 };
    let share = || scene.stream.status(scene.at(0)).worker_share;
    scene.stream.set_vitals(vitals(1, 60_000), scene.at(0));
    assert_eq!(share(), None);
    scene.stream.set_vitals(vitals(1, 60_500), scene.at(2000));
    assert_eq!(share(), Some(0.25));
    scene.stream.set_vitals(vitals(2, 100), scene.at(4000));
    assert_eq!(share(), Some(0.25), "of another worker nothing is known yet");
    scene.stream.end_worker();
    assert_eq!(share(), None);
}

#[test]
fn silence_of_a_live_stream_is_overdue_after_the_limit() {
    let scene = Scene::live();
    scene.unit(2, false, 1000);
    scene.unit(3, false, 1040);
    assert_eq!(scene.stream.overdue(scene.at(5999)), None);
    assert_eq!(scene.stream.overdue(scene.at(6000)).unwrap().why, "no frame for 5.0 s");
    assert_eq!(scene.stream.due(), Some(scene.at(6000)), "FFmpeg may have had the last one since 1000 ms");
}

#[test]
fn key_frame_that_may_be_old_makes_no_camera_live_and_what_follows_it_does() {
    let scene = Scene::connecting();
    let first = scene.stream.begin_worker(scene.start);
    scene.stream.set_stream_info(STREAM);
    let mut untouched = scene.stream.subscribe_units();
    assert!(!scene.unit(first, true, 4500), "FFmpeg may have had it all the time");
    assert_eq!(scene.stream.condition().state, State::Connecting);
    assert!(scene.unit(first + 1, false, 4540), "this one it had not");
    assert_eq!(deliveries(&mut untouched), ["live", "1", "2"], "with what it needs to be decoded");
}

#[test]
fn camera_with_a_frame_every_few_seconds_is_never_live_and_told_why() {
    let scene = Scene::live();
    scene.unit(2, true, 40);
    scene.unit(3, true, 4040);
    let why = scene.stream.overdue(scene.at(5040)).unwrap().why;
    assert_eq!(why, "only one frame in 4.0 s arrives; stall_after is 5.0 s and must be at least twice as long");
    assert_eq!(scene.stream.overdue(scene.at(5039)), None, "the one from 40 ms is shown until then");
    scene.stream.report(State::Stalled, why, scene.at(5040));
    scene.stream.end_worker();
    let first = scene.stream.begin_worker(scene.at(6000));
    for (number, at) in (first..).zip([8600, 12_600]) {
        assert!(!scene.unit(number, true, at));
        assert_eq!(scene.stream.overdue(scene.at(at)), None);
    }
    let lack = scene.stream.overdue(scene.at(13_600)).unwrap();
    assert!(lack.state == State::Offline && lack.why.starts_with("only one frame in 4.0 s"), "{lack:?}");
}

#[test]
fn frame_every_two_seconds_is_live_and_so_is_a_slow_jpeg_camera() {
    for (codec, every) in [(Codec::H264, 2000), (Codec::Jpeg, 4900)] {
        let scene = Scene::live();
        scene.stream.set_stream_info(StreamInfo { codec, ..STREAM });
        for number in 2..20_u32 {
            scene.unit(number, true, every * u64::from(number - 1));
            assert_eq!(scene.stream.overdue(scene.at(every * u64::from(number))), None, "{codec:?} {number}");
        }
    }
}

#[test]
fn picture_of_a_frame_that_lay_in_ffmpeg_gives_the_decoder_no_more_time() {
    let scene = Scene::live();
    let mut subscription = scene.stream.subscribe(ANY, ViewerOrigin::Own).unwrap();
    assert_eq!(state(&mut subscription), Some(State::Live));
    // Garbage follows, and only after 2 s something that looks like the start of a frame.
    scene.unit(2, false, 2000);
    scene.picture(ANY, 2, 2000);
    assert_eq!(sequence(&mut subscription), Some(2));
    for number in 3..=50 {
        scene.unit(number, false, 2000 + u64::from(number) * 60);
    }
    assert!(scene.stream.overdue(scene.at(5000)).unwrap().why.contains("decoder"), "and not 2 s later");
    scene.picture(ANY, 2, 5040);
    assert!(now(&mut subscription).is_none(), "a decoder that late shows nothing");
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
    assert_eq!(scene.stream.overdue(scene.at(9000)), None);
    let _seat = scene.stream.subscribe(ANY, ViewerOrigin::Own).unwrap();
    frames(9040, 14_000);
    assert!(scene.stream.overdue(scene.at(14_000)).unwrap().why.contains("decoder"));
    scene.picture(ANY, 351, 14_000);
    assert_eq!(scene.stream.overdue(scene.at(14_000)), None);
}

#[test]
fn live_stream_is_stalled_where_one_that_never_was_live_is_offline() {
    let scene = Scene::live();
    assert_eq!(scene.stream.overdue(scene.at(5000)).unwrap().state, State::Stalled);
    let scene = Scene::connecting();
    let first = scene.stream.begin_worker(scene.start);
    scene.unit(first, false, 0);
    assert_eq!(scene.stream.overdue(scene.at(5000)).unwrap().state, State::Offline);
}

/// A stream that the agent's own client reads.
fn read_by_client() -> (Scene, u32) {
    let scene = Scene::connecting();
    let first = scene.stream.begin_client(scene.start);
    scene.stream.set_stream_info(STREAM);
    let unit = AccessUnit { sequence: first, taken: 0, key: true, damage: None, data: vec![0; 100].into() };
    assert!(scene.stream.publish_received_unit(&unit, scene.start, scene.start), "one frame is enough");
    (scene, first)
}

#[test]
fn transcoder_is_asked_for_pictures_of_a_live_stream_that_the_client_reads() {
    let (scene, _) = read_by_client();
    let changes = scene.stream.demand_changes();
    let viewer = scene.stream.subscribe(SMALL, ViewerOrigin::Own).unwrap();
    assert!(changes.take());
    assert_eq!(scene.stream.transcoding_demand(), scene.stream.demand());
    assert_eq!(scene.stream.demand().len(), 1);
    scene.stream.report(State::Stalled, "no frame", scene.at(6000));
    assert!(changes.take(), "it learns of the stall");
    assert_eq!(scene.stream.transcoding_demand(), []);
    drop(viewer);
    let other = Scene::live();
    let _viewer = other.stream.subscribe(SMALL, ViewerOrigin::Own).unwrap();
    assert_eq!(other.stream.transcoding_demand(), [], "the worker that reads makes its pictures");
}

#[test]
fn transcoder_is_no_viewer() {
    let (scene, first) = read_by_client();
    let mut transcoder = scene.stream.subscribe_transcoder();
    let status = scene.stream.status(scene.start);
    assert_eq!((status.viewers, status.untouched), (0, 0));
    assert!(!scene.stream.has_viewers());
    assert!(matches!(transcoder.take(), Some(UnitEvent::StateChange(_))));
    let Some(UnitEvent::Unit(queued)) = transcoder.take() else { panic!("the kept group comes first") };
    assert_eq!(queued.unit.sequence, first);
}

#[test]
fn missing_pictures_are_told_to_their_viewers_and_to_no_others() {
    let (scene, first) = read_by_client();
    let mut pictures = scene.stream.subscribe(ANY, ViewerOrigin::Own).unwrap();
    let mut units = scene.stream.subscribe_units();
    scene.picture(ANY, first, 0);
    block_on(pictures.next());
    scene.stream.withdraw_pictures(State::Offline, "no worker");
    let ViewEvent::StateChange(condition) = block_on(pictures.next()) else { panic!("the old picture is still there") };
    assert_eq!((condition.state, &*condition.why), (State::Offline, "no worker"));
    let Some(UnitEvent::StateChange(condition)) = units.take() else { panic!("no state") };
    assert_eq!((condition.state, &*condition.why), (State::Live, ""));
    let status = scene.stream.status(scene.start);
    assert_eq!((status.condition.state, &*status.condition.why), (State::Live, "no worker"));

    scene.picture(ANY, first, 100);
    let ViewEvent::StateChange(condition) = block_on(pictures.next()) else { panic!("no state") };
    assert_eq!(condition.state, State::Live);
    assert!(matches!(block_on(pictures.next()), ViewEvent::Picture(_)));
    assert_eq!(&*scene.stream.status(scene.start).condition.why, "");
}

#[test]
fn pictures_of_one_size_say_nothing_of_those_of_another() {
    let (scene, first) = read_by_client();
    let mut large = scene.stream.subscribe(ANY, ViewerOrigin::Own).unwrap();
    let mut small = scene.stream.subscribe(SMALL, ViewerOrigin::Elsewhere(1)).unwrap();
    scene.picture(ANY, first, 0);
    scene.picture(SMALL, first, 0);
    for subscription in [&mut large, &mut small] {
        assert_eq!(state(subscription), Some(State::Live));
        assert_eq!(sequence(subscription), Some(first));
    }
    for number in 1..=60 {
        scene.unit(first + number, true, u64::from(number) * 100);
        scene.picture(ANY, first + number, u64::from(number) * 100);
        let late = scene.stream.withdraw_late_renditions(scene.at(u64::from(number) * 100));
        assert_eq!(late.is_some(), number > 50, "{number}: {late:?}");
    }
    assert_eq!(sequence(&mut large), Some(first + 60));
    let Some(ViewEvent::StateChange(condition)) = now(&mut small) else { panic!("no change") };
    assert_eq!(
        (condition.state, &*condition.why),
        (State::Stalled, "frames arrive, but the decoder has given no picture for 5.0 s")
    );
    assert_eq!(scene.stream.picture_condition().state, State::Live, "of the others");
    let mut late = scene.stream.subscribe(SMALL, ViewerOrigin::Elsewhere(2)).unwrap();
    assert_eq!(
        (state(&mut late), sequence(&mut late)),
        (Some(State::Stalled), None),
        "who comes now is shown nothing old"
    );

    scene.picture(SMALL, first + 60, 6100);
    assert_eq!((state(&mut small), sequence(&mut small)), (Some(State::Live), Some(first + 60)));
    assert_eq!(scene.stream.withdraw_late_renditions(scene.at(6200)), None);
}

#[test]
fn missing_pictures_of_a_stream_that_is_away_say_nothing_new() {
    let (scene, _) = read_by_client();
    scene.stream.withdraw_pictures(State::Offline, "no worker");
    scene.stream.report(State::Stalled, "no frame", scene.at(6000));
    assert_eq!(&*scene.stream.picture_condition().why, "no frame");
    scene.stream.withdraw_pictures(State::Offline, "no worker");
    assert_eq!(&*scene.stream.picture_condition().why, "no frame");
}

#[test]
fn live_stream_without_key_frames_is_overdue_once_its_group_is_outgrown() {
    let scene = Scene::live();
    scene.stream.limit_group(500 * 100);
    for number in 1..=30 {
        scene.unit(number, number % 10 == 0, u64::from(number) * 40);
    }
    // Ten frames in a group, then no new group begins.
    let (mut number, wanted) = (31, scene.stream.key_frames_wanted());
    while scene.stream.overdue(scene.at(u64::from(number - 1) * 40)).is_none() {
        scene.unit(number, false, u64::from(number) * 40);
        number += 1;
    }
    // The camera has 5 s for the key frame that it is asked for.
    assert_eq!(number - 30, 501 + 5000 / 40, "500 units of 100 bytes are kept, and the next one drops them");
    assert!(wanted.take());
    let condition = scene.stream.overdue(scene.at(u64::from(number - 1) * 40)).unwrap();
    assert!(condition.why.contains("no key frame"), "{}", condition.why);
    assert!(scene.stream.status(scene.at(0)).gop_cache.0 == 0);
}

#[test]
fn sequences_go_on_with_the_next_worker() {
    let scene = Scene::live();
    scene.unit(41, false, 40);
    scene.stream.end_worker();
    assert_eq!(scene.stream.begin_worker(scene.at(1000)), 42);
    assert_eq!(scene.stream.status(scene.at(1000)).reconnects, 1);
}

#[test]
fn closed_lane_ends_its_viewers_and_takes_no_new_ones() {
    let scene = Scene::live();
    let mut subscription = scene.stream.subscribe(ANY, ViewerOrigin::Own).unwrap();
    assert_eq!(state(&mut subscription), Some(State::Live));
    scene.stream.close();
    assert!(matches!(now(&mut subscription), Some(ViewEvent::Closed)));
    let mut late = scene.stream.subscribe(ANY, ViewerOrigin::Own).unwrap();
    assert!(matches!(now(&mut late), Some(ViewEvent::Closed)));
}

#[test]
fn new_name_reaches_seated_viewers() {
    let scene = Scene::live();
    let mut subscription = scene.stream.subscribe(ANY, ViewerOrigin::Own).unwrap();
    assert_eq!(state(&mut subscription), Some(State::Live));
    scene.stream.retune("Tor".into(), scene.stream.options());
    assert!(matches!(now(&mut subscription), Some(ViewEvent::StateChange(_))));
    assert_eq!(scene.stream.name(), "Tor");
}

/// Everything that the subscription has now: `n` for a state change, else the sequence number and
/// whether units before it are missing.
fn deliveries(subscription: &mut UnitSubscription) -> Vec<String> {
    let taken = std::iter::from_fn(|| subscription.take()).take(1000);
    let word = |delivery| match delivery {
        UnitEvent::StateChange(condition) => condition.state.as_str().to_owned(),
        UnitEvent::Unit(taken) => format!("{}{}", taken.unit.sequence, if taken.after_gap { "!" } else { "" }),
        UnitEvent::Closed => "closed".to_owned(),
    };
    let mut words: Vec<_> = taken.map(word).collect();
    words.dedup();
    words
}

#[test]
fn viewer_of_units_is_given_the_news_the_kept_group_and_then_every_unit() {
    let scene = Scene::live();
    scene.unit(2, false, 40);
    let mut subscription = scene.stream.subscribe_units();
    assert_eq!(deliveries(&mut subscription), ["live", "1", "2"]);
    let must_wait = block_on(
        async {
            subscription.ready().await;
            false
        }
        .or(async { true }),
    );
    assert!(must_wait);
    scene.unit(3, false, 80);
    block_on(subscription.ready());
    assert_eq!(deliveries(&mut subscription), ["3"]);
    assert!(scene.stream.demand().is_empty(), "nothing is to be decoded for it");
    let status = scene.stream.status(scene.at(80));
    assert_eq!((status.viewers, status.untouched), (1, 1));
    drop(subscription);
    assert_eq!(scene.stream.status(scene.at(80)).viewers, 0);
}

#[test]
fn viewer_who_begins_with_the_next_key_frame_wants_one() {
    let scene = Scene::connecting();
    let first = scene.stream.begin_worker(scene.start);
    scene.stream.set_stream_info(STREAM);
    let wanted = scene.stream.key_frames_wanted();
    let _early = scene.stream.subscribe_units();
    scene.unit(first, true, 0);
    let _given_the_group = (scene.stream.subscribe_units(), scene.stream.subscribe_transcoder());
    assert!(!wanted.take(), "the group is kept");
    let _other_stream = scene.stream.subscribe_units_from_next_key_frame();
    assert!(wanted.take());
    scene.stream.limit_group(150);
    scene.unit(first + 1, false, 40);
    assert!(wanted.take(), "the group has outgrown its memory");
    let _page = scene.stream.subscribe_units();
    assert!(wanted.take());
    let _decoder = scene.stream.subscribe_transcoder();
    assert!(wanted.take());
    scene.stream.set_stream_info(StreamInfo { codec: Codec::Jpeg, codec_config: None, ..STREAM });
    let _jpeg = scene.stream.subscribe_units();
    assert!(!wanted.take(), "the next JPEG will do");
}

#[test]
fn units_not_taken_are_withdrawn_when_the_camera_stalls() {
    let scene = Scene::live();
    let mut subscription = scene.stream.subscribe_units();
    deliveries(&mut subscription);
    scene.unit(2, false, 40);
    scene.stream.report(State::Stalled, "no frame for 5.0 s", scene.at(5000));
    assert_eq!(deliveries(&mut subscription), ["stalled"]);
    scene.unit(3, false, 5040);
    assert!(deliveries(&mut subscription).is_empty());
    let mut late = scene.stream.subscribe_units();
    assert_eq!(deliveries(&mut late), ["stalled"], "the group of a camera that is not live is not given");
    scene.unit(4, true, 6000);
    assert_eq!(deliveries(&mut subscription), ["live", "4!"]);
    assert_eq!(deliveries(&mut late), ["live", "4"]);
}

#[test]
fn units_of_the_next_worker_begin_with_a_key_frame() {
    let scene = Scene::live();
    let mut subscription = scene.stream.subscribe_units();
    deliveries(&mut subscription);
    scene.stream.end_worker();
    let first = scene.stream.begin_worker(scene.at(100));
    scene.unit(first, false, 140);
    scene.unit(first + 1, true, 180);
    assert_eq!(deliveries(&mut subscription), [(first + 1).to_string()]);
}

#[test]
fn changed_stream_is_told_before_the_units_it_describes() {
    let scene = Scene::live();
    let mut subscription = scene.stream.subscribe_units();
    deliveries(&mut subscription);
    scene.unit(2, false, 40);
    scene.stream.set_stream_info(StreamInfo { codec_config: Some(CodecConfig::H264([0x42, 0, 0x1e])), ..STREAM });
    scene.unit(3, false, 80);
    scene.unit(4, true, 120);
    assert_eq!(deliveries(&mut subscription), ["live", "4!"]);
}

#[test]
fn slow_viewer_of_units_changes_nothing_for_another() {
    let scene = Scene::live();
    let (mut slow, mut quick) = (scene.stream.subscribe_units(), scene.stream.subscribe_units());
    deliveries(&mut slow);
    deliveries(&mut quick);
    for sequence in 2..2000 {
        let unit = AccessUnit {
            sequence,
            taken: u64::from(sequence) * 40_000,
            key: sequence % 50 == 0,
            damage: None,
            data: vec![0; 1000].into(),
        };
        scene.stream.publish_unit(&unit, scene.start);
        assert_eq!(deliveries(&mut quick), [sequence.to_string()]);
    }
    let late = deliveries(&mut slow);
    assert_eq!((late.len(), late[0].as_str()), (50, "1950!"), "the newest group, and that something is missing");
    assert_eq!(scene.stream.status(scene.start).skipped, 1948);
}

#[test]
fn closed_lane_ends_its_viewers_of_units() {
    let scene = Scene::live();
    let mut subscription = scene.stream.subscribe_units();
    scene.stream.close();
    block_on(subscription.ready());
    assert_eq!(deliveries(&mut subscription), ["closed"]);
    let mut late = scene.stream.subscribe_units();
    block_on(late.ready());
    assert_eq!(deliveries(&mut late), ["closed"]);
}

#[test]
fn counters_of_reception_go_on_over_sessions_and_the_rest_ends_with_its_session() {
    let scene = Scene::live();
    let reception = |scene: &Scene| scene.stream.status(scene.start).reception;
    assert_eq!(reception(&scene), None);
    let first = Reception {
        packets: 100,
        lost: 2,
        damaged_units: 1,
        jitter: Duration::from_millis(3),
        waiting_for_key_frame: Some(Duration::from_secs(4)),
        camera_clock: Some(-20),
        ..Reception::default()
    };
    scene.stream.set_reception(Reception { packets: 50, ..first });
    scene.stream.set_reception(first);
    assert_eq!(reception(&scene), Some(first), "of one session it is the newest");
    scene.stream.end_worker();
    let counters = Reception { packets: 100, lost: 2, damaged_units: 1, ..Reception::default() };
    assert_eq!(reception(&scene), Some(counters));
    scene.stream.end_worker();
    assert_eq!(reception(&scene), Some(counters), "an end without a session adds nothing");
    let second = Reception { packets: 10, late: 1, jitter: Duration::from_millis(9), ..Reception::default() };
    scene.stream.set_reception(second);
    assert_eq!(reception(&scene), Some(Reception { packets: 110, lost: 2, damaged_units: 1, ..second }));
}

impl Scene {
    /// Publishes a unit with this damage.
    fn damaged(&self, sequence: u32, lost_permille: Option<u16>, milliseconds: u64) {
        let damage = Some(Damage { lost_permille });
        let unit = AccessUnit { sequence, taken: 0, key: false, damage, data: vec![0; 100].into() };
        self.stream.publish_unit(&unit, self.at(milliseconds));
    }
}

#[test]
fn viewers_learn_that_the_picture_is_damaged_before_they_get_it_and_that_it_no_longer_is() {
    let scene = Scene::live();
    let mut subscription = scene.stream.subscribe_units();
    deliveries(&mut subscription);
    let mut why = || match subscription.take() {
        Some(UnitEvent::StateChange(condition)) => format!("{} {}", condition.state.as_str(), condition.why),
        Some(UnitEvent::Unit(queued)) => format!("{} {}", queued.unit.sequence, queued.unit.damage.is_some()),
        other => format!("{other:?}"),
    };
    scene.damaged(2, Some(12), 40);
    assert_eq!((why(), why()), ("live picture damaged: 1.2 % of packets lost".to_owned(), "2 true".to_owned()));
    scene.damaged(3, Some(12), 80);
    assert_eq!(why(), "3 true", "nothing has changed");
    scene.damaged(4, None, 120);
    assert_eq!((why(), why()), ("live picture damaged".to_owned(), "4 true".to_owned()));
    assert!(scene.stream.condition().is_damaged());
    assert_eq!(scene.stream.status(scene.at(120)).live, scene.at(120) - scene.start, "it was live all the time");
    scene.unit(5, false, 160);
    assert_eq!((why(), why()), ("live ".to_owned(), "5 false".to_owned()));
    assert!(!scene.stream.condition().is_damaged());
}

#[test]
fn stream_that_begins_with_a_damaged_key_frame_goes_live_as_damaged() {
    let scene = Scene::connecting();
    scene.stream.begin_worker(scene.start);
    let damage = Some(Damage { lost_permille: Some(300) });
    let unit = AccessUnit { sequence: 1, taken: 0, key: true, damage, data: vec![0; 100].into() };
    assert!(scene.stream.publish_unit(&unit, scene.start));
    assert_eq!(scene.stream.condition(), Condition::live(damage));
    scene.stream.report(State::Stalled, "silent", scene.at(9000));
    assert!(!scene.stream.condition().is_damaged(), "nothing is shown");
}

#[test]
fn change_of_the_damage_leaves_viewers_the_newest_picture() {
    let scene = Scene::live();
    let mut subscription = scene.stream.subscribe(ANY, ViewerOrigin::Own).unwrap();
    scene.picture(ANY, 1, 0);
    assert_eq!((state(&mut subscription), sequence(&mut subscription)), (Some(State::Live), Some(1)));
    scene.damaged(2, Some(12), 40);
    assert_eq!((state(&mut subscription), sequence(&mut subscription)), (Some(State::Live), Some(1)));
    assert!(now(&mut subscription).is_none());
}

#[test]
fn reason_of_a_live_session_stays_for_its_pictures_and_ends_with_it() {
    let scene = Scene::live();
    let why = || scene.stream.condition().why.to_string();
    scene.stream.set_live_reason(Code::Snapshots.with("seconds", 1.0).into());
    scene.unit(2, false, 40);
    assert_eq!(why(), "snapshots instead of the stream, at most one picture every 1.0 s");
    assert!(scene.stream.is_live());
    scene.stream.begin_client(scene.at(50));
    scene.unit(3, true, 80);
    assert_eq!(why(), "");
}
