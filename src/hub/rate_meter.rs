//! Frame rate and bitrate, measured over the last seconds.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Long enough to average groups of pictures, short enough to follow a camera that slows down.
const WINDOW: Duration = Duration::from_secs(4);

/// Arrivals within the last [`WINDOW`].
#[derive(Debug, Default)]
pub struct RateMeter {
    arrivals: VecDeque<(Instant, usize)>,
}

impl RateMeter {
    pub fn note(&mut self, bytes: usize, now: Instant) {
        self.forget(now);
        self.arrivals.push_back((now, bytes));
    }

    pub fn clear(&mut self) {
        self.arrivals.clear();
    }

    /// Frames per second and bits per second; zero before the second arrival.
    pub fn read(&self, now: Instant) -> (f64, f64) {
        let recent = || self.arrivals.iter().filter(|(at, _)| now.saturating_duration_since(*at) <= WINDOW);
        let (Some((first, first_bytes)), count) = (recent().next(), recent().count()) else {
            return (0.0, 0.0);
        };
        let bytes: usize = recent().map(|(_, bytes)| bytes).sum();
        // Measured up to now rather than to the last arrival, so the rate of a silent stream falls
        // to zero.
        let seconds = now.saturating_duration_since(*first).as_secs_f64();
        if count < 2 || seconds <= 0.0 {
            return (0.0, 0.0);
        }
        ((count - 1) as f64 / seconds, (bytes - first_bytes) as f64 * 8.0 / seconds)
    }

    fn forget(&mut self, now: Instant) {
        while self.arrivals.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > WINDOW) {
            self.arrivals.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steady_stream_shows_its_rate_and_silence_sinks_to_zero() {
        let start = Instant::now();
        let mut rate_meter = RateMeter::default();
        for frame in 0..100 {
            rate_meter.note(1000, start + Duration::from_millis(40 * frame));
        }
        let (fps, bits) = rate_meter.read(start + Duration::from_millis(40 * 99));
        assert!((fps - 25.0).abs() < 0.1, "{fps}");
        assert!((bits - 200_000.0).abs() < 1000.0, "{bits}");
        assert_eq!(rate_meter.read(start + Duration::from_secs(60)), (0.0, 0.0));
    }
}
