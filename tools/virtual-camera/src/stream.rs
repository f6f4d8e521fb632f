//! One stream of a camera: its frames, its size, and what a session is offered.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Instant,
};

use gstreamer::{self as gst, glib};

use stamp::Stamp;

use crate::{
    camera::{Camera, count, unix_ms},
    canvas::Canvas,
    pattern::Pattern,
    scene::Scene,
    settings::{Aspect, Codec},
};

/// Width and height.
pub type Size = (usize, usize);

/// The content of a new session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// `None`: no picture.
    pub video: Option<Codec>,
    pub audio: bool,
}

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
    /// The next frame is to be a key frame, because a client asked for one.
    key_wanted: AtomicBool,
    /// The pattern, and the size it was drawn for.
    pattern: Mutex<(Size, Pattern)>,
}

impl Stream {
    pub fn new(camera: Arc<Camera>, part: Part) -> Arc<Self> {
        let size = size(&camera, part);
        Arc::new(Self {
            pattern: Mutex::new((size, pattern(&camera, size))),
            part,
            frames: AtomicU32::new(0),
            key_wanted: AtomicBool::new(false),
            camera,
        })
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
    pub fn aspect(&self) -> Aspect {
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
        let view = self
            .camera
            .settings
            .ptz
            .map(|_| self.camera.mount.lock().unwrap_or_else(PoisonError::into_inner).view(Instant::now()));
        (wanted, drawn.1.frame(Stamp { frame, unix_ms: unix_ms() }, view).to_vec())
    }

    /// Makes the next frame a key frame, unless the camera has the habit not to.
    pub fn want_key_frame(&self) {
        self.camera.key_frame_asked.store(true, Ordering::Relaxed);
        self.key_wanted.store(!self.camera.habits().no_key_frame_on_request, Ordering::Relaxed);
    }

    /// Whether a key frame was asked for since the last call.
    pub fn take_key_wanted(&self) -> bool {
        self.key_wanted.swap(false, Ordering::Relaxed)
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
        Offer { video, audio: no_video || self.camera.settings.audio.is_some() }
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
