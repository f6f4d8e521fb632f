//! The camera sends data that contains no valid picture.

use std::{thread, time::Instant};

use crate::{
    faults::scenario::{Scenario, Wall, run},
    support::{try_burnt_in, unix_ms, wait_for},
};

const STATES: &[&str] = &["stalled", "offline"];
/// Frames come, so the camera is not away; it has nothing that a picture can begin with.
const WAITING: &[&str] = &["stalled", "connecting"];
const NO_PICTURE: &[&str] = &["no picture", "damaged", "key frame", "no frame for", "another codec"];

#[test]
fn camera_whose_frames_cannot_be_decoded_is_told_from_a_live_one_and_comes_back() {
    run(&[
        Scenario { id: "garbled", keys: "", faults: &["garbage-payload"], words: NO_PICTURE, states: STATES },
        Scenario {
            id: "garbled-hevc",
            keys: "codec=h265",
            faults: &["garbage-payload"],
            words: NO_PICTURE,
            states: STATES,
        },
        Scenario {
            id: "garbled-jpeg",
            keys: "codec=mjpeg",
            faults: &["garbage-payload"],
            words: NO_PICTURE,
            states: STATES,
        },
    ]);
}

#[test]
fn camera_without_key_frames_says_so_and_comes_back() {
    run(&[
        Scenario {
            id: "keyless",
            keys: "",
            faults: &["no-key-frames", "drop"],
            words: &["waiting for a key frame"],
            states: WAITING,
        },
        Scenario {
            id: "keyless-hevc",
            keys: "codec=h265",
            faults: &["no-key-frames", "drop"],
            words: &["waiting for a key frame"],
            states: WAITING,
        },
    ]);
}

/// Maximum age of a picture at its lower edge, where the time is burnt in: much more than a busy
/// machine needs, and less than the stall limit.
const FRESH_MS: u64 = 2000;

/// The agent repeats the last good picture each second until the card comes.
const MAX_LIES: u32 = 5;

/// A decoder that fills the missing half of a frame from the frame before shows a picture that
/// moves above and stands still below. A stale picture must never look live: either the whole
/// picture is live, or the card comes.
#[test]
fn camera_whose_frames_are_cut_short_never_shows_half_a_picture_as_live() {
    let scenarios = [("cut", ""), ("cut-hevc", "codec=h265"), ("cut-jpeg", "codec=mjpeg")].map(|(id, keys)| Scenario {
        id,
        keys,
        faults: &["truncate"],
        words: NO_PICTURE,
        states: STATES,
    });
    let wall = Wall::new(&scenarios);
    thread::scope(|scope| {
        for scenario in &scenarios {
            scope.spawn(|| {
                let mut viewer = wall.viewer(scenario.id);
                wall.cameras.fault(scenario.id, "truncate");
                let (began, mut lies) = (Instant::now(), 0);
                wait_for(&format!("{}: the card", scenario.id), || {
                    let part = viewer.next();
                    let fresh = |stamp: stamp::Stamp| unix_ms() < stamp.unix_ms + FRESH_MS;
                    lies += u32::from(part.sequence.is_some() && !try_burnt_in(&part.jpeg).is_some_and(fresh));
                    assert!(
                        lies < MAX_LIES,
                        "{}: {lies} pictures without a fresh time were shown as live",
                        scenario.id
                    );
                    part.sequence.is_none().then_some(())
                });
                eprintln!(
                    "{}: the card came after {:.1?}, {lies} broken pictures before it",
                    scenario.id,
                    began.elapsed()
                );
            });
        }
    });
    wall.cameras.fault("cut", "resume");
    wall.agent.wait_for_state("cut", "live");
}
