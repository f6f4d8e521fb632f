//! The installer edits the file and sends SIGHUP: what did not change is not touched.

mod stage;

use stage::{Agent, Cameras, MotionJpeg, wait_for};

#[test]
fn reload_touches_only_what_changed() {
    let cameras = Cameras::start(&["id=gate size=640x360 small=none", "id=porch size=640x360 small=none"]);
    let (gate, porch) = (cameras.place("gate"), cameras.place("porch"));
    let agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\n{gate}\n[[camera]]\nid = \"old\"\n{porch}"));
    agent.wait_for_state("gate", "live");
    agent.wait_for_state("old", "live");
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    viewer.next();
    let worker = agent.camera("gate")["worker"]["pid"].clone();

    agent.reload(&format!(
        "[[camera]]\nid = \"porch\"\n{porch}\n[[camera]]\nid = \"gate\"\nname = \"Front gate\"\nquality = 30\n{gate}"
    ));
    agent.wait_for_state("porch", "live");
    let camera = agent.camera("gate");
    assert_eq!(camera["name"], "Front gate");
    assert_eq!(camera["reconnects"], 0);
    if worker.is_number() {
        assert_eq!(camera["worker"]["pid"], worker, "the worker went on");
    }
    assert_eq!(agent.get("/snapshot/old").unwrap().status, 404, "a removed camera is gone");
    let order: Vec<_> = agent.api()["cameras"].as_array().unwrap().iter().map(|camera| camera["id"].clone()).collect();
    assert_eq!(order, ["porch", "gate"]);
    viewer.next();
    wait_for("the old camera's session to end", || (cameras.facts("porch")["teardowns"].as_u64()? >= 1).then_some(()));
}

#[test]
fn changed_origin_reconnects_while_its_viewer_keeps_the_socket() {
    let cameras = Cameras::start(&["id=a size=640x360 small=none", "id=b size=1280x720 small=none"]);
    let (a, b) = (cameras.place("a"), cameras.place("b"));
    let agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\n{a}"));
    agent.wait_for_state("gate", "live");
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    let size = |viewer: &mut MotionJpeg| {
        let part = viewer.next_live();
        stage::jpeg_size(&part.jpeg)
    };
    assert_eq!(size(&mut viewer), (640, 360));
    agent.reload(&format!("[[camera]]\nid = \"gate\"\n{b}"));
    wait_for("pictures of the other camera", || (size(&mut viewer) == (1280, 720)).then_some(()));
}
