//! Cameras without ONVIF that take their addresses and their login from a template.

use crate::support::{Agent, Cameras, MotionJpeg, wait_for};

#[test]
fn cameras_of_a_template_have_its_addresses_and_its_login_each_with_its_own_values() {
    let camera = |number: usize| {
        format!("id=c{number} rtsp=855{number} size=640x360 small={}x180 fps=5 user=u pass=p", 320 + 16 * number)
    };
    let cameras = Cameras::start(&[camera(1), camera(2)].each_ref().map(String::as_str));
    let section = |number: usize| {
        let stream = cameras.stream(&format!("c{number}"));
        let ip = stream.trim_start_matches("rtsp://").split(':').next().unwrap().to_owned();
        format!("[[camera]]\nid = \"dock-{number}\"\ntemplate = \"acme\"\nip = \"{ip}\"\nchannel = {number}\n")
    };
    let template = "[template.acme]\nurl = \"rtsp://{ip}:855{channel}/main\"\nsmall_url = \"rtsp://{ip}:855{n}/small\"\n\
                    username = \"u\"\npassword = \"p\"\n";
    let agent = Agent::start(&format!("{template}{}{}", section(1), section(2)));
    let profile = |number: usize, stream: &str| {
        let camera = agent.camera(&format!("dock-{number}"));
        camera["profiles"].as_array().unwrap().iter().find(|one| one["stream"] == stream).cloned().unwrap_or_default()
    };
    for number in 1..=2 {
        // Small tiles are served from the small stream.
        wait_for("the small stream", || (profile(number, "small")["state"] == "live").then_some(()));
        wait_for("its size", || profile(number, "small")["size"].is_array().then_some(()));
        assert_eq!(profile(number, "small")["size"], serde_json::json!([320 + 16 * number, 180]));
        let _large = MotionJpeg::open(&agent.address, &format!("/live/dock-{number}?size=1280x720"));
        wait_for("the main stream", || (profile(number, "main")["state"] == "live").then_some(()));
        wait_for("its size", || profile(number, "main")["size"].is_array().then_some(()));
        assert_eq!(profile(number, "main")["size"], serde_json::json!([640, 360]));
    }
}
