//! One camera's pictures for one viewer: live JPEGs, or the card while there is none.

pub mod card_cache;
pub mod frame;
pub mod frame_limiter;
pub mod jpeg_feed;
pub mod kept_picture;
pub mod mjpeg;
pub mod named_viewers;
pub mod snapshot;
pub mod sound;
pub mod wanted;
