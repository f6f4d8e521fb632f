//! Tests without an agent and without virtual cameras: rules of the source tree, and parts of the
//! library with input of the test's own.

// Helpers of a test panic as the test does.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod colours;
mod config_check;
mod corrupt_frames;
mod decoder_process;
mod dependencies;
mod layering;
mod load_shedding;
mod onvif;
mod onvif_recordings;
mod rtp_streams;
mod state_directory;
