//! Remembers the parameter sets of a stream and prepends them to key frames that come without.

use super::{
    bit_reader::BitReader,
    nal::{self, NalKind},
};
use crate::media::Codec;

/// Number of sets remembered; cameras use two or three.
const MAX_SETS: usize = 16;

/// Length of a set that is remembered, in bytes; usual ones have less than 200.
const MAX_SET_LEN: usize = 4096;

/// The newest parameter sets of a stream.
#[derive(Clone, Debug)]
pub struct ParameterSets {
    codec: Codec,
    /// NAL units without start codes: VPS first, then SPS, then PPS. PPS differ in their ids.
    sets: Vec<Vec<u8>>,
}

impl ParameterSets {
    pub fn new(codec: Codec) -> Self {
        Self { codec, sets: Vec::new() }
    }

    /// Takes over the parameter sets in `unit`, an access unit or codec extradata in Annex B.
    /// Returns whether `unit` holds a set of every kind, so that a decoder can start with it.
    pub fn update(&mut self, unit: &[u8]) -> bool {
        let (mut has_vps, mut has_sps, mut has_pps) = (false, false, false);
        for nal in nal::split(nal::head(unit)) {
            match nal::kind(self.codec, nal) {
                NalKind::Vps => has_vps = true,
                NalKind::Sps => has_sps = true,
                NalKind::Pps => has_pps = true,
                // Parameter sets precede the slices of their picture.
                NalKind::KeySlice | NalKind::Slice => break,
                NalKind::Aud | NalKind::Other => continue,
            }
            self.insert(nal);
        }
        (has_vps || self.codec == Codec::H264) && has_sps && has_pps
    }

    /// Takes over one parameter set, a NAL unit without start code. It replaces the one with its identity.
    pub fn insert(&mut self, nal: &[u8]) {
        if nal.len() > MAX_SET_LEN {
            return;
        }
        let codec = self.codec;
        let identity = |set: &[u8]| (nal::kind(codec, set), pps_id(codec, set));
        match self.sets.iter().position(|set| identity(set) == identity(nal)) {
            Some(at) if self.sets[at] != nal => self.sets[at] = nal.to_vec(),
            None if self.sets.len() < MAX_SETS => self.sets.push(nal.to_vec()),
            _ => {}
        }
        self.sets.sort_by_key(|set| match nal::kind(codec, set) {
            NalKind::Vps => 0,
            NalKind::Sps => 1,
            _ => 2,
        });
    }

    /// `unit` with the remembered sets before its first slice: behind the access unit delimiter, if any.
    pub fn prepend_to(&self, unit: &[u8]) -> Vec<u8> {
        let sets: usize = self.sets.iter().map(|set| set.len() + 4).sum();
        let mut completed = Vec::with_capacity(unit.len() + sets);
        let first = nal::split(nal::head(unit)).next();
        let aud = first.filter(|nal| nal::kind(self.codec, nal) == NalKind::Aud);
        for nal in aud.into_iter().chain(self.sets.iter().map(Vec::as_slice)) {
            completed.extend([0, 0, 0, 1]);
            completed.extend(nal);
        }
        let end = |nal: &[u8]| nal.as_ptr() as usize - unit.as_ptr() as usize + nal.len();
        completed.extend(&unit[aud.map_or(0, end)..]);
        completed
    }

    /// The remembered sets in Annex B; `None` unless a decoder can start with them.
    pub fn annex_b(&self) -> Option<Vec<u8>> {
        let has = |kind| self.sets.iter().any(|set| nal::kind(self.codec, set) == kind);
        let is_complete = has(NalKind::Sps) && has(NalKind::Pps);
        is_complete.then(|| self.sets.iter().flat_map(|set| [&[0, 0, 0, 1], &set[..]]).flatten().copied().collect())
    }

    /// The SPS, without start code.
    pub fn sps(&self) -> Option<&[u8]> {
        let sps = self.sets.iter().find(|set| nal::kind(self.codec, set) == NalKind::Sps);
        sps.map(Vec::as_slice)
    }
}

/// `pic_parameter_set_id` (H.264 7.3.2.2) or `pps_pic_parameter_set_id` (H.265 7.3.2.3) of a PPS. `None` for
/// a VPS and an SPS: cameras use one of each at a time, so a new one replaces the old one whatever its id.
fn pps_id(codec: Codec, nal: &[u8]) -> Option<u32> {
    let header_len = if codec == Codec::H265 { 2 } else { 1 };
    let is_pps = nal::kind(codec, nal) == NalKind::Pps;
    if is_pps { BitReader::new(nal.get(header_len..)?).read_ue("pps_pic_parameter_set_id") } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AUD and two slices of an IDR picture.
    const KEY: &[u8] = &[0, 0, 0, 1, 9, 16, 0, 0, 1, 0x65, 1, 2, 0, 0, 1, 0x65, 3];

    #[test]
    fn sets_are_prepended_behind_the_delimiter() {
        let mut sets = ParameterSets::new(Codec::H264);
        assert!(sets.update(&[0, 0, 0, 1, 0x68, 0x80, 0, 0, 0, 1, 0x67, 7]));
        assert!(!sets.update(KEY));
        let completed = sets.prepend_to(KEY);
        let headers: Vec<_> = nal::split(&completed).map(|nal| nal[0]).collect();
        assert_eq!(headers, [9, 0x67, 0x68, 0x65, 0x65]);
        assert!(ParameterSets::new(Codec::H264).update(&completed));
    }

    #[test]
    fn new_sps_replaces_the_old_one() {
        let mut sets = ParameterSets::new(Codec::H264);
        sets.update(&[0, 0, 1, 0x67, 7, 0, 0, 1, 0x68, 0x80]);
        sets.update(&[0, 0, 1, 0x67, 8, 0, 0, 1, 0x68, 0x40]);
        assert_eq!(sets.sps(), Some(&[0x67, 8][..]));
        assert_eq!(sets.sets.len(), 3, "two PPS with different ids");
    }

    #[test]
    fn sets_of_the_base_layer_stay() {
        let mut sets = ParameterSets::new(Codec::H265);
        // VPS, SPS and PPS of the base layer; SPS and PPS with nuh_layer_id 1.
        let unit = [0, 0, 1, 0x40, 1, 7, 0, 0, 1, 0x42, 1, 7, 0, 0, 1, 0x44, 1, 0xc0];
        assert!(sets.update(&[&unit[..], &[0, 0, 1, 0x42, 9, 8, 0, 0, 1, 0x44, 9, 0x80]].concat()));
        assert_eq!(sets.sps(), Some(&[0x42, 1, 7][..]));
        assert_eq!(sets.sets.len(), 3);
    }
}
