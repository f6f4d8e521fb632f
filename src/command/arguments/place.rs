//! Where a camera is, as it is typed.

use std::net::IpAddr;

use crate::camera::StreamUri;

/// The address of a stream, or a device; `None` for the place of a camera with ONVIF: a host, also behind `https://`.
pub fn stream_address(text: &str) -> Result<Option<StreamUri>, String> {
    let is_stream = match text.split_once("://") {
        Some(("https", rest)) => rest.contains('/'),
        Some(_) => true,
        None => text.starts_with('/'),
    };
    match (is_stream, StreamUri::split_any(text)) {
        (false, _) => Ok(None),
        (true, Some((uri, None))) => Ok(Some(uri)),
        // Other users see the arguments.
        (true, Some(_)) => Err("the login belongs into --username and --password-file, not into the address".into()),
        (true, None) => {
            Err("no address of a stream; write it as url in cameras.toml, like rtsp://10.0.0.1/live".into())
        }
    }
}

/// Splits `host`, `host:port`, `[v6]` or `[v6]:port`; an IPv6 address alone needs no brackets. The
/// port defaults to 80.
pub fn host_and_port(text: &str) -> Result<(String, u16), String> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok((text.to_owned(), 80));
    }
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').unwrap_or(rest))),
        None => text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let bad = || format!("{text:?} is not an address; write it like 192.168.1.64 or 192.168.1.64:8000");
    let port = port.map_or(Ok(80), |port| port.parse().map_err(|_| bad()))?;
    let odd = |c: char| c.is_whitespace() || "/?#@[]".contains(c);
    if host.is_empty() || host.contains(odd) || port == 0 { Err(bad()) } else { Ok((host.to_owned(), port)) }
}
