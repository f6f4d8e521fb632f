//! Status, metrics and the files of the page.

use std::{
    collections::HashSet,
    fs,
    io::Read,
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{
    super::Rules,
    scene::{Scene, open, play, play_with_www},
};
use crate::{
    camera::State,
    config::WebOrigin,
    hub::{Reception, WorkerUsage},
    sandbox::{Sandbox, SandboxPart},
};

const RECEPTION: Reception = Reception {
    packets: 900,
    lost: 5,
    late: 1,
    foreign: 2,
    resyncs: 3,
    jitter: Duration::from_micros(1250),
    damaged_units: 4,
    waiting_for_key_frame: None,
    camera_clock: Some(-3250),
};

#[test]
fn cameras_are_told_with_everything_known() {
    play(
        |_| {},
        async |scene| {
            scene.go_live();
            let vitals = WorkerUsage { pid: 7, cpu: Duration::from_millis(1500), resident: 4096, own: 1024 };
            scene.gate.set_vitals(vitals, Instant::now());
            scene.gate.set_sandbox(Sandbox::new(|part| part != SandboxPart::Scope));
            scene.web.agent_status.set_complaints(vec!["cameras.toml:1:1: no".into()]);
            let reply = scene.get("/api/cameras").await;
            assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
            let json = reply.json();
            assert_eq!(json["version"], "1.2.3");
            assert_eq!(json["complaints"][0], "cameras.toml:1:1: no");
            let gate = &json["cameras"][0];
            assert_eq!(
                (&gate["id"], &gate["name"], &gate["state"]),
                (&"gate".into(), &"Camera gate".into(), &"live".into())
            );
            assert_eq!((&gate["codec"], &gate["size"]), (&"h264".into(), &serde_json::json!([1280, 720])));
            assert_eq!((&gate["frames"], &gate["bytes"], &gate["viewers"]), (&1.into(), &100.into(), &0.into()));
            assert_eq!(
                gate["worker"],
                serde_json::json!({
                    "pid": 7, "cpu_seconds": 1.5, "cpu": null, "memory_bytes": 4096, "own_memory_bytes": 1024,
                    "sandbox": "partly", "sandbox_missing": ["landlock_scope"]
                })
            );
            assert!(gate["age"].as_f64().is_some() && gate["decoding"] == false);
            assert!(gate["reception"].is_null(), "a worker has read it");
            scene.gate.set_reception(RECEPTION);
            let json = scene.get("/api/cameras").await.json();
            assert_eq!(
                json["cameras"][0]["reception"],
                serde_json::json!({
                    "packets": 900, "lost": 5, "late": 1, "foreign": 2, "resyncs": 3, "jitter": 0.001_25,
                    "damaged_frames": 4, "waiting_for_key_frame": null, "camera_clock": -3.25
                })
            );
            let porch = &json["cameras"][1];
            assert_eq!((&porch["state"], &porch["why"]), (&"connecting".into(), &"starting".into()));
            assert!(porch["age"].is_null() && porch["size"].is_null() && porch["worker"].is_null());
        },
    );
}

#[test]
fn health_is_that_of_the_keepers_and_not_of_the_cameras() {
    play(
        |_| {},
        async |scene| {
            scene.gate.report(State::Offline, "no route", Instant::now());
            scene.gate.set_heartbeat_deadline(Instant::now() + Duration::from_secs(3600));
            let reply = scene.get("/healthz").await;
            assert_eq!((reply.status, &reply.json()["ok"]), (200, &true.into()));
            let Some(past) = Instant::now().checked_sub(Duration::from_secs(11)) else { return };
            scene.gate.set_heartbeat_deadline(past);
            let reply = scene.get("/healthz").await;
            assert_eq!((reply.status, &reply.json()["ok"]), (503, &false.into()));
            assert!(reply.json()["error"].as_str().unwrap().contains("gate"));
        },
    );
}

#[test]
fn metrics_parse_line_by_line() {
    play(
        |_| {},
        async |scene| {
            scene.go_live();
            let _seat = scene
                .gate
                .subscribe(
                    crate::media::RenditionRequest { size: None, quality: None, fps: None },
                    crate::hub::ViewerOrigin::Own,
                )
                .unwrap();
            scene.publish(1).await;
            scene.gate.set_reception(RECEPTION);
            let reply = scene.get("/metrics").await;
            assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
            let text = reply.text();
            let (mut family, mut families) = (String::new(), HashSet::new());
            for line in text.lines() {
                if let Some(rest) = line.strip_prefix("# HELP ") {
                    family = rest.split(' ').next().unwrap().to_owned();
                    assert!(families.insert(family.clone()), "{family} is there twice");
                } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                    let kind = rest.strip_prefix(&*family).unwrap().trim();
                    assert_eq!(kind == "counter", family.ends_with("_total"), "{line}");
                } else {
                    let (name, value) = line.rsplit_once(' ').unwrap();
                    assert_eq!(name.split('{').next().unwrap(), family, "{line}");
                    assert!(value.parse::<f64>().is_ok(), "{line}");
                }
            }
            for line in [
                "cctv_camera_up{camera=\"gate\"} 1",
                "cctv_camera_up{camera=\"porch\"} 0",
                "cctv_camera_state{camera=\"porch\",state=\"connecting\"} 1",
                "cctv_camera_frames_total{camera=\"gate\"} 2",
                "cctv_rendition_encodes_total{camera=\"gate\",size=\"1280x720\",quality=\"80\",fps=\"25\"} 1",
                "cctv_camera_rtp_lost_total{camera=\"gate\"} 5",
                "cctv_camera_rtp_jitter_seconds{camera=\"gate\"} 0.00125",
                "cctv_camera_damaged_frames_total{camera=\"gate\"} 4",
                "cctv_agent_info{version=\"1.2.3\"} 1",
            ] {
                assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
            }
            assert!(text.contains("\ncctv_agent_memory_bytes "));
            assert!(!text.contains("cctv_camera_rtp_packets_total{camera=\"porch\"}"), "nothing read it");
        },
    );
}

/// A directory for this test alone, removed at its end.
struct Www(PathBuf);

impl Www {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("cctv-agent-web-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("www/js")).unwrap();
        fs::write(path.join("secret.txt"), "secret").unwrap();
        fs::write(path.join("www/index.html"), "<p>wall</p>").unwrap();
        fs::write(path.join("www/.hidden"), "hidden").unwrap();
        fs::write(path.join("www/js/wall.js"), "const wall = 1;\n".repeat(500)).unwrap();
        std::os::unix::fs::symlink("../secret.txt", path.join("www/link.txt")).unwrap();
        Self(path)
    }
}

impl Drop for Www {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn play_page(name: &str, story: impl AsyncFnOnce(&Scene)) {
    let www = Www::new(name);
    play_with_www(&www.0.join("www"), |_| {}, story);
}

#[test]
fn page_is_served_with_its_type_and_its_policy() {
    play_page("types", async |scene| {
        let front = scene.get("/").await;
        assert_eq!((front.status, &*front.text()), (200, "<p>wall</p>"));
        assert_eq!(front.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(front.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(front.header("cache-control"), Some("no-cache"));
        assert!(front.header("content-security-policy").unwrap().contains("default-src 'self'"));
        assert_eq!(scene.get("/index.html").await.body, front.body);
        assert_eq!(scene.get("/js/wall.js").await.header("content-type"), Some("text/javascript; charset=utf-8"));
    });
}

#[test]
fn page_is_sent_again_only_when_it_changed() {
    play_page("tags", async |scene| {
        let mut client = scene.connect().await;
        client.send("GET /js/wall.js HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: br, gzip\r\n\r\n").await;
        let packed = client.reply(false).await;
        assert_eq!(packed.header("content-encoding"), Some("gzip"));
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(&packed.body[..]).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, "const wall = 1;\n".repeat(500));
        assert!(packed.body.len() * 10 < unpacked.len());

        let tag = packed.header("etag").unwrap().to_owned();
        client
            .send(&format!(
                "GET /js/wall.js HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\nIf-None-Match: \"a\", W/{tag}\r\n\r\n"
            ))
            .await;
        let same = client.reply(false).await;
        assert_eq!((same.status, same.header("etag")), (304, Some(&*tag)));

        // Without compression it is another representation with another tag, on the same
        // connection.
        client.send(&format!("GET /js/wall.js HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {tag}\r\n\r\n")).await;
        let plain = client.reply(false).await;
        assert_eq!((plain.status, plain.text()), (200, unpacked));
        assert_ne!(plain.header("etag"), Some(&*tag));
    });
}

#[test]
fn nothing_outside_of_the_page_can_be_reached() {
    play_page("traversal", async |scene| {
        for path in [
            "/../secret.txt",
            "/js/../../secret.txt",
            "/%2e%2e/secret.txt",
            "/js/%2e%2e/%2e%2e/secret.txt",
            "/..%2fsecret.txt",
            "/..%5csecret.txt",
            "/..\\secret.txt",
            "//secret.txt",
            "///../secret.txt",
            "/js//wall.js",
            "/link.txt",
            "/.hidden",
            "/js",
            "/js/",
            "/secret.txt%00.html",
            "/./././../secret.txt",
            "/live/../../secret.txt",
        ] {
            let reply = scene.get(path).await;
            assert_eq!(reply.status, 404, "{path}: {}", reply.text());
            assert!(!reply.text().contains("secret"), "{path}");
        }
        let nul = scene.get("/index.html\0").await;
        assert_eq!(nul.status, 400);
    });
}

#[test]
fn missing_page_says_so() {
    play(
        |_| {},
        async |scene| {
            let reply = scene.get("/").await;
            assert_eq!(reply.status, 404);
            assert!(reply.text().contains("page is missing"));
            assert_eq!(scene.get("/js/wall.js").await.status, 404);
        },
    );
}

#[test]
fn page_may_be_framed_by_itself_and_by_the_sites_named() {
    play_page("frames", async |scene| {
        let ancestors = async || {
            let policy = scene.get("/").await.header("content-security-policy").unwrap().to_owned();
            policy.split("frame-ancestors ").nth(1).unwrap().to_owned()
        };
        assert_eq!(ancestors().await, "'self'");
        let embed = ["https://intranet.example", "http://10.0.0.9:3000"].map(|text| WebOrigin::parse(text).unwrap());
        scene.web.set_access(Rules { embed: embed.into(), ..open() });
        assert_eq!(ancestors().await, "'self' https://intranet.example http://10.0.0.9:3000");
        scene.web.set_access(open());
        assert_eq!(ancestors().await, "'self'");
    });
}
