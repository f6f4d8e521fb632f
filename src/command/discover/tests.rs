//! The output for people and for programs, and that the TOML sections pass `check`.

use std::path::Path;

use super::{config_match::Configured, probe::DeviceAnswers, *};
use crate::{
    camera::{CameraId, Source},
    device_id::{DeviceId, Mac},
    discovery::{DiscoveryMethod, XAddr},
    onvif::{DeviceInformation, Profile, VideoSource},
};

fn discovered(source: &str) -> DiscoveredDevice {
    DiscoveredDevice {
        source: source.parse().unwrap(),
        how: vec![DiscoveryMethod::Ws],
        identity: DeviceId::new("5f5a69c2-e0ae-504f-829b-000000000064"),
        udn: None,
        xaddrs: vec![XAddr::at(source, 8000)],
        name: Some("Gate \"A\"\u{1b}[2J \\ \u{9580}".into()),
        maker: None,
        hardware: Some("EYE-3".into()),
        location: None,
        serial: None,
        mac: Mac::new("00aabb270ad8"),
        types: vec!["NetworkVideoTransmitter".into()],
        is_camera: true,
        is_ambiguous: false,
    }
}

fn found(discovered: DiscoveredDevice) -> Candidate {
    let address = discovered.xaddrs.first().cloned();
    Candidate { discovered, address, answers: None, configured: Configured::Unknown }
}

fn some() -> Vec<Candidate> {
    let device = DeviceInformation { manufacturer: "Acme".into(), model: "Eye 3".into(), ..Default::default() };
    let answers = Candidate {
        answers: Some(DeviceAnswers { device, ..DeviceAnswers::default() }),
        ..found(discovered("10.0.0.1"))
    };
    let twin = DiscoveredDevice { identity: DeviceId::new("odd/form"), is_ambiguous: true, ..discovered("10.0.0.2") };
    let linked = DiscoveredDevice { xaddrs: vec![XAddr::at("fe80::1%3", 80)], name: None, ..discovered("fe80::1") };
    let bare = DiscoveredDevice {
        identity: None,
        xaddrs: Vec::new(),
        how: vec![DiscoveryMethod::Ssdp],
        ..discovered("10.0.0.3")
    };
    let bare = DiscoveredDevice { name: Some("\u{9580}".into()), hardware: None, ..bare };
    vec![answers, found(twin), found(linked), found(bare)]
}

fn parsed(text: &str) -> Config {
    let no_secrets = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
    config::parse(text, Path::new("cameras.toml"), &no_secrets).unwrap_or_else(|wrong| panic!("{wrong:#?}\n{text}"))
}

#[test]
fn people_get_a_table() {
    let expected = "\
ADDRESS              NAME                    MAKER AND MODEL  IDENTITY                                       FOUND BY      CONFIGURED
10.0.0.1:8000        Gate \"A\"\\u{1b}[2J \\ \u{9580}  Acme Eye 3       urn:uuid:5f5a69c2-e0ae-504f-829b-000000000064  WS-Discovery  -
10.0.0.2:8000        Gate \"A\"\\u{1b}[2J \\ \u{9580}  EYE-3            odd/form (not its alone)                       WS-Discovery  -
fe80::1%3            -                       EYE-3            urn:uuid:5f5a69c2-e0ae-504f-829b-000000000064  WS-Discovery  -
10.0.0.3 (no ONVIF)  \u{9580}                      -                -                                              UPnP          -
";
    assert_eq!(as_table(&some(), &[]), expected);
    assert_eq!(as_table(&[], &[]), "");
}

#[test]
fn programs_get_every_field() {
    let json = as_json(&some(), &[]);
    assert_eq!(
        json[0]["address"],
        json!({"host": "10.0.0.1", "port": 8000, "path": "/onvif/device_service", "https": false})
    );
    assert_eq!(
        (&json[0]["maker"], &json[0]["model"], &json[0]["answers"]),
        (&json!("Acme"), &json!("Eye 3"), &json!(true))
    );
    assert_eq!(json[0]["mac"], "00:aa:bb:27:0a:d8");
    assert_eq!((&json[1]["identity_is_shared"], &json[1]["answers"]), (&json!(true), &json!(false)));
    assert_eq!((&json[3]["address"], &json[3]["found_by"]), (&Value::Null, &json!(["UPnP"])));
    assert_eq!(as_json(&[], &[]), json!([]));
}

#[test]
fn sections_pass_check_and_say_what_was_found() {
    let text = toml_output::write(&some(), &[], None);
    let config = parsed(&text);
    let ids: Vec<&str> = config.cameras.iter().map(|camera| camera.id.as_str()).collect();
    assert_eq!(ids, ["gate-a-2j", "gate-a-2j-2", "eye-3"], "{text}");
    assert_eq!(config.cameras[0].name, "Gate \"A\" [2J \\ \u{9580}");
    assert!(text.contains("ip = \"10.0.0.1\"\nonvif_port = 8000\nuuid = \"urn:uuid:5f5a69c2-"), "{text}");
    assert!(!text.contains("odd/form"), "an identity that others have, too, is none: {text}");
    assert!(!text.contains("fe80::1%3"), "{text}");
    assert!(text.contains("# 10.0.0.3 is a camera, but"), "{text}");
    assert_eq!(toml_output::write(&[], &[], None), "");
}

#[test]
fn recorder_gets_one_section_for_all_its_video_sources() {
    let profile = |token: &str, source: &str| Profile {
        token: token.into(),
        encoding: Some("H264".into()),
        source: Some(VideoSource { token: source.into(), configuration: None }),
        ..Profile::default()
    };
    let listed = |profiles: Vec<Profile>| {
        let answers = DeviceAnswers { profiles, ..DeviceAnswers::default() };
        toml_output::write(&[Candidate { answers: Some(answers), ..found(discovered("10.0.0.1")) }], &[], None)
    };
    let text = listed(vec![profile("p0 \"a\"", "1"), profile("p0_small", "1"), profile("p1", "2"), profile("p2", "3")]);
    let cameras = parsed(&text).cameras;
    let ids: Vec<_> = cameras.iter().map(|camera| camera.id.as_str()).collect();
    assert_eq!(ids, ["gate-a-2j-1", "gate-a-2j-2", "gate-a-2j-3"], "{text}");
    assert!(text.contains("[[recorder]]\n") && text.contains("channels = \"1-3\"\n"), "{text}");
    assert!(cameras.iter().all(|camera| camera.stream_source.channel.is_some()), "{text}");
    let text = listed(vec![profile("a", "VideoSource_1"), profile("b", "VideoSource_1")]);
    assert!(text.contains("# Video source VideoSource_1\n") && text.contains("[[camera]]"), "{text}");
    assert_eq!(parsed(&text).cameras.len(), 1);
    let odd = listed(vec![profile("a\u{1b}", "1"), profile("b", "2\n[[camera]]")]);
    assert_eq!(parsed(&odd).cameras.len(), 2, "{odd}");
}

#[test]
fn names_without_latin_letters_get_an_identifier_too() {
    let mut nameless =
        found(DiscoveredDevice { name: Some("\u{9580}".into()), hardware: None, ..discovered("10.0.0.1") });
    let first = parsed(&toml_output::write(std::slice::from_ref(&nameless), &[], None));
    assert_eq!(first.cameras[0].id.as_str(), "camera");
    let second = toml_output::write(std::slice::from_ref(&nameless), &[], Some(&first));
    assert!(second.contains("id = \"camera-2\""), "{second}");
    nameless.configured = Configured::As(CameraId::new("camera").unwrap());
    assert!(parsed(&toml_output::write(&[nameless], &[], Some(&first))).cameras.is_empty());
}

#[test]
fn configured_cameras_are_recognised() {
    let config = parsed(
        "[[camera]]\nid='gate'\nuuid='URN:UUID:5F5A69C2-e0ae-504f-829b-000000000064'\n\
         [[camera]]\nid='yard'\nip='10.0.0.5'\n[[camera]]\nid='door'\nip='10.0.0.6'\nuuid='uuid:other'\n\
         [[camera]]\nid='roof'\nurl='rtsp://10.0.0.7:8554/a'\n",
    );
    let find = |discovered: &DiscoveredDevice| config_match::find(discovered, None, Some(&config)).to_string();
    assert_eq!(find(&discovered("10.9.9.9")), "as gate");
    let elsewhere = |source: &str| DiscoveredDevice { identity: DeviceId::new("x"), ..discovered(source) };
    assert_eq!(find(&elsewhere("10.0.0.5")), "as yard");
    assert_eq!(find(&elsewhere("10.0.0.6")), "no, but has the address of door");
    assert_eq!(find(&elsewhere("10.0.0.7")), "as roof");
    assert_eq!(find(&elsewhere("10.0.0.8")), "no");
    assert_eq!(find(&DiscoveredDevice { is_ambiguous: true, ..discovered("10.9.9.9") }), "no");
    let answers = DeviceAnswers { identity: DeviceId::new("other"), ..DeviceAnswers::default() };
    let by_told = config_match::find(
        &DiscoveredDevice { identity: None, ..discovered("10.9.9.9") },
        Some(&answers),
        Some(&config),
    );
    assert_eq!(by_told.to_string(), "as door");
    assert_eq!(config_match::find(&discovered("10.0.0.5"), None, None), Configured::Unknown);
}

#[test]
fn who_finds_nothing_learns_where_was_asked_and_what_to_check() {
    let place =
        InterfaceAddress { interface: "eth0".into(), index: 2, address: "10.0.0.2".parse().unwrap(), subnet: None };
    let text = nothing(std::slice::from_ref(&place), Duration::from_secs(3), None);
    for part in ["within 3 s on eth0 (10.0.0.2)", "discovery_port", "cctv-agent info IP"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(nothing(&[place], Duration::from_secs(3), Some(3703)).contains("UDP port 3703"));
    assert!(nothing(&[], Duration::from_secs(3), None).contains("no network interface"));
}

#[test]
fn cameras_at_this_machine_stand_beside_those_of_the_network() {
    let expected = "\
ADDRESS                               NAME                MAKER AND MODEL  IDENTITY  FOUND BY     CONFIGURED
/dev/v4l/by-id/usb-C920-video-index0  C920 \"HD\"\\u{1b}[2J  driver uvcvideo  -         Video4Linux  -
/dev/video2 (perhaps)                 -                   driver uvcvideo  -         Video4Linux  -
";
    assert_eq!(as_table(&[], &local::some(None)), expected);
    let json = as_json(&[], &local::some(None));
    assert_eq!(json[0]["device"], "/dev/v4l/by-id/usb-C920-video-index0");
    assert_eq!((&json[0]["found_by"], &json[1]["is_certain"]), (&json!(["Video4Linux"]), &json!(false)));
}

#[test]
fn sections_of_cameras_at_this_machine_pass_check_and_are_known_by_each_path() {
    let text = toml_output::write(&[], &local::some(None), None);
    let config = parsed(&text);
    let urls: Vec<_> = config.cameras.iter().map(|camera| &camera.stream_source.source).collect();
    let [Source::Url(first), Source::Url(second)] = &urls[..] else { panic!("{text}") };
    assert_eq!((first.as_str(), second.as_str()), ("/dev/v4l/by-id/usb-C920-video-index0", "/dev/video2"), "{text}");
    assert_eq!(config.cameras[0].name, "C920 \"HD\" [2J", "{text}");
    let config = parsed("[[camera]]\nid='desk'\nurl='/dev/video0?fps=5'\n");
    let text = toml_output::write(&[], &local::some(Some(&config)), Some(&config));
    assert!(text.contains("# /dev/v4l/by-id/usb-C920-video-index0 is configured already, as desk.\n"), "{text}");
    assert_eq!(parsed(&text).cameras.len(), 1, "{text}");
}
