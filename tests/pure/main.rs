//! Tests without an agent and without virtual cameras: rules of the source tree, and parts of the
//! library with input of the test's own.

// Helpers of a test panic as the test does.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod config_check;
mod dependencies;
mod kiosk_keyboard;
mod layering;
mod linked_libraries;
mod onvif;
mod onvif_recordings;
mod rtp_streams;
mod service_unit;
mod state_directory;
