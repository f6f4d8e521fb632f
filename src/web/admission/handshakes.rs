//! How many TLS handshakes run at the same time. A handshake costs the processor a thousand times
//! more than a request, and a client may stop in the middle of it.

use std::{net::IpAddr, sync::Arc};

use crate::sync::Notifier;
use crate::web::admission::counter::{AddressPermit, LimitedCounter, PerAddressCounter, Permit};

/// Maximum number of handshakes at the same time.
const MAX_HANDSHAKES: usize = 16;

/// Maximum number of them with one address, so that one that stops in the middle of all of its own
/// leaves room for others.
const MAX_PER_ADDRESS: usize = 8;

/// The handshakes that are under way; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Handshakes {
    all: LimitedCounter,
    addresses: PerAddressCounter,
    freed: Arc<Notifier>,
}

/// Counts as a handshake until it is dropped.
#[derive(Debug)]
pub struct HandshakePermit {
    _of_address: AddressPermit,
    _of_all: Permit,
    /// The last one that is dropped.
    _notice: Notice,
}

/// Tells those that wait when it is dropped.
#[derive(Debug)]
struct Notice(Arc<Notifier>);

impl Handshakes {
    /// Waits until a handshake with `address` may begin.
    pub async fn enter(&self, address: IpAddr) -> HandshakePermit {
        // Before the first look, so that nothing is missed.
        let freed = self.freed.subscribe();
        loop {
            if let Some(permit) = self.try_enter(address) {
                return permit;
            }
            freed.changed().await;
        }
    }

    fn try_enter(&self, address: IpAddr) -> Option<HandshakePermit> {
        let of_address = self.addresses.enter(address, MAX_PER_ADDRESS)?;
        let of_all = self.all.enter(MAX_HANDSHAKES)?;
        Some(HandshakePermit { _of_address: of_address, _of_all: of_all, _notice: Notice(Arc::clone(&self.freed)) })
    }
}

impl Drop for Notice {
    fn drop(&mut self) {
        self.0.notify();
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
