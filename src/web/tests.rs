//! The web server over real sockets on loopback; the tests feed its streams.

mod call_ups;
mod gate;
mod hostile;
mod kept_pictures;
mod motion;
mod pages;
mod principals;
mod ptz;
mod scene;
mod sockets;
mod tls;
mod units;
