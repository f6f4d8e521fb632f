//! AAC in RTP (RFC 3640, modes AAC-hbr and AAC-lbr).

use super::super::fmtp::Fmtp;

/// Longest frame, in bytes; the 13 bits of AAC-hbr allow 8191.
const MAX_FRAME_LEN: usize = 16 << 10;
/// Most frames in one packet.
const MAX_FRAMES: usize = 64;

/// Samples of a frame, and those of the short kind (frameLengthFlag, ISO/IEC 14496-3 4.4.1).
const SAMPLES: u32 = 1024;
const SHORT_SAMPLES: u32 = 960;

/// The lengths of the fields in an AU header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AacPacking {
    pub size_bits: u8,
    pub index_bits: u8,
    pub index_delta_bits: u8,
    /// Samples of each frame, at the clock rate.
    pub samples: u32,
}

/// The size of a frame in bytes, and its place in time in frames after the first one of the packet.
type FrameHeader = (usize, u32);

impl AacPacking {
    /// From the parameters of `a=fmtp`; `None` if they name fields that are not read.
    pub fn of(fmtp: &Fmtp) -> Option<Self> {
        let mode = fmtp.get("mode").unwrap_or("AAC-hbr").to_ascii_lowercase();
        let usual = match mode.as_str() {
            "aac-hbr" => [13, 3, 3],
            "aac-lbr" => [6, 2, 2],
            _ => [0, 0, 0],
        };
        let number = |name: &str| fmtp.get(name).map(str::parse::<u8>);
        let others = ["ctsdeltalength", "dtsdeltalength", "randomaccessindication", "streamstateindication"];
        let others = others.into_iter().chain(["auxiliarydatasizelength", "constantsize"]);
        if others.into_iter().any(|name| number(name).is_some_and(|value| value != Ok(0))) {
            return None;
        }
        let bits = |name: &str, usual: u8, most: u8| match number(name) {
            None => Some(usual),
            Some(Ok(bits)) if bits <= most => Some(bits),
            Some(_) => None,
        };
        let size_bits = bits("sizelength", usual[0], 16).filter(|bits| *bits > 0)?;
        let index_bits = bits("indexlength", usual[1], 16)?;
        let index_delta_bits = bits("indexdeltalength", usual[2], 16)?;
        let config = fmtp.hexadecimal("config").unwrap_or_default();
        // 5 bits of object type and 4 of rate, 4 of channels, then the flag; with 24 bits more after rate 15.
        let is_short = match config[..] {
            [first, second, ..] if first >> 3 != 31 && (first & 7) << 1 | second >> 7 != 15 => second & 4 != 0,
            _ => false,
        };
        let samples = if is_short { SHORT_SAMPLES } else { SAMPLES };
        Some(Self { size_bits, index_bits, index_delta_bits, samples })
    }

    /// The frames in `payload`, each with its RTP time. `None` if the payload makes no sense.
    pub(super) fn frames(self, payload: &[u8], time: u32, fragments: &mut Fragments) -> Option<Vec<(u32, Vec<u8>)>> {
        let Some((sizes, mut data)) = self.headers(payload) else {
            fragments.clear();
            return None;
        };
        if let [(size, _)] = sizes[..]
            && size > data.len()
        {
            return fragments
                .take(time, size, data)
                .map(|whole| whole.map(|whole| (time, whole)).into_iter().collect());
        }
        let is_broken = fragments.clear();
        let mut frames = Vec::with_capacity(sizes.len());
        for (size, index) in sizes {
            let (frame, rest) = data.split_at_checked(size)?;
            data = rest;
            if size > 0 {
                frames.push((time.wrapping_add(index.wrapping_mul(self.samples)), frame.to_vec()));
            }
        }
        // A frame that was never finished is a loss, but costs no other one.
        if is_broken && frames.is_empty() { None } else { Some(frames) }
    }

    /// The size and the place in time of each frame, and the data behind the headers.
    fn headers(self, payload: &[u8]) -> Option<(Vec<FrameHeader>, &[u8])> {
        let (length, rest) = payload.split_first_chunk::<2>()?;
        let bits = usize::from(u16::from_be_bytes(*length));
        let (headers, data) = rest.split_at_checked(bits.div_ceil(8))?;
        let mut reader = Bits { bytes: headers, at: 0, end: bits };
        let mut sizes = Vec::new();
        let mut index = 0_u32;
        while let Some(size) = reader.take(self.size_bits) {
            if sizes.len() == MAX_FRAMES {
                return None;
            }
            if sizes.is_empty() {
                // Of the first frame it must be 0 (RFC 3640 3.2.1.1).
                reader.take(self.index_bits)?;
            } else {
                index = index.wrapping_add(1 + reader.take(self.index_delta_bits)?);
            }
            let size = usize::try_from(size).ok().filter(|size| *size <= MAX_FRAME_LEN)?;
            sizes.push((size, index));
        }
        (!sizes.is_empty()).then_some((sizes, data))
    }
}

/// A frame whose parts come in several packets.
#[derive(Clone, Debug, Default)]
pub(super) struct Fragments {
    part: Option<(u32, usize, Vec<u8>)>,
}

impl Fragments {
    /// Forgets the frame in progress; returns whether there was one.
    pub(super) fn clear(&mut self) -> bool {
        self.part.take().is_some()
    }

    /// Adds a part of a frame of `size` bytes. Returns the frame with its last part; `None` if the part does not fit.
    fn take(&mut self, time: u32, size: usize, data: &[u8]) -> Option<Option<Vec<u8>>> {
        let (_, _, mut whole) = match self.part.take() {
            Some(part) if part.0 == time && part.1 == size => part,
            Some(_) | None => (time, size, Vec::new()),
        };
        whole.extend_from_slice(data);
        if data.is_empty() || whole.len() > size {
            return None;
        }
        if whole.len() == size {
            return Some(Some(whole));
        }
        self.part = Some((time, size, whole));
        Some(None)
    }
}

/// Reads fields of some bits.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

impl Bits<'_> {
    /// The next `count` bits, at most 16.
    fn take(&mut self, count: u8) -> Option<u32> {
        let after = self.at + usize::from(count);
        if after > self.end {
            return None;
        }
        let mut value = 0;
        for bit in self.at..after {
            let byte = self.bytes.get(bit / 8)?;
            value = value << 1 | u32::from(byte >> (7 - bit % 8) & 1);
        }
        self.at = after;
        Some(value)
    }
}
