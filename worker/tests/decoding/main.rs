//! Tests with clips that FFmpeg's encoders make: what the worker shows of them, and what it does not.

// Helpers of a test panic as the test does.
#![allow(clippy::unwrap_used)]

#[path = "../../../tests/support/clip.rs"]
mod clip;
#[path = "../../../tests/support/elf.rs"]
mod elf;
#[path = "../../../tests/support/mark.rs"]
mod mark;
#[path = "../../../tests/support/without.rs"]
mod without;

mod boxed;
mod colours;
mod corrupt_frames;
mod joining;
mod load_shedding;
mod marked;
mod process;
mod shape;
mod turned;
