//! Reads a stream as access units: the client's packets led through [`TrackReceiver`].

use std::{
    future::Future,
    time::{Duration, Instant},
};

use super::{
    Error,
    client::{self, Counters, Outcome, PacketReceiver},
    rtp::{self, Encoding, Event, KeyFrameRequest, Problem, Stats, TrackConfig, TrackReceiver, Unit},
    sdp::{NoVideo, Track},
    session::{Config, Learnt},
};
use crate::{camera::Transport, media::Size, sync::Notified};

/// The name of this receiver in its RTCP.
const CNAME: &str = "cctv-agent";

/// Interval of [`Event::Stats`], while packets come.
const STATS_INTERVAL: Duration = Duration::from_secs(1);

/// Number of key frames that may come before the properties of the stream are known.
const MAX_UNDESCRIBED: u32 = 2;

/// Reads the stream until it ends or `stop` is ready, as [`client::read`] does. Hands each event to
/// `on_event` as soon as its last packet has come; it must not block. [`Event::Ended`] and
/// [`Problem::AnotherCodec`] end the attempt after they were handed on, and so do key frames without
/// an [`Event::StreamInfo`] before: nobody could decode them. Each notification of `key_frame_wanted`
/// asks the camera for a key frame, if it [offers](Event::SetUp) that.
pub async fn read(
    name: &str,
    config: Config,
    learnt: Learnt,
    on_event: impl FnMut(Event),
    key_frame_wanted: &Notified,
    stop: impl Future<Output = ()>,
) -> Outcome {
    let [a, b, c, d, ..] = config.seed;
    let mut units = Units {
        track: None,
        events: Vec::new(),
        on_event,
        local_ssrc: u32::from_be_bytes([a, b, c, d]).rotate_left(7),
        failure: None,
        is_described: false,
        undescribed: 0,
        stats_at: None,
        key_frame_request: None,
    };
    let outcome = client::read(name, config, learnt, &mut units, key_frame_wanted, stop).await;
    if let Some(track) = &units.track {
        log_stats(name, &track.stats(), &outcome.counters);
    }
    outcome
}

struct Units<F> {
    /// `None` until a track is set up.
    track: Option<TrackReceiver>,
    events: Vec<Event>,
    on_event: F,
    local_ssrc: u32,
    failure: Option<Error>,
    /// The properties of the stream are known.
    is_described: bool,
    /// Whole key frames without them.
    undescribed: u32,
    /// When the counters were handed on last.
    stats_at: Option<Instant>,
    /// What the camera offers for the track.
    key_frame_request: Option<KeyFrameRequest>,
}

impl<F: FnMut(Event)> Units<F> {
    fn hand_on(&mut self) {
        let encoding = self.track.as_ref().and_then(TrackReceiver::encoding);
        for event in self.events.drain(..) {
            match event {
                Event::StreamInfo(_) => self.is_described = true,
                Event::Unit(Unit { is_key: true, is_whole: true, .. }) if !self.is_described => {
                    self.undescribed += 1;
                    if self.undescribed > MAX_UNDESCRIBED {
                        let format = encoding.map_or("unknown", name).to_owned();
                        self.failure = Some(Error::NoVideo(NoVideo::UnknownFormats(vec![format])));
                    }
                }
                Event::Ended => self.failure = Some(Error::Bye),
                Event::Problem(Problem::AnotherCodec) => self.failure = Some(Error::AnotherCodec),
                _ => {}
            }
            (self.on_event)(event);
        }
    }

    fn push(&mut self, packet: &[u8], received_at: Instant) {
        if let Some(track) = &mut self.track {
            track.push(packet, received_at, &mut self.events);
            let last = *self.stats_at.get_or_insert(received_at);
            if received_at.saturating_duration_since(last) >= STATS_INTERVAL {
                self.stats_at = Some(received_at);
                self.events.push(Event::Stats(track.stats()));
            }
            self.hand_on();
        }
    }
}

impl<F: FnMut(Event)> PacketReceiver for Units<F> {
    fn start(&mut self, track: &Track, transport: Transport) {
        let Track::Video(track) = track else { return };
        let config = TrackConfig {
            encoding_name: track.encoding.map_or("", name).to_owned(),
            clock_rate: track.clock_rate,
            payload_type: track.payload_type,
            fmtp: track.fmtp.clone(),
            transport: if transport.is_interleaved() { rtp::Transport::Tcp } else { rtp::Transport::Udp },
            size_hint: track.size.map(|(width, height)| Size { width, height }),
            local_ssrc: self.local_ssrc,
            cname: CNAME.to_owned(),
        };
        // Its encoding is one that is read, or not known.
        self.track = TrackReceiver::new(&config).ok();
        self.is_described = false;
        self.key_frame_request = track.key_frame_request;
        self.events.push(Event::SetUp {
            transport: config.transport,
            clock_rate: track.clock_rate,
            key_frame_request: track.key_frame_request,
        });
        self.hand_on();
    }

    fn rtp(&mut self, packet: &[u8], received_at: Instant) {
        self.push(packet, received_at);
    }

    fn rtcp(&mut self, packet: &[u8], received_at: Instant) {
        self.push(packet, received_at);
    }

    /// What was skipped is missing in the numbering of the packets, which shows the loss.
    fn out_of_step(&mut self, _skipped: usize, _now: Instant) {}

    fn identity(&self) -> (Option<u8>, Option<u32>) {
        self.track.as_ref().map_or((None, None), |track| (track.payload_type(), track.ssrc()))
    }

    fn deadline(&self) -> Option<Instant> {
        self.track.as_ref()?.deadline()
    }

    fn poll(&mut self, now: Instant) {
        if let Some(track) = &mut self.track {
            track.poll(now, &mut self.events);
            self.hand_on();
        }
    }

    fn failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    fn report(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.track.as_mut().map(|track| track.receiver_report(now))
    }

    fn key_frame_request(&mut self, now: Instant) -> Option<Vec<u8>> {
        let track = self.track.as_mut()?;
        Some(match self.key_frame_request? {
            KeyFrameRequest::PictureLossIndication => track.picture_loss_indication(now),
            KeyFrameRequest::FullIntraRequest => track.full_intra_request(now),
        })
    }
}

/// The name of `encoding` in a description.
fn name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::H264 => "H264",
        Encoding::H265 => "H265",
        Encoding::Jpeg => "JPEG",
        Encoding::Mpeg4 => "MP4V-ES",
    }
}

fn log_stats(name: &str, stats: &Stats, counters: &Counters) {
    log::debug!(
        "{name}: {} packets, {} lost, {} late, {} of others; {} whole units, {} damaged; {} bytes skipped",
        stats.packets,
        stats.lost,
        stats.late,
        stats.foreign + stats.ignored + counters.dropped_packets,
        stats.whole_units,
        stats.damaged_units,
        counters.skipped_bytes
    );
}
