//! What is in progress between two packets: a NAL unit, and a gap before the next one.

use super::super::{
    nal_class::{self, NalClass},
    order::Gap,
};

/// Packets that are missing before the next NAL unit.
#[derive(Clone, Copy, Debug)]
pub struct PendingGap {
    pub gap: Gap,
    /// It broke a fragmented NAL unit, so at least one lost packet belongs to that unit.
    pub broke_fragment: bool,
}

impl PendingGap {
    pub fn is_one_packet(&self) -> bool {
        self.gap == Gap::Lost(1)
    }
}

/// The NAL unit in progress.
#[derive(Clone, Debug)]
pub struct OpenNal {
    /// Its first bytes, until it is known to which unit it belongs.
    pub head: [u8; nal_class::MAX_HEAD_LEN],
    pub head_len: usize,
    pub class: Option<NalClass>,
    /// Where it begins in [`Draft::data`], without start code.
    pub start: usize,
    /// Zero bytes at its end so far, at most 2.
    pub zeros: usize,
    pub is_fragmented: bool,
}
