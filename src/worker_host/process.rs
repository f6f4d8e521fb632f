//! A child process, identified by its number: wait for it, kill it, reap it.

use std::{os::unix::process::ExitStatusExt as _, process::ExitStatus};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

/// The bit that wait(2) adds to the signal if a core was dumped.
const CORE: i32 = 0x80;

/// A child of this process that nobody else waits for. Dropping it kills and reaps the child
/// without blocking the executor.
pub struct Process {
    pid: Pid,
    /// Whether it was reaped. From then on its number may belong to another process.
    collected: bool,
}

impl Process {
    pub fn new(pid: i32) -> Self {
        Self { pid: Pid::from_raw(pid), collected: false }
    }

    pub fn id(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// Reaps the child if it has ended; returns its exit status once.
    pub fn try_wait(&mut self) -> Option<ExitStatus> {
        if self.collected {
            return None;
        }
        let status = match waitpid(self.pid, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => code << 8,
            Ok(WaitStatus::Signaled(_, signal, core)) => signal as i32 | if core { CORE } else { 0 },
            _ => return None,
        };
        self.collected = true;
        Some(ExitStatus::from_raw(status))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.collected {
            return;
        }
        let pid = self.pid;
        let _ = kill(pid, Signal::SIGKILL);
        // Detached: a killed process ends at once, and so does this wait.
        smol::unblock(move || while waitpid(pid, None) == Err(Errno::EINTR) {}).detach();
    }
}
