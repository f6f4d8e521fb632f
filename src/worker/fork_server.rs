//! The process that workers are forked from: it has loaded every library and waits, so that a worker is
//! there in some milliseconds, and shares with all others what loading has written.
//!
//! Its standard input is a socket to the agent; [`crate::wire::fork`] says what passes over it. What it
//! forks becomes the agent's own child, as if the agent had started it: the agent is a "child subreaper"
//! (prctl(2)), and between server and worker there was a process that is gone. So the server may end at any
//! time, and no worker notices.

// Forking a process that goes on without another program is unsafe by its nature; a worker's environment
// and the descriptors that came with the request are set up here too.
#![allow(unsafe_code)]

use std::{
    env, fs,
    io::{self, IoSliceMut, Read as _, Write as _},
    os::{
        fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::ExitCode,
};

use nix::{
    cmsg_space,
    errno::Errno,
    sys::{
        prctl,
        signal::{Signal, raise},
        socket::{ControlMessageOwned, MsgFlags, recvmsg},
        wait::waitpid,
    },
    unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, fork},
};

use super::{EX_SOFTWARE, heard::Heard, limits};
use crate::{
    camera::Transport,
    wire::{self, fork as talk},
};

/// Which process comes back.
enum Role {
    /// A worker that has just come into being.
    Worker,
    /// The server, which the agent needs no longer.
    Server,
}

/// A worker to be made.
struct Request {
    transport: Transport,
    stdin: OwnedFd,
    stderr: OwnedFd,
}

/// Forks workers until the agent hangs up; in a worker, runs it to its end.
///
/// # Blocking
/// For the life of the agent, or of the worker's stream.
pub fn run() -> ExitCode {
    match serve() {
        Ok(Role::Worker) => super::run(),
        Ok(Role::Server) => ExitCode::SUCCESS,
        Err(error) => {
            Heard::default().say("fork server", &error.to_string());
            ExitCode::from(EX_SOFTWARE)
        }
    }
}

fn serve() -> io::Result<Role> {
    let mut agent = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    limits::apply(&agent)?;
    // Another name than a worker's: it holds no camera.
    prctl::set_name(c"cctv-forks")?;
    let threads = fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::other(format!("a process with {threads} threads cannot be forked")));
    }
    agent.write_all(&talk::READY)?;
    while let Some(request) = receive(&agent)? {
        let answer = match beget() {
            Ok(None) => {
                become_worker(&request)?;
                return Ok(Role::Worker);
            }
            Ok(Some(worker)) => talk::answer(Ok(worker)),
            Err(error) => talk::answer(Err(error)),
        };
        agent.write_all(&answer)?;
    }
    Ok(Role::Server)
}

/// The next request; `None` once the agent has hung up.
fn receive(agent: &UnixStream) -> io::Result<Option<Request>> {
    let mut byte = [0];
    let mut carried = cmsg_space!([i32; 2]);
    let mut parts = [IoSliceMut::new(&mut byte)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = loop {
        match recvmsg::<()>(agent.as_raw_fd(), &mut parts, Some(&mut carried), flags) {
            Err(Errno::EINTR) => {}
            received => break received?,
        }
    };
    let mut descriptors = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = control {
            // SAFETY: the kernel has just opened these descriptors for this process; nobody else knows them.
            descriptors.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
        }
    }
    if message.bytes == 0 {
        return Ok(None);
    }
    let transport = talk::requested(byte[0]);
    match (transport, <[OwnedFd; 2]>::try_from(descriptors)) {
        (Some(transport), Ok([stdin, stderr])) => Ok(Some(Request { transport, stdin, stderr })),
        _ => Err(io::Error::other("the agent asked for something that is no worker")),
    }
}

/// Makes a child of the agent out of this process: `None` in the child, its number in this one.
fn beget() -> io::Result<Option<i32>> {
    let (mut number, mut tell_number) = io::pipe()?;
    let (mut adopted, tell_adopted) = io::pipe()?;
    // SAFETY: this process has one thread, as `serve` has made sure, so its copy is whole.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            drop(tell_number);
            await_end(child);
            let mut answer = [0; talk::ANSWER];
            number.read_exact(&mut answer)?;
            // What ends with this function tells the worker that the agent has adopted it: the process
            // between has been waited for.
            talk::answered(answer).map(Some)
        }
        // SAFETY: as above; the copy has one thread too.
        ForkResult::Child => match unsafe { fork() } {
            Ok(ForkResult::Child) => {
                drop((number, tell_number, tell_adopted));
                adopted.read_to_end(&mut Vec::new())?;
                Ok(None)
            }
            made => {
                let made = made.map(|made| if let ForkResult::Parent { child } = made { child.as_raw() } else { 0 });
                let _ = tell_number.write_all(&talk::answer(made.map_err(io::Error::from)));
                // Leaving by the usual way would run what 244 libraries do at the end of a process.
                let _ = raise(Signal::SIGKILL);
                Ok(None)
            }
        },
    }
}

/// Collects a child that ends by itself at once.
fn await_end(child: Pid) {
    while waitpid(child, None) == Err(Errno::EINTR) {}
}

/// Gives this process what one that was started as a worker has.
fn become_worker(request: &Request) -> io::Result<()> {
    dup2_stdin(&request.stdin)?;
    dup2_stderr(&request.stderr)?;
    for (name, value) in wire::environment(request.transport) {
        // SAFETY: there is no other thread that could be reading the environment.
        unsafe { env::set_var(name, value) };
    }
    Ok(())
}
