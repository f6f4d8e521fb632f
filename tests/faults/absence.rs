//! The camera is gone, wants nobody, or has nothing to show.

use crate::story::{Tale, tell};

const OFFLINE: &[&str] = &["offline"];

#[test]
fn camera_that_leaves_or_refuses_says_why_and_comes_back() {
    tell(&[
        Tale { id: "dropped", keys: "", faults: &["drop"], words: &["ended"], states: OFFLINE },
        Tale { id: "goodbye", keys: "", faults: &["bye"], words: &["ended"], states: OFFLINE },
        Tale { id: "teardown", keys: "", faults: &["teardown"], words: &["ended"], states: OFFLINE },
        Tale { id: "unplugged", keys: "", faults: &["refuse"], words: &["refused"], states: OFFLINE },
        Tale { id: "full", keys: "", faults: &["full", "drop"], words: &["453"], states: OFFLINE },
        Tale { id: "busy", keys: "", faults: &["full?status=503", "drop"], words: &["503"], states: OFFLINE },
        Tale { id: "sound-only", keys: "", faults: &["no-video"], words: &["no video"], states: OFFLINE },
    ]);
}
