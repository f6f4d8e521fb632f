//! What all supervisors share.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use smol::{
    Executor,
    lock::{Semaphore, SemaphoreGuardArc},
};

use super::recorder::RecorderShared;

use crate::{
    agent::{discovery_cache::DiscoveryCache, memory_budget::Budget},
    camera::StreamSource,
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
    /// The recorders of the cameras that are supervised.
    recorders: Arc<Mutex<Vec<Weak<RecorderShared>>>>,
}

/// The turn to open a stream, among all cameras and among those of one recorder.
pub(super) struct OpeningTurn {
    _of_all: SemaphoreGuardArc,
    _of_recorder: Option<SemaphoreGuardArc>,
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
            recorders: Arc::default(),
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

    /// Waits for the turn to open a stream of a camera, a channel of `recorder` if that is given.
    pub(super) async fn opening_turn(&self, recorder: Option<&RecorderShared>) -> OpeningTurn {
        // That of the recorder first: who waits for it holds up no other camera.
        let of_recorder = match recorder {
            Some(recorder) => Some(recorder.openings.acquire_arc().await),
            None => None,
        };
        let turns = Arc::clone(&self.openings.lock().1);
        OpeningTurn { _of_all: turns.acquire_arc().await, _of_recorder: of_recorder }
    }

    /// What the channels of a recorder share; `None` if `stream_source` is not one of these.
    pub fn recorder(&self, stream_source: &StreamSource) -> Option<Arc<RecorderShared>> {
        let mut recorders = self.recorders.lock();
        recorders.retain(|known| known.strong_count() > 0);
        let known = recorders.iter().filter_map(Weak::upgrade).find(|known| known.is_of(stream_source));
        if known.is_some() {
            return known;
        }
        let new = RecorderShared::new(stream_source)?;
        recorders.push(Arc::downgrade(&new));
        Some(new)
    }

    pub fn store(&self) -> Arc<Directory> {
        Arc::clone(&self.store.lock())
    }

    /// Stores all further records in `directory`.
    pub fn set_store(&self, directory: Directory) {
        *self.store.lock() = Arc::new(directory);
    }
}
