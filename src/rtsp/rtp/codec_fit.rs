//! Notices that the camera sends another codec than it announced, as after a change of its settings.

use std::time::{Duration, Instant};

use super::nal_class::{Dropped, NalClass};
use crate::media::Codec;

/// For this long hardly anything fits.
const MISFIT_TIME: Duration = Duration::from_secs(2);

/// Counts NAL units since the last whole access unit.
#[derive(Clone, Debug, Default)]
pub struct CodecFit {
    since: Option<Instant>,
    fits: u32,
    misfits: u32,
}

impl CodecFit {
    /// Counts a NAL unit by its class and its first byte. Returns whether most of them have types that this codec does
    /// not use, for two seconds; then it counts anew.
    pub fn is_another_codec(&mut self, codec: Codec, class: NalClass, header: u8, received_at: Instant) -> bool {
        // Data partitions (2 to 4) belong to the Extended profile of H.264, which no camera uses; parameter sets and
        // pictures of H.265 look like them.
        let is_partition = codec == Codec::H264 && matches!(header & 0x1f, 2..=4);
        let fits = !matches!(class, NalClass::Dropped(Dropped::Unfit | Dropped::Layer)) && !is_partition;
        let counter = if fits { &mut self.fits } else { &mut self.misfits };
        *counter = counter.saturating_add(1);
        let since = *self.since.get_or_insert(received_at);
        let is_over = received_at.saturating_duration_since(since) >= MISFIT_TIME;
        let is_another = is_over && self.misfits > self.fits;
        if is_over {
            *self = Self { since: Some(received_at), ..Self::default() };
        }
        is_another
    }
}
