//! A recorder serves many cameras at one address. No tile ever shows another channel than its own.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::support::onvif_camera::{Answer, Camera as OnvifDevice, Request, ordinary};
use crate::support::{Agent, Cameras, MotionJpeg, wait_for};

/// Three cameras, whose streams the recorder serves as its channels.
fn channels() -> Cameras {
    let channel = |number: usize| format!("id=p{number} size=1280x720 small=640x360 fps=10");
    Cameras::start(&[channel(0), channel(1), channel(2)].each_ref().map(String::as_str))
}

/// The recorder's response: profiles `p0_720p`, `p0_360p`, `p1_720p` … in this order, each pair
/// with a video source of its own, through both media services. With `reordered` the tokens count
/// the channels from the other end.
fn answer(request: &Request, streams: &[String], reordered: bool) -> Answer {
    let second = request.path == "/onvif/Media2";
    let profile = |channel: usize, height: u32| {
        let size = format!("<Width>{}</Width><Height>{height}</Height>", height * 16 / 9);
        let encoder = format!("<Encoding>H264</Encoding><Resolution>{size}</Resolution>");
        let source = format!("<SourceToken>VideoSource_{}</SourceToken>", channel + 1);
        let inner = if second {
            format!(
                "<Configurations><VideoSource token=\"s{channel}\">{source}</VideoSource><VideoEncoder>{encoder}</VideoEncoder></Configurations>"
            )
        } else {
            format!(
                "<VideoSourceConfiguration token=\"s{channel}\">{source}</VideoSourceConfiguration><VideoEncoderConfiguration>{encoder}</VideoEncoderConfiguration>"
            )
        };
        format!("<Profiles token=\"p{channel}_{height}p\"><Name>p{channel}_{height}p</Name>{inner}</Profiles>")
    };
    match request.name() {
        "GetProfiles" => {
            let all: String =
                (0..streams.len()).flat_map(|channel| [profile(channel, 720), profile(channel, 360)]).collect();
            Answer::soap(&format!("<R>{all}</R>"))
        }
        "GetStreamUri" => {
            let token = request.operation().text_at(&["ProfileToken"]).unwrap().to_owned();
            let (channel, size) = token.strip_prefix('p').and_then(|rest| rest.split_once('_')).unwrap();
            let channel: usize = channel.parse().unwrap();
            let channel = if reordered { streams.len() - 1 - channel } else { channel };
            let stream = if size == "720p" { &streams[channel] } else { &streams[channel].replace("/main", "/small") };
            Answer::soap(&format!("<R><Uri>{stream}</Uri></R>"))
        }
        _ => ordinary(request, 0),
    }
}

struct Recorder {
    device: OnvifDevice,
    /// Whether the tokens count the channels from the other end.
    reordered: Arc<AtomicBool>,
    /// Whether it accepts requests and does not answer.
    silent: Arc<AtomicBool>,
    /// Whether it has channel 1 alone, and returns the stream of channel 1 for any token.
    reduced: Arc<AtomicBool>,
}

impl Recorder {
    fn start(channels: &Cameras) -> Self {
        let streams = [0, 1, 2].map(|channel| channels.stream(&format!("p{channel}")));
        let [reordered, silent, reduced] = [(); 3].map(|()| Arc::new(AtomicBool::new(false)));
        let [is_reordered, is_silent, is_reduced] = [&reordered, &silent, &reduced].map(Arc::clone);
        let device = OnvifDevice::start(move |request| {
            let channels = if is_reduced.load(Ordering::Relaxed) { &streams[..1] } else { &streams };
            match request.name() {
                _ if is_silent.load(Ordering::Relaxed) => Answer { keep_open: true, ..Answer::raw("") },
                "GetStreamUri" if channels.len() == 1 => Answer::soap(&format!("<R><Uri>{}</Uri></R>", channels[0])),
                _ => answer(request, channels, is_reordered.load(Ordering::Relaxed)),
            }
        });
        Self { device, reordered, silent, reduced }
    }

    /// The section of a camera of this recorder, with `more` lines.
    fn section(&self, id: &str, more: &str) -> String {
        let target = self.device.target();
        format!("[[camera]]\nid = \"{id}\"\nip = \"{}\"\nonvif_port = {}\n{more}\n", target.host, target.port)
    }
}

/// RTSP sessions of a channel's main and small stream since it started.
fn opened(channels: &Cameras, channel: usize) -> [u64; 2] {
    let facts = channels.facts(&format!("p{channel}"));
    ["main", "small"].map(|stream| facts["streams"][stream]["opened"].as_u64().unwrap())
}

#[test]
fn small_tile_shows_the_channel_whose_name_it_bears() {
    let channels = channels();
    let recorder = Recorder::start(&channels);
    let agent = Agent::start(&recorder.section("gate", "profile = \"p2_720p\"\nsmall_profile = \"auto\""));
    agent.wait_for_state("gate", "live");
    // Twelve pictures of a small tile, all live.
    let mut pictures = MotionJpeg::open(&agent.address, "/live/gate?size=320x180");
    for _ in 0..12 {
        pictures.next();
    }
    let [_, small] = opened(&channels, 2);
    assert_eq!(small, 1, "{}", agent.log_text());
    for other in 0..2 {
        assert_eq!(opened(&channels, other), [0, 0], "channel {} was opened\n{}", other + 1, agent.log_text());
    }
}

#[test]
fn recorder_without_a_profile_shows_nothing_and_says_why() {
    let channels = channels();
    let recorder = Recorder::start(&channels);
    let agent = Agent::start(&recorder.section("gate", ""));
    let why = wait_for("the reason", || {
        let why = agent.camera("gate")["why"].as_str().unwrap_or("").to_owned();
        why.contains("shows several cameras").then_some(why)
    });
    assert!(why.contains("\"p2_720p\" (VideoSource_3)") && why.contains("name one as profile"), "{why}");
    for channel in 0..3 {
        assert_eq!(opened(&channels, channel), [0, 0]);
    }
}

/// An agent that stored the stream of channel 3 while the recorder answered, and was restarted
/// while the recorder does not; the stored stream is live.
fn started_from_memory(channels: &Cameras, recorder: &Recorder) -> Agent {
    let section = recorder.section("gate", "profile = \"p2_720p\"");
    let mut first = Agent::start(&section);
    first.wait_for_state("gate", "live");
    let state = first.folder.0.join("state");
    wait_for("what was learnt", || state.join("gate.json").exists().then_some(()));
    first.signal(nix::sys::signal::Signal::SIGTERM);
    first.exit();
    recorder.silent.store(true, Ordering::Relaxed);
    let agent = Agent::start_with_state(&section, &state);
    agent.wait_for_log(&["trying the stream of the last time"]);
    agent.wait_for_state("gate", "live");
    assert_eq!(opened(channels, 2)[0], 2, "{}", agent.log_text());
    agent
}

#[test]
fn remembered_stream_is_confirmed_once_the_recorder_answers() {
    let channels = channels();
    let recorder = Recorder::start(&channels);
    let agent = started_from_memory(&channels, &recorder);
    recorder.device.forget();
    recorder.silent.store(false, Ordering::Relaxed);
    wait_for("the question for the stream", || {
        recorder.device.names().contains(&"GetEndpointReference".to_owned()).then_some(())
    });
    // The pictures continue.
    let mut pictures = MotionJpeg::open(&agent.address, "/live/gate?size=320x180");
    for _ in 0..5 {
        pictures.next();
    }
    assert_eq!(opened(&channels, 2)[0], 2, "{}", agent.log_text());
    assert_eq!(agent.camera("gate")["reconnects"], 0);
}

#[test]
fn remembered_stream_gives_way_when_the_channels_were_set_up_anew() {
    let channels = channels();
    let recorder = Recorder::start(&channels);
    let agent = started_from_memory(&channels, &recorder);
    recorder.reordered.store(true, Ordering::Relaxed);
    recorder.silent.store(false, Ordering::Relaxed);
    agent.wait_for_log(&["gate", "no longer that of the profile"]);
    wait_for("the stream that the recorder names now", || (opened(&channels, 0)[0] == 1).then_some(()));
    agent.wait_for_state("gate", "live");
    wait_for("the end of the other stream", || {
        (channels.facts("p2")["streams"]["main"]["sessions"] == 0).then_some(())
    });
}

#[test]
fn remembered_stream_is_not_shown_once_the_recorder_has_no_such_profile() {
    let channels = channels();
    let recorder = Recorder::start(&channels);
    let agent = started_from_memory(&channels, &recorder);
    recorder.reduced.store(true, Ordering::Relaxed);
    recorder.silent.store(false, Ordering::Relaxed);
    let camera = agent.wait_for_state("gate", "offline");
    assert!(camera["why"].as_str().unwrap().contains("has no media profile \"p2_720p\""), "{camera:#}");
    // The state persists: the agent opens neither the stored stream nor the stream returned for any
    // token.
    wait_for("another attempt", || (agent.camera("gate")["failures"]["refused"].as_u64()? >= 2).then_some(()));
    assert_eq!((opened(&channels, 0), opened(&channels, 2)[0]), ([0, 0], 2), "{}", agent.log_text());
}
