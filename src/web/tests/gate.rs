//! Which hosts and which pages are served: DNS rebinding, reverse proxies, pages of other sites.

use async_tungstenite::{
    client_async,
    tungstenite::{Error, client::IntoClientRequest},
};
use smol::net::TcpStream;

use super::{
    super::Rules,
    scene::{Reply, Scene, in_time, open, play},
};
use crate::config::WebOrigin;

/// One of each kind of path.
const PATHS: [&str; 11] = [
    "/",
    "/index.html",
    "/js/wall.js",
    "/nothing",
    "/api/cameras",
    "/healthz",
    "/metrics",
    "/live/gate",
    "/snapshot/gate",
    "/ws",
    "/ws/gate",
];

/// The paths that show cameras or report on them.
const GUARDED: [&str; 7] = ["/api/cameras", "/healthz", "/metrics", "/live/gate", "/snapshot/gate", "/ws", "/ws/gate"];

fn embed(origins: &[&str]) -> Vec<WebOrigin> {
    origins.iter().map(|origin| WebOrigin::parse(origin).unwrap()).collect()
}

/// The response to a request with these header lines; of an endless one only the head.
async fn asked(scene: &Scene, target: &str, lines: &[String]) -> Reply {
    let mut client = scene.connect().await;
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    client.send(&format!("GET {target} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n")).await;
    let reply = client.head().await;
    let Some(length) = reply.header("content-length").map(|length| length.parse().unwrap()) else { return reply };
    let body = client.exactly(length).await;
    Reply { body, ..reply }
}

/// The same with the right `Host`, and these lines.
async fn from(scene: &Scene, target: &str, lines: &[&str]) -> Reply {
    let host = std::iter::once(format!("Host: {}", scene.address));
    asked(scene, target, &host.chain(lines.iter().map(|line| (*line).to_owned())).collect::<Vec<_>>()).await
}

async fn under(scene: &Scene, target: &str, host: &str) -> Reply {
    asked(scene, target, &[format!("Host: {host}")]).await
}

fn reason(reply: &Reply) -> String {
    reply.json()["error"].as_str().unwrap().to_owned()
}

/// The status of a handshake: 101 if it succeeds, else the status with the reason.
async fn socket(scene: &Scene, path: &str, host: &str, origin: Option<&str>) -> (u16, String) {
    let stream = TcpStream::connect(scene.address).await.unwrap();
    let mut request = format!("ws://{}{path}", scene.address).into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("host", host.parse().unwrap());
    headers.insert("sec-websocket-protocol", "cctv.wall.1".parse().unwrap());
    if let Some(origin) = origin {
        headers.insert("origin", origin.parse().unwrap());
    }
    match in_time(client_async(request, stream)).await {
        Ok((_socket, response)) => {
            assert!(response.headers().contains_key("cross-origin-resource-policy"));
            (101, String::new())
        }
        Err(Error::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            (response.status().as_u16(), String::from_utf8(body).unwrap())
        }
        // The client expects a subprotocol, which the old protocol does not have.
        Err(Error::Protocol(_)) => (101, String::new()),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn no_path_is_answered_under_a_foreign_name() {
    play(
        |_| {},
        async |scene| {
            let port = scene.address.port();
            for path in PATHS {
                for host in [format!("evil.example:{port}"), "evil.example".into(), "127.0.0.1.evil.example".into()] {
                    let reply = under(scene, path, &host).await;
                    assert_eq!(reply.status, 421, "{path} {host}");
                    let name = host.split(':').next().unwrap();
                    assert!(reason(&reply).contains(&format!("{name:?}")), "{}", reply.text());
                    assert!(reason(&reply).contains("`names` below [server]"), "{}", reply.text());
                    assert_eq!(reply.header("cross-origin-resource-policy"), Some("same-site"));
                }
            }
        },
    );
}

#[test]
fn absolute_target_is_judged_by_its_own_host_as_well() {
    play(
        |_| {},
        async |scene| {
            let own = scene.address.to_string();
            for path in ["/healthz", "/api/cameras", "/"] {
                for scheme in ["http", "https", "HTTP"] {
                    let evil = format!("{scheme}://evil.example{path}");
                    assert_eq!(under(scene, &evil, &own).await.status, 421, "{evil}");
                    let good = format!("{scheme}://{own}{path}");
                    assert_eq!(under(scene, &good, "evil.example").await.status, 421, "{good}");
                }
            }
            assert_eq!(under(scene, &format!("http://{own}/healthz?x=1"), &own).await.status, 200);
            assert_eq!(under(scene, &format!("http://{own}?x=1"), &own).await.status, 404, "the page itself");
            for broken in ["http://u@evil.example/", "http:///healthz", "http://", "ftp://127.0.0.1/", "healthz", "*"] {
                assert_eq!(under(scene, broken, &own).await.status, 400, "{broken}");
            }
        },
    );
}

#[test]
fn every_spelling_of_an_own_host_is_answered() {
    play(
        |_| {},
        async |scene| {
            scene.web.set_access(Rules { names: vec!["wall.example.com".into()], ..open() });
            let mut hosts: Vec<String> = [
                "127.0.0.1",
                "10.0.0.5:81",
                "[::1]",
                "[FD00::1]:8080",
                "localhost",
                "LocalHost.:8080",
                "wall.example.com",
                "Wall.Example.COM.:443",
                "wall.example.com:",
            ]
            .map(str::to_owned)
            .into();
            if let Ok(name) = std::fs::read_to_string("/proc/sys/kernel/hostname") {
                let name = name.trim();
                hosts.extend([name.to_owned(), format!("{}.local:8080", name.to_uppercase())]);
            }
            for host in hosts {
                assert_eq!(under(scene, "/healthz", &host).await.status, 200, "{host}");
            }
            for host in ["wall.example.com.evil.example", "x.wall.example.com", "com", "example.com", "10.0.0.300"] {
                assert_eq!(under(scene, "/healthz", host).await.status, 421, "{host}");
            }
            for host in ["", ":80", "[::1", "::1", "wall.example.com:99999", "127.0.0.1:+80", "a b", "u@127.0.0.1"] {
                let reply = under(scene, "/healthz", host).await;
                assert_eq!(reply.status, 400, "{host}");
            }
            let long = "a".repeat(6000);
            assert_eq!(under(scene, "/healthz", &long).await.status, 400);
            let twice = [format!("Host: {}", scene.address), "Host: evil.example".to_owned()];
            assert_eq!(asked(scene, "/healthz", &twice).await.status, 400);
        },
    );
}

#[test]
fn names_hold_from_the_next_request_on() {
    play(
        |_| {},
        async |scene| {
            let mut client = scene.connect().await;
            let request = "GET /healthz HTTP/1.1\r\nHost: wall.example.com\r\n\r\n";
            client.send(request).await;
            assert_eq!(client.reply(false).await.status, 421);
            scene.web.set_access(Rules { names: vec!["wall.example.com".into()], ..open() });
            client.send(request).await;
            assert_eq!(client.reply(false).await.status, 200, "on the same connection");
            scene.web.set_access(open());
            client.send(request).await;
            assert_eq!(client.reply(false).await.status, 421);
        },
    );
}

#[test]
fn socket_is_for_the_page_of_its_host_of_a_name_or_of_an_embedding_site() {
    play(
        |_| {},
        async |scene| {
            scene.web.set_access(Rules {
                names: vec!["wall.example.com".into()],
                embed: embed(&["https://intranet.example"]),
                ..open()
            });
            let own = scene.address.to_string();
            let port = scene.address.port();
            for path in ["/ws", "/ws/gate"] {
                for (host, origin) in [
                    (own.as_str(), None),
                    (&own, Some(format!("http://{own}"))),
                    (&own, Some("http://wall.example.com".to_owned())),
                    (&own, Some("https://WALL.example.com:8443".to_owned())),
                    (&own, Some("https://intranet.example".to_owned())),
                    ("wall.example.com", Some("https://wall.example.com".to_owned())),
                    ("wall.example.com:80", Some("http://wall.example.com:18080".to_owned())),
                ] {
                    let (status, text) = socket(scene, path, host, origin.as_deref()).await;
                    assert_eq!(status, 101, "{path} {host} {origin:?}: {text}");
                }
                for origin in [
                    "http://evil.example",
                    "http://wall.example.com.evil.example",
                    "http://intranet.example",
                    "https://intranet.example:444",
                    "https://sub.intranet.example",
                    "http://127.0.0.1:1",
                    &format!("http://localhost:{port}"),
                    "null",
                    "file://",
                    "",
                ] {
                    let (status, text) = socket(scene, path, &own, Some(origin)).await;
                    assert_eq!(status, 403, "{path} {origin}");
                    assert!(text.contains("`names`") && text.contains("`embed`"), "{text}");
                }
                assert_eq!(socket(scene, path, "evil.example", None).await.0, 421);
                assert_eq!(socket(scene, path, "evil.example", Some("http://evil.example")).await.0, 421);
            }
        },
    );
}

#[test]
fn page_of_another_site_is_refused_everything_but_the_page() {
    play(
        |_| {},
        async |scene| {
            scene.go_live();
            let image = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"];
            for path in GUARDED {
                let reply = from(scene, path, &image).await;
                assert_eq!(reply.status, 403, "{path}");
                assert!(reason(&reply).contains("`embed` below [server]"), "{}", reply.text());
                assert_eq!(reply.header("cross-origin-resource-policy"), Some("same-site"));
            }
            assert_eq!(from(scene, "/live/nobody", &image).await.status, 403, "nor which cameras there are");
            for path in ["/", "/js/wall.js"] {
                assert_eq!(from(scene, path, &image).await.status, 404, "{path}: there are no files here");
            }
            let referred = [&image[..], &["Referer: https://intranet.example/a?b"]].concat();
            assert!(reason(&from(scene, "/live/gate", &referred).await).contains("\"https://intranet.example\""));
            // In a frame the page can be seen, though not read.
            let frame = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"];
            assert_eq!(from(scene, "/live/gate", &frame).await.status, 403);
            let fetch = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: document"];
            assert_eq!(from(scene, "/api/cameras", &fetch).await.status, 403);
            assert_eq!(scene.web.viewers(), 0);
        },
    );
}

#[test]
fn links_own_pages_neighbours_and_programs_are_answered() {
    play(
        |_| {},
        async |scene| {
            scene.go_live();
            let link = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];
            for lines in [
                &[][..],
                &["Sec-Fetch-Site: same-origin"],
                &["Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"],
                &["Sec-Fetch-Site: none"],
                &link,
                &["Referer: http://evil.example/"],
            ] {
                for path in ["/live/gate", "/api/cameras", "/healthz", "/metrics"] {
                    let reply = from(scene, path, lines).await;
                    assert_eq!(reply.status, 200, "{path} {lines:?}");
                    assert_eq!(reply.header("cross-origin-resource-policy"), Some("same-site"), "{path}");
                    let allowing = reply.headers.iter().filter(|(name, _)| name.starts_with("access-control"));
                    assert_eq!(allowing.count(), 0);
                }
            }
        },
    );
}

#[test]
fn embedding_site_may_show_pictures_and_nobody_else() {
    play(
        |_| {},
        async |scene| {
            scene.go_live();
            scene
                .web
                .set_access(Rules { embed: embed(&["https://intranet.example", "http://10.0.0.9:3000"]), ..open() });
            let cross = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"];
            for line in [
                "Referer: https://intranet.example/page?q=1",
                "Referer: https://Intranet.example",
                "Origin: https://intranet.example",
                "Referer: http://10.0.0.9:3000/",
            ] {
                for path in ["/live/gate", "/api/cameras"] {
                    let reply = from(scene, path, &[&cross[..], &[line]].concat()).await;
                    assert_eq!(reply.status, 200, "{path} {line}");
                    assert_eq!(reply.header("cross-origin-resource-policy"), Some("cross-origin"), "{path} {line}");
                    let allowing = reply.headers.iter().filter(|(name, _)| name.starts_with("access-control"));
                    assert_eq!(allowing.count(), 0);
                }
                // Browsers send no information about sites over plain HTTP.
                assert_eq!(
                    from(scene, "/live/gate", &[line]).await.header("cross-origin-resource-policy"),
                    Some("cross-origin")
                );
                let missing = from(scene, "/live/nobody", &[&cross[..], &[line]].concat()).await;
                assert_eq!(
                    (missing.status, missing.header("cross-origin-resource-policy")),
                    (404, Some("cross-origin"))
                );
            }
            for lines in [
                &["Referer: http://intranet.example/"][..],
                &["Referer: https://intranet.example.evil.example/"],
                &["Referer: https://intranet.example@evil.example/"],
                &["Origin: http://evil.example", "Referer: https://intranet.example/"],
                &["Origin: null", "Referer: https://intranet.example/"],
                &[],
            ] {
                let reply = from(scene, "/live/gate", &[&cross[..], lines].concat()).await;
                assert_eq!(reply.status, 403, "{lines:?}");
                let reply = from(scene, "/healthz", lines).await;
                assert_eq!(reply.header("cross-origin-resource-policy"), Some("same-site"), "{lines:?}");
            }
        },
    );
}

#[test]
fn strange_referers_fail_no_request() {
    play(
        |_| {},
        async |scene| {
            let long = format!("Referer: https://intranet.example/{}", "x".repeat(12 << 10));
            for line in [
                "Referer: https://intranet.example/門",
                "Referer: 門",
                "Referer:",
                "Sec-Fetch-Site: 門",
                "Sec-Fetch-Mode: x",
                &long,
                &format!("Referer: https://{}/", "a".repeat(12 << 10)),
            ] {
                assert_eq!(from(scene, "/healthz", &[line]).await.status, 200, "{line}");
            }
            // The address has the same length as before, whatever else is in the head.
            let address = format!("/healthz?{}", "x".repeat(8100));
            let lines =
                [&long[..3000], "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"];
            assert_eq!(from(scene, &address, &lines).await.status, 200);
            scene.web.set_access(Rules { embed: embed(&["https://intranet.example"]), ..open() });
            let reply = from(scene, "/healthz", &["Sec-Fetch-Site: cross-site", &long]).await;
            assert_eq!(reply.status, 200, "its origin is known all the same");
        },
    );
}

#[test]
fn version_one_zero_without_a_host_is_answered_and_with_a_foreign_one_is_not() {
    play(
        |_| {},
        async |scene| {
            for (head, expected) in [
                ("GET /healthz HTTP/1.0", 200),
                ("GET /healthz HTTP/1.0\r\nHost: 127.0.0.1", 200),
                ("GET /healthz HTTP/1.0\r\nHost: evil.example", 421),
                ("GET http://evil.example/healthz HTTP/1.0", 421),
                ("GET http://127.0.0.1/healthz HTTP/1.0", 200),
            ] {
                let mut client = scene.connect().await;
                client.send(&format!("{head}\r\n\r\n")).await;
                assert_eq!(client.reply(false).await.status, expected, "{head}");
            }
        },
    );
}
