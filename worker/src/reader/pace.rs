//! The pace of a stream that comes in pieces (HLS): FFmpeg gives the frames of a piece all at once.

use std::time::{Duration, Instant};

/// Frames per second if the stream does not tell.
const USUAL_RATE: f32 = 25.0;
/// Part of a frame's time that it is shown for: so the frames of a piece are used up before the next one comes, and
/// the picture does not grow older.
const SHARE: f64 = 0.95;
/// A wait for a frame of at least this time is one for the next piece.
const WAIT: Duration = Duration::from_millis(40);
/// Longer than a piece. Where none has ended for so long, the rate is higher than the stream tells.
const TOO_LONG: Duration = Duration::from_secs(12);
/// What the time of a frame is then multiplied by, once in that time.
const FASTER: f64 = 0.7;

/// Spreads the frames of a piece over the time that they show.
#[derive(Default)]
pub struct Pace {
    /// When the next frame is due.
    due: Option<Instant>,
    /// When a piece was last waited for, or the rate was corrected.
    waited_at: Option<Instant>,
    /// `None`: 1.
    correction: Option<f64>,
}

impl Pace {
    /// How long the frame that has come at `now`, after it was waited for `waited`, is held back. `fps` is what the
    /// stream tells, 0 if nothing.
    pub fn pause(&mut self, now: Instant, waited: Duration, fps: f32) -> Duration {
        let waited_at = *self.waited_at.get_or_insert(now);
        if waited >= WAIT {
            self.waited_at = Some(now);
        } else if now.saturating_duration_since(waited_at) >= TOO_LONG {
            self.waited_at = Some(now);
            self.correction = Some(self.correction.unwrap_or(1.0) * FASTER);
        }
        let fps = if fps > 0.0 { fps } else { USUAL_RATE };
        let time = Duration::from_secs_f64(SHARE * self.correction.unwrap_or(1.0) / f64::from(fps));
        // What is late is not made up for.
        let due = self.due.map_or(now, |due| due.max(now));
        self.due = Some(due + time);
        due - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays pieces of `seconds` with this real rate; returns for each frame how long after its piece was there it
    /// was shown, in seconds.
    fn play(pieces: u32, seconds: u32, rate: u32, told: f32) -> Vec<f64> {
        let begin = Instant::now();
        let (mut pace, mut now, mut ages) = (Pace::default(), begin, Vec::new());
        for piece in 0..pieces {
            let there = begin + Duration::from_secs((piece * seconds).into());
            for frame in 0..seconds * rate {
                let waited = if frame == 0 { there.saturating_duration_since(now) } else { Duration::ZERO };
                now += waited;
                now += pace.pause(now, waited, told);
                ages.push((now - there).as_secs_f64());
            }
        }
        ages
    }

    #[test]
    fn frames_of_a_piece_are_shown_one_after_the_other_until_the_next_one() {
        let ages = play(20, 4, 10, 10.0);
        let gaps = ages.windows(2).map(|pair| (pair[1] - pair[0]).rem_euclid(4.0));
        assert!(gaps.clone().all(|gap| (0.09..0.35).contains(&gap)), "{:?}", gaps.collect::<Vec<_>>());
        assert!(ages.iter().all(|age| *age < 4.0));
    }

    #[test]
    fn wrong_rate_makes_the_picture_late_for_a_while_only() {
        for told in [0.0, 10.0, 25.0] {
            // Half a minute of wrong rate at most, and then no piece is waited for twice.
            let ages = play(60, 2, 30, told);
            let late = ages[ages.len() - 600..].iter().copied().fold(0.0, f64::max);
            assert!(late < 3.0, "{told}: {late}");
        }
        // A rate that is told too high: the pieces are shown fast, with a pause behind each.
        assert!(play(20, 2, 10, 60.0).iter().all(|age| *age < 2.0));
    }
}
