//! Which pictures of a decoder are right that began, or went on after missing units, with a key frame
//! that is none to a decoder: a recovery point, or an I picture of an open group.

use cctv_agent::{
    h26x::{nal, sei::recovery_point_of},
    media::{AccessUnit, Codec},
};

/// Follows the units that one decoder is given.
#[derive(Default)]
pub struct Recovery {
    /// Sequence number of the unit before.
    last: Option<u32>,
    /// Pictures to come that are not right yet.
    left: u32,
    /// No picture came out since an open group began: its first pictures may refer to what came before.
    is_open_group: bool,
}

impl Recovery {
    /// The decoder knows no picture, or not the right ones.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Takes the next unit.
    pub fn on_unit(&mut self, codec: Codec, unit: &AccessUnit, max_temporal_id: u8) {
        let last = self.last.replace(unit.sequence);
        let follows = last.is_some_and(|last| unit.sequence == last.wrapping_add(1));
        if !unit.key || follows {
            // `recovery_frame_cnt` counts frames to which others may refer.
            let counts = codec != Codec::H264 || !nal::is_disposable(codec, &unit.data, max_temporal_id);
            self.left = self.left.saturating_sub(u32::from(counts));
            return;
        }
        let joins = !nal::is_key(codec, &unit.data);
        self.left = if joins { recovery_point_of(codec, &unit.data).unwrap_or(0) } else { 0 };
        self.is_open_group = joins && self.left == 0;
    }

    /// A picture came out.
    pub fn on_picture(&mut self) {
        self.is_open_group = false;
    }

    /// Whether the picture of the last unit is not right: parts of it were never sent to this decoder.
    pub fn is_pending(&self) -> bool {
        self.left > 0
    }

    /// Whether the decoder may miss pictures to which those it is given refer. It leaves out itself what is not right
    /// in an open group.
    pub fn lacks_references(&self) -> bool {
        self.left > 0 || self.is_open_group
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    /// A P picture of H.264 with a recovery point of two frames, and without.
    const RECOVERY: &[u8] = &[0, 0, 1, 6, 6, 1, 0x60, 0x80, 0, 0, 1, 0x41, 0x9a, 7];
    const OPEN: &[u8] = &[0, 0, 1, 6, 6, 1, 0xc0, 0x80, 0, 0, 1, 0x41, 0x88, 7];
    const PICTURE: &[u8] = &[0, 0, 1, 0x41, 0x9a, 7];
    const SPARE: &[u8] = &[0, 0, 1, 0x01, 0x9a, 7];
    const IDR: &[u8] = &[0, 0, 1, 0x65, 0x88, 7];

    /// Whether the pictures of the units, which have these sequence numbers, are not right.
    fn pending(units: &[(u32, &[u8])]) -> Vec<bool> {
        let mut recovery = Recovery::default();
        let next = |&(sequence, data): &(u32, &[u8])| {
            let key = data == RECOVERY || data == IDR;
            let unit = AccessUnit { sequence, taken: 0, key, damage: None, data: data.to_vec().into() };
            recovery.on_unit(Codec::H264, &unit, 0);
            recovery.is_pending()
        };
        units.iter().map(next).collect()
    }

    #[test]
    fn pictures_are_right_once_all_was_refreshed() {
        let units = [(1, RECOVERY), (2, SPARE), (3, PICTURE), (4, PICTURE), (5, PICTURE)];
        assert_eq!(pending(&units), [true, true, true, false, false]);
    }

    #[test]
    fn decoder_that_goes_on_need_not_recover_but_one_that_missed_units_must() {
        assert_eq!(pending(&[(1, IDR), (2, RECOVERY), (3, PICTURE)]), [false; 3]);
        assert_eq!(pending(&[(1, IDR), (3, RECOVERY), (4, PICTURE), (5, PICTURE)]), [false, true, true, false]);
        assert_eq!(pending(&[(7, RECOVERY), (9, IDR)]), [true, false]);
    }

    #[test]
    fn open_group_lacks_references_until_its_first_picture() {
        let mut recovery = Recovery::default();
        let unit = AccessUnit { sequence: 1, taken: 0, key: true, damage: None, data: OPEN.to_vec().into() };
        recovery.on_unit(Codec::H264, &unit, 0);
        assert!(recovery.lacks_references() && !recovery.is_pending());
        recovery.on_picture();
        assert!(!recovery.lacks_references());
    }
}
