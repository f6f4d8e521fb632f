//! The HTTP/1.1 server: everything that browsers, scripts and monitoring systems can request.
//!
//! `async-h1` decodes requests and encodes ordinary responses. A head reader of our own comes
//! first; it limits the size and the time of each request head. Endless responses (Motion JPEG,
//! WebSockets) write their own heads. No connection waits for another: each takes what it can carry
//! from its own subscription to a stream.

mod admission;
mod card_cache;
mod connection;
mod counter;
mod files;
mod frame_limiter;
mod gate;
mod gzip_cache;
mod jpeg_feed;
mod legacy_ws;
mod limits;
mod metadata;
mod metrics;
mod mjpeg;
mod named_viewers;
mod protocol;
mod query;
mod reasons;
mod request_head;
mod response;
mod route;
mod self_usage;
mod shutdown;
mod snapshot;
mod status;
#[cfg(test)]
mod tests;
mod tile;
mod timeout_socket;
mod upgrade;
mod wall;
mod wall_settings;
mod ws_sender;

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use smol::{
    Executor, Timer,
    channel::{Sender, bounded},
    future::FutureExt,
    net::TcpListener,
};

pub use admission::AdmissionLimits;
pub use card_cache::Draw;
pub use limits::Limits;
pub use self_usage::Usage;
pub use wall_settings::WallSettings;

use crate::{config::WebOrigin, hub::Hub, sync::Mutex};
use admission::Admission;
use card_cache::Cards;
use files::Files;
use gate::Gate;
use named_viewers::Streams;
use shutdown::ShutdownSignal;

/// Pause between two log lines about failed accepts.
const ACCEPT_LOG_PAUSE: Duration = Duration::from_secs(10);

/// What is served, to whom, and how much of it. Clones share all of it; each listener has its own
/// clone from [`Web::for_listener`].
#[derive(Clone)]
pub struct Web {
    pub hub: Arc<Hub>,
    /// The agent's own version, shown by `/api/cameras` and `/metrics`.
    pub version: &'static str,
    pub limits: Limits,
    /// How the page shows the cameras.
    pub walls: Arc<WallSettings>,
    /// Motion JPEG viewers with a name.
    streams: Streams,
    www: Arc<Mutex<PathBuf>>,
    files: Arc<Files>,
    gate: Arc<Gate>,
    cards: Arc<Cards>,
    admission: Arc<Admission>,
    started: Instant,
    /// Signals that the agent stops.
    stop: ShutdownSignal,
    /// Signals that this listener's address is no longer served.
    leave: ShutdownSignal,
}

impl Web {
    /// Serves the cameras of `hub` and the page in the directory `www`, with cards drawn by `draw`.
    pub fn new(hub: Arc<Hub>, www: PathBuf, version: &'static str, draw: Draw) -> Self {
        Self {
            hub,
            version,
            walls: Arc::default(),
            streams: Streams::default(),
            www: Arc::new(Mutex::new(www)),
            files: Arc::default(),
            gate: Arc::default(),
            cards: Arc::new(Cards::new(draw)),
            admission: Arc::default(),
            started: Instant::now(),
            stop: ShutdownSignal::new(),
            leave: ShutdownSignal::new(),
            limits: Limits::default(),
        }
    }

    /// Serves another directory from the next request on.
    pub fn set_www(&self, www: PathBuf) {
        *self.www.lock() = www;
    }

    /// Sets who is served, from the next request on. Besides IP addresses, `localhost` and this
    /// machine's own names, the host may be one of `names`. Pages of the origins in `embed` may
    /// show what is served. Present viewers are not affected.
    pub fn set_access(&self, names: Vec<String>, embed: Vec<WebOrigin>) {
        self.gate.set(names, embed);
    }

    /// Present number of Motion JPEG and WebSocket viewers.
    pub fn viewers(&self) -> usize {
        self.admission.viewers()
    }

    /// Sets the limits for new connections and viewers; present ones are not affected.
    pub fn set_admission_limits(&self, bounds: AdmissionLimits) {
        self.admission.set_admission_limits(bounds);
    }

    /// Present number of connections of any kind.
    pub fn connections(&self) -> usize {
        self.admission.connections()
    }

    /// Connections and viewers refused since the start, at any limit.
    pub fn refused(&self) -> u64 {
        self.admission.refused().iter().map(|(_, count)| count).sum()
    }

    /// What this process costs; `None` if `/proc` is not mounted.
    ///
    /// # Blocking
    /// A few reads from the kernel's memory.
    pub fn usage(&self) -> Option<Usage> {
        self_usage::usage()
    }

    /// A clone for one more listener, whose viewers can be closed separately.
    pub fn for_listener(&self) -> Self {
        Self { leave: ShutdownSignal::new(), ..self.clone() }
    }

    /// Closes every viewer of every listener, because the agent stops: pictures are replaced by the
    /// card, WebSockets are closed with the reason. [`serve`] returns as soon as all connections
    /// have ended; call it with a timeout.
    pub fn shutdown(&self) {
        self.stop.tell("the agent is being stopped".to_owned());
    }

    /// Tells the viewers of this listener, in the same way, that its address is no longer served,
    /// for the reason `why`.
    pub fn leave(&self, why: String) {
        self.leave.tell(why);
    }

    /// Waits until viewers must be closed; returns the reason.
    async fn stopping(&self) -> String {
        self.stop.heard().or(self.leave.heard()).await
    }

    fn www(&self) -> PathBuf {
        self.www.lock().clone()
    }
}

/// Accepts connections for ever. Returns only after [`Web::shutdown`] or [`Web::leave`], when the
/// last connection has ended. It owns its connections: dropping the future closes them all. It
/// needs no executor other than the one that polls it.
pub async fn serve(listener: TcpListener, web: Arc<Web>) {
    // Lives as long as this future, so tasks detached onto it end with it at the latest.
    let connections = Arc::new(Executor::<'static>::new());
    // Every connection holds a clone of the sender; the receiver sees when the last one is gone.
    let (held, all_gone) = bounded::<()>(1);
    // A separate task, so that the listener is not polled whenever a connection has work.
    let accepting = connections.spawn(accept(listener, Arc::clone(&web), Arc::downgrade(&connections), held));
    connections.run(web.stopping()).await;
    connections.run(accepting.cancel()).await;
    connections
        .run(async {
            let _closed = all_gone.recv().await;
        })
        .await;
}

/// Accepts connections for ever. Each is served by a task on `connections` that holds a clone of
/// `held`.
async fn accept(listener: TcpListener, web: Arc<Web>, connections: Weak<Executor<'static>>, held: Sender<()>) {
    let mut logged = None;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Counted here, not in the task: more connections would be accepted before the task
                // runs, and each takes a descriptor.
                let place = web.admission.connect(peer.ip());
                let leave = if place.is_err() { web.admission.close_timeout() } else { None };
                if place.is_err() && leave.is_none() {
                    continue;
                }
                let (web, held) = (Arc::clone(&web), held.clone());
                let task = async move {
                    match &place {
                        Ok(_place) => connection::serve(stream, peer, &web).await,
                        Err(refusal) => connection::refuse(stream, peer, *refusal, &web).await,
                    }
                    drop((place, leave, held));
                };
                // The executor exists, because it runs this code.
                let Some(connections) = connections.upgrade() else { return };
                connections.spawn(task).detach();
            }
            Err(error) => after_accept_error(&web, &error, &mut logged).await,
        }
    }
}

/// Pauses after a failed accept. A failed accept does not mean that the next one fails. But without
/// free file descriptors (EMFILE, ENFILE) it would fail again at once, so connections get time to
/// end.
async fn after_accept_error(web: &Web, error: &io::Error, logged: &mut Option<Instant>) {
    let pause = web.limits.accept_pause;
    if logged.is_none_or(|at| at.elapsed() >= ACCEPT_LOG_PAUSE) {
        *logged = Some(Instant::now());
        log::warn!("web: cannot accept a connection: {error}; trying again every {} ms", pause.as_millis());
    }
    Timer::after(pause).await;
}
