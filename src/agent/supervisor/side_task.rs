//! A task beside the supervisors of a camera, such as the one that steers it.

use smol::Task;

use super::Context;
use crate::sync::Latch;

/// A running task. Dropping it asks the task to end; the task finishes with the camera first.
pub struct SideTask {
    stop: Latch,
    /// `None` once somebody waits for it.
    task: Option<Task<()>>,
}

/// What has such a task.
pub trait HasSideTask {
    fn side_task(&self) -> &SideTask;
    fn into_side_task(self) -> SideTask;
}

impl SideTask {
    /// Runs `task`, which ends soon after `stop` is set.
    pub fn start(context: &Context, stop: Latch, task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { stop, task: Some(context.executor.spawn(task)) }
    }

    /// Asks the task to end, without waiting.
    pub fn stop(&self) {
        self.stop.set();
    }

    /// Asks the task to end and waits for it.
    pub async fn end(mut self) {
        self.stop();
        if let Some(task) = self.task.take() {
            task.await;
        }
    }
}

impl Drop for SideTask {
    fn drop(&mut self) {
        self.stop();
        if let Some(task) = self.task.take() {
            // Detached: it ends when it has finished with the camera.
            task.detach();
        }
    }
}
