//! The camera's own video for a tile: every access unit as it came, while the socket takes it.
//!
//! A socket that takes less makes the seat's queue leave out units up to the next key frame; what the
//! page reports as drawn is not waited for. `fps` does not apply: units depend on each other.

use async_tungstenite::tungstenite::{Error, Message};
use smol::future::FutureExt;

use super::{Serving, Tile};
use crate::{
    hub::{Delivery, UnitSeat},
    web::message,
};

impl Tile {
    /// Passes on what `seat` is given until its camera is removed, or something else is to be sent.
    pub(super) async fn pass_on(&mut self, mut seat: UnitSeat) -> Result<(), Error> {
        let serving = self.serving(seat.lane());
        if serving == Serving::Nothing {
            let text = format!("tile {}: {} cannot be shown; accept must hold jpeg", self.number, self.camera);
            self.outbox.text(message::error(&text)).await?;
        }
        let outbox = self.outbox.clone();
        loop {
            let ordered = async {
                self.orders.changed().await;
                true
            };
            let ready = async {
                seat.ready().await;
                false
            };
            let is_order = ordered.or(ready).await;
            if is_order && self.serving(seat.lane()) != serving {
                return Ok(());
            }
            let mut sender = outbox.lock().await;
            // Taken only now that it can be sent: what was waiting may have been withdrawn meanwhile.
            match seat.take() {
                Some(Delivery::News(standing)) => {
                    if let Some(text) = self.news(seat.lane(), &standing) {
                        sender.send(Message::text(text)).await?;
                    }
                    if self.serving(seat.lane()) != serving {
                        return Ok(());
                    }
                }
                Some(Delivery::Unit(taken)) => {
                    if let Serving::Units(codec) = serving {
                        sender.send(Message::binary(message::unit(self.number, codec, &taken))).await?;
                    }
                }
                Some(Delivery::Closed) => return Ok(()),
                None => {}
            }
        }
    }
}
