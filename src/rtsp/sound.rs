//! Reads the sound of a stream: the client's packets led through [`AudioReceiver`].

use std::{
    future::Future,
    time::{Duration, Instant},
};

use super::{
    Error,
    client::{self, Outcome, PacketReceiver},
    rtp::{self, AudioConfig, AudioReceiver, AudioUnit},
    sdp::Track,
    session::{Config, Learnt},
};
use crate::{camera::Transport, sound::SoundFormat, sync::Notifier};

/// The name of this receiver in its RTCP.
const CNAME: &str = "cctv-agent";

/// A track that brings nothing for this long is silent: its session ends. Cameras that suppress silence send comfort
/// noise or a packet now and then.
pub const SILENCE: Duration = Duration::from_secs(5);

/// What the reader tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The track is set up; units of an earlier one do not follow.
    SetUp(SoundFormat),
    Unit(AudioUnit),
}

/// Reads the sound until it ends or `stop` is ready, as [`client::read`] does; `config` must want it. Hands each event
/// to `on_event`, which must not block.
pub async fn read(
    name: &str,
    config: Config,
    learnt: Learnt,
    on_event: impl FnMut(Event),
    stop: impl Future<Output = ()>,
) -> Outcome {
    let [a, b, c, d, ..] = config.seed;
    let mut units = Units {
        track: None,
        units: Vec::new(),
        on_event,
        local_ssrc: u32::from_be_bytes([a, b, c, d]).rotate_left(11),
        last_at: None,
        failure: None,
    };
    // Sound has no key frames.
    let (_notifier, never) = Notifier::pair();
    client::read(name, config, learnt, &mut units, &never, stop).await
}

struct Units<F> {
    /// `None` until a track is set up.
    track: Option<AudioReceiver>,
    units: Vec<AudioUnit>,
    on_event: F,
    local_ssrc: u32,
    /// When the last unit came.
    last_at: Option<Instant>,
    failure: Option<Error>,
}

impl<F: FnMut(Event)> Units<F> {
    fn hand_on(&mut self, now: Instant) {
        if !self.units.is_empty() {
            self.last_at = Some(now);
        }
        for unit in self.units.drain(..) {
            (self.on_event)(Event::Unit(unit));
        }
    }

    fn push(&mut self, packet: &[u8], received_at: Instant) {
        if let Some(track) = &mut self.track {
            track.push(packet, received_at, &mut self.units);
            self.hand_on(received_at);
        }
    }

    fn silent_at(&self) -> Option<Instant> {
        self.last_at.map(|last| last + SILENCE)
    }
}

impl<F: FnMut(Event)> PacketReceiver for Units<F> {
    fn start(&mut self, track: &Track, transport: Transport) {
        let Track::Audio(track) = track else { return };
        self.track = Some(AudioReceiver::new(&AudioConfig {
            payload_type: track.payload_type,
            clock_rate: track.format.sample_rate,
            channels: track.format.channels,
            packing: track.packing,
            transport: if transport.is_interleaved() { rtp::Transport::Tcp } else { rtp::Transport::Udp },
            local_ssrc: self.local_ssrc,
            cname: CNAME.to_owned(),
        }));
        self.last_at = None;
        (self.on_event)(Event::SetUp(track.format.clone()));
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
        let due = self.track.as_ref().and_then(AudioReceiver::deadline);
        [due, self.silent_at()].into_iter().flatten().min()
    }

    fn poll(&mut self, now: Instant) {
        if let Some(track) = &mut self.track {
            track.poll(now, &mut self.units);
            self.hand_on(now);
        }
        if self.silent_at().is_some_and(|silent_at| silent_at <= now) {
            self.last_at = None;
            self.failure = Some(Error::Silent { waited: SILENCE });
        }
    }

    fn failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    fn report(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.track.as_mut().map(|track| track.receiver_report(now))
    }

    fn key_frame_request(&mut self, _now: Instant) -> Option<Vec<u8>> {
        None
    }
}
