//! What the agent itself costs, read from `/proc`.

use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Processor time since the process started.
    pub cpu: Duration,
    /// Resident memory in bytes.
    pub resident: u64,
    pub threads: u64,
    /// Open descriptors, without the one used to count them.
    pub descriptors: u64,
    /// Maximum number of open descriptors.
    pub most_descriptors: Option<u64>,
}

/// Clock ticks per second in `/proc/self/stat`: 100 on every Linux that Rust's targets include,
/// whatever the kernel's own timer is (`USER_HZ`, proc(5)).
const TICKS: u64 = 100;

/// `None` if `/proc` is not mounted.
///
/// # Blocking
/// A few reads from the kernel's memory: no disk, less than a millisecond.
pub fn usage() -> Option<Usage> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let descriptors = std::fs::read_dir("/proc/self/fd").ok()?.count() as u64;
    Some(Usage {
        cpu: cpu(&stat)?,
        resident: field(&status, "VmRSS:")? * 1024,
        threads: field(&status, "Threads:")?,
        descriptors: descriptors.saturating_sub(1),
        most_descriptors: field(&limits, "Max open files"),
    })
}

/// Fields 14 and 15, utime and stime, counted after the name, because the name may contain spaces.
fn cpu(stat: &str) -> Option<Duration> {
    let behind_name = stat.rsplit_once(')')?.1;
    let mut fields = behind_name.split_ascii_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Duration::from_millis((user + system) * 1000 / TICKS))
}

/// The first number after `name`; `None` if the value is `unlimited`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_usage_is_read() {
        let usage = usage().unwrap();
        assert!(usage.resident > 1 << 20 && usage.threads >= 1 && usage.descriptors >= 3, "{usage:?}");
        let most = usage.most_descriptors.unwrap();
        assert!(usage.descriptors < most, "{usage:?}");
    }

    #[test]
    fn fields_are_found_by_name() {
        assert_eq!(field("VmHWM:\t  9 kB\nVmRSS:\t   12 kB\n", "VmRSS:"), Some(12));
        assert_eq!(field("Max open files            1024                 4096   files", "Max open files"), Some(1024));
        assert_eq!(field("Max open files            unlimited            4096   files", "Max open files"), None);
    }

    #[test]
    fn processor_time_is_found_behind_a_strange_name() {
        let stat = "7 (a) b) R 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1 0 5";
        assert_eq!(cpu(stat), Some(Duration::from_secs(2)));
        assert_eq!(cpu("7"), None);
    }
}
