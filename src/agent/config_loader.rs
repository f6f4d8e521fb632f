//! Reads the configuration file in parallel with everything else that the agent does.
//!
//! Nothing waits for a slow disk: signals, viewers and cameras go on. A reload request during a
//! read causes another read, because the file may have been read before it was changed.

use std::{path::PathBuf, sync::Arc};

use smol::{Executor, Task};

use crate::{
    config::{self, Complaint, Config},
    hub::AgentStatus,
};

/// The configuration, or every mistake in the file.
pub type Read = Result<Config, Vec<Complaint>>;

/// The result of one read.
pub struct Answer {
    pub read: Read,
    /// How many reload requests this answers; 0 for the read at the start.
    pub count: u64,
}

/// Reads the file, at most once at a time.
pub struct ConfigLoader {
    executor: Arc<Executor<'static>>,
    status: Arc<AgentStatus>,
    file: PathBuf,
    /// The running read, with the number of reload requests that it answers.
    task: Option<(u64, Task<Read>)>,
}

impl ConfigLoader {
    /// Starts the first read of `file`.
    pub fn start(executor: Arc<Executor<'static>>, status: Arc<AgentStatus>, file: PathBuf) -> Self {
        let first = file.clone();
        // A half-written file does no harm at the start, because a reload will follow.
        let task = executor.spawn(smol::unblock(move || config::read(&first)));
        Self { executor, status, file, task: Some((0, task)) }
    }

    /// Reads the file again; if a read is running, after that one ends.
    pub fn again(&mut self) {
        self.status.ask_reload();
        if self.task.is_none() {
            self.begin();
        }
    }

    /// Waits for the next result, for ever if nothing is being read. Dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> Answer {
        let Some((count, task)) = &mut self.task else { return smol::future::pending().await };
        let count = *count;
        let read = task.await;
        self.task = None;
        if self.status.reload().asked > count {
            self.begin();
        }
        Answer { read, count }
    }

    fn begin(&mut self) {
        let file = self.file.clone();
        let task = self.executor.spawn(smol::unblock(move || config::read_settled(&file)));
        self.task = Some((self.status.reload().asked, task));
    }
}
