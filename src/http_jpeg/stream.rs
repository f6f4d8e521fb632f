//! Reads a Motion JPEG stream.

use std::time::Instant;

use super::{
    Config, Error,
    client::Client,
    multipart::{Item, Parts},
};
use crate::{media::Size, reactor, text};

/// What a camera sends.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A whole picture.
    Picture {
        jpeg: Vec<u8>,
        size: Size,
        /// When its last byte came.
        received_at: Instant,
    },
    /// A picture of which something is missing.
    Damaged { received_at: Instant },
}

/// Number of events after which other tasks get their turn.
const TURNS_AT_ONCE: u32 = 64;

/// Reads a Motion JPEG stream until it ends, and returns why it did. Each event is handed to `on_event` as
/// soon as its last byte has come. `name` is the camera's in the log.
pub async fn read(name: &str, config: Config, mut on_event: impl FnMut(Event)) -> Error {
    match read_parts(name, config, &mut on_event).await {
        Ok(()) => Error::EndedByCamera,
        Err(error) => error,
    }
}

async fn read_parts(name: &str, config: Config, on_event: &mut impl FnMut(Event)) -> Result<(), Error> {
    let mut answer = Client::new(name, config).get().await?;
    let (content_type, written) = answer.content_type();
    // Some servers do not say what they send.
    if !content_type.starts_with("multipart/") && !["", "application/octet-stream"].contains(&content_type.as_str()) {
        return Err(Error::WrongType { content_type: text::reason(&content_type) });
    }
    let mut parts = Parts::new(written);
    for turn in 1_u32.. {
        if turn.is_multiple_of(TURNS_AT_ONCE) {
            reactor::yield_now().await;
        }
        let Some((bytes, received_at)) = answer.body().await? else { break };
        parts.feed(&bytes);
        while let Some(item) = parts.next_item()? {
            match item {
                Item::Picture { jpeg, size } => on_event(Event::Picture { jpeg, size, received_at }),
                Item::Damaged => on_event(Event::Damaged { received_at }),
                Item::End => return Ok(()),
            }
        }
    }
    Err(Error::Closed)
}
