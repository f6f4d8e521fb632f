//! What is done to a camera's picture before it is shown: a part of it is cut out, and that part is
//! mirrored and turned, in this order.

/// Part of a side that a crop leaves at least, in thousandths.
pub const MIN_VISIBLE: u16 = 100;

/// What is done to the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Transform {
    pub crop: Crop,
    /// Left and right change places, before it is turned.
    pub mirrored: bool,
    /// How often it is turned clockwise by 90 degrees, 0 to 3.
    pub quarter_turns: u8,
}

/// What is cut off at each edge of the picture as the camera sends it, in thousandths of its width or
/// height.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Crop {
    pub left: u16,
    pub top: u16,
    pub right: u16,
    pub bottom: u16,
}

impl From<[u16; 4]> for Crop {
    /// Of left, top, right and bottom.
    fn from([left, top, right, bottom]: [u16; 4]) -> Self {
        Self { left, top, right, bottom }
    }
}

impl Crop {
    pub const NONE: Self = Self { left: 0, top: 0, right: 0, bottom: 0 };

    /// Whether it leaves at least [`MIN_VISIBLE`] of each side.
    pub fn is_valid(self) -> bool {
        let leaves_enough = |one: u16, other: u16| u32::from(one) + u32::from(other) + u32::from(MIN_VISIBLE) <= 1000;
        leaves_enough(self.left, self.right) && leaves_enough(self.top, self.bottom)
    }
}

impl Transform {
    /// The picture is shown as the camera sends it.
    pub const NONE: Self = Self { crop: Crop::NONE, mirrored: false, quarter_turns: 0 };

    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// The direction in the picture as the camera sends it that is `direction` in the one that people see; right and
    /// up count positive.
    pub fn direction_in_source(self, direction: [f32; 2]) -> [f32; 2] {
        let turned_back = |[x, y]: [f32; 2]| [-y, x];
        let [x, y] = (0..self.quarter_turns % 4).fold(direction, |direction, _| turned_back(direction));
        // Zero has no sign.
        [if self.mirrored { -x } else { x } + 0.0, y + 0.0]
    }

    /// Whether the picture is neither mirrored nor turned.
    pub fn is_upright(self) -> bool {
        !self.mirrored && self.quarter_turns == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn direction_is_that_of_the_picture_that_people_see() {
        let (right, up) = ([1.0, 0.0], [0.0, 1.0]);
        let (left, down) = ([-1.0, 0.0], [0.0, -1.0]);
        let shown = |mirrored, quarter_turns| Transform { mirrored, quarter_turns, ..Transform::NONE };
        for (transform, of_right, of_up) in [
            (shown(false, 0), right, up),
            // What the camera has above is on the right then.
            (shown(false, 1), up, left),
            (shown(false, 2), left, down),
            (shown(false, 3), down, right),
            (shown(true, 0), left, up),
            (shown(true, 1), up, right),
            (shown(true, 2), right, down),
            (shown(true, 3), down, left),
        ] {
            assert_eq!(transform.direction_in_source(right), of_right, "{transform:?}");
            assert_eq!(transform.direction_in_source(up), of_up, "{transform:?}");
        }
    }

    #[test]
    fn crop_leaves_a_tenth() {
        assert!(Crop::from([450, 0, 450, 900]).is_valid());
        assert!(!Crop::from([451, 0, 450, 0]).is_valid());
        assert!(!Crop::from([0, u16::MAX, 0, u16::MAX]).is_valid());
    }
}
