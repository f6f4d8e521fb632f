//! What all keepers share.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use smol::{Executor, lock::Semaphore};

use crate::{
    agent::{budget::Budget, lookout::Lookout},
    config::{Limits, Server},
    ipc::WORKER_MEMORY,
    store::Directory,
    worker_host::Spawner,
};

/// The same for all of them; a clone is the same one.
#[derive(Clone)]
pub struct Crew {
    pub executor: Arc<Executor<'static>>,
    /// Where workers come from.
    pub spawner: Arc<Spawner>,
    pub budget: Arc<Budget>,
    pub lookout: Arc<Lookout>,
    /// What was learnt of the cameras; another directory after a reload that says so.
    memory: Arc<Mutex<Arc<Directory>>>,
    /// Bytes a worker may have, from the next one on.
    pub worker_memory: Arc<AtomicU64>,
    /// How many turns there are at opening a stream, and they themselves; replaced where there are to be
    /// more or fewer.
    openings: Arc<Mutex<(usize, Arc<Semaphore>)>>,
}

impl Crew {
    pub fn new(executor: Arc<Executor<'static>>, spawner: Spawner) -> Self {
        let memory = Arc::new(Mutex::new(Arc::new(Directory::open(Server::default().state_dir))));
        let lookout = Arc::new(Lookout::default());
        let most = Limits::default().openings;
        let openings = Arc::new(Mutex::new((most, Arc::new(Semaphore::new(most)))));
        let worker_memory = Arc::new(AtomicU64::new(WORKER_MEMORY));
        Self { executor, spawner: Arc::new(spawner), budget: Arc::default(), lookout, memory, worker_memory, openings }
    }

    /// For workers and openings from now on.
    pub fn set_limits(&self, limits: &Limits) {
        self.budget.set(limits);
        self.worker_memory.store(limits.worker_memory << 20, Ordering::Relaxed);
        let (most, turns) = &mut *self.openings.lock().unwrap_or_else(PoisonError::into_inner);
        if *most != limits.openings {
            (*most, *turns) = (limits.openings, Arc::new(Semaphore::new(limits.openings)));
        }
    }

    /// Turns at opening a stream.
    pub fn openings(&self) -> Arc<Semaphore> {
        Arc::clone(&self.openings.lock().unwrap_or_else(PoisonError::into_inner).1)
    }

    pub fn memory(&self) -> Arc<Directory> {
        Arc::clone(&self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps what is learnt from now on in `directory`.
    pub fn set_memory(&self, directory: Directory) {
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(directory);
    }
}
