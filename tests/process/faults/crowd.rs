//! A switch loses its power, and all cameras behind it come back at the same moment.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    faults::scenario::{Scenario, Wall},
    support::wait_for,
};

const IDS: [&str; 12] = ["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10", "c11", "c12"];

/// The number in the agent's manual.
const OPENINGS: usize = 8;

#[test]
fn many_cameras_that_return_at_once_are_opened_some_at_a_time() {
    let scenarios = IDS.map(|id| Scenario { id, keys: "fps=5 gop=5", faults: &[], words: &[], states: &[] });
    // With workers as readers, openings can be counted.
    let wall = Wall::with(&scenarios, "reader = \"opencv\"\n");
    // Frozen cameras are the worst case: each opening takes as long as it may.
    let frozen = Instant::now();
    IDS.iter().for_each(|id| wall.cameras.fault(id, "freeze"));
    for id in IDS {
        wall.wait_for(id, "tried again", |camera| camera["reconnects"].as_u64() >= Some(1));
    }
    let mut most = 0;
    for _ in 0..60 {
        most = most.max(wall.agent.workers().len());
        thread::sleep(Duration::from_millis(50));
    }
    eprintln!(
        "{most} workers at the same time for {} frozen cameras, {:.1?} after the fault",
        IDS.len(),
        frozen.elapsed()
    );
    assert!((2..=OPENINGS).contains(&most), "{most} cameras were being opened at the same time");
    IDS.iter().for_each(|id| wall.cameras.fault(id, "resume"));
    let resumed = Instant::now();
    IDS.iter().for_each(|id| drop(wall.agent.wait_for_state(id, "live")));
    eprintln!("all live {:.1?} after they are back", resumed.elapsed());
    wait_for("one session at each camera", || {
        IDS.iter().all(|id| wall.cameras.facts(id)["sessions"] == 1).then_some(())
    });
    eprintln!("one session at each camera after {:.1?}", resumed.elapsed());
}
