//! The memory of all workers and the agent together, and which worker must end when it is used up.
//!
//! Every supervisor reports how much memory its worker holds. When the sum exceeds the limit, the
//! supervisor of the largest worker learns it at its next report and ends that worker. No worker
//! starts until there is room again. Only the private memory of each process counts, because shared
//! libraries are in memory once.

use std::collections::BTreeMap;

use crate::{
    agent::memory_limit,
    config::Limits,
    proc,
    sync::{Mutex, MutexGuard},
    text::{Code, MIB, Part, Reason},
};

/// The share of the available memory that is used if the configuration sets no limit. The browser
/// of the machine's own screen and the system need the rest.
const USUAL_SHARE: (u64, u64) = (3, 4);

/// The memory that a worker needs if it only reads.
const SMALLEST_WORKER: u64 = 32 * MIB;

#[derive(Debug, Default)]
pub struct Budget {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// In bytes; `None` means no limit, because the machine's memory is unknown.
    bound: Option<u64>,
    workers: BTreeMap<String, u64>,
}

impl Budget {
    /// Sets the limit from `limits`.
    ///
    /// # Blocking
    /// A few reads of kernel files.
    pub fn set(&self, limits: &Limits) {
        let usual = || memory_limit::available().map(|bytes| bytes / USUAL_SHARE.1 * USUAL_SHARE.0);
        self.inner().bound = limits.total_memory.map(|mebibytes| mebibytes * MIB).or_else(usual);
    }

    /// Whether there is room for one more worker.
    ///
    /// # Errors
    /// The reason, if there is none.
    pub fn admit(&self) -> Result<(), Reason> {
        self.inner().admit(own_memory())
    }

    /// Reports that the worker of `stream` holds `bytes` of private memory.
    ///
    /// # Errors
    /// The reason, if this worker must end.
    pub fn report(&self, stream: &str, bytes: u64) -> Result<(), Reason> {
        self.inner().report(stream, bytes, own_memory())
    }

    /// Reports that the worker of `stream` has ended.
    pub fn forget(&self, stream: &str) {
        self.inner().workers.remove(stream);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }
}

impl Inner {
    fn used(&self, agent: u64) -> u64 {
        agent + self.workers.values().sum::<u64>()
    }

    fn admit(&self, agent: u64) -> Result<(), Reason> {
        let used = self.used(agent);
        match self.bound {
            Some(bound) if used + SMALLEST_WORKER > bound => Err(state(Code::MemoryFull.into(), used, bound)),
            _ => Ok(()),
        }
    }

    fn report(&mut self, stream: &str, bytes: u64, agent: u64) -> Result<(), Reason> {
        self.workers.insert(stream.to_owned(), bytes);
        let used = self.used(agent);
        let Some(bound) = self.bound.filter(|bound| used > *bound) else { return Ok(()) };
        // Picks one of two workers of equal size.
        let largest = self.workers.iter().max_by_key(|(id, bytes)| (**bytes, *id));
        if largest.is_none_or(|(id, _)| id != stream) {
            return Ok(());
        }
        Err(state(Code::MemoryShort.with("worker", bytes / MIB), used, bound))
    }
}

fn state(what: Part, used: u64, bound: u64) -> Reason {
    [what.with("used", used / MIB).with("limit", bound / MIB), Code::SeeTotalMemory.into()].into()
}

/// The agent's own memory that it shares with no other process, in bytes; zero if the kernel does
/// not report it.
fn own_memory() -> u64 {
    proc::Process::own().memory().map_or(0, |memory| memory.resident.saturating_sub(memory.shared))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn largest_worker_goes_when_the_sum_is_past_the_bound() {
        let mut inner = Inner { bound: Some(200 * MIB), workers: BTreeMap::new() };
        let agent = 50 * MIB;
        assert_eq!(inner.report("a", 60 * MIB, agent), Ok(()));
        assert_eq!(inner.report("b", 80 * MIB, agent), Ok(()));
        assert_eq!(inner.report("a", 79 * MIB, agent), Ok(()), "the other one is larger");
        let words = inner.report("b", 80 * MIB, agent).unwrap_err();
        assert!(
            words.contains("80 MiB") && words.contains("209 of 200 MiB") && words.contains("total_memory"),
            "{words}"
        );
        assert!(inner.admit(agent).unwrap_err().contains("total_memory"));
        inner.workers.remove("b");
        assert_eq!((inner.admit(agent), inner.report("a", 79 * MIB, agent)), (Ok(()), Ok(())));
    }

    #[test]
    fn machine_that_tells_no_memory_has_no_bound() {
        let mut inner = Inner::default();
        assert_eq!((inner.report("a", u64::MAX / 2, 0), inner.admit(0)), (Ok(()), Ok(())));
        assert!(memory_limit::available().is_none_or(|bytes| bytes > own_memory()) && own_memory() > 0);
    }
}
