//! One stream of a camera: frames made here, encoded by GStreamer, shared by all who play it.
//!
//! Nothing is drawn and nothing is encoded while nobody plays. A frame is never queued behind another:
//! if the encoder has not taken the last one, the next one is not made.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use gstreamer::{self as gst, glib, prelude::*};
use gstreamer_app::AppSrc;
use gstreamer_rtsp_server::{RTSPMedia, RTSPMediaFactory, prelude::*};

use crate::{
    camera::{Camera, count, unix_ms},
    canvas::Canvas,
    pattern::Pattern,
    scene::Scene,
    settings::{Codec, Settings},
    stamp::Stamp,
};

pub struct Stream {
    camera: Arc<Camera>,
    pub size: (usize, usize),
    /// Frames made since the camera started, however often the stream was begun again.
    frames: AtomicU32,
    pattern: Mutex<Pattern>,
}

impl Stream {
    pub fn new(camera: Arc<Camera>, size: (usize, usize)) -> Arc<Self> {
        let settings = &camera.settings;
        let canvas = Canvas::new(size.0, size.1, settings.coding);
        let pattern = if settings.bars {
            Pattern::bars(canvas)
        } else {
            let offset = glib::DateTime::now_local().map_or(0, |now| now.utc_offset().as_seconds());
            Pattern::Moving(Box::new(Scene::new(canvas, &settings.id, settings.hue, offset)))
        };
        Arc::new(Self { size, frames: AtomicU32::new(0), pattern: Mutex::new(pattern), camera })
    }

    /// Makes the next frame, stamped with its number and this moment.
    pub fn next_frame(&self) -> Vec<u8> {
        let frame = self.frames.fetch_add(1, Ordering::Relaxed);
        count(&self.camera.counters.frames);
        let mut pattern = self.pattern.lock().expect("drawing does not panic");
        pattern.frame(Stamp { frame, unix_ms: unix_ms() }).to_vec()
    }

    /// kbit/s: that of the settings, and in proportion less for a smaller picture.
    pub fn bitrate(&self) -> u32 {
        let pixels = |(width, height): (usize, usize)| (width * height) as f64;
        let share = pixels(self.size) / pixels(self.camera.settings.size);
        (f64::from(self.camera.settings.bitrate) * share).max(64.0) as u32
    }

    /// What GStreamer must know of the frames.
    pub fn caps(&self) -> gst::Caps {
        gst::Caps::builder("video/x-raw")
            .field("format", "I420")
            .field("width", self.size.0 as i32)
            .field("height", self.size.1 as i32)
            .field("framerate", gst::Fraction::new(self.camera.settings.fps as i32, 1))
            .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
            .field("interlace-mode", "progressive")
            .field("colorimetry", self.camera.settings.coding.colorimetry())
            .build()
    }

    /// What the RTSP server needs to offer this stream.
    pub fn factory(self: Arc<Self>) -> RTSPMediaFactory {
        let factory = RTSPMediaFactory::new();
        factory.set_launch(&launch_line(&self.camera.settings, self.bitrate()));
        factory.set_shared(true);
        factory.set_latency(0);
        factory.connect_media_configure(move |_, media| self.configure(media));
        factory
    }

    fn configure(self: &Arc<Self>, media: &RTSPMedia) {
        let bin = media.element().downcast::<gst::Bin>().expect("a launch line in brackets makes a bin");
        let source = bin.by_name("frames").and_then(|element| element.downcast::<AppSrc>().ok());
        let source = source.expect("the launch line names its appsrc");
        source.set_caps(Some(&self.caps()));
        if let Some(pipeline) = bin.parent().and_then(|parent| parent.downcast::<gst::Bin>().ok()) {
            silence_rtcp_while_frozen(&pipeline, &self.camera);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        media.connect_unprepared(move |_| stopped.store(true, Ordering::Relaxed));
        let stream = Arc::clone(self);
        let source = source.downgrade();
        // Ends when the media is unprepared or its source is gone.
        thread::Builder::new()
            .name(format!("frames {}", self.camera.settings.id))
            .spawn(move || stream.generate(&source, &stop))
            .expect("the machine has room for one more thread");
    }

    /// Pushes a frame per interval until told to stop. While the camera is stalled or frozen only the
    /// first frame is made: without it the server could not describe the stream.
    fn generate(&self, source: &glib::WeakRef<AppSrc>, stop: &AtomicBool) {
        let interval = Duration::from_secs(1) / self.camera.settings.fps;
        let mut due = Instant::now();
        let mut described = false;
        while !stop.load(Ordering::Relaxed) {
            let Some(source) = source.upgrade() else { return };
            let faults = self.camera.faults();
            let silent = described && (faults.stall || faults.freeze);
            if !silent
                && source.property::<u64>("current-level-buffers") == 0
                && source.current_state() >= gst::State::Paused
            {
                // Refused while the pipeline starts or stops; then the frame is simply lost.
                described |= source.push_buffer(gst::Buffer::from_slice(self.next_frame())).is_ok();
            }
            due = (due + interval).max(Instant::now());
            thread::sleep(due - Instant::now());
        }
    }
}

/// The encoder and payloader as GStreamer reads them.
fn launch_line(settings: &Settings, bitrate: u32) -> String {
    let (gop, bars) = (settings.gop, settings.bars);
    let encoder = match settings.codec {
        // 8x8 transform and CABAC make it High profile, which is what cameras send; a single thread
        // keeps a picture one slice.
        Codec::H264 => format!(
            "x264enc tune=zerolatency speed-preset=ultrafast threads=1 bframes=0 cabac=true dct8x8=true \
             key-int-max={gop} option-string=\"scenecut=0\" {} \
             ! video/x-h264,profile=high ! rtph264pay name=pay0 pt=96 config-interval=-1 aggregate-mode=zero-latency",
            if bars { "pass=quant quantizer=8".into() } else { format!("bitrate={bitrate}") }
        ),
        Codec::H265 => format!(
            "x265enc tune=zerolatency speed-preset=ultrafast key-int-max={gop} {} log-level=error \
             option-string=\"bframes=0:scenecut=0:pools=none:frame-threads=1:wpp=0:repeat-headers=1\" \
             ! rtph265pay name=pay0 pt=96 config-interval=-1 aggregate-mode=zero-latency",
            if bars { "qp=8".into() } else { format!("bitrate={bitrate}") }
        ),
        Codec::Mjpeg => {
            format!("jpegenc quality={} ! rtpjpegpay name=pay0 pt=26", if bars { 95 } else { 75 })
        }
    };
    format!(
        "( appsrc name=frames is-live=true format=time do-timestamp=true max-buffers=1 leaky-type=downstream ! {encoder} )"
    )
}

/// The server's own reports would still go out on a frozen connection: throws them away meanwhile.
fn silence_rtcp_while_frozen(pipeline: &gst::Bin, camera: &Arc<Camera>) {
    let camera = Arc::clone(camera);
    pipeline.connect_element_added(move |_, element| {
        if element.factory().is_none_or(|factory| factory.name() != "rtpbin") {
            return;
        }
        let camera = Arc::clone(&camera);
        element.connect_pad_added(move |_, pad| {
            if pad.name().starts_with("send_rtcp_src") {
                let camera = Arc::clone(&camera);
                let both = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
                pad.add_probe(both, move |_, _| {
                    if camera.faults().freeze { gst::PadProbeReturn::Drop } else { gst::PadProbeReturn::Ok }
                });
            }
        });
    });
}
