//! The resources of agent and decoders, read from `/proc` as any other program could.

use std::{
    fs,
    time::{Duration, Instant},
};

/// Clock ticks per second in `/proc/*/stat`: 100 on every Linux target of Rust (proc(5)).
const TICKS: f64 = 100.0;

/// One process at one moment.
#[derive(Clone, Debug, Default)]
pub struct Process {
    pub pid: i32,
    /// `R`, `S`, `T`, `Z` and so on.
    pub state: char,
    pub threads: usize,
    pub descriptors: usize,
    /// Private resident memory: without files, such as shared libraries.
    pub memory_kb: u64,
    pub cpu_seconds: f64,
}

/// The agent with all its children.
#[derive(Clone, Debug, Default)]
pub struct ProcessTree {
    pub agent: Process,
    pub children: Vec<Process>,
}

impl ProcessTree {
    /// `None` if the agent is gone.
    pub fn look(agent: i32) -> Option<Self> {
        let children = children(agent).into_iter().filter_map(process).collect();
        Some(Self { agent: process(agent)?, children })
    }

    pub fn zombies(&self) -> Vec<i32> {
        self.children.iter().filter(|child| child.state == 'Z').map(|child| child.pid).collect()
    }

    pub fn decoders_memory_kb(&self) -> u64 {
        self.children.iter().map(|child| child.memory_kb).sum()
    }

    /// The counts that must not grow.
    pub fn counts(&self) -> Counts {
        let most = |value: fn(&Process) -> usize| self.children.iter().map(value).max().unwrap_or(0);
        Counts {
            children: self.children.len(),
            threads: self.agent.threads,
            descriptors: self.agent.descriptors,
            decoder_threads: most(|child| child.threads),
            decoder_descriptors: most(|child| child.descriptors),
        }
    }
}

/// Counted at the start and at the end, both without viewers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub children: usize,
    /// Of the agent, like the next field.
    pub threads: usize,
    pub descriptors: usize,
    /// Of the decoder that has most, like the next field.
    pub decoder_threads: usize,
    pub decoder_descriptors: usize,
}

impl Counts {
    pub fn is_within(&self, start: &Self) -> bool {
        self.children == start.children
            && self.threads <= start.threads
            && self.descriptors <= start.descriptors
            && self.decoder_threads <= start.decoder_threads
            && self.decoder_descriptors <= start.decoder_descriptors
    }

    /// As rows of a table: name, number.
    pub fn rows(&self) -> [(&'static str, usize); 5] {
        [
            ("decoders", self.children),
            ("threads of the agent", self.threads),
            ("descriptors of the agent", self.descriptors),
            ("threads of the decoder that has most", self.decoder_threads),
            ("descriptors of the decoder that has most", self.decoder_descriptors),
        ]
    }
}

/// The names of the threads of `pid`, for a report of one too many.
pub fn thread_names(pid: i32) -> String {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.map(|name| name.trim().to_owned()).collect::<Vec<_>>().join(", ")
}

/// Children of all threads of `pid`.
pub fn children(pid: i32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let mut all: Vec<i32> =
        lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect();
    all.sort_unstable();
    all
}

fn process(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain blanks; the fields are counted after it, from field 3 on.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    // A zombie has no more descriptors to list.
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let memory =
        status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix("kB")?.trim().parse().ok());
    Some(Process {
        pid,
        state: fields.first()?.chars().next()?,
        threads: usize::try_from(number(20)?).ok()?,
        descriptors,
        memory_kb: memory.unwrap_or(0),
        cpu_seconds: (number(14)? + number(15)?) as f64 / TICKS,
    })
}

/// A number over time.
#[derive(Clone, Debug, Default)]
pub struct Series(Vec<(f64, f64)>);

impl Series {
    pub fn push(&mut self, since: Duration, value: f64) {
        self.0.push((since.as_secs_f64(), value));
    }

    /// Change per hour by least squares; `None` with fewer than three values.
    pub fn slope_per_hour(&self) -> Option<f64> {
        let n = self.0.len() as f64;
        if self.0.len() < 3 {
            return None;
        }
        let (x_mean, y_mean) =
            (self.0.iter().map(|(x, _)| x).sum::<f64>() / n, self.0.iter().map(|(_, y)| y).sum::<f64>() / n);
        let covariance: f64 = self.0.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
        let variance: f64 = self.0.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
        (variance > 0.0).then(|| covariance / variance * 3600.0)
    }

    /// The same without its first quarter, in which caches fill.
    pub fn settled(&self) -> Self {
        Self(self.0[self.0.len() / 4..].to_vec())
    }

    pub fn range(&self) -> Option<(f64, f64)> {
        let values = || self.0.iter().map(|(_, value)| *value);
        Some((values().min_by(f64::total_cmp)?, values().max_by(f64::total_cmp)?))
    }
}

/// Takes a sample every few seconds during the soak.
pub struct Sampler {
    agent: i32,
    start: Instant,
    next: Instant,
    pub agent_memory: Series,
    pub decoders_memory: Series,
    /// Children that were zombies in the last sample; one that still is in the next was not reaped.
    dying: Vec<i32>,
    pub zombies: u64,
}

impl Sampler {
    const EVERY: Duration = Duration::from_secs(5);

    pub fn new(agent: i32, now: Instant) -> Self {
        Self {
            agent,
            start: now,
            next: now,
            agent_memory: Series::default(),
            decoders_memory: Series::default(),
            dying: Vec::new(),
            zombies: 0,
        }
    }

    /// Takes a sample if one is due, and returns whether it did.
    pub fn turn(&mut self, now: Instant) -> bool {
        if now < self.next {
            return false;
        }
        self.next = now + Self::EVERY;
        let Some(tree) = ProcessTree::look(self.agent) else { return true };
        let since = now - self.start;
        self.agent_memory.push(since, tree.agent.memory_kb as f64);
        self.decoders_memory.push(since, tree.decoders_memory_kb() as f64);
        let zombies = tree.zombies();
        self.zombies += zombies.iter().filter(|pid| self.dying.contains(pid)).count() as u64;
        self.dying = zombies;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slope_of_a_line_is_its_slope() {
        let mut series = Series::default();
        for n in 0..10_u32 {
            series.push(Duration::from_secs(u64::from(n) * 5), 1000.0 + f64::from(n) * 5.0);
        }
        assert!((series.slope_per_hour().unwrap() - 3600.0).abs() < 1e-6);
        assert_eq!(series.range(), Some((1000.0, 1045.0)));
        assert_eq!(Series::default().slope_per_hour(), None);
    }

    #[test]
    fn own_process_is_seen() {
        let own = process(std::process::id().cast_signed()).unwrap();
        assert!(own.threads >= 1 && own.descriptors >= 3 && own.memory_kb > 100, "{own:?}");
    }

    #[test]
    fn one_descriptor_more_is_a_leak_and_one_less_is_not() {
        let start = Counts { children: 2, threads: 3, descriptors: 30, decoder_threads: 5, decoder_descriptors: 9 };
        assert!(Counts { descriptors: 29, ..start }.is_within(&start));
        assert!(!Counts { descriptors: 31, ..start }.is_within(&start));
        assert!(!Counts { children: 1, ..start }.is_within(&start));
    }
}
