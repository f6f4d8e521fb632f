//! `/api/cameras/<id>/past`: the last seconds of a camera, for the page that looks back.

use std::time::{Duration, Instant};

use http_types::Url;
use serde_json::json;

use crate::hub::{Channel, QueuedUnit};
use crate::web::{
    http::response::Response,
    stream::frame::unix_now,
    wall::protocol::{unit_header, video},
};

/// How far back, if nobody says; and at most. More is never kept.
const USUAL_SECONDS: u64 = 30;
const MAX_SECONDS: u64 = 300;

/// The units of the last seconds, each with its length in 4 bytes, little endian, and the header of a frame of the
/// wall socket. The header `X-Video` says what a decoder needs, and when it was sent.
pub fn response(channel: &Channel, url: &Url) -> Response {
    let given = url.query_pairs().find(|(name, _)| name == "seconds").map(|(_, value)| value.parse::<u64>());
    let seconds = match given {
        None => USUAL_SECONDS,
        Some(Ok(seconds @ 1..=MAX_SECONDS)) => seconds,
        Some(_) => return Response::error(400, format!("seconds must be a whole number from 1 to {MAX_SECONDS}")),
    };
    let Some((stream, units)) = channel.past(Duration::from_secs(seconds), Instant::now()) else {
        let words =
            "nothing is kept of this camera; set look_back in [limits] of cameras.toml, or wait for its next key frame";
        return Response::error(404, words);
    };
    let mut body = Vec::with_capacity(units.iter().map(|unit| unit.data.len() + 20).sum());
    for unit in units {
        let header = unit_header(0, stream.codec, &QueuedUnit { unit: unit.clone(), after_gap: false });
        // A unit has at most some MiB.
        let length = u32::try_from(header.len() + unit.data.len()).unwrap_or(u32::MAX);
        body.extend_from_slice(&length.to_le_bytes());
        body.extend_from_slice(&header);
        body.extend_from_slice(&unit.data);
    }
    let mut described = video(stream);
    described["now"] = json!(unix_now() / 1000);
    Response::new(200, "application/octet-stream", body)
        .header("Cache-Control", "no-store")
        .header("X-Video", described.to_string())
}
