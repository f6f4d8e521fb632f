//! How many TLS handshakes run at the same time. A handshake costs the processor a thousand times
//! more than a request, and a client may stop in the middle of it.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use crate::sync::{Mutex, Notifier};
use crate::web::admission::counter::address_prefix;

/// Maximum number of handshakes at the same time.
const MAX_HANDSHAKES: usize = 16;

/// Maximum number of them with one address, so that one that stops in the middle of all of its own
/// leaves room for others.
const MAX_PER_ADDRESS: usize = 8;

/// The handshakes that are under way; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Handshakes(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    held: Mutex<BTreeMap<IpAddr, usize>>,
    freed: Notifier,
}

/// Counts as a handshake until it is dropped.
#[derive(Debug)]
pub struct HandshakePermit {
    shared: Arc<Shared>,
    at: IpAddr,
}

impl Handshakes {
    /// Waits until a handshake with `address` may begin.
    pub async fn enter(&self, address: IpAddr) -> HandshakePermit {
        let at = address_prefix(address);
        // Before the first look, so that nothing is missed.
        let freed = self.0.freed.subscribe();
        while !self.0.try_enter(at) {
            freed.changed().await;
        }
        HandshakePermit { shared: Arc::clone(&self.0), at }
    }
}

impl Shared {
    fn try_enter(&self, at: IpAddr) -> bool {
        let mut held = self.held.lock();
        let here = held.get(&at).copied().unwrap_or(0);
        let is_free = held.values().sum::<usize>() < MAX_HANDSHAKES && here < MAX_PER_ADDRESS;
        if is_free {
            held.insert(at, here + 1);
        }
        is_free
    }
}

impl Drop for HandshakePermit {
    fn drop(&mut self) {
        let mut held = self.shared.held.lock();
        if let Some(count) = held.get_mut(&self.at) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.at);
            }
        }
        drop(held);
        self.shared.freed.notify();
    }
}

#[cfg(test)]
mod tests {
    use smol::future::{FutureExt, block_on};

    use super::*;

    #[test]
    fn handshakes_beyond_the_limits_wait_for_others_to_end() {
        let handshakes = Handshakes::default();
        let at = |number: u8| IpAddr::from([10, 0, 0, number]);
        let enter = |number: u8| block_on(async { Some(handshakes.enter(at(number)).await) }.or(async { None }));
        let mut first: Vec<_> = (0..MAX_PER_ADDRESS).map(|_| enter(1).unwrap()).collect();
        assert!(enter(1).is_none(), "the address has its share");
        let _second: Vec<_> = (0..MAX_PER_ADDRESS).map(|_| enter(2).unwrap()).collect();
        assert!(enter(3).is_none(), "all are taken");
        let waiting = async { Some(handshakes.enter(at(3)).await) };
        let third = block_on(waiting.or(async {
            first.pop();
            smol::future::pending().await
        }));
        assert!(third.is_some() && enter(3).is_none());
    }
}
