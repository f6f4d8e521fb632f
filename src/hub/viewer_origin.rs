//! Whose viewers have a share of a stream's renditions together.

/// Where a viewer comes from. The hub knows no addresses: the keys are made by those who do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewerOrigin {
    /// This machine's own screen: no share bounds it, and its pictures come first.
    Own,
    /// All viewers with the same key have one share.
    Elsewhere(u128),
}
