//! Publishes what the agent's own client reads.

use std::{
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use smol::channel::Sender;

use super::{
    arrival_clock::ArrivalClock,
    damaged_mode::{DamagedMode, Quality, RecentLoss, Showing},
};
use crate::{
    camera::{Damaged, Transport},
    h26x::{
        nal::{self, NalKind},
        sps::Sps,
    },
    http_jpeg,
    hub::{Reception, Stream},
    media::{Codec, Damage, StreamInfo},
    rtsp::rtp::{self, Backlog, Event, KeyFrameGate, KeyFrameRequest, Loss, Passage, Stats, Unit},
    sync::Latch,
};

/// What the session learns of the units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The first frame came, shown or not.
    Frames,
    /// The stream became live.
    Live,
    /// The track is set up.
    SetUp {
        transport: Transport,
        /// How the camera offers to be asked for a key frame by RTCP.
        key_frame_request: Option<KeyFrameRequest>,
    },
    /// Frames come, and none may be shown before the next key frame.
    Waits {
        since: Instant,
        /// No key frame was shown in this session.
        is_first: bool,
    },
    /// A key frame came that may be shown.
    KeyFrame,
}

/// A stream without a whole unit for `stall_after` divided by this shows damaged ones, if it may.
const DAMAGED_AFTER: u32 = 2;

/// Hands on the whole units of one session, from a key frame on; damaged ones only where nothing else
/// comes.
pub(super) struct Publisher {
    /// The stream's name in the log.
    label: String,
    stream: Arc<Stream>,
    backlog: Backlog,
    gate: KeyFrameGate,
    damaged_mode: DamagedMode,
    loss: RecentLoss,
    /// The number of the next unit.
    sequence: u32,
    has_frames: bool,
    /// The properties of the stream are known.
    is_described: bool,
    /// A key frame was handed on, and no later one is beyond the decoders of its viewers.
    has_begun: bool,
    is_jpeg: bool,
    /// Pictures over HTTP that were cut short.
    damaged_jpegs: u64,
    /// It was told that the stream waits for a key frame, and none came since.
    awaits_key: bool,
    /// Since when units come and none is whole.
    waits_since: Option<Instant>,
    /// By how many milliseconds the camera's clock is ahead.
    camera_clock: Option<i64>,
    clock: ArrivalClock,
    progress: Sender<Progress>,
    /// The session has ended for its viewers; what still comes is not shown.
    ending: Latch,
}

impl Publisher {
    /// `progress` must be unbounded.
    pub(super) fn new(
        label: String,
        stream: Arc<Stream>,
        first_sequence: u32,
        progress: Sender<Progress>,
        ending: Latch,
    ) -> Self {
        Self {
            label,
            stream,
            // Until the track is set up.
            backlog: Backlog::new(rtp::VIDEO_CLOCK_RATE),
            gate: KeyFrameGate::new(),
            damaged_mode: DamagedMode::default(),
            loss: RecentLoss::default(),
            sequence: first_sequence,
            has_frames: false,
            is_described: false,
            has_begun: false,
            is_jpeg: false,
            damaged_jpegs: 0,
            awaits_key: false,
            waits_since: None,
            camera_clock: None,
            clock: ArrivalClock::default(),
            progress,
            ending,
        }
    }

    pub(super) fn on_event(&mut self, event: Event) {
        if self.ending.is_set() {
            return;
        }
        match event {
            Event::StreamInfo(info) => {
                self.is_described = true;
                self.is_jpeg = info.codec == Codec::Jpeg;
                self.stream.set_stream_info(info);
            }
            Event::Unit(unit) => self.on_arrival(unit),
            Event::SetUp { transport, clock_rate, key_frame_request } => {
                self.backlog = Backlog::new(clock_rate);
                let transport = match transport {
                    rtp::Transport::Tcp => Transport::Tcp,
                    rtp::Transport::Udp => Transport::Udp,
                };
                self.tell(Progress::SetUp { transport, key_frame_request });
            }
            Event::Stats(stats) => {
                self.loss.on_report(stats.packets, stats.lost);
                self.stream.set_reception(self.reception(&stats));
            }
            // They end the attempt, which says why.
            Event::Problem(_) | Event::Ended => {}
        }
    }

    /// Hands on a picture that came over HTTP. Nothing tells its time, so it is as old as its arrival.
    pub(super) fn on_jpeg(&mut self, event: http_jpeg::stream::Event) {
        if self.ending.is_set() {
            return;
        }
        let (jpeg, received_at) = match event {
            http_jpeg::stream::Event::Picture { jpeg, size, received_at } => {
                let info = StreamInfo::of_jpeg(size);
                if self.stream.declared_info() != Some(info) || !self.is_described {
                    self.on_event(Event::StreamInfo(info));
                }
                (Some(jpeg), received_at)
            }
            http_jpeg::stream::Event::Damaged { received_at } => (None, received_at),
        };
        if !std::mem::replace(&mut self.has_frames, true) {
            self.tell(Progress::Frames);
        }
        match jpeg {
            Some(jpeg) => self.on_unit(jpeg_unit(jpeg, received_at)),
            None => {
                self.damaged_jpegs += 1;
                let stats = Stats { damaged_units: self.damaged_jpegs, ..Stats::default() };
                self.stream.set_reception(self.reception(&stats));
                self.stream.withhold_unit(received_at);
            }
        }
    }

    /// Holds the first units until it is known how old they are.
    fn on_arrival(&mut self, unit: Unit) {
        let received_at = unit.received_at;
        if !std::mem::replace(&mut self.has_frames, true) {
            self.tell(Progress::Frames);
        }
        match self.backlog.pass(unit) {
            Passage::Passed(unit) => self.on_unit(unit),
            Passage::Held => self.stream.withhold_unit(received_at),
            Passage::Settled(units) => units.into_iter().for_each(|unit| self.on_unit(unit)),
        }
    }

    fn on_unit(&mut self, unit: Unit) {
        let received_at = unit.received_at;
        let now = Instant::now();
        let today = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let taken = self.clock.unix_time(received_at, now, today);
        if let Some(time) = unit.camera_time {
            self.camera_clock = Some((time as i64 - taken as i64) / 1000);
        }
        let quality = self.quality(&unit);
        self.tell_key_frames(&unit, quality == Quality::Whole);
        match quality {
            Quality::Whole => self.waits_since = None,
            Quality::Damaged | Quality::Useless => drop(self.waits_since.get_or_insert(received_at)),
            Quality::Dispensable => {}
        }
        let damage = match self.showing(quality, received_at) {
            Showing::Plain => None,
            Showing::Marked => Some(self.damage()),
            Showing::Withheld => {
                // A gap in the numbers tells decoders that a unit is missing.
                self.sequence = self.sequence.wrapping_add(1);
                return self.stream.withhold_unit(received_at);
            }
        };
        self.has_begun |= unit.is_key;
        let unit = unit.into_access_unit(self.sequence, taken, damage);
        self.sequence = self.sequence.wrapping_add(1);
        if self.stream.publish_received_unit(&unit, received_at, now) {
            self.tell(Progress::Live);
        }
    }

    /// What `unit` is good for. A loss closes the gate until the next whole key frame. Before the
    /// stream is described, the gate stays closed: no whole key frame has come.
    fn quality(&mut self, unit: &Unit) -> Quality {
        if self.is_described && self.gate.admit(unit) {
            return Quality::Whole;
        }
        if self.is_described && !self.gate.is_waiting() {
            return Quality::Dispensable;
        }
        // Known from this session, or from the one before: a camera seldom changes it.
        let Some(info) = self.stream.info() else { return Quality::Useless };
        if unit.is_key {
            let is_decodable = begins_stream(info, &unit.data);
            self.has_begun &= is_decodable;
            return if is_decodable { Quality::Damaged } else { Quality::Useless };
        }
        if self.has_begun && has_slice(info.codec, &unit.data) { Quality::Damaged } else { Quality::Useless }
    }

    /// How viewers may see a unit of `quality`.
    fn showing(&mut self, quality: Quality, received_at: Instant) -> Showing {
        let was_on = self.damaged_mode.is_on();
        let options = self.stream.options();
        let limit = (options.damaged == Damaged::Show).then_some(options.stall_after / DAMAGED_AFTER);
        let showing = self.damaged_mode.show(quality, received_at, limit);
        match (was_on, self.damaged_mode.is_on()) {
            (false, true) => log::warn!(
                "{}: hardly any picture comes whole, so damaged pictures are shown under a mark{}; right would be a \
                 network that loses less, or transport = \"tcp\"",
                self.label,
                self.damage().percent().map(lost).unwrap_or_default(),
            ),
            (true, false) if limit.is_some() => log::info!("{}: the pictures are whole again", self.label),
            (true, false) => log::info!("{}: damaged pictures are no longer shown", self.label),
            _ => {}
        }
        showing
    }

    /// The damage of the pictures that are shown now although data is missing in them.
    fn damage(&self) -> Damage {
        Damage { lost_permille: self.loss.permille() }
    }

    /// Tells when the stream begins to wait for a whole key frame, and of each one that comes. Every
    /// JPEG is one, so nothing waits for the next.
    fn tell_key_frames(&mut self, unit: &Unit, is_whole: bool) {
        if self.is_jpeg {
            return;
        }
        if unit.is_key && is_whole {
            self.awaits_key = false;
            self.tell(Progress::KeyFrame);
        } else if self.gate.is_waiting() && !std::mem::replace(&mut self.awaits_key, true) {
            self.tell(Progress::Waits { since: unit.received_at, is_first: !self.has_begun });
        }
    }

    fn reception(&self, stats: &Stats) -> Reception {
        Reception {
            packets: stats.packets,
            lost: stats.lost,
            late: stats.late,
            foreign: stats.foreign,
            resyncs: stats.resyncs,
            jitter: stats.jitter,
            damaged_units: stats.damaged_units,
            waiting_for_key_frame: self.waits_since.map(|since| since.elapsed()),
            camera_clock: self.camera_clock,
        }
    }

    fn tell(&self, progress: Progress) {
        // If the session is gone, nobody needs it.
        let _ = self.progress.try_send(progress);
    }
}

fn jpeg_unit(data: Vec<u8>, received_at: Instant) -> Unit {
    Unit {
        data,
        is_key: true,
        is_whole: true,
        is_reference: false,
        is_leading: false,
        loss: Loss::None,
        lost_packets: 0,
        rtp_time: 0,
        camera_time: None,
        received_at,
    }
}

fn lost(percent: f64) -> String {
    format!(", {percent:.1} % of packets lost")
}

/// Whether `unit` holds a part of a picture.
fn has_slice(codec: Codec, unit: &[u8]) -> bool {
    nal::split(unit).any(|nal| matches!(nal::kind(codec, nal), NalKind::Slice | NalKind::KeySlice))
}

/// Whether a decoder for the stream `info` can begin with the key frame `unit`, of which a part is missing.
/// A JPEG is of no use then: its bytes pass unchanged, so nothing can be drawn into it.
fn begins_stream(info: StreamInfo, unit: &[u8]) -> bool {
    let is_same = |sps: Sps| sps.size == info.size && (info.codec_config.is_none() || sps.variant == info.codec_config);
    Sps::find(info.codec, unit).is_some_and(is_same) && has_slice(info.codec, unit)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use smol::channel::{Receiver, unbounded};

    use super::*;
    use crate::media::{SampleAspect, Size, transform::Transform};
    use crate::{
        camera::{CameraId, State, StreamOptions},
        hub::{UnitEvent, UnitSubscription},
    };

    /// SPS and PPS of H.264 Baseline, 1280x720, and one of another size.
    const SPS: [u8; 16] = [0x67, 0x42, 0, 0x29, 0xe2, 0x90, 0x0a, 0, 0xb7, 0x60, 0x2d, 0xc0, 0x40, 0x40, 0x69, 0x07];
    const OTHER_SPS: [u8; 18] =
        [0x67, 0x42, 0, 0x29, 0xe2, 0x90, 0x14, 7, 0xb6, 2, 0xdc, 4, 4, 6, 0x90, 0x78, 0x91, 0x15];
    const PPS: [u8; 4] = [0x68, 0xce, 0x3c, 0x80];

    fn info() -> StreamInfo {
        let Sps { variant, size, .. } = Sps::parse(Codec::H264, &SPS).unwrap();
        assert_eq!(size, Size { width: 1280, height: 720 });
        let sample_aspect = SampleAspect::SQUARE;
        StreamInfo {
            codec: Codec::H264,
            codec_config: variant,
            size,
            sample_aspect,
            transform: Transform::NONE,
            fps: 25.0,
        }
    }

    fn annex_b(nals: &[&[u8]]) -> Vec<u8> {
        nals.iter().flat_map(|nal| [&[0, 0, 0, 1], *nal].concat()).collect()
    }

    /// A session whose units come 40 ms after each other.
    struct Scene {
        stream: Arc<Stream>,
        viewer: UnitSubscription,
        publisher: Publisher,
        now: Instant,
        _progress: Receiver<Progress>,
    }

    impl Scene {
        fn new(damaged: Damaged) -> Self {
            let now = Instant::now();
            let options = StreamOptions { damaged, ..StreamOptions::default() };
            let stream = Arc::new(Stream::new(CameraId::new("gate").unwrap(), "Gate".into(), options, now));
            let (progress_sender, progress) = unbounded();
            let (label, first) = ("gate".to_owned(), stream.begin_client(now));
            let publisher = Publisher::new(label, Arc::clone(&stream), first, progress_sender, Latch::default());
            let viewer = stream.subscribe_units();
            Self { stream, viewer, publisher, now, _progress: progress }
        }

        /// A session whose stream is described.
        fn described(damaged: Damaged) -> Self {
            let mut scene = Self::new(damaged);
            scene.publisher.on_event(Event::StreamInfo(info()));
            scene
        }

        fn unit(&mut self, is_key: bool, is_whole: bool, data: Vec<u8>) {
            self.now += Duration::from_millis(40);
            let loss = if is_whole { Loss::None } else { Loss::Inside };
            self.publisher.on_event(Event::Unit(Unit {
                data,
                is_key,
                is_whole,
                is_reference: true,
                is_leading: false,
                loss,
                lost_packets: u32::from(!is_whole),
                rtp_time: 0,
                camera_time: None,
                received_at: self.now,
            }));
        }

        fn key(&mut self, is_whole: bool) {
            self.unit(true, is_whole, annex_b(&[&SPS, &PPS, &[0x65, 0x88, 1]]));
        }

        fn delta(&mut self, is_whole: bool) {
            self.unit(false, is_whole, annex_b(&[&[0x41, 0x9a, 1]]));
        }

        /// Sends groups of 25 frames; of each, only the key frame is damaged.
        fn damaged_groups(&mut self, count: usize) {
            for _ in 0..count {
                self.key(false);
                (0..24).for_each(|_| self.delta(true));
            }
        }

        /// Units that viewers get: plain ones, and ones under the mark.
        fn shown(&mut self) -> (usize, usize) {
            let (mut plain, mut marked) = (0, 0);
            while let Some(event) = self.viewer.take() {
                match event {
                    UnitEvent::Unit(queued) if queued.unit.damage.is_some() => marked += 1,
                    UnitEvent::Unit(_) => plain += 1,
                    _ => {}
                }
            }
            (plain, marked)
        }
    }

    #[test]
    fn damaged_units_are_handed_on_under_a_mark_where_nothing_else_comes_for_half_of_stall_after() {
        let mut scene = Scene::described(Damaged::Show);
        scene.publisher.on_event(Event::Stats(Stats { packets: 988, lost: 12, ..Stats::default() }));
        scene.key(true);
        (0..24).for_each(|_| scene.delta(true));
        assert_eq!(scene.shown(), (25, 0));
        scene.damaged_groups(2);
        assert_eq!(scene.shown(), (0, 0), "2 s without a whole picture are less than half of 5 s");
        scene.damaged_groups(2);
        let (plain, marked) = scene.shown();
        assert!(plain == 0 && (35..=39).contains(&marked), "{marked}");
        let condition = scene.stream.condition();
        assert_eq!((condition.state, &*condition.why), (State::Live, "picture damaged: 1.2 % of packets lost"));
        assert!(scene.publisher.waits_since.is_some(), "no whole key frame has come");
        // The figure follows the reports.
        scene.publisher.on_event(Event::Stats(Stats { packets: 1950, lost: 50, ..Stats::default() }));
        scene.damaged_groups(1);
        assert_eq!(
            (scene.shown(), &*scene.stream.condition().why),
            ((0, 25), "picture damaged: 2.5 % of packets lost")
        );
        // Whole again, and after half of stall_after without the mark.
        scene.key(true);
        (0..61).for_each(|_| scene.delta(true));
        assert_eq!(scene.shown(), (0, 62));
        (0..10).for_each(|_| scene.delta(true));
        assert_eq!((scene.shown(), &*scene.stream.condition().why), ((9, 1), ""));
    }

    #[test]
    fn nothing_damaged_is_handed_on_where_it_is_to_be_hidden() {
        let mut scene = Scene::described(Damaged::Hide);
        scene.key(true);
        scene.damaged_groups(8);
        assert_eq!(scene.shown(), (1, 0));
        assert_eq!(&*scene.stream.condition().why, "");
    }

    #[test]
    fn units_that_are_withheld_leave_a_gap_in_the_numbers() {
        let mut scene = Scene::described(Damaged::Hide);
        scene.key(true);
        scene.delta(true);
        scene.delta(false);
        scene.delta(true);
        scene.key(true);
        let units = std::iter::from_fn(|| scene.viewer.take()).filter_map(|event| match event {
            UnitEvent::Unit(queued) => Some(queued.unit.sequence),
            _ => None,
        });
        let numbers: Vec<_> = units.collect();
        assert_eq!(numbers.iter().map(|number| number - numbers[0]).collect::<Vec<_>>(), [0, 1, 4]);
    }

    #[test]
    fn option_that_changes_ends_damaged_pictures_at_once() {
        let mut scene = Scene::described(Damaged::Show);
        scene.key(true);
        scene.damaged_groups(4);
        assert!(scene.shown().1 > 0);
        let options = StreamOptions { damaged: Damaged::Hide, ..scene.stream.options() };
        scene.stream.retune("Gate".into(), options);
        scene.damaged_groups(4);
        assert_eq!(scene.shown(), (0, 0));
    }

    #[test]
    fn new_session_may_begin_with_a_damaged_key_frame_of_the_same_stream() {
        let mut scene = Scene::new(Damaged::Show);
        scene.damaged_groups(5);
        assert_eq!(scene.shown(), (0, 0), "nothing is known of the stream");
        scene.stream.set_stream_info(info());
        scene.damaged_groups(1);
        assert_eq!(scene.shown(), (0, 25));
        assert_eq!(scene.stream.condition().state, State::Live);
        // Decoders of the stream as it is known cannot begin with this one.
        scene.unit(true, false, annex_b(&[&OTHER_SPS, &PPS, &[0x65, 0x88, 1]]));
        scene.delta(true);
        assert_eq!(scene.shown(), (0, 0));
        scene.key(false);
        scene.delta(true);
        assert_eq!(scene.shown(), (0, 2));
    }

    #[test]
    fn jpeg_over_http_makes_the_stream_live_and_one_cut_short_is_withheld() {
        let mut scene = Scene::new(Damaged::Show);
        let size = Size { width: 640, height: 360 };
        let now = Instant::now();
        scene.publisher.on_jpeg(http_jpeg::stream::Event::Damaged { received_at: now });
        assert_eq!((scene.shown(), scene.stream.condition().state), ((0, 0), State::Connecting));
        for number in 0..3 {
            let jpeg = vec![0xff, 0xd8, number];
            scene.publisher.on_jpeg(http_jpeg::stream::Event::Picture { jpeg, size, received_at: now });
            scene.publisher.on_jpeg(http_jpeg::stream::Event::Damaged { received_at: now });
        }
        assert_eq!((scene.shown(), scene.stream.condition().state), ((3, 0), State::Live));
        assert_eq!(scene.stream.info(), Some(StreamInfo::of_jpeg(size)));
        let other = Size { width: 320, height: 180 };
        scene.publisher.on_jpeg(http_jpeg::stream::Event::Picture {
            jpeg: vec![0xff, 0xd8],
            size: other,
            received_at: now,
        });
        assert_eq!(scene.stream.info(), Some(StreamInfo::of_jpeg(other)));
        scene.publisher.ending.set();
        scene.shown();
        scene.publisher.on_jpeg(http_jpeg::stream::Event::Picture { jpeg: vec![0xff, 0xd8], size, received_at: now });
        assert_eq!(scene.shown(), (0, 0));
    }

    #[test]
    fn unit_without_a_part_of_a_picture_is_withheld() {
        let mut scene = Scene::described(Damaged::Show);
        scene.key(true);
        scene.damaged_groups(4);
        scene.shown();
        scene.unit(false, false, Vec::new());
        scene.unit(true, false, annex_b(&[&SPS, &PPS]));
        assert_eq!(scene.shown(), (0, 0));
    }
}
