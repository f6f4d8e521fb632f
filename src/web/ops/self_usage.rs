//! What the agent itself costs, read from `/proc`.

use std::time::Duration;

use crate::proc;

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

/// `None` if `/proc` is not mounted.
///
/// # Blocking
/// A few reads from the kernel's memory: no disk, less than a millisecond.
pub fn usage() -> Option<Usage> {
    let own = proc::Process::own();
    Some(Usage {
        cpu: own.cpu_time()?,
        resident: own.memory()?.resident,
        threads: own.threads().ok()? as u64,
        descriptors: (own.descriptor_count().ok()? as u64).saturating_sub(1),
        most_descriptors: own.max_descriptors(),
    })
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
}
