//! cctv-agent shows IP cameras as a live wall in a browser. A picture that is not live never looks
//! live. This file lists the modules; `docs/architecture.md` describes how they work together.
//!
//! A module uses only modules of lower layers; `tests/pure/layering.rs` enforces this.

// Layer 0
pub mod account;
pub mod camera;
pub mod device_id;
pub mod disk;
pub mod event;
pub mod media;
pub mod proc;
pub mod rate_window;
pub mod sandbox;
pub mod sync;
pub mod text;
pub mod time;
pub mod uri;
pub mod xml;

// Layer 1
pub mod call_ups;
pub mod card;
pub mod config;
pub mod h26x;
pub mod http_auth;
pub mod http_client;
pub mod hub;
pub mod ipc;
pub mod local_time;
pub mod log;
pub mod ptz;
pub mod reactor;
pub mod sound;
pub mod store;
pub mod sys;
pub mod tcp;
pub mod tls;
pub mod users;

// Layer 2: these modules do not use each other
pub mod discovery;
pub mod http_jpeg;
pub mod mqtt;
pub mod onvif;
pub mod rtsp;
pub mod web;
pub mod worker_host;

// Layer 3
pub mod agent;
pub mod command;
