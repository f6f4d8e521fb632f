//! The encoder of a stream: frames in, encoded pictures out, by a GStreamer pipeline without any
//! network element.

use std::{fmt, time::Duration};

use gstreamer::{self as gst, glib, prelude::*};
use gstreamer_app::{AppSink, AppSinkCallbacks, AppSrc};

use crate::{
    settings::{Aspect, Codec, Settings},
    stream::Size,
};

/// The encoder makes only requested key frames after the first: this interval is longer than any
/// stream.
const NEVER: u32 = 1_000_000_000;

/// One encoded picture.
pub struct Encoded {
    /// H.264 and H.265: NAL units, each behind a start code. MJPEG: a JPEG file.
    pub bytes: Vec<u8>,
    /// The time at which its frame was pushed, as given to [`Encoder::push`].
    pub at: Duration,
    pub size: Size,
    pub aspect: Aspect,
}

#[derive(Debug)]
pub enum Error {
    Launch(glib::Error),
    /// An element is missing in the pipeline.
    Ends,
    Play,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Launch(error) => write!(f, "cannot make the encoder: {error}"),
            Self::Ends => f.write_str("the encoder has no input or no output"),
            Self::Play => f.write_str("the encoder does not start"),
        }
    }
}

impl std::error::Error for Error {}

/// A running encoder. Dropping it stops it, and waits for its last picture.
pub struct Encoder {
    pipeline: gst::Pipeline,
    source: AppSrc,
}

impl Encoder {
    /// Starts an encoder. `deliver` gets each picture, in the encoder's thread.
    pub fn start(
        codec: Codec,
        settings: &Settings,
        bitrate: u32,
        mut deliver: impl FnMut(Encoded) + Send + 'static,
    ) -> Result<Self, Error> {
        let kind = match codec {
            Codec::H264 => "! video/x-h264,profile=high,stream-format=byte-stream,alignment=au",
            Codec::H265 => "! video/x-h265,stream-format=byte-stream,alignment=au",
            // There is no encoder for it.
            Codec::Mpeg4 => return Err(Error::Ends),
            Codec::Mjpeg => "",
        };
        let line = format!(
            "appsrc name=frames is-live=true format=time max-buffers=1 leaky-type=downstream \
             ! {} {kind} ! appsink name=pictures sync=false",
            element(codec, settings, bitrate, true)
        );
        let pipeline = gst::parse::launch(&line).map_err(Error::Launch)?;
        let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| Error::Ends)?;
        let source = pipeline.by_name("frames").and_then(|element| element.downcast::<AppSrc>().ok());
        let sink = pipeline.by_name("pictures").and_then(|element| element.downcast::<AppSink>().ok());
        let (source, sink) = source.zip(sink).ok_or(Error::Ends)?;
        let arrived = move |sink: &AppSink| {
            if let Some(encoded) = sink.pull_sample().ok().as_ref().and_then(read) {
                deliver(encoded);
            }
            Ok(gst::FlowSuccess::Ok)
        };
        sink.set_callbacks(AppSinkCallbacks::builder().new_sample(arrived).build());
        let encoder = Self { pipeline, source };
        encoder.pipeline.set_state(gst::State::Playing).map_err(|_| Error::Play)?;
        Ok(encoder)
    }

    /// Whether the encoder has taken the last frame.
    pub fn is_idle(&self) -> bool {
        self.source.property::<u64>("current-level-buffers") == 0
    }

    /// The format of all frames from the next one on.
    pub fn set_caps(&self, caps: &gst::Caps) {
        self.source.set_caps(Some(caps));
    }

    /// Encodes a frame made at `at`, on a clock that never goes back.
    pub fn push(&self, frame: Vec<u8>, at: Duration, as_key: bool) {
        if as_key {
            self.source.send_event(force_key_frame(true));
        }
        let mut buffer = gst::Buffer::from_slice(frame);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::from_nseconds(u64::try_from(at.as_nanos()).unwrap_or(u64::MAX - 1)));
        }
        // Refused while the pipeline stops; then the frame is lost.
        let _ = self.source.push_buffer(buffer);
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // A pipeline must be stopped before it is dropped, whatever happened.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// The picture in a sample. The encoder moves all times by a fixed amount; the segment takes it
/// away again.
fn read(sample: &gst::Sample) -> Option<Encoded> {
    let buffer = sample.buffer()?;
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    let at = segment.to_running_time(buffer.pts()?)?;
    let caps = sample.caps()?.structure(0)?;
    let side = |name| caps.get::<i32>(name).ok().and_then(|side| usize::try_from(side).ok());
    let aspect = caps.get::<gst::Fraction>("pixel-aspect-ratio").map_or((1, 1), |aspect| {
        (u16::try_from(aspect.numer()).unwrap_or(1), u16::try_from(aspect.denom()).unwrap_or(1))
    });
    Some(Encoded {
        bytes: buffer.map_readable().ok()?.to_vec(),
        at: at.into(),
        size: (side("width")?, side("height")?),
        aspect,
    })
}

/// The encoder element with its settings; `bitrate` is in kbit/s. `repeat` puts the parameter sets
/// of H.264 before every key frame; H.265 has them there in any case.
pub fn element(codec: Codec, settings: &Settings, bitrate: u32, repeat: bool) -> String {
    let (bars, bframes, repeated) = (settings.bars, settings.bframes, u8::from(repeat));
    match codec {
        // 8x8 transform and CABAC make it High profile, which is what cameras send; a single thread
        // gives one slice per picture.
        Codec::H264 => format!(
            "x264enc tune=zerolatency speed-preset=ultrafast threads=1 bframes={bframes} b-adapt=false \
             cabac=true dct8x8=true key-int-max={NEVER} option-string=\"scenecut=0:repeat-headers={repeated}\" {}",
            if bars { "pass=quant quantizer=8".into() } else { format!("bitrate={bitrate}") }
        ),
        Codec::H265 => format!(
            "x265enc tune=zerolatency speed-preset=ultrafast key-int-max={NEVER} {} log-level=error \
             option-string=\"bframes={bframes}:b-adapt=0:scenecut=0:pools=none:frame-threads=1:wpp=0:repeat-headers=1\"",
            if bars { "qp=8".into() } else { format!("bitrate={bitrate}") }
        ),
        // It is never encoded here.
        Codec::Mpeg4 => String::new(),
        Codec::Mjpeg => format!("jpegenc quality={}", if bars { 95 } else { 75 }),
    }
}

/// An event that makes the next frame a key frame. Encoders that make only key frames, like
/// MJPEG's, pass it on.
pub fn force_key_frame(with_sets: bool) -> gst::Event {
    gst::event::CustomDownstream::new(
        gst::Structure::builder("GstForceKeyUnit").field("all-headers", with_sets).build(),
    )
}
