//! The program `cctv-reader`, which the agent starts to read a stream with OpenCV, and to decode it.

mod demuxer;
mod device;
mod pace;

use std::process::ExitCode;

use cctv_agent::{
    camera::StreamUri,
    ipc::{Failure, FailureKind, FromWorker, Open},
    media::{AccessUnit, Codec, StreamInfo},
    text::Code,
};
use cctv_worker::{ffmpeg_log::FfmpegLog, shared::Shared};
use demuxer::Demuxer;
use device::Device;

/// Something open that gives access units.
trait Source {
    /// The codec; valid until [`Source::read`] reports a change.
    fn codec(&self) -> Codec;

    /// The next access unit, with the stream's description if that has changed.
    ///
    /// # Errors
    /// Why no further unit comes.
    fn read(&mut self) -> Result<(Option<StreamInfo>, AccessUnit), Failure>;
}

fn main() -> ExitCode {
    cctv_worker::run(Some(read))
}

/// The reading thread: from opening to TEARDOWN.
fn read(shared: &Shared, ffmpeg_log: &FfmpegLog, open: &Open) {
    // If the agent does not take the reason, it still sees the end of the socket.
    let give_up = |failure| drop(shared.tell(&FromWorker::Failed(failure)));
    match source(open, ffmpeg_log) {
        // The agent learns it before the camera: the source lives until here, then sends TEARDOWN.
        Ok(mut source) => pump(shared, source.as_mut()).map_or((), give_up),
        Err(failure) => give_up(failure),
    }
}

fn source(open: &Open, ffmpeg_log: &FfmpegLog) -> Result<Box<dyn Source>, Failure> {
    let uri = StreamUri::split_any(open.uri.expose()).map(|(uri, _)| uri);
    match uri.as_ref().and_then(StreamUri::device) {
        Some(device) => Ok(Box::new(Device::open(device, open)?)),
        None => Ok(Box::new(Demuxer::open(open, ffmpeg_log)?)),
    }
}

/// Passes units on until asked to stop (`None`) or the stream ends.
fn pump(shared: &Shared, source: &mut dyn Source) -> Option<Failure> {
    while !shared.is_stopping() {
        let (news, unit) = match source.read() {
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
        shared.put(source.codec(), unit);
    }
    None
}
