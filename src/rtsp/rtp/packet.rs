//! Reads RTP packets (RFC 3550 5.1).

/// Bytes of the fixed header.
const FIXED_HEADER_LEN: usize = 12;

/// Profile of a header extension with the head of a JPEG (ONVIF Streaming Specification, "RTP/JPEG"): its number is
/// the marker SOI.
pub const JPEG_EXTENSION: u16 = 0xffd8;

/// Profile of the extension that continues [`JPEG_EXTENSION`] in a later packet.
pub const JPEG_EXTENSION_CONTINUED: u16 = 0xffff;

/// A header extension, RFC 3550 5.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    pub profile: u16,
    pub data: &'a [u8],
}

/// A packet whose lengths are consistent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    /// In units of the track's clock rate.
    pub time: u32,
    pub ssrc: u32,
    pub extension: Option<Extension<'a>>,
    /// Without padding; may be empty.
    pub payload: &'a [u8],
    /// All of the packet.
    pub bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    /// `None` if the version is not 2, or if CSRCs, extension or padding exceed the packet.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = bytes.split_first_chunk::<FIXED_HEADER_LEN>()?;
        let [flags, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *header;
        let (version, has_padding, has_extension) = (flags >> 6, flags & 0x20 != 0, flags & 0x10 != 0);
        if version != 2 {
            return None;
        }
        let csrc_count = usize::from(flags & 0x0f);
        let mut rest = rest.get(4 * csrc_count..)?;
        let mut extension = None;
        if has_extension {
            let ([p0, p1, l0, l1], after) = rest.split_first_chunk()?;
            let words = usize::from(u16::from_be_bytes([*l0, *l1]));
            let (data, after) = after.split_at_checked(4 * words)?;
            extension = Some(Extension { profile: u16::from_be_bytes([*p0, *p1]), data });
            rest = after;
        }
        if has_padding {
            let padding = usize::from(*rest.last()?);
            let len = rest.len().checked_sub(padding).filter(|_| padding > 0)?;
            rest = &rest[..len];
        }
        Some(Self {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            time: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
            extension,
            payload: rest,
            bytes,
        })
    }
}
