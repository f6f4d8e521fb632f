//! SSDP, the discovery protocol of UPnP: the last resort if WS-Discovery gets no response. It gives
//! a host to ask by ONVIF, never a stream.

use crate::device_id::DeviceId;

/// UDP port of devices and of their multicast group.
pub const PORT: u16 = 1900;

/// Seconds within which devices should respond.
pub const MX: u8 = 2;

/// Search targets to which cameras are known to respond. Never `ssdp:all`: every device on the
/// network would send everything it has.
pub const TARGETS: [&str; 5] = [
    "upnp:rootdevice",
    "urn:axis-com:service:BasicService:1",
    "urn:schemas-upnp-org:device:Basic:1",
    "urn:schemas-upnp-org:device:EmbeddedNetDevice:1",
    "urn:schemas-upnp-org:device:DigitalSecurityCamera:1",
];

/// Maximum number of bytes, and of header lines, that are read of a message.
const MAX_LEN: usize = 16 << 10;
const MAX_LINES: usize = 64;

/// Returns the message that searches for `target`.
pub fn question(target: &str) -> String {
    format!(
        "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:{PORT}\r\nMAN: \"ssdp:discover\"\r\nMX: {MX}\r\nST: {target}\r\n\r\n"
    )
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The response to a search.
    Answer,
    /// A device is there; devices repeat this notice at intervals.
    Alive,
    Bye,
    Update,
}

/// One message of a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub kind: Kind,
    /// The address of its description, as sent; check it before following it.
    pub location: Option<String>,
    /// Unique service name: the device's name, then `::` and its type.
    pub usn: Option<String>,
    /// The type of the device: `ST` of a response, `NT` of a notice.
    pub target: Option<String>,
    pub server: Option<String>,
    /// How long the message is valid, in seconds.
    pub max_age: Option<u32>,
}

impl Message {
    /// Returns the device's name as sent, without `uuid:` and what follows `::`.
    pub fn udn(&self) -> Option<&str> {
        let name = self.usn.as_deref()?.split("::").next()?.trim();
        let bare = match name.get(..5) {
            Some(prefix) if prefix.eq_ignore_ascii_case("uuid:") => &name[5..],
            _ => name,
        };
        (!bare.is_empty() && !bare.starts_with("urn:") && bare != "upnp:rootdevice").then_some(bare)
    }

    /// Returns the normal form of [`Message::udn`].
    pub fn identity(&self) -> Option<DeviceId> {
        self.udn().and_then(DeviceId::new)
    }

    /// Whether its type or its name is that of a camera, and not of any device.
    pub fn is_camera(&self) -> bool {
        let texts = [&self.target, &self.usn, &self.server];
        let is_marked = |text: &str| {
            let text = text.to_ascii_lowercase();
            ["axis-com", "digitalsecuritycamera", "embeddednetdevice", "dahua", "hikvision", "ipcamera"]
                .iter()
                .any(|mark| text.contains(mark))
        };
        texts.into_iter().flatten().any(|text| is_marked(text))
    }
}

/// Parses a datagram. Only its head counts, with or without an empty line at the end. `None` if it
/// is not a message of a device: invalid data, errors, searches of other programs, unknown notices.
pub fn parse(datagram: &[u8]) -> Option<Message> {
    let text = String::from_utf8_lossy(&datagram[..datagram.len().min(MAX_LEN)]);
    let mut lines = text.trim_start().split('\n').map(|line| line.trim_end_matches('\r'));
    let first: Vec<&str> = lines.next()?.split_ascii_whitespace().collect();
    let is_notice = match first[..] {
        [version, "200", ..] if version.starts_with("HTTP/1.") => false,
        ["NOTIFY", "*", version] if version.starts_with("HTTP/1.") => true,
        _ => return None,
    };
    let heads: Vec<(String, &str)> = lines
        .take(MAX_LINES)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
        .collect();
    let head = |name: &str| {
        let value = heads.iter().find(|(head, _)| head == name).map(|(_, value)| *value);
        value.filter(|value| !value.is_empty()).map(str::to_owned)
    };
    let kind = match head("nts") {
        _ if !is_notice => Kind::Answer,
        Some(notice) => match notice.to_ascii_lowercase().as_str() {
            "ssdp:alive" => Kind::Alive,
            "ssdp:byebye" => Kind::Bye,
            "ssdp:update" => Kind::Update,
            _ => return None,
        },
        None => return None,
    };
    Some(Message {
        kind,
        location: head("location"),
        usn: head("usn"),
        target: head(if is_notice { "nt" } else { "st" }),
        server: head("server"),
        max_age: head("cache-control").and_then(|value| max_age(&value)),
    })
}

fn max_age(value: &str) -> Option<u32> {
    let lower = value.to_ascii_lowercase();
    let number = lower.split("max-age").nth(1)?.trim_start().strip_prefix('=')?;
    number.trim().split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nEXT:\r\n\
        LOCATION: http://10.0.0.1:49152/rootdesc1.xml\r\nSERVER: Linux UPnP/1.0\r\n\
        ST: urn:axis-com:service:BasicService:1\r\n\
        USN: uuid:Upnp-BasicDevice-1_0-00AABB270AD8::urn:axis-com:service:BasicService:1\r\n\r\n";

    #[test]
    fn quirk_38_an_answer_is_read_in_every_shape() {
        let plain = parse(ANSWER.as_bytes()).unwrap();
        assert_eq!(plain.kind, Kind::Answer);
        assert_eq!(plain.location.as_deref(), Some("http://10.0.0.1:49152/rootdesc1.xml"));
        assert_eq!(plain.udn(), Some("Upnp-BasicDevice-1_0-00AABB270AD8"));
        assert_eq!(plain.identity().unwrap().mac().unwrap().to_string(), "00:aa:bb:27:0a:d8");
        assert_eq!((plain.max_age, plain.is_camera()), (Some(1800), true));
        for odd in [
            ANSWER.replace("\r\n", "\n"),
            ANSWER.trim_end().to_owned(),
            ANSWER.replace("LOCATION: ", "Location:").replace("USN: ", "usn :").replace("ST: ", "st:"),
            ANSWER.replace("HTTP/1.1 200 OK", "HTTP/1.0 200"),
            ANSWER.replace("max-age=1800", "no-cache=\"Ext\", Max-Age = 1800"),
            format!("\r\n{ANSWER}a body that says LOCATION: http://elsewhere/"),
            ANSWER.replace("EXT:", "a line of rubbish\r\n\u{fffd}:\u{1}"),
        ] {
            assert_eq!(parse(odd.as_bytes()).as_ref(), Some(&plain), "{odd:?}");
        }
    }

    #[test]
    fn notices_are_told_apart() {
        let notice = |nts: &str| {
            parse(
                format!(
                    "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNT: upnp:rootdevice\r\nNTS: {nts}\r\n\
                USN: uuid:a1::upnp:rootdevice\r\n\r\n"
                )
                .as_bytes(),
            )
        };
        for (nts, kind) in [("ssdp:alive", Kind::Alive), ("SSDP:ByeBye", Kind::Bye), ("ssdp:update", Kind::Update)] {
            let message = notice(nts).unwrap();
            assert_eq!((message.kind, message.target.as_deref()), (kind, Some("upnp:rootdevice")));
            assert_eq!((message.udn(), message.is_camera()), (Some("a1"), false));
        }
        assert_eq!(notice("upnp:propchange"), None);
    }

    #[test]
    fn what_no_device_says_is_ignored() {
        let question = question(TARGETS[0]);
        assert!(question.ends_with("\r\nST: upnp:rootdevice\r\n\r\n"));
        for text in ["", "HTTP/1.1 404 Not Found\r\n\r\n", "NOTIFY * HTTP/1.1\r\n\r\n", "lollipop", "\u{0}", &question]
        {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse(&[0xff; 2000]), None);
    }

    #[test]
    fn names_that_name_nothing_are_none() {
        for usn in ["", "::x", "uuid:", "urn:schemas-upnp-org:device:Basic:1", "upnp:rootdevice"] {
            let text = format!("HTTP/1.1 200 OK\r\nUSN: {usn}\r\n\r\n");
            assert_eq!(parse(text.as_bytes()).unwrap().udn(), None, "{usn}");
        }
    }
}
