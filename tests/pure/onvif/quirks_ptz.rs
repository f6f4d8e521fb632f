//! Cameras that move, each in its own way.

use cctv_agent::onvif::{Error, Limits, Preset, Ptz, Speed};

use crate::support::onvif_camera::{Answer, Camera, Request, ordinary};

const RIGHT: Speed = Speed { pan: 1.0, tilt: 0.0, zoom: 0.0 };
const NEARER: Speed = Speed { pan: 0.0, tilt: 0.0, zoom: 0.5 };

/// A camera with PTZ, which names the service in the older list alone, on another host. Its main stream has none, its
/// small one of the same source has.
fn moving(request: &Request) -> Answer {
    let port = request.port;
    let profile = |token: &str, more: &str| {
        format!(
            "<Profiles token=\"{token}\"><Name>{token} stream</Name><VideoSourceConfiguration token=\"c\">\
             <SourceToken>{}</SourceToken></VideoSourceConfiguration>{more}</Profiles>",
            if token == "other" { "2" } else { "1" }
        )
    };
    match (request.name(), request.path.as_str()) {
        ("GetCapabilities", _) => Answer::soap(&format!(
            "<R><Capabilities><PTZ><XAddr>http://192.168.7.7:{port}/onvif/Ptz</XAddr></PTZ></Capabilities></R>"
        )),
        ("GetProfiles", "/onvif/Media") => {
            let ptz = "<PTZConfiguration token=\"p\"><NodeToken>n</NodeToken></PTZConfiguration>";
            let profiles = [profile("main", ""), profile("small", ptz), profile("other", "")].concat();
            Answer::soap(&format!("<R>{profiles}</R>"))
        }
        ("ContinuousMove" | "Stop" | "GotoPreset" | "GotoHomePosition", "/onvif/Ptz") => Answer::soap("<R/>"),
        _ => ordinary(request, 0),
    }
}

fn begin(camera: &Camera, profile: Option<&str>) -> Result<Ptz, Error> {
    smol::block_on(Ptz::begin(&camera.target(), None, profile, Limits::default()))
}

/// The requests of this name.
fn named(camera: &Camera, name: &str) -> Vec<Request> {
    camera.requests().into_iter().filter(|request| request.name() == name).collect()
}

#[test]
fn quirk_50_movement_with_a_time_limit_is_refused_and_sent_without() {
    let camera = Camera::start(|request| match request.name() {
        "ContinuousMove" if request.operation().child("Timeout").is_some() => {
            Answer::fault(400, &["ter:InvalidArgVal", "ter:TimeoutNotSupported"], "")
        }
        _ => moving(request),
    });
    let mut ptz = begin(&camera, Some("small")).unwrap();
    assert!(ptz.takes_limit());
    smol::block_on(async {
        ptz.move_on(RIGHT).await.unwrap();
        ptz.move_on(RIGHT).await.unwrap();
    });
    assert!(!ptz.takes_limit());
    let limits: Vec<_> =
        named(&camera, "ContinuousMove").iter().map(|one| one.operation().child("Timeout").is_some()).collect();
    assert_eq!(limits, [true, false, false], "learnt once");
    let first = &named(&camera, "ContinuousMove")[0];
    assert_eq!(first.operation().text_at(&["Timeout"]), Some("PT1S"));
    let velocity = first.operation().child("Velocity").unwrap();
    assert!(velocity.child("Zoom").is_none(), "a camera without zoom would refuse it");
    assert_eq!(velocity.child("PanTilt").and_then(|speed| speed.attribute("x")), Some("1.000"));
}

#[test]
fn quirk_51_camera_without_stop_is_stopped_by_a_movement_of_no_speed() {
    let camera = Camera::start(|request| match request.name() {
        "Stop" => Answer::fault(500, &["ter:ActionNotSupported"], ""),
        _ => moving(request),
    });
    let mut ptz = begin(&camera, Some("small")).unwrap();
    smol::block_on(async {
        ptz.move_on(RIGHT).await.unwrap();
        ptz.move_on(NEARER).await.unwrap();
        ptz.stop().await.unwrap();
        ptz.stop().await.unwrap();
    });
    assert_eq!(named(&camera, "Stop").len(), 1, "learnt once");
    let moves = named(&camera, "ContinuousMove");
    let speed = |request: &Request, part: &str| {
        let found = request.operation().at(&["Velocity", part])?;
        found.attribute("x").map(str::to_owned)
    };
    let speeds: Vec<_> = moves.iter().map(|one| (speed(one, "PanTilt"), speed(one, "Zoom"))).collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        speeds,
        [
            (some("1.000"), None),
            // What is left out would go on.
            (some("0.000"), some("0.500")),
            (some("0.000"), some("0.000")),
            (some("0.000"), None),
        ]
    );
}

#[test]
fn quirk_52_without_a_home_position_the_first_preset_stands_in() {
    let faults = |request: &Request| match request.name() {
        "GotoHomePosition" => Answer::fault(500, &["ter:Action", "ter:NoHomePosition"], ""),
        "GotoPreset" if request.operation().text_at(&["PresetToken"]) != Some("1") => {
            Answer::fault(400, &["ter:InvalidArgVal", "ter:NoToken"], "")
        }
        _ => moving(request),
    };
    let camera = Camera::start(faults);
    let mut ptz = begin(&camera, Some("small")).unwrap();
    smol::block_on(ptz.go_home()).unwrap();
    assert_eq!(named(&camera, "GotoPreset").len(), 1);
    let unknown = smol::block_on(ptz.go_to("7 & 8")).unwrap_err();
    assert!(matches!(&unknown, Error::NoSuchPreset { preset, .. } if preset == "7 & 8"), "{unknown}");
    let bare = Camera::start(move |request| match request.name() {
        "GotoPreset" => Answer::fault(400, &["ter:InvalidArgVal", "ter:NoToken"], ""),
        _ => faults(request),
    });
    let mut ptz = begin(&bare, Some("small")).unwrap();
    let error = smol::block_on(ptz.go_home()).unwrap_err();
    assert!(error.to_string().ends_with("has no home position, and no preset 1"), "{error}");
}

#[test]
fn quirk_53_ptz_of_another_profile_of_the_same_source_is_used_and_of_no_other() {
    let camera = Camera::start(moving);
    for wanted in [Some("main"), Some("main stream")] {
        let mut ptz = begin(&camera, wanted).unwrap();
        smol::block_on(ptz.move_on(RIGHT)).unwrap();
        let sent = named(&camera, "ContinuousMove").pop().unwrap();
        assert_eq!(sent.operation().text_at(&["ProfileToken"]), Some("small"), "{wanted:?}");
    }
    // The camera behind another channel must not move, nor one of several if none is named.
    let error = begin(&camera, Some("other")).unwrap_err();
    assert!(error.to_string().ends_with("has no PTZ for profile \"other\""), "{error}");
    for wanted in [Some("gone"), None] {
        assert!(matches!(begin(&camera, wanted), Err(Error::NoPtz { .. })), "{wanted:?}");
    }
    // A device that says which services it has, and has no PTZ.
    let still = Camera::start(|request| ordinary(request, 0));
    assert!(matches!(begin(&still, Some("000")), Err(Error::NoPtzService { .. })));
}

#[test]
fn quirk_54_presets_without_a_name_or_a_token_are_read() {
    let camera = Camera::start(|request| match request.name() {
        "GetPresets" => Answer::soap(
            "<R><Preset token=\"1\"><Name> Door </Name></Preset><Preset token=\"2\"><Name/></Preset>\
             <Preset><Name>lost</Name></Preset></R>",
        ),
        _ => moving(request),
    });
    let mut ptz = begin(&camera, Some("small")).unwrap();
    let preset = |token: &str, name: &str| Preset { token: token.into(), name: name.into() };
    assert_eq!(smol::block_on(ptz.presets()).unwrap(), [preset("1", "Door"), preset("2", "2")]);
}
