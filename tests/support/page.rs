//! A page as the agent sees it: one WebSocket, of the wall or of the old protocol.

use std::{net::TcpStream, sync::mpsc, thread, time::Instant};

use async_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};
use serde_json::{Value, json};
use smol::{Async, Timer, future::FutureExt, stream::StreamExt};

use super::PATIENCE;

pub struct Page(WebSocketStream<Async<TcpStream>>);

/// A message from the agent.
#[derive(Debug)]
pub enum Heard {
    Message(Value),
    /// Text of the old protocol, which is not JSON.
    Text(String),
    Picture {
        tile: u8,
        sequence: u32,
    },
    /// The agent closed the socket, for this reason.
    Closed(String),
}

impl Page {
    /// Opens `target` with the wall's subprotocol, which the old protocol ignores.
    pub fn open(address: &str, target: &str) -> Self {
        let mut request = format!("ws://{address}{target}").into_client_request().unwrap();
        if target == "/ws" {
            request.headers_mut().insert("sec-websocket-protocol", "cctv.wall.1".parse().unwrap());
        }
        let stream = Async::new(TcpStream::connect(address).unwrap()).unwrap();
        Self(in_time(client_async(request, stream)).unwrap().0)
    }

    /// A wall of these cameras, one tile each, in this order.
    pub fn wall(address: &str, cameras: &[&str]) -> Self {
        let mut page = Self::open(address, "/ws");
        let show = |(tile, camera): (usize, &&str)| json!({ "tile": tile, "camera": camera, "accept": ["jpeg"] });
        page.say(&json!({ "show": cameras.iter().enumerate().map(show).collect::<Vec<_>>() }));
        page
    }

    pub fn say(&mut self, value: &Value) {
        in_time(self.0.send(Message::text(value.to_string()))).unwrap();
    }

    /// Waits for the next message; a picture is reported as drawn at once.
    pub fn next(&mut self) -> Heard {
        loop {
            match in_time(self.0.next()).expect("a goodbye before the end").unwrap() {
                Message::Text(text) => {
                    return serde_json::from_str(&text).map_or_else(|_| Heard::Text(text.to_string()), Heard::Message);
                }
                Message::Binary(bytes) => {
                    let (tile, sequence) = (bytes[2], u32::from_le_bytes(bytes[4..8].try_into().unwrap()));
                    self.say(&json!({ "drawn": { tile.to_string(): sequence } }));
                    return Heard::Picture { tile, sequence };
                }
                Message::Close(frame) => {
                    return Heard::Closed(frame.map_or(String::new(), |frame| frame.reason.to_string()));
                }
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// Reads until a message of the agent `fits`.
    pub fn wait_for_message(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.until(what, |heard| match heard {
            Heard::Message(value) => fits(&value).then_some(value),
            Heard::Closed(why) => panic!("closed while waiting for {what}: {why}"),
            Heard::Text(_) | Heard::Picture { .. } => None,
        })
    }

    /// Reads up to the next picture of `tile`; returns its sequence number.
    pub fn picture(&mut self, tile: u8) -> u32 {
        self.until("a picture", |heard| match heard {
            Heard::Picture { tile: of, sequence } => (of == tile).then_some(sequence),
            Heard::Closed(why) => panic!("closed while waiting for a picture: {why}"),
            Heard::Message(_) | Heard::Text(_) => None,
        })
    }

    /// Reads up to the closing message; returns its reason.
    pub fn goodbye(&mut self) -> String {
        self.until("the goodbye", |heard| match heard {
            Heard::Closed(why) => Some(why),
            Heard::Message(_) | Heard::Text(_) | Heard::Picture { .. } => None,
        })
    }

    /// Reports every picture as drawn, in a thread of its own, until the receiver is dropped or the
    /// agent closes the socket; sends tile and sequence number.
    pub fn in_background(mut self) -> mpsc::Receiver<(u8, u32)> {
        let (sender, receiver) = mpsc::channel();
        let draw = move || loop {
            match self.next() {
                Heard::Picture { tile, sequence } if sender.send((tile, sequence)).is_err() => return,
                Heard::Closed(_) => return,
                Heard::Picture { .. } | Heard::Message(_) | Heard::Text(_) => {}
            }
        };
        thread::Builder::new().name("page".into()).spawn(draw).unwrap();
        receiver
    }

    /// Reads without a pause: the agent closes a page that does not keep up, before the page has
    /// read the closing message.
    fn until<T>(&mut self, what: &str, fits: impl Fn(Heard) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = fits(self.next()) {
                return found;
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}");
        }
    }
}

fn in_time<T>(work: impl Future<Output = T>) -> T {
    smol::block_on(async { Some(work.await) }.or(async {
        Timer::after(PATIENCE).await;
        None
    }))
    .expect("an answer in time")
}
