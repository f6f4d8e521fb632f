//! One tile of a wall socket: takes pictures from its camera's lane and sends each when the page has
//! drawn the one before.
//!
//! A tile holds one picture at most. While the page is busy, or the socket is, newer ones replace it, so
//! what is sent is always the newest there is.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_tungstenite::tungstenite::{Error, Message};
use smol::{
    Timer,
    channel::{Receiver, Sender, bounded},
    future::{self, FutureExt},
};

use super::{frames::REMOVED, message, outbox::Outbox, pace::Pace};
use crate::{
    camera::State,
    hub::{Hub, Lane, Seat, Shown, Standing},
    media::{Picture, Wish},
};

/// What the page wants of a tile, as last heard; the newest order wins.
pub struct Orders {
    inner: Mutex<Wanted>,
    bell: (Sender<()>, Receiver<()>),
}

#[derive(Clone, Copy)]
struct Wanted {
    wish: Wish,
    drawn: Option<u32>,
}

impl Orders {
    pub fn new(wish: Wish) -> Arc<Self> {
        Arc::new(Self { inner: Mutex::new(Wanted { wish, drawn: None }), bell: bounded(1) })
    }

    pub fn show(&self, wish: Wish) {
        self.change(|wanted| wanted.wish = wish);
    }

    pub fn drawn(&self, sequence: u32) {
        self.change(|wanted| wanted.drawn = Some(sequence));
    }

    /// Look again: the cameras on the wall changed.
    pub fn look(&self) {
        let _ = self.bell.0.force_send(());
    }

    fn change(&self, change: impl FnOnce(&mut Wanted)) {
        change(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner));
        let _ = self.bell.0.force_send(());
    }

    fn read(&self) -> Wanted {
        *self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next change.
    async fn changed(&self) {
        // The sender lives in the same struct: this cannot fail.
        let _rung = self.bell.1.recv().await;
    }
}

/// A tile at work; runs until the socket breaks or it is dropped.
pub struct Tile {
    pub number: u8,
    pub camera: String,
    pub hub: Arc<Hub>,
    pub outbox: Outbox,
    pub orders: Arc<Orders>,
    /// Without a `drawn`, the next picture is sent after this.
    pub drawn_limit: Duration,
    /// Pause before asking again for a rendition that was refused.
    pub refused_pause: Duration,
    /// The state message the page has seen last.
    pub told: String,
    pub pace: Pace,
}

/// A picture that was sent and maybe not drawn yet.
#[derive(Clone, Copy)]
struct Sent {
    sequence: u32,
    at: Instant,
    /// What the seat had skipped by then.
    skipped: u64,
}

impl Tile {
    pub async fn run(mut self) -> Result<(), Error> {
        let mut why = "not in cameras.toml";
        loop {
            let Some(lane) = self.hub.lane(&self.camera) else {
                let text = message::unknown(self.number, &self.camera, why);
                if text != self.told {
                    self.told.clone_from(&text);
                    self.outbox.text(text).await?;
                }
                self.orders.changed().await;
                continue;
            };
            match lane.sit(self.orders.read().wish) {
                Ok(seat) => {
                    self.watch(seat).await?;
                    why = REMOVED;
                }
                Err(error) => {
                    let standing = Standing { state: State::Connecting, why: error.to_string() };
                    if let Some(text) = self.news(&lane, &standing) {
                        self.outbox.text(text).await?;
                    }
                    let pause = self.refused_pause;
                    let again = async {
                        Timer::after(pause).await;
                    };
                    self.orders.changed().or(again).await;
                }
            }
        }
    }

    /// Sends what `seat` shows until its camera is removed.
    async fn watch(&mut self, mut seat: Seat) -> Result<(), Error> {
        enum Event {
            Ordered,
            Shown(Shown),
            Due,
        }
        let mut wish = self.orders.read().wish;
        let mut held = None;
        let mut sent: Option<Sent> = None;
        loop {
            // When the held picture may go: at once, or when the one before is not reported for too long.
            let due = held.as_ref().map(|_| match sent {
                Some(sent) if !self.is_drawn(sent) => sent.at + self.drawn_limit,
                _ => Instant::now(),
            });
            if due.is_some_and(|due| due <= Instant::now()) {
                sent = self.deliver(&mut seat, &mut held, sent).await?.or(sent);
                continue;
            }
            let event = async {
                self.orders.changed().await;
                Event::Ordered
            }
            .or(async { Event::Shown(seat.next().await) })
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
                    let wanted = self.orders.read().wish;
                    if wanted != wish {
                        // Refused or not, it is not tried again at every bell; refused, the old one stands.
                        wish = wanted;
                        if let Err(error) = seat.change(wanted) {
                            let text = format!("tile {}: {error}", self.number);
                            self.outbox.text(message::error(&text)).await?;
                        }
                    }
                }
                Event::Shown(Shown::Closed) => return Ok(()),
                Event::Shown(shown) => {
                    if let Some(text) = self.absorb(&seat, shown, &mut held) {
                        self.outbox.text(text).await?;
                    }
                }
                Event::Due => {}
            }
        }
    }

    /// Waits for the socket to be free and sends the newest picture there is by then.
    async fn deliver(
        &mut self,
        seat: &mut Seat,
        held: &mut Option<Arc<Picture>>,
        before: Option<Sent>,
    ) -> Result<Option<Sent>, Error> {
        let outbox = self.outbox.clone();
        let mut sender = outbox.lock().await;
        // Others may have held the socket for long: a newer picture may be there, or none be live.
        while let Some(shown) = future::poll_once(seat.next()).await {
            if matches!(shown, Shown::Closed) {
                *held = None;
                break;
            }
            if let Some(text) = self.absorb(seat, shown, held) {
                sender.send(Message::text(text)).await?;
            }
        }
        let Some(picture) = held.take() else { return Ok(None) };
        let skipped = seat.skipped();
        let some_skipped = before.is_some_and(|before| before.skipped != skipped);
        sender.send(Message::binary(message::frame(self.number, &picture, some_skipped))).await?;
        Ok(Some(Sent { sequence: picture.sequence, at: Instant::now(), skipped }))
    }

    /// Holds a picture, or lets go of it when the camera is not live any more. Returns what the page is
    /// to be told.
    fn absorb(&mut self, seat: &Seat, shown: Shown, held: &mut Option<Arc<Picture>>) -> Option<String> {
        match shown {
            // Not skipped, just not asked for.
            Shown::Picture(picture)
                if !self.pace.allows(self.orders.read().wish, picture.rendition, Instant::now()) =>
            {
                None
            }
            Shown::Picture(picture) => {
                if held.replace(picture).is_some() {
                    seat.note_skipped();
                }
                None
            }
            Shown::News(standing) => {
                // Even if it is live by now, it may have been gone since the held picture was taken.
                *held = None;
                self.news(seat.lane(), &standing)
            }
            Shown::Closed => None,
        }
    }

    /// The state message, unless the page was told exactly that before.
    fn news(&mut self, lane: &Lane, standing: &Standing) -> Option<String> {
        let text = message::state(self.number, &self.camera, &lane.name(), standing, lane.stream());
        if text == self.told {
            return None;
        }
        self.told.clone_from(&text);
        Some(text)
    }

    /// Whether the page has drawn `sent`. Sequences count on from 0 after 2^32 pictures, five years at
    /// 25 per second, so they are compared by their distance.
    fn is_drawn(&self, sent: Sent) -> bool {
        self.orders.read().drawn.is_some_and(|drawn| drawn.wrapping_sub(sent.sequence) as i32 >= 0)
    }
}
