//! Reads H.264 and H.265 bitstreams as far as the worker needs it: NAL unit headers and sequence parameter sets.
//!
//! Names and section numbers are those of ITU-T H.264 and ITU-T H.265.

pub mod bit_reader;
pub mod nal;
pub mod sps;
