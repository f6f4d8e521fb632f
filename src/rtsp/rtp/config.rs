//! What is known of a track before its first packet.

use std::{error, fmt};

use super::fmtp::Fmtp;
use crate::media::Size;

/// How the packets travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Interleaved with RTSP; also RTSP over HTTP or TLS. Packets keep their order.
    Tcp,
    Udp,
}

/// What is known of a track before its first packet, from the SDP.
#[derive(Clone, Debug)]
pub struct TrackConfig {
    /// From `a=rtpmap`, in any case: `H264`, `H265`, `HEVC`, `JPEG`, `MP4V-ES`. If it is empty, payload type 26 is
    /// JPEG, and the parameters of `fmtp` or the first packets tell the codec.
    pub encoding_name: String,
    /// In Hz; 0 counts as 90 000, the rate of all these codecs.
    pub clock_rate: u32,
    /// From `m=`. If no such packet comes at first, the commonest type counts.
    pub payload_type: u8,
    /// The text of `a=fmtp`, with or without the payload type; may be empty.
    pub fmtp: String,
    pub transport: Transport,
    /// The size that SDP (`x-dimensions`, `framesize`) or ONVIF gives. Only for JPEG, whose own header cannot express
    /// a side above 2040.
    pub size_hint: Option<Size>,
    /// The SSRC of the RTCP that this side sends; random for each session.
    pub local_ssrc: u32,
    /// The name of this receiver in its RTCP, at most 255 bytes.
    pub cname: String,
}

/// How a track is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    H264,
    H265,
    Jpeg,
    /// MPEG-4 part 2 (Visual).
    Mpeg4,
}

impl Encoding {
    /// `None` if this codec is not read. See [`TrackConfig::encoding_name`].
    pub fn from_name(name: &str) -> Option<Self> {
        match name.trim().to_ascii_uppercase().as_str() {
            "H264" => Some(Self::H264),
            "H265" | "HEVC" => Some(Self::H265),
            "JPEG" => Some(Self::Jpeg),
            "MP4V-ES" => Some(Self::Mpeg4),
            _ => None,
        }
    }

    /// The codec of a track without a name.
    pub(super) fn guess(config: &TrackConfig, fmtp: &Fmtp) -> Option<Self> {
        const STATIC_JPEG: u8 = 26;
        match config.payload_type {
            STATIC_JPEG => Some(Self::Jpeg),
            _ if fmtp.get("sprop-vps").is_some() => Some(Self::H265),
            _ if fmtp.get("sprop-parameter-sets").is_some() => Some(Self::H264),
            _ => None,
        }
    }

    /// The codec of a payload with parameter sets, or of one that only fits one codec; `None` if it tells nothing.
    pub(super) fn sniff(payload: &[u8]) -> Option<Self> {
        match *payload {
            // VPS, SPS or aggregation of H.265 with layer 0 and TemporalId 0. Its first byte is a type that H.264
            // does not have, or a data partition.
            [0x40 | 0x42 | 0x60, 1, ..] => Some(Self::H265),
            // SPS of H.264 with a profile, alone or first of a STAP-A.
            [0x67 | 0x27 | 0x47, 66..=244, ..] | [0x78 | 0x38 | 0x58, _, _, 0x67 | 0x27 | 0x47, ..] => Some(Self::H264),
            _ => None,
        }
    }
}

/// A request for a key frame by RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFrameRequest {
    /// `nack pli`, RFC 4585 6.3.1.
    PictureLossIndication,
    /// `ccm fir`, RFC 5104 4.3.1.
    FullIntraRequest,
}

/// The codec of a track cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsupportedEncoding(pub String);

impl fmt::Display for UnsupportedEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the camera sends {:?}, which is not supported", self.0)
    }
}

impl error::Error for UnsupportedEncoding {}
