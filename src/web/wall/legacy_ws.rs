//! `/ws/<id>`: the old protocol, for pages written for the Python agent of 2019.
//!
//! A picture is a `data:` URL cut into pieces of at most 32 KiB: first `::N::`, then N messages
//! `~i~piece`, with i from 1 to N. Such pages store piece i at i - 1 and show the picture when i is
//! N. Of the messages that they send, only the requested resolution in `open` and `resize` is used.
//! The RTSP address in `open` is ignored: the path names the camera, and no page may make the agent
//! open an address.

use std::{io, time::Instant};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use smol::future::FutureExt;

use crate::web::{
    Web,
    admission::principal::Revocation,
    http::{query, timeout_socket::Socket},
    stream::{frame::Frame, jpeg_feed::Frames, wanted::Wanted},
    wall::{
        protocol,
        upgrade::{self, Accepted},
        ws_sender::{End, Keepalive, Outbox, Receiver},
    },
};

/// Characters of a piece, all ASCII, without its head `~i~`.
const PIECE: usize = 32 << 10;

/// Serves one page until either side closes the connection.
pub async fn serve(socket: Socket, web: &Web, wanted: Wanted, accepted: Accepted) -> io::Result<()> {
    let (sender, mut receiver) = upgrade::open(socket, &accepted, &web.limits).await?.split();
    let outbox = Outbox::new(sender);
    let revocation = Revocation::new(wanted.principal.clone(), &web.users);
    let revoked = async {
        revocation.revoked().await;
        End::Revoked
    };
    let end = revoked.or(stream(web, &wanted, &outbox, &mut receiver)).await;
    outbox.close(receiver, &end, web.limits.close_timeout).await;
    Ok(())
}

async fn stream(web: &Web, wanted: &Wanted, outbox: &Outbox, receiver: &mut Receiver) -> End {
    let mut rendition_request = wanted.rendition_request;
    enum Event {
        Frame(Frame),
        Text(Result<String, End>),
    }
    let mut frames = match Frames::new(web, wanted) {
        Ok(frames) => frames,
        Err(error) => {
            let key = error.setting();
            let why = format!("too many different sizes and qualities are watched; {key} below [limits] bounds them");
            return End::HeadReader(why);
        }
    };
    let mut keepalive = Keepalive::new(&web.limits, Instant::now());
    let mut errors = 0;
    loop {
        let event = async { Event::Text(keepalive.next_text(receiver, outbox).await) }
            .or(async { Event::Frame(frames.next().await) })
            .await;
        let sent = match event {
            Event::Frame(frame) if frame.jpeg.is_empty() => Ok(()),
            Event::Frame(frame) => match send(outbox, &frame).await {
                Ok(()) if frame.last => return End::HeadReader(frames.end().to_owned()),
                sent => sent,
            },
            Event::Text(Err(end)) => return end,
            Event::Text(Ok(text)) => {
                keepalive.note_command(Instant::now());
                let changed = resolution(&text).and_then(|size| {
                    rendition_request.size = size;
                    frames.change(rendition_request).map_err(|error| error.to_string())
                });
                match changed {
                    Ok(()) => Ok(()),
                    Err(_) if errors + 1 >= web.limits.bad_messages => {
                        return End::Misused("too many messages are wrong");
                    }
                    Err(wrong) => {
                        errors += 1;
                        // It begins with neither `::` nor `~`, so old pages ignore it.
                        outbox.text(protocol::error(&wrong)).await
                    }
                }
            }
        };
        if sent.is_err() {
            return End::Gone;
        }
    }
}

async fn send(outbox: &Outbox, frame: &Frame) -> Result<(), async_tungstenite::tungstenite::Error> {
    for text in messages(&frame.jpeg) {
        outbox.text(text).await?;
    }
    Ok(())
}

/// The messages that make up one picture.
fn messages(jpeg: &[u8]) -> Vec<String> {
    let url = format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(jpeg));
    let count = url.len().div_ceil(PIECE);
    let piece = |index: usize| &url[index * PIECE..url.len().min((index + 1) * PIECE)];
    let pieces = (0..count).map(|index| format!("~{}~{}", index + 1, piece(index)));
    std::iter::once(format!("::{count}::")).chain(pieces).collect()
}

/// The box that an `open` or `resize` requests; `[0,0]` is the camera's own size.
fn resolution(text: &str) -> Result<Option<crate::media::Size>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    match value.get("act").and_then(Value::as_str) {
        Some("open" | "resize") => {}
        _ => return Err("act must be \"resize\"".to_owned()),
    }
    let resolution = value.get("resolution").unwrap_or(&Value::Null);
    if resolution.is_null() || *resolution == serde_json::json!([0, 0]) {
        return Ok(None);
    }
    protocol::box_of(resolution).map(Some).ok_or_else(|| {
        format!("resolution must be [width,height], {} to {} each", query::SIDES.start(), query::SIDES.end())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Size;

    #[test]
    fn pieces_join_to_the_picture() {
        for length in [0, 1, 3 * PIECE / 4, 100_000] {
            let jpeg: Vec<u8> = (0..length).map(|i| (i * 7) as u8).collect();
            let messages = messages(&jpeg);
            assert_eq!(messages[0], format!("::{}::", messages.len() - 1));
            let mut joined = String::new();
            for (index, message) in messages[1..].iter().enumerate() {
                let piece = message.strip_prefix(&format!("~{}~", index + 1)).unwrap();
                assert!(!piece.is_empty() && piece.len() <= 32 * 1024);
                joined.push_str(piece);
            }
            let base64 = joined.strip_prefix("data:image/jpeg;base64,").unwrap();
            assert_eq!(BASE64_STANDARD.decode(base64).unwrap(), jpeg);
        }
    }

    #[test]
    fn resolution_is_read_from_what_old_pages_send() {
        let open = r#"{"act":"open","url":"rtsp://10.0.0.1/","resolution":[640,360]}"#;
        assert_eq!(resolution(open), Ok(Some(Size { width: 640, height: 360 })));
        assert_eq!(resolution(r#"{"act":"resize","resolution":[0,0]}"#), Ok(None));
        assert!(resolution(r#"{"act":"resize","resolution":[1]}"#).is_err());
        assert!(resolution(r#"{"act":"stop"}"#).is_err());
        assert!(resolution("x").is_err());
    }
}
