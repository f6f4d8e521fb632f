//! A small ONVIF camera on loopback that answers as each test requires: with faults, odd framing,
//! odd addresses. It keeps every request, and checks logins with an implementation of its own.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cctv_agent::{
    camera::{Credentials, Secret},
    onvif::{Target, clock::CivilTime},
    xml::{self, Element},
};
use md5::Digest as _;

pub const USER: &str = "view&er";
pub const PASSWORD: &str = "p@:s/ #?<&>\"'%\u{e9}\u{9580}";

/// One request as received.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub head: String,
    pub envelope: Element,
    /// The port this camera listens on.
    pub port: u16,
}

impl Request {
    pub fn operation(&self) -> &Element {
        &self.envelope.child("Body").unwrap().children[0]
    }

    pub fn name(&self) -> &str {
        &self.operation().name
    }

    /// The value of header `name`.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (given, value) = line.split_once(':')?;
            given.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn carries_a_password(&self) -> bool {
        self.envelope.child("Header").is_some() || self.header("authorization").is_some()
    }

    /// Whether the UsernameToken is valid for a camera whose clock is `offset` seconds ahead and
    /// which allows five seconds.
    pub fn has_good_token(&self, offset: i64) -> bool {
        let Some(token) = self.envelope.at(&["Header", "Security", "UsernameToken"]) else {
            return false;
        };
        let nonce = STANDARD.decode(token.text_at(&["Nonce"]).unwrap()).unwrap();
        let created = token.text_at(&["Created"]).unwrap();
        let digest = sha1::Sha1::digest([nonce.as_slice(), created.as_bytes(), PASSWORD.as_bytes()].concat());
        let number = |from: usize, to: usize| created[from..to].parse().unwrap();
        let date = [number(0, 4), number(5, 7), number(8, 10)];
        let created = CivilTime::new(date, [number(11, 13), number(14, 16), number(17, 19)]).unwrap().to_unix();
        token.text_at(&["Username"]) == Some(USER)
            && token.text_at(&["Password"]) == Some(STANDARD.encode(digest).as_str())
            && (created - (now() + offset)).abs() <= 5
    }

    /// Whether `Authorization` answers the challenge with `nonce` by `hash`.
    pub fn has_good_digest(&self, nonce: &str, hash: fn(&str) -> String) -> bool {
        let Some(field) = self.header("authorization") else {
            return false;
        };
        let value = |name: &str| {
            let start = field.find(&format!("{name}="))? + name.len() + 1;
            let rest = &field[start..];
            let quoted = rest.strip_prefix('"').and_then(|rest| rest.split('"').next());
            quoted.or_else(|| rest.split(',').next())
        };
        let first = hash(&format!("{USER}:the realm:{PASSWORD}"));
        let is_media2 = hash(&format!("POST:{}", self.path));
        let (Some(count), Some(client)) = (value("nc"), value(" cnonce")) else {
            return false;
        };
        let response = hash(&format!("{first}:{nonce}:{count}:{client}:auth:{is_media2}"));
        value(" nonce") == Some(nonce) && value(" response") == Some(&response) && value("uri") == Some(&self.path)
    }
}

pub fn md5_hex(text: &str) -> String {
    md5::Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn sha256_hex(text: &str) -> String {
    sha2::Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// What the camera sends back.
pub struct Answer {
    pub bytes: Vec<u8>,
    /// Size of the pieces in which the response is written, in bytes.
    pub step: usize,
    /// Pause between two pieces.
    pub pause: Option<Duration>,
    /// The connection stays open until the camera is dropped.
    pub keep_open: bool,
}

impl Answer {
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), step: usize::MAX, pause: None, keep_open: false }
    }

    /// A well-framed response with `body`, which may be empty, and `fields` as more header lines.
    pub fn http(status: u16, fields: &str, body: &str) -> Self {
        let length = body.len();
        Self::raw(format!(
            "HTTP/1.1 {status} Status\r\n{fields}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ))
    }

    pub fn soap(body: &str) -> Self {
        Self::http(200, "", &envelope(body))
    }

    pub fn fault(status: u16, subcodes: &[&str], reason: &str) -> Self {
        let nested = subcodes
            .iter()
            .rev()
            .fold(String::new(), |inner, code| format!("<E:Subcode><E:Value>{code}</E:Value>{inner}</E:Subcode>"));
        let body = format!(
            "<E:Fault><E:Code><E:Value>E:Sender</E:Value>{nested}</E:Code>\
             <E:Reason><E:Text xml:lang=\"en\">{reason}</E:Text></E:Reason></E:Fault>"
        );
        Self::http(status, "Content-Type: application/soap+xml\r\n", &envelope(&body))
    }
}

pub fn envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<E:Envelope xmlns:E=\"http://www.w3.org/2003/05/soap-envelope\"><E:Body>{body}</E:Body></E:Envelope>"
    )
}

/// The response of a camera without quirks: both media services, two profiles, its clock `offset`
/// seconds ahead.
pub fn ordinary(request: &Request, offset: i64) -> Answer {
    let port = request.port;
    let encoder = |is_media2: bool, encoding: &str, width: u32, height: u32| {
        let inner = format!(
            "<tt:Encoding>{encoding}</tt:Encoding><tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height>\
             </tt:Resolution><tt:RateControl><tt:FrameRateLimit>25</tt:FrameRateLimit></tt:RateControl>"
        );
        if is_media2 {
            format!("<tr2:Configurations><tr2:VideoEncoder token=\"v\">{inner}</tr2:VideoEncoder></tr2:Configurations>")
        } else {
            format!("<tt:VideoEncoderConfiguration token=\"v\">{inner}</tt:VideoEncoderConfiguration>")
        }
    };
    let profiles = |is_media2: bool| {
        format!(
            "<R><P:Profiles token=\"meta\"><P:Name>Metadata</P:Name></P:Profiles>\
             <P:Profiles token=\"0 &amp; main\"><P:Name>Main stream</P:Name>{}</P:Profiles>\
             <P:Profiles token=\"000\"><P:Name>Sub stream</P:Name>{}</P:Profiles></R>",
            encoder(is_media2, "H265", 2560, 1440),
            encoder(is_media2, "H264", 640, 360)
        )
    };
    let is_media2 = request.path == "/onvif/Media2";
    match request.name() {
        "GetSystemDateAndTime" => {
            let time = CivilTime::from_unix(now() + offset);
            let ([year, month, day], [hour, minute, second]) = (time.date(), time.time());
            Answer::soap(&format!(
                "<R><tds:SystemDateAndTime><tt:UTCDateTime><tt:Time><tt:Hour>{hour}</tt:Hour><tt:Minute>{minute}</tt:Minute><tt:Second>{second}</tt:Second></tt:Time>\
                 <tt:Date><tt:Year>{year}</tt:Year><tt:Month>{month}</tt:Month><tt:Day>{day}</tt:Day></tt:Date></tt:UTCDateTime></tds:SystemDateAndTime></R>",
            ))
        }
        "GetServices" => Answer::soap(&format!(
            "<R><S><Namespace>x</Namespace></S>\
             <tds:Service><tds:Namespace>http://www.onvif.org/ver10/media/wsdl</tds:Namespace><tds:XAddr>http://192.168.7.7:{port}/onvif/Media</tds:XAddr></tds:Service>\
             <tds:Service><tds:Namespace>http://www.onvif.org/ver20/media/wsdl</tds:Namespace><tds:XAddr>http://192.168.7.7:{port}/onvif/Media2</tds:XAddr></tds:Service></R>"
        )),
        "GetCapabilities" => Answer::soap(&format!(
            "<R><tds:Capabilities><tt:Media><tt:XAddr>http://192.168.7.7:{port}/onvif/Media</tt:XAddr></tt:Media></tds:Capabilities></R>"
        )),
        "GetProfiles" => Answer::soap(&profiles(is_media2)),
        "GetStreamUri" => {
            let uri = match request.operation().text_at(&["ProfileToken"]) {
                Some("0 & main") => "rtsp://127.0.0.1/main?a=1&amp;b=2",
                Some("000") => "rtsp://127.0.0.1/sub",
                Some("meta") => return Answer::fault(500, &["ter:Action", "ter:IncompleteConfiguration"], "no video"),
                _ => return Answer::fault(400, &["ter:InvalidArgVal", "ter:NoProfile"], "Profile does not exist"),
            };
            Answer::soap(&if is_media2 {
                format!("<R><tr2:Uri>{uri}</tr2:Uri></R>")
            } else {
                format!("<R><trt:MediaUri><tt:Uri>{uri}</tt:Uri></trt:MediaUri></R>")
            })
        }
        "GetDeviceInformation" => Answer::soap(
            "<R><tds:Manufacturer>Acme</tds:Manufacturer><tds:Model>Eye 1</tds:Model><tds:FirmwareVersion>1.2</tds:FirmwareVersion><tds:SerialNumber>77</tds:SerialNumber></R>",
        ),
        "GetNetworkInterfaces" => Answer::soap(
            "<R><tds:NetworkInterfaces token=\"eth0\"><tt:Info><tt:HwAddress>00:12:34:56:78:9A</tt:HwAddress></tt:Info></tds:NetworkInterfaces></R>",
        ),
        "GetEndpointReference" => Answer::soap("<R><tds:GUID>urn:uuid:1</tds:GUID></R>"),
        other => Answer::fault(500, &["ter:ActionNotSupported"], other),
    }
}

/// A listening camera; dropping it ends its thread.
pub struct Camera {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Camera {
    pub fn start(answer: impl Fn(&Request) -> Answer + Send + 'static) -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
    }

    pub fn listen(listener: TcpListener, answer: impl Fn(&Request) -> Answer + Send + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::downgrade(&requests);
        let serve = move || {
            let mut open = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                // The thread ends with the camera, whose drop opens one last connection.
                let Some(kept) = kept.upgrade() else { return };
                let Some(request) = read_request(&mut stream, address.port()) else { continue };
                kept.lock().unwrap().push(request.clone());
                let answer = answer(&request);
                stream.set_nodelay(true).unwrap();
                for piece in answer.bytes.chunks(answer.step.min(answer.bytes.len().max(1))) {
                    if stream.write_all(piece).is_err() {
                        break;
                    }
                    if let Some(pause) = answer.pause {
                        thread::sleep(pause);
                    }
                }
                if answer.keep_open {
                    open.push(stream);
                }
            }
        };
        thread::Builder::new().name("camera".into()).spawn(serve).unwrap();
        Self { address, requests }
    }

    /// The target for this camera, with the right login.
    pub fn target(&self) -> Target {
        let credentials = Credentials { username: USER.into(), password: Secret::new(PASSWORD) };
        Target {
            host: self.address.ip().to_string(),
            port: self.address.port(),
            tls: None,
            credentials: Some(credentials),
        }
    }

    pub fn target_without_login(&self) -> Target {
        Target { credentials: None, ..self.target() }
    }

    pub fn target_with_wrong_password(&self) -> Target {
        let credentials = Credentials { username: USER.into(), password: Secret::new("wrong") };
        Target { credentials: Some(credentials), ..self.target() }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub fn forget(&self) {
        self.requests.lock().unwrap().clear();
    }

    pub fn names(&self) -> Vec<String> {
        self.requests().iter().map(|request| request.name().to_owned()).collect()
    }

    pub fn passwords_sent(&self) -> usize {
        self.requests().iter().filter(|request| request.carries_a_password()).count()
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.requests = Arc::default();
        let _ = TcpStream::connect(self.address);
    }
}

fn read_request(stream: &mut TcpStream, port: u16) -> Option<Request> {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap().parse::<usize>();
            if bytes.len() >= end + 4 + length.unwrap() {
                let envelope = xml::read(&bytes[end + 4..]).unwrap();
                let path = head.split(' ').nth(1).unwrap().to_owned();
                return Some(Request { path, head, envelope, port });
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}
