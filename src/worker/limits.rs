//! What a worker may do to the machine: it dies with the agent, and it cannot eat the memory.

use std::{fs, io, os::fd::AsFd};

use nix::{
    sys::{
        prctl,
        resource::{Resource, getrlimit, setrlimit},
        signal::{SigSet, Signal},
        socket::{getsockopt, sockopt::PeerCredentials},
    },
    unistd::getppid,
};

/// Open files: the socket, the log, the RTSP connection, and four ports where RTP comes over UDP; the
/// rest is for what libraries open in passing.
const MAX_FILES: u64 = 64;

/// When memory runs out, the kernel should end a worker before the agent: 0 is neutral, 1000 is first.
const OOM_SCORE: &str = "500";

/// What a worker is called in a list of processes: not what the agent is, so that no `pidof cctv-agent`
/// finds workers.
pub const NAME: &str = "cctv-worker";

/// Names the process, ties it to the agent at the other end of `socket` and sets its limits.
///
/// # Errors
/// Where the agent is gone already, or the system refuses a limit.
pub fn apply(socket: &impl AsFd) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // Started through /proc/self/exe, it would be called "exe" there.
    prctl::set_name(c"cctv-worker")?;
    // An agent that died before the line above sends no signal; whoever adopted us is not the agent,
    // who made the socket pair.
    let started_by_hand = |_| io::Error::other("only the agent starts workers: standard input is not its socket");
    let agent = getsockopt(socket, PeerCredentials).map_err(started_by_hand)?.pid();
    if getppid().as_raw() != agent {
        return Err(io::Error::other("the agent is gone, or did not start this worker"));
    }
    // Ctrl-C reaches the whole terminal; only the agent ends a worker. Threads started later inherit this.
    let mut from_terminal = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGTSTP, Signal::SIGUSR1] {
        from_terminal.add(signal);
    }
    from_terminal.thread_block()?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    setrlimit(Resource::RLIMIT_NOFILE, MAX_FILES, MAX_FILES)?;
    // A hint; without /proc it is not given.
    let _ = fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    Ok(())
}

/// Bounds data (heap, stacks and private mappings) to `bytes`. A worker past it is refused memory, ends,
/// and is replaced; the machine is not dragged into swapping. What this does not count, such as shared
/// memory, the agent sees and ends the worker.
///
/// # Errors
/// Where the system refuses the limit.
pub fn bound_memory(bytes: u64) -> io::Result<()> {
    // Nobody may raise what the service manager has bound lower.
    let (_, hard) = getrlimit(Resource::RLIMIT_DATA)?;
    let bytes = bytes.min(hard);
    setrlimit(Resource::RLIMIT_DATA, bytes, bytes)?;
    Ok(())
}
