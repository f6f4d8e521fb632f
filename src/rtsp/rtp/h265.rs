//! Takes the NAL units of H.265 out of packets (RFC 7798).

use super::{Event, access_unit::Assembler, packet::Packet};

/// Types of payloads, RFC 7798 4.4.
const AGGREGATION: u8 = 48;
const FRAGMENTATION: u8 = 49;
const PACI: u8 = 50;

/// The depacketiser of one H.265 track.
#[derive(Clone, Debug)]
pub struct Depacketizer {
    /// Decoding order numbers precede the NAL units. They are skipped.
    has_don: bool,
}

impl Depacketizer {
    /// `has_don`: the SDP has a `sprop-max-don-diff` greater than 0.
    pub fn new(has_don: bool) -> Self {
        Self { has_don }
    }

    /// Hands the NAL units of `packet` to `assembler`, between its `begin_packet` and `end_packet`.
    pub fn push(&mut self, packet: &Packet, assembler: &mut Assembler, out: &mut Vec<Event>) {
        let Some((header, rest)) = packet.payload.split_first_chunk::<2>() else { return };
        match header[0] >> 1 & 0x3f {
            AGGREGATION => self.push_aggregate(rest, assembler, out),
            FRAGMENTATION => self.push_fragment(*header, rest, assembler, out),
            // PACI carries one payload behind extensions that only scalable coding uses; no camera is known to send it.
            PACI => assembler.mark_damaged(),
            _ if self.has_don => {
                let Some(data) = rest.get(2..) else { return assembler.mark_damaged() };
                assembler.begin_fragments(header, data, out);
                assembler.end_fragments(out);
            }
            _ => assembler.push_nal(packet.payload, out),
        }
    }

    /// RFC 7798 4.4.2: a length before each NAL unit; DONL of 2 bytes before the first, DOND of 1 byte before others.
    fn push_aggregate(&self, mut units: &[u8], assembler: &mut Assembler, out: &mut Vec<Event>) {
        let mut is_first = true;
        while units.iter().any(|&byte| byte != 0) {
            let skipped = if !self.has_don {
                0
            } else if is_first {
                2
            } else {
                1
            };
            is_first = false;
            let nal = units.get(skipped..).and_then(|rest| {
                let ([high, low], rest) = rest.split_first_chunk()?;
                rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))
            });
            let Some((nal, rest)) = nal.filter(|(nal, _)| !nal.is_empty()) else { return assembler.mark_damaged() };
            assembler.push_nal(nal, out);
            units = rest;
        }
    }

    /// RFC 7798 4.4.3; DONL only in the first fragment.
    fn push_fragment(&self, header: [u8; 2], rest: &[u8], assembler: &mut Assembler, out: &mut Vec<Event>) {
        let Some((&fu_header, mut data)) = rest.split_first() else { return assembler.mark_damaged() };
        let (is_start, is_end) = (fu_header & 0x80 != 0, fu_header & 0x40 != 0);
        if is_start && self.has_don {
            let Some(after) = data.get(2..) else { return assembler.mark_damaged() };
            data = after;
        }
        let header = [header[0] & 0x81 | (fu_header & 0x3f) << 1, header[1]];
        if is_start {
            assembler.begin_fragments(&header, data, out);
        } else {
            assembler.continue_fragments(&header, data, out);
        }
        if is_end {
            assembler.end_fragments(out);
        }
    }
}
