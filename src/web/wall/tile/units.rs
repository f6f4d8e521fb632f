//! The camera's own video for a tile: every access unit unchanged, as fast as the socket takes it.
//!
//! If the socket is slower, the subscription's queue drops units up to the next key frame. The tile
//! does not wait for the page's reports of what it drew. `fps` does not apply, because units depend
//! on each other.

use std::sync::Arc;

use async_tungstenite::tungstenite::{Error, Message};
use smol::future::FutureExt;

use super::{Tile, TileFormat};
use crate::{
    hub::{UnitEvent, UnitView},
    web::wall::{protocol, ws_sender},
};

impl Tile {
    /// Sends what `view` delivers until its camera is removed or the tile's request changes.
    pub(super) async fn pass_on(&mut self, mut view: UnitView) -> Result<(), Error> {
        let mut stream = Arc::clone(view.stream());
        let mut serving = self.serving(&stream);
        if serving == TileFormat::Nothing {
            let text = format!("tile {}: {} cannot be shown; accept must hold jpeg", self.number, self.camera);
            self.outbox.text(protocol::error(&text)).await?;
        }
        let outbox = self.outbox.clone();
        loop {
            let ordered = async {
                self.request.changed().await;
                true
            };
            let ready = async {
                view.ready().await;
                false
            };
            if ordered.or(ready).await {
                view.change(self.request.read().rendition_request);
                if self.serving(view.stream()) != serving {
                    return Ok(());
                }
            }
            // The other stream must be shown from now on, but not untouched.
            if view.awaited().is_some_and(|stream| stream.is_live() && self.serving(stream) == TileFormat::Pictures) {
                return Ok(());
            }
            let mut sender = outbox.lock().await;
            // Taken only now that it can be sent: a waiting unit may have been withdrawn meanwhile.
            match view.take() {
                Some(UnitEvent::StateChange(condition)) => {
                    if let Some(text) = self.news(view.stream(), &condition) {
                        sender.send(Message::text(text)).await?;
                    }
                    let now = self.serving(view.stream());
                    // The view has switched to the key frame of another stream and continues here;
                    // a new subscription would start with what precedes that frame.
                    let is_other = !Arc::ptr_eq(&stream, view.stream());
                    if now != serving && !(is_other && matches!(now, TileFormat::Units(_))) {
                        return Ok(());
                    }
                    serving = now;
                    stream = Arc::clone(view.stream());
                }
                Some(UnitEvent::Unit(taken)) => {
                    if let TileFormat::Units(codec) = serving {
                        let header = protocol::unit_header(self.number, codec, &taken);
                        ws_sender::send_binary(&mut sender, &header, taken.unit.data).await?;
                    }
                }
                Some(UnitEvent::Closed) => return Ok(()),
                None => {}
            }
        }
    }
}
