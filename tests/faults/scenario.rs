//! The common part of all fault scenarios: a camera is live, a fault happens, the wall says so, and
//! afterwards the picture comes back by itself.

use std::{
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use crate::support::{Agent, Cameras, MotionJpeg, burnt_in, wait_for};

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
    pub fn new(tales: &[Scenario]) -> Self {
        let describe = |tale: &Scenario| {
            let rhythm = if tale.keys.contains("fps=") { "" } else { "fps=15 gop=15" };
            format!("id={} size=320x184 small=none {rhythm} {}", tale.id, tale.keys)
        };
        let descriptions: Vec<_> = tales.iter().map(describe).collect();
        let cameras = Cameras::start(&descriptions.iter().map(String::as_str).collect::<Vec<_>>());
        let entry = |tale: &Scenario| {
            let login = if tale.keys.contains("user=") { "username = \"viewer\"\npassword = \"right\"\n" } else { "" };
            let stall_after = STALL_AFTER.as_secs_f64();
            let (id, place) = (tale.id, cameras.place(tale.id));
            format!("[[camera]]\nid = \"{id}\"\nstall_after = {stall_after}\n{login}{place}")
        };
        let agent = Agent::start(&tales.iter().map(entry).collect::<String>());
        for tale in tales {
            agent.wait_for_state(tale.id, "live");
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
    fn tell(&self, tale: &Scenario) {
        let id = tale.id;
        let mut viewer = self.viewer(id);
        let began = Instant::now();
        for fault in tale.faults {
            self.cameras.fault(id, fault);
        }
        viewer.next_card();
        let detected = began.elapsed();
        let camera = self.wait_for(id, &format!("one of {:?} as {:?}", tale.words, tale.states), |camera| {
            let why = camera["why"].as_str().unwrap_or_default();
            tale.states.iter().any(|state| camera["state"] == *state)
                && tale.words.iter().any(|word| why.contains(word))
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
            tale.faults.join(" "),
            camera["why"],
            resumed.elapsed(),
        );
        assert!(again.sequence.is_some());
        self.agent.wait_for_state(id, "live");
    }
}

/// Runs all scenarios at the same time, on one wall, and checks that no other camera was affected.
pub fn tell(tales: &[Scenario]) {
    let bystander = Scenario { id: "bystander", keys: "", faults: &[], words: &[], states: &[] };
    let mut all: Vec<_> = tales.iter().map(|tale| Scenario { ..*tale }).collect();
    all.push(bystander);
    let wall = Wall::new(&all);
    thread::scope(|scope| {
        let running: Vec<_> = tales.iter().map(|tale| (tale.id, scope.spawn(|| wall.tell(tale)))).collect();
        let failed: Vec<_> = running.into_iter().filter_map(|(id, story)| story.join().err().map(|_| id)).collect();
        assert!(failed.is_empty(), "the stories of {failed:?} went wrong");
    });
    let bystander = wall.agent.camera("bystander");
    // On a busy machine its encoder may start so slowly that the first session brings no key frame in time.
    let late = "bystander: the camera sent no steady video within";
    let late = wall.agent.log_lines().iter().filter(|line| line.contains(late)).count();
    assert_eq!((&bystander["state"], &bystander["reconnects"]), (&"live".into(), &late.into()), "{bystander}");
    assert!(wall.agent.workers().len() <= all.len(), "no worker is left over");
}

pub fn unix_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}
