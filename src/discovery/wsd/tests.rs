//! Responses as cameras send them, and datagrams that are no responses.

use super::*;

const ID: &str = "12345678-9abc-4def-8123-456789abcdef";

/// Returns a message with the usual namespaces; `kind` is the name of the body's element.
fn message(kind: &str, relates_to: &str, content: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<SOAP-ENV:Envelope xmlns:SOAP-ENV=\"{ENVELOPE}\" \
         xmlns:wsa=\"{ADDRESSING}\" xmlns:wsdd=\"{DISCOVERY}\" xmlns:dn=\"{NETWORK}\" xmlns:tds=\"{DEVICE}\" \
         xmlns:wsdp=\"http://schemas.xmlsoap.org/ws/2006/02/devprof\"><SOAP-ENV:Header>\
         <wsa:Action>{DISCOVERY}/{kind}</wsa:Action><wsa:RelatesTo>{relates_to}</wsa:RelatesTo></SOAP-ENV:Header>\
         <SOAP-ENV:Body><wsdd:{kind}>{content}</wsdd:{kind}></SOAP-ENV:Body></SOAP-ENV:Envelope>"
    )
}

fn a_match(endpoint: &str, types: &str) -> String {
    format!(
        "<wsdd:ProbeMatch><wsa:EndpointReference><wsa:Address>{endpoint}</wsa:Address></wsa:EndpointReference>\
         <wsdd:Types>{types}</wsdd:Types><wsdd:XAddrs>http://10.0.0.1/onvif/device_service</wsdd:XAddrs>\
         <wsdd:MetadataVersion>3</wsdd:MetadataVersion></wsdd:ProbeMatch>"
    )
}

fn parsed(text: &str) -> Message {
    parse(text.as_bytes()).unwrap_or_else(|| panic!("not read: {text}"))
}

#[test]
fn questions_are_well_formed_and_say_what_they_ask() {
    let identity = DeviceId::new("uuid:5f5a69c2-e0ae-504f-829b-000000000064").unwrap();
    for (asked, action, part) in [
        (ProbeKind::Transmitters, "/Probe", "<d:Types>dn:NetworkVideoTransmitter</d:Types>"),
        (ProbeKind::Devices, "/Probe", "<d:Types>tds:Device</d:Types>"),
        (ProbeKind::Anything, "/Probe", "<d:Probe/>"),
        (ProbeKind::Resolve(identity), "/Resolve", "<a:Address>urn:uuid:5f5a69c2-e0ae-504f-829b-000000000064<"),
    ] {
        let text = question(&asked, Form::Declared, ID);
        assert!(text.contains(part), "{text}");
        let read = xml::read(text.as_bytes()).unwrap();
        assert!(read.text_at(&["Header", "Action"]).unwrap().ends_with(action), "{text}");
        assert_eq!(read.text_at(&["Header", "MessageID"]), Some(format!("uuid:{ID}").as_str()));
        assert!(parse(text.as_bytes()).is_none(), "our own question is no answer");
        let bare = question(&asked, Form::Bare, ID);
        assert!(bare.starts_with("<s:Envelope") && bare.contains(&format!(">urn:uuid:{ID}<")), "{bare}");
        assert!(text.len() < 1200, "fits into one packet of any network");
    }
}

#[test]
fn identities_in_questions_are_escaped() {
    let odd = DeviceId::new("a<b&c").unwrap();
    assert!(question(&ProbeKind::Resolve(odd), Form::Bare, ID).contains(">a&lt;b&amp;c<"));
}

#[test]
fn quirk_30_every_device_of_an_answer_is_read() {
    let both = a_match("urn:uuid:A1", "dn:NetworkVideoTransmitter tds:Device") + &a_match("uuid:a2", "tds:Device");
    let answer = parsed(&message("ProbeMatches", &format!("urn:uuid:{}", ID.to_uppercase()), &both));
    assert_eq!(answer.kind, Kind::ProbeMatches);
    assert!(answer.answers(ID) && !answer.answers("another"));
    let identities: Vec<_> = answer.devices.iter().filter_map(|device| device.identity.as_ref()).collect();
    assert_eq!(identities, [&DeviceId::new("a1").unwrap(), &DeviceId::new("a2").unwrap()]);
    assert!(answer.devices.iter().all(Device::is_onvif));
    assert_eq!(answer.devices[0].endpoint, "urn:uuid:A1");
    assert_eq!(answer.devices[0].metadata_version, Some(3));
    assert_eq!(answer.devices[0].types[1].namespace.as_deref(), Some(DEVICE));
}

#[test]
fn answers_without_a_device_are_answers() {
    assert_eq!(parsed(&message("ProbeMatches", ID, "")).devices, []);
}

#[test]
fn hello_bye_and_resolve_are_read() {
    let inner = "<wsa:EndpointReference><wsa:Address>urn:uuid:a1</wsa:Address></wsa:EndpointReference>\
                 <wsdd:Types>dn:NetworkVideoTransmitter</wsdd:Types>";
    for (name, kind) in [("Hello", Kind::Hello), ("Bye", Kind::Bye)] {
        let found = parsed(&message(name, "", inner));
        assert_eq!((found.kind, found.devices.len()), (kind, 1));
        assert_eq!(found.devices[0].identity, DeviceId::new("a1"));
        assert!(found.devices[0].is_onvif());
        assert_eq!(found.relates_to, None);
        assert!(parse_answer(message(name, ID, inner).as_bytes(), &[ID.to_owned()]).is_none());
    }
    let resolved = format!("<wsdd:ResolveMatch>{inner}</wsdd:ResolveMatch>");
    let resolved = message("ResolveMatches", ID, &resolved);
    assert_eq!(parse_answer(resolved.as_bytes(), &[ID.to_owned()]).unwrap().kind, Kind::ResolveMatches);
    assert!(parse_answer(resolved.as_bytes(), &["another".to_owned()]).is_none());
}

#[test]
fn quirk_33_pcs_and_printers_are_no_cameras() {
    let is_onvif = |types: &str| parsed(&message("ProbeMatches", ID, &a_match("a", types))).devices[0].is_onvif();
    assert!(!is_onvif("wsdp:Device pub:Computer"));
    assert!(!is_onvif("odd:Device"), "a prefix that is declared nowhere");
    assert!(is_onvif("tds:Device"));
    assert!(is_onvif("odd:NetworkVideoTransmitter"));
    assert!(is_onvif("NetworkVideoTransmitter"));
    assert!(is_onvif(""), "no types at all, but the address is ONVIF's");
    let redeclared = a_match("a", "tds:Device")
        .replace("<wsdd:Types>", "<wsdd:Types xmlns:tds=\"http://schemas.xmlsoap.org/ws/2006/02/devprof\">");
    assert!(!parsed(&message("ProbeMatches", ID, &redeclared)).devices[0].is_onvif(), "innermost declaration counts");
}

#[test]
fn undeclared_prefixes_and_wrapped_namespaces_are_understood() {
    let text = message("ProbeMatches", ID, &a_match("a", "tds:Device"));
    let undeclared = text.replace(&format!(" xmlns:tds=\"{DEVICE}\""), "");
    assert_eq!(parsed(&undeclared).devices[0].types[0].namespace, None);
    assert!(parsed(&undeclared).devices[0].is_onvif());
    let wrapped = text.replace(DEVICE, "http://www.onvif.org/ver10/\n  device/wsdl");
    assert!(parsed(&wrapped).devices[0].is_onvif());
    let default = text.replace("xmlns:tds=", "xmlns=").replace("tds:Device", "Device");
    assert!(parsed(&default).devices[0].is_onvif());
}

#[test]
fn rubbish_is_no_message() {
    let good = message("ProbeMatches", ID, &a_match("a", "tds:Device"));
    let wrong_action = good.replace(&format!("{DISCOVERY}/ProbeMatches"), &format!("{DISCOVERY}/Hello"));
    let fault = format!("<s:Envelope xmlns:s=\"{ENVELOPE}\"><s:Body><s:Fault/></s:Body></s:Envelope>");
    let bomb = format!("<!DOCTYPE a [<!ENTITY b \"c\">]>{good}");
    for text in ["", "lollipop", "<a/>", "\0\0\0", &good[..good.len() - 9], &wrong_action, &fault, &bomb] {
        assert!(parse(text.as_bytes()).is_none(), "{text}");
    }
    let unsigned = good.replace(&format!("<wsa:RelatesTo>{ID}</wsa:RelatesTo>"), "");
    assert!(parse_answer(unsigned.as_bytes(), &[ID.to_owned()]).is_none(), "an answer to nobody");
    assert!(parse_answer(unsigned.as_bytes(), &[String::new()]).is_none());
    let without_action = good.replace(&format!("<wsa:Action>{DISCOVERY}/ProbeMatches</wsa:Action>"), "");
    assert!(parse(without_action.as_bytes()).is_some(), "the body says it as well");
}

#[test]
fn a_flood_of_devices_in_one_message_is_cut() {
    let many = a_match("a", "tds:Device").repeat(MAX_DEVICES + 5);
    assert_eq!(parsed(&message("ProbeMatches", ID, &many)).devices.len(), MAX_DEVICES);
}
