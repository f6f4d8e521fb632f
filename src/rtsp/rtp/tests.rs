//! One test for each habit of cameras that is known, named by its number in the catalogue of habits (`r081_…`), and
//! properties that hold for any loss. All bytes are made here.

mod backlog;
mod codecs;
mod integrity;
mod jpeg;
mod packets;
mod properties;
mod reports;
mod sdp;
mod sequence;
mod support;
mod units;
