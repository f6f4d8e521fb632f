//! Values of a key that a function of its own reads.

use toml::de::DeValue;

use super::key::{Shape, Values};

/// What a function of its own reads.
pub(super) struct Parsed<T: 'static> {
    /// The correct values, in words.
    pub(super) right: &'static str,
    /// A correct value as it is written in the file.
    pub(super) example: &'static str,
    /// `None`: the value is not correct.
    pub(super) parse: fn(&DeValue<'_>) -> Option<T>,
}

// Derived, it would ask for a `T` that can be copied.
impl<T> Clone for Parsed<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Parsed<T> {}

impl<T> Values for Parsed<T> {
    fn shape(&self) -> Shape {
        let Self { right, example, .. } = self;
        Shape::Parsed { right, example }
    }
}
