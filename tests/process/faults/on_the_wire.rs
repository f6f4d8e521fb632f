//! Each fault of the virtual camera does what its manual says, as seen by an independent player.

use std::time::{Duration, Instant};

use crate::{
    faults::player::{Event, Player},
    support::{Cameras, PATIENCE, wait_for},
};

/// Long enough for dozens of frames. Within this time nothing unwanted may arrive.
const WHILE: Duration = Duration::from_millis(1500);

/// How long a player waits for its first frame.
const TRY: Duration = Duration::from_secs(5);

const CAMERA: &str = "id=gate size=320x184 small=none gop=5";

fn packets(events: &[Event], on: u8) -> Vec<&[u8]> {
    let of = |event| match event {
        &Event::Packet(channel, ref bytes) if channel == on => Some(&bytes[..]),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

/// Plays until `wanted` returns a value, and returns it.
fn until<T>(player: &mut Player, what: &str, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        if let Some(found) = player.event().and_then(|event| wanted(&event)) {
            return found;
        }
    }
}

fn frame(event: &Event) -> Option<Vec<u8>> {
    match event {
        Event::Packet(0, bytes) => Some(bytes.clone()),
        _ => None,
    }
}

/// A camera that is being played; at least one frame has arrived.
fn playing(description: &str) -> (Cameras, Player) {
    let cameras = Cameras::start(&[description]);
    let mut player = Player::connect(&cameras.stream("gate"));
    player.play().unwrap();
    until(&mut player, "a frame", frame);
    (cameras, player)
}

/// The NAL unit types in an H.264 packet: a single unit, a fragment, or an aggregate with lengths.
fn units(packet: &[u8]) -> Vec<u8> {
    match packet[12] & 0x1f {
        28 => vec![packet[13] & 0x1f],
        24 => {
            let (mut kinds, mut rest) = (Vec::new(), &packet[13..]);
            while let [high, low, unit @ ..] = rest {
                kinds.push(unit[0] & 0x1f);
                rest = &unit[usize::from(*high) << 8 | usize::from(*low)..];
            }
            kinds
        }
        kind => vec![kind],
    }
}

fn holds_key(packet: &[u8]) -> bool {
    units(packet).iter().any(|kind| matches!(kind, 5 | 7 | 8))
}

fn timestamp(packet: &[u8]) -> u32 {
    u32::from_be_bytes(packet[4..8].try_into().unwrap())
}

#[test]
fn stalled_camera_answers_and_frozen_one_does_not() {
    for (fault, answers) in [("stall", true), ("freeze", false)] {
        let (cameras, mut player) = playing(CAMERA);
        cameras.fault("gate", fault);
        // Skip what was already in transit.
        player.listen(Duration::from_millis(300));
        player.keep_alive();
        let events = player.listen(WHILE);
        assert_eq!(packets(&events, 0).len(), 0, "{fault}: {events:?}");
        let answered = events.iter().any(|event| matches!(event, Event::Message(line) if line.contains(" 200 ")));
        assert_eq!(answered, answers, "{fault}: {events:?}");
        assert!(!events.contains(&Event::Closed), "{fault}");
        if !answers {
            assert!(events.is_empty(), "{events:?}");
            // The kernel accepts another connection, and nothing else happens.
            let mut other = Player::connect(&cameras.stream("gate"));
            other.keep_alive();
            assert_eq!(other.listen(WHILE), []);
        }
        cameras.fault("gate", "resume");
        until(&mut player, "a frame after the fault", frame);
    }
}

#[test]
fn garbage_payload_has_whole_headers_and_framing() {
    let (cameras, mut player) = playing(CAMERA);
    let before = player.listen(WHILE);
    let sound = packets(&before, 0);
    cameras.fault("gate", "garbage-payload");
    player.listen(Duration::from_millis(300));
    let events = player.listen(WHILE);
    let garbage = packets(&events, 0);
    assert!(garbage.len() > 1, "{}", garbage.len());
    let in_order = |pair: &[&[u8]]| {
        u16::from_be_bytes([pair[1][2], pair[1][3]]).wrapping_sub(u16::from_be_bytes([pair[0][2], pair[0][3]])) == 1
    };
    assert!(garbage.windows(2).all(in_order) && garbage.iter().all(|packet| packet[0] == 0x80));
    assert!(!events.iter().any(|event| matches!(event, Event::Noise(_))));
    // This encoder makes NAL units of two or three types; random bytes contain all types.
    let kinds =
        |packets: &[&[u8]]| packets.iter().map(|packet| packet[12]).collect::<std::collections::BTreeSet<_>>().len();
    assert!(kinds(&sound) <= 6 && kinds(&garbage) > 8, "{} and {}", kinds(&sound), kinds(&garbage));
}

#[test]
fn key_frames_cease_and_no_session_gets_one_any_more() {
    let (cameras, mut player) = playing(CAMERA);
    let keys = |events: &[Event]| packets(events, 0).iter().filter(|packet| holds_key(packet)).count();
    assert!(keys(&player.listen(WHILE)) > 0, "a key frame comes every five frames");
    cameras.fault("gate", "no-key-frames");
    // A frame already in transit still arrives.
    player.listen(Duration::from_millis(800));
    let events = player.listen(WHILE);
    assert!(packets(&events, 0).len() > 1);
    assert_eq!(keys(&events), 0);
    drop(player);
    let mut player = Player::connect(&cameras.stream("gate"));
    player.play().unwrap();
    let events = player.listen(WHILE);
    assert!(packets(&events, 0).len() > 1);
    assert_eq!(keys(&events), 0);
    cameras.fault("gate", "resume");
    until(&mut player, "a key frame", |event| frame(event).filter(|packet| units(packet).contains(&5)));
}

#[test]
fn truncated_units_are_about_half_as_long() {
    // One packet per frame, all of one type: MJPEG of a small picture.
    let (cameras, mut player) = playing("id=gate codec=mjpeg size=160x96 small=none");
    let longest = |events: &[Event]| packets(events, 0).iter().map(|packet| packet.len()).max().unwrap();
    let whole: usize = packets(&player.listen(WHILE), 0).iter().map(|packet| packet.len()).sum();
    cameras.fault("gate", "truncate");
    player.listen(Duration::from_millis(300));
    let events = player.listen(WHILE);
    let cut: usize = packets(&events, 0).iter().map(|packet| packet.len()).sum();
    assert!(longest(&events) > 100 && cut < whole * 3 / 4, "{cut} of {whole} bytes");
}

#[test]
fn sound_goes_on_without_the_picture() {
    let (cameras, mut player) = playing("id=gate size=320x184 small=none audio=on");
    let events = player.listen(WHILE);
    assert!(!packets(&events, 0).is_empty() && !packets(&events, 2).is_empty(), "picture and sound");
    cameras.fault("gate", "audio-only");
    player.listen(Duration::from_millis(300));
    let events = player.listen(WHILE);
    assert_eq!(packets(&events, 0).len(), 0);
    assert!(packets(&events, 2).len() > 1);

    cameras.fault("gate", "resume");
    cameras.fault("gate", "no-video");
    until(&mut player, "the end", |event| (*event == Event::Closed).then_some(()));
    let mut player = Player::connect(&cameras.stream("gate"));
    let sdp = player.play().unwrap();
    assert!(sdp.contains("m=audio") && !sdp.contains("m=video"), "{sdp}");
    assert!(packets(&player.listen(WHILE), 0).len() > 1, "sound");
}

#[test]
fn slow_camera_sends_a_frame_now_and_then_and_resumes_at_once() {
    let (cameras, mut player) = playing(CAMERA);
    cameras.fault("gate", "slow?seconds=20");
    player.listen(Duration::from_millis(300));
    assert_eq!(packets(&player.listen(WHILE), 0).len(), 0);
    let resumed = Instant::now();
    cameras.fault("gate", "resume");
    until(&mut player, "a frame", frame);
    eprintln!("a frame {:?} after resume", resumed.elapsed());

    cameras.fault("gate", "trickle");
    player.listen(Duration::from_millis(300));
    let before = player.unfinished();
    let events = player.listen(WHILE);
    assert_eq!(events, [], "no whole packet");
    let trickled = player.unfinished() - before;
    assert!((1..100).contains(&trickled), "{trickled} bytes");
    cameras.fault("gate", "resume");
    until(&mut player, "the end of a connection that makes no sense", |event| (*event == Event::Closed).then_some(()));
}

#[test]
fn garbage_framing_is_no_interleaved_packet() {
    let (cameras, mut player) = playing(CAMERA);
    cameras.fault("gate", "garbage-framing");
    until(&mut player, "noise", |event| matches!(event, Event::Noise(_)).then_some(()));
    player.listen(Duration::from_millis(300));
    let events = player.listen(WHILE);
    assert!(events.iter().all(|event| matches!(event, Event::Noise(_))), "{events:?}");
    assert!(!events.is_empty());
    cameras.fault("gate", "resume");
    until(&mut player, "the end of a connection that makes no sense", |event| (*event == Event::Closed).then_some(()));
    let mut player = Player::connect(&cameras.stream("gate"));
    player.play().unwrap();
    until(&mut player, "a frame", frame);
}

#[test]
fn full_camera_refuses_a_further_session_and_keeps_the_first() {
    let (cameras, mut player) = playing(&format!("{CAMERA} sessions=1"));
    let refused = |cameras: &Cameras| Player::connect(&cameras.stream("gate")).play().unwrap_err();
    assert!(refused(&cameras).contains(" 453 "), "{}", refused(&cameras));
    cameras.fault("gate", "full?status=503");
    assert!(refused(&cameras).contains(" 503 "), "{}", refused(&cameras));
    until(&mut player, "a frame of the first session", frame);
    cameras.fault("gate", "resume");
    drop(player);
    wait_for("room", || Player::connect(&cameras.stream("gate")).play().ok());
}

#[test]
fn camera_takes_leave_by_rtcp_or_by_rtsp() {
    let (cameras, mut player) = playing(CAMERA);
    cameras.fault("gate", "bye");
    // Compound RTCP: a report, a description, and the goodbye (type 203).
    let is_bye = |event: &Event| match event {
        Event::Packet(1, bytes) => {
            let mut rest = &bytes[..];
            while rest.len() >= 4 {
                if rest[1] == 203 {
                    return Some(());
                }
                let length = 4 * (usize::from(u16::from_be_bytes([rest[2], rest[3]])) + 1);
                rest = rest.get(length..).unwrap_or_default();
            }
            None
        }
        _ => None,
    };
    until(&mut player, "RTCP BYE", is_bye);
    until(&mut player, "the end", |event| (*event == Event::Closed).then_some(()));

    // The server may still be closing the stream: like every player, this one retries if nothing
    // comes.
    let mut player = wait_for("a frame", || {
        let mut player = Player::connect(&cameras.stream("gate"));
        player.play().ok()?;
        let given_up = Instant::now() + TRY;
        while Instant::now() < given_up {
            if player.event().is_some_and(|event| frame(&event).is_some()) {
                return Some(player);
            }
        }
        None
    });
    cameras.fault("gate", "teardown");
    let teardown = |event: &Event| matches!(event, Event::Message(line) if line.starts_with("TEARDOWN")).then_some(());
    until(&mut player, "TEARDOWN", teardown);
    until(&mut player, "the end", |event| (*event == Event::Closed).then_some(()));
}

#[test]
fn time_stamps_jump_and_the_order_of_packets_does_not() {
    let (cameras, mut player) = playing(CAMERA);
    let before = until(&mut player, "a frame", frame);
    cameras.fault("gate", "jump?seconds=-3600");
    let back = |event: &Event| {
        frame(event).filter(|packet| {
            let step = timestamp(packet).wrapping_sub(timestamp(&before)).cast_signed();
            step < -3_000 * 90_000
        })
    };
    until(&mut player, "a time stamp from an hour ago", back);
}

#[test]
fn size_changes_within_the_session_and_codec_with_the_next() {
    let (cameras, mut player) = playing(CAMERA);
    let sets = |event: &Event| frame(event).filter(|packet| units(packet).contains(&7));
    let before = until(&mut player, "parameter sets", sets)[12..].to_vec();
    cameras.fault("gate", "size?to=640x360");
    until(&mut player, "other parameter sets", |event| sets(event).filter(|packet| packet[12..] != before));
    until(&mut player, "a frame", frame);

    cameras.fault("gate", "codec?to=h265");
    until(&mut player, "the end", |event| (*event == Event::Closed).then_some(()));
    let mut player = Player::connect(&cameras.stream("gate"));
    let sdp = player.play().unwrap();
    assert!(sdp.contains("H265/90000"), "{sdp}");
    until(&mut player, "a frame", frame);
}

#[test]
fn teardown_is_counted_also_where_the_connection_ends_with_it() {
    // Frames are in transit all the time, and the connection ends with a reset.
    let cameras = Cameras::start(&[CAMERA]);
    for count in 1..=20 {
        let mut player = Player::connect(&cameras.stream("gate"));
        player.play().unwrap();
        until(&mut player, "a frame", frame);
        player.tear_down();
        let facts =
            wait_for("the end of the session", || Some(cameras.facts("gate")).filter(|facts| facts["sessions"] == 0));
        assert_eq!(facts["teardowns"], count, "{facts}");
    }
}
