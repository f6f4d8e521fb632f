//! The playback server, which plays the bench's cameras: GStreamer's RTSP server plays a clip in an
//! endless loop.
//!
//! A camera's sessions share one pipeline. It starts at the clip's first frame with the first
//! session, like cameras that make a key frame for each new client, and stops with the last one.
//! The time at which a frame was last sent is recorded: with the burnt-in number, that is the
//! camera's clock.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use gstreamer::{self as gst, glib, prelude::*};
use gstreamer_app::AppSrc;
use gstreamer_rtsp_server::{RTSPMedia, RTSPMediaFactory, RTSPServer, prelude::*};

use crate::{
    Result,
    test_clip::{Clip, Kind},
};

/// One camera's clip and clock.
pub struct Camera {
    clip: Arc<Clip>,
    /// Frames per second.
    fps: u32,
    /// For each frame of the clip, all times at which it was sent.
    sent: Mutex<Vec<Vec<Instant>>>,
    frames: AtomicU64,
}

impl Camera {
    /// The last time before `arrival` at which frame `number` was sent.
    pub fn sent(&self, number: usize, arrival: Instant) -> Option<Instant> {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.get(number)?.iter().rev().find(|sent| **sent <= arrival).copied()
    }

    /// Frames sent so far.
    pub fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// The longest time from one frame to the next one.
    pub fn longest_pause(&self) -> Duration {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let mut times: Vec<_> = sent.iter().flatten().copied().collect();
        times.sort_unstable();
        times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    pub fn clip(&self) -> &Clip {
        &self.clip
    }
}

/// Cameras on one port.
pub struct PlaybackServer {
    port: i32,
    cameras: Vec<Arc<Camera>>,
    server: RTSPServer,
    work: glib::MainLoop,
    source: Option<glib::SourceId>,
}

impl PlaybackServer {
    /// Plays `clip` on `count` cameras from now on, `fps` frames a second.
    ///
    /// # Errors
    /// Errors of GStreamer.
    pub fn start(clip: &Arc<Clip>, count: usize, fps: u32) -> Result<Self> {
        gst::init()?;
        let server = RTSPServer::new();
        server.set_address("127.0.0.1");
        server.set_service("0");
        let mounts = server.mount_points().ok_or("the RTSP server has no mount points")?;
        let camera = || {
            let sent = Mutex::new(vec![Vec::new(); clip.frames.len()]);
            Arc::new(Camera { clip: Arc::clone(clip), fps, sent, frames: AtomicU64::new(0) })
        };
        let cameras: Vec<_> = (0..count).map(|_| camera()).collect();
        for (number, camera) in cameras.iter().enumerate() {
            mounts.add_factory(&format!("/{number}"), factory(camera));
        }
        let context = glib::MainContext::new();
        let source = server.attach(Some(&context))?;
        let work = glib::MainLoop::new(Some(&context), false);
        let loop_ = work.clone();
        thread::Builder::new().name("playback".to_owned()).spawn(move || loop_.run())?;
        Ok(Self { port: server.bound_port(), cameras, server, work, source: Some(source) })
    }

    pub fn url(&self, camera: usize) -> String {
        format!("rtsp://127.0.0.1:{}/{camera}", self.port)
    }

    pub fn urls(&self) -> Vec<String> {
        (0..self.cameras.len()).map(|camera| self.url(camera)).collect()
    }

    /// Open connections of all cameras; each carries one session.
    pub fn sessions(&self) -> usize {
        self.server.client_filter(None).len()
    }

    /// Width and height of the clip.
    pub fn size(&self) -> (usize, usize) {
        self.cameras.first().map_or((0, 0), |camera| (camera.clip.width, camera.clip.height))
    }

    pub fn cameras(&self) -> &[Arc<Camera>] {
        &self.cameras
    }
}

impl Drop for PlaybackServer {
    fn drop(&mut self) {
        use gstreamer_rtsp_server::RTSPFilterResult;
        self.server.client_filter(Some(&mut |_, _| RTSPFilterResult::Remove));
        if let Some(source) = self.source.take()
            && let Some(source) = self.work.context().find_source_by_id(&source)
        {
            source.destroy();
        }
        self.work.quit();
    }
}

fn factory(camera: &Arc<Camera>) -> RTSPMediaFactory {
    let pay = match camera.clip.kind {
        Kind::H264 => "rtph264pay name=pay0 pt=96 config-interval=-1 aggregate-mode=zero-latency",
        Kind::Jpeg => "rtpjpegpay name=pay0 pt=26",
    };
    let factory = RTSPMediaFactory::new();
    factory.set_launch(&format!(
        "( appsrc name=frames is-live=true format=time do-timestamp=true max-buffers=1 ! {pay} )"
    ));
    factory.set_shared(true);
    factory.set_latency(0);
    let camera = Arc::clone(camera);
    factory.connect_media_configure(move |_, media| configure(&camera, media));
    factory
}

fn caps(camera: &Camera) -> gst::Caps {
    let clip = &camera.clip;
    let caps = match clip.kind {
        Kind::H264 => gst::Caps::builder("video/x-h264").field("stream-format", "byte-stream").field("alignment", "au"),
        Kind::Jpeg => gst::Caps::builder("image/jpeg").field("parsed", true),
    };
    caps.field("width", clip.width as i32)
        .field("height", clip.height as i32)
        .field("framerate", gst::Fraction::new(camera.fps as i32, 1))
        .build()
}

fn configure(camera: &Arc<Camera>, media: &RTSPMedia) {
    let source = media.element().downcast::<gst::Bin>().ok().and_then(|bin| bin.by_name("frames"));
    let Some(source) = source.and_then(|element| element.downcast::<AppSrc>().ok()) else { return };
    source.set_caps(Some(&caps(camera)));
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    media.connect_unprepared(move |_| stopped.store(true, Ordering::Relaxed));
    let (camera, source) = (Arc::clone(camera), source.downgrade());
    let _ = thread::Builder::new().name("clip".to_owned()).spawn(move || show(&camera, &source, &stop));
}

/// Pushes one frame per interval until `stop` is set. No frame is skipped, because later ones need
/// it.
fn show(camera: &Camera, source: &glib::WeakRef<AppSrc>, stop: &AtomicBool) {
    let interval = Duration::from_secs(1) / camera.fps;
    let (mut due, mut number) = (Instant::now(), 0);
    while !stop.load(Ordering::Relaxed) {
        let Some(source) = source.upgrade() else { return };
        if source.current_state() >= gst::State::Paused && source.property::<u64>("current-level-buffers") == 0 {
            let frame = camera.clip.frames[number].clone();
            let now = Instant::now();
            if source.push_buffer(gst::Buffer::from_slice(frame)).is_ok() {
                camera.sent.lock().unwrap_or_else(PoisonError::into_inner)[number].push(now);
                camera.frames.fetch_add(1, Ordering::Relaxed);
                number = (number + 1) % camera.clip.frames.len();
            }
        }
        drop(source);
        due = (due + interval).max(Instant::now());
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}
