//! No frame comes, in all the ways in which that can happen.

use std::time::Instant;

use crate::{
    faults::scenario::{STALL_AFTER, Scenario, Wall, run},
    support::{burnt_in, unix_ms, wait_for},
};

const SILENT: &[&str] = &["no frame for"];
const BABBLING: &[&str] = &["no frame for", "makes no sense"];
const STATES: &[&str] = &["stalled", "offline"];

#[test]
fn camera_that_falls_silent_is_told_from_a_live_one_and_comes_back() {
    run(&[
        Scenario { id: "stalled", keys: "", faults: &["stall"], words: SILENT, states: STATES },
        Scenario { id: "foreign", keys: "server=gstreamer", faults: &["stall"], words: SILENT, states: STATES },
        Scenario { id: "stalled-jpeg", keys: "codec=mjpeg", faults: &["stall"], words: SILENT, states: STATES },
        Scenario { id: "frozen", keys: "", faults: &["freeze"], words: SILENT, states: STATES },
        Scenario { id: "slow", keys: "", faults: &["slow?seconds=20"], words: SILENT, states: STATES },
        Scenario { id: "trickling", keys: "", faults: &["trickle"], words: SILENT, states: STATES },
        Scenario { id: "humming", keys: "audio=on", faults: &["audio-only"], words: SILENT, states: STATES },
        Scenario { id: "babbling", keys: "", faults: &["garbage-framing"], words: BABBLING, states: STATES },
    ]);
}

/// The agent's own client knows when a frame came: two seconds between frames are no stall, and the
/// picture is never older than that.
#[test]
fn camera_with_few_frames_is_live_as_long_as_they_come_within_the_limit() {
    let wall = Wall::new(&[Scenario { id: "seldom", keys: "", faults: &[], words: &[], states: &[] }]);
    let mut viewer = wall.viewer("seldom");
    wall.cameras.fault("seldom", "slow?seconds=2");
    let (began, mut frames) = (Instant::now(), Vec::new());
    while frames.len() < 5 {
        let part = viewer.next();
        assert!(part.sequence.is_some(), "a card after {:?}", began.elapsed());
        let stamp = burnt_in(&part.jpeg);
        assert!(u128::from(unix_ms() - stamp.unix_ms) < STALL_AFTER.as_millis() + 1000, "an old picture looked live");
        // The agent repeats a picture each second.
        if frames.last() != Some(&stamp.frame) {
            frames.push(stamp.frame);
        }
    }
    let camera = wall.agent.camera("seldom");
    assert_eq!((&camera["state"], &camera["reconnects"], &camera["stalls"]), (&"live".into(), &0.into(), &0.into()));
}

/// FFmpeg hands a frame on when the next one begins. With two seconds between frames and a limit of
/// 2.5 s, such a frame would stay on the wall until it is 4.5 s old.
#[test]
fn camera_with_few_frames_never_shows_an_old_one_as_live_and_says_how_few() {
    let seldom = |id, keys| Scenario { id, keys, faults: &[], words: &[], states: &[] };
    let wall = Wall::with(&[seldom("seldom", ""), seldom("seldom-hevc", "codec=h265")], "reader = \"opencv\"\n");
    for id in ["seldom", "seldom-hevc"] {
        let mut viewer = wall.viewer(id);
        wall.cameras.fault(id, "slow?seconds=2");
        let (began, mut oldest, mut explained) = (Instant::now(), 0, None);
        // Wait past the first card and some more attempts.
        wait_for("two more attempts, and the reason", || {
            let part = viewer.next();
            if part.sequence.is_some() {
                oldest = oldest.max(unix_ms() - burnt_in(&part.jpeg).unix_ms);
            }
            let camera = wall.agent.camera(id);
            let why = camera["why"].as_str()?;
            explained = explained.take().or(why.contains("only one frame in").then(|| why.to_owned()));
            (explained.is_some() && camera["reconnects"].as_u64()? >= 2).then_some(())
        });
        eprintln!("{id}: {explained:?} within {:.1?}, oldest picture {oldest} ms", began.elapsed());
        // One second for the delay of a busy machine.
        assert!(u128::from(oldest) < STALL_AFTER.as_millis() + 1000, "{id}: a picture {oldest} ms old looked live");
        wall.cameras.fault(id, "resume");
        viewer.next_live();
    }
}
