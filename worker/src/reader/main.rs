//! The program `cctv-reader`, which the agent starts to read a stream with OpenCV, and to decode it.

mod demuxer;
mod pace;

use std::process::ExitCode;

use cctv_agent::{
    ipc::{Failure, FailureKind, FromWorker, Open},
    text::Code,
};
use cctv_worker::{ffmpeg_log::FfmpegLog, shared::Shared};
use demuxer::Demuxer;

fn main() -> ExitCode {
    cctv_worker::run(Some(read))
}

/// The reading thread: from opening to TEARDOWN.
fn read(shared: &Shared, ffmpeg_log: &FfmpegLog, open: &Open) {
    // If the agent does not take the reason, it still sees the end of the socket.
    let give_up = |failure| drop(shared.tell(&FromWorker::Failed(failure)));
    match Demuxer::open(open, ffmpeg_log) {
        // The agent learns it before the camera: the demuxer lives until here, then sends TEARDOWN.
        Ok(mut demuxer) => pump(shared, &mut demuxer).map_or((), give_up),
        Err(failure) => give_up(failure),
    }
}

/// Passes units on until asked to stop (`None`) or the stream ends.
fn pump(shared: &Shared, demuxer: &mut Demuxer) -> Option<Failure> {
    while !shared.is_stopping() {
        let (news, unit) = match demuxer.read() {
            Ok(next) => next,
            Err(failure) => return Some(failure),
        };
        let news = news.map(FromWorker::Stream);
        let unit_message = FromWorker::Unit(unit.clone());
        for message in news.into_iter().chain([unit_message]) {
            if let Err(error) = shared.tell(&message) {
                let reason = Code::Text.with("text", format!("the agent takes no frames: {error}")).into();
                return Some(Failure { kind: FailureKind::Internal, reason });
            }
        }
        shared.put(demuxer.codec(), unit);
    }
    None
}
