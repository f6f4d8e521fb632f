//! What the agent itself costs, read from `/proc`.

use std::time::Duration;

/// Processor time and resident memory in bytes of this process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    pub cpu: Duration,
    pub resident: u64,
}

/// Clock ticks per second in `/proc/self/stat`: 100 on every Linux that Rust's targets know, whatever
/// the kernel's own timer does (`USER_HZ`, proc(5)).
const TICKS: u64 = 100;

/// `None` where `/proc` is not mounted.
///
/// # Blocking
/// Two reads from the kernel's memory: no disk, some microseconds.
pub fn usage() -> Option<Usage> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    Some(Usage { cpu: cpu(&stat)?, resident: resident(&status)? })
}

/// Fields 14 and 15, utime and stime, counted behind the name, which may itself hold blanks.
fn cpu(stat: &str) -> Option<Duration> {
    let behind_name = stat.rsplit_once(')')?.1;
    let mut fields = behind_name.split_ascii_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Duration::from_millis((user + system) * 1000 / TICKS))
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_usage_is_read() {
        let usage = usage().unwrap();
        assert!(usage.resident > 1 << 20, "{usage:?}");
    }

    #[test]
    fn processor_time_is_found_behind_a_strange_name() {
        let stat = "7 (a) b) R 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1 0 5";
        assert_eq!(cpu(stat), Some(Duration::from_secs(2)));
        assert_eq!(cpu("7"), None);
    }
}
