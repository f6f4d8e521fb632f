//! The addresses the wall is served on.
//!
//! What is new is bound before what is old is left, and while a new address cannot be had, the old ones
//! go on being served: a slip in `listen` never takes the wall away.

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use smol::{Async, Executor, Task};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::{
    log::chain,
    web::{self, Web},
};

/// Connections that wait to be accepted, at most; as many as the standard library lets wait.
const BACKLOG: i32 = 128;

/// One address that is served.
struct Listener {
    web: Web,
    listener: smol::net::TcpListener,
    serving: Task<()>,
}

/// One serving task per address; dropping a task closes its listener and its viewers.
pub struct Listeners {
    executor: Arc<Executor<'static>>,
    web: Arc<Web>,
    wanted: Vec<SocketAddr>,
    open: BTreeMap<SocketAddr, Listener>,
    /// Could not be bound yet, and why: an address that DHCP brings later, or a port another program
    /// holds.
    missing: Vec<(SocketAddr, io::Error)>,
    /// Viewers that are taking their leave of addresses that are left.
    leaving: Vec<Task<()>>,
}

impl Listeners {
    pub fn new(executor: Arc<Executor<'static>>, web: Arc<Web>) -> Self {
        Self { executor, web, wanted: Vec::new(), open: BTreeMap::new(), missing: Vec::new(), leaving: Vec::new() }
    }

    /// Serves on exactly these addresses, as soon as all of them can be bound. Until then addresses of
    /// before are served as well, and [`Listeners::retry`] tries again.
    pub fn set(&mut self, addresses: &[SocketAddr]) {
        self.wanted = addresses.to_vec();
        self.reconcile();
        for (address, error) in &self.missing {
            log::error!("{}", cannot_listen(*address, error));
        }
    }

    /// Tries the missing addresses again.
    pub fn retry(&mut self) {
        self.leaving.retain(|task| !task.is_finished());
        if !self.missing.is_empty() {
            self.reconcile();
        }
    }

    /// Where the wall is served.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.open.keys().copied().collect()
    }

    /// What is wrong, one text for each address that is missing.
    pub fn complaints(&self) -> Vec<String> {
        let kept: Vec<_> = self.unwanted().map(|address| format!("http://{address}/")).collect();
        let until = match kept.as_slice() {
            [] => String::new(),
            kept => format!("; until that succeeds the wall stays at {} as well", kept.join(" and ")),
        };
        self.missing.iter().map(|(address, error)| cannot_listen(*address, error) + &until).collect()
    }

    /// Whether the wall is served anywhere.
    pub fn any(&self) -> bool {
        !self.open.is_empty()
    }

    /// Waits until the last viewer has left after [`Web::shutdown`].
    pub async fn end(self) {
        for door in self.open.into_values() {
            door.serving.await;
        }
        for task in self.leaving {
            task.await;
        }
    }

    fn reconcile(&mut self) {
        self.missing.clear();
        for address in self.wanted.clone() {
            if !self.open.contains_key(&address)
                && let Err(error) = self.bind(address)
            {
                self.missing.push((address, error));
            }
        }
        if self.missing.is_empty() {
            self.leave_unwanted();
        }
    }

    fn leave_unwanted(&mut self) {
        let place = self.wanted.first().map_or_else(String::new, |address| format!("http://{address}/"));
        for address in self.unwanted().collect::<Vec<_>>() {
            let Some(door) = self.open.remove(&address) else { continue };
            log::info!("http://{address}/ is left");
            door.web.leave(format!("this address is left; the wall is at {place} now"));
            self.leaving.push(door.serving);
        }
    }

    fn unwanted(&self) -> impl Iterator<Item = SocketAddr> {
        self.open.keys().filter(|address| !self.wanted.contains(address)).copied()
    }

    fn bind(&mut self, address: SocketAddr) -> io::Result<()> {
        // The kernel keeps an address for one socket, unless all that want it agree to share: 0.0.0.0 can
        // be bound while 127.0.0.1 is not left yet. Only then, for another agent must not slip in.
        let in_the_way: Vec<_> =
            self.unwanted().filter(|old| overlap(*old, address)).filter_map(|old| self.open.get(&old)).collect();
        let share = |shared| {
            for door in &in_the_way {
                let _ = SockRef::from(&door.listener).set_reuse_port(shared);
            }
        };
        share(true);
        let bound = listen(address, !in_the_way.is_empty());
        share(false);
        let listener = smol::net::TcpListener::from(Async::new(bound?)?);
        log::info!("the wall is at http://{address}/");
        let web = self.web.for_listener();
        let serving = self.executor.spawn(web::serve(listener.clone(), Arc::new(web.clone())));
        self.open.insert(address, Listener { web, listener, serving });
        Ok(())
    }
}

fn listen(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of the agent before this one may not be forgotten yet.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_reuse_port(false)?;
    Ok(socket.into())
}

/// Whether the kernel would not give out one of them while the other is held; also says yes to some it would.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}

/// One line for a failure to listen, with what would be right.
fn cannot_listen(address: SocketAddr, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there; is another agent running?",
        io::ErrorKind::AddrNotAvailable => "no interface of this machine has that address",
        io::ErrorKind::PermissionDenied => "ports below 1024 need root or CAP_NET_BIND_SERVICE",
        _ => "check `listen` in the configuration",
    };
    format!("cannot listen on {address}: {}; {remedy}", chain(error))
}
