//! WS-Discovery of April 2005, the version that ONVIF uses: writes probes and parses responses.
//!
//! Cameras are strict about probes: some do not respond to several types in one probe, or to
//! unusual prefixes. They are careless in their responses. So everything is asked in several forms,
//! and responses are read by the local names of their elements.

use std::net::IpAddr;

use super::{
    scopes::Scopes,
    xaddr::{self, DatagramSource, XAddr},
};
use crate::{
    device_id::{DeviceId, Mac},
    xml::{self, Element},
};

/// UDP port of devices and of their multicast group.
pub const PORT: u16 = 3702;

/// Maximum number of devices in one message. A recorder may respond for each of its channels.
const MAX_DEVICES: usize = 64;
/// Maximum number of types of one device that are examined.
const MAX_TYPES: usize = 16;

const DISCOVERY: &str = "http://schemas.xmlsoap.org/ws/2005/04/discovery";
const ADDRESSING: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
const ENVELOPE: &str = "http://www.w3.org/2003/05/soap-envelope";
const NETWORK: &str = "http://www.onvif.org/ver10/network/wsdl";
const DEVICE: &str = "http://www.onvif.org/ver10/device/wsdl";

/// What to ask for. Each kind is a separate message, because several
/// types in one mean "all of them".
#[derive(Clone, Debug, PartialEq)]
pub enum ProbeKind {
    /// Video transmitters: every camera with one of ONVIF's first profiles responds to this.
    Transmitters,
    /// ONVIF devices: newer ones must respond to this.
    Devices,
    /// Anything: for devices that respond only to this.
    Anything,
    /// The present address of the device with this identity.
    Resolve(DeviceId),
}

/// Two forms of the same message; some firmwares understand only one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// With an XML declaration, and with message identifiers that begin with `uuid:`.
    Declared,
    /// Without a declaration, and with `urn:uuid:`.
    Bare,
}

/// Returns the message that asks `question`. `id` is a UUID that responses refer to.
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

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    ProbeMatches,
    ResolveMatches,
    /// A device is new, or its address has changed.
    Hello,
    /// A device leaves.
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
    /// Whether this responds to the message `id`, regardless of prefixes that a device changed.
    pub fn answers(&self, id: &str) -> bool {
        let related = self.relates_to.as_deref().and_then(DeviceId::new);
        related.is_some() && related == DeviceId::new(id)
    }
}

/// One device in a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// The endpoint reference as sent, without surrounding white space.
    pub endpoint: String,
    /// The normal form of the endpoint reference.
    pub identity: Option<DeviceId>,
    pub types: Vec<Type>,
    pub scopes: Scopes,
    /// As sent, separated by white space.
    pub xaddrs: String,
    /// Increases when the facts that a device reports have changed.
    pub metadata_version: Option<u32>,
}

/// The type of a device, as a qualified name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    pub name: String,
    /// `None` if its prefix is not declared.
    pub namespace: Option<String>,
    /// Empty if it has none.
    pub prefix: String,
}

impl Device {
    /// Whether this is an ONVIF device. Windows PCs and printers also answer probes; they use the
    /// type `Device` of another namespace.
    pub fn is_onvif(&self) -> bool {
        let by_type = self.types.iter().any(|kind| match (kind.name.as_str(), kind.namespace.as_deref()) {
            // Only ONVIF devices use this name, and some declare a wrong namespace for it.
            ("NetworkVideoTransmitter", _) => true,
            ("Device", Some(namespace)) => namespace == DEVICE,
            ("Device", None) => kind.prefix == "tds",
            _ => false,
        });
        by_type || self.scopes.is_onvif || (self.types.is_empty() && self.xaddrs.contains("/onvif/"))
    }

    /// Returns where to ask for its ONVIF service, best first; never empty.
    pub fn addresses(&self, origin: &DatagramSource) -> Vec<XAddr> {
        xaddr::ordered(&self.xaddrs, origin)
    }

    /// Returns its MAC, if it reports one.
    pub fn mac(&self) -> Option<Mac> {
        self.scopes.mac
    }
}

/// Parses a datagram. `None` if it is not a complete message of a device: invalid data, faults,
/// probes of other programs, messages whose action contradicts their body.
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

/// Parses the message in `datagram` if it responds to one of our messages in `ids`.
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
        identity: DeviceId::new(&endpoint),
        types: named.map(|name| qualified(name, &scope)).collect(),
        scopes: Scopes::read(text("Scopes")),
        xaddrs: text("XAddrs").to_owned(),
        metadata_version: text("MetadataVersion").parse().ok(),
        endpoint,
    }
}

/// Resolves the prefix of `name` by the elements in `around`, the innermost last.
fn qualified(name: &str, around: &[&Element]) -> Type {
    let (prefix, local) = name.split_once(':').unwrap_or(("", name));
    // The XML parser drops `xmlns:` before the declared prefix;
    // `xmlns` alone is the default namespace.
    let declared = if prefix.is_empty() { "xmlns" } else { prefix };
    let namespace = around.iter().rev().find_map(|element| element.attribute(declared));
    Type {
        name: local.to_owned(),
        // Cameras break long addresses into several lines.
        namespace: namespace.map(|namespace| namespace.split_whitespace().collect()),
        prefix: prefix.to_owned(),
    }
}

/// Whether a response can come from `source`: not if it is a multicast or unspecified address.
pub fn is_sender(source: IpAddr) -> bool {
    !source.is_multicast() && !source.is_unspecified()
}

#[cfg(test)]
mod tests;
