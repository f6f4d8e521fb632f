//! No frame comes, in all the ways in which that can happen.

use std::time::Instant;

use crate::{
    faults::scenario::{STALL_AFTER, Scenario, Wall, run},
    support::{burnt_in, unix_ms, wait_for},
};

const SILENT: &[&str] = &["no frame for"];
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
        Scenario { id: "babbling", keys: "", faults: &["garbage-framing"], words: SILENT, states: STATES },
    ]);
}

/// FFmpeg hands a frame on when the next one begins. With two seconds between frames and a limit of
/// 2.5 s, such a frame would stay on the wall until it is 4.5 s old.
#[test]
fn camera_with_few_frames_never_shows_an_old_one_as_live_and_says_how_few() {
    let seldom = |id, keys| Scenario { id, keys, faults: &[], words: &[], states: &[] };
    let wall = Wall::new(&[seldom("seldom", ""), seldom("seldom-hevc", "codec=h265")]);
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
