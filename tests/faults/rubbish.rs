//! Something comes, and it is no picture.

use crate::story::{Tale, tell};

const STATES: &[&str] = &["stalled", "offline"];
const NO_PICTURE: &[&str] = &["no picture", "damaged", "key frame", "no frame for"];

#[test]
fn camera_whose_frames_cannot_be_decoded_is_told_from_a_live_one_and_comes_back() {
    tell(&[
        Tale { id: "garbled", keys: "", faults: &["garbage-payload"], words: NO_PICTURE, states: STATES },
        Tale {
            id: "garbled-hevc",
            keys: "codec=h265",
            faults: &["garbage-payload"],
            words: NO_PICTURE,
            states: STATES,
        },
        Tale {
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
    tell(&[
        Tale { id: "keyless", keys: "", faults: &["no-key-frames", "drop"], words: &["key frame"], states: STATES },
        Tale {
            id: "keyless-hevc",
            keys: "codec=h265",
            faults: &["no-key-frames", "drop"],
            words: &["key frame"],
            states: STATES,
        },
    ]);
}
