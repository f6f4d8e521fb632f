//! Starts workers: forked from a process that has loaded everything, or started with exec.

use std::{
    io::{self, IoSlice, PipeWriter, Read as _},
    os::{
        fd::{AsFd as _, AsRawFd as _, OwnedFd},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use nix::sys::{
    prctl,
    socket::{ControlMessage, MsgFlags, sendmsg},
};
use smol::lock::Mutex;

use super::process::Process;
use crate::{
    camera::Transport,
    ipc::{self, fork as talk},
    sync::{self, MutexGuard},
};

/// Loading all libraries takes 0.2 s of processor time; at power-on of a slow terminal, many times
/// that.
const LOAD_LIMIT: Duration = Duration::from_secs(30);

/// A fork takes some milliseconds; a fork server that needs longer than this hangs.
const FORK_LIMIT: Duration = Duration::from_secs(3);

/// If a new fork server has failed as well, none is started for this long.
const FALLBACK_TIME: Duration = Duration::from_secs(600);

/// Starts workers.
pub struct Spawner {
    program: PathBuf,
    /// Inner `None`: the fork server starts with the next worker. Outer `None`: every worker starts
    /// with exec.
    server: Option<Arc<Mutex<Option<ForkServer>>>>,
    /// Until when every worker is started with exec.
    rest: sync::Mutex<Option<Instant>>,
}

impl Spawner {
    /// Starts `program worker` for each worker.
    pub fn whole(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), server: None, rest: sync::Mutex::default() }
    }

    /// Forks workers from `server`. If there is none or it has failed, another one is started: a
    /// process `program fork-workers`.
    pub fn forking(program: impl Into<PathBuf>, server: Option<ForkServer>) -> Self {
        Self { program: program.into(), server: Some(Arc::new(Mutex::new(server))), rest: sync::Mutex::default() }
    }

    /// Starts a worker whose standard input is `socket`. Call this on the thread that lives as long
    /// as the agent.
    ///
    /// # Errors
    /// If the system refuses the process.
    pub async fn start(&self, transport: Transport, socket: OwnedFd, stderr: PipeWriter) -> io::Result<Process> {
        if let Some(server) = self.server.as_ref().filter(|_| !self.is_in_fallback()) {
            // A second time, with a new fork server, if the first has ended or hangs.
            for _ in 0..2 {
                let carried = [socket.try_clone()?, stderr.as_fd().try_clone_to_owned()?];
                match fork(Arc::clone(server), &self.program, transport, carried).await {
                    Ok(process) => return Ok(process),
                    Err(error) => log::warn!("the process that workers are forked from has failed: {error}"),
                }
            }
            log::warn!("workers are started with exec for {} min", FALLBACK_TIME.as_secs() / 60);
            *self.until() = Some(Instant::now() + FALLBACK_TIME);
        }
        self.start_with_exec(transport, socket, stderr)
    }

    /// Replaces a fork server that has ended, so that it is reaped and the next worker need not
    /// wait. Call this now and then, on the thread that lives as long as the agent.
    pub fn tick(&self) {
        // If a worker is being started, that call notices it.
        let Some(mut server) =
            self.server.as_ref().filter(|_| !self.is_in_fallback()).and_then(|server| server.try_lock())
        else {
            return;
        };
        if let Some(status) = server.as_mut().and_then(|server| server.process.try_wait()) {
            log::warn!("the process that workers are forked from has ended ({status}); another one is started");
            *server = ForkServer::start(&self.program).ok();
        }
    }

    fn is_in_fallback(&self) -> bool {
        self.until().is_some_and(|until| Instant::now() < until)
    }

    fn until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.rest.lock()
    }

    fn start_with_exec(&self, transport: Transport, socket: OwnedFd, stderr: PipeWriter) -> io::Result<Process> {
        let child =
            command(&self.program, "worker").envs(ipc::environment(transport)).stdin(socket).stderr(stderr).spawn()?;
        Ok(Process::new(child.id().cast_signed()))
    }
}

/// The program as a child of the agent, still without standard input and error.
fn command(program: &Path, word: &str) -> Command {
    let mut command = Command::new(program);
    command
        // Not the agent's name, so that `pidof cctv-agent` finds no workers.
        .arg0("cctv-worker")
        .arg(word)
        // The notifications for systemd are the agent's task.
        .env_remove("NOTIFY_SOCKET")
        .env_remove("WATCHDOG_USEC")
        .env_remove("WATCHDOG_PID")
        .stdout(Stdio::null());
    command
}

/// Waits for the response on a thread of its own, and goes on if the caller gives up: otherwise
/// nobody would own the new worker. A fork server that fails is ended.
async fn fork(
    server: Arc<Mutex<Option<ForkServer>>>,
    program: &Path,
    transport: Transport,
    carried: [OwnedFd; 2],
) -> io::Result<Process> {
    let mut guard = server.lock_arc().await;
    let mut server = match guard.take() {
        Some(server) => server,
        None => ForkServer::start(program)?,
    };
    let asked = smol::unblock(move || {
        let process = server.fork(transport, &carried)?;
        *guard = Some(server);
        Ok(process)
    });
    asked.await
}

/// The process that forks workers. Dropping it ends it; its workers are children of the agent, and
/// stay.
pub struct ForkServer {
    /// Killed when this value is dropped.
    process: Process,
    socket: UnixStream,
    /// Whether it has reported that it is ready.
    ready: bool,
}

impl ForkServer {
    /// Uses the child `process`, which forks workers on requests from the other end of its
    /// `socket`.
    ///
    /// # Errors
    /// If the system does not let the forked workers become children of this process.
    pub fn new(process: i32, socket: UnixStream) -> io::Result<Self> {
        prctl::set_child_subreaper(true)?;
        Ok(Self { process: Process::new(process), socket, ready: false })
    }

    fn start(program: &Path) -> io::Result<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        let child = command(program, "fork-workers").stdin(OwnedFd::from(theirs)).spawn()?;
        Self::new(child.id().cast_signed(), socket)
    }

    /// # Blocking
    /// Up to [`LOAD_LIMIT`] the first time, up to [`FORK_LIMIT`] after that.
    fn fork(&mut self, transport: Transport, carried: &[OwnedFd; 2]) -> io::Result<Process> {
        if !self.ready {
            self.socket.set_read_timeout(Some(LOAD_LIMIT))?;
            self.answer()?;
            self.socket.set_read_timeout(Some(FORK_LIMIT))?;
            self.socket.set_write_timeout(Some(FORK_LIMIT))?;
            self.ready = true;
        }
        let carried = carried.each_ref().map(|fd| fd.as_fd().as_raw_fd());
        let rights = [ControlMessage::ScmRights(&carried)];
        let request = talk::request(transport);
        sendmsg::<()>(self.socket.as_raw_fd(), &[IoSlice::new(&request)], &rights, MsgFlags::MSG_NOSIGNAL, None)?;
        talk::answered(self.answer()?).map(Process::new)
    }

    fn answer(&mut self) -> io::Result<[u8; talk::ANSWER]> {
        let mut answer = [0; talk::ANSWER];
        self.socket.read_exact(&mut answer)?;
        Ok(answer)
    }
}
