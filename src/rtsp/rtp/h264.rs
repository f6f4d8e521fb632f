//! Takes the NAL units of H.264 out of packets (RFC 6184). The type of each payload decides how it is read, because
//! cameras send fragments whatever their `packetization-mode` says.

use super::{Event, Problem, access_unit::Assembler, packet::Packet};

/// Types of payloads, RFC 6184 5.2.
const STAP_A: u8 = 24;
const STAP_B: u8 = 25;
const MTAP16: u8 = 26;
const MTAP24: u8 = 27;
const FU_A: u8 = 28;
const FU_B: u8 = 29;

/// The depacketiser of one H.264 track.
#[derive(Clone, Debug, Default)]
pub struct Depacketizer {
    /// The last decoding order number, if the camera sends them (interleaved mode).
    don: Option<u16>,
    reported_interleaving: bool,
}

impl Depacketizer {
    /// Hands the NAL units of `packet` to `assembler`, between its `begin_packet` and `end_packet`.
    pub fn push(&mut self, packet: &Packet, assembler: &mut Assembler, out: &mut Vec<Event>) {
        let Some((&indicator, rest)) = packet.payload.split_first() else { return };
        match indicator & 0x1f {
            STAP_A => push_aggregate(rest, 0, assembler, out),
            STAP_B => {
                let Some(units) = self.skip_don(rest, assembler, out) else { return assembler.mark_damaged() };
                push_aggregate(units, 0, assembler, out);
            }
            // DON difference of one byte, and a time offset of 2 or 3, behind each length.
            MTAP16 | MTAP24 => {
                let Some(units) = self.skip_don(rest, assembler, out) else { return assembler.mark_damaged() };
                push_aggregate(units, if indicator & 0x1f == MTAP16 { 3 } else { 4 }, assembler, out);
            }
            FU_A => self.push_fragment(indicator, rest, false, assembler, out),
            FU_B => self.push_fragment(indicator, rest, true, assembler, out),
            _ => assembler.push_nal(packet.payload, out),
        }
    }

    /// FU-A and FU-B, RFC 6184 5.8. Start and end together are a whole NAL unit, though the standard forbids it.
    fn push_fragment(
        &mut self,
        indicator: u8,
        rest: &[u8],
        has_don: bool,
        assembler: &mut Assembler,
        out: &mut Vec<Event>,
    ) {
        let Some((&fu_header, mut data)) = rest.split_first() else { return assembler.mark_damaged() };
        let (is_start, is_end) = (fu_header & 0x80 != 0, fu_header & 0x40 != 0);
        if has_don {
            let Some(after) = self.skip_don(data, assembler, out) else { return assembler.mark_damaged() };
            data = after;
        }
        let header = [indicator & 0xe0 | fu_header & 0x1f];
        if is_start {
            assembler.begin_fragments(&header, data, out);
        } else {
            assembler.continue_fragments(&header, data, out);
        }
        if is_end {
            assembler.end_fragments(out);
        }
    }

    /// Skips a decoding order number. NAL units are taken in the order of transmission, which is right as long as the
    /// numbers do not go back.
    fn skip_don<'a>(&mut self, bytes: &'a [u8], assembler: &mut Assembler, out: &mut Vec<Event>) -> Option<&'a [u8]> {
        let (don, rest) = bytes.split_first_chunk()?;
        let don = u16::from_be_bytes(*don);
        let goes_back = self.don.replace(don).is_some_and(|last| (don.wrapping_sub(last) as i16) < 0);
        if goes_back {
            assembler.mark_damaged();
            if !std::mem::replace(&mut self.reported_interleaving, true) {
                out.push(Event::Problem(Problem::Interleaved));
            }
        }
        Some(rest)
    }
}

/// Aggregated NAL units, each behind its length and `skipped` bytes. Zero bytes at the end are padding. What a wrong
/// length hides is lost; the NAL units before it are kept.
fn push_aggregate(mut units: &[u8], skipped: usize, assembler: &mut Assembler, out: &mut Vec<Event>) {
    while units.iter().any(|&byte| byte != 0) {
        let Some(([high, low], rest)) = units.split_first_chunk() else { return assembler.mark_damaged() };
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let Some((nal, rest)) = rest.get(skipped..).and_then(|rest| rest.split_at_checked(len)) else {
            return assembler.mark_damaged();
        };
        if nal.is_empty() {
            return assembler.mark_damaged();
        }
        assembler.push_nal(nal, out);
        units = rest;
    }
}
