//! cctv-agent shows IP cameras as a live wall in a browser, and never lets an old picture pass for a
//! live one. This is the map; `docs/architecture.md` tells how the modules work together.
//!
//! A room uses only rooms on lower floors; `tests/layering.rs` enforces it.

// Floor 0
pub mod camera;
pub mod media;
pub mod text;
pub mod time;
pub mod xml;

// Floor 1
pub mod card;
pub mod config;
pub mod http_client;
pub mod hub;
pub mod ipc;
pub mod log;
pub mod store;
pub mod sys;

// Floor 2, strangers to each other
pub mod discovery;
pub mod onvif;
pub mod web;
pub mod worker;
pub mod worker_host;

// Floor 3
pub mod agent;
pub mod command;
