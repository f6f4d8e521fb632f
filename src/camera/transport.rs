//! How the packets of a stream travel.

/// How RTP is transported. TCP gets through every firewall that RTSP gets through; UDP loses frames
/// rather than time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// In the RTSP connection.
    Tcp,
    Udp,
    /// UDP to a group of addresses, which several may read at once.
    Multicast,
    /// RTSP with RTP in it through two HTTP connections, where nothing but HTTP gets through.
    Http,
}

impl Transport {
    /// Whether RTP comes in the connection of RTSP.
    pub fn is_interleaved(self) -> bool {
        matches!(self, Self::Tcp | Self::Http)
    }

    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Multicast => "multicast",
            Self::Http => "HTTP",
        }
    }
}
