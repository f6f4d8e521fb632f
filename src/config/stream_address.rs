//! The address of a camera that is not asked by ONVIF: its stream, or one JPEG.

use std::time::Duration;

use super::{diagnostics::Diagnostics, key::Row, keys, section::Section};
use crate::camera::{Reader, Source, StreamUri};

/// Returns the stream of `url` and the login that it contained, still percent-encoded.
pub(super) fn from_url(
    section: &Section<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> (Option<Source>, Option<(String, String)>) {
    let is_of_template = |key: &dyn Row| key.name() == keys::IP.name && section.key_at(&keys::TEMPLATE).is_some();
    refuse_beside_url(section, &is_of_template, diagnostics);
    let Some(written) = section.text(&keys::URL, diagnostics) else {
        return (None, None);
    };
    match stream_uri(&written.value, keys::URL.name) {
        Ok((uri, login)) => {
            if !uri.is_rtsp() {
                refuse_transport(section, &uri, diagnostics);
            }
            (Some(Source::Url(uri)), login)
        }
        Err(wrong) => {
            section.report(written.at, wrong, diagnostics);
            (None, None)
        }
    }
}

/// As [`from_url`], of the address of a JPEG.
pub(super) fn from_snapshot_url(
    section: &Section<'_>,
    diagnostics: &mut Diagnostics<'_>,
) -> (Option<Source>, Option<(String, String)>) {
    let name = keys::SNAPSHOT_URL.name;
    let beside: Vec<&dyn Row> = keys::ONVIF_ROWS.iter().copied().chain([&keys::URL as &dyn Row]).collect();
    refuse_beside(name, &beside, section, diagnostics);
    refuse_of_rtsp(section, &[&keys::TRANSPORT, &keys::READER], diagnostics);
    let Some(written) = section.text(&keys::SNAPSHOT_URL, diagnostics) else {
        return (None, None);
    };
    match stream_uri(&written.value, name) {
        Ok((uri, login)) if uri.is_http() => (Some(Source::Url(uri)), login),
        _ => {
            let words = "snapshot_url is not an address of HTTP; write it like \"http://192.168.1.20/snapshot.jpg\", and \
                         give username and password as keys of their own";
            section.report(written.at, words, diagnostics);
            (None, None)
        }
    }
}

/// Complains of a time between two pictures after which the first one is too old.
pub(super) fn check_every(
    section: &Section<'_>,
    every: Duration,
    stall_after: Duration,
    diagnostics: &mut Diagnostics<'_>,
) {
    if every * 2 <= stall_after {
        return;
    }
    let at = section.key_at(&keys::EVERY).unwrap_or(section.at);
    let (every, stall_after) = (every.as_secs_f64(), stall_after.as_secs_f64());
    let words = format!(
        "every is {every} s, and stall_after, {stall_after} s, is less than twice that; write stall_after = {}",
        2.0 * every
    );
    section.report(at, words, diagnostics);
}

/// Complains of the keys of ONVIF, unless they `may` stand beside an address.
pub(super) fn refuse_beside_url(
    section: &Section<'_>,
    may: &dyn Fn(&dyn Row) -> bool,
    diagnostics: &mut Diagnostics<'_>,
) {
    let rows: Vec<&dyn Row> = keys::ONVIF_ROWS.iter().copied().filter(|key| !may(*key)).collect();
    refuse_beside(keys::URL.name, &rows, section, diagnostics);
}

/// Complains of each of `rows` that stands beside the address `name`.
fn refuse_beside(name: &str, rows: &[&dyn Row], section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) {
    for key in rows {
        if let Some(at) = section.key_at(*key) {
            let words =
                format!("{} means nothing next to {name}, which is opened as it is; remove one of them", key.name());
            section.report(at, words, diagnostics);
        }
    }
}

/// An address, and the login that it contained, still percent-encoded.
pub(super) type WithLogin = (StreamUri, Option<(String, String)>);

/// Reads the value `text` of `key`.
pub(super) fn stream_uri(text: &str, key: &str) -> Result<WithLogin, String> {
    let right = "write it like \"rtsp://192.168.1.20/live\", and give username and password as keys of their own";
    let printable = !text.chars().any(|c| c.is_control() || c.is_whitespace());
    let split = StreamUri::split_any(text).filter(|_| printable);
    split.ok_or_else(|| match text.starts_with("/dev/") {
        true => format!(
            "{key} is not a camera at this machine; write it like \"/dev/video0\", or \
             \"/dev/video0?size=1280x720&fps=15\""
        ),
        false => format!("{key} is not an address of RTSP, HTTP or RTMP; {right}"),
    })
}

/// Complains of the transport of RTP where there is no RTP.
fn refuse_transport(section: &Section<'_>, uri: &StreamUri, diagnostics: &mut Diagnostics<'_>) {
    if !uri.needs_opencv() {
        return refuse_of_rtsp(section, &[&keys::TRANSPORT], diagnostics);
    }
    if let Some(at) = section.key_at(&keys::TRANSPORT) {
        section.report(
            at,
            "transport means nothing for HLS and RTMP, which go over TCP, and for a camera at this machine; remove it",
            diagnostics,
        );
    }
}

/// Complains of a reader that cannot read the address, or has nothing to choose.
pub(super) fn check_reader(section: &Section<'_>, source: &Source, reader: Reader, diagnostics: &mut Diagnostics<'_>) {
    let (Source::Url(uri), Some(at)) = (source, section.key_at(&keys::READER)) else { return };
    let words = match reader {
        _ if section.key_at(&keys::SNAPSHOT_URL).is_some() => return,
        Reader::Rtsp if uri.needs_opencv() => {
            "reader = \"rtsp\" reads no HLS, no RTMP and no camera at this machine; remove it, and OpenCV does"
        }
        Reader::Rtsp | Reader::Auto if uri.is_http() && !uri.is_hls() => {
            "reader means nothing for JPEG over HTTP, which the agent reads itself; remove it, or write reader = \
             \"opencv\" for other video over HTTP"
        }
        _ => return,
    };
    section.report(at, words, diagnostics);
}

/// Complains of `rows` about RTSP, for JPEG over HTTP.
fn refuse_of_rtsp(section: &Section<'_>, rows: &[&dyn Row], diagnostics: &mut Diagnostics<'_>) {
    for key in rows {
        if let Some(at) = section.key_at(*key) {
            let words =
                format!("{} means nothing for JPEG over HTTP, which the agent reads itself; remove it", key.name());
            section.report(at, words, diagnostics);
        }
    }
}
