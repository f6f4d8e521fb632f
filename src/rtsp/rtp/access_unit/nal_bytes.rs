//! The bytes of NAL units on their way into the access unit in progress.

use super::{
    super::{
        Event, MAX_UNIT_LEN, Problem,
        nal_class::{self, Dropped, NalClass},
    },
    Assembler,
    pending::OpenNal,
};
use crate::h26x::{nal, sei};

/// NAL units of one access unit.
const MAX_NALS: usize = 512;

const START_CODE: [u8; 4] = [0, 0, 0, 1];

impl Assembler {
    pub(super) fn open_nal(&mut self, is_fragmented: bool, out: &mut Vec<Event>) {
        self.close_nal(false, out);
        self.marker_in_fragment = false;
        let head = [0; nal_class::MAX_HEAD_LEN];
        self.nal = Some(OpenNal { head, head_len: 0, class: None, start: 0, zeros: 0, is_fragmented });
    }

    /// Adds bytes to the NAL unit in progress. A start code in them ends it and begins another one.
    pub(super) fn append(&mut self, mut bytes: &[u8], out: &mut Vec<Event>) {
        while let Some(nal) = &self.nal {
            let is_fragmented = nal.is_fragmented;
            let Some(one) = find_start_code(nal.zeros, bytes) else { break };
            self.store(&bytes[..one], out);
            self.close_nal(true, out);
            self.open_nal(is_fragmented, out);
            bytes = &bytes[one + 1..];
        }
        self.store(bytes, out);
    }

    fn store(&mut self, mut bytes: &[u8], out: &mut Vec<Event>) {
        let Some(nal) = &mut self.nal else { return };
        let zeros = bytes.iter().rev().take(2).take_while(|&&byte| byte == 0).count();
        nal.zeros = if zeros == bytes.len() { (nal.zeros + zeros).min(2) } else { zeros };
        if nal.class.is_none() {
            let missing = nal_class::head_len(self.codec) - nal.head_len;
            let (head, rest) = bytes.split_at(missing.min(bytes.len()));
            nal.head[nal.head_len..][..head.len()].copy_from_slice(head);
            nal.head_len += head.len();
            if nal.head_len < nal_class::head_len(self.codec) {
                return;
            }
            bytes = rest;
            self.place_nal(out);
        }
        self.write(bytes);
        if let Some(packet) = self.packet {
            self.touch(packet.received_at);
        }
    }

    /// Appends to the unit what belongs to the NAL unit in progress.
    fn write(&mut self, bytes: &[u8]) {
        let is_dropped = self.nal.as_ref().is_none_or(|nal| matches!(nal.class, Some(NalClass::Dropped(_)) | None));
        let draft = &mut self.draft;
        if is_dropped || draft.is_too_long {
            return;
        }
        if draft.data.len() + bytes.len() > MAX_UNIT_LEN || draft.nals > MAX_NALS {
            (draft.is_too_long, draft.is_damaged) = (true, true);
            draft.data = Vec::new();
            return;
        }
        if draft.data.capacity() == 0 {
            draft.data.reserve(self.usual_len.max(bytes.len()));
        }
        draft.data.extend_from_slice(bytes);
    }

    /// Ends the NAL unit in progress, if any.
    pub(super) fn close_nal(&mut self, is_complete: bool, out: &mut Vec<Event>) {
        if self.nal.as_ref().is_some_and(|nal| nal.class.is_none() && nal.head[..nal.head_len].iter().any(|&b| b != 0))
        {
            self.place_nal(out);
        }
        let Some(OpenNal { class: Some(class), start, .. }) = self.nal.take() else { return };
        if matches!(class, NalClass::Dropped(_)) {
            return;
        }
        if !is_complete {
            self.draft.is_damaged = true;
            return;
        }
        let nal = self.draft.data.get(start..).unwrap_or_default();
        let len = nal.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let nal = &nal[..len];
        match class {
            NalClass::Vps | NalClass::Sps | NalClass::Pps if len > 0 => {
                if class == NalClass::Sps {
                    self.has_sets_in_band = true;
                    self.max_temporal_id = nal::max_temporal_id(self.codec, &[&START_CODE, nal].concat());
                }
                self.sets.insert(nal);
                self.draft.own_sets |= set_bit(class);
            }
            NalClass::Sei => self.draft.recovery = self.draft.recovery.or(sei::recovery_point(self.codec, nal)),
            _ => {}
        }
        self.draft.data.truncate(start + len);
        if class == NalClass::Aud {
            self.draft.sets_at = self.draft.data.len();
        }
    }

    /// Decides to which unit the NAL unit in progress belongs, from its first bytes, and writes these.
    fn place_nal(&mut self, out: &mut Vec<Event>) {
        let (Some(nal), Some(packet)) = (&self.nal, self.packet) else { return };
        let (head, head_len) = (nal.head, nal.head_len);
        let class = nal_class::classify(self.codec, &head[..head_len]);
        if self.fit.is_another_codec(self.codec, class, head[0], packet.received_at) {
            out.push(Event::Problem(Problem::AnotherCodec));
        }
        match class {
            NalClass::Dropped(Dropped::DamagedSlice) => self.draft.is_damaged = true,
            NalClass::Dropped(_) => {}
            _ => self.join(class, packet, out),
        }
        if let Some(nal) = &mut self.nal {
            nal.class = Some(class);
        }
        if !matches!(class, NalClass::Dropped(_)) {
            self.draft.nals += 1;
            self.write(&START_CODE);
            let start = self.draft.data.len();
            if let Some(nal) = &mut self.nal {
                nal.start = start;
            }
            self.write(&head[..head_len]);
        }
    }
}

fn set_bit(class: NalClass) -> u8 {
    match class {
        NalClass::Vps => 1,
        NalClass::Sps => 2,
        _ => 4,
    }
}

/// Where the 1 of the first start code is, `00 00 01`, if `zeros` zero bytes precede `bytes`.
fn find_start_code(zeros: usize, bytes: &[u8]) -> Option<usize> {
    match bytes {
        [1, ..] if zeros >= 2 => return Some(0),
        [0, 1, ..] if zeros >= 1 => return Some(1),
        _ => {}
    }
    nal::find_start_code(bytes).map(|at| at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Byte by byte, as the standard says it.
    fn slowly(zeros: usize, bytes: &[u8]) -> Option<usize> {
        let all = [&vec![0; zeros], bytes].concat();
        all.windows(3).position(|three| three == [0, 0, 1]).map(|at| at + 2 - zeros)
    }

    #[test]
    fn start_code_is_found_wherever_it_lies() {
        for len in 0..100 {
            for zeros in 0..3 {
                for at in 0..len {
                    let mut bytes = vec![7; len];
                    bytes[at] = 1;
                    bytes[at.saturating_sub(2)..at].fill(0);
                    assert_eq!(find_start_code(zeros, &bytes), slowly(zeros, &bytes), "{len} {zeros} {at}");
                }
                assert_eq!(find_start_code(zeros, &vec![7; len]), None);
                assert_eq!(find_start_code(zeros, &vec![0; len]), None);
            }
        }
    }

    /// Bytes of which nearly all are 0 or 1, so that all neighbourhoods occur.
    #[test]
    fn first_of_many_start_codes_is_found() {
        let mut state = 1_u64;
        // A linear congruential generator (Knuth's MMIX).
        let mut below = |limit: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % limit
        };
        for round in 0..20_000 {
            let (len, zeros, rarity) = (below(128), below(3) as usize, 2 + below(40));
            let bytes: Vec<u8> = (0..len).map(|_| if below(rarity) == 0 { 1 } else { 7 * below(2) as u8 }).collect();
            assert_eq!(find_start_code(zeros, &bytes), slowly(zeros, &bytes), "round {round}: {zeros} {bytes:?}");
        }
    }
}
