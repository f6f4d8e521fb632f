//! SOAP envelopes: writes requests, and separates results from refusals.
//!
//! Neither the HTTP status nor the Content-Type is reliable: faults come with any status, and web
//! pages come with a SOAP type. So the body is examined first.

use std::fmt;

use crate::{
    http_auth::{
        challenge::{self, Challenge},
        quote::quotable,
    },
    http_client::response::Response,
    xml::{self, Element},
};

/// Namespace of the device service.
pub const DEVICE: &str = "http://www.onvif.org/ver10/device/wsdl";
/// Namespace of the first media service.
pub const MEDIA1: &str = "http://www.onvif.org/ver10/media/wsdl";
/// Namespace of the second media service, the only one that must support H.265.
pub const MEDIA2: &str = "http://www.onvif.org/ver20/media/wsdl";
/// Namespace of the PTZ service.
pub const PTZ: &str = "http://www.onvif.org/ver20/ptz/wsdl";

/// Namespace of the event service.
pub const EVENTS: &str = "http://www.onvif.org/ver10/events/wsdl";
/// Namespace of the operations that prolong and end a subscription (OASIS WS-BaseNotification).
pub const NOTIFICATION: &str = "http://docs.oasis-open.org/wsn/b-2";

/// Declared in every envelope with the usual prefixes, because some firmwares know no others.
const NAMESPACES: [(&str, &str); 7] = [
    ("tds", DEVICE),
    ("trt", MEDIA1),
    ("tr2", MEDIA2),
    ("tptz", PTZ),
    ("tt", "http://www.onvif.org/ver10/schema"),
    ("wsse", "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"),
    ("wsu", "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"),
];

/// Declared where they are used: the common envelope stays as short as it is.
const EVENT_NAMESPACES: [(&str, &str); 3] =
    [("tev", EVENTS), ("wsnt", NOTIFICATION), ("a", "http://www.w3.org/2005/08/addressing")];

/// The form of a request; cameras differ in which one they accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoapDialect {
    /// SOAP 1.2 with `action` in the Content-Type, as the standard requires.
    Action,
    /// SOAP 1.2 without `action`: some cameras do not read a request that has it.
    NoAction,
    /// SOAP 1.1, for very old devices.
    Soap11,
}

/// One operation of a service, with its parameters as XML.
#[derive(Clone, Debug)]
pub struct Operation {
    pub namespace: &'static str,
    pub name: &'static str,
    pub parameters: String,
    pub access: Access,
    /// Of requests to a subscription; `None` for all others.
    pub addressing: Option<Addressing>,
}

/// To which subscription a request belongs (WS-Addressing). Devices find it by these header blocks.
#[derive(Clone, Debug)]
pub struct Addressing {
    /// The address of the subscription, byte for byte as the device gave it.
    pub to: String,
    /// The whole action; that of other requests is made of namespace and name.
    pub action: &'static str,
    /// A new one for each request.
    pub message_id: String,
    /// What the device wants to have back in the header, as XML.
    pub reference: String,
}

impl Addressing {
    fn header_blocks(&self) -> String {
        let Self { to, action, message_id, reference } = self;
        format!(
            "<a:Action>{action}</a:Action><a:MessageID>urn:uuid:{message_id}</a:MessageID><a:To>{}</a:To>{reference}",
            xml::escape(to)
        )
    }
}

/// Whether a request may carry a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Never sent with a login. If it is refused without one, the operation is not available.
    Anonymous,
    /// The standard requires no login for it, so it is first sent without one.
    PreAuth,
    /// Sent with a login if the device requires one.
    Authenticated,
}

impl Operation {
    fn prefix(&self) -> &'static str {
        let known = NAMESPACES.iter().chain(&EVENT_NAMESPACES);
        known.into_iter().find(|(_, namespace)| *namespace == self.namespace).map_or("tds", |(prefix, _)| prefix)
    }

    /// Returns the header lines that describe the body, and the body. `security` is a
    /// `wsse:Security` element or empty.
    pub fn to_http(&self, form: SoapDialect, security: &str) -> (String, String) {
        let (prefix, name, parameters) = (self.prefix(), self.name, &self.parameters);
        let action = match &self.addressing {
            Some(addressing) => addressing.action.to_owned(),
            None if self.namespace == EVENTS => format!("{EVENTS}/EventPortType/{name}Request"),
            None => format!("{}/{name}", self.namespace),
        };
        let (envelope, lines) = match form {
            SoapDialect::Action => (
                "http://www.w3.org/2003/05/soap-envelope",
                format!("Content-Type: application/soap+xml; charset=utf-8; action=\"{action}\"\r\n"),
            ),
            SoapDialect::NoAction => (
                "http://www.w3.org/2003/05/soap-envelope",
                "Content-Type: application/soap+xml; charset=utf-8\r\n".to_owned(),
            ),
            SoapDialect::Soap11 => (
                "http://schemas.xmlsoap.org/soap/envelope/",
                format!("Content-Type: text/xml; charset=utf-8\r\nSOAPAction: \"{action}\"\r\n"),
            ),
        };
        let of_events = if [EVENTS, NOTIFICATION].contains(&self.namespace) { &EVENT_NAMESPACES[..] } else { &[] };
        let declared = NAMESPACES.iter().chain(of_events);
        let declared: String = declared.map(|(prefix, uri)| format!(" xmlns:{prefix}=\"{uri}\"")).collect();
        let blocks = self.addressing.as_ref().map(Addressing::header_blocks).unwrap_or_default() + security;
        let header = if blocks.is_empty() { String::new() } else { format!("<s:Header>{blocks}</s:Header>") };
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><s:Envelope xmlns:s=\"{envelope}\"{declared}>{header}\
             <s:Body><{prefix}:{name}>{parameters}</{prefix}:{name}></s:Body></s:Envelope>"
        );
        (lines, body)
    }
}

/// A SOAP fault: the device did not do what the request asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fault {
    /// Without its prefix, for instance `Sender`.
    pub code: String,
    /// As sent, outermost first, for instance `ter:NotAuthorized`.
    pub subcodes: Vec<String>,
    pub reason: String,
}

/// The meaning of a [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The login is missing or refused.
    Authentication,
    /// The device does not know the operation.
    NotOffered,
    NoSuchProfile,
    /// The profile exists but has no stream.
    IncompleteProfile,
    /// The profile exists but has no PTZ.
    NoPtz,
    /// The device does not know the preset.
    NoSuchPreset,
    /// The device has no home position.
    NoHome,
    Other,
}

impl FaultKind {
    /// Whether the device has searched for the profile that the request names.
    pub fn is_about_profile(self) -> bool {
        matches!(self, Self::NoSuchProfile | Self::IncompleteProfile | Self::NoPtz | Self::NoSuchPreset | Self::NoHome)
    }
}

impl Fault {
    /// Returns the fault in `body`, the SOAP body, if there is one.
    fn find(body: &Element) -> Option<Self> {
        let fault = body.child("Fault")?;
        let mut subcodes = Vec::new();
        let mut level = fault.child("Code").and_then(|code| code.child("Subcode"));
        while let Some(subcode) = level {
            subcodes.extend(subcode.text_at(&["Value"]).map(str::to_owned));
            level = subcode.child("Subcode");
        }
        let code = fault.text_at(&["Code", "Value"]).or_else(|| fault.text_at(&["faultcode"])).unwrap_or("");
        let reason = fault
            .text_at(&["Reason", "Text"])
            .or_else(|| fault.text_at(&["faultstring"]))
            .or_else(|| fault.text_at(&["Detail", "Text"]))
            .unwrap_or("");
        Some(Self { code: local(code).to_owned(), subcodes, reason: reason.to_owned() })
    }

    /// Classifies the fault by its codes, and by its text only if it has no codes.
    pub fn kind(&self) -> FaultKind {
        let has = |wanted: &[&str]| {
            let names = self.subcodes.iter().map(|subcode| local(subcode)).chain([self.code.as_str()]);
            names.into_iter().any(|name| wanted.contains(&name))
        };
        let reason = self.reason.to_lowercase();
        let says = |words: &[&str]| self.subcodes.is_empty() && words.iter().any(|word| reason.contains(word));
        if has(&["NotAuthorized", "FailedAuthentication", "InvalidSecurity", "InvalidSecurityToken"])
            || says(&["not authorized", "unauthorized", "authority failure", "authentication", "ws-security"])
        {
            FaultKind::Authentication
        } else if has(&["ActionNotSupported", "UnknownAction", "NoSuchService", "OptionalActionNotImplemented"])
            || says(&["not implemented"])
        {
            FaultKind::NotOffered
        } else if has(&["NoProfile"]) {
            FaultKind::NoSuchProfile
        } else if has(&["IncompleteConfiguration"]) {
            FaultKind::IncompleteProfile
        } else if has(&["NoPTZProfile"]) {
            FaultKind::NoPtz
        } else if has(&["NoToken"]) {
            FaultKind::NoSuchPreset
        } else if has(&["NoHomePosition"]) {
            FaultKind::NoHome
        } else {
            FaultKind::Other
        }
    }

    /// Whether the device counts failed logins and reports it: one more may lock the account.
    pub fn warns_of_lockout(&self) -> bool {
        let reason = self.reason.to_lowercase();
        self.kind() == FaultKind::Authentication && (reason.contains("attempt") || reason.contains("locked"))
    }
}

/// The device's own text if it has one, else its innermost code; fit for a log line.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.subcodes.last().map_or(self.code.as_str(), |subcode| local(subcode));
        let text = quotable(if self.reason.is_empty() { code } else { &self.reason });
        f.write_str(if text.is_empty() { "no reason given" } else { &text })
    }
}

/// Why a response has no result.
#[derive(Debug)]
pub enum CallError {
    /// A login is required, or the login in the request is refused.
    Login {
        status: Option<u16>,
        challenges: Vec<Challenge>,
        fault: Option<Fault>,
    },
    Fault(Fault),
    /// An HTTP error status without a SOAP message that explains it.
    Status(u16),
    /// A redirect to another address, usually one with HTTPS.
    Redirect(String),
    /// A successful response without a SOAP message; `None`: an empty body.
    NotSoap(Option<NotSoap>),
}

/// Why the body is not a SOAP message.
#[derive(Debug, thiserror::Error)]
pub enum NotSoap {
    #[error(transparent)]
    Xml(xml::Error),
    /// Well-formed XML with another root element; this is its name.
    #[error("the answer is not a SOAP message but {:?}", quotable(.0))]
    Root(String),
    /// An envelope with an empty body.
    #[error("the SOAP message is empty")]
    EmptyBody,
}

/// Extracts the response element from `response`.
///
/// # Errors
/// If it is a fault, with any HTTP status, or not a SOAP message.
pub fn open(response: &Response) -> Result<Element, CallError> {
    let status = response.status;
    let content = read_body(&response.body);
    let fault = match &content {
        Ok(body) => Fault::find(body),
        Err(_) => None,
    };
    let login = fault.as_ref().is_some_and(|fault| fault.kind() == FaultKind::Authentication);
    if login || status == Some(401) {
        let challenges = challenge::parse(response.all("www-authenticate"));
        return Err(CallError::Login { status, challenges, fault });
    }
    if let Some(fault) = fault {
        return Err(CallError::Fault(fault));
    }
    match (content, status) {
        (Ok(body), _) => match body.children.into_iter().next() {
            Some(response) => Ok(response),
            None => Err(CallError::NotSoap(Some(NotSoap::EmptyBody))),
        },
        (Err(_), Some(status @ 300..400)) => match response.all("location").next() {
            Some(location) => Err(CallError::Redirect(quotable(location))),
            None => Err(CallError::Status(status)),
        },
        (Err(_), Some(status)) if !(200..300).contains(&status) => Err(CallError::Status(status)),
        (Err(_), _) if response.body.trim_ascii().is_empty() => Err(CallError::NotSoap(None)),
        (Err(error), _) => Err(CallError::NotSoap(Some(error))),
    }
}

/// Returns the `Body` element of the envelope in `bytes`.
fn read_body(bytes: &[u8]) -> Result<Element, NotSoap> {
    let mut root = xml::read(bytes).map_err(NotSoap::Xml)?;
    if root.name != "Envelope" {
        return Err(NotSoap::Root(root.name));
    }
    let body = root.children.iter().position(|child| child.name == "Body").ok_or(NotSoap::EmptyBody)?;
    Ok(root.children.swap_remove(body))
}

/// Returns the name after the prefix, which may be undeclared.
fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response { status: Some(status), headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    fn fault(code: &str, subcodes: &[&str], reason: &str) -> Fault {
        let subcodes = subcodes.iter().map(ToString::to_string).collect();
        Fault { code: code.into(), subcodes, reason: reason.into() }
    }

    #[test]
    fn request_names_its_action_and_declares_its_prefixes() {
        let operation = Operation {
            namespace: MEDIA2,
            name: "GetProfiles",
            parameters: "<tr2:Type>x</tr2:Type>".into(),
            access: Access::Authenticated,
            addressing: None,
        };
        let (lines, body) = operation.to_http(SoapDialect::Action, "");
        assert_eq!(
            lines,
            "Content-Type: application/soap+xml; charset=utf-8; action=\"http://www.onvif.org/ver20/media/wsdl/GetProfiles\"\r\n"
        );
        assert!(!body.contains("Header"));
        let root = xml::read(body.as_bytes()).unwrap();
        assert_eq!(root.text_at(&["Body", "GetProfiles", "Type"]), Some("x"));
        assert!(
            body.contains("<tr2:GetProfiles>") && body.contains("xmlns:tr2=\"http://www.onvif.org/ver20/media/wsdl\"")
        );
        let (lines, body) = operation.to_http(SoapDialect::Soap11, "<wsse:Security/>");
        assert!(lines.contains("SOAPAction: \"http://www.onvif.org/ver20/media/wsdl/GetProfiles\"\r\n"));
        assert!(
            body.contains("schemas.xmlsoap.org/soap/envelope")
                && body.contains("<s:Header><wsse:Security/></s:Header>")
        );
    }

    #[test]
    fn request_to_a_subscription_names_it_in_the_header() {
        let addressing = Addressing {
            to: "http://10.0.0.1/sub?Idx=1&x".into(),
            action: "urn:Renew",
            message_id: "m".into(),
            reference: "<p:Id xmlns:p=\"urn:p\">7</p:Id>".into(),
        };
        let (namespace, name) = (NOTIFICATION, "Renew");
        let (parameters, access) = (String::new(), Access::Authenticated);
        let operation = Operation { namespace, name, parameters, access, addressing: Some(addressing) };
        let (lines, body) = operation.to_http(SoapDialect::Action, "<wsse:Security/>");
        assert!(lines.contains("action=\"urn:Renew\""), "{lines}");
        let root = xml::read(body.as_bytes()).unwrap();
        let header = |name: &str| root.text_at(&["Header", name]).unwrap_or_default().to_owned();
        assert_eq!((header("To").as_str(), header("Id").as_str()), ("http://10.0.0.1/sub?Idx=1&x", "7"));
        assert!(root.at(&["Header", "Security"]).is_some() && root.at(&["Body", "Renew"]).is_some());
        assert!(body.contains("<wsnt:Renew>") && body.contains(&format!("xmlns:wsnt=\"{NOTIFICATION}\"")));

        let (namespace, name) = (EVENTS, "CreatePullPointSubscription");
        let operation = Operation { namespace, name, parameters: String::new(), access, addressing: None };
        let (lines, body) = operation.to_http(SoapDialect::Action, "");
        assert!(lines.contains("/wsdl/EventPortType/CreatePullPointSubscriptionRequest"), "{lines}");
        assert!(body.contains("<tev:CreatePullPointSubscription>"), "{body}");
    }

    #[test]
    fn answer_is_the_first_element_of_the_body() {
        let answer =
            open(&response(200, "<E:Envelope><E:Header/><E:Body><x:YResponse a='1'/></E:Body></E:Envelope>")).unwrap();
        assert_eq!(answer.name, "YResponse");
    }

    #[test]
    fn fault_is_found_under_any_status_and_in_both_versions() {
        let new = "<s:Envelope><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:InvalidArgVal</s:Value>\
            <s:Subcode><s:Value>ter:NoProfile</s:Value></s:Subcode></s:Subcode></s:Code><s:Reason><s:Text>No\nprofile</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>";
        let old = "<Envelope><Body><Fault><faultcode>SOAP-ENV:Client</faultcode><faultstring>Authority failure</faultstring></Fault></Body></Envelope>";
        for status in [200, 400, 500] {
            let Err(CallError::Fault(fault)) = open(&response(status, new)) else { panic!("no fault at {status}") };
            assert_eq!(fault, self::fault("Sender", &["ter:InvalidArgVal", "ter:NoProfile"], "No\nprofile"));
            assert_eq!(fault.kind(), FaultKind::NoSuchProfile);
            assert_eq!(fault.to_string(), "No profile");
            let Err(CallError::Login { fault: Some(fault), .. }) = open(&response(status, old)) else {
                panic!("no login")
            };
            assert_eq!(fault, self::fault("Client", &[], "Authority failure"));
        }
    }

    #[test]
    fn meaning_comes_from_codes_before_words() {
        let cases = [
            (fault("Sender", &["ter:NotAuthorized"], ""), FaultKind::Authentication),
            (fault("Sender", &["wsse:FailedAuthentication"], "x"), FaultKind::Authentication),
            (fault("InvalidSecurity", &[], "x"), FaultKind::Authentication),
            (fault("Sender", &[], "Sender not Authorized"), FaultKind::Authentication),
            (
                fault("Sender", &["ter:OperationProhibited", "ter:Password"], "authentication: too weak"),
                FaultKind::Other,
            ),
            (fault("Receiver", &["ter:ActionNotSupported"], ""), FaultKind::NotOffered),
            (fault("Sender", &[], "Method 'x' not implemented"), FaultKind::NotOffered),
            (fault("Receiver", &["ter:Action", "ter:IncompleteConfiguration"], ""), FaultKind::IncompleteProfile),
            (fault("Receiver", &[], "out of memory"), FaultKind::Other),
        ];
        for (fault, kind) in cases {
            assert_eq!(fault.kind(), kind, "{fault:?}");
        }
    }

    #[test]
    fn remaining_attempts_warn_of_a_lockout() {
        assert!(fault("Sender", &["ter:NotAuthorized"], "4 Attempts left").warns_of_lockout());
        assert!(!fault("Sender", &["ter:NotAuthorized"], "Sender not authorized").warns_of_lockout());
    }

    #[test]
    fn unauthorized_status_hands_over_its_challenges() {
        let mut response = response(401, "<!DOCTYPE html><html><br></html>");
        response.headers.push(("www-authenticate".into(), "Digest realm=\"r\", nonce=\"n\"".into()));
        let Err(CallError::Login { challenges, fault: None, .. }) = open(&response) else { panic!("no login") };
        assert_eq!(challenges.len(), 1);
    }

    #[test]
    fn web_pages_and_nothing_are_not_answers() {
        assert!(matches!(open(&response(500, "<!DOCTYPE html><html/>")), Err(CallError::Status(500))));
        assert!(matches!(open(&response(404, "")), Err(CallError::Status(404))));
        assert!(matches!(open(&response(200, "<html><a/></html>")), Err(CallError::NotSoap(Some(NotSoap::Root(_))))));
        assert!(matches!(open(&response(200, " ")), Err(CallError::NotSoap(None))));
        assert!(matches!(
            open(&response(200, "<Envelope><Body/></Envelope>")),
            Err(CallError::NotSoap(Some(NotSoap::EmptyBody)))
        ));
        let mut redirect = response(302, "<html>moved</html>");
        redirect.headers.push(("location".into(), "https://10.0.0.1/".into()));
        assert!(matches!(open(&redirect), Err(CallError::Redirect(to)) if to == "https://10.0.0.1/"));
    }
}
