//! Searches with real sockets on loopback, answered by small devices in this file.

use std::{
    io::{Read, Write},
    net::{TcpListener, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::*;
use crate::{
    device_id::{DeviceId, Mac},
    xml,
};

/// A busy machine may need this long for work of milliseconds.
const PATIENT: Duration = Duration::from_secs(20);

/// Answers datagrams on loopback until it is dropped.
struct Device {
    address: SocketAddr,
    gone: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<String>>>,
}

impl Device {
    /// `answer` returns the responses to one datagram. They are sent from another port than the one
    /// that received it, as many cameras do.
    fn new(answer: impl Fn(&str) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let gone = Arc::new(AtomicBool::new(false));
        let (address, flag) = (socket.local_addr().unwrap(), gone.clone());
        let thread = thread::spawn(move || {
            let mut heard = Vec::new();
            let mut buffer = vec![0; LARGEST];
            while !flag.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                for datagram in answer(&text) {
                    other.send_to(&datagram, from).unwrap();
                }
                heard.push(text);
            }
            heard
        });
        Self { address, gone, thread: Some(thread) }
    }

    /// Stops it and returns all datagrams that it received.
    fn heard(mut self) -> Vec<String> {
        self.gone.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

fn message_id(question: &str) -> String {
    let envelope = xml::read(question.as_bytes()).unwrap();
    envelope.text_at(&["Header", "MessageID"]).unwrap().to_owned()
}

fn probe_match(relates_to: &str, endpoint: &str, xaddrs: &str) -> Vec<u8> {
    let kind = "ProbeMatches";
    format!(
        "<e:Envelope xmlns:e=\"http://www.w3.org/2003/05/soap-envelope\"><e:Header><w:RelatesTo>{relates_to}</w:RelatesTo>\
         </e:Header><e:Body><q:{kind}><q:ProbeMatch><w:EndpointReference><w:Address>{endpoint}</w:Address>\
         </w:EndpointReference><q:Types>dn:NetworkVideoTransmitter</q:Types>\
         <q:Scopes>onvif://www.onvif.org/name/Gate onvif://www.onvif.org/hardware/Eye</q:Scopes>\
         <q:XAddrs>{xaddrs}</q:XAddrs></q:ProbeMatch></q:{kind}></e:Body></e:Envelope>{}",
        // Longer than one packet of any network.
        " ".repeat(2000)
    )
    .into_bytes()
}

fn search(direct: &[&Device], direct_ssdp: &[&Device], whole: Duration) -> Search {
    let addresses = |devices: &[&Device]| devices.iter().map(|device| device.address).collect();
    Search {
        port: 0,
        limits: Limits { whole, ..Limits::default() },
        multicast: false,
        direct: addresses(direct),
        direct_ssdp: addresses(direct_ssdp),
    }
}

fn wanted(identity: &str) -> DeviceMatcher {
    DeviceMatcher { identity: DeviceId::new(identity), ..DeviceMatcher::default() }
}

#[test]
fn a_device_that_is_asked_directly_is_found_and_the_search_ends() {
    let device = Device::new(|question| {
        let id = message_id(question);
        vec![
            b"lollipop".to_vec(),
            probe_match("urn:uuid:00000000-0000-4000-8000-000000000000", "urn:uuid:stranger", ""),
            probe_match(&id.to_uppercase(), "urn:uuid:CAM-1", "http://127.0.0.1:8080/o"),
        ]
    });
    let begun = Instant::now();
    let findings = smol::block_on(search(&[&device], &[], PATIENT).find(&[wanted("cam-1")]));
    assert!(begun.elapsed() < PATIENT / 2, "it does not wait to the end");
    let [found] = &findings.discovered_devices[..] else { panic!("{findings:#?}") };
    assert_eq!(found.xaddrs[0].to_string(), "http://127.0.0.1:8080/o");
    assert_eq!((found.name.as_deref(), found.hardware.as_deref()), (Some("Gate"), Some("Eye")));
    assert_eq!((found.how.as_slice(), found.is_ambiguous), ([DiscoveryMethod::Ws].as_slice(), false));
    let heard = device.heard();
    assert!(heard.iter().any(|text| text.contains("<d:Resolve>") && text.contains("cam-1")), "{heard:#?}");
}

#[test]
fn a_device_that_is_asked_late_still_answers_a_repeat_with_the_same_name() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    // Ignores the first three messages: those for transmitters, for devices and for anything.
    let device = Device::new(move |question| {
        let late = count.fetch_add(1, Ordering::Relaxed) >= 3;
        late.then(|| probe_match(&message_id(question), "urn:uuid:cam", "http://127.0.0.1/o")).into_iter().collect()
    });
    let findings = smol::block_on(search(&[&device], &[], PATIENT).find(&[wanted("cam")]));
    assert_eq!(findings.discovered_devices.len(), 1);
    let heard = device.heard();
    let first: Vec<String> = heard.iter().take(3).map(|text| message_id(text)).collect();
    assert!(heard.iter().skip(3).any(|text| first.contains(&message_id(text))), "a repeat keeps its name");
}

#[test]
fn quirk_31_every_question_is_asked_in_two_forms() {
    let device = Device::new(|_| Vec::new());
    let mut search = search(&[&device], &[], Duration::from_millis(900));
    search.limits.second_round = Duration::from_millis(300);
    assert_eq!(smol::block_on(search.survey()).discovered_devices, []);
    let heard = device.heard();
    for part in ["dn:NetworkVideoTransmitter<", "tds:Device<", "<d:Probe/>"] {
        let asked: Vec<&String> = heard.iter().filter(|text| text.contains(part)).collect();
        assert!(asked.iter().any(|text| text.starts_with("<?xml")), "{part}");
        assert!(asked.iter().any(|text| text.starts_with("<s:Envelope")), "{part}");
    }
}

#[test]
fn a_device_that_tells_no_address_is_asked_for_it() {
    let device = Device::new(|question| {
        let resolve = question.contains("<d:Resolve>");
        let xaddrs = if resolve { "http://127.0.0.1:8123/o" } else { "" };
        let text = String::from_utf8(probe_match(&message_id(question), "urn:uuid:cam", xaddrs)).unwrap();
        let text = if resolve { text.replace("ProbeMatch", "ResolveMatch") } else { text };
        vec![text.into_bytes()]
    });
    let findings = smol::block_on(search(&[&device], &[], Duration::from_secs(2)).survey());
    let [found] = &findings.discovered_devices[..] else { panic!("{findings:#?}") };
    assert!(found.xaddrs.iter().any(|xaddr| xaddr.port == 8123), "{found:#?}");
}

#[test]
fn upnp_leads_to_a_host_and_its_description() {
    let page = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = page.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut stream, _) = page.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        let body = "<root><device><manufacturer>Acme</manufacturer><modelName>Eye</modelName>\
            <serialNumber>00AABB270AD8</serialNumber><presentationURL>http://127.0.0.1:8123/</presentationURL>\
            <UDN>uuid:acme-00AABB270AD8</UDN></device></root>";
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    });
    let device = Device::new(move |question| {
        assert!(question.starts_with("M-SEARCH * HTTP/1.1\r\n"), "{question}");
        let head = "HTTP/1.1 200 OK\r\nUSN: uuid:acme-00AABB270AD8::upnp:rootdevice\r\nST: upnp:rootdevice\r\n";
        vec![
            format!("{head}LOCATION: http://127.0.0.2:{port}/elsewhere.xml\r\n\r\n").into_bytes(),
            format!("{head}LOCATION: http://127.0.0.1:{port}/d.xml\r\n\r\n").into_bytes(),
        ]
    });
    let looked_for = DeviceMatcher { serial: Some("00AABB270AD8".into()), ..DeviceMatcher::default() };
    let findings = smol::block_on(search(&[], &[&device], PATIENT).find(std::slice::from_ref(&looked_for)));
    server.join().unwrap();
    let [found] = &findings.discovered_devices[..] else { panic!("{findings:#?}") };
    assert_eq!((found.maker.as_deref(), found.hardware.as_deref()), (Some("Acme"), Some("Eye")));
    assert_eq!((found.mac, found.identity.as_ref()), (Mac::new("00aabb270ad8"), None));
    assert_eq!((found.xaddrs[0].host.as_str(), found.xaddrs[0].port), ("127.0.0.1", 8123));
    assert_eq!(found.how, [DiscoveryMethod::Ssdp]);
}

#[test]
fn two_units_with_one_identity_are_told_apart() {
    let answer = |source: &'static str| {
        let socket = UdpSocket::bind((source, 0)).unwrap();
        move |question: &str, to: SocketAddr| {
            let xaddrs = format!("http://{source}/o");
            socket.send_to(&probe_match(&message_id(question), "urn:uuid:same", &xaddrs), to).unwrap();
        }
    };
    let (one, other) = (answer("127.0.0.3"), answer("127.0.0.4"));
    let device = UdpSocket::bind("127.0.0.1:0").unwrap();
    let search = Search { direct: vec![device.local_addr().unwrap()], ..search(&[], &[], PATIENT) };
    let server = thread::spawn(move || {
        let mut buffer = vec![0; LARGEST];
        let (length, from) = device.recv_from(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]);
        one(&text, from);
        other(&text, from);
    });
    let findings = smol::block_on(search.find(&[wanted("same")]));
    server.join().unwrap();
    assert_eq!(findings.discovered_devices.len(), 2, "{findings:#?}");
    assert!(findings.discovered_devices.iter().all(|seen| seen.is_ambiguous));
}

#[test]
fn nobody_there_is_an_empty_answer_after_the_whole_time() {
    let findings = smol::block_on(search(&[], &[], Duration::from_millis(50)).find(&[wanted("cam")]));
    assert_eq!(findings, Findings::default());
}
