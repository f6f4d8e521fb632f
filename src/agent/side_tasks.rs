//! One task beside the supervisors for each camera that wants one: of a new configuration, only what differs is touched.

use std::{collections::BTreeMap, mem};

use smol::Task;

use super::supervisor::{Context, HasSideTask};
use crate::camera::CameraId;

/// The tasks of one kind.
pub struct SideTasks<T> {
    running: BTreeMap<CameraId, T>,
    /// Tasks that end, while they finish with their cameras.
    leaving: Vec<Task<()>>,
}

impl<T> Default for SideTasks<T> {
    fn default() -> Self {
        Self { running: BTreeMap::new(), leaving: Vec::new() }
    }
}

impl<T: HasSideTask> SideTasks<T> {
    /// Ends all but those that `keep` wants to keep, without waiting.
    pub fn retain(&mut self, context: &Context, mut keep: impl FnMut(&CameraId, &T) -> bool) {
        self.leaving.retain(|task| !task.is_finished());
        for (id, one) in mem::take(&mut self.running) {
            if keep(&id, &one) {
                self.running.insert(id, one);
            } else {
                self.leaving.push(context.executor.spawn(one.into_side_task().end()));
            }
        }
    }

    pub fn contains(&self, id: &CameraId) -> bool {
        self.running.contains_key(id)
    }

    pub fn insert(&mut self, id: CameraId, one: T) {
        self.running.insert(id, one);
    }

    /// Asks all tasks to end, without waiting.
    pub fn stop(&self) {
        self.running.values().for_each(|one| one.side_task().stop());
    }

    /// Ends all tasks in parallel and waits for them.
    pub async fn end(self) {
        self.stop();
        for (_, one) in self.running {
            one.into_side_task().end().await;
        }
        for task in self.leaving {
            task.await;
        }
    }
}
