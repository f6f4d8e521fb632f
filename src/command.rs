//! What a person types.

pub mod check;
