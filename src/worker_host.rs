//! The agent's side of a worker: start it, exchange messages, measure it, end it.
//!
//! A worker is a process of the program `cctv-worker` or `cctv-reader` with one end of a socket pair as its standard
//! input. The stream's address and password go over that socket, so they appear in no argument and
//! no environment.

mod message_reader;
mod process;
mod protocol_guard;
mod reasons;
mod spawner;
mod worker_log;

use std::{
    io::{self, IoSlice},
    net::Shutdown,
    os::unix::{net::UnixStream, process::ExitStatusExt},
    path::PathBuf,
    process::ExitStatus,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use smol::{
    Async,
    future::{FutureExt, yield_now},
    io::{AsyncReadExt, AsyncWriteExt},
};

use crate::{
    camera::CameraId,
    hub::WorkerUsage,
    ipc::{self, Decode, Failure, FromWorker, Message, Open, ToWorker},
    media::{AccessUnit, Picture, WantedRendition},
    proc::{self, Memory, UsageReader},
    time::timeout,
};
use message_reader::MessageReader;
use process::Process;
use protocol_guard::{ProtocolGuard, ProtocolViolation};
pub use spawner::Spawner;
use worker_log::Stderr;

/// A worker that takes no message for this long hangs: its listening thread does nothing else.
const SEND_LIMIT: Duration = Duration::from_secs(1);

/// The same until a worker has sent its first message: on a slow machine that starts many at a time,
/// it loads its libraries for long.
const LOAD_LIMIT: Duration = Duration::from_secs(30);

/// The time a worker has to send TEARDOWN and exit before it is killed, if its camera is to be
/// opened again.
pub const CLOSE_TIMEOUT: Duration = Duration::from_millis(900);

/// The same if nobody waits for the camera: on a small machine sixteen workers that end together
/// share one or two cores. It fits into the three seconds in which the agent stops.
pub const LONG_CLOSE_TIMEOUT: Duration = Duration::from_millis(2200);

/// A worker that is stuck in native code ends itself this long before its time is over.
const LAST_STEP: Duration = Duration::from_millis(200);

/// A worker that closed its socket is about to exit; if it does not, it is killed.
const DEATH: Duration = Duration::from_millis(300);

/// How often a worker that ends is polled.
const EXIT_POLL: Duration = Duration::from_millis(10);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process could not be started.
    Start(#[source] io::Error),
    /// The worker's program is not installed; expected at this path.
    Missing { program: PathBuf },
    /// The worker said why it gives up.
    GaveUp(Failure),
    /// The worker's program understands other messages than the agent: a package has replaced it.
    OtherVersion,
    /// The worker ended without a message.
    Died { status: Option<ExitStatus>, last_stderr_line: Option<String> },
    /// The worker sent an invalid message, or the socket failed.
    Ipc(#[source] ipc::Error),
    /// The worker violated the protocol.
    Protocol(#[source] ProtocolViolation),
    /// The worker does not take messages.
    Unresponsive,
    /// The worker uses more memory than allowed; both in bytes.
    MemoryLimit { resident: u64, most: u64 },
}

/// A running worker process. Dropping it kills and reaps the process; [`Worker::end`] lets it send
/// TEARDOWN to the camera first.
pub struct Worker {
    /// `None` once the process was reaped.
    process: Option<Process>,
    /// How it ended, once it was reaped.
    status: Option<ExitStatus>,
    /// Since when its socket has been closed.
    closed_at: Option<Instant>,
    pid: u32,
    /// `None` if `/proc` is not mounted.
    usage: Option<UsageReader>,
    most_memory: u64,
    started: Instant,
    /// It has sent a message.
    has_spoken: bool,
    socket: Async<UnixStream>,
    message_reader: MessageReader,
    /// The last unit; it may be a picture too.
    newest: Option<AccessUnit>,
    protocol_guard: ProtocolGuard,
    stderr: Stderr,
}

impl Worker {
    /// Starts a worker and sends it what to open. Call this on the thread that lives as long as the
    /// agent: the worker dies with that thread.
    ///
    /// # Errors
    /// [`Error::Start`] if the system refuses the socket pair or the process; [`Error::Missing`].
    pub async fn start(spawner: &Spawner, camera: &CameraId, open: Open) -> Result<Self, Error> {
        let guard = ProtocolGuard::reader(open.first_sequence);
        let most_memory = open.most_memory;
        Self::start_with(spawner, camera, guard, most_memory, &ToWorker::Open(open)).await
    }

    /// Starts a worker that decodes what [`Worker::feed`] gives it. Call this on the thread that
    /// lives as long as the agent, as [`Worker::start`].
    ///
    /// # Errors
    /// As [`Worker::start`].
    pub async fn start_decoder(spawner: &Spawner, camera: &CameraId, decode: Decode) -> Result<Self, Error> {
        let most_memory = decode.most_memory;
        let first = ToWorker::Decode(decode);
        Self::start_with(spawner, camera, ProtocolGuard::decoder(), most_memory, &first).await
    }

    /// Starts a worker and sends it its `first` message.
    async fn start_with(
        spawner: &Spawner,
        camera: &CameraId,
        protocol_guard: ProtocolGuard,
        most_memory: u64,
        first: &ToWorker,
    ) -> Result<Self, Error> {
        let (ours, theirs) = UnixStream::pair().map_err(Error::Start)?;
        let (printed, stderr) = io::pipe().map_err(Error::Start)?;
        let socket = Async::new(ours).map_err(Error::Start)?;
        let printed = Async::new(printed).map_err(Error::Start)?;
        let open = if let ToWorker::Open(open) = first { Some(open) } else { None };
        let process = spawner.start(open, theirs.into(), stderr).map_err(|error| match spawner.program(open) {
            program if !program.exists() => Error::Missing { program: program.to_owned() },
            _ => Error::Start(error),
        })?;
        // Before the first message, after which the worker shows itself to root alone.
        let usage = proc::Process::with_pid(process.id()).usage_reader().ok();
        let mut worker = Self {
            usage,
            pid: process.id(),
            process: Some(process),
            status: None,
            closed_at: None,
            most_memory,
            started: Instant::now(),
            has_spoken: false,
            socket,
            message_reader: MessageReader::default(),
            newest: None,
            protocol_guard,
            stderr: Stderr::new(camera.clone(), Some(printed)),
        };
        worker.tell(first).await?;
        Ok(worker)
    }

    /// Waits for the worker's next message; logs the worker's output meanwhile. Dropping the future
    /// loses nothing. The caller must set a timeout.
    ///
    /// # Errors
    /// Why no further message comes.
    pub async fn next(&mut self) -> Result<FromWorker, Error> {
        // A socket that is never empty must not starve other tasks.
        yield_now().await;
        let printed = async {
            self.stderr.pump().await;
            smol::future::pending().await
        };
        let message = self.message_reader.next(&self.socket).or(printed).await;
        let message = match message {
            Ok(message) => message,
            Err(ipc::Error::Closed | ipc::Error::Io(_)) => return Err(self.died().await),
            Err(error) => return Err(Error::Ipc(error)),
        };
        self.has_spoken = true;
        self.protocol_guard.check(&message, Instant::now()).map_err(Error::Protocol)?;
        match message {
            FromWorker::Failed(failure) => Err(Error::GaveUp(failure)),
            FromWorker::Unit(unit) => {
                self.newest = Some(unit.clone());
                Ok(FromWorker::Unit(unit))
            }
            FromWorker::UnitAsPicture(untouched) => match &self.newest {
                Some(AccessUnit { sequence, taken, data, .. }) => Ok(FromWorker::Picture(Picture {
                    rendition: untouched.rendition,
                    sequence: *sequence,
                    taken: *taken,
                    jpeg: data.clone(),
                })),
                None => Err(Error::Protocol(ProtocolViolation::NotSent { sequence: untouched.sequence })),
            },
            message => Ok(message),
        }
    }

    /// Requests exactly these renditions from now on.
    ///
    /// # Errors
    /// [`Error::Unresponsive`] if the worker does not take the message within [`SEND_LIMIT`], or
    /// the reason why it has ended.
    pub async fn want(&mut self, renditions: Vec<WantedRendition>) -> Result<(), Error> {
        self.tell(&ToWorker::SetRenditions(renditions)).await
    }

    /// Gives the next unit to a worker that [decodes](Worker::start_decoder): in the order of the
    /// stream, beginning with a key frame. Run the future to its end: the rest of the unit would be
    /// missing.
    ///
    /// # Errors
    /// As [`Worker::want`].
    pub async fn feed(&mut self, unit: &AccessUnit) -> Result<(), Error> {
        self.protocol_guard.fed(unit);
        self.tell(&ToWorker::Unit(unit.clone())).await
    }

    /// The process's resource usage so far; `None` once it has ended.
    pub fn vitals(&self) -> Option<WorkerUsage> {
        self.process.as_ref().and_then(|_| read_vitals(self.pid, self.usage.as_ref()?))
    }

    /// Checks the resident memory of the process. The kernel enforces a limit on its data only;
    /// this checks what it really uses.
    ///
    /// # Errors
    /// [`Error::MemoryLimit`].
    pub fn check_memory(&self, vitals: &WorkerUsage) -> Result<(), Error> {
        let (resident, most) = (vitals.resident, self.most_memory);
        if resident > most { Err(Error::MemoryLimit { resident, most }) } else { Ok(()) }
    }

    /// Lets the worker send TEARDOWN, waits up to `limit`, then kills and reaps it. Returns
    /// whether it ended by itself.
    pub async fn end(mut self, limit: Duration) -> bool {
        let mut close = Vec::new();
        ToWorker::Close(limit.saturating_sub(LAST_STEP)).encode(&mut close);
        let leave = async {
            // If the message cannot be sent, the socket is closed and the worker is about to exit.
            let _ = (&self.socket).write_all(&close).await;
            self.exited().await;
        };
        let went = timeout(limit, leave).await.is_some();
        if !went {
            log::info!("worker {} did not end by itself; it is killed", self.pid);
        } else if self.status.is_some_and(|status| status.signal() == Some(Signal::SIGKILL as i32)) {
            log::info!("worker {} was blocked and ended without TEARDOWN", self.pid);
        }
        went
    }

    async fn tell(&mut self, message: &ToWorker) -> Result<(), Error> {
        let loading = LOAD_LIMIT.saturating_sub(self.started.elapsed());
        let limit = if self.has_spoken { SEND_LIMIT } else { loading.max(SEND_LIMIT) };
        match timeout(limit, send(&self.socket, message)).await {
            Some(Ok(())) => Ok(()),
            Some(Err(_broken)) => Err(self.died().await),
            None => Err(Error::Unresponsive),
        }
    }

    /// The reason of an end that the worker did not announce. The future may be dropped and called
    /// again: the time limit counts from the first call.
    async fn died(&mut self) -> Error {
        let closed_at = *self.closed_at.get_or_insert_with(Instant::now);
        timeout(DEATH.saturating_sub(closed_at.elapsed()), self.exited()).await;
        self.stderr.drain().await;
        if self.status.and_then(|status| status.code()) == Some(i32::from(ipc::OTHER_VERSION_EXIT)) {
            return Error::OtherVersion;
        }
        Error::Died { status: self.status, last_stderr_line: self.stderr.last_line() }
    }

    /// Waits until the process has exited, and reaps it; the caller sets a timeout. Discards what
    /// the worker still sends: an end must not wait for a full socket.
    async fn exited(&mut self) {
        let mut rest = vec![0; 64 << 10];
        while let Some(process) = self.process.as_mut() {
            if let Some(status) = process.try_wait() {
                (self.process, self.status) = (None, Some(status));
                return;
            }
            let drained = async {
                while matches!((&self.socket).read(&mut rest).await, Ok(1..)) {
                    yield_now().await;
                }
                smol::future::pending::<()>().await
            };
            let printed = async {
                self.stderr.pump().await;
                smol::future::pending().await
            };
            timeout(EXIT_POLL, drained.or(printed)).await;
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.socket.get_ref().shutdown(Shutdown::Both);
    }
}

/// Writes the whole message. The bytes of a frame are not copied.
async fn send(mut socket: &Async<UnixStream>, message: &ToWorker) -> io::Result<()> {
    let mut bytes = Vec::new();
    let rest = message.begin(&mut bytes);
    let mut slices = [IoSlice::new(&bytes), IoSlice::new(rest)];
    let mut left = slices.as_mut_slice();
    while left.iter().any(|slice| !slice.is_empty()) {
        let written = socket.write_vectored(left).await?;
        IoSlice::advance_slices(&mut left, written);
    }
    Ok(())
}

/// Reads processor time and memory of process `pid`.
fn read_vitals(pid: u32, usage: &UsageReader) -> Option<WorkerUsage> {
    let Memory { resident, shared } = usage.memory()?;
    Some(WorkerUsage { pid, cpu: usage.cpu_time()?, resident, own: resident.saturating_sub(shared) })
}

#[cfg(test)]
pub mod tests;
