//! JPEGs for a tile. Each is sent after the page has drawn the one before.
//!
//! A tile holds one picture at most. While the page or the socket is busy, newer pictures replace
//! it, so the one sent is always the newest.

use std::{sync::Arc, time::Instant};

use async_tungstenite::tungstenite::{Error, Message};
use smol::{
    Timer,
    future::{self, FutureExt},
};

use super::{Tile, TileFormat};
use crate::{
    hub::{View, ViewEvent},
    media::{Picture, RenditionRequest},
    web::wall::{protocol, ws_sender},
};

/// A picture that was sent and may not be drawn yet.
#[derive(Clone, Copy)]
struct Sent {
    sequence: u32,
    at: Instant,
    /// Number of pictures that the subscription had skipped by then.
    skipped: u64,
}

impl Tile {
    /// Sends what `view` shows until its camera is removed or the tile's request changes.
    pub(super) async fn watch(&mut self, mut view: View, mut rendition_request: RenditionRequest) -> Result<(), Error> {
        enum Event {
            Ordered,
            ViewEvent(ViewEvent),
            Due,
        }
        let mut held = None;
        let mut sent: Option<Sent> = None;
        loop {
            // When the held picture may be sent: at once, or when the report on the one before is
            // overdue.
            let due = held.as_ref().map(|_| match sent {
                Some(sent) if !self.is_drawn(sent) => sent.at + self.drawn_limit,
                _ => Instant::now(),
            });
            if due.is_some_and(|due| due <= Instant::now()) {
                sent = self.deliver(&mut view, &mut held, sent).await?.or(sent);
                continue;
            }
            let event = async {
                self.request.changed().await;
                Event::Ordered
            }
            .or(async { Event::ViewEvent(view.next().await) })
            .or(async {
                match due {
                    Some(due) => Timer::at(due).await,
                    None => future::pending().await,
                };
                Event::Due
            })
            .await;
            match event {
                Event::Ordered => {
                    if self.serving(view.stream()) != TileFormat::Pictures {
                        return Ok(());
                    }
                    let wanted = self.request.read().rendition_request;
                    if wanted != rendition_request {
                        // Whether refused or not, it is not tried again at every notification; if
                        // refused, the old one stays.
                        rendition_request = wanted;
                        if let Err(error) = view.change(wanted) {
                            let text = format!("tile {}: {error}", self.number);
                            self.outbox.text(protocol::error(&text)).await?;
                        }
                    }
                }
                Event::ViewEvent(ViewEvent::Closed) => return Ok(()),
                Event::ViewEvent(shown) => {
                    if let Some(text) = self.absorb(&view, shown, &mut held) {
                        self.outbox.text(text).await?;
                    }
                    if self.serving(view.stream()) != TileFormat::Pictures {
                        return Ok(());
                    }
                }
                Event::Due => {}
            }
        }
    }

    /// Waits until the socket is free and sends the newest picture at that time.
    async fn deliver(
        &mut self,
        view: &mut View,
        held: &mut Option<Arc<Picture>>,
        before: Option<Sent>,
    ) -> Result<Option<Sent>, Error> {
        let outbox = self.outbox.clone();
        let mut sender = outbox.lock().await;
        // Other tiles may have held the socket for long: there may be a newer picture, or none is
        // live.
        while let Some(shown) = future::poll_once(view.next()).await {
            if matches!(shown, ViewEvent::Closed) {
                *held = None;
                break;
            }
            if let Some(text) = self.absorb(view, shown, held) {
                sender.send(Message::text(text)).await?;
            }
        }
        let Some(picture) = held.take() else { return Ok(None) };
        let skipped = view.skipped();
        let some_skipped = before.is_some_and(|before| before.skipped != skipped);
        let header = protocol::picture_header(self.number, &picture, some_skipped);
        ws_sender::send_binary(&mut sender, &header, picture.jpeg.clone()).await?;
        Ok(Some(Sent { sequence: picture.sequence, at: Instant::now(), skipped }))
    }

    /// Holds a picture, or drops the held one when the camera is no longer live. Returns the
    /// message for the page, if any.
    fn absorb(&mut self, view: &View, shown: ViewEvent, held: &mut Option<Arc<Picture>>) -> Option<String> {
        match shown {
            // Not skipped; it was not requested.
            ViewEvent::Picture(picture)
                if !self.pace.allows(self.request.read().rendition_request, picture.rendition, Instant::now()) =>
            {
                None
            }
            ViewEvent::Picture(picture) => {
                if held.replace(picture).is_some() {
                    view.note_skipped();
                }
                None
            }
            ViewEvent::StateChange(condition) => {
                // Even if the camera is live by now, it may have been away since the held picture
                // was received.
                *held = None;
                self.news(view.stream(), &condition)
            }
            ViewEvent::Closed => None,
        }
    }

    /// Whether the page has drawn `sent`. Sequence numbers wrap to 0 after 2^32 pictures, five
    /// years at 25 per second, so they are compared by their distance.
    fn is_drawn(&self, sent: Sent) -> bool {
        self.request.read().drawn.is_some_and(|drawn| drawn.wrapping_sub(sent.sequence) as i32 >= 0)
    }
}
