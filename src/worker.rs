//! The child process: the only place where bytes from the network meet OpenCV and FFmpeg.
//!
//! It is forked from the [`fork_server`], or started whole. Its standard input is a socket to the agent, its standard error the agent's log. One thread reads
//! the camera, one decodes and encodes while pictures are wanted, and the main thread listens to the
//! agent. It ends when the agent says so, hangs up or dies, or when the stream fails.

pub mod colour;
pub mod darkroom;
pub mod decoder;
pub mod desk;
pub mod encoder;
pub mod fork_server;
pub mod group;
pub mod h26x;
pub mod haste;
pub mod heard;
pub mod inspector;
pub mod jpeg;
pub mod limits;
pub mod pace;
pub mod planes;
pub mod reader;
pub mod shrink;

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

use crate::wire::{self, Failure, FailureKind, FromWorker, Open, ToWorker};
use darkroom::Darkroom;
use desk::{Desk, Work};
use group::Follower;
use heard::Heard;
use reader::Reader;

/// The agent says what to open as soon as it has started a worker.
const GREETING_LIMIT: Duration = Duration::from_secs(5);

/// What both threads get to end, TEARDOWN included, where the stream failed or the agent says nothing else.
const FAREWELL: Duration = Duration::from_millis(700);

/// Damaged frames are summed up in the log this often.
const SUMMARY: Duration = Duration::from_secs(10);

/// That there is too much to do is said this often.
const HASTE_TOLD: Duration = Duration::from_secs(3600);

const OVERLOAD: &str = "the processor cannot decode all frames in time; small pictures are decoded without deblocking \
                        meanwhile; fewer cameras, `small_profile`, or fewer frames per second would help";

/// Exit code of a worker that could not begin, as sysexits.h counts.
const EX_SOFTWARE: u8 = 70;

/// Runs the worker to its end, on the socket that is standard input.
///
/// # Blocking
/// For the life of the stream.
pub fn run() -> ExitCode {
    // A thread that panics must not leave half a worker; in release builds panics abort anyway.
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        default(panic);
        std::process::abort();
    }));
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            Heard::default().say("worker", &format!("cannot begin: {error}"));
            ExitCode::from(EX_SOFTWARE)
        }
    }
}

fn start() -> io::Result<()> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    limits::apply(&socket)?;
    // OpenCV would scale a picture on as many threads as there are cores; one camera gets one core.
    opencv::core::set_num_threads(1).map_err(io::Error::other)?;
    let heard = Heard::listen();
    let mut listener = socket.try_clone()?;
    listener.set_read_timeout(Some(GREETING_LIMIT))?;
    let open = match wire::receive(&mut listener) {
        Ok(ToWorker::Open(open)) => open,
        // The agent changed its mind.
        Ok(ToWorker::Close(_)) | Err(wire::Error::Closed) => return Ok(()),
        Ok(ToWorker::Want(_)) => return Err(io::Error::other("the agent did not begin with what to open")),
        Err(error) => return Err(io::Error::other(error)),
    };
    listener.set_read_timeout(None)?;
    limits::bound_memory(open.most_memory)?;
    let desk = Arc::new(Desk::new(&socket)?);
    let (ended, all_ended) = mpsc::channel::<()>();
    let default_quality = open.default_quality;
    let threads = [
        spawn("read", &desk, &heard, &ended, move |desk, heard| read(desk, heard, &open))?,
        spawn("decode", &desk, &heard, &ended, move |desk, heard| develop(desk, heard, default_quality))?,
    ];
    drop(ended);
    let patience = listen(&mut listener, &desk);
    desk.stop();
    // The channel closes when both threads have dropped their ends of it.
    if let Err(mpsc::RecvTimeoutError::Timeout) = all_ended.recv_timeout(patience) {
        // Held in native code: leaving by the usual way would pull libraries from under its feet.
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
    desk: &Arc<Desk>,
    heard: &Heard,
    ended: &mpsc::Sender<()>,
    work: impl FnOnce(&Desk, &Heard) + Send + 'static,
) -> io::Result<thread::JoinHandle<()>> {
    let (desk, heard, ended) = (Arc::clone(desk), heard.clone(), ended.clone());
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        work(&desk, &heard);
        desk.stop();
        desk.hang_up();
        drop(ended);
    })
}

/// Listens to the agent until it has nothing more to say; gives what the threads get to end.
fn listen(socket: &mut UnixStream, desk: &Desk) -> Duration {
    loop {
        // Who waits in `read` is woken by the kernel whenever the agent has taken something, too.
        let mut said = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        if let Err(Errno::EINTR) = poll(&mut said, PollTimeout::NONE) {
            continue;
        }
        match wire::receive(socket) {
            Ok(ToWorker::Want(renditions)) => desk.want(renditions),
            Ok(ToWorker::Close(patience)) => return patience,
            Ok(ToWorker::Open(_)) | Err(_) => return FAREWELL,
        }
    }
}

/// The reading thread: from opening to TEARDOWN.
fn read(desk: &Desk, heard: &Heard, open: &Open) {
    // An agent that does not take the reason sees the socket end.
    let give_up = |failure| drop(desk.tell(&FromWorker::Failed(failure)));
    match Reader::open(open, heard) {
        // The agent knows before the camera is told: the reader lives until here, then says TEARDOWN.
        Ok(mut reader) => pump(desk, &mut reader).map_or((), give_up),
        Err(failure) => give_up(failure),
    }
}

/// Hands units on until asked to stop (`None`) or the stream ends.
fn pump(desk: &Desk, reader: &mut Reader) -> Option<Failure> {
    while !desk.is_stopping() {
        let (news, unit) = match reader.read() {
            Ok(next) => next,
            Err(failure) => return Some(failure),
        };
        let news = news.map(FromWorker::Stream);
        let unit_message = FromWorker::Unit(unit.clone());
        for message in news.into_iter().chain([unit_message]) {
            if let Err(error) = desk.tell(&message) {
                let text = format!("the agent takes no frames: {error}");
                return Some(Failure { kind: FailureKind::Internal, text });
            }
        }
        desk.put(reader.codec(), unit);
    }
    None
}

/// The decoding thread: idle while nothing is wanted.
fn develop(desk: &Desk, heard: &Heard, default_quality: u8) {
    let mut darkroom: Option<Darkroom> = None;
    let mut follower: Option<Follower> = None;
    let (mut seen, mut told_decoding) = (0, false);
    let mut told_hasty: Option<Instant> = None;
    let mut damage = Damage::default();
    let mut pictures = Vec::new();
    loop {
        match desk.work(&mut seen, &mut follower) {
            Work::Stop => return,
            Work::Want(codec, renditions) => {
                darkroom.get_or_insert_with(|| Darkroom::new(codec, default_quality)).want(&renditions);
            }
            Work::Develop(step) => {
                let Some(darkroom) = &mut darkroom else { continue };
                if let Err(error) = darkroom.develop(&step.unit, step.show, &mut pictures) {
                    if let (Some(follower), false) = (&mut follower, matches!(error, darkroom::Error::Encode(_))) {
                        follower.lost();
                    }
                    damage.note(heard, &error);
                }
            }
        }
        if darkroom.as_ref().is_some_and(Darkroom::is_hasty)
            && told_hasty.is_none_or(|told| told.elapsed() >= HASTE_TOLD)
        {
            heard.say("decoder", OVERLOAD);
            told_hasty = Some(Instant::now());
        }
        let decoding = darkroom.as_ref().is_some_and(Darkroom::is_decoding);
        if decoding != told_decoding && desk.tell(&FromWorker::Decoding(decoding)).is_err() {
            return;
        }
        told_decoding = decoding;
        for picture in pictures.drain(..) {
            if desk.show(picture).is_err() {
                return;
            }
        }
    }
}

/// Counts damaged frames and sums them up in the log.
#[derive(Default)]
struct Damage {
    frames: u64,
    told: Option<Instant>,
}

impl Damage {
    fn note(&mut self, heard: &Heard, error: &darkroom::Error) {
        self.frames += 1;
        if self.told.is_none_or(|told| told.elapsed() >= SUMMARY) {
            heard.say("decoder", &format!("{error}; waiting for the next key frame ({} damaged)", self.frames));
            (self.told, self.frames) = (Some(Instant::now()), 0);
        }
    }
}
