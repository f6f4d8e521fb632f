//! The part of a session that ends with its connection.

use std::time::{Duration, Instant};

use crate::rtsp::{keepalive::Keepalive, message::Response, sdp::Track, url::Urls};

/// What belongs to one connection.
#[derive(Debug, Default)]
pub(super) struct OnConnection {
    pub client_port: u16,
    pub urls: Option<Urls>,
    /// The URL of PLAY, keepalives and TEARDOWN.
    pub play_url: String,
    pub track: Option<Track>,
    /// The camera has accepted a SETUP.
    pub has_session: bool,
    pub session_id: Option<String>,
    pub session_timeout: Option<Duration>,
    /// PLAY goes without `Range`.
    pub without_range: bool,
    /// The URLs have our authority.
    pub has_our_authority: bool,
    /// PLAY has been tried at the track's URL.
    pub has_tried_track: bool,
    /// A response refused a login: the camera may close the connection now.
    pub has_refused_login: bool,
    /// A response with the number of an earlier request, and when it is used after all.
    pub misnumbered: Option<(Instant, Response)>,
    /// PLAY was accepted.
    pub playing_since: Option<Instant>,
    pub first_packet_by: Option<Instant>,
    pub has_packets: bool,
    pub keepalive: Option<Keepalive>,
}
