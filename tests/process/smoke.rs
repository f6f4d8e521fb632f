//! The installer writes cameras into `cameras.toml`, and the wall shows them live.

use std::{collections::BTreeSet, time::Duration};

use crate::support::{Agent, Cameras, MotionJpeg, jpeg_size, wait_for};

const LOGIN: &str = "username = \"viewer\"\npassword = \"p@ss:w/rd #1?\"\n";

#[test]
fn cameras_of_every_codec_and_login_are_live_by_themselves() {
    let cameras = Cameras::start(&[
        "id=gate codec=h264 size=640x360 small=none user=viewer pass=\"p@ss:w/rd #1?\" auth=digest",
        "id=porch codec=h265 size=640x360 small=none user=viewer pass=\"p@ss:w/rd #1?\" auth=usernametoken skew=86400",
        "id=yard codec=mjpeg size=640x360 small=none",
        "id=drive codec=h264 size=640x360 small=none",
        "id=foreign codec=h264 size=640x360 small=none server=gstreamer user=viewer pass=\"p@ss:w/rd #1?\"",
    ]);
    let agent = Agent::start(&format!(
        "[[camera]]\nid = \"gate\"\nprofile = \"Profile_1\"\n{}{LOGIN}
         [[camera]]\nid = \"porch\"\nname = \"門口\"\nprofile = \"mainStream\"\n{}{LOGIN}
         [[camera]]\nid = \"yard\"\n{}
         [[camera]]\nid = \"direct\"\nurl = \"{}\"\n
         [[camera]]\nid = \"datagrams\"\ntransport = \"udp\"\n{}
         [[camera]]\nid = \"foreign\"\n{}{LOGIN}",
        cameras.place("gate"),
        cameras.place("porch"),
        cameras.place("yard"),
        cameras.stream("yard"),
        cameras.place("drive"),
        cameras.place("foreign"),
    ));
    for (id, codec) in [
        ("gate", "h264"),
        ("porch", "h265"),
        ("yard", "jpeg"),
        ("direct", "jpeg"),
        ("datagrams", "h264"),
        ("foreign", "h264"),
    ] {
        let camera = agent.wait_for_state(id, "live");
        assert_eq!(camera["codec"], codec, "{camera}");
        assert_eq!(camera["size"], serde_json::json!([640, 360]), "{camera}");
        assert_eq!(camera["decoding"], false, "nobody watches {id}");
        let snapshot = agent.get(&format!("/snapshot/{id}")).unwrap();
        assert_eq!(snapshot.status, 200, "{id}: {}", snapshot.head);
        assert_eq!(jpeg_size(&snapshot.body), (640, 360));
    }
    assert_eq!(agent.camera("porch")["name"], "門口");
    let live = agent.wait_for_log(&["gate: live", "640x360", "Profile_1"]);
    assert!(live.contains("info"), "{live}");
    let everything = agent.log_text() + &agent.api().to_string();
    assert!(!everything.contains("p@ss") && !everything.contains("p%40ss"), "a password is shown");
}

#[test]
fn motion_jpeg_comes_at_the_rate_of_the_camera_and_as_small_as_asked() {
    let cameras = Cameras::start(&["id=gate size=1280x720 small=none fps=20"]);
    let agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\n{}", cameras.place("gate")));
    agent.wait_for_state("gate", "live");

    let read = |target: &str| {
        let mut viewer = MotionJpeg::open(&agent.address, target);
        let parts: Vec<_> =
            std::iter::repeat_with(|| viewer.next()).filter(|part| part.sequence.is_some()).take(60).collect();
        parts
    };
    let good = read("/live/gate?size=640x360&q=90");
    let poor = read("/live/gate?size=640x360&q=20");
    assert_eq!(jpeg_size(&good[0].jpeg), (640, 360));
    let bytes = |parts: &[crate::support::Part]| parts.iter().map(|part| part.jpeg.len()).sum::<usize>();
    assert!(bytes(&good) > bytes(&poor) * 2, "{} and {} bytes", bytes(&good), bytes(&poor));

    let sequences: Vec<_> = good.iter().filter_map(|part| part.sequence).collect();
    assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");
    // The measure is the clock and the frame numbers that the camera burnt in: load on this machine
    // delays or skips pictures, but cannot change the burnt-in values.
    let stamps: Vec<_> = good.iter().map(|part| crate::support::burnt_in(&part.jpeg)).collect();
    let (first, last) = (stamps[0], stamps[stamps.len() - 1]);
    let frames = f64::from(last.frame - first.frame);
    let rate = frames * 1000.0 / (last.unix_ms - first.unix_ms) as f64;
    assert!((rate - 20.0).abs() < 2.0, "{rate} frames/s");
    assert!(stamps.len() as f64 > frames / 2.0, "{} pictures of {frames} frames", stamps.len());
}

#[test]
fn decoder_runs_only_while_somebody_watches_and_once_for_all() {
    let cameras = Cameras::start(&["id=gate size=640x360 small=none"]);
    let agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\n{}", cameras.place("gate")));
    assert_eq!(agent.wait_for_state("gate", "live")["decoding"], false);

    let viewers: Vec<_> =
        (0..16).map(|_| MotionJpeg::open(&agent.address, "/live/gate?size=320x180").in_background()).collect();
    let watched = wait_for("16 viewers and a decoder", || {
        let camera = agent.camera("gate");
        (camera["viewers"] == 16 && camera["decoding"] == true).then_some(camera)
    });
    assert_eq!(watched["renditions"].as_array().unwrap().len(), 1, "{watched}");
    let sequences = |viewer: &std::sync::mpsc::Receiver<crate::support::Part>| -> BTreeSet<u32> {
        viewer.iter().filter_map(|part| part.sequence).take(25).collect()
    };
    for viewer in &viewers {
        assert_eq!(sequences(viewer).len(), 25);
    }
    let camera = agent.camera("gate");
    let (encodes, frames) = (camera["renditions"][0]["encodes"].as_u64().unwrap(), camera["frames"].as_u64().unwrap());
    assert!(encodes > 0 && encodes <= frames, "{encodes} encodes of {frames} frames for 16 viewers");
    assert_eq!(cameras.facts("gate")["sessions"], 1, "one session, however many watch");

    drop(viewers);
    wait_for("the decoder to end", || {
        let camera = agent.camera("gate");
        (camera["viewers"] == 0 && camera["decoding"] == false).then_some(())
    });
    assert_eq!(agent.wait_for_state("gate", "live")["reconnects"], 0);
}

#[test]
fn first_picture_needs_no_new_key_frame() {
    // The next key frame is ten minutes away: a decoder can start only from the kept group of
    // pictures.
    let cameras = Cameras::start(&["id=gate size=640x360 small=none gop=15000"]);
    let agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\n{}", cameras.place("gate")));
    agent.wait_for_state("gate", "live");
    for _ in 0..3 {
        let snapshot = agent.get("/snapshot/gate").unwrap();
        assert_eq!(snapshot.status, 200, "{}", snapshot.head);
        // The decoder ends with its viewer; the next snapshot starts a new one.
        wait_for("the decoder to end", || (agent.camera("gate")["decoding"] == false).then_some(()));
    }
}

#[test]
fn cameras_with_clocks_a_year_off_or_set_while_running_are_live() {
    let cameras = Cameras::start(&[
        "id=ahead size=320x180 fps=10 small=none user=viewer pass=x auth=usernametoken skew=34560000",
        "id=behind size=320x180 fps=10 small=none user=viewer pass=x auth=usernametoken skew=-34560000",
    ]);
    let login = "username = \"viewer\"\npassword = \"x\"\n";
    let camera = |id: &str| format!("[[camera]]\nid = \"{id}\"\n{}{login}", cameras.place(id));
    let agent = Agent::start(&(camera("ahead") + &camera("behind")));
    agent.wait_for_state("ahead", "live");
    agent.wait_for_state("behind", "live");
    cameras.fault("behind", "skew?seconds=34560000");
    cameras.fault("behind", "drop");
    wait_for("a new session", || (agent.camera("behind")["reconnects"].as_u64()? >= 1).then_some(()));
    agent.wait_for_state("behind", "live");
    for id in ["ahead", "behind"] {
        assert_eq!(cameras.facts(id)["failed_logins"], 0, "the clock is asked before the password is sent");
    }
}

#[test]
fn sixteen_cameras_are_live_while_one_address_swallows_everything() {
    let descriptions: Vec<_> = (0..16).map(|n| format!("id=c{n} size=320x180 fps=5 small=none")).collect();
    let cameras = Cameras::start(&descriptions.iter().map(String::as_str).collect::<Vec<_>>());
    // A listener whose queue is full: a connection to it is neither accepted nor refused.
    let hole = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let at = std::net::SocketAddr::from((crate::support::own_address(), 8000));
    hole.bind(&at.into()).unwrap();
    hole.listen(0).unwrap();
    let _filling: Vec<_> =
        (0..4).filter_map(|_| std::net::TcpStream::connect_timeout(&at, Duration::from_millis(200)).ok()).collect();
    let mut file = format!("[[camera]]\nid = \"hole\"\nip = \"{}\"\nonvif_port = 8000\n", at.ip());
    for n in 0..16 {
        file += &format!("[[camera]]\nid = \"c{n}\"\n{}", cameras.place(&format!("c{n}")));
    }
    let started = std::time::Instant::now();
    let agent = Agent::start(&file);
    let (api, after) = wait_for("sixteen live cameras", || {
        let api = agent.api();
        let live = api["cameras"].as_array()?.iter().filter(|camera| camera["state"] == "live").count();
        (live == 16).then(|| (api, started.elapsed()))
    });
    println!("sixteen cameras live after {:.1} s", after.as_secs_f32());
    let hole = api["cameras"].as_array().unwrap().iter().find(|camera| camera["id"] == "hole").unwrap();
    assert_ne!(hole["state"], "live");
}
