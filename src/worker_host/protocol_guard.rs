//! Checks what a worker sends. A worker that crashed halfway, or was taken over by what a camera
//! sent, must not be trusted and must not keep the agent busy.

use std::time::{Duration, Instant};

use crate::{
    ipc::{FromWorker, UnitAsPicture},
    rate_window::RateWindow,
};

/// Messages and their bytes are counted in windows of this length.
const WINDOW: Duration = Duration::from_secs(1);

/// Maximum number of messages in one window. 16 renditions and the stream itself at 60 frames per
/// second are 1020; a network that held a stream back can deliver as many again at once.
const MAX_MESSAGES: u64 = 5000;

/// Maximum number of bytes in one window: four times what a camera sends through 1 Gbit/s.
const MAX_BYTES: u64 = 512 << 20;

/// A message that no working worker sends.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ProtocolViolation {
    /// A frame before the stream's description.
    #[error("a frame of a stream it has not described")]
    Undescribed,
    /// A frame with the wrong sequence number.
    #[error("frame {sequence} where {expected} was due")]
    OutOfTurn { sequence: u32, expected: u32 },
    /// A picture of another frame than the last one.
    #[error("frame {sequence} as a picture, which is not the last it sent")]
    NotSent { sequence: u32 },
    /// A frame or picture without bytes.
    #[error("a frame without data")]
    Empty,
    /// More than [`MAX_MESSAGES`] or [`MAX_BYTES`] in [`WINDOW`].
    #[error("more messages than any camera makes")]
    Flood,
}

/// Checks the messages of one worker.
pub struct ProtocolGuard {
    next_sequence: u32,
    described: bool,
    /// Whether a frame was sent.
    sent: bool,
    messages: RateWindow,
    bytes: RateWindow,
}

impl ProtocolGuard {
    /// Checks a worker whose first frame must have `first_sequence`.
    pub fn new(first_sequence: u32) -> Self {
        Self {
            next_sequence: first_sequence,
            described: false,
            sent: false,
            messages: RateWindow::new(WINDOW),
            bytes: RateWindow::new(WINDOW),
        }
    }

    /// Checks the next message.
    ///
    /// # Errors
    /// Why the worker can no longer be trusted.
    pub fn check(&mut self, message: &FromWorker, now: Instant) -> Result<(), ProtocolViolation> {
        let data = match message {
            FromWorker::Unit(unit) => Some(&unit.data),
            FromWorker::Picture(picture) => Some(&picture.jpeg),
            FromWorker::Stream(_) | FromWorker::UnitAsPicture(_) | FromWorker::Decoding(_) | FromWorker::Failed(_) => {
                None
            }
        };
        self.count(data.map_or(0, |data| data.len()), now)?;
        if data.is_some_and(|data| data.is_empty()) {
            return Err(ProtocolViolation::Empty);
        }
        match message {
            FromWorker::Stream(_) => self.described = true,
            FromWorker::Unit(_) if !self.described => return Err(ProtocolViolation::Undescribed),
            FromWorker::Unit(unit) if unit.sequence != self.next_sequence => {
                return Err(ProtocolViolation::OutOfTurn { sequence: unit.sequence, expected: self.next_sequence });
            }
            FromWorker::Unit(_) => {
                self.sent = true;
                self.next_sequence = self.next_sequence.wrapping_add(1);
            }
            FromWorker::UnitAsPicture(UnitAsPicture { sequence, .. })
                if !self.sent || sequence.wrapping_add(1) != self.next_sequence =>
            {
                return Err(ProtocolViolation::NotSent { sequence: *sequence });
            }
            FromWorker::Picture(_) | FromWorker::UnitAsPicture(_) | FromWorker::Decoding(_) | FromWorker::Failed(_) => {
            }
        }
        Ok(())
    }

    fn count(&mut self, bytes: usize, now: Instant) -> Result<(), ProtocolViolation> {
        let messages = self.messages.add(1, now);
        let bytes = self.bytes.add(bytes as u64, now);
        if messages > MAX_MESSAGES || bytes > MAX_BYTES { Err(ProtocolViolation::Flood) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{AccessUnit, Codec, Rendition, SampleAspect, Size, StreamInfo};

    const STREAM: FromWorker = FromWorker::Stream(StreamInfo {
        codec: Codec::H264,
        codec_config: None,
        size: Size { width: 64, height: 36 },
        sample_aspect: SampleAspect::SQUARE,
        fps: 25.0,
    });

    fn unit(sequence: u32, bytes: usize) -> FromWorker {
        FromWorker::Unit(AccessUnit { sequence, taken: 0, key: true, data: vec![0; bytes].into() })
    }

    #[test]
    fn frames_come_in_their_order_after_the_description() {
        let (mut protocol_guard, now) = (ProtocolGuard::new(u32::MAX), Instant::now());
        assert_eq!(protocol_guard.check(&unit(u32::MAX, 1), now), Err(ProtocolViolation::Undescribed));
        assert_eq!(protocol_guard.check(&STREAM, now), Ok(()));
        assert_eq!(protocol_guard.check(&unit(u32::MAX, 1), now), Ok(()));
        assert_eq!(protocol_guard.check(&unit(0, 1), now), Ok(()), "they wrap");
        assert_eq!(
            protocol_guard.check(&unit(2, 1), now),
            Err(ProtocolViolation::OutOfTurn { sequence: 2, expected: 1 })
        );
        assert_eq!(protocol_guard.check(&unit(1, 0), now), Err(ProtocolViolation::Empty));
    }

    #[test]
    fn untouched_picture_is_the_last_frame_and_no_other() {
        let (mut protocol_guard, now) = (ProtocolGuard::new(0), Instant::now());
        let rendition = Rendition { size: Size { width: 64, height: 36 }, quality: 80, fps: 25 };
        let untouched = |sequence| FromWorker::UnitAsPicture(UnitAsPicture { rendition, sequence });
        protocol_guard.check(&STREAM, now).unwrap();
        assert_eq!(
            protocol_guard.check(&untouched(u32::MAX), now),
            Err(ProtocolViolation::NotSent { sequence: u32::MAX })
        );
        protocol_guard.check(&unit(0, 1), now).unwrap();
        assert_eq!(protocol_guard.check(&untouched(0), now), Ok(()));
        protocol_guard.check(&unit(1, 1), now).unwrap();
        assert_eq!(protocol_guard.check(&untouched(0), now), Err(ProtocolViolation::NotSent { sequence: 0 }));
    }

    #[test]
    fn flood_of_messages_is_a_breach_and_a_busy_stream_is_not() {
        let (mut protocol_guard, start) = (ProtocolGuard::new(0), Instant::now());
        for number in 0..20 * 1020_u64 {
            let now = start + Duration::from_micros(number * 1_000_000 / 1020);
            assert_eq!(protocol_guard.check(&STREAM, now), Ok(()), "message {number}");
        }
        let now = start + Duration::from_secs(30);
        let passed = (0..=MAX_MESSAGES).take_while(|_| protocol_guard.check(&STREAM, now).is_ok()).count();
        assert_eq!(passed as u64, MAX_MESSAGES);
        assert_eq!(protocol_guard.check(&STREAM, now + WINDOW), Ok(()));
    }

    #[test]
    fn flood_of_bytes_is_a_breach() {
        let (mut protocol_guard, now) = (ProtocolGuard::new(0), Instant::now());
        protocol_guard.check(&STREAM, now).unwrap();
        let large = 16 << 20;
        let passed = (0..99).take_while(|&number| protocol_guard.check(&unit(number, large), now).is_ok()).count();
        assert_eq!(passed as u64, MAX_BYTES / large as u64);
    }
}
