//! cctv-agent shows IP cameras as a live wall in a browser, and never lets an old picture pass for a
//! live one. This is the map; `docs/architecture.md` tells how the modules work together.
//!
//! A room uses only rooms on lower floors; `tests/house.rs` enforces it.

// Floor 0
pub mod camera;
pub mod deadline;
pub mod media;
pub mod text;
pub mod xml;

// Floor 1
pub mod card;
pub mod config;
pub mod http;
pub mod hub;
pub mod log;
pub mod state;
pub mod unix;
pub mod wire;

// Floor 2, strangers to each other
pub mod capture;
pub mod discovery;
pub mod onvif;
pub mod web;
pub mod worker;

// Floor 3
pub mod agent;
pub mod command;
