//! Finding cameras: who is on the network, and where a known camera is now.
//!
//! [`Search`] asks, by WS-Discovery ([`wsd`]) and SSDP ([`ssdp`]), on every interface; [`listen`] hears
//! what devices announce by themselves. Both give [`Sighting`]s. Datagrams come from anybody, so all of
//! a sighting is hearsay: it says where to ask, and the device itself, asked by ONVIF, says who it is.
//! Nothing here knows a password.

mod album;
pub mod description;
mod desk;
mod gate;
mod identity;
mod interfaces;
mod listen;
mod scopes;
mod search;
mod sighting;
pub mod ssdp;
pub mod wsd;
mod xaddr;

pub use self::{
    description::Description,
    identity::{Identity, Mac},
    interfaces::{Place, Subnet, places},
    listen::{Event, Hint, listen},
    scopes::Scopes,
    search::{Findings, Limits, Search},
    sighting::{How, Sighting, Wanted},
    xaddr::{DEVICE_PATH, Origin, XAddr},
};
