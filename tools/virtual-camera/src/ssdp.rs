//! SSDP and the UPnP description as cameras have them: a head that points to an XML file that
//! points to the web server.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::Arc,
};

use crate::{
    camera::Camera,
    device::count_proofs,
    http::{Request, Response},
    responder::{Group, Speaker},
    services::hardware_address,
    soap::text,
};

pub const GROUP: Group =
    Group { name: "ssdp", v4: SocketAddrV4::new(Ipv4Addr::new(239, 255, 255, 250), 1900), v6: None, hops: 4 };

const DESCRIPTION_PATH: &str = "/rootdesc1.xml";
const ROOT_DEVICE: &str = "upnp:rootdevice";
/// Seconds for which an announcement is valid.
const MAX_AGE_S: u32 = 1800;

pub struct Ssdp {
    camera: Arc<Camera>,
    /// The port of the description, at the camera's address.
    description_port: u16,
}

impl Ssdp {
    pub fn new(camera: Arc<Camera>, description_port: u16) -> Self {
        Self { camera, description_port }
    }

    /// The search targets of the camera, each with its unique service name.
    fn targets(&self) -> [(String, String); 3] {
        let (udn, kind) = (udn(&self.camera), self.camera.settings.announcement.upnp_type.clone());
        [
            (ROOT_DEVICE.to_owned(), format!("{udn}::{ROOT_DEVICE}")),
            (udn.clone(), udn.clone()),
            (kind.clone(), format!("{udn}::{kind}")),
        ]
    }

    fn location(&self) -> String {
        let address = SocketAddr::new(self.camera.place().ip, self.description_port);
        format!("http://{address}{DESCRIPTION_PATH}")
    }

    fn notify(&self, kind: &str) -> Vec<String> {
        if self.camera.faults().ssdp_silent {
            return Vec::new();
        }
        let targets = self.targets();
        let texts = targets.iter().map(|(target, usn)| {
            format!(
                "NOTIFY * HTTP/1.1\r\nHOST: {}\r\nCACHE-CONTROL: max-age={MAX_AGE_S}\r\nLOCATION: {}\r\n\
                 SERVER: Linux/5, UPnP/1.0, Virtual/1.0\r\nNTS: {kind}\r\nNT: {target}\r\nUSN: {usn}\r\n\r\n",
                GROUP.v4,
                self.location()
            )
        });
        texts.collect()
    }
}

impl Speaker for Ssdp {
    fn hello(&mut self) -> Vec<String> {
        self.notify("ssdp:alive")
    }

    fn bye(&mut self) -> Vec<String> {
        self.notify("ssdp:byebye")
    }

    fn answers(&mut self, datagram: &[u8]) -> Vec<String> {
        let Some(wanted) = search_target(datagram).filter(|_| !self.camera.faults().ssdp_silent) else {
            return Vec::new();
        };
        let targets = self.targets();
        let fitting = targets.iter().filter(|(target, _)| wanted == "ssdp:all" || wanted == *target);
        let texts = fitting.map(|(target, usn)| {
            format!(
                "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age={MAX_AGE_S}\r\nEXT:\r\nLOCATION: {}\r\n\
                 SERVER: Linux/5, UPnP/1.0, Virtual/1.0\r\nST: {target}\r\nUSN: {usn}\r\n\r\n",
                self.location()
            )
        });
        texts.collect()
    }
}

/// The `ST` of a search; `None` for any other datagram.
fn search_target(datagram: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(datagram).ok()?;
    let mut lines = text.lines();
    if lines.next()?.trim_end() != "M-SEARCH * HTTP/1.1" {
        return None;
    }
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
    let of = |name: &str| {
        headers.iter().find(|(found, _)| found.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    of("man").filter(|man| *man == "\"ssdp:discover\"")?;
    of("st").map(str::to_owned)
}

/// The device's UDN; derived from the MAC address, as on several makes, and so different from the
/// UUID of WS-Discovery.
fn udn(camera: &Camera) -> String {
    format!("uuid:Upnp-BasicDevice-1_0-{}", hardware_address(camera).replace(':', ""))
}

/// Serves the description; `onvif_port` is the port of the camera's web server.
pub fn description(camera: &Camera, onvif_port: u16, request: &Request) -> Response {
    count_proofs(camera, request);
    if request.path() != DESCRIPTION_PATH {
        return Response::new(404, "text/html", "<html><body>404 Not Found</body></html>");
    }
    Response::new(200, "text/xml", rendered(camera, SocketAddr::new(request.local.ip(), onvif_port)))
}

fn rendered(camera: &Camera, web: SocketAddr) -> String {
    let settings = &camera.settings;
    let friendly = match web.ip() {
        IpAddr::V4(ip) => format!("{} - {ip}", settings.name),
        IpAddr::V6(_) => settings.name.clone(),
    };
    format!(
        "<?xml version=\"1.0\"?>\n<root xmlns=\"urn:schemas-upnp-org:device-1-0\"><specVersion><major>1</major>\
         <minor>0</minor></specVersion><device><deviceType>{}</deviceType><friendlyName>{}</friendlyName>\
         <manufacturer>{}</manufacturer><modelName>{}</modelName><modelNumber>{}</modelNumber>\
         <serialNumber>{}</serialNumber><UDN>{}</UDN><presentationURL>http://{web}/</presentationURL></device></root>\n",
        text(&settings.announcement.upnp_type),
        text(&friendly),
        text(&settings.maker),
        text(&settings.model),
        text(&settings.model),
        text(&settings.serial),
        text(&udn(camera))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings;

    fn speaker() -> Ssdp {
        let line = ["--camera", "id=gate ip=192.0.2.9 serial=ACCC8E maker='A & B'"];
        let options = settings::parse(line.iter().map(std::ffi::OsString::from)).unwrap().unwrap();
        Ssdp::new(Arc::new(Camera::new(options.cameras.into_iter().next().unwrap())), 49152)
    }

    fn search(target: &str) -> String {
        format!(
            "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMan: \"ssdp:discover\"\r\nMX: 2\r\nST:{target}\r\n\r\n"
        )
    }

    #[test]
    fn search_is_answered_for_what_the_camera_is_and_for_nothing_else() {
        let mut speaker = speaker();
        let mut count = |target: &str| speaker.answers(search(target).as_bytes()).len();
        assert_eq!(count("upnp:rootdevice"), 1);
        assert_eq!(count("urn:schemas-upnp-org:device:Basic:1"), 1);
        assert_eq!(count("ssdp:all"), 3);
        assert_eq!(count("urn:schemas-upnp-org:device:MediaServer:1"), 0);
        let answers = speaker.answers(search("upnp:rootdevice").as_bytes());
        assert!(answers[0].contains("\r\nLOCATION: http://192.0.2.9:49152/rootdesc1.xml\r\n"), "{}", answers[0]);
        assert!(answers[0].ends_with("::upnp:rootdevice\r\n\r\n"), "{}", answers[0]);
        let unasked = search("ssdp:all").replace("Man: \"ssdp:discover\"\r\n", "");
        assert!(speaker.answers(unasked.as_bytes()).is_empty());
        speaker.camera.change_faults(|faults| faults.ssdp_silent = true);
        assert!(speaker.answers(search("ssdp:all").as_bytes()).is_empty() && speaker.hello().is_empty());
    }

    #[test]
    fn description_leads_to_the_web_server() {
        let speaker = speaker();
        let xml = rendered(&speaker.camera, "192.0.2.9:8000".parse().unwrap());
        assert!(xml.contains("<manufacturer>A &amp; B</manufacturer>"), "{xml}");
        assert!(xml.contains("<serialNumber>ACCC8E</serialNumber><UDN>uuid:Upnp-BasicDevice-1_0-02"), "{xml}");
        assert!(xml.contains("<presentationURL>http://192.0.2.9:8000/</presentationURL>"), "{xml}");
    }
}
