//! What all keepers share.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use smol::{Executor, lock::Semaphore};

use crate::{
    agent::{discovery_cache::DiscoveryCache, memory_budget::Budget},
    config::{Limits, Server},
    ipc::WORKER_MEMORY,
    store::Directory,
    worker_host::Spawner,
};

/// The same for all of them; a clone is the same one.
#[derive(Clone)]
pub struct Context {
    pub executor: Arc<Executor<'static>>,
    /// Where workers come from.
    pub spawner: Arc<Spawner>,
    pub budget: Arc<Budget>,
    pub discovery_cache: Arc<DiscoveryCache>,
    /// What was learnt of the cameras; another directory after a reload that says so.
    store: Arc<Mutex<Arc<Directory>>>,
    /// Bytes a worker may have, from the next one on.
    pub worker_memory: Arc<AtomicU64>,
    /// How many turns there are at opening a stream, and they themselves; replaced where there are to be
    /// more or fewer.
    openings: Arc<Mutex<(usize, Arc<Semaphore>)>>,
}

impl Context {
    pub fn new(executor: Arc<Executor<'static>>, spawner: Spawner) -> Self {
        let store = Arc::new(Mutex::new(Arc::new(Directory::open(Server::default().state_dir))));
        let discovery_cache = Arc::new(DiscoveryCache::default());
        let most = Limits::default().openings;
        let openings = Arc::new(Mutex::new((most, Arc::new(Semaphore::new(most)))));
        let worker_memory = Arc::new(AtomicU64::new(WORKER_MEMORY));
        Self {
            executor,
            spawner: Arc::new(spawner),
            budget: Arc::default(),
            discovery_cache,
            store,
            worker_memory,
            openings,
        }
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

    pub fn store(&self) -> Arc<Directory> {
        Arc::clone(&self.store.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps what is learnt from now on in `directory`.
    pub fn set_store(&self, directory: Directory) {
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(directory);
    }
}
