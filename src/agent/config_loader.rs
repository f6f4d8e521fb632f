//! Reading the configuration file beside everything else the agent does.
//!
//! Nothing waits for a slow disk: signals, viewers and cameras go on. A reload that is asked for during a
//! reading is answered by another one, for the file may have been read before it was changed.

use std::{path::PathBuf, sync::Arc};

use smol::{Executor, Task};

use crate::{
    config::{self, Complaint, Config},
    hub::Hub,
};

/// What the file says, or every complaint about it.
pub type Read = Result<Config, Vec<Complaint>>;

/// What one reading brought.
pub struct Answer {
    pub read: Read,
    /// How many of the reloads asked for it answers; 0: it is the one at the start.
    pub count: u64,
}

/// At most one reading at a time.
pub struct ConfigLoader {
    executor: Arc<Executor<'static>>,
    hub: Arc<Hub>,
    file: PathBuf,
    /// With the number of reloads that it answers.
    task: Option<(u64, Task<Read>)>,
}

impl ConfigLoader {
    /// Begins with reading `file` the first time.
    pub fn start(executor: Arc<Executor<'static>>, hub: Arc<Hub>, file: PathBuf) -> Self {
        let first = file.clone();
        // At the start there is nothing to lose by a file that is being written: a reload will follow.
        let task = executor.spawn(smol::unblock(move || config::read(&first)));
        Self { executor, hub, file, task: Some((0, task)) }
    }

    /// Reads the file again, or, where a reading goes on, once that is done.
    pub fn again(&mut self) {
        self.hub.ask_reload();
        if self.task.is_none() {
            self.begin();
        }
    }

    /// Waits for the next answer; for ever where nothing is being read. May be dropped while it waits
    /// without losing anything.
    pub async fn next(&mut self) -> Answer {
        let Some((count, task)) = &mut self.task else { return smol::future::pending().await };
        let count = *count;
        let read = task.await;
        self.task = None;
        if self.hub.reload().asked > count {
            self.begin();
        }
        Answer { read, count }
    }

    fn begin(&mut self) {
        let file = self.file.clone();
        let task = self.executor.spawn(smol::unblock(move || config::read_settled(&file)));
        self.task = Some((self.hub.reload().asked, task));
    }
}
