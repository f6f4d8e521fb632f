//! The agent's child processes, the only place where bytes from the network reach OpenCV and FFmpeg:
//! `cctv-worker`, which decodes, and `cctv-reader`, which reads a stream as well.
//!
//! The standard input of a worker is a socket to the agent, and its standard error goes to the
//! agent's log. The agent sends the units that `cctv-worker` decodes, so that it needs no network.
//! It does not link what only a reader needs: of 244 libraries, 107 are left, and a start costs
//! 0.07 s of processor time instead of 0.30 s. Before a worker reads anything that a camera sent, it
//! enters its [`sandbox`]. One thread decodes and encodes while pictures are
//! wanted, and the main thread listens to the agent. A reader has a third one, which reads. The
//! worker ends when the agent says so, closes the socket or dies, or when the stream fails.

pub mod colour;
pub mod decode_cursor;
pub mod decoder;
pub mod encoder;
pub mod ffmpeg_log;
pub mod jpeg;
pub mod limits;
pub mod load_shedding;
pub mod mark;
pub mod planes;
pub mod recovery;
pub mod sandbox;
pub mod shared;
pub mod shortage;
pub mod shrink;
pub mod transcoder;
pub mod truncation;
pub mod turn;

use std::{
    io,
    os::{fd::AsFd, unix::net::UnixStream},
    process::ExitCode,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::{Signal, raise},
};

use cctv_agent::{
    camera::StreamUri,
    ipc::{self, Decode, Failure, FailureKind, FromWorker, Open, ToWorker},
    media::Codec,
    sandbox::{SandboxLevel, SandboxPart, SandboxPolicy},
    sys,
    text::{Code, Part},
};
use ffmpeg_log::FfmpegLog;
use sandbox::needs::Needs;
use shared::{Job, Position, Shared};
use shortage::Shortage;
use transcoder::Transcoder;

/// The agent sends what to open as soon as it has started a worker.
const GREETING_LIMIT: Duration = Duration::from_secs(5);

/// Time for both threads to end, including TEARDOWN, if the stream failed or the agent names no
/// time.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(700);

/// How often the agent is told that this worker is at work.
const REPORT_INTERVAL: Duration = Duration::from_millis(500);

/// How often the number of damaged frames is logged.
const SUMMARY: Duration = Duration::from_secs(10);

/// How often an overload is logged.
const LOAD_SHEDDING_LOG_INTERVAL: Duration = Duration::from_secs(3600);

const OVERLOAD: &str = "the processor cannot decode all frames in time; small pictures are decoded without deblocking \
                        meanwhile; fewer cameras, `small_profile`, or fewer frames per second would help";

/// Exit code of a worker that could not start, as in sysexits.h.
const EX_SOFTWARE: u8 = 70;

/// Reads a stream to its end: sends its units to the agent, and puts them where the decoding thread
/// finds them.
pub type Read = fn(&Shared, &FfmpegLog, &Open);

/// Runs the worker to its end, on the socket that is standard input. Only a worker that can `read`
/// opens a stream.
///
/// # Blocking
/// Blocks for the life of the stream.
pub fn run(read: Option<Read>) -> ExitCode {
    sys::tune_malloc();
    // A thread that panics must end the whole worker; in release builds panics abort anyway.
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        default(panic);
        std::process::abort();
    }));
    let (error, code) = match start(read) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(error @ StartError::OtherVersion) => (error, ipc::OTHER_VERSION_EXIT),
        Err(error @ StartError::Io(_)) => (error, EX_SOFTWARE),
    };
    FfmpegLog::default().say("worker", &format!("cannot begin: {error}"));
    ExitCode::from(code)
}

/// Why a worker could not begin.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("this program is of another version than the agent")]
    OtherVersion,
}

fn start(read: Option<Read>) -> Result<(), StartError> {
    limits::close_inherited();
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    limits::apply(&socket)?;
    // OpenCV would scale a picture on as many threads as there are cores; one camera gets one core.
    opencv::core::set_num_threads(1).map_err(io::Error::other)?;
    let ffmpeg_log = FfmpegLog::listen();
    let mut listener = socket.try_clone()?;
    listener.set_read_timeout(Some(GREETING_LIMIT))?;
    let (reading, codec, default_quality, most_memory, group_memory, policy, remark) = match ipc::receive(&mut listener)
    {
        Ok(ToWorker::Open(open)) => {
            let read = read.ok_or_else(|| io::Error::other("this program opens no streams"))?;
            let (default_quality, most_memory, group_memory, policy) =
                (open.default_quality, open.most_memory, open.group_memory, open.sandbox);
            let remark = remark_of(&open);
            (Some((read, open)), None, default_quality, most_memory, group_memory, policy, remark)
        }
        Ok(ToWorker::Decode(Decode { codec, default_quality, most_memory, group_memory, sandbox, remark })) => {
            (None, Some(codec), default_quality, most_memory, group_memory, sandbox, remark)
        }
        // The agent no longer wants the stream.
        Ok(ToWorker::Close(_)) | Err(ipc::Error::Closed) => return Ok(()),
        Ok(ToWorker::SetRenditions(_) | ToWorker::Unit(_)) => {
            return Err(io::Error::other("the agent did not begin with what to open or to decode").into());
        }
        Err(ipc::Error::Io(error)) => return Err(error.into()),
        // The agent is trusted: what it sends is right in its own version.
        Err(
            ipc::Error::OtherVersion
            | ipc::Error::TooLong { .. }
            | ipc::Error::UnknownKind(_)
            | ipc::Error::Malformed { .. },
        ) => return Err(StartError::OtherVersion),
    };
    listener.set_read_timeout(None)?;
    limits::bound_memory(most_memory)?;
    limits::protect_memory()?;
    let shared = Arc::new(Shared::new(&socket, group_memory)?);
    // The last moment without threads and without anything of a camera.
    let needs = reading.as_ref().map_or(Needs::Nothing, |(_, open)| Needs::of_stream(&open.uri));
    let sandbox = sandbox::enter(needs, policy);
    if policy != SandboxPolicy::Auto && sandbox.level() != SandboxLevel::Full {
        let missing = sandbox.missing().map(SandboxPart::as_str).collect::<Vec<_>>().join(", ");
        let reason = [Code::WorkerSandbox.with("missing", missing), Code::SandboxRequired.into()].into();
        shared.tell(&FromWorker::Failed(Failure { kind: FailureKind::Sandbox, reason }))?;
        return Ok(());
    }
    shared.tell(&FromWorker::Sandbox(sandbox))?;
    let (ended, all_ended) = mpsc::channel::<()>();
    let mut threads = vec![spawn("decode", &shared, &ffmpeg_log, &ended, move |shared, ffmpeg_log| {
        transcode(shared, ffmpeg_log, |codec| Transcoder::new(codec, default_quality).with_remark(remark.clone()))
    })?];
    if let Some((read, open)) = reading {
        threads.push(spawn("read", &shared, &ffmpeg_log, &ended, move |shared, ffmpeg_log| {
            read(shared, ffmpeg_log, &open);
        })?);
    }
    drop(ended);
    let limit = listen(&mut listener, &shared, codec);
    shared.stop();
    // The channel closes when all threads have dropped their ends of it.
    if let Err(mpsc::RecvTimeoutError::Timeout) = all_ended.recv_timeout(limit) {
        // Stuck in native code: a normal exit would unload libraries that the thread still uses.
        let _ = raise(Signal::SIGKILL);
    }
    for thread in threads {
        // Cannot fail: a panic ends the process.
        let _ = thread.join();
    }
    Ok(())
}

fn spawn(
    name: &str,
    shared: &Arc<Shared>,
    ffmpeg_log: &FfmpegLog,
    ended: &mpsc::Sender<()>,
    work: impl FnOnce(&Shared, &FfmpegLog) + Send + 'static,
) -> io::Result<thread::JoinHandle<()>> {
    let (shared, ffmpeg_log, ended) = (Arc::clone(shared), ffmpeg_log.clone(), ended.clone());
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        work(&shared, &ffmpeg_log);
        shared.stop();
        shared.close();
        drop(ended);
    })
}

/// Listens to the agent until it closes; returns the time that the threads have to end. With a
/// `codec`, the agent sends the units to decode.
fn listen(socket: &mut UnixStream, shared: &Shared, codec: Option<Codec>) -> Duration {
    loop {
        // poll, because a blocked `read` is also woken by the kernel whenever the agent has taken
        // data.
        let mut said = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        if let Err(Errno::EINTR) = poll(&mut said, PollTimeout::NONE) {
            continue;
        }
        match ipc::receive(socket) {
            Ok(ToWorker::SetRenditions(renditions)) => shared.want(renditions),
            Ok(ToWorker::Unit(unit)) => match codec {
                Some(codec) => shared.put(codec, unit),
                None => return CLOSE_TIMEOUT,
            },
            Ok(ToWorker::Close(limit)) => return limit,
            Ok(ToWorker::Open(_) | ToWorker::Decode(_)) | Err(_) => return CLOSE_TIMEOUT,
        }
    }
}

/// What every picture of a stream that is read here must say: that it is not of this moment.
fn remark_of(open: &Open) -> Option<String> {
    let (uri, _) = StreamUri::split_any(open.uri.expose())?;
    uri.is_hls().then(|| Part::from(Code::InPieces).text())
}

/// The decoding thread: idle while nothing is wanted.
fn transcode(shared: &Shared, ffmpeg_log: &FfmpegLog, make: impl Fn(Codec) -> Transcoder) {
    let mut transcoder: Option<Transcoder> = None;
    let mut position = Position::default();
    let mut shortage = Shortage::default();
    let mut sent_decoding = false;
    let mut report_at = Instant::now();
    // It can encode. If it cannot, it reports nothing, and the agent replaces it.
    let mut is_able = true;
    let mut load_shedding_logged_at: Option<Instant> = None;
    let mut damage = Damage::default();
    let mut pictures = Vec::new();
    loop {
        match shared.work(&mut position, report_at) {
            Job::Stop => return,
            Job::SetRenditions(codec, renditions) => {
                transcoder.get_or_insert_with(|| make(codec)).want(&renditions);
            }
            Job::Report => {}
            Job::Develop(step) => {
                let Some(transcoder) = &mut transcoder else { continue };
                transcoder.set_short(shortage.note(step.unit.taken, step.late));
                let done = transcoder.transcode(&step.unit, step.show, &mut pictures);
                is_able = !matches!(done, Err(transcoder::Error::Encode(_) | transcoder::Error::Encoder(_)));
                if let Err(error) = done {
                    if let (Some(cursor), true) = (&mut position.cursor, is_able) {
                        cursor.lost();
                    }
                    damage.note(ffmpeg_log, &error);
                }
            }
        }
        if transcoder.as_ref().is_some_and(Transcoder::is_without_loop_filter)
            && load_shedding_logged_at.is_none_or(|logged_at| logged_at.elapsed() >= LOAD_SHEDDING_LOG_INTERVAL)
        {
            ffmpeg_log.say("decoder", OVERLOAD);
            load_shedding_logged_at = Some(Instant::now());
        }
        let decoding = transcoder.as_ref().is_some_and(Transcoder::is_decoding);
        if decoding != sent_decoding && shared.tell(&FromWorker::Decoding(decoding)).is_err() {
            return;
        }
        sent_decoding = decoding;
        for picture in pictures.drain(..) {
            if shared.show(picture).is_err() {
                return;
            }
        }
        let now = Instant::now();
        if let Some(transcoder) =
            transcoder.as_ref().filter(|_| is_able && position.cursor.is_some() && now >= report_at)
        {
            if shared.tell(&FromWorker::Progress(transcoder.progress())).is_err() {
                return;
            }
            report_at = now + REPORT_INTERVAL;
        }
    }
}

/// Counts damaged frames and logs their number.
#[derive(Default)]
struct Damage {
    frames: u64,
    logged_at: Option<Instant>,
}

impl Damage {
    fn note(&mut self, ffmpeg_log: &FfmpegLog, error: &transcoder::Error) {
        self.frames += 1;
        if self.logged_at.is_none_or(|logged_at| logged_at.elapsed() >= SUMMARY) {
            ffmpeg_log.say("decoder", &format!("{error}; waiting for the next key frame ({} damaged)", self.frames));
            (self.logged_at, self.frames) = (Some(Instant::now()), 0);
        }
    }
}
