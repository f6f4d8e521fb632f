//! The agent's side of a worker: start it, talk to it, measure it, end it.
//!
//! A worker is this same binary, started with one end of a socket pair as its standard input; the
//! stream's address and password travel over that socket and stand in no argument or environment.

mod inbox;
mod stderr;

use std::{
    error, fmt, io,
    net::Shutdown,
    os::{
        fd::OwnedFd,
        unix::{
            net::UnixStream,
            process::{CommandExt, ExitStatusExt},
        },
    },
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, SysconfVar, sysconf},
};
use smol::{Async, Timer, future::FutureExt, io::AsyncWriteExt};

use crate::{
    camera::CameraId,
    hub::WorkerVitals,
    media::Rendition,
    wire::{self, Failure, FromWorker, Message, Open, ToWorker},
};
use inbox::Inbox;
use stderr::Stderr;

/// A worker that does not take a message for this long hangs: its listening thread does nothing else.
const SEND_LIMIT: Duration = Duration::from_secs(1);

/// What a worker gets to say TEARDOWN and exit before it is killed.
const FAREWELL: Duration = Duration::from_millis(900);

/// How often an ending worker is looked at.
const EXIT_POLL: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub enum Error {
    /// The process could not be started.
    Start(io::Error),
    /// The worker said why it gives up.
    GaveUp(Failure),
    /// The worker ended without a word.
    Died { status: Option<ExitStatus>, last_words: Option<String> },
    /// The worker sent something that is no message, or the socket failed.
    Wire(wire::Error),
    /// The worker does not take messages.
    Deaf,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(_) => write!(f, "cannot start a worker"),
            Self::GaveUp(failure) => write!(f, "{}", failure.text),
            Self::Died { status, last_words } => {
                match status.map(|status| (status.signal(), status.code())) {
                    Some((Some(signal), _)) => {
                        let name = Signal::try_from(signal).map_or("an unknown signal", Signal::as_str);
                        write!(f, "the worker was killed by {name}")?;
                    }
                    Some((None, Some(code))) => write!(f, "the worker exited with code {code}")?,
                    _ => write!(f, "the worker closed its socket")?,
                }
                match last_words {
                    Some(words) => write!(f, " after saying {words:?}"),
                    None => Ok(()),
                }
            }
            Self::Wire(_) => write!(f, "the worker sent nonsense"),
            Self::Deaf => write!(f, "the worker takes no messages"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Start(source) => Some(source),
            Self::Wire(source) => Some(source),
            Self::GaveUp(_) | Self::Died { .. } | Self::Deaf => None,
        }
    }
}

/// A running worker process. Dropping it kills and reaps the process; [`Worker::end`] lets it say
/// TEARDOWN to the camera first.
pub struct Worker {
    /// `None` once the process was reaped.
    child: Option<Child>,
    pid: u32,
    socket: Async<UnixStream>,
    inbox: Inbox,
    stderr: Stderr,
}

impl Worker {
    /// Starts `program worker` and tells it what to open. Must be called on the thread that lives as
    /// long as the agent: the worker dies with that thread.
    ///
    /// # Errors
    /// [`Error::Start`] where the system refuses the socket pair or the process.
    pub async fn start(program: &Path, camera: &CameraId, open: Open) -> Result<Self, Error> {
        let (ours, theirs) = UnixStream::pair().map_err(Error::Start)?;
        let mut child = Command::new(program)
            // Another name than the agent's, so that no `pidof cctv-agent` finds workers.
            .arg0("cctv-worker")
            .arg("worker")
            .envs(wire::environment(open.transport))
            // What systemd wants to know it wants to know of the agent.
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_USEC")
            .env_remove("WATCHDOG_PID")
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Error::Start)?;
        let stderr = child.stderr.take().map(Async::new).transpose();
        let mut worker = match (Async::new(ours), stderr) {
            (Ok(socket), Ok(stderr)) => Self {
                pid: child.id(),
                child: Some(child),
                socket,
                inbox: Inbox::default(),
                stderr: Stderr::new(camera.clone(), stderr),
            },
            (Err(error), _) | (_, Err(error)) => {
                reap(child);
                return Err(Error::Start(error));
            }
        };
        worker.tell(&ToWorker::Open(open)).await?;
        Ok(worker)
    }

    /// Waits for the worker's next message, logging what it prints meanwhile. May be dropped while it
    /// waits without losing anything. Whoever waits must have a deadline of his own.
    ///
    /// # Errors
    /// Why there will be no further message.
    pub async fn next(&mut self) -> Result<FromWorker, Error> {
        let printed = async {
            self.stderr.pump().await;
            smol::future::pending().await
        };
        let message = self.inbox.next(&self.socket).or(printed).await;
        match message {
            Ok(FromWorker::Failed(failure)) => Err(Error::GaveUp(failure)),
            Ok(message) => Ok(message),
            Err(wire::Error::Closed | wire::Error::Io(_)) => Err(self.died().await),
            Err(error) => Err(Error::Wire(error)),
        }
    }

    /// Asks for exactly these renditions from now on.
    ///
    /// # Errors
    /// [`Error::Deaf`] where the worker does not take the message within [`SEND_LIMIT`], or why it
    /// is gone.
    pub async fn want(&mut self, renditions: Vec<Rendition>) -> Result<(), Error> {
        self.tell(&ToWorker::Want(renditions)).await
    }

    /// What the process costs so far; `None` once it is gone.
    pub fn vitals(&self) -> Option<WorkerVitals> {
        self.child.as_ref().and_then(|_| read_vitals(self.pid))
    }

    /// Lets the worker say TEARDOWN, waits up to [`FAREWELL`], then kills and reaps it.
    pub async fn end(mut self) {
        let told = self.tell(&ToWorker::Close).await.is_ok();
        if told && self.exited_within(FAREWELL).await.is_some() {
            return;
        }
        log::debug!("worker {} did not end by itself; it is killed", self.pid);
    }

    async fn tell(&mut self, message: &ToWorker) -> Result<(), Error> {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        let written = async { Some((&self.socket).write_all(&bytes).await) };
        let too_late = async {
            Timer::after(SEND_LIMIT).await;
            None
        };
        match written.or(too_late).await {
            Some(Ok(())) => Ok(()),
            Some(Err(_broken)) => Err(self.died().await),
            None => Err(Error::Deaf),
        }
    }

    /// The reason of an end that the worker did not announce.
    async fn died(&mut self) -> Error {
        let status = self.exited_within(FAREWELL).await;
        self.stderr.drain().await;
        Error::Died { status, last_words: self.stderr.last_line() }
    }

    async fn exited_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let polls = limit.as_millis() / EXIT_POLL.as_millis();
        for _ in 0..polls {
            // Keeps taking what the worker still sends: an end must not wait for a full socket.
            let drained = async { while self.inbox.next(&self.socket).await.is_ok() {} };
            match self.child.as_mut()?.try_wait() {
                Ok(Some(status)) => {
                    self.child = None;
                    return Some(status);
                }
                Ok(None) => {}
                Err(_) => return None,
            }
            let pause = async {
                Timer::after(EXIT_POLL).await;
            };
            async {
                drained.await;
                smol::future::pending().await
            }
            .or(pause)
            .await;
        }
        None
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.socket.get_ref().shutdown(Shutdown::Both);
        if let Some(child) = self.child.take() {
            reap(child);
        }
    }
}

/// Kills the process and collects it without holding up the executor.
fn reap(mut child: Child) {
    let _ = kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
    // Detached: a killed process ends at once, and with it this wait.
    smol::unblock(move || child.wait()).detach();
}

/// Reads processor time and resident memory of process `pid`; see proc(5), `stat` and `statm`.
fn read_vitals(pid: u32) -> Option<WorkerVitals> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold blanks; fields are counted behind it, from field 3 on.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let positive = |variable| sysconf(variable).ok().flatten().and_then(|value| u64::try_from(value).ok());
    let ticks_per_second = positive(SysconfVar::CLK_TCK)?.max(1);
    let cpu = Duration::from_millis((field(14)? + field(15)?) * 1000 / ticks_per_second);
    Some(WorkerVitals { pid, cpu, resident: field(24)? * positive(SysconfVar::PAGE_SIZE)? })
}

#[cfg(test)]
mod tests;
