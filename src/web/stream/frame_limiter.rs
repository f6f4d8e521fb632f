//! Limits a viewer to its requested rate if its rendition, shared with others, is faster.

use std::time::{Duration, Instant};

use crate::media::{Rendition, RenditionRequest};

/// A picture may be early by the interval between two pictures divided by this: cameras are not
/// punctual.
const SLACK: u32 = 4;

#[derive(Debug, Default)]
pub struct FrameLimiter {
    /// When the next picture may come.
    next: Option<Instant>,
}

impl FrameLimiter {
    /// Whether a viewer with this request may get a picture of `rendition` now; if so, the picture
    /// is counted.
    pub fn allows(&mut self, rendition_request: RenditionRequest, rendition: Rendition, now: Instant) -> bool {
        let Some(fps) = rendition_request.fps.filter(|fps| *fps < rendition.fps) else { return true };
        let period = Duration::from_secs(1) / u32::from(fps.max(1));
        let next = self.next.unwrap_or(now);
        if now + period / SLACK < next {
            return false;
        }
        // Counted from the due time, so that the average rate is right; from now after a pause.
        self.next = Some(if now > next + period { now + period } else { next + period });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Size, transform::Transform};

    fn passed(wished: u8, given: u8, seconds: u32) -> usize {
        let rendition_request = RenditionRequest { size: None, quality: None, fps: Some(wished) };
        let rendition =
            Rendition { size: Size { width: 1, height: 1 }, transform: Transform::NONE, quality: 1, fps: given };
        let (start, mut pace) = (Instant::now(), FrameLimiter::default());
        let at = |number: u32| start + Duration::from_secs(1) * number / u32::from(given);
        (0..seconds * u32::from(given)).filter(|&number| pace.allows(rendition_request, rendition, at(number))).count()
    }

    #[test]
    fn viewer_gets_the_rate_it_asked_for() {
        for (wished, given) in [(4, 5), (12, 15), (3, 25), (24, 25), (1, 60)] {
            let expected = usize::from(wished) * 10;
            let count = passed(wished, given, 10);
            assert!((expected - 1..=expected + 1).contains(&count), "{wished} of {given}: {count}");
        }
    }

    #[test]
    fn rendition_that_is_not_faster_passes_whole() {
        assert_eq!(passed(25, 25, 10), 250);
        assert_eq!(passed(60, 25, 10), 250);
    }
}
