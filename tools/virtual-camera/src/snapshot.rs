//! One frame as a JPEG file, for the snapshot address of ONVIF.

use gstreamer::{self as gst, glib, prelude::*};
use gstreamer_app::{AppSink, AppSrc};

use crate::stream::Stream;

/// Timeout of encoding a frame, which normally takes some ten milliseconds.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(5);

#[derive(Debug, thiserror::Error)]
#[error("no snapshot: {0}")]
pub struct NoPicture(String);

impl From<glib::Error> for NoPicture {
    fn from(error: glib::Error) -> Self {
        Self(error.to_string())
    }
}

/// Makes a frame now and compresses it, in the full range and BT.601 of all JPEG.
pub fn jpeg(stream: &Stream) -> Result<Vec<u8>, NoPicture> {
    let line = "appsrc name=frame format=time ! videoconvert ! \
                video/x-raw,format=I420,colorimetry=1:4:0:0 ! jpegenc quality=85 ! appsink name=file sync=false";
    let pipeline =
        gst::parse::launch(line)?.downcast::<gst::Pipeline>().map_err(|_| NoPicture("no pipeline".into()))?;
    let encoded = encode(stream, &pipeline);
    // A pipeline must be stopped before it is dropped, whatever happened.
    let _ = pipeline.set_state(gst::State::Null);
    encoded
}

fn encode(stream: &Stream, pipeline: &gst::Pipeline) -> Result<Vec<u8>, NoPicture> {
    let broken = |what: &str| NoPicture(what.into());
    let source = pipeline.by_name("frame").and_then(|element| element.downcast::<AppSrc>().ok());
    let sink = pipeline.by_name("file").and_then(|element| element.downcast::<AppSink>().ok());
    let (source, sink) = source.zip(sink).ok_or_else(|| broken("no ends"))?;
    let (size, frame) = stream.next_frame();
    source.set_caps(Some(&stream.caps(size, (1, 1))));
    pipeline.set_state(gst::State::Playing).map_err(|_| broken("the pipeline does not start"))?;
    let mut frame = gst::Buffer::from_slice(frame);
    frame.make_mut().set_pts(gst::ClockTime::ZERO);
    source.push_buffer(frame).map_err(|_| broken("the frame is refused"))?;
    source.end_of_stream().map_err(|_| broken("the end is refused"))?;
    let sample = sink.try_pull_sample(PATIENCE).ok_or_else(|| broken("the encoder gives nothing"))?;
    let buffer = sample.buffer().and_then(|buffer| buffer.map_readable().ok());
    Ok(buffer.ok_or_else(|| broken("the encoder's answer is empty"))?.to_vec())
}
