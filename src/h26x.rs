//! Reads H.264 and H.265 bitstreams as far as the program needs it: NAL unit headers, parameter sets and recovery
//! points; and the headers of MPEG-4 part 2.
//!
//! Field names and section numbers are those of ITU-T H.264 and ITU-T H.265. Each function that reads fields
//! names the section of its syntax table.

pub mod bit_reader;
pub mod nal;
pub mod parameter_sets;
pub mod sei;
pub mod sps;
pub mod vui;
