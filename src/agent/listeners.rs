//! The addresses on which the wall is served.
//!
//! New addresses are bound before old ones are closed. While a new address cannot be bound, the old
//! ones stay open, so a mistake in `listen` never takes the wall away.

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

/// Maximum number of connections that wait to be accepted; the standard library's value.
const BACKLOG: i32 = 128;

/// One address on which the wall is served.
struct Listener {
    web: Web,
    listener: smol::net::TcpListener,
    serving: Task<()>,
}

/// One task per address; dropping the task closes the listener and its viewers.
pub struct Listeners {
    executor: Arc<Executor<'static>>,
    web: Arc<Web>,
    wanted: Vec<SocketAddr>,
    open: BTreeMap<SocketAddr, Listener>,
    /// Addresses that could not be bound yet, each with the error: DHCP may bring the address
    /// later, or another program may hold the port.
    missing: Vec<(SocketAddr, io::Error)>,
    /// Sockets that were bound before the agent gave root up. Each is used once.
    bound_early: BTreeMap<SocketAddr, Socket>,
    /// Closed addresses whose viewers are still being disconnected.
    leaving: Vec<Task<()>>,
}

impl Listeners {
    /// Uses the sockets in `bound_early`, from [`bind_early`], when their addresses are wanted.
    pub fn new(executor: Arc<Executor<'static>>, web: Arc<Web>, bound_early: Vec<(SocketAddr, Socket)>) -> Self {
        Self {
            executor,
            web,
            wanted: Vec::new(),
            open: BTreeMap::new(),
            missing: Vec::new(),
            bound_early: bound_early.into_iter().collect(),
            leaving: Vec::new(),
        }
    }

    /// Serves on exactly these addresses as soon as all of them can be bound. Until then the
    /// previous addresses stay open as well, and [`Listeners::retry`] tries again.
    pub fn set(&mut self, addresses: &[SocketAddr]) {
        self.wanted = addresses.to_vec();
        self.reconcile();
        for (address, error) in &self.missing {
            log::error!("{}", cannot_listen(*address, error));
        }
    }

    /// Tries to bind the missing addresses again.
    pub fn retry(&mut self) {
        self.leaving.retain(|task| !task.is_finished());
        if !self.missing.is_empty() {
            self.reconcile();
        }
    }

    /// The addresses on which the wall is served.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.open.keys().copied().collect()
    }

    /// One error text for each missing address.
    pub fn complaints(&self) -> Vec<String> {
        let kept: Vec<_> = self.unwanted().map(|address| self.entrance(address)).collect();
        let until = match kept.as_slice() {
            [] => String::new(),
            kept => format!("; until that succeeds the wall stays at {} as well", kept.join(" and ")),
        };
        self.missing.iter().map(|(address, error)| cannot_listen(*address, error) + &until).collect()
    }

    /// Whether the wall is served on any address.
    pub fn any(&self) -> bool {
        !self.open.is_empty()
    }

    /// Waits until the last viewer is gone after [`Web::shutdown`].
    pub async fn end(self) {
        for listener in self.open.into_values() {
            listener.serving.await;
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
        let place = self.wanted.first().map_or_else(String::new, |address| self.entrance(*address));
        for address in self.unwanted().collect::<Vec<_>>() {
            let Some(listener) = self.open.remove(&address) else { continue };
            log::info!("{} is no longer served", self.entrance(address));
            listener.web.leave(format!("this address is left; the wall is at {place} now"));
            self.leaving.push(listener.serving);
        }
    }

    /// The address as a browser opens it.
    fn entrance(&self, address: SocketAddr) -> String {
        entrance(address, self.web.serves_plain_http())
    }

    fn unwanted(&self) -> impl Iterator<Item = SocketAddr> {
        self.open.keys().filter(|address| !self.wanted.contains(address)).copied()
    }

    fn bind(&mut self, address: SocketAddr) -> io::Result<()> {
        // The kernel gives an address to one socket only, unless all sockets set SO_REUSEPORT:
        // 0.0.0.0 can then be bound before 127.0.0.1 is closed. Only in this case, so that no other
        // agent binds it too.
        let in_the_way: Vec<_> =
            self.unwanted().filter(|old| overlap(*old, address)).filter_map(|old| self.open.get(&old)).collect();
        let share = |shared| {
            for listener in &in_the_way {
                let _ = SockRef::from(&listener.listener).set_reuse_port(shared);
            }
        };
        share(true);
        let bound = match self.bound_early.remove(&address) {
            Some(socket) => socket.listen(BACKLOG).map(|()| socket.into()),
            None => listen(address, !in_the_way.is_empty()),
        };
        share(false);
        let listener = smol::net::TcpListener::from(Async::new(bound?)?);
        log::info!("the wall is at {}", self.entrance(address));
        let web = self.web.for_listener();
        let serving = self.executor.spawn(web::serve(listener.clone(), Arc::new(web.clone())));
        self.open.insert(address, Listener { web, listener, serving });
        Ok(())
    }
}

/// The address as a browser opens it. Other machines are sent on from HTTP to HTTPS unless
/// `plain_http` is set; this machine itself is not.
fn entrance(address: SocketAddr, plain_http: bool) -> String {
    let ip = address.ip().to_canonical();
    let scheme = if plain_http || ip.is_loopback() { "http" } else { "https" };
    let which = if ip.is_unspecified() { " (every address of this machine)" } else { "" };
    format!("{scheme}://{address}/{which}")
}

fn listen(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a previous agent may still be in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_reuse_port(false)?;
    Ok(socket.into())
}

/// Binds `address` while the process is still root. Nobody can connect until the socket listens. An
/// address that this machine does not have yet, because DHCP brings it later, is bound all the same.
pub fn bind_early(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    // Only for an address to come; all others are bound without it.
    let _ = match address {
        SocketAddr::V4(_) => socket.set_freebind_v4(true),
        SocketAddr::V6(_) => socket.set_freebind_v6(true),
    };
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Whether the kernel would refuse one address while the other is bound; may say yes too often.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}

/// One error line for a failed bind, with a remedy.
fn cannot_listen(address: SocketAddr, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there; is another agent running?",
        io::ErrorKind::AddrNotAvailable => "no interface of this machine has that address",
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need root or CAP_NET_BIND_SERVICE; with --user they are opened only when the agent starts, \
             so restart it"
        }
        _ => "check `listen` in the configuration",
    };
    format!("cannot listen on {address}: {}; {remedy}", chain(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entrance_has_the_scheme_that_a_browser_ends_up_with() {
        for (address, plain_http, expected) in [
            ("127.0.0.1:8080", false, "http://127.0.0.1:8080/"),
            ("[::1]:8080", false, "http://[::1]:8080/"),
            ("10.0.0.1:8080", false, "https://10.0.0.1:8080/"),
            ("10.0.0.1:8080", true, "http://10.0.0.1:8080/"),
            ("0.0.0.0:80", false, "https://0.0.0.0:80/ (every address of this machine)"),
            ("[::]:80", true, "http://[::]:80/ (every address of this machine)"),
        ] {
            assert_eq!(entrance(address.parse().unwrap(), plain_http), expected);
        }
    }
}
