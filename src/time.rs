//! Waiting with a timeout.

use std::{
    future::Future,
    sync::OnceLock,
    time::{Duration, Instant},
};

use smol::{Timer, future::FutureExt};

/// The result of `work`, or `None` if it takes longer than `limit`; then it is dropped.
pub async fn timeout<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    async { Some(work.await) }
        .or(async {
            Timer::after(limit).await;
            None
        })
        .await
}

/// The first moment after `now` that is a multiple of `interval` from a fixed moment of this process.
/// Timers that are set to it by different tasks expire together, so they wake the process once.
/// `interval` must not be zero.
pub fn next_beat(now: Instant, interval: Duration) -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    let since_last = now.saturating_duration_since(*START.get_or_init(|| now)).as_nanos() % interval.as_nanos();
    // Less than `interval`, which is short enough for 64 bits of nanoseconds.
    now + interval.saturating_sub(Duration::from_nanos(u64::try_from(since_last).unwrap_or(0)))
}

/// A timer for a deadline that is moved often and seldom reached. Setting a timer wakes the thread
/// that waits for sockets, so this timer is set only after it has fired, or if it must fire
/// earlier.
#[derive(Default)]
pub struct LazyDeadline {
    timer: Option<(Instant, Timer)>,
}

impl LazyDeadline {
    /// Waits until `due`. Cancel-safe: after dropping the future, call it again, also with another
    /// time.
    pub async fn wait_until(&mut self, due: Instant) {
        while Instant::now() < due {
            let (at, timer) = self.timer.get_or_insert_with(|| (due, Timer::at(due)));
            if due < *at {
                *at = due;
                timer.set_at(due);
            }
            timer.await;
            self.timer = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_of_different_tasks_come_together() {
        const INTERVAL: Duration = Duration::from_millis(250);
        let start = Instant::now();
        let beat = next_beat(start, INTERVAL);
        assert!(start < beat && beat <= start + INTERVAL);
        assert_eq!(next_beat(beat - Duration::from_nanos(1), INTERVAL), beat);
        assert_eq!(next_beat(beat - INTERVAL / 3, INTERVAL), beat);
        assert_eq!(next_beat(beat, INTERVAL), beat + INTERVAL, "never the same moment again");
        let slower = next_beat(beat, 4 * INTERVAL);
        assert!((1..=4).any(|beats| slower == beat + beats * INTERVAL), "a slower beat is one of the faster ones");
    }

    #[test]
    fn alarm_rings_when_it_is_due_however_often_that_changed() {
        smol::block_on(async {
            let (start, mut alarm) = (Instant::now(), LazyDeadline::default());
            let after = |milliseconds| start + Duration::from_millis(milliseconds);
            for due in [after(30), after(60), after(90)] {
                assert!(smol::future::poll_once(alarm.wait_until(due)).await.is_none());
            }
            let late = after(120);
            alarm.wait_until(late).await;
            assert!(Instant::now() >= late);
            // Earlier than the hour for which it was set.
            assert!(smol::future::poll_once(alarm.wait_until(after(3_600_000))).await.is_none());
            timeout(Duration::from_secs(30), alarm.wait_until(after(150))).await.expect("it does not ring");
            assert!(Instant::now() >= after(150));
        });
    }
}
