//! Limits on sizes and times. They are fields, not constants, so that tests can shorten the waits.
//! The limits on connections and viewers are in `admission`.

use std::time::Duration;

/// The same limits for every connection and viewer.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Maximum number of tiles of one wall socket; at most 256, because a tile's number is one
    /// byte.
    pub tiles: usize,
    /// Maximum bytes of a request head; beyond it, 431.
    pub head_bytes: usize,
    /// Maximum time from the first byte of a request to the end of its head; after it, 408.
    pub head_time: Duration,
    /// How long a connection may wait for its next request.
    pub idle: Duration,
    /// A write without any progress for this long ends the connection. The time restarts with every
    /// byte taken, so big pictures on slow lines arrive.
    pub write_stall: Duration,
    /// How long a snapshot waits for the decoder's first picture.
    pub first_picture: Duration,
    /// The same if the camera's main stream must be opened first.
    pub on_demand: Duration,
    /// A still picture or a card is sent again after this time, so that browsers show it and see
    /// that the connection is alive.
    pub repeat: Duration,
    /// A tile that does not report what it drew gets its next picture after this time.
    pub drawn: Duration,
    /// A tile refused because of too many renditions requests again after this time.
    pub refused_tile: Duration,
    /// Pause between pings on a WebSocket.
    pub ping: Duration,
    /// A WebSocket from which nothing was received for this long is closed.
    pub silence: Duration,
    /// Maximum bytes of one WebSocket message from a viewer.
    pub message_bytes: usize,
    /// Number of bad messages after which a WebSocket is closed.
    pub bad_messages: usize,
    /// How long a closing connection is still read, so that the last response arrives.
    pub close_timeout: Duration,
    /// How long after the start the page on this machine shows the fingerprint of the certificate.
    pub announced: Duration,
    /// Pause after a failed accept.
    pub accept_pause: Duration,
    /// A supervisor that missed its heartbeat deadline by more than this makes `/healthz` fail.
    pub heartbeat_late: Duration,
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
            announced: Duration::from_secs(60),
            accept_pause: Duration::from_millis(100),
            heartbeat_late: Duration::from_secs(10),
        }
    }
}
