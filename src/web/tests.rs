//! The web room over real sockets on loopback, its lanes fed by the test.

mod gate;
mod hostile;
mod motion;
mod pages;
mod scene;
mod sockets;
mod units;
