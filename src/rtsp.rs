//! Reads the streams of cameras by RTSP and RTP.
//!
//! - [`rtp`]: packets to access units.

pub mod rtp;
