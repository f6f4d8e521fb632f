//! A child process by its number, whoever made it: waited for, killed, collected.

use std::{os::unix::process::ExitStatusExt as _, process::ExitStatus};

use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::sys;

/// What wait(2) adds to the signal where a core was dumped.
const CORE: i32 = 0x80;

/// A child of this process that nobody else waits for. Dropping it kills and collects it, without
/// holding up the executor.
pub struct Process {
    pid: Pid,
    /// Its number is nobody's, or somebody else's, from here on.
    collected: bool,
}

impl Process {
    pub fn new(pid: i32) -> Self {
        Self { pid: Pid::from_raw(pid), collected: false }
    }

    pub fn id(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// Collects it if it has ended: how it did so, told once.
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
        // Detached: a killed process ends at once, and with it this wait.
        smol::unblock(move || sys::wait_child(pid)).detach();
    }
}
