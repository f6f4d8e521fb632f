//! The child process: the only place where bytes from the network meet OpenCV and FFmpeg.

pub mod bits;
pub mod colour;
pub mod darkroom;
pub mod decoder;
pub mod encoder;
pub mod group;
pub mod jpeg;
pub mod nal;
pub mod pace;
pub mod parameter_sets;
pub mod planes;
