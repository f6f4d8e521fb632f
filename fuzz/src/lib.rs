//! The rooms of cctv-agent that read what strangers send, built for the fuzzer.
//!
//! They are the very files of the project, without those rooms that need OpenCV; [`readers`] says what
//! must hold for any input. `scripts/fuzz` runs the targets, `tests/corpus.rs` feeds their seeds to the
//! same functions on every test run.

// The rooms and the readers call each other by the name of the crate.
extern crate self as cctv_agent;

// The folder stands at the module, so that the files below find their own subfolders.
#[path = "../../src"]
mod rooms {
    pub mod camera;
    pub mod config;
    pub mod discovery;
    pub mod http_client;
    pub mod ipc;
    pub mod media;
    pub mod onvif;
    pub mod sync;
    pub mod text;
    pub mod time;
    pub mod xml;
}

pub mod readers;

pub use rooms::*;
