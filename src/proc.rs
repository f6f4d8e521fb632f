//! Facts about processes and the machine from `/proc`; see proc(5).
//!
//! All functions read the kernel's memory, not a disk, and take less than a millisecond, except
//! where stated.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::unistd::{Group, SysconfVar, User, getegid, geteuid, sysconf};

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

/// Reads the usage of a process, also after the process has become one that this user may not look
/// at: what was open before stays readable.
#[derive(Debug)]
pub struct UsageReader {
    stat: File,
    statm: File,
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
        self.stat().ok()?.cpu_time()
    }

    /// `None` if the kernel does not report it.
    pub fn memory(&self) -> Option<Memory> {
        Memory::parse(&self.read("statm").ok()?)
    }

    /// Opens what tells the usage of the process.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn usage_reader(&self) -> io::Result<UsageReader> {
        Ok(UsageReader { stat: File::open(self.0.join("stat"))?, statm: File::open(self.0.join("statm"))? })
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

impl UsageReader {
    /// As [`Process::cpu_time`]; `None` also once the process has ended.
    pub fn cpu_time(&self) -> Option<Duration> {
        Stat::parse(&whole(&self.stat)?).cpu_time()
    }

    /// As [`Process::memory`]; `None` also once the process has ended.
    pub fn memory(&self) -> Option<Memory> {
        Memory::parse(&whole(&self.statm)?)
    }
}

/// The present content of a short file that is open.
fn whole(file: &File) -> Option<String> {
    // The longest `stat` has a name of 64 bytes and some fifty numbers.
    let mut bytes = [0; 2048];
    let length = file.read_at(&mut bytes, 0).ok()?;
    String::from_utf8(bytes[..length].to_vec()).ok()
}

impl Memory {
    fn parse(statm: &str) -> Option<Self> {
        let page = positive(SysconfVar::PAGE_SIZE)?;
        let mut sizes = statm.split_ascii_whitespace().skip(1).map(|pages| Some(pages.parse::<u64>().ok()? * page));
        Some(Self { resident: sizes.next()??, shared: sizes.next()?? })
    }
}

impl Stat {
    fn parse(text: &str) -> Self {
        // The name in parentheses may contain blanks and parentheses.
        let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
        Self(fields.split_ascii_whitespace().map(str::to_owned).collect())
    }

    fn cpu_time(&self) -> Option<Duration> {
        let ticks_per_second = positive(SysconfVar::CLK_TCK)?.max(1);
        Some(Duration::from_millis((self.field(14)? + self.field(15)?) * 1000 / ticks_per_second))
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

/// Whether this process is root, in its user namespace.
pub fn runs_as_root() -> bool {
    geteuid().is_root()
}

/// The names of the user and group that this process is; numbers where they have no name.
///
/// # Blocking
/// Reads the user database, which is on a disk.
pub fn own_user() -> (String, String) {
    let (uid, gid) = (geteuid(), getegid());
    let user = User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name);
    let group = Group::from_gid(gid).ok().flatten().map_or_else(|| gid.to_string(), |group| group.name);
    (user, group)
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
    fn usage_is_read_again_and_again_until_the_process_ends() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let usage = Process::with_pid(child.id()).usage_reader().unwrap();
        for _ in 0..2 {
            assert!(usage.cpu_time().is_some() && usage.memory().is_some(), "{usage:?}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((usage.cpu_time(), usage.memory()), (None, None));
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
