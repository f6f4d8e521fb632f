//! The sandbox that a worker puts itself into before it reads anything that a camera sent.
//!
//! `cctv-worker` needs memory, threads and its two open descriptors, and gets nothing else. What
//! `cctv-reader` needs besides is the network, and the few files with which names are looked up; or, for a
//! camera at this machine, its device and no network.

mod landlock;
pub mod needs;
mod seccomp;

use cctv_agent::{
    proc::Process,
    sandbox::{Sandbox, SandboxPart, SandboxPolicy},
};
use needs::Needs;
use nix::sys::prctl;

/// Takes all other rights from this process, which must still be its only thread, and returns what took
/// hold. With [`SandboxPolicy::Fatal`] each refused call ends the process.
pub fn enter(needs: Needs<'_>, policy: SandboxPolicy) -> Sandbox {
    // Both need it, and it holds on kernels that know neither.
    let is_bound = prctl::set_no_new_privs().is_ok();
    // Landlock's rules are those of one thread and of the threads that it begins.
    let is_alone = Process::own().threads().is_ok_and(|threads| threads == 1);
    let landlock = if is_bound && is_alone { landlock::restrict(needs) } else { landlock::Rules::default() };
    let has_seccomp = is_bound && seccomp::restrict(needs, policy == SandboxPolicy::Fatal).is_ok();
    Sandbox::new(|part| match part {
        SandboxPart::Seccomp => has_seccomp,
        SandboxPart::Files => landlock.files,
        SandboxPart::Network => landlock.network,
        SandboxPart::Scope => landlock.scope,
    })
}
