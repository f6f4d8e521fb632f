//! Descriptions as devices send them, and addresses that must not be followed.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use super::*;

const FULL: &str = "<?xml version=\"1.0\"?>\n<root xmlns=\"urn:schemas-upnp-org:device-1-0\"><device>\
    <deviceType>urn:schemas-upnp-org:device:Basic:1</deviceType><friendlyName>Gate</friendlyName>\
    <manufacturer>Acme</manufacturer><modelName>Eye Camera</modelName><modelNumber>3</modelNumber>\
    <serialNumber>00AABB270AD8</serialNumber><UDN>uuid:Upnp-BasicDevice-1_0-00AABB270AD8</UDN>\
    <deviceList><device><serialNumber>another</serialNumber></device></deviceList>\
    <presentationURL>http://10.0.0.1:8081/</presentationURL></device><URLBase>http://10.0.0.1:5/</URLBase></root>";

fn origin(source: &str) -> DatagramSource {
    DatagramSource { link: Some(7), ..DatagramSource::new(source.parse().unwrap()) }
}

fn asked(presentation: Option<&str>) -> Vec<(u16, bool)> {
    xaddrs_to_ask(presentation, &origin("10.0.0.1")).iter().map(|xaddr| (xaddr.port, xaddr.secure)).collect()
}

#[test]
fn quirk_39_facts_of_the_root_device_are_read() {
    let read = parse(FULL.as_bytes()).unwrap();
    assert_eq!(read.manufacturer.as_deref(), Some("Acme"));
    assert_eq!(read.serial.as_deref(), Some("00AABB270AD8"));
    assert_eq!(read.mac().unwrap().to_string(), "00:aa:bb:27:0a:d8");
    assert_eq!(read.identity(), DeviceId::new("upnp-basicdevice-1_0-00aabb270ad8"));
    assert!(read.is_camera());
    let bare = FULL.replace("<serialNumber>00AABB270AD8</serialNumber>", "");
    assert_eq!(parse(bare.as_bytes()).unwrap().serial, None);
    assert_eq!(parse(bare.as_bytes()).unwrap().mac(), read.mac(), "from its name");
}

#[test]
fn what_is_no_description_is_none() {
    for text in ["", "lollipop", "<html><body/></html>", "<root/>", &FULL[..FULL.len() - 3]] {
        assert_eq!(parse(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn quirk_39_page_of_the_device_is_asked_first_then_the_usual_ports() {
    let usual = [(80, false), (8000, false), (8080, false), (8899, false), (2020, false), (8999, false), (443, true)];
    assert_eq!(asked(None), usual);
    assert_eq!(asked(Some("http://10.0.0.1:80/")), usual);
    assert_eq!(asked(Some("http://10.0.0.1:8081/index.html"))[0], (8081, false));
    assert_eq!(asked(Some("http://10.0.0.1:443/")), usual, "that is HTTPS, whatever it calls itself");
    for elsewhere in ["http://10.0.0.2:81/", "http://www.acme.example:81/", "index.html", "/"] {
        assert_eq!(asked(Some(elsewhere)), usual, "{elsewhere}");
    }
    assert_eq!(xaddrs_to_ask(None, &origin("fe80::1"))[0].host, "fe80::1%7");
}

#[test]
fn only_the_announcing_host_is_followed() {
    let location = |text: &str, source: &str| Location::parse(text, &origin(source));
    let good = location("http://10.0.0.1:49152/rootdesc1.xml?a=1#x", "10.0.0.1").unwrap();
    assert_eq!(good.address.to_string(), "10.0.0.1:49152");
    assert_eq!(good.path, "/rootdesc1.xml?a=1");
    assert_eq!(location("http://10.0.0.1", "10.0.0.1").unwrap().path, "/");
    assert_eq!(location("http://10.0.0.1:81/", "10.0.0.1").unwrap().path, "/");
    let linked = location("http://[fe80::1]:81/d.xml", "fe80::1").unwrap();
    assert_eq!(linked.address.to_string(), "[fe80::1%7]:81");
    for text in [
        "http://10.0.0.2/d.xml",
        "http://10.0.0.1@10.0.0.2/d.xml",
        "http://user:pass@10.0.0.1/d.xml",
        "https://10.0.0.1/d.xml",
        "ftp://10.0.0.1/d.xml",
        "http://0.0.0.0/d.xml",
        "http://localhost/d.xml",
        "http://127.0.0.1/d.xml",
        "http:///d.xml",
        "http://:80/d.xml",
        "http://camera.example/d.xml",
        "http://10.0.0.1/d.xml HTTP/1.1\r\nX: y",
        "",
    ] {
        assert_eq!(location(text, "10.0.0.1"), None, "{text}");
    }
}

/// Serves `answer` once and returns the description that was fetched from it.
fn fetched(answer: Vec<u8>, limit: Duration) -> Option<Description> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let text = format!("http://{}/d.xml", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let count = stream.read(&mut request).unwrap();
        // A client that has read enough may close the connection early.
        let _ = stream.write_all(&answer);
        if answer.is_empty() {
            let _ = stream.read(&mut [0]);
        }
        String::from_utf8_lossy(&request[..count]).into_owned()
    });
    let location = Location::parse(&text, &origin("127.0.0.1")).unwrap();
    let found = smol::block_on(fetch(&location, limit));
    let request = server.join().unwrap();
    assert!(request.starts_with("GET /d.xml HTTP/1.1\r\nHost: 127.0.0.1:"), "{request}");
    found
}

const PATIENT: Duration = Duration::from_secs(20);

#[test]
fn a_description_is_fetched() {
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{FULL}", FULL.len());
    assert_eq!(fetched(answer.into_bytes(), PATIENT), parse(FULL.as_bytes()));
}

#[test]
fn redirects_long_and_silent_answers_give_nothing() {
    let redirect = format!("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n{FULL}");
    assert_eq!(fetched(redirect.into_bytes(), PATIENT), None);
    let long = format!("HTTP/1.1 200 OK\r\n\r\n<root><!--{}-->{FULL}", " ".repeat(MAX_LEN));
    assert_eq!(fetched(long.into_bytes(), PATIENT), None);
    assert_eq!(fetched(Vec::new(), Duration::from_millis(100)), None);
}
