//! Checks what a worker sends. A worker that crashed halfway, or was taken over by what a camera
//! sent, must not be trusted and must not keep the agent busy.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    ipc::{FromWorker, UnitAsPicture},
    media::{AccessUnit, UnixMicros},
    rate_window::RateWindow,
};

/// Messages and their bytes are counted in windows of this length.
const WINDOW: Duration = Duration::from_secs(1);

/// Maximum number of messages in one window. 16 renditions and the stream itself at 60 frames per
/// second are 1020; a network that held a stream back can deliver as many again at once.
const MAX_MESSAGES: u64 = 5000;

/// Maximum number of bytes in one window: four times what a camera sends through 1 Gbit/s.
const MAX_BYTES: u64 = 512 << 20;

/// Maximum number of units whose pictures are awaited. A worker may keep more, but it shows none that
/// came more than a second before the newest.
const MAX_AWAITED: usize = 1024;

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
    /// A stream or frame from a worker that only decodes.
    #[error("a stream, though it reads none")]
    Unread,
    /// A picture of no unit that a decoding worker was fed lately.
    #[error("a picture of frame {sequence}, which it was not given")]
    NotFed { sequence: u32 },
    /// A word about its sandbox that was not its first message.
    #[error("what its sandbox is, after it began to work")]
    LateSandbox,
    /// A frame or picture without bytes.
    #[error("a frame without data")]
    Empty,
    /// More than [`MAX_MESSAGES`] or [`MAX_BYTES`] in [`WINDOW`].
    #[error("more messages than any camera makes")]
    Flood,
}

/// Checks the messages of one worker.
pub struct ProtocolGuard {
    mode: Mode,
    /// A message has come.
    has_begun: bool,
    messages: RateWindow,
    bytes: RateWindow,
}

/// What the worker does, and how far it has come.
enum Mode {
    Reader {
        next_sequence: u32,
        described: bool,
        /// Whether a frame was sent.
        sent: bool,
    },
    /// The units that it was fed lately, oldest first.
    Decoder { fed: VecDeque<(u32, UnixMicros)> },
}

impl ProtocolGuard {
    /// Checks a worker that reads a stream, and whose first frame must have `first_sequence`.
    pub fn reader(first_sequence: u32) -> Self {
        Self::new(Mode::Reader { next_sequence: first_sequence, described: false, sent: false })
    }

    /// Checks a worker that decodes the units of which [`ProtocolGuard::fed`] is told.
    pub fn decoder() -> Self {
        Self::new(Mode::Decoder { fed: VecDeque::new() })
    }

    fn new(mode: Mode) -> Self {
        Self { mode, has_begun: false, messages: RateWindow::new(WINDOW), bytes: RateWindow::new(WINDOW) }
    }

    /// The worker is given `unit`, and may send pictures of it.
    pub fn fed(&mut self, unit: &AccessUnit) {
        if let Mode::Decoder { fed } = &mut self.mode {
            if fed.len() == MAX_AWAITED {
                fed.pop_front();
            }
            fed.push_back((unit.sequence, unit.taken));
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
            FromWorker::Sandbox(_)
            | FromWorker::Stream(_)
            | FromWorker::UnitAsPicture(_)
            | FromWorker::Decoding(_)
            | FromWorker::Progress(_)
            | FromWorker::Failed(_) => None,
        };
        self.count(data.map_or(0, |data| data.len()), now)?;
        if data.is_some_and(|data| data.is_empty()) {
            return Err(ProtocolViolation::Empty);
        }
        let has_begun = std::mem::replace(&mut self.has_begun, true);
        if has_begun && matches!(message, FromWorker::Sandbox(_)) {
            return Err(ProtocolViolation::LateSandbox);
        }
        self.mode.check(message)
    }

    fn count(&mut self, bytes: usize, now: Instant) -> Result<(), ProtocolViolation> {
        let messages = self.messages.add(1, now);
        let bytes = self.bytes.add(bytes as u64, now);
        if messages > MAX_MESSAGES || bytes > MAX_BYTES { Err(ProtocolViolation::Flood) } else { Ok(()) }
    }
}

impl Mode {
    /// Checks whether this worker may send `message` now.
    fn check(&mut self, message: &FromWorker) -> Result<(), ProtocolViolation> {
        match self {
            Self::Reader { next_sequence, described, sent } => match message {
                FromWorker::Stream(_) => *described = true,
                FromWorker::Unit(_) if !*described => return Err(ProtocolViolation::Undescribed),
                FromWorker::Unit(unit) if unit.sequence != *next_sequence => {
                    return Err(ProtocolViolation::OutOfTurn { sequence: unit.sequence, expected: *next_sequence });
                }
                FromWorker::Unit(_) => {
                    *sent = true;
                    *next_sequence = next_sequence.wrapping_add(1);
                }
                FromWorker::UnitAsPicture(UnitAsPicture { sequence, .. })
                    if !*sent || sequence.wrapping_add(1) != *next_sequence =>
                {
                    return Err(ProtocolViolation::NotSent { sequence: *sequence });
                }
                FromWorker::Sandbox(_)
                | FromWorker::Picture(_)
                | FromWorker::UnitAsPicture(_)
                | FromWorker::Decoding(_)
                | FromWorker::Progress(_)
                | FromWorker::Failed(_) => {}
            },
            Self::Decoder { fed } => match message {
                FromWorker::Stream(_) | FromWorker::Unit(_) | FromWorker::UnitAsPicture(_) => {
                    return Err(ProtocolViolation::Unread);
                }
                // Its time as well: a picture must not look newer than it is.
                FromWorker::Picture(picture)
                    if !fed.iter().rev().any(|unit| *unit == (picture.sequence, picture.taken)) =>
                {
                    return Err(ProtocolViolation::NotFed { sequence: picture.sequence });
                }
                FromWorker::Sandbox(_)
                | FromWorker::Picture(_)
                | FromWorker::Decoding(_)
                | FromWorker::Progress(_)
                | FromWorker::Failed(_) => {}
            },
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        media::{Codec, Picture, Rendition, SampleAspect, Size, StreamInfo, transform::Transform},
        sandbox::Sandbox,
    };

    const STREAM: FromWorker = FromWorker::Stream(StreamInfo {
        codec: Codec::H264,
        codec_config: None,
        size: Size { width: 64, height: 36 },
        sample_aspect: SampleAspect::SQUARE,
        transform: Transform::NONE,
        fps: 25.0,
    });

    fn unit(sequence: u32, bytes: usize) -> FromWorker {
        FromWorker::Unit(AccessUnit { sequence, taken: 0, key: true, damage: None, data: vec![0; bytes].into() })
    }

    #[test]
    fn frames_come_in_their_order_after_the_description() {
        let (mut protocol_guard, now) = (ProtocolGuard::reader(u32::MAX), Instant::now());
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
        let (mut protocol_guard, now) = (ProtocolGuard::reader(0), Instant::now());
        let rendition =
            Rendition { size: Size { width: 64, height: 36 }, transform: Transform::NONE, quality: 80, fps: 25 };
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
    fn decoder_sends_pictures_of_what_it_was_fed_lately_and_nothing_else() {
        let (mut protocol_guard, now) = (ProtocolGuard::decoder(), Instant::now());
        let rendition =
            Rendition { size: Size { width: 64, height: 36 }, transform: Transform::NONE, quality: 80, fps: 25 };
        let picture =
            |sequence, taken| FromWorker::Picture(Picture { rendition, sequence, taken, jpeg: vec![7].into() });
        let fed = |sequence| AccessUnit { sequence, taken: 40, key: true, damage: None, data: vec![0].into() };
        assert_eq!(protocol_guard.check(&picture(7, 40), now), Err(ProtocolViolation::NotFed { sequence: 7 }));
        protocol_guard.fed(&fed(7));
        protocol_guard.fed(&fed(9));
        for sequence in [7, 9, 9] {
            assert_eq!(protocol_guard.check(&picture(sequence, 40), now), Ok(()));
        }
        assert_eq!(protocol_guard.check(&picture(8, 40), now), Err(ProtocolViolation::NotFed { sequence: 8 }));
        assert_eq!(protocol_guard.check(&picture(9, 41), now), Err(ProtocolViolation::NotFed { sequence: 9 }));
        (10..10 + 1023).for_each(|sequence| protocol_guard.fed(&fed(sequence)));
        assert_eq!(protocol_guard.check(&picture(9, 40), now), Ok(()));
        assert_eq!(protocol_guard.check(&picture(7, 40), now), Err(ProtocolViolation::NotFed { sequence: 7 }));
        assert_eq!(protocol_guard.check(&FromWorker::Decoding(true), now), Ok(()));
        let own = FromWorker::UnitAsPicture(UnitAsPicture { rendition, sequence: 9 });
        for message in [STREAM, unit(9, 1), own] {
            assert_eq!(protocol_guard.check(&message, now), Err(ProtocolViolation::Unread));
        }
    }

    #[test]
    fn sandbox_is_told_first_or_never() {
        let sandbox = FromWorker::Sandbox(Sandbox::new(|_| true));
        for mut protocol_guard in [ProtocolGuard::reader(0), ProtocolGuard::decoder()] {
            let now = Instant::now();
            assert_eq!(protocol_guard.check(&sandbox, now), Ok(()));
            assert_eq!(protocol_guard.check(&FromWorker::Decoding(true), now), Ok(()));
            assert_eq!(protocol_guard.check(&sandbox, now), Err(ProtocolViolation::LateSandbox));
        }
        let (mut protocol_guard, now) = (ProtocolGuard::decoder(), Instant::now());
        assert_eq!(protocol_guard.check(&FromWorker::Decoding(true), now), Ok(()));
        assert_eq!(protocol_guard.check(&sandbox, now), Err(ProtocolViolation::LateSandbox));
    }

    #[test]
    fn flood_of_messages_is_a_breach_and_a_busy_stream_is_not() {
        let (mut protocol_guard, start) = (ProtocolGuard::reader(0), Instant::now());
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
        let (mut protocol_guard, now) = (ProtocolGuard::reader(0), Instant::now());
        protocol_guard.check(&STREAM, now).unwrap();
        let large = 16 << 20;
        let passed = (0..99).take_while(|&number| protocol_guard.check(&unit(number, large), now).is_ok()).count();
        assert_eq!(passed as u64, MAX_BYTES / large as u64);
    }
}
