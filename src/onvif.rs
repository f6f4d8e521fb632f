//! One ONVIF device: its clock, profiles and stream URIs.

pub mod address;
pub mod answers;
pub mod challenge;
pub mod clock;
pub mod digest;
pub mod login;
pub mod reply;
pub mod soap;
pub mod token;
pub mod xml;
