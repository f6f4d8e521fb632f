//! The memory of all workers and the agent together, and who has to go when it is used up.
//!
//! Every keeper reports what its worker holds. As soon as the sum is past the bound, the one with the
//! largest worker hears so at its next report and ends it; no worker is begun until there is room again.
//! Counted is what each process has for itself, as the libraries they share are in memory once.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
};

use nix::unistd::{SysconfVar, sysconf};

use crate::{agent::memory_limit, config::Limits};

const MIB: u64 = 1 << 20;

/// The part of the memory there is that is used where the configuration names no bound: the screen's
/// browser and the system live on the same machine.
const USUAL_SHARE: (u64, u64) = (3, 4);

/// What is needed for a worker that only reads.
const SMALLEST_WORKER: u64 = 32 * MIB;

#[derive(Debug, Default)]
pub struct Budget {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Bytes; `None`: no bound, as the machine does not tell its memory.
    bound: Option<u64>,
    workers: BTreeMap<String, u64>,
}

impl Budget {
    /// The bound of `limits` from now on.
    ///
    /// # Blocking
    /// A few reads from the kernel's memory.
    pub fn set(&self, limits: &Limits) {
        let usual = || memory_limit::available().map(|bytes| bytes / USUAL_SHARE.1 * USUAL_SHARE.0);
        self.inner().bound = limits.total_memory.map(|mebibytes| mebibytes * MIB).or_else(usual);
    }

    /// Whether there is room for one more worker.
    ///
    /// # Errors
    /// In words, where there is none.
    pub fn admit(&self) -> Result<(), String> {
        self.inner().admit(own_memory())
    }

    /// The worker of `stream` holds `bytes` for itself.
    ///
    /// # Errors
    /// In words, where this worker has to go.
    pub fn report(&self, stream: &str, bytes: u64) -> Result<(), String> {
        self.inner().report(stream, bytes, own_memory())
    }

    /// The worker of `stream` is gone.
    pub fn forget(&self, stream: &str) {
        self.inner().workers.remove(stream);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn used(&self, agent: u64) -> u64 {
        agent + self.workers.values().sum::<u64>()
    }

    fn admit(&self, agent: u64) -> Result<(), String> {
        let used = self.used(agent);
        match self.bound {
            Some(bound) if used + SMALLEST_WORKER > bound => {
                Err(format!("no memory for one more worker: {}", state(used, bound)))
            }
            _ => Ok(()),
        }
    }

    fn report(&mut self, stream: &str, bytes: u64, agent: u64) -> Result<(), String> {
        self.workers.insert(stream.to_owned(), bytes);
        let used = self.used(agent);
        let Some(bound) = self.bound.filter(|bound| used > *bound) else { return Ok(()) };
        // Of two that are equally large, one.
        let largest = self.workers.iter().max_by_key(|(id, bytes)| (**bytes, *id));
        if largest.is_none_or(|(id, _)| id != stream) {
            return Ok(());
        }
        Err(format!(
            "its worker was the largest, with {} MiB, when memory ran short: {}",
            bytes / MIB,
            state(used, bound)
        ))
    }
}

fn state(used: u64, bound: u64) -> String {
    format!("agent and workers hold {} of {} MiB; see total_memory below [limits]", used / MIB, bound / MIB)
}

/// What the agent itself has in memory and shares with nobody, in bytes; see proc(5), `statm`.
fn own_memory() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let mut pages = statm.split_ascii_whitespace().skip(1).map(|count| count.parse().unwrap_or(0));
    let (resident, shared): (u64, u64) = (pages.next().unwrap_or(0), pages.next().unwrap_or(0));
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().and_then(|bytes| u64::try_from(bytes).ok());
    resident.saturating_sub(shared) * page.unwrap_or(4096)
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
