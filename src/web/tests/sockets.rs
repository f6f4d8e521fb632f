//! The wall socket and the old protocol, used by tungstenite's client.

use std::time::{Duration, Instant};

use async_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest, protocol::frame::coding::CloseCode},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use smol::{future::FutureExt, net::TcpStream, stream::StreamExt};

use super::super::AdmissionLimits;
use super::scene::{LONG, Scene, eventually, in_time, picture, play, stream};
use crate::{camera::State, hub::ViewerOrigin, text::Code};

pub(super) struct Page(pub(super) WebSocketStream<TcpStream>);

/// One parsed binary frame.
#[derive(Debug, PartialEq)]
struct Frame {
    tile: u8,
    flags: u8,
    sequence: u32,
    taken: u64,
    payload: Vec<u8>,
}

async fn open(scene: &Scene, path: &str, headers: &[(&'static str, &str)]) -> Result<Page, u16> {
    let stream = TcpStream::connect(scene.address).await.unwrap();
    let mut request = format!("ws://{}{path}", scene.address).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    match in_time(client_async(request, stream)).await {
        Ok((socket, _)) => Ok(Page(socket)),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        // The client checks that the server chose one of its subprotocols.
        Err(error) => panic!("{error}"),
    }
}

const WALL: (&str, &str) = ("sec-websocket-protocol", "other, cctv.wall.1");

impl Page {
    pub(super) async fn wall(scene: &Scene) -> Self {
        open(scene, "/ws", &[WALL]).await.unwrap()
    }

    pub(super) async fn say(&mut self, value: Value) {
        in_time(self.0.send(Message::text(value.to_string()))).await.unwrap();
    }

    pub(super) async fn message(&mut self) -> Message {
        loop {
            match in_time(self.0.next()).await.unwrap().unwrap() {
                Message::Ping(_) | Message::Pong(_) => {}
                message => return message,
            }
        }
    }

    pub(super) async fn next_message(&mut self) -> Value {
        match self.message().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            message => panic!("no text: {message:?}"),
        }
    }

    async fn frame(&mut self) -> Frame {
        let Message::Binary(bytes) = self.message().await else { panic!("no picture") };
        assert_eq!(bytes[..2], [1, 1], "version 1, JPEG");
        Frame {
            tile: bytes[2],
            flags: bytes[3],
            sequence: u32::from_le_bytes(bytes[4..8].try_into().unwrap()),
            taken: u64::from_le_bytes(bytes[8..16].try_into().unwrap()),
            payload: bytes[16..].to_vec(),
        }
    }

    /// When it returns, everything sent before was processed and answered; a picture in between is
    /// an error.
    pub(super) async fn settle(&mut self) {
        self.say(json!({"ping": 99})).await;
        assert_eq!(self.next_message().await["pong"], 99);
    }

    async fn close_code(&mut self) -> CloseCode {
        loop {
            match in_time(self.0.next()).await {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code,
                Some(Ok(_)) => {}
                other => panic!("not closed properly: {other:?}"),
            }
        }
    }
}

fn tile(number: u8, camera: &str) -> Value {
    json!({"tile": number, "camera": camera, "size": [640, 360], "fps": 15, "accept": ["webp", "jpeg"]})
}

/// A picture is sent only after the previous one was drawn.
pub(super) fn strict(limits: &mut super::super::Limits) {
    limits.drawn = Duration::from_secs(3600);
}

#[test]
fn tile_is_told_its_state_and_sent_its_pictures_one_drawn_at_a_time() {
    play(strict, async |scene| {
        let mut page = Page::wall(scene).await;
        page.say(json!({"show": [tile(3, "gate")]})).await;
        let state = page.next_message().await;
        assert_eq!(
            (&state["tile"], &state["camera"], &state["name"]),
            (&3.into(), &"gate".into(), &"Camera gate".into())
        );
        assert_eq!((&state["state"], &state["why"]), (&"connecting".into(), &"starting".into()));
        assert!(state["size"].is_null());
        scene.go_live();
        let mut state = page.next_message().await;
        while state["state"] != "live" {
            state = page.next_message().await;
        }
        assert_eq!(
            (&state["format"], &state["size"], &state["fps"]),
            (&"jpeg".into(), &json!([1280, 720]), &25.0.into())
        );

        scene.publish(10).await;
        let first = page.frame().await;
        let expected = Frame { tile: 3, flags: 1, sequence: 10, taken: 1_700_000_000_000_010, payload: picture(10) };
        assert_eq!(first, expected);
        // Not drawn yet: three newer ones come and go.
        for sequence in 11..=13 {
            scene.publish(sequence).await;
            page.settle().await;
        }
        page.say(json!({"drawn": {"3": 10, "77": 1}})).await;
        let second = page.frame().await;
        assert_eq!((second.sequence, second.flags), (13, 3), "the newest, and the page sees that some were skipped");
        page.say(json!({"drawn": {"3": 13}})).await;
        scene.publish(14).await;
        let third = page.frame().await;
        assert_eq!((third.sequence, third.flags), (14, 1));
        assert_eq!(scene.gate.status(Instant::now()).skipped, 2);
        assert_eq!(scene.gate.demand()[0].rendition.fps, 15);
    });
}

#[test]
fn page_that_never_reports_still_gets_pictures() {
    play(
        |limits| limits.drawn = Duration::from_millis(20),
        async |scene| {
            scene.go_live();
            let mut page = Page::wall(scene).await;
            page.say(json!({"show": [tile(0, "gate")]})).await;
            assert_eq!(page.next_message().await["state"], "live");
            for sequence in 1..=3 {
                scene.publish(sequence).await;
                assert_eq!(page.frame().await.sequence, sequence);
            }
        },
    );
}

#[test]
fn held_picture_of_a_stalled_camera_is_never_sent() {
    play(strict, async |scene| {
        scene.go_live();
        let mut page = Page::wall(scene).await;
        page.say(json!({"show": [tile(0, "gate")]})).await;
        assert_eq!(page.next_message().await["state"], "live");
        scene.publish(1).await;
        assert_eq!(page.frame().await.sequence, 1);
        scene.publish(2).await;
        page.settle().await;
        scene.gate.report(State::Stalled, Code::NoFrame.with("seconds", 5.0), Instant::now());
        let state = page.next_message().await;
        assert_eq!((&state["state"], &state["why"]), (&"stalled".into(), &"no frame for 5.0 s".into()));
        let part = json!({ "code": "no_frame", "params": { "seconds": 5 }, "text": "no frame for 5.0 s" });
        assert_eq!(state["reason"], json!([part]));
        page.say(json!({"drawn": {"0": 1}})).await;
        page.settle().await;
        scene.go_live();
        assert_eq!(page.next_message().await["state"], "live");
        scene.publish(3).await;
        assert_eq!(page.frame().await.sequence, 3);
    });
}

#[test]
fn show_replaces_the_set_and_keeps_the_seats_that_stay() {
    play(strict, async |scene| {
        scene.go_live();
        let mut page = Page::wall(scene).await;
        page.say(json!({"show": [tile(0, "gate"), tile(1, "porch")]})).await;
        let (one, two) = (page.next_message().await, page.next_message().await);
        assert_eq!((&one["camera"], &two["camera"]), (&"gate".into(), &"porch".into()));
        let mut larger = tile(0, "gate");
        larger["size"] = json!([1280, 720]);
        page.say(json!({"show": [larger, tile(2, "gate")]})).await;
        let state = page.next_message().await;
        assert_eq!((&state["tile"], &state["camera"]), (&2.into(), &"gate".into()), "tile 0 is not sent again");
        eventually(|| scene.gate.demand().len() == 2).await;
        assert_eq!(scene.hub.channel("porch").unwrap().status(Instant::now()).viewers, 0);
        page.say(json!({"show": []})).await;
        page.settle().await;
        eventually(|| scene.gate.demand().is_empty()).await;
    });
}

#[test]
fn camera_that_comes_back_into_the_configuration_is_shown_again() {
    play(strict, async |scene| {
        let mut page = Page::wall(scene).await;
        page.say(json!({"show": [tile(0, "yard")]})).await;
        assert!(page.next_message().await["error"].as_str().unwrap().contains("yard"));
        let state = page.next_message().await;
        assert_eq!((&state["state"], &state["why"]), (&"offline".into(), &"not in cameras.toml".into()));
        scene.hub.replace_streams(vec![stream("yard")]);
        assert_eq!(page.next_message().await["state"], "connecting");
        scene.hub.replace_streams(vec![]);
        assert_eq!(page.next_message().await["why"], "no longer in the configuration");
    });
}

#[test]
fn complaints_are_told_at_the_beginning_and_at_each_change() {
    play(strict, async |scene| {
        scene.web.agent_status.set_complaints(vec!["cameras.toml:1:1: no".into()]);
        let mut page = Page::wall(scene).await;
        assert_eq!(page.next_message().await, json!({"config": ["cameras.toml:1:1: no"]}));
        scene.web.agent_status.set_complaints(vec![]);
        assert_eq!(page.next_message().await, json!({"config": []}));
    });
}

#[test]
fn wrong_messages_are_answered_until_patience_ends() {
    play(
        |limits| limits.bad_messages = 3,
        async |scene| {
            let mut page = Page::wall(scene).await;
            page.say(json!({"show": [{"tile": 0, "camera": "gate", "accept": ["webp"]}]})).await;
            assert!(page.next_message().await["error"].as_str().unwrap().contains("jpeg"));
            for text in ["{", "[]", "{\"what\":1}"] {
                in_time(page.0.send(Message::text(text))).await.unwrap();
                assert!(page.next_message().await["error"].is_string());
            }
            assert_eq!(page.close_code().await, CloseCode::Policy);
            eventually(|| scene.web.viewers() == 0).await;
        },
    );
}

#[test]
fn message_that_is_too_long_ends_the_socket() {
    play(
        |_| {},
        async |scene| {
            let mut page = Page::wall(scene).await;
            in_time(page.0.send(Message::text("x".repeat(65 << 10)))).await.unwrap();
            assert_eq!(page.close_code().await, CloseCode::Policy);
        },
    );
}

#[test]
fn silent_socket_is_pinged_and_then_closed() {
    let short = |limits: &mut super::super::Limits| {
        (limits.ping, limits.silence) = (Duration::from_millis(10), Duration::from_millis(100));
    };
    play(short, async |scene| {
        let mut alive = Page::wall(scene).await;
        // The client answers pings as long as it reads; a text or a close would end this.
        let mut pings = 0;
        while pings < 15 {
            match in_time(alive.0.next()).await.unwrap().unwrap() {
                Message::Ping(_) => pings += 1,
                other => panic!("{other:?}"),
            }
        }
        // The client stops reading and so answers no more pings.
        eventually(|| scene.web.viewers() == 0).await;
    });
}

#[test]
fn stopping_agent_says_goodbye() {
    play(strict, async |scene| {
        let mut page = Page::wall(scene).await;
        scene.web.shutdown();
        assert_eq!(page.close_code().await, CloseCode::Away);
    });
}

#[test]
fn viewers_of_an_address_that_is_left_are_told_and_others_are_not() {
    play(strict, async |scene| {
        let mut stays = Page::wall(scene).await;
        let listener = smol::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let old = Scene { address: listener.local_addr().unwrap(), ..scene.clone() };
        let door = std::sync::Arc::new(scene.web.for_listener());
        let serving = super::super::serve(listener, std::sync::Arc::clone(&door));
        let leave = async {
            let mut goes = Page::wall(&old).await;
            door.leave(format!("the wall is at {} now", "ä".repeat(100)));
            let Message::Close(Some(frame)) = goes.message().await else { panic!("not closed") };
            assert_eq!(frame.code, CloseCode::Away);
            assert!(frame.reason.starts_with("the wall is at ä"), "{}", frame.reason);
        };
        smol::future::zip(serving, leave).await;
        assert!(TcpStream::connect(old.address).await.is_err(), "nobody listens there any more");
        stays.say(json!({"ping": 1})).await;
        assert_eq!(stays.next_message().await["pong"], 1);
    });
}

#[test]
fn only_our_own_page_may_open_a_socket() {
    play(strict, async |scene| {
        let own = format!("http://{}", scene.address);
        assert!(open(scene, "/ws", &[WALL, ("origin", &own)]).await.is_ok());
        assert!(open(scene, "/ws/gate", &[("origin", &own)]).await.is_ok());
        for path in ["/ws", "/ws/gate"] {
            assert_eq!(open(scene, path, &[WALL, ("origin", "http://evil.example")]).await.err(), Some(403));
            let rebound = [WALL, ("host", "evil.example"), ("origin", "http://evil.example")];
            assert_eq!(open(scene, path, &rebound).await.err(), Some(421));
        }
        assert_eq!(open(scene, "/ws", &[]).await.err(), Some(400), "no subprotocol");
        assert_eq!(open(scene, "/ws", &[("sec-websocket-protocol", "cctv.wall.2")]).await.err(), Some(400));
        assert_eq!(open(scene, "/ws", &[WALL, ("sec-websocket-version", "8")]).await.err(), Some(426));
        assert_eq!(open(scene, "/ws/nobody", &[]).await.err(), Some(404));
        eventually(|| scene.web.viewers() == 0).await;
    });
}

#[test]
fn full_house_refuses_one_more_socket() {
    play(
        |_| {},
        async |scene| {
            scene.web.set_admission_limits(AdmissionLimits { viewers: 1, own: 0, ..AdmissionLimits::default() });
            let _first = Page::wall(scene).await;
            assert_eq!(open(scene, "/ws", &[WALL]).await.err(), Some(503));
        },
    );
}

#[test]
fn flood_of_messages_is_read_later_and_loses_none() {
    play(
        |_| {},
        async |scene| {
            let mut page = Page::wall(scene).await;
            let (count, began) = (61, Instant::now());
            for number in 0..count {
                page.say(json!({"ping": number})).await;
            }
            for number in 0..count {
                assert_eq!(page.next_message().await["pong"], number);
            }
            let took = began.elapsed();
            assert!(took >= Duration::from_secs(1), "40 messages beyond a second's worth take two seconds: {took:?}");
        },
    );
}

#[test]
fn reports_of_what_was_drawn_are_read_at_once() {
    play(
        |_| {},
        async |scene| {
            let mut page = Page::wall(scene).await;
            // As many commands would take more than a minute.
            let began = Instant::now();
            for number in 0..1500 {
                page.say(json!({"drawn": {"0": number}})).await;
            }
            page.settle().await;
            assert!(began.elapsed() < LONG);
        },
    );
}

#[test]
fn old_page_that_changes_its_size_all_the_time_is_read_later() {
    play(
        |limits| limits.repeat = LONG,
        async |scene| {
            scene.go_live();
            let mut page = open(scene, "/ws/gate?size=320x180", &[]).await.unwrap();
            let began = Instant::now();
            for _ in 0..60 {
                page.say(json!({"act": "resize", "resolution": [320, 180]})).await;
            }
            page.say(json!({"act": "resize", "resolution": [640, 360]})).await;
            eventually(|| scene.gate.demand()[0].rendition.size.width == 640).await;
            assert!(began.elapsed() >= Duration::from_secs(1));
        },
    );
}

#[test]
fn tile_with_one_rendition_too_many_says_which_setting_raises_the_bound() {
    play(
        |limits| limits.refused_tile = Duration::from_millis(20),
        async |scene| {
            scene.go_live();
            scene.gate.allow_renditions(1, 4);
            // As many as the own screen always gets.
            let _others = [7, 8].map(|quality| {
                let request = crate::media::RenditionRequest { size: None, quality: Some(quality), fps: None };
                scene.gate.subscribe(request, ViewerOrigin::Own).unwrap()
            });
            let mut page = Page::wall(scene).await;
            page.say(json!({"show": [tile(0, "gate")]})).await;
            let state = page.next_message().await;
            assert_eq!(state["state"], "connecting");
            assert!(state["why"].as_str().unwrap().contains("`renditions` below [limits]"), "{state}");
            scene.gate.allow_renditions(3, 4);
            assert_eq!(page.next_message().await["state"], "live");
        },
    );
}

/// The next picture of the old protocol, put together as its pages do.
async fn legacy_picture(page: &mut Page) -> Vec<u8> {
    let Message::Text(head) = page.message().await else { panic!("no text") };
    let count: usize = head.strip_prefix("::").unwrap().strip_suffix("::").unwrap().parse().unwrap();
    let mut joined = String::new();
    for number in 1..=count {
        let Message::Text(piece) = page.message().await else { panic!("no text") };
        let piece = piece.strip_prefix(&*format!("~{number}~")).unwrap().to_owned();
        assert!(piece.len() <= 32 << 10);
        joined.push_str(&piece);
    }
    BASE64_STANDARD.decode(joined.strip_prefix("data:image/jpeg;base64,").unwrap()).unwrap()
}

#[test]
fn old_pages_get_pictures_and_cards_in_pieces() {
    play(
        |limits| limits.repeat = LONG,
        async |scene| {
            scene.go_live();
            let mut page = open(scene, "/ws/gate?size=320x180", &[]).await.unwrap();
            scene.publish(1).await;
            assert_eq!(legacy_picture(&mut page).await, picture(1));
            let large: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
            scene.publish_large(2, large.clone());
            assert_eq!(legacy_picture(&mut page).await, large);
            assert_eq!(scene.gate.demand()[0].rendition.size.width, 320);
            page.say(json!({"act": "resize", "resolution": [640, 360]})).await;
            eventually(|| scene.gate.demand()[0].rendition.size.width == 640).await;
            scene.gate.report(State::Stalled, "silent", Instant::now());
            assert_eq!(legacy_picture(&mut page).await, b"card 640x360 stalled silent");
            scene.hub.replace_streams(vec![]);
            assert!(String::from_utf8(legacy_picture(&mut page).await).unwrap().contains("offline"));
            assert_eq!(page.close_code().await, CloseCode::Away);
        },
    );
}

#[test]
fn one_stuck_wall_does_not_hold_up_another() {
    play(
        |limits| limits.drawn = Duration::ZERO,
        async |scene| {
            scene.go_live();
            let mut stuck = Page::wall(scene).await;
            let mut page = Page::wall(scene).await;
            for page in [&mut stuck, &mut page] {
                page.say(json!({"show": [tile(0, "gate")]})).await;
                assert_eq!(page.next_message().await["state"], "live");
            }
            scene.publish(1).await;
            assert_eq!(page.frame().await.sequence, 1);
            for sequence in 2..=200 {
                scene.publish_large(sequence, vec![7; 256 << 10]);
                let arriving = async { Some(page.frame().await.sequence) };
                let arrived = arriving.or(async {
                    smol::Timer::after(LONG).await;
                    None
                });
                assert_eq!(arrived.await, Some(sequence));
            }
            assert!(scene.gate.status(Instant::now()).skipped > 50);
        },
    );
}
