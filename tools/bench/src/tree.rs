//! The processor time and memory of a process and all its descendants, from `/proc`.

use std::{collections::BTreeMap, fs};

/// Sums over a process tree at one moment.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Processor time since the processes began, in nanoseconds.
    pub nanoseconds: u64,
    /// Memory in bytes, each shared page counted by its share (PSS).
    pub memory: u64,
    /// PSS of the processes that were started directly.
    pub roots_memory: u64,
    /// Private bytes of the largest descendant.
    pub largest_child: u64,
    /// Processor time by process.
    pub processes: BTreeMap<u32, u64>,
}

impl Tree {
    /// `roots` and all their descendants. Takes some milliseconds: the kernel walks all pages.
    pub fn read(roots: &[u32]) -> Self {
        let parents = parents();
        let mut tree = Self::default();
        for &pid in parents.keys() {
            if !belongs(pid, roots, &parents) {
                continue;
            }
            let time = nanoseconds(pid);
            tree.nanoseconds += time;
            tree.processes.insert(pid, time);
            let Some(memory) = Memory::read(pid) else { continue };
            tree.memory += memory.shared_fairly;
            if roots.contains(&pid) {
                tree.roots_memory += memory.shared_fairly;
            } else {
                tree.largest_child = tree.largest_child.max(memory.private);
            }
        }
        tree
    }

    /// Processor time since `before`, in nanoseconds, of the processes that are in both.
    pub fn since(&self, before: &Self) -> u64 {
        let spent = |(pid, now): (&u32, &u64)| Some(now.saturating_sub(*before.processes.get(pid)?));
        self.processes.iter().filter_map(spent).sum()
    }
}

/// The parent of every process.
fn parents() -> BTreeMap<u32, u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let parent = |entry: fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name, in brackets, may contain anything.
        Some((pid, stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?))
    };
    processes.filter_map(parent).collect()
}

fn belongs(pid: u32, roots: &[u32], parents: &BTreeMap<u32, u32>) -> bool {
    let mut at = Some(pid);
    while let Some(pid) = at {
        if roots.contains(&pid) {
            return true;
        }
        at = parents.get(&pid).copied();
    }
    false
}

/// Processor time of all live threads of `pid`. `stat` has only hundredths of a second, too coarse
/// here.
fn nanoseconds(pid: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let spent = |thread: fs::DirEntry| {
        let stat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    };
    threads.filter_map(spent).sum()
}

struct Memory {
    shared_fairly: u64,
    private: u64,
}

impl Memory {
    fn read(pid: u32) -> Option<Self> {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let bytes = |name: &str| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|value| value.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()).map_or(0, |kb| kb << 10)
        };
        Some(Self { shared_fairly: bytes("Pss"), private: bytes("Private_Clean") + bytes("Private_Dirty") })
    }
}
