//! Load shedding: decodes without the loop filter while the processor is overloaded.
//!
//! Skipping the loop filter (deblocking) saves a sixth of decoding. Later frames build upon the
//! slightly wrong picture until the next key frame. A stream with many bits has little to smooth:
//! at 4 Mbit/s of 1080p25, small pictures differ from exact ones by 45 dB of PSNR, less than JPEG
//! loses; at 1 Mbit/s by 27 dB, which is visible. So the filter is skipped only in dense streams
//! with frequent key frames, and only while that helps.

use cctv_agent::media::UnixMicros;

/// Bits per pixel, in hundredths, above which a stream is dense: 3.1 Mbit/s for 1080p25.
const DENSE: u64 = 6;

/// Maximum number of frames from one key frame to the next.
const MAX_GROUP_LEN: u64 = 150;

/// Shorter groups are ignored.
const MIN_GROUP: u64 = 5;

/// One late frame in this many counts as overload.
const LATE: u64 = 4;

/// How long the loop filter stays off at first, in microseconds, before it is tried again. The time
/// doubles whenever that was too early, up to [`MAX_LEN`].
const MIN_LEN: UnixMicros = 30_000_000;
const MAX_LEN: UnixMicros = 16 * MIN_LEN;

/// Load shedding of one stream's decoder.
pub struct LoadShedder {
    /// Groups begun since the decoder was created.
    groups: u32,
    units: u64,
    late: u64,
    bytes: u64,
    /// Since when the loop filter is off.
    since: Option<UnixMicros>,
    /// When the loop filter was last switched on again.
    ended: Option<UnixMicros>,
    lasts: UnixMicros,
}

impl Default for LoadShedder {
    fn default() -> Self {
        Self { groups: 0, units: 0, late: 0, bytes: 0, since: None, ended: None, lasts: MIN_LEN }
    }
}

impl LoadShedder {
    /// The next unit goes to a new decoder. It has to catch up first, so its late frames do not
    /// count.
    pub fn reset(&mut self) {
        self.groups = 0;
    }

    /// Notes a unit for the decoder; `late`: after its time.
    pub fn note(&mut self, bytes: usize, late: bool) {
        self.units += 1;
        self.late += u64::from(late);
        self.bytes += bytes as u64;
    }

    /// A key frame of `pixels`, received at `now`, comes next: returns whether the decoder is to
    /// skip the loop filter from here on.
    pub fn check(&mut self, now: UnixMicros, pixels: u64) -> bool {
        if self.groups >= 2 && self.units >= MIN_GROUP {
            let fits = self.units <= MAX_GROUP_LEN && self.bytes * 8 * 100 >= self.units * pixels * DENSE;
            self.conclude(now, self.late * LATE >= self.units, fits);
        }
        (self.units, self.late, self.bytes) = (0, 0, 0);
        self.groups = self.groups.saturating_add(1);
        self.since.is_some()
    }

    fn conclude(&mut self, now: UnixMicros, late: bool, fits: bool) {
        // If the clock was set back, the time counts as over.
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

        /// Simulates a group of 2 s with `late` late frames; returns how the next one is to be
        /// decoded.
        fn decode_cursor(&mut self, units: u64, late: u64, bytes: usize) -> bool {
            for unit in 0..units {
                self.load_shedding.note(bytes, unit < late);
            }
            self.now += 2_000_000;
            self.load_shedding.check(self.now, PIXELS)
        }

        /// Seconds until the state is `without_loop_filter`, in groups of which `late` frames are
        /// late.
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
        // The first time had long been over.
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
