//! What all supervisors share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use smol::{Executor, lock::Semaphore};

use crate::{
    agent::{discovery_cache::DiscoveryCache, memory_budget::Budget},
    config::{Limits, Server},
    ipc::WORKER_MEMORY,
    sandbox::SandboxPolicy,
    store::Directory,
    sync::Mutex,
    worker_host::Spawner,
};

/// How often a worker's processor time and memory are read.
pub(super) const VITALS: Duration = Duration::from_secs(2);

/// A clone refers to the same data.
#[derive(Clone)]
pub struct Context {
    pub executor: Arc<Executor<'static>>,
    /// Starts the workers.
    pub spawner: Arc<Spawner>,
    pub budget: Arc<Budget>,
    pub discovery_cache: Arc<DiscoveryCache>,
    /// The store; a reload can replace its directory.
    store: Arc<Mutex<Arc<Directory>>>,
    /// Memory limit of each worker in bytes, for workers started from now on.
    pub worker_memory: Arc<AtomicU64>,
    /// What is asked of the sandboxes of workers started from now on.
    sandbox: Arc<Mutex<SandboxPolicy>>,
    /// The number of turns for opening a stream, and the semaphore that holds them; replaced when
    /// the number changes.
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
            sandbox: Arc::new(Mutex::new(SandboxPolicy::Auto)),
            openings,
        }
    }

    /// Sets the limits of workers and openings from now on.
    pub fn set_limits(&self, limits: &Limits) {
        self.budget.set(limits);
        self.worker_memory.store(limits.worker_memory << 20, Ordering::Relaxed);
        *self.sandbox.lock() = limits.sandbox;
        let (most, turns) = &mut *self.openings.lock();
        if *most != limits.openings {
            (*most, *turns) = (limits.openings, Arc::new(Semaphore::new(limits.openings)));
        }
    }

    /// What is asked of the sandbox of a worker that starts now.
    pub fn sandbox(&self) -> SandboxPolicy {
        *self.sandbox.lock()
    }

    /// The turns for opening a stream.
    pub fn openings(&self) -> Arc<Semaphore> {
        Arc::clone(&self.openings.lock().1)
    }

    pub fn store(&self) -> Arc<Directory> {
        Arc::clone(&self.store.lock())
    }

    /// Stores all further records in `directory`.
    pub fn set_store(&self, directory: Directory) {
        *self.store.lock() = Arc::new(directory);
    }
}
