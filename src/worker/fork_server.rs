//! The process from which workers are forked. It has loaded every library and waits, so that a
//! worker starts within some milliseconds and shares the memory that loading has written.
//!
//! It begins as a copy of the agent; if that copy has ended, as a program of its own. The processes
//! that it forks become children of the agent, as if the agent had started them: the agent is a
//! "child subreaper" (prctl(2)), and the process between server and worker has exited. So the
//! server may end at any time without effect on the workers. [`crate::ipc::fork`] defines the
//! messages between agent and server.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    process::ExitCode,
};

use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout};

use super::{EX_SOFTWARE, ffmpeg_log::FfmpegLog, limits};
use crate::{
    camera::Transport,
    ipc::{self, fork as talk},
    sys,
};

/// The server's name in a list of processes: not a worker's name, since it holds no camera.
const NAME: &str = "cctv-forks";

/// Which process returns.
enum Role {
    /// A worker that has just been forked.
    Worker,
    /// The server, which the agent no longer needs.
    Server,
}

/// A request for a worker.
struct Request {
    transport: Transport,
    stdin: OwnedFd,
    stderr: OwnedFd,
}

/// The process in which [`split`] returns.
pub enum Split {
    /// The agent, with the server and the socket to it.
    Agent(Pid, UnixStream),
    /// The server or a worker, at its end.
    Child(ExitCode),
}

/// Forks the server from this process. Call this before anything else is started.
///
/// # Errors
/// If this process already has more than one thread, or the system refuses another process.
///
/// # Blocking
/// In the copies for all their life.
pub fn split() -> io::Result<Split> {
    let (ours, theirs) = UnixStream::pair()?;
    if let Some(server) = sys::fork()? {
        return Ok(Split::Agent(server, ours));
    }
    drop(ours);
    Ok(Split::Child(outcome(begin(theirs))))
}

/// Replaces the agent's standard input and output, which its children must not use.
fn begin(agent: UnixStream) -> io::Result<Role> {
    dup2_stdin(&agent)?;
    dup2_stdout(File::options().write(true).open("/dev/null")?)?;
    serve(agent)
}

/// Forks workers until the agent, at the other end of standard input, closes it; in a worker, runs
/// the worker to its end.
///
/// # Blocking
/// For the life of the agent, or of the worker's stream.
pub fn run() -> ExitCode {
    outcome(io::stdin().as_fd().try_clone_to_owned().and_then(|agent| serve(agent.into())))
}

fn outcome(role: io::Result<Role>) -> ExitCode {
    match role {
        Ok(Role::Worker) => super::run(),
        Ok(Role::Server) => ExitCode::SUCCESS,
        Err(error) => {
            FfmpegLog::default().say("fork server", &error.to_string());
            ExitCode::from(EX_SOFTWARE)
        }
    }
}

fn serve(mut agent: UnixStream) -> io::Result<Role> {
    limits::apply(&agent)?;
    // Not an error: the title is only for people who list processes.
    let _ = sys::set_process_title(NAME, "");
    // Nor is this: it only gives memory back.
    let _ = sys::drop_clean_pages();
    agent.write_all(&talk::READY)?;
    while let Some(request) = receive(&agent)? {
        let answer = match double_fork() {
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

/// The next request; `None` once the agent has closed the socket.
fn receive(agent: &UnixStream) -> io::Result<Option<Request>> {
    let Some((byte, descriptors)) = sys::receive(agent)? else { return Ok(None) };
    match (talk::requested(byte), <[OwnedFd; 2]>::try_from(descriptors)) {
        (Some(transport), Ok([stdin, stderr])) => Ok(Some(Request { transport, stdin, stderr })),
        _ => Err(io::Error::other("the agent asked for something that is no worker")),
    }
}

/// Makes a child of the agent by a double fork: returns `None` in the child, and its number in this
/// process.
fn double_fork() -> io::Result<Option<i32>> {
    let (mut number, mut tell_number) = io::pipe()?;
    let (mut adopted, tell_adopted) = io::pipe()?;
    if let Some(between) = sys::fork()? {
        drop(tell_number);
        sys::wait_child(between);
        let mut answer = [0; talk::ANSWER];
        number.read_exact(&mut answer)?;
        // The end of the pipe, which closes with this function, shows the worker that the agent has
        // adopted it: the process in between has been waited for.
        return talk::answered(answer).map(Some);
    }
    match sys::fork() {
        Ok(None) => {
            drop((number, tell_number, tell_adopted));
            adopted.read_to_end(&mut Vec::new())?;
        }
        made => {
            let made = made.map(|worker| worker.map_or(0, Pid::as_raw));
            let _ = tell_number.write_all(&talk::answer(made));
            sys::exit_now(0);
        }
    }
    Ok(None)
}

/// Gives this process what a worker started with exec has.
fn become_worker(request: &Request) -> io::Result<()> {
    dup2_stdin(&request.stdin)?;
    dup2_stderr(&request.stderr)?;
    let _ = sys::set_process_title(limits::NAME, "worker");
    sys::set_environment(&ipc::environment(request.transport))
}
