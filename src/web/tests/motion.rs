//! Motion JPEG and snapshots.

use std::time::{Duration, Instant};

use super::{
    super::{
        AdmissionLimits, Visitor,
        admission::principal::Principal,
        stream::{jpeg_feed::Frames, wanted::Wanted},
    },
    scene::{Client, Reply, Scene, eventually, in_time, picture, play},
};
use crate::{camera::State, media::RenditionRequest};

/// A viewer that accepts only strict RFC 2046.
struct Viewer {
    client: Client,
    boundary: String,
}

impl Viewer {
    async fn open(scene: &Scene, path: &str) -> Self {
        let mut client = scene.connect().await;
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        let head = client.head().await;
        assert_eq!(head.status, 200);
        assert_eq!(head.header("content-length"), None);
        assert_eq!(head.header("connection"), Some("close"));
        assert_eq!(head.header("cache-control"), Some("no-store"));
        let kind = head.header("content-type").unwrap();
        let boundary = kind.strip_prefix("multipart/x-mixed-replace; boundary=").unwrap().to_owned();
        assert!(boundary.len() <= 70 && boundary.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
        // The first boundary is at the very beginning of the body.
        assert_eq!(client.line().await, format!("--{boundary}"));
        Self { client, boundary }
    }

    /// The next part, read up to and including the boundary after it, and whether it was the last.
    async fn part(&mut self) -> (Reply, bool) {
        let headers = self.client.header_lines().await;
        let mut part = Reply { status: 0, headers, body: Vec::new() };
        assert_eq!(part.header("content-type"), Some("image/jpeg"));
        let (seconds, decimals) = part.header("x-timestamp").unwrap().split_once('.').unwrap();
        assert!(seconds.parse::<u64>().unwrap() > 1_600_000_000 && decimals.len() == 6);
        let length = part.header("content-length").unwrap().parse().unwrap();
        part.body = self.client.exactly(length).await;
        assert_eq!(self.client.line().await, "", "CR LF stands before every boundary");
        let boundary = self.client.line().await;
        let last = boundary == format!("--{}--", self.boundary);
        assert!(last || boundary == format!("--{}", self.boundary), "{boundary}");
        (part, last)
    }

    async fn sequence(&mut self) -> u32 {
        self.part().await.0.header("x-sequence").unwrap().parse().unwrap()
    }

    /// Reads on until a part whose body begins with `text`.
    async fn until(&mut self, text: &str) -> (Reply, bool) {
        loop {
            let (part, last) = self.part().await;
            if part.text().starts_with(text) {
                return (part, last);
            }
        }
    }
}

/// Nothing is repeated while the test runs.
fn without_repeats(limits: &mut super::super::Limits) {
    limits.repeat = Duration::from_secs(3600);
}

#[test]
fn motion_jpeg_is_strict_multipart_and_the_boundary_follows_each_picture_at_once() {
    play(without_repeats, async |scene| {
        scene.go_live();
        let mut viewer = Viewer::open(scene, "/live/gate?size=640x360&q=50&t=1").await;
        for sequence in 1..=20 {
            scene.publish(sequence).await;
            // Reads the boundary too, although there is no next picture yet.
            let (part, last) = viewer.part().await;
            assert_eq!(part.header("x-sequence"), Some(&*sequence.to_string()));
            assert_eq!(part.header("x-timestamp"), Some(&*format!("1700000000.{sequence:06}")));
            assert_eq!((part.body, last), (picture(sequence), false));
        }
        let rendition = scene.gate.demand()[0].rendition;
        assert_eq!((rendition.size.width, rendition.size.height, rendition.quality), (640, 360, 50));
    });
}

#[test]
fn last_picture_is_repeated_while_the_camera_is_live() {
    play(
        |limits| limits.repeat = Duration::from_millis(20),
        async |scene| {
            scene.go_live();
            let mut viewer = Viewer::open(scene, "/live/gate").await;
            scene.publish(7).await;
            viewer.until("\u{feff}picture 7").await;
            for _ in 0..3 {
                assert_eq!(viewer.sequence().await, 7);
            }
        },
    );
}

#[test]
fn stalled_camera_shows_the_card_and_never_its_old_picture_again() {
    play(
        |limits| limits.repeat = Duration::from_millis(10),
        async |scene| {
            scene.go_live();
            let mut viewer = Viewer::open(scene, "/live/gate?size=320x180").await;
            scene.publish(7).await;
            viewer.until("\u{feff}picture 7").await;
            scene.gate.report(State::Stalled, "no frame for 5.0 s", Instant::now());
            let (card, _) = viewer.until("card").await;
            assert_eq!(card.text(), "card 320x180 stalled no frame for 5.0 s");
            assert_eq!(card.header("x-state"), Some("stalled"));
            for _ in 0..5 {
                assert!(viewer.part().await.0.text().starts_with("card"));
            }
            scene.gate.report(State::Offline, "gone", Instant::now());
            viewer.until("card 320x180 offline gone").await;
            // Live again, but without a picture yet: still no old one.
            scene.go_live();
            viewer.until("card 320x180 connecting waiting for the first picture").await;
            scene.publish(8).await;
            while viewer.sequence().await != 8 {}
        },
    );
}

#[test]
fn removed_camera_ends_its_viewers_with_a_card() {
    play(without_repeats, async |scene| {
        scene.go_live();
        let mut viewer = Viewer::open(scene, "/live/gate").await;
        scene.publish(1).await;
        assert_eq!(viewer.sequence().await, 1);
        scene.hub.replace_streams(vec![]);
        let (card, last) = viewer.part().await;
        assert!(card.text().contains("offline") && last, "{}", card.text());
        assert!(viewer.client.ended().await);
        eventually(|| scene.web.viewers() == 0).await;
    });
}

#[test]
fn stopping_agent_leaves_a_card_on_the_screen() {
    play(without_repeats, async |scene| {
        scene.go_live();
        let mut viewer = Viewer::open(scene, "/live/gate").await;
        scene.publish(1).await;
        assert_eq!(viewer.sequence().await, 1);
        scene.web.shutdown();
        let (card, last) = viewer.part().await;
        assert!(card.text().contains("stopped") && last, "{}", card.text());
    });
}

#[test]
fn viewer_that_stops_reading_costs_only_itself_its_pictures() {
    let stuck = |limits: &mut super::super::Limits| {
        without_repeats(limits);
        limits.write_stall = Duration::from_secs(3600);
    };
    play(stuck, async |scene| {
        scene.go_live();
        let _stuck = Viewer::open(scene, "/live/gate").await;
        let mut reader = Viewer::open(scene, "/live/gate").await;
        scene.publish(1).await;
        assert_eq!(reader.sequence().await, 1);
        // 300 pictures of 256 KiB: far more than all buffers between here and the stuck viewer
        // hold.
        for sequence in 2..=300 {
            scene.publish_large(sequence, vec![7; 256 << 10]);
            assert_eq!(reader.sequence().await, sequence, "the other viewer gets every picture");
        }
        let status = scene.gate.status(Instant::now());
        assert!(status.skipped > 100, "the stuck viewer's are replaced, not queued: {}", status.skipped);
        assert_eq!(status.viewers, 2);
    });
}

#[test]
fn viewer_that_takes_nothing_is_let_go() {
    let impatient = |limits: &mut super::super::Limits| {
        without_repeats(limits);
        limits.write_stall = Duration::from_millis(100);
    };
    play(impatient, async |scene| {
        scene.go_live();
        let _stuck = Viewer::open(scene, "/live/gate").await;
        let mut sequence = 0;
        let (web, gate) = (&scene.web, &scene.gate);
        let feeding = async {
            while web.viewers() > 0 {
                sequence += 1;
                scene.publish_large(sequence, vec![7; 256 << 10]);
                smol::Timer::after(Duration::from_millis(1)).await;
            }
        };
        in_time(feeding).await;
        assert!(gate.demand().is_empty(), "nobody is left who wants pictures");
    });
}

#[test]
fn viewer_that_leaves_gives_up_its_seat_at_once() {
    play(without_repeats, async |scene| {
        scene.go_live();
        let viewer = Viewer::open(scene, "/live/gate").await;
        eventually(|| scene.gate.demand().len() == 1).await;
        drop(viewer);
        eventually(|| scene.gate.demand().is_empty() && scene.web.viewers() == 0).await;
    });
}

#[test]
fn one_viewer_too_many_is_told_to_come_back() {
    play(without_repeats, async |scene| {
        scene.web.set_admission_limits(AdmissionLimits { viewers: 1, own: 0, ..AdmissionLimits::default() });
        let _first = Viewer::open(scene, "/live/gate").await;
        let reply = scene.get("/live/gate").await;
        assert_eq!((reply.status, reply.header("retry-after")), (503, Some("5")));
        assert!(reply.json()["error"].as_str().unwrap().contains("viewers"));
        assert_eq!(scene.get("/api/cameras").await.status, 200, "the rest still answers");
    });
}

#[test]
fn snapshot_waits_for_the_first_picture() {
    play(
        |limits| limits.first_picture = super::scene::LONG,
        async |scene| {
            scene.go_live();
            let (reply, ()) = smol::future::zip(scene.get("/snapshot/gate?q=33"), scene.publish(5)).await;
            assert_eq!((reply.status, reply.header("content-type")), (200, Some("image/jpeg")));
            assert_eq!(reply.header("x-sequence"), Some("5"));
            assert_eq!(reply.header("x-timestamp"), Some("1700000000.000005"));
            assert_eq!(reply.body, picture(5));
            assert!(scene.gate.demand().is_empty());
        },
    );
}

#[test]
fn snapshot_takes_a_seat_while_it_waits() {
    play(
        |limits| limits.first_picture = super::scene::LONG,
        async |scene| {
            scene.web.set_admission_limits(AdmissionLimits { viewers: 1, own: 0, ..AdmissionLimits::default() });
            scene.go_live();
            let others = async {
                eventually(|| scene.web.viewers() == 1).await;
                for path in ["/snapshot/gate?q=34", "/live/gate?q=34"] {
                    let refused = scene.get(path).await;
                    assert_eq!(
                        (refused.status, &refused.json()["limit"]["setting"]),
                        (503, &"viewers".into()),
                        "{path}"
                    );
                }
                assert_eq!(scene.gate.demand().len(), 1);
                scene.publish(5).await;
            };
            let (reply, ()) = smol::future::zip(scene.get("/snapshot/gate?q=33"), others).await;
            assert_eq!((reply.status, scene.web.viewers()), (200, 0));
        },
    );
}

#[test]
fn snapshot_without_a_live_picture_is_the_card_with_503() {
    play(
        |limits| limits.first_picture = Duration::from_millis(30),
        async |scene| {
            scene.gate.report(State::Denied, "wrong password", Instant::now());
            let reply = scene.get("/snapshot/gate?size=640x480").await;
            assert_eq!((reply.status, reply.header("content-type")), (503, Some("image/jpeg")));
            assert_eq!(reply.text(), "card 640x480 denied wrong password");
            scene.go_live();
            let reply = scene.get("/snapshot/gate?size=640x480").await;
            assert_eq!(reply.status, 503);
            assert!(reply.text().starts_with("card 640x360 connecting no picture"), "{}", reply.text());
        },
    );
}

#[test]
fn viewer_that_slept_through_a_stall_does_not_wake_up_to_an_old_picture() {
    play(
        |limits| limits.repeat = Duration::from_millis(10),
        async |scene| {
            scene.go_live();
            let rendition_request = RenditionRequest { size: None, quality: None, fps: None };
            let visitor = Visitor { address: scene.address.ip(), is_https: false, is_loopback: true };
            let principal = Principal::of_visitor(visitor, &scene.web.users).unwrap();
            let wanted = Wanted {
                channel: scene.hub.channel("gate").unwrap(),
                rendition_request,
                principal,
                origin: visitor.origin(),
            };
            let mut frames = Frames::new(&scene.web, &wanted).unwrap();
            scene.publish(7).await;
            while in_time(frames.next()).await.sequence != 7 {}
            // Nothing requests frames while the camera is away and comes back, as during a long
            // write.
            scene.publish(8).await;
            scene.gate.report(State::Stalled, "no frame for 5.0 s", Instant::now());
            scene.go_live();
            for _ in 0..3 {
                let frame = in_time(frames.next()).await;
                assert_eq!((frame.sequence, frame.state), (0, State::Connecting));
            }
        },
    );
}

#[test]
fn stream_with_a_name_is_told_with_its_rate_and_one_without_is_not() {
    play(without_repeats, async |scene| {
        scene.go_live();
        let mut named = Viewer::open(scene, "/live/gate?viewer=wall-1").await;
        let _nameless = Viewer::open(scene, "/live/gate").await;
        for sequence in 1..=6 {
            scene.publish(sequence).await;
            named.until(&format!("\u{feff}picture {sequence}")).await;
        }
        let viewers = loop {
            // The picture arrives here before the agent has recorded that it was delivered.
            let viewers = scene.get("/api/cameras").await.json()["cameras"][0]["streams"].clone();
            if viewers[0]["fps"].as_f64().unwrap() >= 2.0 {
                break viewers;
            }
        };
        assert_eq!(viewers.as_array().unwrap().len(), 1);
        assert_eq!(viewers[0]["viewer"], "wall-1");
        assert!(viewers[0]["age"].as_f64().unwrap() > 1000.0, "by the picture's own time: {viewers}");
        drop(named);
        while scene.get("/api/cameras").await.json()["cameras"][0]["streams"][0]["viewer"] == "wall-1" {}
    });
}
