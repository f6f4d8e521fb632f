//! The addresses the wall is served on.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use smol::{Async, Executor, Task};

use super::cannot_listen;
use crate::web::{self, Web};

/// One serving task per address; dropping a task closes its listener and its viewers.
pub struct Listeners {
    executor: Arc<Executor<'static>>,
    serving: BTreeMap<SocketAddr, Task<()>>,
    /// Could not be bound yet: an address that DHCP brings later, or a port another program holds.
    missing: Vec<SocketAddr>,
}

impl Listeners {
    pub fn new(executor: Arc<Executor<'static>>) -> Self {
        Self { executor, serving: BTreeMap::new(), missing: Vec::new() }
    }

    /// Serves on exactly these addresses: the new ones are bound before the old ones are left.
    /// Addresses that cannot be bound are logged, and tried again by [`Listeners::retry`].
    pub fn set(&mut self, addresses: &[SocketAddr], web: &Arc<Web>) {
        self.missing.clear();
        for &address in addresses {
            if self.serving.contains_key(&address) {
                continue;
            }
            if let Err(error) = self.bind(address, web) {
                log::error!("{}", cannot_listen(address, &error));
                self.missing.push(address);
            }
        }
        self.serving.retain(|address, _| addresses.contains(address));
    }

    /// Tries the missing addresses again, silently unless it succeeds.
    pub fn retry(&mut self, web: &Arc<Web>) {
        for address in std::mem::take(&mut self.missing) {
            if self.bind(address, web).is_err() {
                self.missing.push(address);
            }
        }
    }

    /// Where the wall is served.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.serving.keys().copied().collect()
    }

    /// Whether the wall is served anywhere.
    pub fn any(&self) -> bool {
        !self.serving.is_empty()
    }

    /// Waits until the last viewer has left after [`Web::say_goodbye`].
    pub async fn end(self) {
        for task in self.serving.into_values() {
            task.await;
        }
    }

    fn bind(&mut self, address: SocketAddr, web: &Arc<Web>) -> std::io::Result<()> {
        let listener = Async::<TcpListener>::bind(address)?;
        log::info!("the wall is at http://{address}/");
        let task = self.executor.spawn(web::serve(listener.into(), Arc::clone(web)));
        self.serving.insert(address, task);
        Ok(())
    }
}
