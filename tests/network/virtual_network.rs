//! Tests of the virtual network and cameras that the discovery scenarios use, without the agent's
//! code.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use crate::support::{Cameras, PATIENCE, http, network::Network};
use serde_json::json;
use socket2::SockRef;

const CAMERA: &str = "size=320x180 small=none fps=5 onvif=80 rtsp=554";

/// A laptop in the camera's network that speaks the protocols without the agent's code.
struct Laptop(UdpSocket);

impl Laptop {
    fn at(host: &crate::support::network::Host) -> Self {
        let address = host.address();
        let socket = host.within(|| UdpSocket::bind((address, 0)).unwrap());
        SockRef::from(&socket).set_multicast_if_v4(&address).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        Self(socket)
    }

    /// Sends `text` to `to` repeatedly until all of `wanted` answered; returns the answers by
    /// sender.
    fn ask(&self, text: &str, to: (Ipv4Addr, u16), wanted: &[Ipv4Addr]) -> Vec<(SocketAddr, String)> {
        let deadline = Instant::now() + PATIENCE;
        let mut answers = Vec::new();
        while !wanted.iter().all(|wanted| answers.iter().any(|(from, _): &(SocketAddr, String)| from.ip() == *wanted)) {
            assert!(Instant::now() < deadline, "{wanted:?} did not all answer, but {answers:?}");
            self.0.send_to(text.as_bytes(), to).unwrap();
            answers.extend(self.hear_for(Duration::from_secs(1)));
        }
        answers
    }

    /// All datagrams that arrive within a time that is long enough for every answer not delayed by
    /// load.
    fn hear_for(&self, time: Duration) -> Vec<(SocketAddr, String)> {
        let (until, mut buffer, mut heard) = (Instant::now() + time, vec![0; 65536], Vec::new());
        while Instant::now() < until {
            if let Ok((length, from)) = self.0.recv_from(&mut buffer) {
                heard.push((from, String::from_utf8_lossy(&buffer[..length]).into_owned()));
            }
        }
        heard
    }
}

const WS_DISCOVERY: (Ipv4Addr, u16) = (Ipv4Addr::new(239, 255, 255, 250), 3702);
const SSDP: (Ipv4Addr, u16) = (Ipv4Addr::new(239, 255, 255, 250), 1900);

fn probe(types: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" xmlns:d=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\" \
         xmlns:dn=\"http://www.onvif.org/ver10/network/wsdl\" xmlns:tds=\"http://www.onvif.org/ver10/device/wsdl\"><s:Header>\
         <a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action><a:MessageID>uuid:5e1f</a:MessageID>\
         <a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header><s:Body><d:Probe><d:Types>{types}</d:Types>\
         </d:Probe></s:Body></s:Envelope>"
    )
}

fn search(target: &str) -> String {
    format!(
        "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: {target}\r\n\r\n"
    )
}

#[test]
fn virtual_cameras_answer_on_the_wire_each_in_its_own_way() {
    let Some(network) = Network::new() else { return };
    let (gate, yard, laptop) = (network.host(), network.host(), network.host());
    let mut cameras = gate.within(|| {
        Cameras::start(&[&format!("id=gate ip={} wsd=on ssdp=on answers=nvt reply-port=any {CAMERA}", gate.address())])
    });
    let others = yard.within(|| {
        Cameras::start(&[&format!("id=yard ip={} wsd=on answers=device epr=uuid: {CAMERA}", yard.address())])
    });
    let person = Laptop::at(&laptop);

    let answers = person.ask(&probe("dn:NetworkVideoTransmitter"), WS_DISCOVERY, &[gate.address()]);
    for (from, text) in &answers {
        assert_eq!(from.ip(), gate.address(), "the other does not know this type");
        assert_ne!(from.port(), 3702, "reply-port=any");
        assert!(text.contains(&cameras.endpoint("gate")) && text.contains("<a:RelatesTo>uuid:5e1f<"), "{text}");
    }
    let answers = person.ask(&probe("tds:Device"), WS_DISCOVERY, &[yard.address()]);
    for (from, text) in &answers {
        assert_eq!(*from, SocketAddr::from((yard.address(), 3702)));
        let bare = others.endpoint("yard").replace("urn:", "");
        assert!(text.contains(&format!("<a:Address>{bare}<")), "{text}");
    }
    // The same by a probe sent to one address.
    person.ask(&probe("tds:Device"), (yard.address(), 3702), &[yard.address()]);

    // SSDP leads to a description, and that to the web server.
    let answers = person.ask(&search("upnp:rootdevice"), SSDP, &[gate.address()]);
    let location = answers[0].1.lines().find_map(|line| line.strip_prefix("LOCATION: http://")).unwrap();
    let (authority, _) = location.split_once('/').unwrap();
    let description = laptop.within(|| http("GET", authority, "/rootdesc1.xml")).unwrap();
    let description = String::from_utf8(description.body).unwrap();
    assert!(description.contains(&format!("<presentationURL>http://{}:80/<", gate.address())), "{description}");

    // The camera moves; another device may get its old address.
    let (old, new) = (gate.address(), Ipv4Addr::new(10, 77, 0, 99));
    gate.move_to(new);
    gate.within(|| cameras.fault("gate", &format!("move?ip={new}")));
    let moved = person.ask(&probe("dn:NetworkVideoTransmitter"), WS_DISCOVERY, &[new]);
    assert!(moved.iter().any(|(_, text)| text.contains(&format!("http://{new}:80/"))), "{moved:?}");
    yard.move_to(old);
    yard.within(|| others.fault("yard", &format!("move?ip={old}")));
    let get_date = laptop.within(|| http("GET", &format!("{old}:80"), "/"));
    assert_eq!(get_date.unwrap().status, 404, "the stranger answers");
    person.ask(&probe("tds:Device"), WS_DISCOVERY, &[old]);
    for (host, cameras, id) in [(&gate, &cameras, "gate"), (&yard, &others, "yard")] {
        assert_eq!(host.within(|| cameras.facts(id))["proofs"], 0);
    }

    // A camera with the fault `silence-wsd` sends nothing.
    gate.within(|| cameras.fault("gate", "silence-wsd"));
    person.hear_for(Duration::from_secs(1));
    let both = person.ask(&search("upnp:rootdevice"), SSDP, &[new]);
    assert!(both.iter().all(|(_, text)| text.starts_with("HTTP/1.1 200 OK")), "{both:?}");
    person.0.send_to(probe("dn:NetworkVideoTransmitter").as_bytes(), WS_DISCOVERY).unwrap();
    assert_eq!(person.hear_for(Duration::from_secs(1)), []);

    // The camera sends Bye when it ends.
    let listening = laptop.within(|| {
        let socket = UdpSocket::bind(("0.0.0.0", WS_DISCOVERY.1)).unwrap();
        socket.join_multicast_v4(&WS_DISCOVERY.0, &laptop.address()).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        Laptop(socket)
    });
    gate.within(|| cameras.fault("gate", "resume"));
    cameras.end();
    let said = crate::support::wait_for("the goodbye", || {
        let said = listening.hear_for(Duration::from_millis(200));
        said.into_iter().map(|(_, text)| text).find(|text| text.contains("<d:Bye>"))
    });
    assert!(said.contains(&cameras.endpoint("gate")), "{said}");
}

/// The scenarios of hostile cameras rely on this: the virtual camera counts every password it
/// receives, also those it never asked for.
#[test]
fn virtual_camera_counts_every_password_that_reaches_it() {
    let cameras = Cameras::start(&[
        "id=open size=320x180 small=none ssdp=on",
        "id=closed size=320x180 small=none user=viewer pass=secret auth=digest",
    ]);
    let send = |authority: &str, text: &str| {
        let mut stream = TcpStream::connect(authority).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        assert_ne!(stream.read(&mut [0; 1024]).unwrap(), 0, "an answer to {text}");
    };
    for id in ["open", "closed"] {
        let kinds = || cameras.facts(id)["proofs_by_kind"].clone();
        let url = cameras.stream(id);
        let rtsp = url.split('/').nth(2).unwrap();
        let onvif = format!("{}:8000", rtsp.split(':').next().unwrap());
        send(rtsp, &format!("DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\n\r\n"));
        send(&onvif, "GET /snapshot/other HTTP/1.1\r\n\r\n");
        assert_eq!(kinds(), json!({}), "{id}");

        send(rtsp, &format!("OPTIONS {url} RTSP/1.0\r\nCSeq: 1\r\nAuthorization: Digest username=\"viewer\"\r\n\r\n"));
        send(&onvif, "GET / HTTP/1.1\r\nAuthorization: Digest username=\"viewer\"\r\n\r\n");
        cameras.fault(id, "garbage");
        let token = "<not XML <wsse:UsernameToken>";
        let post = format!("POST /onvif/device_service HTTP/1.1\r\nContent-Length: {}\r\n\r\n{token}", token.len());
        send(&onvif, &post);
        assert_eq!(kinds(), json!({ "RTSP": 1, "Digest": 1, "UsernameToken": 1 }), "{id}");
        assert_eq!(cameras.facts(id)["proofs"], 3, "{id}");
    }
}

#[test]
fn network_loses_the_share_it_was_told_to() {
    let Some(network) = Network::new() else { return };
    let (here, there) = (network.host(), network.host());
    let receiver = there.within(|| UdpSocket::bind((there.address(), 4000)).unwrap());
    receiver.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let sender = here.within(|| UdpSocket::bind((here.address(), 0)).unwrap());
    let mut buffer = [0; 16];
    // Resolve the address first, so that only datagrams are lost.
    crate::support::wait_for("the first datagram", || {
        sender.send_to(b"first", (there.address(), 4000)).unwrap();
        receiver.recv_from(&mut buffer).ok()
    });
    if !network.lose(20) {
        return;
    }
    let mut arrived = BTreeSet::new();
    for n in 0..1000_u16 {
        sender.send_to(&n.to_be_bytes(), (there.address(), 4000)).unwrap();
        if n % 20 == 19 {
            while let Ok((2, _)) = receiver.recv_from(&mut buffer) {
                arrived.insert([buffer[0], buffer[1]]);
                if arrived.contains(&n.to_be_bytes()) {
                    break;
                }
            }
        }
    }
    // Eight standard deviations to each side.
    assert!((700..900).contains(&arrived.len()), "{} of 1000 arrived", arrived.len());

    if network.block_udp(4000) {
        sender.send_to(b"blocked", (there.address(), 4000)).unwrap();
        while let Ok((length, _)) = receiver.recv_from(&mut buffer) {
            assert_ne!(&buffer[..length], b"blocked");
        }
    }
}
