//! The camera's settings or its clock change while a viewer watches it: the picture must not
//! suffer.

use crate::{
    faults::scenario::{Scenario, Wall},
    support::{burnt_in, jpeg_size, unix_ms, wait_for},
};

fn camera(id: &'static str, keys: &'static str) -> Scenario {
    Scenario { id, keys, faults: &[], words: &[], states: &[] }
}

#[test]
fn camera_of_another_size_or_time_stays_live_without_a_card() {
    let wall = Wall::new(&[
        camera("resized", ""),
        camera("resized-hevc", "codec=h265"),
        camera("ahead", ""),
        camera("back", ""),
    ]);
    for (id, fault, size) in [
        ("resized", "size?to=640x360", (640, 360)),
        ("resized-hevc", "size?to=640x360", (640, 360)),
        ("ahead", "jump?seconds=86400", (320, 184)),
        ("back", "jump?seconds=-86400", (320, 184)),
    ] {
        for (fault, size) in [(fault, size), ("resume", (320, 184))] {
            let mut viewer = wall.viewer(id);
            wall.cameras.fault(id, fault);
            let changed_ms = unix_ms();
            let part = wait_for("a picture of the changed camera", || {
                let part = viewer.next();
                assert!(part.sequence.is_some(), "{id}: a card came after {fault}: {}", wall.agent.camera(id)["why"]);
                let is_new = jpeg_size(&part.jpeg) == size && burnt_in(&part.jpeg).unix_ms > changed_ms;
                is_new.then_some(part)
            });
            let [width, height] = [jpeg_size(&part.jpeg).0, jpeg_size(&part.jpeg).1];
            let age_ms = unix_ms() - burnt_in(&part.jpeg).unix_ms;
            eprintln!("{id}: {fault}: {width}x{height}, {age_ms} ms old, {} ms later", unix_ms() - changed_ms);
            wall.wait_for(id, "its new size", |camera| camera["size"] == serde_json::json!([size.0, size.1]));
        }
        let camera = wall.agent.camera(id);
        assert_eq!((&camera["reconnects"], &camera["stalls"]), (&0.into(), &0.into()), "{camera}");
    }
}

#[test]
fn camera_that_changes_its_codec_comes_back_with_the_other_one() {
    let wall = Wall::new(&[camera("changed", "")]);
    let mut viewer = wall.viewer("changed");
    for (fault, codec) in [("codec?to=h265", "h265"), ("resume", "h264")] {
        wall.cameras.fault("changed", fault);
        let changed_ms = unix_ms();
        wait_for("a picture of the other codec", || {
            let part = viewer.next_live();
            (burnt_in(&part.jpeg).unix_ms > changed_ms).then_some(())
        });
        eprintln!("changed: {fault}: pictures again after {} ms", unix_ms() - changed_ms);
        let camera =
            wall.wait_for("changed", "live again", |camera| camera["state"] == "live" && camera["codec"] == codec);
        assert_eq!(camera["stalls"], 0, "the camera said that it ends: {camera}");
    }
}
