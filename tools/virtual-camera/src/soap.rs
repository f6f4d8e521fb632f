//! SOAP as an ONVIF device reads and writes it: one call in, one response or fault out.

use std::{collections::HashMap, fmt::Write as _};

use quick_xml::{escape::escape, events::Event, name::ResolveResult, reader::NsReader};

use crate::http::Response;

pub const DEVICE: &str = "http://www.onvif.org/ver10/device/wsdl";
pub const MEDIA: &str = "http://www.onvif.org/ver10/media/wsdl";
pub const MEDIA2: &str = "http://www.onvif.org/ver20/media/wsdl";
pub const EVENTS: &str = "http://www.onvif.org/ver10/events/wsdl";
const NOTIFICATION: &str = "http://docs.oasis-open.org/wsn/b-2";
const ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";
pub const PTZ: &str = "http://www.onvif.org/ver20/ptz/wsdl";
const SECURITY: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const CONTENT_TYPE: &str = "application/soap+xml; charset=utf-8";

/// A client's call.
#[derive(Debug, Default, PartialEq)]
pub struct Call {
    pub namespace: String,
    pub operation: String,
    /// Elements of the body that contain text, by local name, in order; and attributes, as `element@attribute`.
    arguments: Vec<(String, String)>,
    pub token: Option<UsernameToken>,
    /// `MessageID` of the header, if there is one.
    pub message_id: Option<String>,
    /// Namespaces by the prefixes that the envelope declares anywhere.
    prefixes: HashMap<String, String>,
}

impl Call {
    /// Namespace and local name of a qualified name in text; an unknown prefix has the namespace
    /// "".
    pub fn resolve<'a>(&self, name: &'a str) -> (String, &'a str) {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        (self.prefixes.get(prefix).cloned().unwrap_or_default(), local)
    }

    /// The first argument with this name.
    pub fn argument(&self, name: &str) -> Option<&str> {
        self.arguments(name).next()
    }

    pub fn arguments(&self, name: &str) -> impl Iterator<Item = &str> {
        self.arguments.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// The WS-Security header as sent.
#[derive(Clone, Default, PartialEq)]
pub struct UsernameToken {
    pub username: String,
    pub password: String,
    /// `Type` of the password; empty if it was left out.
    pub password_type: String,
    pub nonce: String,
    pub created: String,
}

impl std::fmt::Debug for UsernameToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UsernameToken").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Parses an envelope. Returns `None` if it is not well-formed, has a DOCTYPE or contains no call.
pub fn read(body: &[u8]) -> Option<Call> {
    let mut reader = NsReader::from_str(std::str::from_utf8(body).ok()?);
    let mut path: Vec<String> = Vec::new();
    let mut text = String::new();
    let mut call: Option<Call> = None;
    let mut token: Option<UsernameToken> = None;
    let mut message_id = None;
    let mut prefixes = HashMap::new();
    loop {
        let (namespace, event) = reader.read_resolved_event().ok()?;
        match event {
            Event::Start(ref start) | Event::Empty(ref start) => {
                let namespace = match namespace {
                    ResolveResult::Bound(namespace) => namespace.0.to_owned(),
                    _ => String::new(),
                };
                let name = start.local_name().as_ref().to_owned();
                for declared in start.attributes().flatten() {
                    if let Some(prefix) = declared.key.as_ref().strip_prefix("xmlns:") {
                        prefixes.insert(prefix.to_owned(), declared.value.clone().into_owned());
                    }
                }
                if path.as_slice() == ["Envelope", "Body"] && call.is_none() {
                    let (operation, arguments) = (name.clone(), Vec::new());
                    call = Some(Call { namespace, operation, arguments, ..Call::default() });
                } else if name == "UsernameToken" && namespace == SECURITY {
                    token = Some(UsernameToken::default());
                } else if name == "Password"
                    && let Some(token) = &mut token
                {
                    let kind = start.try_get_attribute("Type").ok()?;
                    token.password_type = kind.map(|kind| kind.value.into_owned()).unwrap_or_default();
                }
                if let (Some(call), Some("Body")) = (&mut call, path.get(1).map(String::as_str)) {
                    let given = start.attributes().flatten().map(|attribute| {
                        let key = attribute.key.local_name();
                        (format!("{name}@{}", key.as_ref()), attribute.value.clone().into_owned())
                    });
                    call.arguments.extend(given);
                }
                text.clear();
                if matches!(event, Event::Start(_)) {
                    path.push(name);
                }
            }
            Event::Text(ref piece) => text.push_str(piece),
            Event::CData(ref piece) => text.push_str(piece),
            Event::GeneralRef(ref reference) => match reference.resolve_char_ref().ok()? {
                Some(character) => text.push(character),
                None => text.push_str(quick_xml::escape::resolve_predefined_entity(reference)?),
            },
            Event::End(_) => {
                let name = path.pop()?;
                let value = std::mem::take(&mut text);
                match path.get(1).map(String::as_str) {
                    Some("Header") if name == "MessageID" => message_id = Some(value.trim().to_owned()),
                    Some("Header") => take(token.as_mut(), &name, value),
                    Some("Body") => {
                        if let Some(call) = &mut call {
                            call.arguments.push((name, value.trim().to_owned()));
                        }
                    }
                    _ => {}
                }
            }
            Event::DocType(_) => return None,
            Event::Eof => break,
            _ => {}
        }
    }
    if path.is_empty() { call.map(|call| Call { token, message_id, prefixes, ..call }) } else { None }
}

fn take(token: Option<&mut UsernameToken>, name: &str, value: String) {
    let Some(token) = token else { return };
    match name {
        // A name may have blanks at its ends; the others cannot.
        "Username" => token.username = value,
        "Password" => token.password = value.trim().to_owned(),
        "Nonce" => token.nonce = value.trim().to_owned(),
        "Created" => token.created = value.trim().to_owned(),
        _ => {}
    }
}

/// Escapes text for an element or attribute.
pub fn text(text: &str) -> std::borrow::Cow<'_, str> {
    escape(text)
}

fn envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<s:Envelope \
         xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:tds=\"{DEVICE}\" xmlns:trt=\"{MEDIA}\" xmlns:tr2=\"{MEDIA2}\" xmlns:tptz=\"{PTZ}\" xmlns:tev=\"{EVENTS}\" \
         xmlns:wsnt=\"{NOTIFICATION}\" xmlns:wsa5=\"{ADDRESSING}\" \
         xmlns:tt=\"http://www.onvif.org/ver10/schema\" xmlns:ter=\"http://www.onvif.org/ver10/error\">\
         <s:Body>{body}</s:Body></s:Envelope>"
    )
}

/// The response to `operation` of the service with this prefix.
pub fn answer(prefix: &str, operation: &str, content: &str) -> Response {
    let body = format!("<{prefix}:{operation}Response>{content}</{prefix}:{operation}Response>");
    Response::new(200, CONTENT_TYPE, envelope(&body))
}

/// The reason why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    NotAuthorized,
    ActionNotSupported,
    NoProfile,
    InvalidStreamSetup,
    NoPtzProfile,
    NoToken,
    InvalidVelocity,
    TimeoutNotSupported,
    NotWellFormed,
}

impl Fault {
    /// The response, with the HTTP status that cameras use.
    pub fn response(self) -> Response {
        let (status, code, subcodes, reason): (u16, &str, &[&str], &str) = match self {
            Self::NotAuthorized => (400, "Sender", &["NotAuthorized"], "Sender not Authorized"),
            Self::ActionNotSupported => (500, "Receiver", &["ActionNotSupported"], "Optional Action Not Implemented"),
            Self::NoProfile => (400, "Sender", &["InvalidArgVal", "NoProfile"], "Profile token does not exist"),
            Self::InvalidStreamSetup => {
                (400, "Sender", &["InvalidArgVal", "InvalidStreamSetup"], "Stream setup is not supported")
            }
            Self::NoPtzProfile => (
                400,
                "Sender",
                &["InvalidArgVal", "NoPTZProfile"],
                "The profile does not reference a PTZ configuration",
            ),
            Self::NoToken => (400, "Sender", &["InvalidArgVal", "NoToken"], "The preset token does not exist"),
            Self::InvalidVelocity => {
                (400, "Sender", &["InvalidArgVal", "InvalidVelocity"], "The velocity is out of bounds")
            }
            Self::TimeoutNotSupported => {
                (400, "Sender", &["InvalidArgVal", "TimeoutNotSupported"], "The timeout is not supported")
            }
            Self::NotWellFormed => (400, "Sender", &["WellFormed"], "Well-formed Error"),
        };
        let mut nested = String::new();
        for subcode in subcodes {
            let _ = write!(nested, "<s:Subcode><s:Value>ter:{subcode}</s:Value>");
        }
        nested.push_str(&"</s:Subcode>".repeat(subcodes.len()));
        let body = format!(
            "<s:Fault><s:Code><s:Value>s:{code}</s:Value>{nested}</s:Code>\
             <s:Reason><s:Text xml:lang=\"en\">{reason}</s:Text></s:Reason></s:Fault>"
        );
        Response::new(status, CONTENT_TYPE, envelope(&body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_is_read_with_any_prefix_escapes_and_security() {
        let call = read(
            br#"<?xml version="1.0"?><e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Header>
            <Security xmlns="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd">
            <UsernameToken><Username>a&amp;&#x62;</Username><Password Type="x#PasswordDigest">D=</Password><Nonce>N</Nonce>
            <Created>C</Created></UsernameToken></Security></e:Header><e:Body>
            <m:GetStreamUri xmlns:m="http://www.onvif.org/ver20/media/wsdl"><m:Protocol>RTSP</m:Protocol>
            <m:ProfileToken> quality h264 </m:ProfileToken></m:GetStreamUri></e:Body></e:Envelope>"#,
        )
        .unwrap();
        assert_eq!((call.namespace.as_str(), call.operation.as_str()), (MEDIA2, "GetStreamUri"));
        assert_eq!(call.argument("ProfileToken"), Some("quality h264"));
        let token = call.token.unwrap();
        assert_eq!((token.username.as_str(), token.password.as_str()), ("a&b", "D="));
        assert_eq!(token.password_type, "x#PasswordDigest");
    }

    #[test]
    fn call_without_content_is_read_and_rubbish_is_not() {
        let call = read(b"<E:Envelope xmlns:E='x'><E:Body><a:Get xmlns:a='urn:a'/></E:Body></E:Envelope>").unwrap();
        assert_eq!((call.namespace.as_str(), call.operation.as_str()), ("urn:a", "Get"));
        assert!(read(b"lollipop").is_none());
        assert!(read(b"<!DOCTYPE x><Envelope><Body><Get/></Body></Envelope>").is_none());
        assert!(read(b"<Envelope><Body><Get/>").is_none());
        assert!(read(b"<Envelope><Body/></Envelope>").is_none());
    }

    #[test]
    fn fault_nests_its_subcodes() {
        let response = Fault::NoProfile.response();
        let body = String::from_utf8(response.body).unwrap();
        assert_eq!(response.status, 400);
        assert!(body.contains(
            "<s:Subcode><s:Value>ter:InvalidArgVal</s:Value><s:Subcode><s:Value>ter:NoProfile</s:Value></s:Subcode></s:Subcode>"
        ));
    }
}
