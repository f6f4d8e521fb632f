//! Waiting with a limit.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use smol::{Timer, future::FutureExt};

/// What `work` gives, or `None` when it takes longer than `limit` and is dropped.
pub async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    async { Some(work.await) }
        .or(async {
            Timer::after(limit).await;
            None
        })
        .await
}

/// For a deadline that moves on again and again and is seldom reached. To set a timer wakes whoever waits
/// for sockets; this one is set anew only when it has rung, or is to ring earlier.
#[derive(Default)]
pub struct Alarm {
    timer: Option<(Instant, Timer)>,
}

impl Alarm {
    /// Waits until `due`. May be dropped while it waits and asked again, also for another time.
    pub async fn ring(&mut self, due: Instant) {
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
    fn alarm_rings_when_it_is_due_however_often_that_changed() {
        smol::block_on(async {
            let (start, mut alarm) = (Instant::now(), Alarm::default());
            let after = |milliseconds| start + Duration::from_millis(milliseconds);
            for due in [after(30), after(60), after(90)] {
                assert!(smol::future::poll_once(alarm.ring(due)).await.is_none());
            }
            let late = after(120);
            alarm.ring(late).await;
            assert!(Instant::now() >= late);
            // Earlier than the hour for which it was set.
            assert!(smol::future::poll_once(alarm.ring(after(3_600_000))).await.is_none());
            within(Duration::from_secs(30), alarm.ring(after(150))).await.expect("it does not ring");
            assert!(Instant::now() >= after(150));
        });
    }
}
