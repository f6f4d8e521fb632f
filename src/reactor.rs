//! The loop of the agent's main thread: runs a future and waits for the sockets of cameras.
//!
//! `async-io` waits for sockets and timers in a thread of its own. For each event that thread makes
//! five system calls and wakes the main thread, which reads, finds nothing more to read, and
//! registers the socket again. That is good enough for what happens seldom, but cameras send
//! thousands of packets a second. The main thread therefore waits for their sockets itself: one
//! system call for all that have something to read, and one to read it. Timers and all other sockets
//! stay with `async-io`; its thread ends the wait when it wakes a task.

mod socket;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    future::Future,
    os::fd::AsFd,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use nix::sys::{
    epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
    eventfd::{EfdFlags, EventFd},
};

pub use self::socket::ReadSocket;
use crate::sync::Mutex;

/// Events that one system call returns at most.
const MAX_EVENTS: usize = 64;

/// The key of [`Reactor::wakeup`]; sources have greater ones.
const WAKEUP: u64 = 0;

/// States of the thread: it polls the future, or waits, or is to poll the future again.
const POLLING: u8 = 0;
const WAITING: u8 = 1;
const WOKEN: u8 = 2;

thread_local! {
    static CURRENT: RefCell<Option<Arc<Reactor>>> = const { RefCell::new(None) };
}

/// Runs `future` to its end. Meanwhile this thread waits for each [`ReadSocket`] that was made on it.
///
/// # Blocking
/// Blocks the thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let reactor = match Reactor::new() {
        Ok(reactor) => Arc::new(reactor),
        Err(error) => {
            log::warn!("cannot wait for sockets in the main thread: {error}; another thread does");
            return smol::future::block_on(future);
        }
    };
    let _current = Current::enter(Arc::clone(&reactor));
    let waker = Waker::from(Arc::clone(&reactor));
    let mut future = pin!(future);
    loop {
        reactor.state.swap(POLLING, Ordering::SeqCst);
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return result;
        }
        reactor.wait();
    }
}

/// Lets other tasks run, and those among them whose sockets have something to read by now. A task
/// that always finds something to do calls it now and then.
pub async fn yield_now() {
    if let Some(reactor) = current() {
        reactor.take_events(EpollTimeout::ZERO);
    }
    smol::future::yield_now().await;
}

fn current() -> Option<Arc<Reactor>> {
    CURRENT.with_borrow(Clone::clone)
}

/// Sets the reactor of this thread until it is dropped.
struct Current {
    outer: Option<Arc<Reactor>>,
}

impl Current {
    fn enter(reactor: Arc<Reactor>) -> Self {
        Self { outer: CURRENT.replace(Some(reactor)) }
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        CURRENT.set(self.outer.take());
    }
}

struct Reactor {
    epoll: Epoll,
    /// Ends a wait. It is never read: each write is an event.
    wakeup: EventFd,
    state: AtomicU8,
    next_key: AtomicU64,
    sources: Mutex<BTreeMap<u64, Arc<Source>>>,
    events: Mutex<Vec<EpollEvent>>,
}

impl Reactor {
    fn new() -> nix::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let wakeup = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        epoll.add(&wakeup, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, WAKEUP))?;
        Ok(Self {
            epoll,
            wakeup,
            state: AtomicU8::new(POLLING),
            next_key: AtomicU64::new(WAKEUP + 1),
            sources: Mutex::default(),
            events: Mutex::new(vec![EpollEvent::empty(); MAX_EVENTS]),
        })
    }

    /// Waits until a source has an event or the future is woken.
    fn wait(&self) {
        let is_woken = self.state.compare_exchange(POLLING, WAITING, Ordering::SeqCst, Ordering::SeqCst).is_err();
        self.take_events(if is_woken { EpollTimeout::ZERO } else { EpollTimeout::NONE });
    }

    /// Notes the events of the sources and wakes their tasks.
    fn take_events(&self, timeout: EpollTimeout) {
        let mut events = self.events.lock();
        // An error is the interruption by a signal, whose handler has set what it has to say.
        let count = self.epoll.wait(&mut events, timeout).unwrap_or(0);
        // The future is polled after this, so tasks that are woken here need not end a wait.
        let _ = self.state.compare_exchange(WAITING, WOKEN, Ordering::SeqCst, Ordering::SeqCst);
        for event in &events[..count] {
            let source = self.sources.lock().get(&event.data()).cloned();
            if let Some(waker) = source.and_then(|source| source.on_event(event.events())) {
                waker.wake();
            }
        }
    }
}

impl Wake for Reactor {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::SeqCst) == WAITING {
            // It is refused only after 2^64 wakes.
            let _ = self.wakeup.write(1);
        }
    }
}

/// What is known of a socket.
#[derive(Default)]
struct Source(Mutex<SourceState>);

#[derive(Default)]
struct SourceState {
    /// The number of events so far.
    events: u64,
    /// There may be something to read.
    is_ready: bool,
    /// The other side sends nothing more, or the connection is broken. No event follows.
    is_ended: bool,
    waker: Option<Waker>,
}

impl Source {
    fn on_event(&self, flags: EpollFlags) -> Option<Waker> {
        let mut state = self.0.lock();
        state.events += 1;
        state.is_ready = true;
        state.is_ended |= flags.intersects(EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR);
        state.waker.take()
    }
}

/// The registration of a socket for reading; ends when it is dropped.
struct Registration {
    reactor: Arc<Reactor>,
    key: u64,
    source: Arc<Source>,
}

impl Registration {
    /// Registers `socket` with the reactor of this thread. `None`: there is none, or it cannot.
    fn new(socket: impl AsFd) -> Option<Self> {
        let reactor = current()?;
        let key = reactor.next_key.fetch_add(1, Ordering::Relaxed);
        let source = Arc::new(Source::default());
        reactor.sources.lock().insert(key, Arc::clone(&source));
        // From here on, dropping it removes the source.
        let registration = Self { reactor, key, source };
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
        registration.reactor.epoll.add(socket, EpollEvent::new(flags, key)).ok()?;
        Some(registration)
    }

    /// Waits until there may be something to read. Returns the number of events so far.
    /// Cancel-safe. Only one task may wait.
    async fn ready(&self) -> u64 {
        std::future::poll_fn(|context| {
            let mut state = self.source.0.lock();
            if state.is_ready {
                return Poll::Ready(state.events);
            }
            if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                state.waker = Some(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    /// After `events`, a read found nothing.
    fn found_nothing(&self, events: u64) {
        let mut state = self.source.0.lock();
        state.is_ready &= state.events != events;
    }

    /// After `events`, a read took all there was.
    fn took_all(&self, events: u64) {
        let mut state = self.source.0.lock();
        // The end of a connection has no event of its own if it came together with bytes.
        state.is_ready &= state.is_ended || state.events != events;
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // The kernel forgets the socket when it is closed.
        self.reactor.sources.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests;
