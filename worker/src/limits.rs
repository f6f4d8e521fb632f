//! The limits of a worker: it dies with the agent, and it cannot use up the memory.

use std::{fs, io, os::fd::AsFd};

use nix::{
    sys::{
        prctl,
        resource::{Resource, getrlimit, setrlimit},
        signal::{SigSet, Signal},
        socket::{getsockopt, sockopt::PeerCredentials},
    },
    unistd::{close, getppid},
};

/// Open files: the socket, the log, the RTSP connection, and four ports if RTP comes over UDP; the
/// rest is for what libraries open temporarily.
const MAX_FILES: u64 = 64;

/// If memory runs out, the kernel should end a worker before the agent: 0 is neutral, 1000 is
/// first.
const OOM_SCORE: &str = "500";

/// Closes what the agent, or who started it, left open by mistake: all but standard input, output and
/// error. Call this before anything is opened.
pub fn close_inherited() {
    // Without /proc nothing is known to be open.
    let Ok(open) = fs::read_dir("/proc/self/fd") else { return };
    let numbers = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    // One of them is the folder itself, which is closed by then.
    for number in numbers.collect::<Vec<_>>().into_iter().filter(|number| *number > 2) {
        let _ = close(number);
    }
}

/// Ties the process to the agent at the other end of `socket` and sets its limits.
///
/// # Errors
/// If the agent has already ended, or the system refuses a limit.
pub fn apply(socket: &impl AsFd) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // An agent that died before the line above sends no signal. The process that adopted this one
    // is then not the agent, which made the socket pair.
    let started_by_hand = |_| io::Error::other("only the agent starts workers: standard input is not its socket");
    let agent = getsockopt(socket, PeerCredentials).map_err(started_by_hand)?.pid();
    if getppid().as_raw() != agent {
        return Err(io::Error::other("the agent is gone, or did not start this worker"));
    }
    // Ctrl-C reaches the whole terminal, but only the agent ends a worker. Later threads inherit
    // this.
    let mut from_terminal = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGTSTP, Signal::SIGUSR1] {
        from_terminal.add(signal);
    }
    from_terminal.thread_block()?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    setrlimit(Resource::RLIMIT_NOFILE, MAX_FILES, MAX_FILES)?;
    // A hint; without /proc it cannot be given.
    let _ = fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    Ok(())
}

/// Keeps the memory of this process from other processes of the same user, and from core files.
/// Afterwards the agent, which is that user, can open nothing in the worker's folder of `/proc`: call
/// this after its first message, before which it has opened what it reads there.
///
/// # Errors
/// If the system refuses it.
pub fn protect_memory() -> io::Result<()> {
    prctl::set_dumpable(false)?;
    Ok(())
}

/// Limits data (heap, stacks and private mappings) to `bytes`. A worker above the limit gets no
/// memory, ends and is replaced; the machine does not start to swap. The agent checks what this
/// does not count, such as shared memory, and ends the worker.
///
/// # Errors
/// If the system refuses the limit.
pub fn bound_memory(bytes: u64) -> io::Result<()> {
    // A lower limit set by the service manager cannot be raised.
    let (_, hard) = getrlimit(Resource::RLIMIT_DATA)?;
    let bytes = bytes.min(hard);
    setrlimit(Resource::RLIMIT_DATA, bytes, bytes)?;
    Ok(())
}
