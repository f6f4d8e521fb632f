//! One stream of a camera: frames made here, encoded by GStreamer, shared by all players.
//!
//! Nothing is drawn or encoded while nothing plays. Frames are never queued: if the encoder has not
//! taken the last frame, the next one is not made.

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
use stamp::Stamp;

use crate::{
    camera::{Camera, count, unix_ms},
    canvas::Canvas,
    launch::{self, Offer},
    packets,
    pattern::Pattern,
    scene::Scene,
    settings::Aspect,
};

/// Width and height.
type Size = (usize, usize);

/// Which of the camera's streams this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Main,
    Small(Size),
}

pub struct Stream {
    camera: Arc<Camera>,
    part: Part,
    /// Frames made since the camera started, including earlier runs of the stream.
    frames: AtomicU32,
    /// The pattern, and the size it was drawn for.
    pattern: Mutex<(Size, Pattern)>,
}

impl Stream {
    pub fn new(camera: Arc<Camera>, part: Part) -> Arc<Self> {
        let size = size(&camera, part);
        Arc::new(Self { pattern: Mutex::new((size, pattern(&camera, size))), part, frames: AtomicU32::new(0), camera })
    }

    pub fn name(&self) -> &'static str {
        match self.part {
            Part::Main => "main",
            Part::Small(_) => "small",
        }
    }

    /// The present size: a fault may change it.
    pub fn size(&self) -> Size {
        size(&self.camera, self.part)
    }

    /// The present sample aspect ratio: a fault may change it.
    fn aspect(&self) -> Aspect {
        self.camera.faults().aspect.unwrap_or(self.camera.settings.aspect)
    }

    /// Makes the next frame, stamped with its number and the current time, and returns its size
    /// too.
    pub fn next_frame(&self) -> (Size, Vec<u8>) {
        let (wanted, frame) = (self.size(), self.frames.fetch_add(1, Ordering::Relaxed));
        count(&self.camera.counters.frames);
        let mut drawn = self.pattern.lock().expect("drawing does not panic");
        if drawn.0 != wanted {
            *drawn = (wanted, pattern(&self.camera, wanted));
        }
        (wanted, drawn.1.frame(Stamp { frame, unix_ms: unix_ms() }).to_vec())
    }

    /// kbit/s: the configured rate, reduced in proportion for a smaller picture.
    pub fn bitrate(&self) -> u32 {
        let pixels = |(width, height): Size| (width * height) as f64;
        let share = pixels(self.size()) / pixels(self.camera.settings.size);
        (f64::from(self.camera.settings.bitrate) * share).max(64.0) as u32
    }

    /// The caps of frames with this size and sample aspect ratio; the encoders write them into the
    /// stream's VUI.
    pub fn caps(&self, size: Size, aspect: Aspect) -> gst::Caps {
        gst::Caps::builder("video/x-raw")
            .field("format", "I420")
            .field("width", size.0 as i32)
            .field("height", size.1 as i32)
            .field("framerate", gst::Fraction::new(self.camera.settings.fps as i32, 1))
            .field("pixel-aspect-ratio", gst::Fraction::new(aspect.0.into(), aspect.1.into()))
            .field("interlace-mode", "progressive")
            .field("colorimetry", self.camera.settings.coding.colorimetry())
            .build()
    }

    /// The offer for a session that begins now.
    pub fn offer(&self) -> Offer {
        let no_video = self.camera.faults().no_video;
        let video = (!no_video).then(|| self.camera.codec());
        Offer { video, audio: no_video || self.camera.settings.audio }
    }

    /// The launch line for that offer.
    pub fn launch_line(&self) -> String {
        launch::line(self.offer(), &self.camera.settings, self.bitrate())
    }

    /// The media factory that serves this stream in the RTSP server.
    pub fn factory(self: Arc<Self>) -> RTSPMediaFactory {
        let factory = RTSPMediaFactory::new();
        factory.set_launch(&self.launch_line());
        factory.set_shared(true);
        factory.set_latency(0);
        factory.connect_media_configure(move |_, media| self.configure(media));
        factory
    }

    fn configure(self: &Arc<Self>, media: &RTSPMedia) {
        let bin = media.element().downcast::<gst::Bin>().expect("a launch line in brackets makes a bin");
        let source = bin.by_name("frames").and_then(|element| element.downcast::<AppSrc>().ok());
        if let Some(pipeline) = bin.parent().and_then(|parent| parent.downcast::<gst::Bin>().ok()) {
            packets::watch(&bin, &pipeline, &self.camera, source.is_some());
        }
        if let Some(hum) = bin.by_name("hum").and_then(|element| element.static_pad("src")) {
            hum.add_probe(gst::PadProbeType::QUERY_UPSTREAM, |_, info| is_live(info));
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        media.connect_unprepared(move |_| stopped.store(true, Ordering::Relaxed));
        let (stream, bin) = (Arc::clone(self), bin.downgrade());
        let source = source.map(|source| source.downgrade());
        // The thread ends when the media is unprepared or its elements are gone.
        thread::Builder::new()
            .name(format!("frames {}", self.camera.settings.id))
            .spawn(move || match source {
                Some(source) => stream.generate(&bin, &source, &stop),
                None => stream.wait_for_bye(&bin, &stop),
            })
            .expect("the machine has room for one more thread");
    }

    /// Pushes one frame per interval until `stop` is set. While the camera is stalled or frozen
    /// only the first frame is made: without it the server could not describe the stream.
    fn generate(&self, bin: &glib::WeakRef<gst::Bin>, source: &glib::WeakRef<AppSrc>, stop: &AtomicBool) {
        let settings = &self.camera.settings;
        let usual = Duration::from_secs(1) / settings.fps;
        let byes = self.camera.faults().byes;
        let mut due = Instant::now();
        let mut described = None;
        // The encoder makes the first one by itself.
        let mut since_key = 0;
        let mut played = 0;
        while !stop.load(Ordering::Relaxed) {
            let Some(source) = source.upgrade() else { return };
            let faults = self.camera.faults();
            if faults.byes != byes {
                return end(bin);
            }
            let is_away = faults.away == Some(self.name());
            let silent = described.is_some() && (faults.stall || faults.freeze || is_away);
            if !silent
                && source.property::<u64>("current-level-buffers") == 0
                && source.current_state() >= gst::State::Paused
            {
                let (size, frame) = self.next_frame();
                let now = (size, self.aspect());
                if described != Some(now) {
                    source.set_caps(Some(&self.caps(now.0, now.1)));
                }
                // A new player gets a key frame at once, as on most cameras: the stream may still
                // run for an earlier session whose player has died unnoticed.
                let plays = self.camera.counters.plays.load(Ordering::Relaxed);
                let joined = since_key > 0 && plays != played;
                played = plays;
                if (joined || since_key >= settings.gop) && !faults.no_key_frames {
                    source.send_event(force_key_frame(!self.camera.settings.sets_in_sdp));
                    since_key = 0;
                }
                // Refused while the pipeline starts or stops; then the frame is lost.
                if source.push_buffer(gst::Buffer::from_slice(frame)).is_ok() {
                    described = Some(now);
                    since_key += 1;
                }
            }
            due = (due + faults.pace.filter(|_| described.is_some()).unwrap_or(usual)).max(Instant::now());
            drop(source);
            self.sleep_until(due, &faults, stop);
        }
    }

    /// Sleeps until `due`; changes of faults that do not affect the interval do not end the sleep.
    fn sleep_until(&self, due: Instant, since: &crate::faults::Faults, stop: &AtomicBool) {
        loop {
            let now = self.camera.faults();
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() || stop.load(Ordering::Relaxed) || (now.pace, now.byes) != (since.pace, since.byes) {
                return;
            }
            self.camera.wait_for_other_faults(now, left);
        }
    }

    /// Waits in a stream without pictures, which only has to end.
    fn wait_for_bye(&self, bin: &glib::WeakRef<gst::Bin>, stop: &AtomicBool) {
        let byes = self.camera.faults().byes;
        while !stop.load(Ordering::Relaxed) && bin.upgrade().is_some() {
            let faults = self.camera.faults();
            if faults.byes != byes {
                return end(bin);
            }
            self.camera.wait_for_other_faults(faults, Duration::from_secs(1));
        }
    }
}

fn size(camera: &Camera, part: Part) -> Size {
    match part {
        Part::Main => camera.faults().size.unwrap_or(camera.settings.size),
        Part::Small(size) => size,
    }
}

fn pattern(camera: &Camera, size: Size) -> Pattern {
    let settings = &camera.settings;
    let canvas = Canvas::new(size.0, size.1, settings.coding);
    if settings.bars {
        return Pattern::bars(canvas);
    }
    let offset = glib::DateTime::now_local().map_or(0, |now| now.utc_offset().as_seconds());
    Pattern::Moving(Box::new(Scene::new(canvas, &settings.id, settings.hue, offset)))
}

/// Reports that the stream is not seekable. GStreamer's sound generator would offer seeking, and
/// the server would then refuse every player that asks for the beginning, as FFmpeg does.
fn is_live(info: &mut gst::PadProbeInfo) -> gst::PadProbeReturn {
    if let Some(gst::PadProbeData::Query(query)) = &mut info.data
        && let gst::QueryViewMut::Seeking(seeking) = query.view_mut()
    {
        seeking.set(false, gst::ClockTime::ZERO, gst::ClockTime::NONE);
        return gst::PadProbeReturn::Handled;
    }
    gst::PadProbeReturn::Ok
}

/// Ends the stream: RTCP BYE is sent for every track.
fn end(bin: &glib::WeakRef<gst::Bin>) {
    if let Some(bin) = bin.upgrade() {
        bin.send_event(gst::event::Eos::new());
    }
}

/// An event that makes the next frame a key frame. Encoders that make only key frames, like
/// MJPEG's, pass it on.
fn force_key_frame(with_sets: bool) -> gst::Event {
    gst::event::CustomDownstream::new(
        gst::Structure::builder("GstForceKeyUnit").field("all-headers", with_sets).build(),
    )
}
