//! Scenarios in networks of their own, made of namespaces: multicast, moved addresses, pulled cables.

// Helpers of a test panic as the test does.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod cable;
mod discovery_on_the_wire;
mod https;
mod multicast;
mod users;
mod virtual_network;
