//! Who is taken for whom, and what each is answered.

use std::net::SocketAddr;

use super::*;

const PROXY: &str = "127.0.0.1";

/// A connection from `address` to port 8080 of `local`.
fn peer(address: &str, local: &str, is_tls: bool) -> Peer {
    let local = SocketAddr::new(local.parse().unwrap(), 8080);
    Peer { address: address.parse().unwrap(), local, is_tls }
}

fn metadata(lines: &[(&str, &str)]) -> Metadata {
    let mut metadata = Metadata::default();
    for (name, value) in lines {
        match *name {
            "host" => metadata.hosts.push(Authority::parse(value).unwrap()),
            name => metadata.take(name, value.as_bytes()),
        }
    }
    metadata
}

fn trusting() -> Rules {
    Rules { trusted_proxies: vec![PROXY.parse().unwrap()], ..Rules::default() }
}

/// The response to `/live/gate?q=1`: its status, where it leads, and its text.
fn answer(peer: &Peer, lines: &[(&str, &str)], rules: &Rules) -> (u16, String, String) {
    let request = Request::get("http://x/live/gate?q=1");
    let metadata = metadata(lines);
    match Visitor::of(peer, &metadata, rules).check(peer, &request, &metadata, rules) {
        Ok(()) => (200, String::new(), String::new()),
        Err(response) => {
            let location = response.headers.iter().find(|(name, _)| *name == "Location");
            let location = location.map_or_else(String::new, |(_, place)| place.clone());
            (response.status, location, String::from_utf8(response.body).unwrap())
        }
    }
}

#[test]
fn loopback_is_a_connection_from_there_that_asks_for_it_and_was_not_passed_on() {
    let is_loopback = |address: &str, lines: &[(&str, &str)]| {
        let peer = peer(address, "127.0.0.1", false);
        Visitor::of(&peer, &metadata(lines), &trusting()).is_loopback
    };
    for host in ["localhost", "127.0.0.1:8080", "[::1]:8080", "127.1.2.3", "localhost:80"] {
        assert!(is_loopback("127.0.0.1", &[("host", host)]), "{host}");
    }
    assert!(is_loopback("::ffff:127.0.0.1", &[("host", "localhost")]) && is_loopback("::1", &[]));
    for host in ["wall.example.com", "10.0.0.1", "[fd00::1]:8080"] {
        assert!(!is_loopback("127.0.0.1", &[("host", host)]), "{host}");
    }
    for header in ["forwarded", "x-forwarded-for", "x-forwarded-proto", "via"] {
        assert!(!is_loopback("127.0.0.1", &[("host", "localhost"), (header, "127.0.0.1")]), "{header}");
    }
    assert!(!is_loopback("10.0.0.7", &[("host", "localhost")]));
    // A proxy that reports nothing: the page is elsewhere, or HTTP is old.
    let host = ("host", "127.0.0.1:8080");
    assert!(!is_loopback("127.0.0.1", &[host, ("referer", "https://wall.example.com/")]));
    assert!(!is_loopback("127.0.0.1", &[host, ("origin", "http://wall.example.com")]));
    assert!(is_loopback("127.0.0.1", &[host, ("referer", "http://localhost:8080/")]));
    let embedded = [host, ("referer", "https://intranet.example/"), ("sec-fetch-site", "cross-site")];
    assert!(is_loopback("127.0.0.1", &embedded), "the box's own browser shows another page around ours");
    let here = peer("127.0.0.1", "127.0.0.1", false);
    let embedding = ("origin", "https://intranet.example");
    let rules = Rules { embed: vec![WebOrigin::parse(embedding.1).unwrap()], ..trusting() };
    let socket = Visitor::of(&peer("127.0.0.1", "127.0.0.1", false), &metadata(&[host, embedding]), &rules);
    assert!(socket.is_loopback, "a page that may embed the wall opens a socket");
    let mut old = metadata(&[host]);
    old.is_old = true;
    assert!(!Visitor::of(&here, &old, &trusting()).is_loopback);
}

#[test]
fn address_and_scheme_are_those_that_a_trusted_proxy_reports_and_no_other() {
    let lines = [("host", "wall"), ("x-forwarded-for", "6.6.6.6, 10.0.0.7"), ("x-forwarded-proto", "https")];
    let told = Visitor::of(&peer(PROXY, PROXY, false), &metadata(&lines), &trusting());
    let visitor = Visitor { address: "10.0.0.7".parse().unwrap(), is_https: true, is_loopback: false };
    assert_eq!(told, visitor);
    let liar = Visitor::of(&peer("10.0.0.9", "10.0.0.1", false), &metadata(&lines), &trusting());
    assert_eq!(liar, Visitor { address: "10.0.0.9".parse().unwrap(), is_https: false, is_loopback: false });
    // TLS between the proxy and us does not tell that there is TLS before it.
    let plain = [("host", "wall"), ("x-forwarded-for", "10.0.0.7"), ("x-forwarded-proto", "http")];
    assert!(!Visitor::of(&peer(PROXY, PROXY, true), &metadata(&plain), &trusting()).is_https);
    assert!(Visitor::of(&peer("10.0.0.9", "10.0.0.1", true), &metadata(&[]), &trusting()).is_https);
}

#[test]
fn http_is_for_this_machine_and_others_are_sent_to_the_same_port_with_https() {
    let none = Rules::default();
    let outside = peer("10.0.0.7", "10.0.0.1", false);
    for (host, location) in [
        ("10.0.0.1:8080", "https://10.0.0.1:8080/live/gate?q=1"),
        ("wall", "https://wall:80/live/gate?q=1"),
        ("[fd00::1]:8080", "https://[fd00::1]:8080/live/gate?q=1"),
        ("localhost:8080", "https://localhost:8080/live/gate?q=1"),
    ] {
        let (status, to, text) = answer(&outside, &[("host", host)], &none);
        assert_eq!((status, to.as_str()), (308, location));
        assert!(text.contains(location) && text.contains("plain_http = true"), "{text}");
    }
    assert_eq!(answer(&outside, &[], &none).1, "https://10.0.0.1:8080/live/gate?q=1");
    assert_eq!(answer(&peer("10.0.0.7", "10.0.0.1", true), &[("host", "wall")], &none).0, 200);
    let open = Rules { plain_http: true, ..Rules::default() };
    assert_eq!(answer(&outside, &[("host", "wall")], &open).0, 200);

    // From this machine, also by another address of it, as `cctv-agent status` and the watchdogs ask.
    assert_eq!(answer(&peer(PROXY, PROXY, false), &[("host", "localhost:8080")], &none).0, 200);
    assert_eq!(answer(&peer("10.0.0.1", "10.0.0.1", false), &[("host", "10.0.0.1:8080")], &none).0, 200);
    let by_name = answer(&peer("127.0.1.1", "127.0.1.1", false), &[("host", "terminal:8080")], &none);
    assert_eq!((by_name.0, by_name.1.as_str()), (308, "https://terminal:8080/live/gate?q=1"));
}

#[test]
fn login_over_http_is_refused_unread() {
    let lines = [("host", "wall"), ("authorization", "Basic c2VjcmV0OnNlY3JldA==")];
    let (status, _, text) = answer(&peer("10.0.0.7", "10.0.0.1", false), &lines, &Rules::default());
    assert!(status == 403 && text.contains("change that password"), "{text}");
    assert!(!format!("{:?}", metadata(&lines)).contains("c2Vj"), "it is not kept");
    assert_eq!(answer(&peer("10.0.0.7", "10.0.0.1", true), &lines, &Rules::default()).0, 200);
    assert_eq!(answer(&peer(PROXY, PROXY, false), &[("host", "localhost"), lines[1]], &Rules::default()).0, 200);
}

#[test]
fn what_a_proxy_lacks_is_named() {
    let (here, elsewhere) = (peer(PROXY, PROXY, false), peer("10.0.0.2", "10.0.0.1", false));
    let (scheme, client) = (("x-forwarded-proto", "https"), ("x-forwarded-for", "10.0.0.7"));
    let wall = ("host", "wall.example.com");
    for (peer, lines, rules, parts) in [
        (&here, vec![wall], Rules::default(), vec!["trusted_proxies = [\"127.0.0.1\"]", "X-Forwarded-Proto $scheme;"]),
        (&here, vec![wall, scheme, client], Rules::default(), vec!["trusted_proxies = [\"127.0.0.1\"]"]),
        (&elsewhere, vec![wall, client], trusting(), vec!["trusted_proxies = [\"10.0.0.2\"]"]),
        (&here, vec![wall, client], trusting(), vec!["lacks `proxy_set_header X-Forwarded-Proto $scheme;`"]),
        (&here, vec![wall, ("via", "1.1 a")], trusting(), vec!["X-Forwarded-Proto $scheme;"]),
        (&here, vec![wall, scheme], trusting(), vec!["lacks `proxy_set_header X-Forwarded-For $proxy_add"]),
    ] {
        let (status, _, text) = answer(peer, &lines, &rules);
        assert_eq!(status, 403, "{lines:?}");
        for part in parts {
            assert!(text.replace("\\\"", "\"").contains(part), "{lines:?}: {text}");
        }
    }
    assert_eq!(answer(&here, &[wall, scheme, client], &trusting()).0, 200);
    let (status, location, _) = answer(&here, &[wall, client, ("x-forwarded-proto", "http")], &trusting());
    assert_eq!((status, location.as_str()), (308, "https://wall.example.com/live/gate?q=1"));
    // Whoever allows HTTP need not write anything.
    let open = Rules { plain_http: true, ..trusting() };
    assert_eq!(answer(&here, &[wall, client], &open).0, 200);
}

#[test]
fn page_behind_a_proxy_in_its_default_configuration_is_told_the_lines() {
    let referer = ("referer", "http://wall.example.com/");
    let host = ("host", "127.0.0.1:8080");
    let mut request = metadata(&[host, referer]);
    request.is_old = true;
    let mistakes = proxy_mistakes(&request);
    assert!(mistakes.len() == 2 && mistakes[0].contains("Upgrade $http_upgrade;"), "{mistakes:?}");
    assert!(mistakes[1].contains("wall.example.com") && mistakes[1].contains("Host $host;"), "{mistakes:?}");
    assert!(proxy_mistakes(&metadata(&[host, ("referer", "http://127.0.0.1:8080/")])).is_empty());
    assert!(proxy_mistakes(&metadata(&[host, ("referer", "http://a/"), ("sec-fetch-site", "cross-site")])).is_empty());
    assert!(proxy_mistakes(&metadata(&[host])).is_empty(), "a program sends no page");
}

#[test]
fn viewers_of_one_address_have_one_share_and_this_machine_has_its_own() {
    let origin = |address: &str, is_loopback| {
        Visitor { address: address.parse().unwrap(), is_https: false, is_loopback }.origin()
    };
    assert_eq!(origin("127.0.0.1", true), ViewerOrigin::Own);
    assert_ne!(origin("127.0.0.1", false), ViewerOrigin::Own, "a proxy's visitor is not this machine");
    assert_eq!(origin("10.0.0.1", false), origin("::ffff:10.0.0.1", false));
    assert_ne!(origin("10.0.0.1", false), origin("10.0.0.2", false));
    assert_eq!(origin("2001:db8::1", false), origin("2001:db8::2", false));
    assert_ne!(origin("2001:db8::1", false), origin("2001:db8:0:1::1", false));
}
