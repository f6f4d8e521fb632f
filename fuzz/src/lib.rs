//! The modules of cctv-agent that parse untrusted input, built for the fuzzer.
//!
//! They are the project's own files, without the rest of the agent; [`readers`] states what must
//! hold for any input. `scripts/fuzz` runs the targets, `tests/corpus.rs` feeds their seeds to
//! the same functions on every test run.

// The modules and the readers refer to each other by the name of the crate.
extern crate self as cctv_agent;

// The path is set on the module, so that the files below find their own subfolders.
#[path = "../../src"]
mod modules {
    pub mod account;
    pub mod camera;
    pub mod config;
    pub mod device_id;
    pub mod discovery;
    pub mod disk;
    pub mod event;
    pub mod h26x;
    pub mod http_auth;
    pub mod http_client;
    pub mod ipc;
    pub mod media;
    pub mod onvif;
    pub mod proc;
    pub mod rate_window;
    pub mod reactor;
    pub mod rtsp;
    pub mod sandbox;
    pub mod sound;
    pub mod sync;
    pub mod tcp;
    pub mod text;
    pub mod time;
    pub mod tls;
    pub mod uri;
    pub mod xml;
}

/// Of `http_jpeg` only what parses.
#[path = "../../src/http_jpeg"]
pub mod http_jpeg {
    pub mod multipart;
    pub mod picture_age;
}

/// Of `web` only what a connection meets before its first request is understood.
#[path = "../../src/web"]
pub mod web {
    pub mod limits;

    pub mod http {
        pub mod forwarded;
        pub mod metadata;
        pub mod request_head;
        pub mod response;
        pub mod throughput;
        pub mod timeout_socket;
    }

    pub use http::{request_head, timeout_socket};
    pub use limits::Limits;
}

pub mod readers;

pub use modules::*;
