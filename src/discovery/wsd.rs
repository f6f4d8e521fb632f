//! WS-Discovery of April 2005, the version that ONVIF took: writes probes, reads answers.
//!
//! Cameras are picky about what they are asked (several types in one probe, or prefixes other than the
//! usual ones, and some stay silent) and careless in what they answer. So everything is asked in
//! several forms, and answers are read by their local names.

use std::net::IpAddr;

use super::{
    Identity, Mac,
    scopes::Scopes,
    xaddr::{self, DatagramSource, XAddr},
};
use crate::xml::{self, Element};

/// UDP port of devices and of their multicast group.
pub const PORT: u16 = 3702;

/// Devices in one message. A recorder may answer for each of its channels.
const MAX_DEVICES: usize = 64;
/// Types of one device that are looked at.
const MAX_TYPES: usize = 16;

const DISCOVERY: &str = "http://schemas.xmlsoap.org/ws/2005/04/discovery";
const ADDRESSING: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
const ENVELOPE: &str = "http://www.w3.org/2003/05/soap-envelope";
const NETWORK: &str = "http://www.onvif.org/ver10/network/wsdl";
const DEVICE: &str = "http://www.onvif.org/ver10/device/wsdl";

/// What to ask for. Each is a message of its own, as several types in one mean "all of them at once".
#[derive(Clone, Debug, PartialEq)]
pub enum ProbeKind {
    /// Video transmitters: what every camera of ONVIF's first profiles answers.
    Transmitters,
    /// ONVIF devices: what newer ones must answer.
    Devices,
    /// Everything: for devices that answer only this.
    Anything,
    /// Where is the device with this identity now?
    Resolve(Identity),
}

/// Two ways of writing the same question; firmwares exist that understand only one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// With an XML declaration, and message names that begin with `uuid:`.
    Declared,
    /// Without, and with `urn:uuid:`.
    Bare,
}

/// The message that asks `question`. `id` is a UUID; answers name it.
pub fn question(question: &ProbeKind, form: Form, id: &str) -> String {
    let (declaration, prefix) = match form {
        Form::Declared => ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "uuid:"),
        Form::Bare => ("", "urn:uuid:"),
    };
    let types = |types: &str| format!("<d:Probe><d:Types>{types}</d:Types></d:Probe>");
    let (action, body) = match question {
        ProbeKind::Transmitters => ("Probe", types("dn:NetworkVideoTransmitter")),
        ProbeKind::Devices => ("Probe", types("tds:Device")),
        ProbeKind::Anything => ("Probe", "<d:Probe/>".to_owned()),
        ProbeKind::Resolve(identity) => {
            let address = match form {
                Form::Bare if identity.is_uuid() => format!("uuid:{identity}"),
                _ => identity.to_urn(),
            };
            let address = xml::escape(&address);
            let body = format!(
                "<d:Resolve><a:EndpointReference><a:Address>{address}</a:Address></a:EndpointReference></d:Resolve>"
            );
            ("Resolve", body)
        }
    };
    format!(
        "{declaration}<s:Envelope xmlns:s=\"{ENVELOPE}\" xmlns:a=\"{ADDRESSING}\" xmlns:d=\"{DISCOVERY}\" \
         xmlns:dn=\"{NETWORK}\" xmlns:tds=\"{DEVICE}\"><s:Header><a:Action>{DISCOVERY}/{action}</a:Action>\
         <a:MessageID>{prefix}{id}</a:MessageID><a:ReplyTo><a:Address>{ADDRESSING}/role/anonymous</a:Address>\
         </a:ReplyTo><a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header><s:Body>{body}</s:Body>\
         </s:Envelope>"
    )
}

/// What kind of message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    ProbeMatches,
    ResolveMatches,
    /// A device has come, or its address has changed.
    Hello,
    /// A device is going.
    Bye,
}

/// One message of a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub kind: Kind,
    /// As sent; compare by [`Message::answers`].
    pub relates_to: Option<String>,
    pub devices: Vec<Device>,
}

impl Message {
    /// Whether this answers the message named `id`, however its name was decorated on the way.
    pub fn answers(&self, id: &str) -> bool {
        let related = self.relates_to.as_deref().and_then(Identity::new);
        related.is_some() && related == Identity::new(id)
    }
}

/// One device as a message tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// The endpoint reference as sent, white space around it aside.
    pub endpoint: String,
    /// Its normal form.
    pub identity: Option<Identity>,
    pub types: Vec<Type>,
    pub scopes: Scopes,
    /// As sent, with white space between them.
    pub xaddrs: String,
    /// Rises when what a device tells of itself has changed.
    pub metadata_version: Option<u32>,
}

/// A qualified name: what a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    pub name: String,
    /// `None` where its prefix was declared nowhere.
    pub namespace: Option<String>,
    /// Empty where it has none.
    pub prefix: String,
}

impl Device {
    /// Whether this is an ONVIF device. Windows PCs and printers answer probes too; they call
    /// themselves `Device` in a namespace of their own.
    pub fn is_onvif(&self) -> bool {
        let by_type = self.types.iter().any(|kind| match (kind.name.as_str(), kind.namespace.as_deref()) {
            // Nobody else uses this name, and some declare a wrong namespace for it.
            ("NetworkVideoTransmitter", _) => true,
            ("Device", Some(namespace)) => namespace == DEVICE,
            ("Device", None) => kind.prefix == "tds",
            _ => false,
        });
        by_type || self.scopes.is_onvif || (self.types.is_empty() && self.xaddrs.contains("/onvif/"))
    }

    /// Where to ask for its ONVIF service, best first; never empty.
    pub fn addresses(&self, origin: &DatagramSource) -> Vec<XAddr> {
        xaddr::ordered(&self.xaddrs, origin)
    }

    /// Its MAC, where it tells it.
    pub fn mac(&self) -> Option<Mac> {
        self.scopes.mac
    }
}

/// Reads a datagram. `None` for everything that is not a whole message of a device: rubbish, faults,
/// other people's probes, messages whose action contradicts their body.
pub fn parse(datagram: &[u8]) -> Option<Message> {
    let envelope = xml::read(datagram).ok().filter(|root| root.name == "Envelope")?;
    let header = envelope.child("Header");
    let body = envelope.child("Body")?;
    let (kind, content, entry) = [
        (Kind::ProbeMatches, "ProbeMatches", Some("ProbeMatch")),
        (Kind::ResolveMatches, "ResolveMatches", Some("ResolveMatch")),
        (Kind::Hello, "Hello", None),
        (Kind::Bye, "Bye", None),
    ]
    .into_iter()
    .find_map(|(kind, name, entry)| body.child(name).map(|content| (kind, content, entry)))?;
    let action = header.and_then(|header| header.text_at(&["Action"]));
    if action.is_some_and(|action| action.rsplit('/').next() != Some(content.name.as_str())) {
        return None;
    }
    let outer = [&envelope, body, content];
    let devices = match entry {
        Some(entry) => content.all(entry).take(MAX_DEVICES).map(|entry| device(entry, &outer)).collect(),
        None => vec![device(content, &outer[..2])],
    };
    let relates_to = header.and_then(|header| header.text_at(&["RelatesTo"])).map(str::to_owned);
    Some(Message { kind, relates_to, devices })
}

/// A device answering a question of ours: the message in `datagram` if it answers one of `ids`.
pub fn parse_answer(datagram: &[u8], ids: &[String]) -> Option<Message> {
    let message = parse(datagram)?;
    let is_answer = matches!(message.kind, Kind::ProbeMatches | Kind::ResolveMatches);
    (is_answer && ids.iter().any(|id| message.answers(id))).then_some(message)
}

fn device(entry: &Element, outer: &[&Element]) -> Device {
    let endpoint = entry.text_at(&["EndpointReference", "Address"]).unwrap_or("").to_owned();
    let types = entry.child("Types");
    let text = |name: &str| entry.text_at(&[name]).unwrap_or("");
    let mut scope: Vec<&Element> = outer.to_vec();
    scope.push(entry);
    scope.extend(types);
    let named = types.map_or("", Element::text).split_whitespace().take(MAX_TYPES);
    Device {
        identity: Identity::new(&endpoint),
        types: named.map(|name| qualified(name, &scope)).collect(),
        scopes: Scopes::read(text("Scopes")),
        xaddrs: text("XAddrs").to_owned(),
        metadata_version: text("MetadataVersion").parse().ok(),
        endpoint,
    }
}

/// `name` with its prefix looked up in the elements around it, innermost last.
fn qualified(name: &str, around: &[&Element]) -> Type {
    let (prefix, local) = name.split_once(':').unwrap_or(("", name));
    // The reader drops `xmlns:` before the prefix that is declared; what stands alone is the default.
    let declared = if prefix.is_empty() { "xmlns" } else { prefix };
    let namespace = around.iter().rev().find_map(|element| element.attribute(declared));
    Type {
        name: local.to_owned(),
        // Cameras wrap long addresses over lines.
        namespace: namespace.map(|namespace| namespace.split_whitespace().collect()),
        prefix: prefix.to_owned(),
    }
}

/// Whether a datagram from `source` may be an answer at all: not from many, not from nobody.
pub fn is_sender(source: IpAddr) -> bool {
    !source.is_multicast() && !source.is_unspecified()
}

#[cfg(test)]
mod tests;
