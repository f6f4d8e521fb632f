//! Kernels without Landlock or seccomp: a filter answers their calls as a kernel that has them not.

use std::{collections::BTreeMap, env::consts::ARCH, thread};

use nix::libc;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};

pub const LANDLOCK: libc::c_long = libc::SYS_landlock_create_ruleset;
pub const SECCOMP: libc::c_long = libc::SYS_seccomp;

/// Does `work`, and all processes that it starts find a kernel without these calls.
pub fn without<T: Send>(calls: &[libc::c_long], work: impl FnOnce() -> T + Send) -> T {
    let rules: BTreeMap<_, _> = calls.iter().map(|call| (*call, Vec::new())).collect();
    let absent = SeccompAction::Errno(libc::ENOSYS as u32);
    let architecture = TargetArch::try_from(ARCH).unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, absent, architecture).unwrap();
    let filter = BpfProgram::try_from(filter).unwrap();
    // The filter belongs to this thread alone, and to its children.
    let in_thread = || {
        apply_filter(&filter).unwrap();
        work()
    };
    thread::scope(|scope| scope.spawn(in_thread).join().unwrap())
}
