//! Something is wrong with a camera or the file: one clear line says what, and the other cameras
//! run on.

use crate::support::{Agent, Cameras, own_address, wait_for};

#[test]
fn each_trouble_has_its_own_words_and_disturbs_nobody() {
    let cameras = Cameras::start(&[
        "id=good size=640x360 small=none",
        "id=locked size=640x360 small=none user=viewer pass=right auth=digest",
        "id=token size=640x360 small=none user=viewer pass=right auth=usernametoken",
        "id=profiled size=640x360",
        "id=garbled size=640x360",
    ]);
    cameras.fault("garbled", "garbage");
    let login = "username = \"viewer\"\npassword = \"wr0ng-one\"\n";
    let agent = Agent::start(&format!(
        "[[camera]]\nid = \"good\"\n{}
         [[camera]]\nid = \"locked\"\n{login}{}
         [[camera]]\nid = \"token\"\n{login}{}
         [[camera]]\nid = \"stream-only\"\n{login}url = \"{}\"
         [[camera]]\nid = \"profiled\"\nprofile = \"Profile_9\"\n{}
         [[camera]]\nid = \"garbled\"\n{}
         [[camera]]\nid = \"absent\"\nip = \"{}\"\n",
        cameras.place("good"),
        cameras.place("locked"),
        cameras.place("token"),
        cameras.stream("locked"),
        cameras.place("profiled"),
        cameras.place("garbled"),
        own_address(),
    ));
    for (id, state, code, words) in [
        ("locked", "denied", "login_refused", &["password"][..]),
        ("token", "denied", "login_refused", &["password"]),
        ("stream-only", "denied", "stream_login_refused", &["password"]),
        ("profiled", "offline", "no_such_profile", &["Profile_9", "Profile_1", "mainStream", "Profile_2"]),
        ("garbled", "offline", "onvif_malformed", &[]),
        ("absent", "offline", "onvif_unreachable", &["refused"]),
    ] {
        let camera = agent.wait_for_state(id, state);
        let why = camera["why"].as_str().unwrap();
        assert!(words.iter().all(|word| why.contains(word)), "{id}: {why}");
        let parts = camera["reason"].as_array().unwrap();
        let texts: Vec<_> = parts.iter().map(|part| part["text"].as_str().unwrap()).collect();
        assert_eq!((parts[0]["code"].as_str().unwrap(), texts.join("; ")), (code, why.to_owned()), "{camera:#}");
        let mut parts = vec![format!("{id}: ")];
        parts.extend(words.iter().map(ToString::to_string));
        agent.wait_for_log(&parts.iter().map(String::as_str).collect::<Vec<_>>());
    }
    assert_eq!(agent.wait_for_state("good", "live")["reconnects"], 0);

    // After at most two refused logins the camera is not tried again for 30 minutes.
    wait_for("the long pause", || agent.camera("stream-only")["why"].as_str()?.contains("30 min").then_some(()));
    for id in ["locked", "token"] {
        wait_for("the long pause", || agent.camera(id)["why"].as_str()?.contains("30 min").then_some(()));
    }
    let locked = agent.camera("locked");
    let pause = locked["reason"].as_array().unwrap().last().unwrap();
    assert_eq!((&pause["code"], &pause["params"]["minutes"]), (&"retry_after_reload".into(), &30.into()), "{locked:#}");
    assert_eq!(locked["reason"][0]["params"]["username"], "viewer");
    let token_failures = cameras.facts("token")["failed_logins"].as_u64().unwrap();
    assert!((1..=2).contains(&token_failures), "{token_failures} wrong passwords sent");
    let everything = agent.log_text() + &agent.api().to_string();
    assert!(!everything.contains("wr0ng"), "a password is shown");
}

#[test]
fn bad_file_at_boot_is_told_on_the_page_and_mended_by_a_reload() {
    let cameras = Cameras::start(&["id=gate size=640x360 small=none"]);
    let good = format!("[[camera]]\nid = \"gate\"\n{}", cameras.place("gate"));
    let agent = Agent::start(&good);
    agent.wait_for_state("gate", "live");
    agent.reload(&format!("{good}profil = \"x\"\nquality = 101\n"));
    let api = wait_for("two complaints", || {
        let api = agent.api();
        (api["complaints"].as_array().unwrap().len() == 2).then_some(api)
    });
    let complaint = api["complaints"][0].as_str().unwrap();
    assert!(complaint.contains("did you mean \"profile\"?"), "{complaint}");
    agent.wait_for_log(&["2 problems", "keeping the previous configuration"]);
    assert_eq!(agent.camera("gate")["state"], "live");
    assert_eq!(agent.camera("gate")["reconnects"], 0);

    agent.reload(&good);
    wait_for("no complaints", || agent.api()["complaints"].as_array().unwrap().is_empty().then_some(()));
}
