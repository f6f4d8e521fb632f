//! The URLs of a session, made from the stream's address, the DESCRIBE response and the controls of
//! its description.
//!
//! URLs are text: controls are appended as cameras expect it, not as RFC 3986 joins references, and
//! nothing is escaped, sorted or normalised. A camera's URLs stand in request lines only; the
//! client never connects to a host that they name.

use std::net::Ipv6Addr;

use crate::camera::{MAX_STREAM_URI_LEN, StreamUri};

/// Where to send the requests of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct Urls {
    /// For PLAY, keepalives and TEARDOWN.
    pub session: String,
    /// For SETUP.
    pub track: String,
}

/// The URL of the stream `uri` in requests: the scheme does not say the transport, and nothing asks
/// for SRTP (UniFi Protect offers `?enableSrtp`).
pub fn of_stream(uri: &StreamUri) -> String {
    let (scheme, rest) = uri.as_str().split_once("://").unwrap_or(("rtsp", uri.as_str()));
    let scheme = if scheme == "rtsps" { "rtsps" } else { "rtsp" };
    format!("{scheme}://{}", rest.strip_suffix("?enableSrtp").unwrap_or(rest))
}

/// What a DESCRIBE response says about URLs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Described<'a> {
    pub content_base: Option<&'a str>,
    pub content_location: Option<&'a str>,
    /// `a=control` of the session level.
    pub session_control: Option<&'a str>,
    /// `a=control` of the track.
    pub track_control: Option<&'a str>,
}

/// The URLs of the session that was described at the URL `asked`.
pub fn resolve(asked: &str, described: Described<'_>) -> Urls {
    let base = [described.content_base, described.content_location].into_iter().flatten();
    let base = base.filter_map(|base| repaired(base, asked)).next().unwrap_or_else(|| asked.to_owned());
    let control = |text: Option<&str>, of: &str| match text.map(str::trim) {
        None | Some("" | "*") => of.to_owned(),
        Some(text) if is_absolute(text) => repaired(text, asked).unwrap_or_else(|| of.to_owned()),
        Some(text) if is_sendable(text) => join(&base, text),
        Some(_) => of.to_owned(),
    };
    let session = control(described.session_control, &base);
    let track = control(described.track_control, &session);
    Urls { session, track }
}

/// `url` with the authority of `asked` in place of its own. `None`: it is that already.
pub fn with_authority_of(url: &str, asked: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let path = &rest[authority_len(rest)..];
    let authority = authority(asked);
    let changed = format!("{scheme}://{authority}{path}");
    (changed != url).then_some(changed)
}

/// `a=control` appended to `base`: the control may belong behind the query of `base`, and may bring
/// its own separator.
fn join(base: &str, control: &str) -> String {
    let separator = if base.ends_with('/') || control.starts_with(['/', '?']) { "" } else { "/" };
    let joined = format!("{base}{separator}{control}");
    if joined.len() <= MAX_STREAM_URI_LEN { joined } else { base.to_owned() }
}

fn is_absolute(text: &str) -> bool {
    let has_scheme = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    has_scheme("rtsp://") || has_scheme("rtsps://")
}

/// A URL that a camera wrote, made usable: a scheme written twice or not at all, the path alone, a
/// login, an IPv6 address without brackets. `None`: nothing can be made of it.
fn repaired(written: &str, asked: &str) -> Option<String> {
    let written = written.trim();
    if written.is_empty() || !is_sendable(written) {
        return None;
    }
    let (scheme, _) = asked.split_once("://")?;
    if written.starts_with('/') && !written.starts_with("//") {
        return Some(format!("{scheme}://{}{written}", authority(asked)));
    }
    let (scheme, rest) = match written.split_once("://") {
        Some((first, rest)) if is_absolute(rest) => (first, rest.split_once("://").map_or(rest, |(_, rest)| rest)),
        Some(split) => split,
        None => (scheme, written.trim_start_matches('/')),
    };
    if !scheme.eq_ignore_ascii_case("rtsp") && !scheme.eq_ignore_ascii_case("rtsps") {
        return None;
    }
    let (own, path) = rest.split_at(authority_len(rest));
    // A login ends at the last `@`. It is never sent in a URL.
    let own = own.rsplit_once('@').map_or(own, |(_, host)| host);
    let host = match own {
        own if !is_host(own) => authority(asked).to_owned(),
        own if own.split('%').next().is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok()) => format!("[{own}]"),
        own => own.to_owned(),
    };
    Some(format!("{scheme}://{host}{path}"))
}

/// Whether `authority` can be read as host and port.
fn is_host(authority: &str) -> bool {
    let is_named = |c: char| c.is_alphanumeric() || ".-_:[]%~".contains(c);
    authority.chars().all(is_named) && crate::uri::split_authority(authority).is_some_and(|(host, _)| !host.is_empty())
}

/// Whether `text` can stand in a request line.
fn is_sendable(text: &str) -> bool {
    text.len() <= MAX_STREAM_URI_LEN && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    &rest[..authority_len(rest)]
}

fn authority_len(rest: &str) -> usize {
    rest.find(['/', '?', '#']).unwrap_or(rest.len())
}
