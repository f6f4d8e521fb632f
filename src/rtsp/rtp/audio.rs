//! Turns the RTP packets of one sound track into units: samples of G.711 (RFC 3551), or frames of AAC (RFC 3640).
//!
//! As with video, nothing here reads a socket or a clock, and all that a camera can make grow has a bound.

mod aac;

use std::time::{Duration, Instant};

pub use aac::AacPacking;

use super::{
    Transport,
    order::{Gap, Sequencer},
    packet::Packet,
    payload_type::{PayloadTypeFilter, Verdict},
    rtcp::{self, Report, Reporter},
};

/// Longest packet of G.711, in bytes. Cameras send 20 to 80 ms; half a second of wide stereo stays below.
const MAX_SAMPLES_LEN: usize = 16 << 10;

/// How units are put into packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioPacking {
    /// A byte for each sample, one channel after the other.
    Samples,
    Aac(AacPacking),
}

/// What is known of a track before its first packet.
#[derive(Clone, Debug)]
pub struct AudioConfig {
    pub payload_type: u8,
    /// In Hz.
    pub clock_rate: u32,
    pub channels: u8,
    pub packing: AudioPacking,
    pub transport: Transport,
    /// The SSRC of the RTCP that this side sends; random for each session.
    pub local_ssrc: u32,
    pub cname: String,
}

/// Some samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioUnit {
    pub data: Vec<u8>,
    /// When its last packet came; of several units in one packet, the earlier ones are earlier by the time of their
    /// samples.
    pub received_at: Instant,
    /// In units of the clock rate.
    pub rtp_time: u32,
    /// Something is missing before it.
    pub after_loss: bool,
}

/// Reads the packets of one track.
#[derive(Clone, Debug)]
pub struct AudioReceiver {
    clock_rate: u32,
    channels: u8,
    packing: AudioPacking,
    filter: PayloadTypeFilter,
    sequencer: Sequencer,
    fragments: aac::Fragments,
    reporter: Reporter,
    /// Something was lost since the last unit.
    has_loss: bool,
}

impl AudioReceiver {
    pub fn new(config: &AudioConfig) -> Self {
        Self {
            clock_rate: config.clock_rate.max(1),
            channels: config.channels.max(1),
            packing: config.packing,
            filter: PayloadTypeFilter::new(config.payload_type),
            sequencer: Sequencer::new(config.transport, config.clock_rate.max(1)),
            fragments: aac::Fragments::default(),
            reporter: Reporter::new(config.local_ssrc, &config.cname),
            has_loss: false,
        }
    }

    /// Takes one packet, RTP or RTCP, and appends what it gives to `out`.
    pub fn push(&mut self, packet: &[u8], received_at: Instant, out: &mut Vec<AudioUnit>) {
        if rtcp::is_rtcp(packet) {
            let ours = self.sequencer.ssrc();
            return rtcp::read(packet, |report| {
                if let Report::Sender(report) = report
                    && ours.is_none_or(|ours| ours == report.ssrc)
                {
                    self.reporter.on_sender_report(report, received_at);
                }
            });
        }
        let Some(packet) = Packet::parse(packet) else { return };
        match self.filter.check(&packet, received_at) {
            Verdict::Pass => {
                self.take_held(out);
                self.order(&packet, received_at, out);
            }
            // Comfort noise, for example.
            Verdict::Ignore => self.sequencer.ignore(&packet),
            Verdict::Hold => self.take_held(out),
        }
    }

    /// Does what is due at `now`.
    pub fn poll(&mut self, now: Instant, out: &mut Vec<AudioUnit>) {
        self.filter.poll(now);
        self.take_held(out);
        let Self { sequencer, .. } = self;
        let mut ready = Vec::new();
        sequencer.poll(now, &mut |packet, at, gap| ready.push((packet.bytes.to_vec(), at, gap)));
        self.take_ready(ready, out);
    }

    /// When [`AudioReceiver::poll`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        [self.filter.deadline(), self.sequencer.deadline()].into_iter().flatten().min()
    }

    /// The source of the track, once its first packet came.
    pub fn ssrc(&self) -> Option<u32> {
        self.sequencer.ssrc()
    }

    /// The payload type of the track, once it is known.
    pub fn payload_type(&self) -> Option<u8> {
        self.filter.chosen()
    }

    /// RTCP to send every few seconds.
    pub fn receiver_report(&mut self, now: Instant) -> Vec<u8> {
        self.reporter.receiver_report(self.sequencer.reception(), now)
    }

    fn take_held(&mut self, out: &mut Vec<AudioUnit>) {
        for held in self.filter.take_held() {
            match held.packet() {
                Some(packet) if Some(packet.payload_type) == self.filter.chosen() => {
                    self.order(&packet, held.received_at, out);
                }
                Some(packet) => self.sequencer.ignore(&packet),
                None => {}
            }
        }
    }

    fn order(&mut self, packet: &Packet, received_at: Instant, out: &mut Vec<AudioUnit>) {
        let mut ready = Vec::new();
        let before = self.sequencer.ssrc();
        self.sequencer.push(packet, received_at, &mut |packet, at, gap| ready.push((packet.bytes.to_vec(), at, gap)));
        if before.is_some() && before != self.sequencer.ssrc() {
            self.reporter.reset();
        }
        self.take_ready(ready, out);
    }

    fn take_ready(&mut self, ready: Vec<(Vec<u8>, Instant, Gap)>, out: &mut Vec<AudioUnit>) {
        for (bytes, at, gap) in ready {
            if let Some(packet) = Packet::parse(&bytes) {
                self.take(&packet, at, gap, out);
            }
        }
    }

    fn take(&mut self, packet: &Packet, received_at: Instant, gap: Gap, out: &mut Vec<AudioUnit>) {
        if gap != Gap::None {
            self.has_loss = true;
            self.fragments.clear();
        }
        match self.packing {
            AudioPacking::Samples => {
                let whole = packet.payload.len() / usize::from(self.channels) * usize::from(self.channels);
                if whole == 0 || whole > MAX_SAMPLES_LEN {
                    self.has_loss |= whole > 0;
                    return;
                }
                let after_loss = std::mem::take(&mut self.has_loss);
                let data = packet.payload[..whole].to_vec();
                out.push(AudioUnit { data, received_at, rtp_time: packet.time, after_loss });
            }
            AudioPacking::Aac(packing) => {
                let Some(frames) = packing.frames(packet.payload, packet.time, &mut self.fragments) else {
                    self.has_loss = true;
                    return;
                };
                let last = frames.last().map_or(packet.time, |(time, _)| *time);
                for (rtp_time, data) in frames {
                    let ticks = u64::from(last.wrapping_sub(rtp_time));
                    let earlier = Duration::from_micros(ticks * 1_000_000 / u64::from(self.clock_rate));
                    let received_at = received_at.checked_sub(earlier).unwrap_or(received_at);
                    let after_loss = std::mem::take(&mut self.has_loss);
                    out.push(AudioUnit { data, received_at, rtp_time, after_loss });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
