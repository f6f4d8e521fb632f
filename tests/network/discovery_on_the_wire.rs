//! Discovery in a network with real multicast: the agent finds cameras, and finds them again after
//! they moved to another address.

use std::{net::Ipv4Addr, process::Command, time::Instant};

use crate::support::{
    Agent, Cameras, agent_program,
    network::{Host, Network},
    wait_for,
};
use serde_json::Value;

/// A small camera on the ports that real cameras use.
const CAMERA: &str = "size=320x180 small=none fps=10 onvif=80 rtsp=554";
const LOGIN: &str = "username = \"viewer\"\npassword = \"p@ss:w/rd #1?\"\n";
const SAME_LOGIN: &str = "user=viewer pass=\"p@ss:w/rd #1?\"";
/// The address to which a camera moves.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 99);

/// One camera on a host of its own, at the host's address.
fn camera(host: &Host, description: &str) -> Cameras {
    host.within(|| Cameras::start(&[&format!("ip={} {CAMERA} {description}", host.address())]))
}

/// The output of `discover --seconds 4 --json` on this host: one entry per device.
fn discover(host: &Host) -> Vec<Value> {
    let mut command = Command::new(agent_program());
    command.args(["discover", "--seconds", "4", "--json"]);
    let began = Instant::now();
    let output = host.within(|| command.output().unwrap());
    println!("discover took {:.1} s", began.elapsed().as_secs_f32());
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {errors}", output.status);
    let found: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
    // The output is the list itself or an object around it.
    let list = found.as_array().or_else(|| found.as_object()?.values().find_map(Value::as_array));
    list.unwrap_or_else(|| panic!("no list in {text}")).clone()
}

/// Asserts that exactly one entry contains `part`, and returns it as text.
fn only_one_with(found: &[Value], part: &str) -> String {
    let texts: Vec<String> = found.iter().map(Value::to_string).filter(|text| text.contains(part)).collect();
    assert_eq!(texts.len(), 1, "{part} in {found:#?}");
    texts[0].clone()
}

/// Three very different cameras; each is configured in another way and uses another port.
fn three_cameras(network: &Network) -> Vec<(Host, Cameras, &'static str)> {
    let descriptions = [
        ("gate", "id=gate serial=GATE0001 name='Front Gate' wsd=on answers=nvt"),
        ("yard", "id=yard serial=YARD0002 wsd=on answers=device reply-port=any epr=uuid: xaddrs=link-local-first"),
        ("hall", "id=hall serial=HALL0003 wsd=on answers=typed xaddrs=zero"),
    ];
    let start = |(id, description): (&'static str, &str)| {
        let host = network.host();
        let cameras = camera(&host, description);
        (host, cameras, id)
    };
    descriptions.into_iter().map(start).collect()
}

fn assert_all_found(cameras: &[(Host, Cameras, &str)], found: &[Value]) {
    for (host, cameras, id) in cameras {
        let entry = only_one_with(found, cameras.endpoint(id).trim_start_matches("urn:uuid:"));
        assert!(entry.contains(&format!("{}", host.address())), "{id} at its address in {entry}");
        assert_eq!(host.within(|| cameras.facts(id))["proofs"], 0, "nobody gave a password");
    }
    assert_eq!(found.len(), cameras.len(), "and nothing else: {found:#?}");
}

#[test]
fn three_cameras_are_found_in_four_seconds() {
    let Some(network) = Network::new() else { return };
    let cameras = three_cameras(&network);
    let found = discover(&network.host());
    assert_all_found(&cameras, &found);
    assert!(only_one_with(&found, "Front Gate").contains("Camera 1"), "name and model are listed");
}

#[test]
fn three_cameras_are_found_where_every_fifth_packet_is_lost() {
    let Some(network) = Network::new() else { return };
    let (cameras, laptop) = (three_cameras(&network), network.host());
    if network.lose(20) {
        assert_all_found(&cameras, &discover(&laptop));
    }
}

#[test]
fn camera_is_found_by_ssdp_where_ws_discovery_is_silent_or_blocked() {
    let Some(network) = Network::new() else { return };
    let (host, laptop) = (network.host(), network.host());
    let cameras = camera(&host, "id=gate serial=GATE0001 wsd=on ssdp=on");
    host.within(|| cameras.fault("gate", "silence-wsd"));
    only_one_with(&discover(&laptop), &host.address().to_string());

    host.within(|| cameras.fault("gate", "resume"));
    if network.block_udp(3702) {
        only_one_with(&discover(&laptop), &host.address().to_string());
    }
}

#[test]
fn camera_that_changes_its_address_is_live_again_by_itself() {
    let Some(network) = Network::new() else { return };
    let (host, box_) = (network.host(), network.host());
    let cameras = camera(&host, &format!("id=gate serial=GATE0001 wsd=on auth=digest {SAME_LOGIN}"));
    let old = host.address();
    let agent = box_.within(|| Agent::start(&format!("[[camera]]\nid = \"gate\"\nip = \"{old}\"\n{LOGIN}")));
    box_.within(|| agent.wait_for_state("gate", "live"));

    let moved = Instant::now();
    host.move_to(ELSEWHERE);
    host.within(|| cameras.fault("gate", &format!("move?ip={ELSEWHERE}")));
    wait_for_loss_and_return(&box_, &agent);
    println!("live again {:.1} s after the move", moved.elapsed().as_secs_f32());
    assert_eq!(host.within(|| cameras.facts("gate"))["failed_logins"], 0);
}

#[test]
fn stranger_at_the_old_address_is_asked_who_it_is_and_never_sent_a_password() {
    let kinds = ["auth=digest", "auth=usernametoken", "auth=both", "auth=open", "auth=digest anonymous=on"];
    for auth in kinds {
        let Some(network) = Network::new() else { return };
        let (host, neighbour, box_) = (network.host(), network.host(), network.host());
        let cameras = camera(&host, &format!("id=gate serial=GATE0001 wsd=on {SAME_LOGIN}"));
        // Another camera of the same site: the password would even be correct there.
        let login = if auth == "auth=open" { "" } else { SAME_LOGIN };
        let strangers = camera(&neighbour, &format!("id=stranger serial=STRA0002 wsd=on {auth} {login}"));
        let old = host.address();
        let agent = box_.within(|| Agent::start(&format!("[[camera]]\nid = \"gate\"\nip = \"{old}\"\n{LOGIN}")));
        box_.within(|| agent.wait_for_state("gate", "live"));

        // While the camera has no power, the router gives its address to another device.
        host.within(|| cameras.fault("gate", "refuse"));
        host.move_to(ELSEWHERE);
        neighbour.move_to(old);
        neighbour.within(|| strangers.fault("stranger", &format!("move?ip={old}")));
        wait_for("the stranger to be asked", || (onvif_requests(&neighbour, &strangers) > 0).then_some(()));

        host.within(|| cameras.fault("gate", &format!("move?ip={ELSEWHERE}")));
        host.within(|| cameras.fault("gate", "resume"));
        box_.within(|| agent.wait_for_state("gate", "live"));
        let log = neighbour.within(|| strangers.facts("stranger"));
        assert_eq!(log["proofs"], 0, "{auth}: the stranger was sent a password: {log}");
        assert_eq!(log["sessions_opened"], 0, "{auth}: {log}");
        assert_eq!(host.within(|| cameras.facts("gate"))["sessions"], 1, "it is the camera, where it is now");
    }
}

#[test]
fn camera_that_moved_is_found_by_ssdp_where_ws_discovery_is_blocked() {
    let Some(network) = Network::new() else { return };
    let (host, box_) = (network.host(), network.host());
    if !network.block_udp(3702) {
        return;
    }
    let cameras = camera(&host, &format!("id=gate serial=GATE0001 wsd=on ssdp=on auth=usernametoken {SAME_LOGIN}"));
    let old = host.address();
    let agent = box_.within(|| Agent::start(&format!("[[camera]]\nid = \"gate\"\nip = \"{old}\"\n{LOGIN}")));
    box_.within(|| agent.wait_for_state("gate", "live"));

    host.move_to(ELSEWHERE);
    host.within(|| cameras.fault("gate", &format!("move?ip={ELSEWHERE}")));
    wait_for_loss_and_return(&box_, &agent);
}

#[test]
fn camera_with_nothing_but_an_identity_is_live_and_its_twin_is_left_alone() {
    let Some(network) = Network::new() else { return };
    let (host, neighbour, box_) = (network.host(), network.host(), network.host());
    let cameras = camera(&host, &format!("id=gate serial=GATE0001 wsd=on epr=uuid: {SAME_LOGIN}"));
    let twins = camera(&neighbour, &format!("id=twin serial=TWIN0002 wsd=on {SAME_LOGIN}"));
    let uuid = cameras.endpoint("gate");
    let agent = box_.within(|| Agent::start(&format!("[[camera]]\nid = \"gate\"\nuuid = \"{uuid}\"\n{LOGIN}")));
    box_.within(|| agent.wait_for_state("gate", "live"));
    assert_eq!(host.within(|| cameras.facts("gate"))["sessions"], 1);
    assert_eq!(neighbour.within(|| twins.facts("twin"))["proofs"], 0);
}

#[test]
fn box_that_gets_its_address_late_still_finds_its_camera() {
    let Some(network) = Network::new() else { return };
    let (host, box_) = (network.host(), network.host());
    let cameras = camera(&host, &format!("id=gate serial=GATE0001 wsd=on {SAME_LOGIN}"));
    box_.unplug();
    let uuid = cameras.endpoint("gate");
    let agent = box_.within(|| Agent::start(&format!("[[camera]]\nid = \"gate\"\nuuid = \"{uuid}\"\n{LOGIN}")));
    box_.within(|| wait_for("a complaint", || agent.camera("gate")["last_error"].as_str().map(str::to_owned)));
    box_.plug_in();
    box_.within(|| agent.wait_for_state("gate", "live"));
}

#[test]
fn two_cameras_with_one_identity_are_both_named_and_neither_is_sent_a_password() {
    let Some(network) = Network::new() else { return };
    let (one, other, box_) = (network.host(), network.host(), network.host());
    let uuid = "11111111-2222-4333-8444-555555555555";
    let cameras = camera(&one, &format!("id=one serial=SAME0001 wsd=on uuid={uuid} {SAME_LOGIN}"));
    let twins = camera(&other, &format!("id=two serial=SAME0002 wsd=on uuid={uuid} {SAME_LOGIN}"));
    let agent = box_.within(|| Agent::start(&format!("[[camera]]\nid = \"gate\"\nuuid = \"{uuid}\"\n{LOGIN}")));
    let both = [one.address().to_string(), other.address().to_string()];
    box_.within(|| agent.wait_for_log(&["gate", &both[0], &both[1]]));
    assert_eq!(one.within(|| cameras.facts("one"))["proofs"], 0);
    assert_eq!(other.within(|| twins.facts("two"))["proofs"], 0);
    assert_ne!(box_.within(|| agent.camera("gate"))["state"], "live");
}

#[test]
fn camera_whose_onvif_service_is_down_today_is_live_from_what_was_learnt_yesterday() {
    let Some(network) = Network::new() else { return };
    let (host, box_) = (network.host(), network.host());
    let cameras = camera(&host, &format!("id=gate serial=GATE0001 {SAME_LOGIN}"));
    let configuration = format!("[[camera]]\nid = \"gate\"\nip = \"{}\"\n{LOGIN}", host.address());
    let yesterday = box_.within(|| Agent::start(&configuration));
    box_.within(|| yesterday.wait_for_state("gate", "live"));
    host.within(|| cameras.fault("gate", "onvif-down"));

    let state = yesterday.folder.0.join("state");
    // Beside the cameras' files lies the folder of the certificate.
    let kept: Vec<_> = std::fs::read_dir(&state).unwrap().map(|entry| entry.unwrap()).collect();
    let kept: Vec<_> = kept.into_iter().filter(|entry| entry.file_type().unwrap().is_file()).collect();
    for file in &kept {
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(!text.contains("p@ss") && !text.contains("p%40ss"), "a password is kept in {file:?}");
    }
    let today = box_.within(|| Agent::start_with_state(&configuration, &state));
    drop(yesterday);
    let began = Instant::now();
    box_.within(|| today.wait_for_state("gate", "live"));
    println!("live {:.1} s after the start", began.elapsed().as_secs_f32());
}

fn onvif_requests(host: &Host, strangers: &Cameras) -> u64 {
    let facts = host.within(|| strangers.facts("stranger"));
    facts["onvif"].as_object().unwrap().values().filter_map(Value::as_u64).sum()
}

/// Waits until the same agent has lost the camera and shows it live again.
fn wait_for_loss_and_return(box_: &Host, agent: &Agent) {
    box_.within(|| {
        wait_for("the camera to be missed", || (agent.camera("gate")["state"] != "live").then_some(()));
        agent.wait_for_state("gate", "live")
    });
}
