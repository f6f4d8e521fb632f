//! Who may open a WebSocket. Browsers let any page in the world open one to any address; only the page
//! that came from here may.
//!
//! Two checks: the page's origin must be the very host and port the socket is opened to, and that host
//! must be one of our own names. The second is needed because a stranger's domain can be made to point
//! at this machine (DNS rebinding), after which its pages pass the first.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A host without brackets, in lower case, and its port where one is written.
#[derive(Debug, PartialEq)]
struct Authority {
    host: String,
    port: Option<u16>,
}

/// Checks the headers of an upgrade request; `names` are this machine's own.
///
/// # Errors
/// What is wrong, in words.
pub fn check(host: Option<&str>, origin: Option<&str>, names: &[String]) -> Result<(), String> {
    let host = host.and_then(authority).ok_or("the Host header is missing or not understood")?;
    if !is_ours(&host.host, names) {
        return Err(format!("{:?} is not a name of this machine; use its IP address", host.host));
    }
    // Programs other than browsers send no origin, and could send any.
    let Some(origin) = origin else { return Ok(()) };
    let foreign = || format!("pages from {origin:?} may not open sockets here");
    let (scheme, rest) = origin.split_once("://").ok_or_else(foreign)?;
    let usual = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return Err(foreign()),
    };
    let page = authority(rest).ok_or_else(foreign)?;
    // A Host without a port means the usual one of the scheme the page came by.
    let same = page.host == host.host && page.port.unwrap_or(usual) == host.port.unwrap_or(usual);
    if same { Ok(()) } else { Err(foreign()) }
}

fn is_ours(host: &str, names: &[String]) -> bool {
    let literal = host.parse::<Ipv4Addr>().is_ok() || host.parse::<Ipv6Addr>().is_ok();
    literal || host == "localhost" || names.iter().any(|name| name.eq_ignore_ascii_case(host))
}

fn authority(text: &str) -> Option<Authority> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, port)
        }
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(port) => Some(port.parse().ok()?),
        None if port.is_empty() => None,
        None => return None,
    };
    (!host.is_empty()).then(|| Authority { host: host.to_ascii_lowercase(), port })
}

/// The machine's own name, alone and as multicast DNS knows it; empty where the kernel has none.
pub fn own_names() -> Vec<String> {
    // One small read from the kernel's memory, at start only.
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" | "(none)" => Vec::new(),
        name => vec![name.to_owned(), format!("{name}.local")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(host: &str, origin: Option<&str>) -> bool {
        check(Some(host), origin, &["terminal".to_owned()]).is_ok()
    }

    #[test]
    fn own_page_is_let_in() {
        assert!(allowed("10.0.0.5:8080", Some("http://10.0.0.5:8080")));
        assert!(allowed("10.0.0.5", Some("http://10.0.0.5")));
        assert!(allowed("localhost:8080", Some("http://LOCALHOST:8080")));
        assert!(allowed("[::1]:8080", Some("http://[::1]:8080")));
        assert!(allowed("Terminal", Some("https://terminal")), "behind a proxy that speaks TLS");
        assert!(allowed("terminal:80", Some("http://terminal")));
    }

    #[test]
    fn programs_without_an_origin_are_let_in() {
        assert!(allowed("127.0.0.1:8080", None));
    }

    #[test]
    fn foreign_pages_are_refused() {
        for origin in
            ["http://evil.example", "http://10.0.0.5:81", "null", "file://", "http://10.0.0.5:8080.evil.example"]
        {
            assert!(!allowed("10.0.0.5:8080", Some(origin)), "{origin}");
        }
        assert!(!allowed("10.0.0.5", Some("https://10.0.0.5:80")));
    }

    #[test]
    fn foreign_names_for_this_machine_are_refused() {
        for host in ["evil.example:8080", "terminal.evil.example", "127.0.0.1.evil.example", "", ":80", "[::1", "[x]:1"]
        {
            assert!(!allowed(host, None), "{host}");
            assert!(!allowed(host, Some(&format!("http://{host}"))), "{host}");
        }
        assert!(check(None, None, &[]).is_err());
    }
}
