//! WS-Discovery as a camera speaks it (the version of April 2005): Hello, Bye, and answers to Probe
//! and Resolve.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddrV4},
    sync::Arc,
};

use crate::{
    announcement::{Addresses, Answers},
    camera::{Camera, unix_ms},
    device::DEVICE_PATH,
    responder::{Group, Speaker},
    services::scope_uris,
    soap::{self, Call, text},
};

pub const GROUP: Group = Group {
    name: "wsd",
    v4: SocketAddrV4::new(Ipv4Addr::new(239, 255, 255, 250), 3702),
    v6: Some(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xc)),
    hops: 1,
};

const DISCOVERY: &str = "http://schemas.xmlsoap.org/ws/2005/04/discovery";
const ADDRESSING: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
const NETWORK: &str = "http://www.onvif.org/ver10/network/wsdl";
const EVERYBODY: &str = "urn:schemas-xmlsoap-org:ws:2005:04:discovery";

pub struct WsDiscovery {
    camera: Arc<Camera>,
    onvif_port: u16,
    /// Seconds since 1970 at the start: the InstanceId, which differs after each start.
    instance: u64,
    /// Messages sent so far since the start.
    messages: u64,
}

impl WsDiscovery {
    pub fn new(camera: Arc<Camera>, onvif_port: u16) -> Self {
        Self { camera, onvif_port, instance: unix_ms() / 1000, messages: 0 }
    }

    /// Whether this camera answers a Probe for these types and scopes. All of them must match.
    fn fits(&self, probe: &Call) -> bool {
        let types = probe.argument("Types").unwrap_or_default();
        let wanted: Vec<(String, &str)> = types.split_whitespace().map(|name| probe.resolve(name)).collect();
        let asks_for = |namespace: &str, name: &str| wanted.iter().any(|(ns, found)| ns == namespace && *found == name);
        let transmitter = asks_for(NETWORK, "NetworkVideoTransmitter");
        let device = asks_for(soap::DEVICE, "Device");
        let known = usize::from(transmitter) + usize::from(device);
        let types_fit = wanted.len() == known
            && match self.camera.settings.announcement.answers {
                Answers::Transmitter => transmitter && !device,
                Answers::Device => device && !transmitter,
                Answers::Typed => known > 0,
                Answers::Any => true,
            };
        let own = scope_uris(&self.camera);
        let scopes = probe.argument("Scopes").unwrap_or_default();
        types_fit && scopes.split_whitespace().all(|wanted| own.iter().any(|scope| scope.starts_with(wanted)))
    }

    fn endpoint(&self) -> String {
        let uuid = self.camera.endpoint.trim_start_matches("urn:uuid:");
        format!("{}{uuid}", self.camera.settings.announcement.endpoint_prefix)
    }

    fn addresses(&self) -> String {
        let (ip, port) = (self.camera.place().ip, self.onvif_port);
        let url = |host: &str| format!("http://{host}:{port}{DEVICE_PATH}");
        match self.camera.settings.announcement.addresses {
            Addresses::Own => url(&ip.to_string()),
            Addresses::LinkLocalFirst => {
                format!("{} {} {}", url("169.254.77.9"), url("[fe80::77:9]"), url(&ip.to_string()))
            }
            Addresses::Zero => url("0.0.0.0"),
            Addresses::HostName => url(&format!("{}.local", self.camera.settings.id)),
        }
    }

    /// The common part of Hello, ProbeMatch and ResolveMatch.
    fn description(&self) -> String {
        let types = match self.camera.settings.announcement.answers {
            Answers::Transmitter => "dn:NetworkVideoTransmitter",
            Answers::Device => "tds:Device",
            Answers::Typed | Answers::Any => "dn:NetworkVideoTransmitter tds:Device",
        };
        format!(
            "<a:EndpointReference><a:Address>{}</a:Address></a:EndpointReference><d:Types>{types}</d:Types>\
             <d:Scopes>{}</d:Scopes><d:XAddrs>{}</d:XAddrs><d:MetadataVersion>{}</d:MetadataVersion>",
            text(&self.endpoint()),
            text(&scope_uris(&self.camera).join(" ")),
            text(&self.addresses()),
            1 + self.camera.place().moves
        )
    }

    /// `asked` is the MessageID of the request; without one the message is sent to the group.
    fn envelope(&mut self, action: &str, asked: Option<&str>, body: &str) -> String {
        self.messages += 1;
        let (to, relates) = match asked {
            None => (EVERYBODY.to_owned(), String::new()),
            Some(id) => (format!("{ADDRESSING}/role/anonymous"), format!("<a:RelatesTo>{}</a:RelatesTo>", text(id))),
        };
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<s:Envelope \
             xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:a=\"{ADDRESSING}\" xmlns:d=\"{DISCOVERY}\" \
             xmlns:dn=\"{NETWORK}\" xmlns:tds=\"{}\"><s:Header><a:MessageID>urn:uuid:{}</a:MessageID>{relates}\
             <a:To s:mustUnderstand=\"true\">{to}</a:To><a:Action s:mustUnderstand=\"true\">{DISCOVERY}/{action}</a:Action>\
             <d:AppSequence InstanceId=\"{}\" MessageNumber=\"{}\"/></s:Header><s:Body>{body}</s:Body></s:Envelope>",
            soap::DEVICE,
            random_uuid(),
            self.instance,
            self.messages
        )
    }

    fn is_silent(&self) -> bool {
        self.camera.faults().wsd_silent
    }
}

impl Speaker for WsDiscovery {
    fn hello(&mut self) -> Vec<String> {
        if self.is_silent() {
            return Vec::new();
        }
        let body = format!("<d:Hello>{}</d:Hello>", self.description());
        vec![self.envelope("Hello", None, &body)]
    }

    fn bye(&mut self) -> Vec<String> {
        if self.is_silent() {
            return Vec::new();
        }
        let endpoint = self.endpoint();
        let body =
            format!("<d:Bye><a:EndpointReference><a:Address>{endpoint}</a:Address></a:EndpointReference></d:Bye>");
        vec![self.envelope("Bye", None, &body)]
    }

    fn answers(&mut self, datagram: &[u8]) -> Vec<String> {
        let Some(call) = soap::read(datagram).filter(|call| call.namespace == DISCOVERY) else { return Vec::new() };
        let Some(id) = call.message_id.clone() else { return Vec::new() };
        let kind = match call.operation.as_str() {
            "Probe" if self.fits(&call) => "Probe",
            "Resolve" if call.argument("Address").is_some_and(|asked| same_endpoint(asked, &self.camera.endpoint)) => {
                "Resolve"
            }
            _ => return Vec::new(),
        };
        if self.is_silent() {
            return Vec::new();
        }
        // If several copies of one request arrive, each is answered, as on most cameras.
        let description = self.description();
        let body = format!("<d:{kind}Matches><d:{kind}Match>{description}</d:{kind}Match></d:{kind}Matches>");
        vec![self.envelope(&format!("{kind}Matches"), Some(&id), &body)]
    }
}

/// Some clients ask for `uuid:`, some for `urn:uuid:`.
fn same_endpoint(asked: &str, own: &str) -> bool {
    let bare = |text: &str| {
        let text = text.trim().to_ascii_lowercase();
        text.trim_start_matches("urn:").trim_start_matches("uuid:").to_owned()
    };
    bare(asked) == bare(own)
}

fn random_uuid() -> String {
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the system has random numbers");
    let number = u128::from_be_bytes(random);
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        number >> 96,
        number >> 80 & 0xFFFF,
        number >> 64 & 0xFFF,
        number >> 48 & 0xFFF,
        number & 0xFFFF_FFFF_FFFF
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings;

    fn speaker(keys: &str) -> WsDiscovery {
        let line = ["--camera".to_owned(), format!("id=gate ip=192.0.2.9 name='Front Gate' {keys}")];
        let options = settings::parse(line.iter().map(std::ffi::OsString::from)).unwrap().unwrap();
        WsDiscovery::new(Arc::new(Camera::new(options.cameras.into_iter().next().unwrap())), 8000)
    }

    /// A request with prefixes that no camera would choose.
    fn question(body: &str) -> String {
        format!(
            "<e:Envelope xmlns:e='http://www.w3.org/2003/05/soap-envelope' xmlns:w='{ADDRESSING}'><e:Header>\
             <w:MessageID>uuid:1-2-3</w:MessageID></e:Header><e:Body xmlns:p='{DISCOVERY}' xmlns:x='{NETWORK}' \
             xmlns:y='{}' xmlns:z='http://schemas.xmlsoap.org/ws/2006/02/devprof'>{body}</e:Body></e:Envelope>",
            soap::DEVICE
        )
    }

    fn answered(speaker: &mut WsDiscovery, types: &str) -> bool {
        let probe = question(&format!("<p:Probe><p:Types>{types}</p:Types></p:Probe>"));
        !speaker.answers(probe.as_bytes()).is_empty()
    }

    #[test]
    fn probe_is_answered_by_type_as_the_camera_is_set() {
        let table = [
            // Transmitter, device, both, another namespace, none.
            ("answers=nvt", [true, false, false, false, false]),
            ("answers=device", [false, true, false, false, false]),
            ("answers=typed", [true, true, true, false, false]),
            ("answers=any", [true, true, true, false, true]),
        ];
        for (keys, expected) in table {
            let mut speaker = speaker(keys);
            let asked = ["x:NetworkVideoTransmitter", "y:Device", "x:NetworkVideoTransmitter y:Device", "z:Device", ""];
            assert_eq!(asked.map(|types| answered(&mut speaker, types)), expected, "{keys}");
        }
        assert_eq!(speaker("").answers(question("<p:Probe/>").as_bytes()).len(), 1);
    }

    #[test]
    fn match_relates_to_the_question_and_tells_who_and_where() {
        let mut speaker = speaker("epr=uuid: location='Hof 1' xaddrs=link-local-first");
        let endpoint = speaker.camera.endpoint.clone();
        let [answer] = &speaker.answers(question("<p:Probe/>").as_bytes())[..] else { panic!("one answer") };
        for part in [
            "<a:RelatesTo>uuid:1-2-3</a:RelatesTo>",
            "<d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>uuid:",
            endpoint.trim_start_matches("urn:uuid:"),
            "onvif://www.onvif.org/name/Front%20Gate onvif://www.onvif.org/hardware/Camera%201",
            "onvif://www.onvif.org/location/Hof%201",
            "<d:XAddrs>http://169.254.77.9:8000/onvif/device_service http://[fe80::77:9]:8000/onvif/device_service \
             http://192.0.2.9:8000/onvif/device_service</d:XAddrs>",
            "<d:MetadataVersion>1<",
        ] {
            assert!(answer.contains(part), "{part} in {answer}");
        }
        speaker.camera.set_ip("192.0.2.10".parse().unwrap());
        let hello = &speaker.hello()[0];
        assert!(hello.contains("http://192.0.2.10:8000/") && hello.contains("<d:MetadataVersion>2<"), "{hello}");
    }

    #[test]
    fn resolve_is_answered_for_this_endpoint_alone() {
        let mut speaker = speaker("");
        let resolve = |address: &str| {
            question(&format!(
                "<p:Resolve><w:EndpointReference><w:Address>{address}</w:Address></w:EndpointReference></p:Resolve>"
            ))
        };
        let bare = speaker.camera.endpoint.replace("urn:", "");
        assert!(speaker.answers(resolve(&bare).as_bytes())[0].contains("<d:ResolveMatches><d:ResolveMatch>"));
        assert!(speaker.answers(resolve("urn:uuid:00000000-0000-4000-8000-000000000000").as_bytes()).is_empty());
    }

    #[test]
    fn twins_share_the_identity_but_not_the_hardware_address() {
        let (one, other) = (speaker("uuid=same serial=1"), speaker("uuid=same serial=2"));
        assert_eq!((one.endpoint().as_str(), other.endpoint().as_str()), ("urn:uuid:same", "urn:uuid:same"));
        assert_ne!(scope_uris(&one.camera), scope_uris(&other.camera));
    }

    #[test]
    fn silent_camera_and_rubbish_get_no_answer() {
        let mut speaker = speaker("");
        assert!(speaker.answers(b"lollipop").is_empty());
        assert!(speaker.answers(question("<p:Probe/>").replace("2005/04", "2009/01").as_bytes()).is_empty());
        speaker.camera.change_faults(|faults| faults.wsd_silent = true);
        assert!(speaker.answers(question("<p:Probe/>").as_bytes()).is_empty());
        assert!(speaker.hello().is_empty() && speaker.bye().is_empty());
    }
}
