//! The sizes of a picture before and after its [`Transform`].

use super::{
    Size,
    transform::{Crop, Transform},
};

/// A part of a picture, in samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    pub left: u32,
    pub top: u32,
    pub size: Size,
}

impl Crop {
    /// What is left of a picture of `size`. It begins at an even sample in each direction, because
    /// chroma has half as many, and has at least one sample. Pages and workers cut at the same place.
    pub fn visible(self, size: Size) -> Area {
        let (left, width) = visible_part(size.width, self.left, self.right);
        let (top, height) = visible_part(size.height, self.top, self.bottom);
        Area { left, top, size: Size { width, height } }
    }

    /// The size of a whole picture of which this crop leaves `visible`.
    pub fn whole(self, visible: Size) -> Size {
        let whole = |side: u32, one: u16, other: u16| {
            let left = 1000_u32.saturating_sub(u32::from(one) + u32::from(other)).max(1);
            (u64::from(side) * 1000).div_ceil(u64::from(left)) as u32
        };
        Size {
            width: whole(visible.width, self.left, self.right),
            height: whole(visible.height, self.top, self.bottom),
        }
    }
}

/// The first sample and the number of samples that are left of `side`.
fn visible_part(side: u32, before: u16, after: u16) -> (u32, u32) {
    // To the nearest even sample.
    let part = |permille: u16| (u64::from(side) * u64::from(permille) + 1000) as u32 / 2000 * 2;
    let first = part(before).min(side.saturating_sub(1) / 2 * 2);
    (first, side.saturating_sub(first).saturating_sub(part(after)).max(1))
}

impl Transform {
    /// A picture of this size after it was turned, or the other way round.
    pub fn turned(self, size: Size) -> Size {
        if self.quarter_turns % 2 == 1 { Size { width: size.height, height: size.width } } else { size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL_HD: Size = Size { width: 1920, height: 1080 };

    #[test]
    fn crop_begins_at_an_even_sample() {
        let visible = |edges, size| {
            let Area { left, top, size } = Crop::from(edges).visible(size);
            (left, top, size.width, size.height)
        };
        assert_eq!(visible([0; 4], FULL_HD), (0, 0, 1920, 1080));
        assert_eq!(visible([250, 100, 125, 0], FULL_HD), (480, 108, 1200, 972));
        // 1920 * 0.333 = 639.4 and 1080 * 0.1 = 108.
        assert_eq!(visible([333, 100, 0, 100], FULL_HD), (640, 108, 1280, 864));
        let odd = Size { width: 405, height: 719 };
        assert_eq!(visible([0; 4], odd), (0, 0, 405, 719));
        assert_eq!(visible([100, 0, 0, 500], odd), (40, 0, 365, 359));
        assert_eq!(visible([900, 900, 0, 0], Size { width: 1, height: 2 }), (0, 0, 1, 2));
    }

    #[test]
    fn whole_picture_is_as_large_as_its_part_needs() {
        let part = Size { width: 480, height: 270 };
        assert_eq!(Crop::from([250, 0, 250, 0]).whole(part), Size { width: 960, height: 270 });
        assert_eq!(Crop::NONE.whole(part), part);
    }

    #[test]
    fn quarter_turn_swaps_the_sides() {
        let sides = |quarter_turns| Transform { quarter_turns, ..Transform::NONE }.turned(FULL_HD);
        let high = Size { width: 1080, height: 1920 };
        assert_eq!([0, 1, 2, 3].map(sides), [FULL_HD, high, FULL_HD, high]);
    }
}
