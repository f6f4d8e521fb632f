//! Facts about processes and the machine from `/proc`; see proc(5).
//!
//! All functions read the kernel's memory, not a disk, and take less than a millisecond, except
//! where stated.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::unistd::{SysconfVar, sysconf};

/// A process, by its folder in `/proc`.
#[derive(Clone, Debug)]
pub struct Process(PathBuf);

/// Sizes of a process in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    /// In physical memory now.
    pub resident: u64,
    /// The part of it that other processes may share: files and shared memory.
    pub shared: u64,
}

/// The fields of `stat`; see proc_pid_stat(5).
#[derive(Debug)]
pub struct Stat(Vec<String>);

impl Process {
    /// The calling process, whichever that is when a method is called.
    pub fn own() -> Self {
        Self("/proc/self".into())
    }

    pub fn with_pid(pid: u32) -> Self {
        Self(format!("/proc/{pid}").into())
    }

    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// The text of a file such as `status` or `net/tcp`.
    ///
    /// # Errors
    /// If there is no such process or file, or if this user may not read it.
    pub fn read(&self, file: &str) -> io::Result<String> {
        fs::read_to_string(self.0.join(file))
    }

    /// # Errors
    /// As [`Self::read`].
    pub fn stat(&self) -> io::Result<Stat> {
        self.read("stat").map(|text| Stat::parse(&text))
    }

    /// The processor time used since the process started. `None` if the kernel does not report it.
    pub fn cpu_time(&self) -> Option<Duration> {
        let stat = self.stat().ok()?;
        let ticks_per_second = positive(SysconfVar::CLK_TCK)?.max(1);
        Some(Duration::from_millis((stat.field(14)? + stat.field(15)?) * 1000 / ticks_per_second))
    }

    /// `None` if the kernel does not report it.
    pub fn memory(&self) -> Option<Memory> {
        let statm = self.read("statm").ok()?;
        let page = positive(SysconfVar::PAGE_SIZE)?;
        let mut sizes = statm.split_ascii_whitespace().skip(1).map(|pages| Some(pages.parse::<u64>().ok()? * page));
        Some(Memory { resident: sizes.next()??, shared: sizes.next()?? })
    }

    /// # Errors
    /// As [`Self::read`].
    pub fn threads(&self) -> io::Result<usize> {
        Ok(fs::read_dir(self.0.join("task"))?.count())
    }

    /// Number of open descriptors. If the process is the calling one, this includes the one that is
    /// open to count them.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn descriptor_count(&self) -> io::Result<usize> {
        Ok(fs::read_dir(self.0.join("fd"))?.count())
    }

    /// What each open descriptor refers to, such as `socket:[4711]`.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn descriptors(&self) -> io::Result<Vec<PathBuf>> {
        let links = fs::read_dir(self.0.join("fd"))?.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        Ok(links.collect())
    }

    /// Maximum number of open descriptors; `None` if there is no limit.
    pub fn max_descriptors(&self) -> Option<u64> {
        number_of(&self.read("limits").ok()?, "Max open files")
    }
}

impl Stat {
    fn parse(text: &str) -> Self {
        // The name in parentheses may contain blanks and parentheses.
        let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
        Self(fields.split_ascii_whitespace().map(str::to_owned).collect())
    }

    /// The field with this number in the manual page. `None` for the two before the state, and if
    /// it is missing or no number.
    pub fn field(&self, number: usize) -> Option<u64> {
        self.0.get(number.checked_sub(3)?)?.parse().ok()
    }
}

/// The pids of all processes that this one can see.
pub fn pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// The machine's memory in bytes.
pub fn total_memory() -> Option<u64> {
    number_of(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal").map(|kibibytes| kibibytes << 10)
}

/// The machine's name; empty if it has none.
pub fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// The value in the line `name: value`, or `name value`, of a file such as `status`.
pub fn value_of<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix([':', ' ', '\t']));
    values.map(str::trim).next()
}

/// The first number of the value; `None` for `unlimited`.
fn number_of(text: &str, name: &str) -> Option<u64> {
    value_of(text, name)?.split_ascii_whitespace().next()?.parse().ok()
}

fn positive(variable: SysconfVar) -> Option<u64> {
    sysconf(variable).ok().flatten().and_then(|value| u64::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_process_is_read() {
        let own = Process::own();
        let memory = own.memory().unwrap();
        assert!(memory.resident > 1 << 20 && memory.shared <= memory.resident, "{memory:?}");
        assert!(own.threads().unwrap() >= 1);
        assert!(own.descriptor_count().unwrap() as u64 <= own.max_descriptors().unwrap());
        assert!(own.descriptors().unwrap().len() >= 3);
        assert!(own.cpu_time().is_some());
        assert!(pids().contains(&std::process::id()));
        assert!(total_memory().unwrap() > memory.resident);
        let same = Process::with_pid(std::process::id());
        assert_eq!(same.stat().unwrap().field(22), own.stat().unwrap().field(22), "the start time");
    }

    #[test]
    fn process_that_is_gone_has_no_facts() {
        let gone = Process::with_pid(u32::MAX);
        assert!(gone.stat().is_err() && gone.threads().is_err() && gone.descriptors().is_err());
        assert_eq!((gone.memory(), gone.cpu_time(), gone.max_descriptors()), (None, None, None));
    }

    #[test]
    fn values_are_found_by_name() {
        assert_eq!(number_of("VmHWM:\t  9 kB\nVmRSS:\t   12 kB\n", "VmRSS"), Some(12));
        assert_eq!(
            number_of("Max open files            1024                 4096   files", "Max open files"),
            Some(1024)
        );
        assert_eq!(number_of("Max open files            unlimited            4096   files", "Max open files"), None);
        assert_eq!(value_of("NSpidx:\t1\nNSpid:\t900\t7\n", "NSpid"), Some("900\t7"));
        assert_eq!(value_of("Name:\tx\n", "PPid"), None);
    }

    #[test]
    fn fields_are_found_behind_a_strange_name() {
        let stat = Stat::parse("7 (a) b) R 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1 0 5");
        assert_eq!([stat.field(14), stat.field(15), stat.field(22)], [Some(150), Some(50), Some(5)]);
        assert_eq!([stat.field(1), stat.field(3), stat.field(23)], [None; 3]);
        assert_eq!(Stat::parse("7").field(14), None);
    }
}
