//! The HTTP/1.1 server: everything that browsers, scripts and monitoring systems can request.
//!
//! `async-h1` decodes requests and encodes ordinary responses. A head reader of our own comes
//! first; it limits the size and the time of each request head. Endless responses (Motion JPEG,
//! WebSockets) write their own heads. No connection waits for another: each takes what it can carry
//! from its own subscription to a stream.

mod admission;
mod http;
mod limits;
mod ops;
mod ptz;
mod reasons;
mod server;
mod stream;
#[cfg(test)]
mod tests;
mod visible_cameras;
mod visitor;
mod wall;

use std::{
    io,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use smol::{
    Executor, Timer,
    channel::{Sender, bounded},
    net::TcpListener,
};

pub use admission::{AdmissionLimits, gate::own_names, rules::Rules};
pub use limits::Limits;
// For the fuzzer (`fuzz/src/readers.rs`).
#[doc(hidden)]
pub use http::{request_head, timeout_socket};
pub use ops::self_usage::Usage;
pub use server::Web;
pub use stream::card_cache::Draw;
pub use visitor::Visitor;
pub use wall::scene::{Cause, Place, Scene, Scenes, Until};
pub use wall::wall_settings::WallSettings;

/// Pause between two log lines about failed accepts.
const ACCEPT_LOG_PAUSE: Duration = Duration::from_secs(10);

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
                let mut place = web.admission.connect(peer.ip(), web.gate.trusts(peer.ip()));
                let leave = if place.is_err() { web.admission.close_timeout() } else { None };
                if place.is_err() && leave.is_none() {
                    continue;
                }
                let (web, held) = (Arc::clone(&web), held.clone());
                let task = async move {
                    match &mut place {
                        Ok(permit) => http::connection::serve(stream, peer, permit, &web).await,
                        Err(refusal) => http::connection::refuse(stream, peer, *refusal, &web).await,
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
