//! How much of one thing, and for how long. Fields rather than constants, so that tests can shorten
//! the waits. How many are let in stands in `admission`.

use std::time::Duration;

/// The same for every connection and viewer.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Tiles of one wall socket, at most 256 as a tile's number is one byte.
    pub tiles: usize,
    /// Bytes of a request's head; beyond it 431.
    pub head_bytes: usize,
    /// From the first byte of a request to the end of its head; then 408.
    pub head_time: Duration,
    /// For how long a connection may wait for its next request.
    pub idle: Duration,
    /// A write that makes no progress at all for this long ends the connection. Counted anew with every
    /// byte taken, so big pictures on thin lines live.
    pub write_stall: Duration,
    /// For how long a snapshot waits for the decoder's first picture.
    pub first_picture: Duration,
    /// The same where the camera's main stream has to be opened first.
    pub on_demand: Duration,
    /// A still picture or a card is sent again after this, so that browsers show it and notice life.
    pub repeat: Duration,
    /// A tile that does not report what it drew gets its next picture after this.
    pub drawn: Duration,
    /// A tile refused for too many renditions asks again after this.
    pub refused_tile: Duration,
    /// Pause between pings on a WebSocket.
    pub ping: Duration,
    /// A WebSocket that was not heard of for this long is closed.
    pub silence: Duration,
    /// Bytes of one WebSocket message from a viewer.
    pub message_bytes: usize,
    /// Bad messages on one WebSocket before it is closed.
    pub bad_messages: usize,
    /// For how long a closing connection is still listened to, so that the last answer arrives.
    pub close_timeout: Duration,
    /// Pause after a failed accept.
    pub accept_pause: Duration,
    /// A keeper further behind its promise than this makes `/healthz` fail.
    pub keeper_late: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tiles: 64,
            head_bytes: 16 << 10,
            head_time: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            write_stall: Duration::from_secs(10),
            first_picture: Duration::from_secs(3),
            on_demand: Duration::from_secs(8),
            repeat: Duration::from_secs(1),
            drawn: Duration::from_secs(1),
            refused_tile: Duration::from_secs(5),
            ping: Duration::from_secs(20),
            silence: Duration::from_secs(60),
            message_bytes: 64 << 10,
            bad_messages: 16,
            close_timeout: Duration::from_secs(1),
            accept_pause: Duration::from_millis(100),
            keeper_late: Duration::from_secs(10),
        }
    }
}
