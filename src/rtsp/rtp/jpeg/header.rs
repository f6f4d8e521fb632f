//! The headers of RTP/JPEG packets (RFC 2435 3.1), and the head of the JPEG that is made of them.

use super::tables;
use crate::media::Size;

/// Longest side of a picture, in pixels.
pub const MAX_SIDE: u32 = 16_384;

/// Markers, T.81 table B.1.
const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const DQT: u8 = 0xdb;
const DRI: u8 = 0xdd;
const DHT: u8 = 0xc4;

pub const END_OF_IMAGE: [u8; 2] = [0xff, EOI];
pub const START_OF_IMAGE: [u8; 2] = [0xff, SOI];

/// The main header of a packet, RFC 2435 3.1, with the headers behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketHeader<'a> {
    pub offset: usize,
    /// Samples of chroma are halved in height, too: 4:2:0, otherwise 4:2:2.
    pub is_420: bool,
    pub q: u8,
    /// Width and height in blocks of 8 pixels, the lower 8 bits.
    pub blocks: [u8; 2],
    /// Units between restart markers; 0 if there are none.
    pub restart_interval: u16,
    /// Precision bits and tables, in the first packet of a frame with a Q above 127.
    pub tables: Option<(u8, &'a [u8])>,
    pub scan: &'a [u8],
}

impl<'a> PacketHeader<'a> {
    /// `None` if it is cut short, or of a type that was never defined.
    pub fn parse(payload: &'a [u8]) -> Option<Self> {
        let (&[_, o0, o1, o2, kind, q, width, height], mut rest) = payload.split_first_chunk()?;
        let offset = u32::from_be_bytes([0, o0, o1, o2]) as usize;
        let mut restart_interval = 0;
        if kind >= 128 {
            return None;
        }
        if kind >= 64 {
            let (&[i0, i1, _, _], after) = rest.split_first_chunk()?;
            restart_interval = u16::from_be_bytes([i0, i1]);
            rest = after;
        }
        let mut tables = None;
        if q >= 128 && offset == 0 {
            let (&[_, precision, l0, l1], after) = rest.split_first_chunk()?;
            let (data, after) = after.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])))?;
            tables = Some((precision, data));
            rest = after;
        }
        let (is_420, blocks) = (kind & 63 != 0, [width, height]);
        Some(Self { offset, is_420, q, blocks, restart_interval, tables, scan: rest })
    }
}

/// The quantisation tables of a frame as `DQT` segments.
pub type QuantizationSegments = Vec<u8>;

/// Writes the tables that RFC 2435 4.2 gives for `q`, 1 to 127.
pub fn standard_tables(q: u8) -> QuantizationSegments {
    let mut out = Vec::new();
    for (destination, table) in (0..).zip(tables::quantization(q)) {
        write_segment(&mut out, DQT, &[&[destination], &table[..]].concat());
    }
    out
}

/// Writes the tables of a packet, RFC 2435 3.1.8. A single one is for luma and chroma. `None` if the first is not
/// complete.
pub fn packet_tables(precision: u8, data: &[u8]) -> Option<QuantizationSegments> {
    let mut out = Vec::new();
    let (mut rest, mut previous) = (data, None);
    for destination in 0..2_u8 {
        let is_wide = precision >> destination & 1;
        let (table, is_wide) = match rest.split_at_checked(64 << is_wide) {
            Some((table, after)) => {
                rest = after;
                (table, is_wide)
            }
            None => previous?,
        };
        previous = Some((table, is_wide));
        write_segment(&mut out, DQT, &[&[is_wide << 4 | destination], table].concat());
    }
    Some(out)
}

fn write_segment(out: &mut Vec<u8>, marker: u8, data: &[u8]) {
    out.extend([0xff, marker]);
    out.extend(u16::try_from(data.len() + 2).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(data);
}

/// The segments of the head of a JPEG, `(marker, whole segment)`, up to the first that is not complete.
pub fn segments(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        loop {
            match bytes {
                // Fill bytes, and markers without a segment.
                [0xff, 0xff, ..] => bytes = &bytes[1..],
                [0xff, SOI, rest @ ..] => bytes = rest,
                [0xff, marker, high, low, ..] => {
                    let len = 2 + usize::from(u16::from_be_bytes([*high, *low]));
                    let (segment, rest) = bytes.split_at_checked(len).filter(|_| len >= 4)?;
                    bytes = rest;
                    return Some((*marker, segment));
                }
                _ => return None,
            }
        }
    })
}

/// Whether this marker begins a frame header (T.81 B.2.2).
fn is_frame_header(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && ![DHT, 0xc8, 0xcc].contains(&marker)
}

/// The size in the first frame header of `bytes`.
pub fn size(bytes: &[u8]) -> Option<Size> {
    let (_, segment) = segments(bytes).find(|(marker, _)| is_frame_header(*marker))?;
    let side = |at: usize| Some(u32::from(u16::from_be_bytes([*segment.get(at)?, *segment.get(at + 1)?])));
    Some(Size { width: side(7)?, height: side(5)? }).filter(is_plausible)
}

pub fn is_plausible(size: &Size) -> bool {
    (1..=MAX_SIDE).contains(&size.width) && (1..=MAX_SIDE).contains(&size.height)
}

/// What is needed for the head of a JPEG.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    pub size: Size,
    pub is_420: bool,
    pub restart_interval: u16,
    pub quantization: &'a [u8],
    /// Segments that the camera sent itself; they replace those made here.
    pub extension: &'a [u8],
}

impl Head<'_> {
    /// Writes all that comes before the scan.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(START_OF_IMAGE);
        let has = |wanted: u8| segments(self.extension).any(|(marker, _)| marker == wanted);
        let copy = |out: &mut Vec<u8>, is_wanted: &dyn Fn(u8) -> bool| {
            let wanted = segments(self.extension).filter(|(marker, _)| is_wanted(*marker));
            let mut found = false;
            for (_, segment) in wanted {
                out.extend(segment);
                found = true;
            }
            found
        };
        // APP0 to APP15. JFIF says that the colours are YCbCr of full range.
        if !copy(out, &|marker| matches!(marker, 0xe0..=0xef)) {
            write_segment(out, 0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
        }
        if !copy(out, &|marker| marker == DQT) {
            out.extend(self.quantization);
        }
        if !copy(out, &is_frame_header) {
            self.write_frame_header(out);
        }
        if !copy(out, &|marker| marker == DHT) {
            tables::write_huffman(out);
        }
        if !copy(out, &|marker| marker == DRI) && self.restart_interval > 0 {
            write_segment(out, DRI, &self.restart_interval.to_be_bytes());
        }
        if has(SOS) {
            copy(out, &|marker| marker == SOS);
        } else {
            write_segment(out, SOS, &[3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0]);
        }
    }

    fn write_frame_header(&self, out: &mut Vec<u8>) {
        // Baseline allows only tables of 8 bits, T.81 B.2.4.1.
        let has_wide_tables =
            segments(self.quantization).any(|(_, segment)| segment.get(4).is_some_and(|b| b >> 4 > 0));
        let marker = if has_wide_tables { 0xc1 } else { 0xc0 };
        let [h0, h1] = (self.size.height as u16).to_be_bytes();
        let [w0, w1] = (self.size.width as u16).to_be_bytes();
        let luma_sampling = if self.is_420 { 0x22 } else { 0x21 };
        write_segment(out, marker, &[8, h0, h1, w0, w1, 3, 1, luma_sampling, 0, 2, 0x11, 1, 3, 0x11, 1]);
    }
}

/// The quantisation tables in `bytes`; empty if there are none.
pub fn quantization_of(bytes: &[u8]) -> QuantizationSegments {
    let tables = segments(bytes).filter(|(marker, _)| *marker == DQT);
    tables.flat_map(|(_, segment)| segment).copied().collect()
}
