//! Checks addresses that people write: hosts, text that is nearly a host, and `listen`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use toml::{Spanned, de::DeValue};

use super::{
    diagnostics::Diagnostics,
    section::Section,
    server_keys,
    wording::{is_quotable, kind},
};

/// Returns the host in `written`, the value of `key`, in the form that is used: an IP address (IPv6
/// without brackets) or a host name.
///
/// # Errors
/// What is wrong and what would be right. `written` is quoted only if it cannot hold a password.
pub(super) fn host(key: &str, written: &str) -> Result<String, String> {
    let example = "write it like 192.168.1.20";
    let quoted = if is_quotable(written) { format!("{key} {written:?}") } else { key.to_owned() };
    // Only the ONVIF service has a separate key for its port.
    let with_port = |port: u16| if key == "ip" { format!(", and onvif_port = {port}") } else { String::new() };
    let wrong = |what: String| Err(format!("{quoted} {what}"));
    if written.trim().is_empty() {
        let given = if key == "ip" { " where uuid or url is given" } else { "" };
        return wrong(format!("is empty; {example}, or leave it out{given}"));
    }
    if written.contains("://") {
        let or = if key == "ip" { ", or use the key url for a stream address" } else { "" };
        return wrong(format!("is a URL; {example}{or}"));
    }
    if written.contains('@') {
        return wrong(format!("holds a login; {example}, and give username and password as keys of their own"));
    }
    if let Ok(ip) = written.parse::<IpAddr>() {
        return usable(ip, &quoted).map(|()| written.to_owned());
    }
    if let Ok(SocketAddr::V4(socket)) = written.parse() {
        return wrong(format!("holds a port; write \"{}\"{}", socket.ip(), with_port(socket.port())));
    }
    if written.starts_with('[') {
        return wrong("is in brackets; write an IPv6 address without them, like fd00::20".into());
    }
    if written.contains(':') {
        return match written.split_once(':') {
            Some((name, port)) if is_host_name(name) && port.parse::<u16>().is_ok() => {
                wrong(format!("holds a port; write {name:?}{}", port.parse().map_or(String::new(), with_port)))
            }
            _ => wrong(format!("is not an IP address; {example} or fd00::20")),
        };
    }
    if ends_in_number(written) {
        return match without_leading_zeros(written) {
            Some(ip) => wrong(format!("has leading zeros, which some programs read as octal; write {ip}")),
            None => wrong(format!("is not an IP address; {example}")),
        };
    }
    if is_host_name(written) {
        return Ok(written.to_owned());
    }
    wrong(format!("is neither an IP address nor a host name; {example} or gate-camera.local"))
}

fn usable(ip: IpAddr, quoted: &str) -> Result<(), String> {
    let what = if ip.is_unspecified() {
        "means no particular machine"
    } else if ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
        "means many machines"
    } else {
        return Ok(());
    };
    Err(format!("{quoted} {what}; write the camera's own address, like 192.168.1.20"))
}

fn without_leading_zeros(written: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u8> = written.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [a, b, c, d] = parts.try_into().ok()?;
    Some(Ipv4Addr::new(a, b, c, d))
}

/// Whether the text is meant as an IPv4 address: no host name ends in a number (WHATWG URL
/// standard, "ends in a number checker").
pub(super) fn ends_in_number(text: &str) -> bool {
    let last_label = text.rsplit('.').next().unwrap_or("");
    !last_label.is_empty() && last_label.bytes().all(|b| b.is_ascii_digit())
}

/// Whether this is a host name of RFC 1123, or one with the underscore that some networks use
/// although RFC 1123 does not allow it.
pub(super) fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let text = text.strip_suffix('.').unwrap_or(text);
    text.len() <= 253 && text.split('.').all(label)
}

/// Returns the addresses of `listen`: one text, or a list of texts. Returns none if
/// the key is absent or has no valid entry. Port 0 is accepted: the system then
/// chooses a port, which tests use.
pub(super) fn listen(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Vec<SocketAddr> {
    let Some(value) = section.value(&server_keys::LISTEN) else {
        return Vec::new();
    };
    let one = std::slice::from_ref(value);
    let entries: &[Spanned<DeValue<'_>>] = match value.get_ref() {
        DeValue::Array(list) => list,
        _ => one,
    };
    if entries.is_empty() {
        section.report(value.span().start, "listen is an empty list; write at least one address", diagnostics);
    }
    let most = server_keys::LISTEN.values.most;
    if entries.len() > most {
        let words = format!("listen has {} addresses; write at most {most}", entries.len());
        section.report(value.span().start, words, diagnostics);
    }
    let mut found: Vec<SocketAddr> = Vec::new();
    for entry in entries {
        let at = entry.span().start;
        match listen_address(entry.get_ref()) {
            Err(wrong) => section.report(at, wrong, diagnostics),
            Ok(address) => match found.iter().find(|earlier| covers(**earlier, address)) {
                Some(earlier) if *earlier == address => {
                    section.report(at, format!("listen has {address} twice; write it once"), diagnostics);
                }
                Some(earlier) => {
                    let words = format!("listen has both {earlier} and {address}; one covers the other, keep one");
                    section.report(at, words, diagnostics);
                }
                None => found.push(address),
            },
        }
    }
    found
}

/// Whether the system refuses to listen on both addresses.
fn covers(a: SocketAddr, b: SocketAddr) -> bool {
    let same_port = a.port() == b.port() && a.port() != 0;
    let everywhere = a.ip().is_unspecified() || b.ip().is_unspecified();
    same_port && (a.ip() == b.ip() || (a.is_ipv4() == b.is_ipv4() && everywhere))
}

fn listen_address(value: &DeValue<'_>) -> Result<SocketAddr, String> {
    let example = "write it like \"127.0.0.1:8080\", or \"0.0.0.0:8080\" for the whole network";
    let Some(text) = value.as_str() else {
        return Err(format!("listen is {}; {example}", kind(value)));
    };
    if let Ok(address) = text.parse::<SocketAddr>() {
        return if address.ip().is_multicast() {
            Err(format!("listen {text:?} is not an address of this machine; {example}"))
        } else {
            Ok(address)
        };
    }
    if !is_quotable(text) {
        return Err(format!("listen is not an address with a port; {example}"));
    }
    let advice = match text.rsplit_once(':') {
        _ if text.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4()) => "the port is missing",
        _ if text.parse::<IpAddr>().is_ok() => "brackets and port are missing, as in [::1]:8080",
        Some(("", _)) => "the address is missing",
        Some((_, port)) if port.parse::<u16>().is_err() => "a port is a number from 1 to 65535",
        Some((name, _)) if is_host_name(name) && name.parse::<f64>().is_err() => "names are not taken here",
        _ => "this is not an address with a port",
    };
    Err(format!("listen {text:?}: {advice}; {example}"))
}

#[cfg(test)]
mod tests {
    fn host(written: &str) -> Result<String, String> {
        super::host("ip", written)
    }

    #[test]
    fn addresses_and_names_are_taken_as_written() {
        for good in ["192.168.1.64", "fd00::20", "::1", "gate", "gate-1.example.org", "cam_2.local", "3com.local"] {
            assert_eq!(host(good).as_deref(), Ok(good));
        }
    }

    #[test]
    fn almost_an_ip_address_is_not_taken_for_a_name() {
        for bad in ["10.0.0.300", "10.0.0", "1", "10.0.0.0.1", "10.0.0.x.5"] {
            assert!(host(bad).unwrap_err().contains("is not an IP address; write it like 192.168.1.20"), "{bad}");
        }
    }

    #[test]
    fn leading_zeros_are_refused_with_the_right_address() {
        let wrong = host("192.168.001.064").unwrap_err();
        assert!(wrong.ends_with("write 192.168.1.64"), "{wrong}");
    }

    #[test]
    fn port_url_and_brackets_are_refused_with_their_own_advice() {
        assert!(host("10.0.0.1:8000").unwrap_err().contains("write \"10.0.0.1\", and onvif_port = 8000"));
        assert!(host("gate:81").unwrap_err().contains("write \"gate\", and onvif_port = 81"));
        assert!(host("http://10.0.0.1/").unwrap_err().contains("is a URL"));
        assert!(host("[fd00::1]").unwrap_err().contains("without them"));
        assert!(host("fe80::1%eth0").is_err());
        assert!(host("0.0.0.0").unwrap_err().contains("no particular machine"));
        assert!(host("239.255.255.250").unwrap_err().contains("many machines"));
        for bad in ["a b", "-gate", "gate-", "gate..x", "門", " 10.0.0.1", "10.0.0.1/24"] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn login_in_an_address_is_refused_and_not_shown() {
        let wrong = host("admin:hunter2@10.0.0.1").unwrap_err();
        assert!(wrong.contains("holds a login") && !wrong.contains("hunter2"), "{wrong}");
    }
}
