//! When a decoder works with less care, because the processor has more to do than it can.
//!
//! Leaving out deblocking saves a sixth of decoding. Later frames build upon what is not quite right then,
//! until the next key frame. In a stream of many bits there was little to smooth: at 4 Mbit/s of 1080p25 small
//! pictures differ by 45 dB of PSNR from careful ones, less than by what JPEG loses; at 1 Mbit/s by 27, which is
//! seen. So only dense streams with frequent key frames are treated so, and only where it makes a difference.

use crate::media::UnixMicros;

/// Bits for each pixel, in hundredths, from which on a stream is dense: 3.1 Mbit/s for 1080p25.
const DENSE: u64 = 6;

/// Frames from one key frame to the next, at most.
const MAX_GROUP_LEN: u64 = 150;

/// Shorter groups tell nothing.
const MIN_GROUP: u64 = 5;

/// One late frame in so many is too much to do.
const LATE: u64 = 4;

/// For how long haste lasts at first before care is tried again, in microseconds; twice as long whenever that was
/// too early, up to [`MAX_LEN`].
const MIN_LEN: UnixMicros = 30_000_000;
const MAX_LEN: UnixMicros = 16 * MIN_LEN;

/// What is known of one stream's decoder.
pub struct LoadShedder {
    /// Groups begun since the decoder came into being.
    groups: u32,
    units: u64,
    late: u64,
    bytes: u64,
    /// Since when there is haste.
    since: Option<UnixMicros>,
    /// When haste ended last.
    ended: Option<UnixMicros>,
    lasts: UnixMicros,
}

impl Default for LoadShedder {
    fn default() -> Self {
        Self { groups: 0, units: 0, late: 0, bytes: 0, since: None, ended: None, lasts: MIN_LEN }
    }
}

impl LoadShedder {
    /// The next unit finds a decoder that has seen nothing: it will catch up first, which tells nothing.
    pub fn reset(&mut self) {
        self.groups = 0;
    }

    /// A unit goes to the decoder; `late`: after its time.
    pub fn note(&mut self, bytes: usize, late: bool) {
        self.units += 1;
        self.late += u64::from(late);
        self.bytes += bytes as u64;
    }

    /// A key frame of `pixels`, taken at `now`, comes next: whether the decoder from here on is to be a hasty one.
    pub fn judge(&mut self, now: UnixMicros, pixels: u64) -> bool {
        if self.groups >= 2 && self.units >= MIN_GROUP {
            let fits = self.units <= MAX_GROUP_LEN && self.bytes * 8 * 100 >= self.units * pixels * DENSE;
            self.conclude(now, self.late * LATE >= self.units, fits);
        }
        (self.units, self.late, self.bytes) = (0, 0, 0);
        self.groups = self.groups.saturating_add(1);
        self.since.is_some()
    }

    fn conclude(&mut self, now: UnixMicros, late: bool, fits: bool) {
        // A clock that was put back has waited long enough.
        let is_over = |began: UnixMicros| now < began || now - began >= self.lasts;
        match self.since {
            Some(since) if !fits || (!late && is_over(since)) => (self.since, self.ended) = (None, Some(now)),
            None if late && fits => {
                let too_early = self.ended.is_some_and(|ended| !is_over(ended));
                self.lasts = if too_early { MAX_LEN.min(2 * self.lasts) } else { MIN_LEN };
                self.since = Some(now);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIXELS: u64 = 1920 * 1080;
    /// 4 Mbit/s at 25 frames/s.
    const BYTES: usize = 20_000;

    struct Stream {
        load_shedding: LoadShedder,
        now: UnixMicros,
    }

    impl Stream {
        fn new() -> Self {
            Self { load_shedding: LoadShedder::default(), now: 1_700_000_000_000_000 }
        }

        /// A group of 2 s of which `late` frames were late; gives how the next one is to be decoded.
        fn decode_cursor(&mut self, units: u64, late: u64, bytes: usize) -> bool {
            for unit in 0..units {
                self.load_shedding.note(bytes, unit < late);
            }
            self.now += 2_000_000;
            self.load_shedding.judge(self.now, PIXELS)
        }

        /// Seconds until `without_loop_filter`, in groups of which `late` frames are late.
        fn until(&mut self, without_loop_filter: bool, late: u64) -> u64 {
            let began = self.now;
            assert!(
                (0..1000).any(|_| self.decode_cursor(50, late, BYTES) == without_loop_filter),
                "never {without_loop_filter}"
            );
            (self.now - began) / 1_000_000
        }
    }

    #[test]
    fn catching_up_is_no_reason() {
        let mut stream = Stream::new();
        assert!(!stream.decode_cursor(50, 50, BYTES), "what came before the first key frame");
        assert!(!stream.decode_cursor(50, 45, BYTES), "the group that was joined");
        assert!(stream.decode_cursor(50, 13, BYTES));
        let mut stream = Stream::new();
        assert!((0..100).all(|_| !stream.decode_cursor(50, 12, BYTES)), "fewer than a quarter");
        stream.load_shedding.reset();
        assert!(!stream.decode_cursor(50, 50, BYTES) && !stream.decode_cursor(50, 50, BYTES));
    }

    #[test]
    fn sparse_streams_and_long_groups_are_decoded_with_care() {
        let mut stream = Stream::new();
        assert!((0..100).all(|_| !stream.decode_cursor(50, 50, BYTES / 2)));
        assert!((0..100).all(|_| !stream.decode_cursor(250, 250, BYTES)));
        assert!((0..100).all(|_| !stream.decode_cursor(3, 3, BYTES)), "three frames tell nothing");
        assert_eq!(stream.until(true, 50), 2);
        assert!(!stream.decode_cursor(50, 50, BYTES / 2), "it has become sparse");
    }

    #[test]
    fn care_is_tried_again_and_ever_less_often_while_it_is_too_much() {
        let mut stream = Stream::new();
        stream.until(true, 50);
        assert!((0..100).all(|_| stream.decode_cursor(50, 13, BYTES)), "still too much to do");
        stream.decode_cursor(50, 50, BYTES);
        let mut lasted = Vec::new();
        for _ in 0..7 {
            lasted.push(stream.until(false, 0));
            assert_eq!(stream.until(true, 50), 2);
        }
        // The first had been long over.
        assert_eq!(lasted, [2, 60, 120, 240, 480, 480, 480]);
        stream.until(false, 0);
        assert!((0..1000).all(|_| !stream.decode_cursor(50, 0, BYTES)), "there is time enough now");
        stream.until(true, 50);
        assert_eq!(stream.until(false, 0), 30, "after a long calm it begins again");
    }

    #[test]
    fn clock_put_back_holds_nothing_up() {
        let mut stream = Stream::new();
        stream.until(true, 50);
        stream.now -= 3_600_000_000;
        assert!(!stream.decode_cursor(50, 0, BYTES));
    }
}
