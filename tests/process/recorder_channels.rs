//! The channels of a `[[recorder]]`: 16 cameras from one conversation, each with its own picture. The
//! size of a picture is its number: no two streams have the same.

use std::{
    io,
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use nix::sys::signal::Signal;

use crate::support::onvif_camera::{Answer, Camera as OnvifDevice, Request, ordinary};
use crate::support::{Agent, Cameras, MotionJpeg, wait_for};

const CHANNELS: usize = 16;

/// Width and height of the main stream of a channel; the small one has half of both.
fn size_of(channel: usize) -> [usize; 2] {
    [320 + 16 * channel, 180]
}

fn start_channels(count: usize) -> Cameras {
    let description = |channel: usize| {
        let [width, height] = size_of(channel);
        format!("id=c{channel} size={width}x{height} small={}x{} fps=4 gop=4", width / 2, height / 2)
    };
    let descriptions: Vec<_> = (1..=count).map(description).collect();
    Cameras::start(&descriptions.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A recorder with three profiles for each channel: the main and the small one, and one of another
/// shape, which no tile shows.
struct Recorder {
    device: OnvifDevice,
    /// Whether it lists profiles and sources from the other end.
    reversed: Arc<AtomicBool>,
    /// Whether it refuses every login.
    denies: Arc<AtomicBool>,
    /// Where the agent connects, and how many connections it had at the same time at most.
    port: u16,
    most: Arc<AtomicUsize>,
}

impl Recorder {
    fn start(channels: &Cameras, count: usize) -> Self {
        let streams: Vec<_> = (1..=count).map(|channel| channels.stream(&format!("c{channel}"))).collect();
        let [reversed, denies] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let [is_reversed, is_denying] = [&reversed, &denies].map(Arc::clone);
        let device = OnvifDevice::start(move |request| match request.name() {
            "GetSystemDateAndTime" | "GetEndpointReference" | "GetServices" => ordinary(request, 0),
            _ if is_denying.load(Ordering::Relaxed) => Answer::fault(400, &["ter:NotAuthorized"], "not authorized"),
            _ => answer(request, &streams, is_reversed.load(Ordering::Relaxed)),
        });
        let most = Arc::new(AtomicUsize::new(0));
        let port = count_connections(device.target().port, &most);
        Self { device, reversed, denies, port, most }
    }

    fn section(&self, channels: &str, more: &str) -> String {
        format!(
            "[[recorder]]\nid = \"nvr\"\nip = \"127.0.0.1\"\nonvif_port = {}\nchannels = \"{channels}\"\n{more}\n",
            self.port
        )
    }
}

fn answer(request: &Request, streams: &[String], is_reversed: bool) -> Answer {
    let mut numbers: Vec<_> = (1..=streams.len()).collect();
    if is_reversed {
        numbers.reverse();
    }
    let is_media2 = request.path == "/onvif/Media2";
    let profile = |channel: usize, kind: &str| {
        let [width, height] = size_of(channel);
        let [width, height] = match kind {
            "main" => [width, height],
            "small" => [width / 2, height / 2],
            _ => [128, 96],
        };
        let encoder = format!(
            "<Encoding>H264</Encoding><Resolution><Width>{width}</Width><Height>{height}</Height></Resolution>"
        );
        let source = format!("<SourceToken>VideoSource_{channel}</SourceToken>");
        let inner = if is_media2 {
            format!(
                "<Configurations><VideoSource token=\"s{channel}\">{source}</VideoSource><VideoEncoder>{encoder}</VideoEncoder></Configurations>"
            )
        } else {
            format!(
                "<VideoSourceConfiguration token=\"s{channel}\">{source}</VideoSourceConfiguration><VideoEncoderConfiguration>{encoder}</VideoEncoderConfiguration>"
            )
        };
        format!("<Profiles token=\"{channel}/{kind}\"><Name>{kind}</Name>{inner}</Profiles>")
    };
    match request.name() {
        "GetProfiles" => {
            let of = |channel: usize| ["main", "other", "small"].map(|kind| profile(channel, kind)).concat();
            Answer::soap(&format!("<R>{}</R>", numbers.into_iter().map(of).collect::<String>()))
        }
        "GetVideoSources" => {
            let of = |channel| format!("<VideoSources token=\"VideoSource_{channel}\"/>");
            Answer::soap(&format!("<R>{}</R>", numbers.into_iter().map(of).collect::<String>()))
        }
        "GetStreamUri" => {
            let token = request.operation().text_at(&["ProfileToken"]).unwrap().to_owned();
            let (channel, kind) = token.split_once('/').unwrap();
            let stream = streams[channel.parse::<usize>().unwrap() - 1].replace("/main", &format!("/{kind}"));
            Answer::soap(&if is_media2 {
                format!("<R><Uri>{stream}</Uri></R>")
            } else {
                format!("<R><MediaUri><Uri>{stream}</Uri></MediaUri></R>")
            })
        }
        _ => ordinary(request, 0),
    }
}

/// Passes connections on to `port`, and keeps in `most` how many there were at the same time. Returns
/// the port where it listens. Its threads end with the test's process.
fn count_connections(port: u16, most: &Arc<AtomicUsize>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::clone(most));
    thread::spawn(move || {
        for agent in listener.incoming().map_while(Result::ok) {
            most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let open = Arc::clone(&open);
            thread::spawn(move || {
                if let Ok(device) = TcpStream::connect(("127.0.0.1", port)) {
                    pass_on(&agent, &device);
                }
                // Before the agent can see the end and connect again.
                open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    own
}

fn pass_on(agent: &TcpStream, device: &TcpStream) {
    thread::scope(|scope| {
        scope.spawn(move || {
            let (mut from, mut to) = (agent, device);
            let _ = io::copy(&mut from, &mut to);
        });
        let mut answer = Vec::new();
        let mut from = device;
        let _ = io::Read::read_to_end(&mut from, &mut answer);
        let mut to = agent;
        let _ = io::Write::write_all(&mut to, &answer);
        let _ = agent.shutdown(Shutdown::Both);
    });
}

fn camera(channel: usize) -> String {
    format!("nvr-{channel}")
}

/// RTSP sessions of a channel's streams since it started.
fn opened(channels: &Cameras, channel: usize, stream: &str) -> u64 {
    channels.facts(&format!("c{channel}"))["streams"][stream]["opened"].as_u64().unwrap()
}

/// Waits until `stream` of each channel is live and shows its own channel.
fn wait_for_own_pictures(agent: &Agent, stream: &str) {
    for channel in 1..=CHANNELS {
        let profile = wait_for(&format!("the {stream} picture of channel {channel}"), || {
            let profile = agent.camera(&camera(channel))["profiles"]
                .as_array()?
                .iter()
                .find(|one| one["stream"] == stream)?
                .clone();
            (profile["state"] == "live" && profile["size"].is_array()).then_some(profile)
        });
        let expected = size_of(channel).map(|pixels| if stream == "main" { pixels } else { pixels / 2 });
        assert_eq!(
            profile["size"],
            serde_json::json!(expected),
            "channel {channel}: {profile:#}\n{}",
            agent.log_text()
        );
    }
}

#[test]
fn every_tile_of_a_recorder_shows_its_own_channel_however_they_are_listed() {
    let channels = start_channels(CHANNELS);
    let recorder = Recorder::start(&channels, CHANNELS);
    let agent = Agent::start(&recorder.section("1-16", ""));
    wait_for_own_pictures(&agent, "small");
    // What all channels have in common is asked for once, and then both streams of each.
    let names = recorder.device.names();
    let count = |name: &str| names.iter().filter(|given| *given == name).count();
    // On a busy machine a conversation may be too old for the last channels, or a stream be looked up again.
    let (conversations, streams) = (count("GetServices"), count("GetStreamUri"));
    assert!((1..=3).contains(&conversations) && (2 * CHANNELS..3 * CHANNELS).contains(&streams), "{names:?}");
    assert!(names.len() <= streams + 12 * conversations, "{names:?}");
    let large: Vec<_> = (1..=CHANNELS)
        .map(|channel| MotionJpeg::open(&agent.address, &format!("/live/{}?size=1920x1080&fps=1", camera(channel))))
        .collect();
    wait_for_own_pictures(&agent, "main");
    drop(large);
    let before: Vec<_> = (1..=CHANNELS).map(|channel| opened(&channels, channel, "small")).collect();
    // It lists its channels from the other end from now on, and all are connected anew.
    recorder.reversed.store(true, Ordering::Relaxed);
    recorder.device.forget();
    agent.reload(&recorder.section("1-16", "open_within = 20"));
    wait_for("the list in its new order", || recorder.device.names().contains(&"GetProfiles".to_owned()).then_some(()));
    for channel in 1..=CHANNELS {
        wait_for("a new session", || (opened(&channels, channel, "small") > before[channel - 1]).then_some(()));
    }
    wait_for_own_pictures(&agent, "small");
    assert!((1..=2).contains(&recorder.most.load(Ordering::SeqCst)), "connections at the same time");
}

#[test]
fn channel_that_the_recorder_lacks_says_so_and_the_others_are_live() {
    let channels = start_channels(3);
    let recorder = Recorder::start(&channels, 3);
    let agent = Agent::start(&recorder.section("2-4", "names = { 2 = \"Yard\" }"));
    agent.wait_for_state("nvr-3", "live");
    assert_eq!(agent.wait_for_state("nvr-2", "live")["name"], "Yard");
    let why = wait_for("the reason", || {
        let why = agent.camera("nvr-4")["why"].as_str().unwrap_or("").to_owned();
        why.contains("no channel").then_some(why)
    });
    assert!(why.contains("has no channel 4: it has 3 channels; correct channels of the recorder"), "{why}");
}

#[test]
fn refused_login_counts_for_all_channels() {
    let channels = start_channels(1);
    let recorder = Recorder::start(&channels, 1);
    recorder.denies.store(true, Ordering::Relaxed);
    let agent = Agent::start(&recorder.section("1-16", "username = \"u\"\npassword = \"wrong\""));
    for channel in 1..=CHANNELS {
        agent.wait_for_state(&camera(channel), "denied");
    }
    let sent = recorder.device.passwords_sent();
    assert!(sent <= 2, "the password was sent {sent} times: {:?}", recorder.device.names());
}

/// The recorder tells how many channels it has, and after a power cut the wall does not wait for that.
#[test]
fn all_channels_of_a_recorder_come_by_themselves_and_at_once_after_a_restart() {
    let channels = start_channels(3);
    let recorder = Recorder::start(&channels, 3);
    let section = recorder.section("all", "names = { 3 = \"Yard\" }");
    let mut agent = Agent::start(&format!("{section}[wall]\ncameras = [\"nvr-3\", \"nvr-1\"]\n"));
    for channel in 1..=3 {
        agent.wait_for_state(&camera(channel), "live");
    }
    let ids = |agent: &Agent| {
        let cameras = agent.api()["cameras"].clone();
        cameras.as_array().unwrap().iter().map(|camera| camera["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&agent), ["nvr-1", "nvr-2", "nvr-3"]);
    assert_eq!(agent.camera("nvr-3")["name"], "Yard");
    // A reload of the same file is no change of them.
    let before: Vec<_> = (1..=3).map(|channel| opened(&channels, channel, "main")).collect();
    agent.reload(&section);
    assert_eq!(ids(&agent).len(), 3);
    assert_eq!((1..=3).map(|channel| opened(&channels, channel, "main")).collect::<Vec<_>>(), before);

    // The recorder comes up later than we do.
    recorder.denies.store(true, Ordering::Relaxed);
    agent.signal(Signal::SIGKILL);
    agent.exit();
    let agent = agent.again();
    assert_eq!(ids(&agent), ["nvr-1", "nvr-2", "nvr-3"]);
}
