//! One scenario for each way in which a camera can fail: what the wall says, how soon, and that it
//! recovers.

#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod absence;
mod cable;
mod changes;
mod crowd;
mod login;
mod on_the_wire;
mod player;
mod rubbish;
mod scenario;
mod silence;
