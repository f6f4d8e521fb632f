//! The media factory of one stream: makes frames and feeds them to GStreamer's pipeline.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use gstreamer::{self as gst, glib, prelude::*};
use gstreamer_app::AppSrc;
use gstreamer_rtsp_server::{RTSPAddressPool, RTSPMedia, RTSPMediaFactory, gst_rtsp::RTSPLowerTrans, prelude::*};

use super::{launch, packets};
use crate::{camera::Camera, encoder::force_key_frame, faults::Faults, stream::Stream};

/// The ports of a group, from which GStreamer chooses pairs.
const GROUP_PORTS: (u16, u16) = (40_000, 40_019);

/// The launch line for the present offer of `stream`.
pub fn launch_line(stream: &Stream, camera: &Camera) -> String {
    launch::line(stream.offer(), &camera.settings, stream.bitrate())
}

/// The media factory that serves `stream` in the RTSP server.
pub fn factory(stream: &Arc<Stream>, camera: &Arc<Camera>) -> RTSPMediaFactory {
    let factory = RTSPMediaFactory::new();
    factory.set_launch(&launch_line(stream, camera));
    factory.set_shared(true);
    factory.set_latency(0);
    if let Some(group) = camera.settings.group {
        send_to_group(&factory, group, camera.settings.ip.is_loopback());
    }
    let frames = Arc::new(Frames { stream: Arc::clone(stream), camera: Arc::clone(camera) });
    factory.connect_media_configure(move |_, media| frames.configure(media));
    factory
}

/// Also sends to `group`, for those who ask for it. On loopback there is no route to a group.
fn send_to_group(factory: &RTSPMediaFactory, group: Ipv4Addr, is_loopback: bool) {
    let (pool, group) = (RTSPAddressPool::new(), group.to_string());
    let (first, last) = GROUP_PORTS;
    pool.add_range(&group, &group, first, last, 1).expect("the range is one of a group");
    factory.set_address_pool(Some(&pool));
    factory.set_protocols(RTSPLowerTrans::TCP | RTSPLowerTrans::UDP | RTSPLowerTrans::UDP_MCAST);
    factory.set_multicast_iface(is_loopback.then_some("lo"));
}

/// Makes the frames of one stream.
struct Frames {
    stream: Arc<Stream>,
    camera: Arc<Camera>,
}

impl Frames {
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
        let (frames, bin) = (Arc::clone(self), bin.downgrade());
        let source = source.map(|source| source.downgrade());
        // The thread ends when the media is unprepared or its elements are gone.
        thread::Builder::new()
            .name(format!("frames {}", self.camera.settings.id))
            .spawn(move || match source {
                Some(source) => frames.generate(&bin, &source, &stop),
                None => frames.wait_for_bye(&bin, &stop),
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
            let is_away = faults.away == Some(self.stream.name());
            let silent = described.is_some() && (faults.stall || faults.freeze || is_away);
            if !silent
                && source.property::<u64>("current-level-buffers") == 0
                && source.current_state() >= gst::State::Paused
            {
                let (size, frame) = self.stream.next_frame();
                let now = (size, self.stream.aspect());
                if described != Some(now) {
                    source.set_caps(Some(&self.stream.caps(now.0, now.1)));
                }
                // A new player gets a key frame at once, as on most cameras: the stream may still
                // run for an earlier session whose player has died unnoticed.
                let plays = self.camera.counters.plays.load(Ordering::Relaxed);
                let joined = since_key > 0 && plays != played;
                let wanted = self.stream.take_key_wanted();
                played = plays;
                if (joined || wanted || since_key >= settings.gop) && !faults.no_key_frames {
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
    fn sleep_until(&self, due: Instant, since: &Faults, stop: &AtomicBool) {
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
