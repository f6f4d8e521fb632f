//! Waiting with a limit.

use std::{future::Future, time::Duration};

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
