//! `[mqtt]`: the broker.

use std::{fmt, path::Path};

use super::{
    camera,
    credentials::{Login, SecretReader},
    diagnostics::Diagnostics,
    mqtt_keys::{BROKER, HOME_ASSISTANT, MQTT_FINGERPRINT, PREFIX},
    section::{Located, Section},
};
use crate::{
    camera::{Credentials, fingerprint::Fingerprint},
    uri::split_authority,
};

const PORT: u16 = 1883;
const TLS_PORT: u16 = 8883;
/// Maximum length of the prefix, in bytes: topics may have 65535, and are as long as an identifier longer.
const MAX_PREFIX_LEN: usize = 100;

/// The broker, and what is published there.
#[derive(Clone, Debug, PartialEq)]
pub struct Mqtt {
    /// Name or address, IPv6 without brackets.
    pub host: String,
    pub port: u16,
    /// The keys of which it must have one; none: without TLS.
    pub fingerprints: Vec<Fingerprint>,
    pub credentials: Option<Credentials>,
    /// What all topics begin with, without a slash at its end.
    pub prefix: String,
    /// Whether cameras are announced to Home Assistant.
    pub home_assistant: bool,
}

/// Host and port, for messages.
impl fmt::Display for Mqtt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(f, "{host}:{}", self.port)
    }
}

/// The section as it was read.
pub(super) struct Given {
    /// It is in the file, perhaps with mistakes.
    pub(super) is_given: bool,
    pub(super) broker: Option<Mqtt>,
}

pub(super) fn read(
    section: &Section<'_>,
    base: &Path,
    read_secret: SecretReader<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> Given {
    section.refuse_unknown(diagnostics);
    let login = Login::read(section, base, read_secret, diagnostics);
    let credentials = login.for_camera(None, &Login::default(), section, diagnostics);
    let pinned = camera::fingerprints(section, diagnostics);
    let prefix = prefix(section, diagnostics);
    let home_assistant = section.flag(&HOME_ASSISTANT, diagnostics).unwrap_or(HOME_ASSISTANT.default);
    let Some(Located { at, value }) = section.text(&BROKER, diagnostics) else {
        if section.is_written && section.lacks(&[&BROKER]) {
            let right = "write broker = \"mqtt://ADDRESS\", or remove [mqtt]";
            section.report(section.at, format!("broker is missing; {right}"), diagnostics);
        }
        return Given { is_given: section.is_written, broker: None };
    };
    let broker = match address(&value) {
        Err(wrong) => {
            section.report(at, wrong, diagnostics);
            None
        }
        Ok((_, _, true)) if pinned.value.is_empty() => {
            if section.lacks(&[&MQTT_FINGERPRINT]) {
                let right = "write fingerprint, which openssl x509 -fingerprint -sha256 prints of its certificate";
                section.report(at, format!("mqtts:// needs the key of the broker; {right}"), diagnostics);
            }
            None
        }
        Ok((host, port, tls)) => {
            if !tls && !pinned.value.is_empty() {
                let right = "write broker = \"mqtts://…\", or remove fingerprint";
                section.report(pinned.at, format!("fingerprint needs TLS; {right}"), diagnostics);
            }
            let fingerprints = if tls { pinned.value } else { Vec::new() };
            Some(Mqtt { host, port, fingerprints, credentials, prefix, home_assistant })
        }
    };
    Given { is_given: true, broker }
}

/// Host, port, and whether TLS is spoken.
fn address(text: &str) -> Result<(String, u16, bool), String> {
    const RIGHT: &str = "write it like \"mqtt://192.168.1.5\" or \"mqtts://broker.lan:8883\"";
    let (scheme, rest) = text.split_once("://").ok_or_else(|| format!("broker has no scheme; {RIGHT}"))?;
    let tls = match scheme {
        "mqtt" => false,
        "mqtts" => true,
        _ => return Err(format!("broker is not of MQTT; {RIGHT}")),
    };
    if rest.contains('@') {
        return Err("broker holds a login; write username and password as keys of their own".to_owned());
    }
    let wrong = || format!("broker has no usable host and port; {RIGHT}");
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = split_authority(authority).ok_or_else(wrong)?;
    let is_host =
        !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control() || "/?#".contains(c));
    if !is_host {
        return Err(wrong());
    }
    Ok((host.to_owned(), port.unwrap_or(if tls { TLS_PORT } else { PORT }), tls))
}

fn prefix(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> String {
    let Some(Located { at, value }) = section.text(&PREFIX, diagnostics) else { return PREFIX.default.to_owned() };
    let trimmed = value.trim_matches('/');
    let is_right = !trimmed.is_empty()
        && trimmed.len() <= MAX_PREFIX_LEN
        && !trimmed.contains(|c: char| c.is_control() || c.is_whitespace() || "#+$".contains(c));
    if is_right {
        return trimmed.to_owned();
    }
    let words = format!("prefix is no topic; write 1 to {MAX_PREFIX_LEN} letters and slashes, like \"house/wall\"");
    section.report(at, words, diagnostics);
    PREFIX.default.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn read(text: &str) -> Result<Option<Mqtt>, Vec<String>> {
        let no_files = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        match parse(&format!("[mqtt]\n{text}\n"), Path::new("c"), &no_files) {
            Ok(config) => Ok(config.mqtt),
            Err(complaints) => Err(complaints.iter().map(ToString::to_string).collect()),
        }
    }

    const PIN: &str = "fingerprint='sha256:5f1c8c4fd2e1f0f5a1b2c3d4e5f60718293a4b5c6d7e8f900112233445566778'";

    #[test]
    fn broker_has_a_usual_port_and_prefix() {
        let plain = read("broker='mqtt://10.0.0.9'").unwrap().unwrap();
        assert_eq!((plain.to_string().as_str(), plain.prefix.as_str()), ("10.0.0.9:1883", "cctv-agent"));
        assert!(plain.fingerprints.is_empty() && plain.credentials.is_none() && !plain.home_assistant);
        let text = format!("broker='mqtts://[fd00::9]/'\n{PIN}\nusername='u'\npassword='p'\nprefix='/house/w/'");
        let over_tls = read(&text).unwrap().unwrap();
        assert_eq!((over_tls.to_string().as_str(), over_tls.prefix.as_str()), ("[fd00::9]:8883", "house/w"));
        assert!(over_tls.fingerprints.len() == 1);
        assert_eq!(over_tls.credentials.unwrap().username, "u");
        assert_eq!(parse("[server]", Path::new("c"), &|_: &Path| unreachable!()).unwrap().mqtt, None);
    }

    #[test]
    fn each_mistake_has_its_place_and_shows_no_password() {
        for (lines, wrong) in [
            ("", "c:1:1: [mqtt]: broker is missing; write broker = \"mqtt://ADDRESS\", or remove [mqtt]"),
            ("prefix='a'", "c:1:1: [mqtt]: broker is missing; write broker = \"mqtt://ADDRESS\""),
            ("broker='10.0.0.9'", "c:2:8: [mqtt]: broker has no scheme; write it like"),
            ("broker='http://10.0.0.9'", "c:2:8: [mqtt]: broker is not of MQTT; write it like"),
            ("broker='mqtt://'", "c:2:8: [mqtt]: broker has no usable host and port"),
            ("broker='mqtt://h:99999'", "c:2:8: [mqtt]: broker has no usable host and port"),
            ("broker='mqtt://u:hunter2@h'", "c:2:8: [mqtt]: broker holds a login; write username and password"),
            ("broker='mqtts://h'", "c:2:8: [mqtt]: mqtts:// needs the key of the broker; write fingerprint"),
            (&format!("broker='mqtt://h'\n{PIN}"), "c:3:13: [mqtt]: fingerprint needs TLS; write broker"),
            ("broker='mqtt://h'\nprefix='a/#'", "c:3:8: [mqtt]: prefix is no topic; write 1 to 100"),
            ("broker='mqtt://h'\nusername='u'", "c:3:10: [mqtt]: username without a password"),
            ("broker='mqtt://h'\npassword='hunter2'", "c:3:10: [mqtt]: password without a username"),
            ("brokr='mqtt://h'", "c:2:1: [mqtt]: unknown key \"brokr\"; did you mean \"broker\"?"),
        ] {
            let complaints = read(lines).unwrap_err();
            assert!(
                complaints.len() == 1 && complaints[0].starts_with(wrong),
                "{lines}:\n{complaints:#?}\nnot {wrong}"
            );
            assert!(!complaints[0].contains("hunter2"));
        }
    }
}
