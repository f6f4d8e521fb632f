//! Cuts Annex B access units into NAL units and says what they are.
//!
//! Start codes are `00 00 01`; zero bytes before one belong to nobody.

use crate::media::Codec;

/// Parameter sets and the first slice's header lie in the first bytes of an access unit; looking for
/// them further in would cost a search through every key frame.
const HEAD: usize = 16 << 10;

/// The part of `unit` where parameter sets and the beginning of the first slice are looked for.
pub fn head(unit: &[u8]) -> &[u8] {
    &unit[..unit.len().min(HEAD)]
}

/// What a NAL unit is, as far as the worker must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// H.265 only.
    VideoParameters,
    SequenceParameters,
    PictureParameters,
    /// A slice of a picture that needs no other: IDR, and for H.265 every random access point.
    KeySlice,
    Slice,
    /// Access unit delimiter.
    Delimiter,
    Other,
}

/// The NAL units of `unit`, without start codes; empty ones are left out.
pub fn split(unit: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(unit);
    std::iter::from_fn(move || {
        loop {
            let here = rest?;
            let end = find_start_code(here);
            rest = end.and_then(|at| after_start_code(&here[at..]));
            let nal = &here[..end.unwrap_or(here.len())];
            let length = nal.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            if length > 0 {
                return Some(&nal[..length]);
            }
        }
    })
}

fn find_start_code(bytes: &[u8]) -> Option<usize> {
    // memchr-like: only a 1 can end a start code, and it is rare in what follows a zero.
    let mut at = 2;
    while let Some(found) = bytes.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == 1)) {
        at += found;
        if bytes[at - 1] == 0 && bytes[at - 2] == 0 {
            return Some(at - 2);
        }
        at += 1;
    }
    None
}

fn after_start_code(bytes: &[u8]) -> Option<&[u8]> {
    find_start_code(bytes).map(|at| &bytes[at + 3..])
}

/// What `nal` is; [`Kind::Other`] for JPEG, which has no NAL units, and for an empty one.
pub fn kind(codec: Codec, nal: &[u8]) -> Kind {
    let Some(&header) = nal.first() else { return Kind::Other };
    match codec {
        Codec::H264 => match header & 0x1f {
            1..=4 => Kind::Slice,
            5 => Kind::KeySlice,
            7 => Kind::SequenceParameters,
            8 => Kind::PictureParameters,
            9 => Kind::Delimiter,
            _ => Kind::Other,
        },
        Codec::H265 => match header >> 1 & 0x3f {
            16..=23 => Kind::KeySlice,
            0..=15 | 24..=31 => Kind::Slice,
            32 => Kind::VideoParameters,
            33 => Kind::SequenceParameters,
            34 => Kind::PictureParameters,
            35 => Kind::Delimiter,
            _ => Kind::Other,
        },
        Codec::Jpeg => Kind::Other,
    }
}

/// The parameter sets last seen, to be put before key frames that come without.
#[derive(Clone, Debug)]
pub struct ParameterSets {
    codec: Codec,
    /// One NAL unit per kind and first bytes of its payload, which tell sets of different number apart.
    sets: Vec<Vec<u8>>,
}

/// More sets than this are not remembered; cameras use two or three.
const MOST_SETS: usize = 16;

/// A longer parameter set is not remembered, in bytes; usual ones have less than 200.
const LONGEST_SET: usize = 4096;

impl ParameterSets {
    pub fn new(codec: Codec) -> Self {
        Self { codec, sets: Vec::new() }
    }

    /// Takes over the parameter sets in `unit`, an access unit or codec extradata in Annex B.
    /// Returns whether `unit` holds a whole set of sets, so that it can be decoded as it is.
    pub fn learn(&mut self, unit: &[u8]) -> bool {
        let mut found = [false; 3];
        for nal in split(head(unit)) {
            let which = match kind(self.codec, nal) {
                Kind::VideoParameters => 0,
                Kind::SequenceParameters => 1,
                Kind::PictureParameters => 2,
                // Parameter sets come before the picture; its slices need no search.
                Kind::KeySlice | Kind::Slice => break,
                Kind::Delimiter | Kind::Other => continue,
            };
            found[which] = true;
            self.remember(nal);
        }
        (found[0] || self.codec == Codec::H264) && found[1] && found[2]
    }

    fn remember(&mut self, nal: &[u8]) {
        let same = |a: &[u8]| kind(self.codec, a) == kind(self.codec, nal) && self.number(a) == self.number(nal);
        match self.sets.iter().position(|set| same(set)) {
            Some(at) if self.sets[at] != nal && nal.len() <= LONGEST_SET => self.sets[at] = nal.to_vec(),
            None if self.sets.len() < MOST_SETS && nal.len() <= LONGEST_SET => self.sets.push(nal.to_vec()),
            _ => {}
        }
        let codec = self.codec;
        self.sets.sort_by_key(|set| match kind(codec, set) {
            Kind::VideoParameters => 0,
            Kind::SequenceParameters => 1,
            _ => 2,
        });
    }

    /// The number of the set. Only a picture parameter set begins with its own; streams with several
    /// sequence or video parameter sets at once are not met in cameras, so those replace each other.
    fn number(&self, nal: &[u8]) -> Option<u32> {
        let header = if self.codec == Codec::H265 { 2 } else { 1 };
        let picture = kind(self.codec, nal) == Kind::PictureParameters;
        if picture { super::bit_reader::Bits::new(nal.get(header..)?).unsigned() } else { None }
    }

    /// `unit` with the remembered sets put before its first slice: behind the delimiter, if any.
    pub fn complete(&self, unit: &[u8]) -> Vec<u8> {
        let sets: usize = self.sets.iter().map(|set| set.len() + 4).sum();
        let mut whole = Vec::with_capacity(unit.len() + sets);
        let delimiter = split(head(unit)).next().filter(|nal| kind(self.codec, nal) == Kind::Delimiter);
        for nal in delimiter.into_iter().chain(self.sets.iter().map(Vec::as_slice)) {
            whole.extend([0, 0, 0, 1]);
            whole.extend(nal);
        }
        let behind = |nal: &[u8]| nal.as_ptr() as usize - unit.as_ptr() as usize + nal.len();
        whole.extend(&unit[delimiter.map_or(0, behind)..]);
        whole
    }

    /// The sequence parameter set, without start code.
    pub fn sequence(&self) -> Option<&[u8]> {
        let found = self.sets.iter().find(|set| kind(self.codec, set) == Kind::SequenceParameters);
        found.map(Vec::as_slice)
    }
}

/// Whether a slice of `unit` says that the picture needs no other.
pub fn is_key(codec: Codec, unit: &[u8]) -> bool {
    let first_slice =
        split(head(unit)).map(|nal| kind(codec, nal)).find(|kind| matches!(kind, Kind::KeySlice | Kind::Slice));
    codec == Codec::Jpeg || first_slice == Some(Kind::KeySlice)
}

/// Whether no other picture needs this one, so that it can be left out: H.264 says so of a picture, H.265
/// only of those of its own temporal layer, so it must be in the highest (see [`highest_layer`]).
pub fn is_disposable(codec: Codec, unit: &[u8], highest_layer: u8) -> bool {
    let mut slices = split(head(unit)).filter(|nal| matches!(kind(codec, nal), Kind::Slice | Kind::KeySlice));
    match (codec, slices.next()) {
        // `nal_ref_idc`, the same in all slices of a picture.
        (Codec::H264, Some([header, ..])) => header & 0x60 == 0,
        // Types up to 14 with even numbers are "sub-layer non-reference pictures".
        (Codec::H265, Some([header, layer, ..])) => {
            let kind = header >> 1 & 0x3f;
            kind <= 14 && kind % 2 == 0 && (layer & 7) > highest_layer
        }
        _ => false,
    }
}

/// The highest temporal layer that the sequence parameter set in `unit` allows for; 0 is the lowest. H.265
/// only: `None` for others, and where there is no such set.
pub fn highest_layer(codec: Codec, unit: &[u8]) -> Option<u8> {
    let mut sets = split(head(unit)).filter(|nal| kind(codec, nal) == Kind::SequenceParameters);
    let set = sets.next().filter(|_| codec == Codec::H265)?;
    Some(set.get(2)? >> 1 & 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = &[0, 0, 0, 1, 9, 16, 0, 0, 1, 0x65, 1, 2, 0, 0, 1, 0x65, 3];

    #[test]
    fn units_are_cut_at_short_and_long_start_codes() {
        let nals: Vec<_> = split(KEY).collect();
        assert_eq!(nals, [&[9, 16][..], &[0x65, 1, 2], &[0x65, 3]]);
    }

    #[test]
    fn rubbish_has_no_units() {
        for rubbish in [&[][..], &[0, 0], &[0, 0, 1], &[1, 1, 1], &[0, 0, 1, 0, 0, 1, 0]] {
            assert_eq!(split(rubbish).count(), 0, "{rubbish:?}");
        }
    }

    #[test]
    fn key_frame_is_told_from_its_first_slice() {
        assert!(is_key(Codec::H264, KEY));
        assert!(!is_key(Codec::H264, &[0, 0, 1, 0x41, 1]));
        assert!(is_key(Codec::H265, &[0, 0, 1, 0x2a, 1, 7]));
        assert!(!is_key(Codec::H265, &[0, 0, 1, 0x02, 1, 7]));
    }

    #[test]
    fn only_pictures_that_none_needs_are_disposable() {
        assert!(is_disposable(Codec::H264, &[0, 0, 1, 9, 16, 0, 0, 1, 0x01, 1], 0));
        assert!(!is_disposable(Codec::H264, &[0, 0, 1, 0x41, 1], 0));
        assert!(!is_disposable(Codec::H264, KEY, 0));
        // TRAIL_N and TRAIL_R of the lowest layer, TSA_N of the second; without a slice.
        let lowest = [0, 0, 1, 0x00, 1, 7];
        assert!(is_disposable(Codec::H265, &lowest, 0));
        assert!(!is_disposable(Codec::H265, &lowest, 1), "the layer above may need it");
        assert!(!is_disposable(Codec::H265, &[0, 0, 1, 0x02, 1, 7], 0));
        assert!(is_disposable(Codec::H265, &[0, 0, 1, 0x04, 2, 7], 1));
        assert!(!is_disposable(Codec::H265, &[0, 0, 1, 0x4e, 1, 7], 0));
        assert_eq!(highest_layer(Codec::H265, &[0, 0, 1, 0x42, 1, 0x05, 9]), Some(2));
        assert_eq!(highest_layer(Codec::H264, KEY), None);
    }

    #[test]
    fn key_frame_without_parameter_sets_is_completed_behind_its_delimiter() {
        let mut sets = ParameterSets::new(Codec::H264);
        assert!(sets.learn(&[0, 0, 0, 1, 0x68, 0x80, 0, 0, 0, 1, 0x67, 7]));
        assert!(!sets.learn(KEY));
        let whole = sets.complete(KEY);
        let kinds: Vec<_> = split(&whole).map(|nal| nal[0]).collect();
        assert_eq!(kinds, [9, 0x67, 0x68, 0x65, 0x65]);
        assert!(ParameterSets::new(Codec::H264).learn(&whole));
    }

    #[test]
    fn changed_sequence_parameters_replace_the_old_ones() {
        let mut sets = ParameterSets::new(Codec::H264);
        sets.learn(&[0, 0, 1, 0x67, 7, 0, 0, 1, 0x68, 0x80]);
        sets.learn(&[0, 0, 1, 0x67, 8, 0, 0, 1, 0x68, 0x40]);
        assert_eq!(sets.sequence(), Some(&[0x67, 8][..]));
        assert_eq!(sets.sets.len(), 3, "two picture parameter sets with different numbers");
    }
}
