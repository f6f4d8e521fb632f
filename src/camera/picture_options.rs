//! How a camera's picture is shown: its shape, the part that is seen, and which way up.

/// How the picture of every stream of a camera is shown. It is cut, then mirrored, then turned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PictureOptions {
    pub aspect: Aspect,
    /// What is cut off at the left, top, right and bottom edge, in thousandths of the whole width or
    /// height. At least a tenth of each is left.
    pub crop: [u16; 4],
    pub mirror: Mirror,
    /// How often it is turned clockwise by 90 degrees, 0 to 3.
    pub quarter_turns: u8,
}

/// The shape of the whole picture, before anything is cut off or turned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aspect {
    /// That of the main stream, also for the small one: both show the same.
    #[default]
    Main,
    /// Each stream as it says.
    Stream,
    /// Width to height.
    Ratio(u16, u16),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mirror {
    #[default]
    None,
    /// Left and right change places.
    Horizontal,
    /// Top and bottom change places.
    Vertical,
}
