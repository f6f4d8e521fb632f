//! The sending half of a WebSocket, shared by its tasks, and what all WebSockets have in common:
//! pings, detection of silent viewers, the pace at which messages are read, and the close.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use async_tungstenite::{
    WebSocketReceiver, WebSocketSender,
    tungstenite::{
        Bytes, Error, Message,
        protocol::{
            CloseFrame,
            frame::{
                Frame,
                coding::{CloseCode, Data, OpCode},
            },
        },
    },
};
use futures_sink::Sink;
use smol::{
    Timer,
    future::FutureExt,
    lock::{Mutex, MutexGuard},
    stream::StreamExt,
};

use crate::time::timeout;
use crate::web::{
    admission::principal::Revocation, http::timeout_socket::Socket, limits::Limits, wall::message_pace::MessagePace,
};

/// A close frame holds 125 bytes, two of which are its code (RFC 6455 5.5).
const MAX_REASON_LEN: usize = 123;

pub type Receiver = WebSocketReceiver<Socket>;

/// The holder of the lock may send; the [`Socket`] below applies the timeout to each write.
#[derive(Clone)]
pub struct Outbox(Arc<Mutex<WebSocketSender<Socket>>>);

/// Why a WebSocket ends.
#[derive(Debug)]
pub enum End {
    /// The viewer closed it, or the connection broke.
    Gone,
    /// Nothing was received from the viewer for too long.
    Silent,
    /// Nothing more will come, for this reason: the agent stops, the address is no longer served,
    /// or the camera was removed.
    HeadReader(String),
    /// The principal may no longer see what it saw.
    Revoked,
    /// The viewer violates the protocol.
    Misused(&'static str),
}

impl Outbox {
    pub fn new(sender: WebSocketSender<Socket>) -> Self {
        Self(Arc::new(Mutex::new(sender)))
    }

    pub async fn lock(&self) -> MutexGuard<'_, WebSocketSender<Socket>> {
        self.0.lock().await
    }

    pub async fn text(&self, text: String) -> Result<(), Error> {
        self.lock().await.send(Message::text(text)).await
    }

    /// Sends the reason in a close frame, waits a moment for the viewer's own, and closes the
    /// connection.
    pub async fn close(self, mut receiver: Receiver, end: &End, limit: Duration) {
        let (code, reason) = match end {
            End::Gone => (CloseCode::Normal, ""),
            End::Silent => (CloseCode::Policy, "nothing was heard of you"),
            End::HeadReader(why) => (CloseCode::Away, &why[..why.floor_char_boundary(MAX_REASON_LEN)]),
            End::Revoked => (CloseCode::Policy, Revocation::REASON),
            End::Misused(why) => (CloseCode::Policy, *why),
        };
        timeout(limit, async {
            // Answers the viewer's close frame, or sends ours; a broken connection fails at once.
            let frame = CloseFrame { code, reason: reason.into() };
            if self.lock().await.close(Some(frame)).await.is_ok() {
                while let Some(Ok(_)) = receiver.next().await {}
            }
        })
        .await;
    }
}

/// Sends `header` and `payload` as one binary message of two fragments (RFC 6455 5.4): so the bytes
/// of a frame, which all its viewers share, are not copied behind the header of each of them.
pub async fn send_binary(sender: &mut WebSocketSender<Socket>, header: &[u8], payload: Bytes) -> Result<(), Error> {
    let header = Bytes::copy_from_slice(header);
    let fragments = [
        Frame::message(header, OpCode::Data(Data::Binary), false),
        Frame::message(payload, OpCode::Data(Data::Continue), true),
    ];
    let mut sender = Pin::new(sender);
    poll_fn(|context| sender.as_mut().poll_ready(context)).await?;
    // Both or none are begun, wherever this future is dropped: nothing may come between fragments.
    for fragment in fragments {
        sender.as_mut().start_send(Message::Frame(fragment))?;
    }
    poll_fn(|context| sender.as_mut().poll_flush(context)).await
}

/// When to ping, when to read, and when to give up.
pub struct Keepalive {
    heard: Instant,
    next_ping: Instant,
    ping: Duration,
    silence: Duration,
    pace: MessagePace,
}

impl Keepalive {
    pub fn new(limits: &Limits, now: Instant) -> Self {
        Self {
            heard: now,
            next_ping: now + limits.ping,
            ping: limits.ping,
            silence: limits.silence,
            pace: MessagePace::new(now),
        }
    }

    /// Counts the last text as a command: it may cause work.
    pub fn note_command(&mut self, now: Instant) {
        self.pace.note_command(now);
    }

    /// Waits for the viewer's next text, and sends pings meanwhile. Other messages only prove that
    /// the viewer is there. Cancel-safe: dropping the future loses no message.
    pub async fn next_text(&mut self, receiver: &mut Receiver, outbox: &Outbox) -> Result<String, End> {
        loop {
            let due = self.next_ping.min(self.heard + self.silence);
            let pause = self.pace.pause_until(Instant::now());
            let received = async {
                if let Some(end) = pause {
                    Timer::at(end).await;
                }
                Some(receiver.next().await)
            }
            .or(async {
                Timer::at(due).await;
                None
            })
            .await;
            let now = Instant::now();
            match received {
                Some(Some(Ok(message))) => {
                    self.heard = now;
                    self.pace.note_message(now);
                    match message {
                        Message::Text(text) => return Ok(text.to_string()),
                        Message::Binary(_) => return Err(End::Misused("only text is understood")),
                        Message::Close(_) => return Err(End::Gone),
                        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                    }
                }
                Some(Some(Err(Error::Capacity(_)))) => return Err(End::Misused("the message is too long")),
                Some(Some(Err(_)) | None) => return Err(End::Gone),
                None if now >= self.heard + self.silence => return Err(End::Silent),
                None if now >= self.next_ping => {
                    self.next_ping = now + self.ping;
                    outbox.lock().await.send(Message::Ping(Bytes::new())).await.map_err(|_| End::Gone)?;
                }
                None => {}
            }
        }
    }
}
