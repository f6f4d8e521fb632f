//! The memory available to this service: the machine's, or less if a control group limits it, as
//! containers and systemd's `MemoryMax=` do.

use std::{fs, path::Path};

use crate::proc;

/// In bytes; `None` if the kernel does not report it.
///
/// # Blocking
/// A few reads of kernel files.
pub fn available() -> Option<u64> {
    let groups = proc::Process::own().read("cgroup").unwrap_or_default();
    proc::total_memory().into_iter().chain(of_groups(&groups, Path::new("/sys/fs/cgroup"))).min()
}

/// The smallest limit of the control groups in `own` (the format of `/proc/self/cgroup`) and of all
/// groups around them; see cgroups(7). A group without a limit says "max", or in version 1 a number
/// larger than any machine's memory.
fn of_groups(own: &str, mounted_at: &Path) -> Option<u64> {
    let bounds = own.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let (folder, file) = match controllers {
            "" => (mounted_at.to_owned(), "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                (mounted_at.join("memory"), "memory.limit_in_bytes")
            }
            _ => return None,
        };
        // In a container the path may be that of the host; the root of the mount is the container's
        // own.
        let around = Path::new(path.trim_start_matches('/')).ancestors();
        around.filter_map(|group| fs::read_to_string(folder.join(group).join(file)).ok()?.trim().parse().ok()).min()
    });
    bounds.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smallest_bound_of_the_groups_around_counts() {
        let folder = std::env::temp_dir().join(format!("cctv-cgroup-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let unified = "0::/system.slice/cctv-agent.service\n";
        assert_eq!(of_groups(unified, &folder), None, "nothing is mounted");
        write("system.slice/cctv-agent.service/memory.max", "max\n");
        assert_eq!(of_groups(unified, &folder), None);
        write("system.slice/memory.max", "536870912\n");
        assert_eq!(of_groups(unified, &folder), Some(512 << 20));
        write("memory/memory.limit_in_bytes", "9223372036854771712\n");
        write("memory/box/memory.limit_in_bytes", "268435456\n");
        let mixed = "4:cpu,memory:/box/cctv\n2:cpu:/box\n0::/system.slice/cctv-agent.service\n";
        assert_eq!(of_groups(mixed, &folder), Some(256 << 20));
        assert_eq!(of_groups("4:memory:/not/seen/from/here\n", &folder), Some(9_223_372_036_854_771_712));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn this_machine_has_some() {
        assert!(available().is_some_and(|bytes| bytes > 1 << 20));
    }
}
