//! One ONVIF device: its clock, profiles and stream URIs.

pub mod challenge;
pub mod clock;
pub mod digest;
pub mod reply;
pub mod token;
pub mod xml;
