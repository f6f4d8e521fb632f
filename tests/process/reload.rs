//! Reload: the installer edits the file and sends SIGHUP. What did not change is not interrupted.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write as _,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::fs::symlink,
    process::Command,
    sync::mpsc::Receiver,
};

use crate::support::{
    Agent, Cameras, Folder, MotionJpeg, Part, agent_program, configuration, own_address, page::Heard, page::Page,
    wait_for,
};
use nix::sys::signal::Signal;
use serde_json::Value;

/// Small pictures, so that many cameras fit on a busy machine.
const SMALL: &str = "size=320x180 fps=10 small=none onvif=0 rtsp=0";

fn worker(agent: &Agent, id: &str) -> Value {
    wait_for("the worker's number", || {
        Some(agent.camera(id)["worker"]["pid"].clone()).filter(serde_json::Value::is_number)
    })
}

/// Waits until the agent has reported `count` reloads.
fn answered(agent: &Agent, count: u64) -> Value {
    wait_for("the reload", || {
        let api = agent.api();
        (api["reload"]["count"].as_u64()? >= count).then_some(api)
    })
}

fn complaints(agent: &Agent) -> Vec<String> {
    let texts = agent.api()["complaints"].clone();
    texts.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn rewrite(agent: &Agent, cameras: &str) -> String {
    configuration(&agent.address, &agent.folder, cameras)
}

/// Open descriptors and threads of the agent.
fn held(agent: &Agent) -> (usize, usize) {
    let count = |what: &str| fs::read_dir(format!("/proc/{}/{what}", agent.pid())).unwrap().count();
    (count("fd"), count("task"))
}

/// The number of sequence numbers missing among the live pictures of `parts`.
fn missing(sequences: &[u32]) -> u32 {
    sequences.windows(2).map(|pair| (pair[1] - pair[0]).saturating_sub(1)).sum()
}

/// The sequence numbers of all pictures that have arrived by now.
fn sequences(viewer: &Receiver<Part>) -> Vec<u32> {
    let mut parts: Vec<Part> = Vec::new();
    // Wait for the newest: it was received after the actions before this call.
    while parts.len() < 3 {
        parts.push(viewer.recv_timeout(crate::support::PATIENCE).expect("a picture"));
        parts.extend(viewer.try_iter());
    }
    assert!(parts.iter().all(|part| part.state == "live"), "a card in between");
    parts.iter().filter_map(|part| part.sequence).collect()
}

#[test]
fn unchanged_file_is_reloaded_a_hundred_times_under_sixteen_viewers_without_a_gap() {
    let ids: Vec<String> = (0..16).map(|number| format!("cam{number}")).collect();
    let descriptions: Vec<_> = ids.iter().map(|id| format!("id={id} {SMALL}")).collect();
    let cameras = Cameras::start(&descriptions.iter().map(String::as_str).collect::<Vec<_>>());
    // A long `stall_after`: a stall from lack of processor time must not fail this test.
    let section = |id: &String| format!("[[camera]]\nid = \"{id}\"\nstall_after = 60.0\n{}", cameras.place(id));
    let text = ids.iter().map(section).collect::<String>();
    let agent = Agent::start(&text);
    // Streams that do not open in time are retried; each one that opens counts as progress.
    let mut live = BTreeSet::new();
    while live.len() < ids.len() {
        let another = wait_for("another camera to be live", || {
            let api = agent.api();
            let cameras = api["cameras"].as_array()?.iter().filter(|camera| camera["state"] == "live");
            cameras.map(|camera| camera["id"].as_str().unwrap().to_owned()).find(|id| !live.contains(id))
        });
        live.insert(another);
    }
    let mut wall = Page::wall(&agent.address, &ids.iter().map(String::as_str).collect::<Vec<_>>());
    for tile in 0..16 {
        wall.picture(tile);
    }
    let wall = wall.in_background();
    let viewers: Vec<_> = ids
        .iter()
        .map(|id| MotionJpeg::open(&agent.address, &format!("/live/{id}")))
        .map(|mut viewer| {
            viewer.next_live();
            viewer.in_background()
        })
        .collect();
    let state = |id: &String| {
        let (camera, facts) = (agent.camera(id), cameras.facts(id));
        [&camera["worker"]["pid"], &camera["reconnects"], &facts["sessions_opened"], &facts["teardowns"]]
            .map(Value::clone)
    };
    // Pictures that no viewer can get: frames that a busy worker did not make into a picture, and
    // pictures replaced in mailboxes.
    let lost_by = |id: &String| {
        let camera = agent.camera(id);
        let encodes = camera["renditions"].as_array().unwrap().iter().map(|each| each["encodes"].as_u64().unwrap());
        (camera["frames"].as_u64().unwrap() - encodes.min().unwrap(), camera["skipped"].as_u64().unwrap())
    };
    ids.iter().for_each(|id| drop(worker(&agent, id)));
    let states: Vec<_> = ids.iter().map(state).collect();
    // A frame in transit looks like a lost one; the minimum of several samples excludes such
    // frames.
    let least = |id: &String| (0..10).map(|_| lost_by(id)).min().unwrap();
    let lost_before: Vec<_> = ids.iter().map(least).collect();
    for viewer in &viewers {
        sequences(viewer);
    }
    let before = held(&agent);

    let mut seen: Vec<Vec<u32>> = viewers.iter().map(sequences).collect();
    for count in 1..=10 {
        agent.signal(Signal::SIGHUP);
        answered(&agent, count);
    }
    for _ in 0..100 {
        agent.signal(Signal::SIGHUP);
    }
    let asked = answered(&agent, 11)["reload"]["asked"].as_u64().unwrap();
    answered(&agent, asked);
    agent.reload(&text);
    let api = answered(&agent, asked + 1);
    assert_eq!(api["reload"]["outcome"], "16 cameras unchanged");
    assert_eq!(api["reload"]["taken"], true);
    for (seen, viewer) in seen.iter_mut().zip(&viewers) {
        seen.extend(sequences(viewer));
    }

    let mut skipped = 0;
    for (((id, seen), before), lost_before) in ids.iter().zip(&seen).zip(&states).zip(&lost_before) {
        assert_eq!(state(id), *before, "{id}: worker, reconnects, sessions, teardowns");
        // A machine too slow for all pictures loses some, with or without a reload; those are
        // counted.
        // Pictures in transit at the beginning would hide as many lost ones.
        let lost = (0..10).map(|_| lost_by(id)).max().unwrap();
        let (unmade, slow) = (lost.0.saturating_sub(lost_before.0), lost.1 - lost_before.1);
        let missing = u64::from(missing(seen));
        assert!(missing <= unmade + slow, "{id}: {missing} missing, {unmade} not made, {slow} skipped: {seen:?}");
        skipped += lost.0 + lost.1;
    }
    let pictures: usize = seen.iter().map(Vec::len).sum();
    let gaps: u32 = seen.iter().map(|seen| missing(seen)).sum();
    eprintln!(
        "{pictures} pictures across {asked} answered reloads, {gaps} missing, {skipped} not made or skipped from the beginning"
    );
    let mut on_tiles = vec![Vec::new(); 16];
    wall.try_iter().for_each(|(tile, sequence): (u8, u32)| on_tiles[usize::from(tile)].push(sequence));
    for (tile, seen) in on_tiles.iter().enumerate() {
        assert!(seen.len() > 3, "tile {tile} got {} pictures", seen.len());
        assert!(u64::from(missing(seen)) <= skipped, "tile {tile}: {} missing, {skipped} skipped", missing(seen));
    }
    eprintln!("{} pictures on the wall", on_tiles.iter().map(Vec::len).sum::<usize>());
    wait_for("the same descriptors and threads", || {
        let (files, threads) = held(&agent);
        (files <= before.0 && threads <= before.1).then_some(())
    });
    drop((viewers, wall));
    wait_for("the viewers to leave", || (agent.api()["viewers"] == 0).then_some(()));
}

#[test]
fn what_is_only_tuned_does_not_reconnect_and_order_is_followed() {
    let cameras = Cameras::start(&[&format!("id=gate {SMALL}"), &format!("id=porch {SMALL}")]);
    let (gate, porch) = (cameras.place("gate"), cameras.place("porch"));
    let agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\n{gate}\n[[camera]]\nid = \"porch\"\n{porch}"));
    agent.wait_for_state("gate", "live");
    agent.wait_for_state("porch", "live");
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    let mut wall = Page::wall(&agent.address, &["gate"]);
    let fine = viewer.next_live().jpeg.len();
    let before = worker(&agent, "gate");

    let tuned = "name = \"前門\"\nquality = 5\nmax_fps = 5\nstall_after = 9.0\n";
    agent.reload(&format!("[[camera]]\nid = \"porch\"\n{porch}\n[[camera]]\nid = \"gate\"\n{tuned}{gate}"));
    let api = answered(&agent, 1);
    assert_eq!(api["reload"]["outcome"], "1 camera retuned, 1 unchanged, order changed");
    wall.wait_for_message("the new name", |message| message["name"] == "前門");
    let coarse = wait_for("coarse pictures", || Some(viewer.next().jpeg.len()).filter(|size| *size < fine / 2));
    eprintln!("{fine} bytes before, {coarse} after");
    let order: Vec<_> = agent.api()["cameras"].as_array().unwrap().iter().map(|camera| camera["id"].clone()).collect();
    assert_eq!(order, ["porch", "gate"]);
    let camera = agent.camera("gate");
    assert_eq!((&camera["worker"]["pid"], &camera["reconnects"]), (&before, &0.into()));
    assert_eq!(camera["renditions"][0]["fps"], 5, "{camera}");
    assert_eq!(cameras.facts("gate")["sessions_opened"], 1);
    cameras.fault("gate", "stall");
    agent.wait_for_log(&["gate: no frame for"]);
}

#[test]
fn changed_origin_restarts_one_camera_whose_viewers_keep_their_sockets() {
    let cameras = Cameras::start(&[
        "id=gate size=320x180 fps=10 small=160x90 onvif=0 rtsp=0 user=viewer pass=right",
        "id=other size=480x270 fps=10 small=none onvif=0 rtsp=0",
        &format!("id=still {SMALL}"),
    ]);
    let folder = Folder::new();
    let secret = folder.write("secret", "right\n");
    let login = format!("username = \"viewer\"\npassword_file = \"{}\"\n", secret.display());
    let gate = |more: &str| {
        format!("[[camera]]\nid = \"gate\"\n{more}\n[[camera]]\nid = \"still\"\n{}", cameras.place("still"))
    };
    let own = format!("{}{login}", cameras.place("gate"));
    let agent = Agent::start(&gate(&own));
    agent.wait_for_state("gate", "live");
    agent.wait_for_state("still", "live");
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    let mut wall = Page::wall(&agent.address, &["gate", "still"]);
    viewer.next_live();
    let still = worker(&agent, "still");
    let mut last = worker(&agent, "gate");
    let mut newest = 0;
    let url = format!("url = \"{}\"\n{login}", cameras.stream("gate"));
    for (count, (what, cameras_text, state, size)) in (1..).zip([
        ("profile", format!("{own}profile = \"Profile_2\"\n"), "live", (160, 90)),
        ("transport", format!("{own}transport = \"udp\"\n"), "live", (320, 180)),
        ("url", url.clone(), "live", (320, 180)),
        ("address", cameras.place("other"), "live", (480, 270)),
        ("password file", own.clone(), "denied", (0, 0)),
        ("password file", own.clone(), "live", (320, 180)),
    ]) {
        if what == "password file" {
            // The configuration file that names the secret's file may stay as it is.
            folder.write("secret", if state == "denied" { "wrong\n" } else { "right\n" });
        }
        agent.reload(&gate(&cameras_text));
        let api = answered(&agent, count);
        assert_eq!(api["reload"]["outcome"], "1 camera reconnected, 1 unchanged", "{what}");
        // The tile shows the true state at once: neither the old picture nor nothing.
        wall.wait_for_message("the reason", |message| {
            message["camera"] == "gate" && message["why"].as_str().unwrap().contains("configuration")
        });
        viewer.next_card();
        agent.wait_for_state("gate", state);
        if state == "denied" {
            continue;
        }
        let part = viewer.next_live();
        assert!(part.sequence.unwrap() > newest, "{what}: newer pictures on the same connection");
        newest = part.sequence.unwrap();
        assert_eq!(crate::support::jpeg_size(&part.jpeg), size, "{what}");
        let now = worker(&agent, "gate");
        assert_ne!(now, last, "{what}");
        last = now;
    }
    let untouched = agent.camera("still");
    assert_eq!((&untouched["worker"]["pid"], &untouched["reconnects"]), (&still, &0.into()));
    assert_eq!(cameras.facts("still")["sessions_opened"], 1);
    wall.picture(1);
}

#[test]
fn viewers_of_a_removed_camera_are_told_why_they_go() {
    let cameras = Cameras::start(&[&format!("id=gate {SMALL}"), &format!("id=old {SMALL}")]);
    let gate = format!("[[camera]]\nid = \"gate\"\n{}", cameras.place("gate"));
    let agent = Agent::start(&format!("{gate}\n[[camera]]\nid = \"old\"\n{}", cameras.place("old")));
    agent.wait_for_state("gate", "live");
    agent.wait_for_state("old", "live");
    let mut motion = MotionJpeg::open(&agent.address, "/live/old");
    motion.next_live();
    let mut wall = Page::wall(&agent.address, &["gate", "old"]);
    wall.picture(1);
    let mut legacy = Page::open(&agent.address, "/ws/old");
    assert!(matches!(legacy.next(), Heard::Text(text) if text.starts_with("::")));

    agent.reload(&gate);
    let card = motion.last();
    assert_eq!((card.state.as_str(), card.sequence), ("offline", None), "a card is what stays on the screen");
    assert_eq!(legacy.goodbye(), "no longer in the configuration");
    let message =
        wall.wait_for_message("the tile's end", |message| message["tile"] == 1 && message["state"] == "offline");
    assert_eq!(message["why"], "no longer in the configuration");
    wall.picture(0);
    assert_eq!(agent.get("/snapshot/old").unwrap().status, 404);
    wait_for("its TEARDOWN", || (cameras.facts("old")["teardowns"] == 1).then_some(()));
    assert_eq!(cameras.facts("gate")["sessions_opened"], 1);
}

#[test]
fn bad_file_changes_nothing_and_is_told_until_a_good_one_comes() {
    let cameras = Cameras::start(&[&format!("id=gate {SMALL}")]);
    let good = format!("[[camera]]\nid = \"gate\"\n{}", cameras.place("gate"));
    let agent = Agent::start(&good);
    agent.wait_for_state("gate", "live");
    let mut wall = Page::wall(&agent.address, &["gate"]);
    wall.picture(0);
    let before = worker(&agent, "gate");
    for (count, bad, words) in [
        (1, rewrite(&agent, &format!("{good}profil = \"x\"\n")), "did you mean \"profile\"?"),
        (2, String::new(), "it is empty"),
        (3, rewrite(&agent, "[[camera]]\nid = \"gate\"\nip = \"10.0."), "no end"),
        (4, "\n \n".to_owned(), "it is empty"),
    ] {
        agent.folder.write("cameras.toml", &bad);
        agent.signal(Signal::SIGHUP);
        let api = answered(&agent, count);
        assert_eq!((&api["reload"]["taken"], &api["reload"]["outcome"]), (&false.into(), &"the file is bad".into()));
        assert!(api["complaints"].to_string().contains(&words.replace('"', "\\\"")), "{api}");
        wall.wait_for_message("the complaint", |message| {
            message["config"].to_string().contains(&words.replace('"', "\\\""))
        });
        agent.wait_for_log(&[words]);
        agent.wait_for_log(&["problem; keeping the previous configuration"]);
    }
    wall.picture(0);
    fs::remove_file(agent.folder.0.join("cameras.toml")).unwrap();
    agent.signal(Signal::SIGHUP);
    answered(&agent, 5);
    assert!(complaints(&agent)[0].contains("no such file"), "{:?}", complaints(&agent));
    agent.reload(&good);
    answered(&agent, 6);
    assert_eq!(complaints(&agent), [""; 0]);
    wall.wait_for_message("that all is well", |message| message["config"].as_array().is_some_and(Vec::is_empty));
    let camera = agent.camera("gate");
    assert_eq!((&camera["worker"]["pid"], &camera["reconnects"]), (&before, &0.into()));
}

#[test]
fn however_an_editor_saves_the_file_no_camera_is_lost_on_the_way() {
    let cameras = Cameras::start(&[&format!("id=gate {SMALL}"), &format!("id=last {SMALL}")]);
    let text = |name: &str| {
        format!(
            "[[camera]]\nid = \"gate\"\nname = \"{name}\"\n{}\n[[camera]]\nid = \"last\"\n{}",
            cameras.place("gate"),
            cameras.place("last")
        )
    };
    let agent = Agent::start(&text("start"));
    agent.wait_for_state("gate", "live");
    agent.wait_for_state("last", "live");
    let mut wall = Page::wall(&agent.address, &["gate", "last"]);
    let path = agent.folder.0.join("cameras.toml");
    let mut named = |name: &str| {
        // On a very slow machine the agent may have seen the file in pieces; the installer reloads
        // again.
        wait_for("the new name", || {
            if agent.camera("gate")["name"] == name {
                return Some(());
            }
            if agent.api()["reload"]["taken"] == false {
                agent.signal(Signal::SIGHUP);
            }
            None
        });
        wall.picture(1);
    };

    // Writes a new file and renames it, as vim and sed -i do.
    let aside = agent.folder.write("cameras.toml.new", &rewrite(&agent, &text("renamed")));
    fs::rename(&aside, &path).unwrap();
    agent.signal(Signal::SIGHUP);
    named("renamed");

    // Truncates the file and writes it in pieces, as nano and a slow copy do, with a reload after
    // each piece.
    let whole = rewrite(&agent, &text("in pieces"));
    let mut file = File::create(&path).unwrap();
    agent.signal(Signal::SIGHUP);
    for piece in whole.as_bytes().chunks(16) {
        file.write_all(piece).unwrap();
        agent.signal(Signal::SIGHUP);
    }
    drop(file);
    named("in pieces");

    // Moves the old file away first, as some editors do for their backup.
    fs::rename(&path, agent.folder.0.join("cameras.toml~")).unwrap();
    agent.signal(Signal::SIGHUP);
    fs::write(&path, rewrite(&agent, &text("after a backup"))).unwrap();
    agent.signal(Signal::SIGHUP);
    named("after a backup");

    // Points a symbolic link at another file, as configuration management does.
    let target = agent.folder.write("version-2.toml", &rewrite(&agent, &text("linked")));
    let link = agent.folder.0.join("link");
    symlink(&target, &link).unwrap();
    fs::rename(&link, &path).unwrap();
    agent.signal(Signal::SIGHUP);
    named("linked");

    for id in ["gate", "last"] {
        assert_eq!(agent.camera(id)["reconnects"], 0, "{id}");
        assert_eq!(cameras.facts(id)["sessions_opened"], 1, "{id}");
    }
    assert!(!agent.log_text().contains("removed"), "{}", agent.log_text());
}

#[test]
fn signal_during_a_reload_and_signals_from_the_first_moment_are_not_lost() {
    let nobody = own_address();
    let camera = |id: &str| format!("[[camera]]\nid = \"{id}\"\nip = \"{nobody}\"\n");
    let folder = Folder::new();
    let address = format!("{}:8080", own_address());
    folder.write("cameras.toml", &configuration(&address, &folder, &camera("first")));
    // Ignores signals as the launcher does, for the time in which the agent loads its libraries and
    // has no handlers yet.
    let (mut command, ready) = (Command::new("/bin/sh"), folder.0.join("ready"));
    command.args(["-c", "trap '' HUP; : >\"$0\"; exec \"$@\""]).args([&ready, agent_program()]);
    let agent = Agent::spawn(folder, address, command);
    wait_for("the launcher", || fs::exists(&ready).unwrap().then_some(()));
    wait_for("the agent under a rain of signals", || {
        agent.signal(Signal::SIGHUP);
        agent.get("/api/cameras")
    });
    let asked = wait_for("a handled signal", || {
        agent.signal(Signal::SIGHUP);
        agent.api()["reload"]["asked"].as_u64().filter(|asked| *asked > 0)
    });
    answered(&agent, asked);

    for round in 0..5 {
        let before = agent.api()["reload"]["asked"].as_u64().unwrap();
        agent.reload(&camera("early"));
        wait_for("the reading", || (agent.api()["reload"]["asked"].as_u64()? > before).then_some(()));
        agent.reload(&camera(&format!("late{round}")));
        wait_for("an answer to both", || {
            let reload = agent.api()["reload"].clone();
            (reload["asked"].as_u64()? >= before + 2 && reload["count"] == reload["asked"]).then_some(())
        });
        wait_for("what was written last", || (agent.api()["cameras"][0]["id"] == format!("late{round}")).then_some(()));
    }
}

#[test]
fn other_addresses_and_directories_are_taken_without_touching_a_camera() {
    let cameras = Cameras::start(&[&format!("id=gate {SMALL}")]);
    let gate = format!("[[camera]]\nid = \"gate\"\n{}", cameras.place("gate"));
    let mut agent = Agent::start(&gate);
    agent.wait_for_state("gate", "live");
    let first = agent.address.clone();
    wait_for("what is learnt", || fs::exists(agent.folder.0.join("state/gate.json")).unwrap().then_some(()));
    let mut motion = MotionJpeg::open(&first, "/live/gate");
    motion.next_live();
    let mut wall = Page::wall(&first, &["gate"]);
    wall.picture(0);

    let second = format!("{}:8080", own_address());
    let write = |agent: &Agent, listen: &str, folder: &str| {
        let text = configuration(listen, &agent.folder, &gate);
        let state = format!("/{folder}\"");
        let www = agent.folder.0.join("www").display().to_string();
        let ours = format!("{}/www", env!("CARGO_MANIFEST_DIR"));
        agent.folder.write("cameras.toml", &text.replace("/state\"", &state).replace(&ours, &www));
        agent.signal(Signal::SIGHUP);
    };
    fs::create_dir(agent.folder.0.join("www")).unwrap();
    fs::write(agent.folder.0.join("www/index.html"), "another page").unwrap();
    write(&agent, &second, "elsewhere");
    let goodbye = wall.goodbye();
    assert_eq!(goodbye, format!("this address is left; the wall is at http://{second}/ now"));
    assert_eq!(motion.last().state, "offline");
    assert!(TcpStream::connect(&first).is_err(), "nobody listens at the old address");
    agent.address.clone_from(&second);
    assert_eq!(
        answered(&agent, 1)["reload"]["outcome"],
        "1 camera unchanged, listen changed, www changed, state_dir changed"
    );
    assert_eq!(agent.get("/").unwrap().body, b"another page");
    // The camera's record moved too, although the camera was not asked again.
    wait_for("the entry", || fs::exists(agent.folder.0.join("elsewhere/gate.json")).unwrap().then_some(()));

    // Another program uses this address: the agent keeps the old one until it is free.
    let third = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let taken = third.local_addr().unwrap();
    let mut wall = Page::wall(&second, &["gate"]);
    wall.picture(0);
    write(&agent, &taken.to_string(), "elsewhere");
    let words = [format!("cannot listen on {taken}"), format!("stays at http://{second}/")];
    let message = wall.wait_for_message("the complaint", |message| {
        message["config"].as_array().is_some_and(|texts| !texts.is_empty())
    });
    assert!(words.iter().all(|words| message.to_string().contains(words)), "{message}");
    let api = answered(&agent, 2);
    assert_eq!(api["reload"]["taken"], true);
    assert!(words.iter().all(|words| api["complaints"].to_string().contains(words)), "{api}");
    agent.wait_for_log(&["cannot listen on", "another program listens there"]);
    wall.picture(0);
    drop(third);
    assert_eq!(wall.goodbye(), format!("this address is left; the wall is at http://{taken}/ now"));
    agent.address = taken.to_string();
    wait_for("no complaint", || complaints(&agent).is_empty().then_some(()));

    // The same port on all addresses, and back: to the kernel these addresses conflict.
    let every = format!("{}:{}", Ipv4Addr::UNSPECIFIED, taken.port());
    for (count, listen) in [(3, &every), (4, &taken.to_string())] {
        let mut wall = Page::wall(&agent.address, &["gate"]);
        wall.picture(0);
        write(&agent, listen, "elsewhere");
        let entrance = match listen == &every {
            true => format!("https://{listen}/ (every address of this machine)"),
            false => format!("http://{listen}/"),
        };
        assert_eq!(wall.goodbye(), format!("this address is left; the wall is at {entrance} now"));
        answered(&agent, count);
        assert_eq!(complaints(&agent), [""; 0]);
    }
    assert!(TcpStream::connect((own_address(), taken.port())).is_err(), "not at all addresses any more");

    let camera = agent.camera("gate");
    assert_eq!(camera["reconnects"], 0);
    assert_eq!(cameras.facts("gate")["sessions_opened"], 1);
}
