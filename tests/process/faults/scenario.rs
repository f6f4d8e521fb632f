//! The common part of all fault scenarios: a camera is live, a fault happens, the wall says so, and
//! afterwards the picture comes back by itself.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{Agent, Cameras, MotionJpeg, burnt_in, unix_ms, wait_for};

/// Much less than the default of 5 s, to save test time, and more than the pauses of a busy
/// machine.
pub const STALL_AFTER: Duration = Duration::from_millis(2500);

/// One camera, and the faults it will have.
pub struct Scenario {
    pub id: &'static str,
    /// Keys of the virtual camera besides id and size.
    pub keys: &'static str,
    /// The faults, one after the other without a pause.
    pub faults: &'static [&'static str],
    /// The wall's reason contains one of these.
    pub words: &'static [&'static str],
    /// The states in which the reason may appear.
    pub states: &'static [&'static str],
}

/// Virtual cameras and an agent that shows them, all live.
pub struct Wall {
    pub cameras: Cameras,
    pub agent: Agent,
}

impl Wall {
    pub fn new(scenarios: &[Scenario]) -> Self {
        Self::with(scenarios, "")
    }

    /// The same with these lines in each camera's entry.
    pub fn with(scenarios: &[Scenario], lines: &str) -> Self {
        let describe = |scenario: &Scenario| {
            let rhythm = if scenario.keys.contains("fps=") { "" } else { "fps=15 gop=15" };
            // What is tried is the stream: nothing else takes its place.
            format!("id={} size=320x184 small=none snapshots=off {rhythm} {}", scenario.id, scenario.keys)
        };
        let descriptions: Vec<_> = scenarios.iter().map(describe).collect();
        let cameras = Cameras::start(&descriptions.iter().map(String::as_str).collect::<Vec<_>>());
        let entry = |scenario: &Scenario| {
            let login =
                if scenario.keys.contains("user=") { "username = \"viewer\"\npassword = \"right\"\n" } else { "" };
            let stall_after = STALL_AFTER.as_secs_f64();
            let (id, place) = (scenario.id, cameras.place(scenario.id));
            format!("[[camera]]\nid = \"{id}\"\nstall_after = {stall_after}\n{lines}{login}{place}")
        };
        let agent = Agent::start(&scenarios.iter().map(entry).collect::<String>());
        for scenario in scenarios {
            agent.wait_for_state(scenario.id, "live");
        }
        Self { cameras, agent }
    }

    /// A viewer that has received a picture of camera `id`.
    pub fn viewer(&self, id: &str) -> MotionJpeg {
        let mut viewer = MotionJpeg::open(&self.agent.address, &format!("/live/{id}"));
        viewer.next_live();
        viewer
    }

    /// Waits until `wanted` accepts the state of camera `id`.
    pub fn wait_for(&self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        wait_for(&format!("{id}: {what}"), || {
            let camera = self.agent.camera(id);
            wanted(&camera).then_some(camera)
        })
    }

    /// Runs a scenario: from live through its faults to the card and its reason, and back.
    fn run(&self, scenario: &Scenario) {
        let id = scenario.id;
        let mut viewer = self.viewer(id);
        let began = Instant::now();
        for fault in scenario.faults {
            self.cameras.fault(id, fault);
        }
        viewer.next_card();
        let detected = began.elapsed();
        let camera = self.wait_for(id, &format!("one of {:?} as {:?}", scenario.words, scenario.states), |camera| {
            let why = camera["why"].as_str().unwrap_or_default();
            scenario.states.iter().any(|state| camera["state"] == *state)
                && scenario.words.iter().any(|word| why.contains(word))
        });
        let explained = began.elapsed();

        let (resumed, resumed_ms) = (Instant::now(), unix_ms());
        self.cameras.fault(id, "resume");
        // A picture may already have been in transit; the next one is new.
        let again = wait_for("a picture from after the fault", || {
            let part = viewer.next_live();
            (burnt_in(&part.jpeg).unix_ms > resumed_ms).then_some(part)
        });
        eprintln!(
            "{id}: {} detected after {detected:.1?}, explained after {explained:.1?} by {}, live {:.1?} after resume",
            scenario.faults.join(" "),
            camera["why"],
            resumed.elapsed(),
        );
        assert!(again.sequence.is_some());
        self.agent.wait_for_state(id, "live");
    }
}

/// Runs all scenarios at the same time, on one wall, and checks that no other camera was affected.
pub fn run(scenarios: &[Scenario]) {
    let bystander = Scenario { id: "bystander", keys: "", faults: &[], words: &[], states: &[] };
    let mut all: Vec<_> = scenarios.iter().map(|scenario| Scenario { ..*scenario }).collect();
    all.push(bystander);
    let wall = Wall::new(&all);
    thread::scope(|scope| {
        let running: Vec<_> =
            scenarios.iter().map(|scenario| (scenario.id, scope.spawn(|| wall.run(scenario)))).collect();
        let failed: Vec<_> = running.into_iter().filter_map(|(id, thread)| thread.join().err().map(|_| id)).collect();
        assert!(failed.is_empty(), "the scenarios of {failed:?} went wrong");
    });
    let bystander = wall.agent.camera("bystander");
    assert_eq!((&bystander["state"], &bystander["reconnects"]), (&"live".into(), &0.into()), "{bystander}");
    assert!(wall.agent.workers().len() <= all.len(), "no worker is left over");
}
