//! What waits to be written to one connection. A client that does not read holds up nobody else.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// While more bytes than these wait, no further access unit is taken.
const LIMIT: usize = 1024 * 1024;

#[derive(Default)]
pub struct Outbox {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Vec<u8>>,
    bytes: usize,
    closed: bool,
}

impl Outbox {
    /// Adds the packets of one access unit; `false`: there is no room, and nothing is sent of it.
    pub fn offer(&self, bytes: Vec<u8>) -> bool {
        let queue = self.lock();
        let has_room = queue.bytes <= LIMIT;
        if has_room {
            self.add(queue, bytes);
        }
        has_room
    }

    /// Adds an answer or a report, which always has room.
    pub fn push(&self, bytes: Vec<u8>) {
        self.add(self.lock(), bytes);
    }

    fn add(&self, mut queue: MutexGuard<'_, Queue>, bytes: Vec<u8>) {
        if !queue.closed {
            queue.bytes += bytes.len();
            queue.items.push_back(bytes);
            self.changed.notify_one();
        }
    }

    /// Blocks until there is something to write; `None`: the connection is closed.
    pub fn next(&self) -> Option<Vec<u8>> {
        let waiting = self.changed.wait_while(self.lock(), |queue| queue.items.is_empty() && !queue.closed);
        let mut queue = waiting.unwrap_or_else(PoisonError::into_inner);
        let bytes = queue.items.pop_front()?;
        queue.bytes -= bytes.len();
        Some(bytes)
    }

    /// Nothing more is added. What waits can still be read.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_wait_in_order_until_there_is_no_room() {
        let outbox = Outbox::default();
        assert!(outbox.offer(vec![1; LIMIT]));
        assert!(outbox.offer(vec![2]), "the limit is not yet passed");
        assert!(!outbox.offer(vec![3]));
        outbox.push(vec![4]);
        outbox.close();
        outbox.push(vec![5]);
        let first: Vec<u8> = std::iter::from_fn(|| outbox.next()).map(|item| item[0]).collect();
        assert_eq!(first, [1, 2, 4]);
        assert!(outbox.offer(vec![6]) && outbox.next().is_none());
    }
}
