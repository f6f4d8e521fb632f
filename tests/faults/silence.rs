//! No frame comes, in all the ways in which it can not come.

use crate::story::{Tale, tell};

const SILENT: &[&str] = &["no frame for"];
const STATES: &[&str] = &["stalled", "offline"];

#[test]
fn camera_that_falls_silent_is_told_from_a_live_one_and_comes_back() {
    tell(&[
        Tale { id: "stalled", keys: "", faults: &["stall"], words: SILENT, states: STATES },
        Tale { id: "stalled-jpeg", keys: "codec=mjpeg", faults: &["stall"], words: SILENT, states: STATES },
        Tale { id: "frozen", keys: "", faults: &["freeze"], words: SILENT, states: STATES },
        Tale { id: "slow", keys: "", faults: &["slow?seconds=20"], words: SILENT, states: STATES },
        Tale { id: "trickling", keys: "", faults: &["trickle"], words: SILENT, states: STATES },
        Tale { id: "humming", keys: "audio=on", faults: &["audio-only"], words: SILENT, states: STATES },
        Tale { id: "babbling", keys: "", faults: &["garbage-framing"], words: SILENT, states: STATES },
    ]);
}
