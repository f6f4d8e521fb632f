//! Puts packets into the order of their sequence numbers, and says what is missing between them.
//!
//! The bounds of a plausible step are those of RFC 3550 A.1. Over TCP nothing changes places, so every gap is a loss
//! at once: the camera itself dropped packets. Over UDP packets that come too early wait for the missing ones.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{Transport, packet::Packet, rtcp::Reception};

/// Greatest step forward that is a loss; a greater one is another numbering (RFC 3550 A.1, `MAX_DROPOUT`).
const MAX_DROPOUT: i16 = 3000;

/// Greatest step back that is a late packet (RFC 3550 A.1, `MAX_MISORDER`).
const MISORDER: i16 = -100;

/// A packet further back, up to [`MAX_DROPOUT`], is one of ours that was delayed or doubled on its way if its RTP time is
/// at most so much older than the newest. A numbering that begins anew goes on in time.
const MAX_DELAY: Duration = Duration::from_secs(10);

/// Packets that wait for a missing one, and how long they wait.
const WINDOW: usize = 64;
pub const WINDOW_TIME: Duration = Duration::from_millis(50);

/// A source may take the place of ours once ours was silent for this long. A session that an earlier connection left
/// behind sends on new connections, up to its timeout, so another source alone proves nothing.
const SILENCE: Duration = Duration::from_secs(1);

/// Numbers remembered of packets that were ignored for their payload type.
const MAX_IGNORED: usize = 16;

/// What is missing before a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    None,
    /// This number of packets, at least 1.
    Lost(u32),
    /// The numbering or the source changed; nobody knows how much is missing.
    Unknown,
}

/// Counters of one track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets of the source, without late ones and duplicates.
    pub packets: u64,
    /// Sequence numbers that never came, or too late.
    pub lost: u64,
    /// Came after their place was given up, or far outside the numbering.
    pub late: u64,
    pub duplicates: u64,
    /// Packets of another source (SSRC).
    pub foreign: u64,
    /// How often numbering or source changed.
    pub resyncs: u64,
}

#[derive(Clone, Debug)]
struct Source {
    ssrc: u32,
    first: u32,
    /// The extended sequence number expected next.
    next: u32,
    /// Bit `i` is set if the packet `next - 1 - i` was delivered.
    seen: u128,
    received: u32,
    last_at: Instant,
    /// Arrival and RTP time of the last packet, for the jitter.
    last_transit: Option<(Instant, u32)>,
    /// Interarrival jitter in units of the clock rate, times 16 (RFC 3550 A.8).
    jitter: u64,
}

#[derive(Clone, Debug)]
struct Held {
    sequence: u16,
    ssrc: u32,
    received_at: Instant,
    bytes: Vec<u8>,
}

impl Held {
    fn new(packet: &Packet, received_at: Instant) -> Self {
        Self { sequence: packet.sequence, ssrc: packet.ssrc, received_at, bytes: packet.bytes.to_vec() }
    }

    fn packet(&self) -> Option<Packet<'_>> {
        Packet::parse(&self.bytes)
    }
}

/// Orders the packets of one track.
#[derive(Clone, Debug)]
pub struct Sequencer {
    transport: Transport,
    clock_rate: u32,
    source: Option<Source>,
    /// Packets ahead of a gap, in order.
    held: VecDeque<Held>,
    /// A packet of another source or numbering. If the next one follows it, both are delivered.
    candidate: Option<Held>,
    ignored: VecDeque<u16>,
    counters: Counters,
}

impl Sequencer {
    pub fn new(transport: Transport, clock_rate: u32) -> Self {
        Self {
            transport,
            clock_rate,
            source: None,
            held: VecDeque::new(),
            candidate: None,
            ignored: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The source whose packets are delivered; `None` before the first one.
    pub fn ssrc(&self) -> Option<u32> {
        self.source.as_ref().map(|source| source.ssrc)
    }

    /// When the last packet of the source came.
    pub fn last_at(&self) -> Option<Instant> {
        self.source.as_ref().map(|source| source.last_at)
    }

    /// Interarrival jitter (RFC 3550 6.4.1).
    pub fn jitter(&self) -> Duration {
        let ticks = self.source.as_ref().map_or(0, |source| source.jitter / 16);
        Duration::from_micros(ticks.saturating_mul(1_000_000) / u64::from(self.clock_rate))
    }

    /// What a receiver report says of the source.
    pub fn reception(&self) -> Option<Reception> {
        self.source.as_ref().map(|source| Reception {
            ssrc: source.ssrc,
            first_sequence: source.first,
            highest_sequence: source.next.wrapping_sub(1),
            received: source.received,
            jitter: u32::try_from(source.jitter / 16).unwrap_or(u32::MAX),
        })
    }

    /// Notes a packet that was ignored for its payload type: if it used a number of its own, that is no loss.
    pub fn ignore(&mut self, packet: &Packet) {
        if self.ssrc() == Some(packet.ssrc) {
            if self.ignored.len() == MAX_IGNORED {
                self.ignored.pop_front();
            }
            self.ignored.push_back(packet.sequence);
        }
    }

    /// Takes a packet of the track's payload type, and hands those whose turn it is to `deliver`.
    pub fn push(&mut self, packet: &Packet, received_at: Instant, deliver: &mut impl FnMut(&Packet, Instant, Gap)) {
        let Some(source) = &mut self.source else {
            self.start(packet, received_at);
            return self.deliver(packet, received_at, Gap::None, deliver);
        };
        if source.ssrc != packet.ssrc {
            self.counters.foreign += 1;
            let is_silent = received_at.saturating_duration_since(source.last_at) >= SILENCE;
            return self.try_restart(packet, received_at, is_silent, deliver);
        }
        source.last_at = received_at;
        source.received = source.received.wrapping_add(1);
        let step = packet.sequence.wrapping_sub(source.next as u16) as i16;
        match step {
            0 => {
                self.deliver(packet, received_at, Gap::None, deliver);
                self.deliver_held(deliver);
            }
            1..=MAX_DROPOUT => self.take_early(packet, received_at, step.unsigned_abs(), deliver),
            MISORDER..0 => {
                let back = u32::from(step.unsigned_abs()) - 1;
                let counter = match source.seen >> back & 1 {
                    0 => &mut self.counters.late,
                    _ => &mut self.counters.duplicates,
                };
                *counter += 1;
            }
            _ => {
                self.counters.late += 1;
                let is_old = step < 0 && step > -MAX_DROPOUT && source.is_past(packet.time, self.clock_rate);
                let allowed = !is_old || source.is_silent(received_at);
                return self.try_restart(packet, received_at, allowed, deliver);
            }
        }
        self.candidate = None;
    }

    /// Delivers what waited long enough for missing packets.
    pub fn poll(&mut self, now: Instant, deliver: &mut impl FnMut(&Packet, Instant, Gap)) {
        while self.deadline().is_some_and(|deadline| deadline <= now) {
            self.give_up_first_gap(deliver);
        }
    }

    /// When [`Sequencer::poll`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.held.iter().map(|held| held.received_at + WINDOW_TIME).min()
    }

    fn start(&mut self, packet: &Packet, received_at: Instant) {
        let first = u32::from(packet.sequence);
        self.source = Some(Source {
            ssrc: packet.ssrc,
            first,
            next: first,
            seen: 0,
            received: 1,
            last_at: received_at,
            last_transit: None,
            jitter: 0,
        });
        self.ignored.clear();
        self.candidate = None;
    }

    fn take_early(
        &mut self,
        packet: &Packet,
        received_at: Instant,
        missing: u16,
        deliver: &mut impl FnMut(&Packet, Instant, Gap),
    ) {
        if self.transport == Transport::Tcp || self.lost_before(packet.sequence) == 0 {
            return self.deliver_after_gap(packet, received_at, deliver);
        }
        let next = packet.sequence.wrapping_sub(missing);
        let place = self.held.partition_point(|held| held.sequence.wrapping_sub(next) < missing);
        if self.held.get(place).is_some_and(|held| held.sequence == packet.sequence) {
            self.counters.duplicates += 1;
            return;
        }
        self.held.insert(place, Held::new(packet, received_at));
        if self.held.len() > WINDOW {
            self.give_up_first_gap(deliver);
        }
    }

    /// Delivers the first held packet as one after a gap, and those that follow it.
    fn give_up_first_gap(&mut self, deliver: &mut impl FnMut(&Packet, Instant, Gap)) {
        let Some(held) = self.held.pop_front() else { return };
        if let Some(packet) = held.packet() {
            self.deliver_after_gap(&packet, held.received_at, deliver);
        }
        self.deliver_held(deliver);
    }

    fn deliver_held(&mut self, deliver: &mut impl FnMut(&Packet, Instant, Gap)) {
        while let Some(first) = self.held.front() {
            if self.lost_before(first.sequence) > 0 {
                return;
            }
            let Some(held) = self.held.pop_front() else { return };
            if let Some(packet) = held.packet() {
                self.deliver_after_gap(&packet, held.received_at, deliver);
            }
        }
    }

    /// Packets missing before `sequence`, without those that were ignored.
    fn lost_before(&self, sequence: u16) -> u32 {
        let Some(source) = &self.source else { return 0 };
        let next = source.next as u16;
        let missing = sequence.wrapping_sub(next);
        let ignored = self.ignored.iter().filter(|ignored| ignored.wrapping_sub(next) < missing).count();
        u32::from(missing).saturating_sub(ignored as u32)
    }

    fn deliver_after_gap(
        &mut self,
        packet: &Packet,
        received_at: Instant,
        deliver: &mut impl FnMut(&Packet, Instant, Gap),
    ) {
        let lost = self.lost_before(packet.sequence);
        self.counters.lost += u64::from(lost);
        let gap = if lost > 0 { Gap::Lost(lost) } else { Gap::None };
        self.deliver(packet, received_at, gap, deliver);
    }

    fn deliver(
        &mut self,
        packet: &Packet,
        received_at: Instant,
        gap: Gap,
        deliver: &mut impl FnMut(&Packet, Instant, Gap),
    ) {
        let Some(source) = &mut self.source else { return };
        let missing = packet.sequence.wrapping_sub(source.next as u16);
        source.seen = source.seen.checked_shl(u32::from(missing) + 1).unwrap_or(0) | 1;
        source.next = source.next.wrapping_add(u32::from(missing) + 1);
        source.measure_jitter(packet.time, received_at, self.clock_rate);
        self.ignored.retain(|ignored| (ignored.wrapping_sub(source.next as u16) as i16) >= 0);
        self.counters.packets += 1;
        deliver(packet, received_at, gap);
    }

    /// A packet of another source or numbering: two that follow each other are the new stream.
    fn try_restart(
        &mut self,
        packet: &Packet,
        received_at: Instant,
        allowed: bool,
        deliver: &mut impl FnMut(&Packet, Instant, Gap),
    ) {
        let follows = |first: &Held| first.ssrc == packet.ssrc && first.sequence.wrapping_add(1) == packet.sequence;
        let Some(first) = self.candidate.take().filter(|first| allowed && follows(first)) else {
            self.candidate = Some(Held::new(packet, received_at));
            return;
        };
        while !self.held.is_empty() {
            self.give_up_first_gap(deliver);
        }
        // These two were counted as foreign or late, and are neither.
        let is_foreign = self.ssrc() != Some(packet.ssrc);
        let counter = if is_foreign { &mut self.counters.foreign } else { &mut self.counters.late };
        *counter = counter.saturating_sub(2);
        self.counters.resyncs += 1;
        if let Some(first_packet) = first.packet() {
            self.start(&first_packet, first.received_at);
            self.deliver(&first_packet, first.received_at, Gap::Unknown, deliver);
        }
        if let Some(source) = &mut self.source {
            (source.last_at, source.received) = (received_at, 2);
        }
        self.deliver(packet, received_at, Gap::None, deliver);
    }
}

impl Source {
    /// Whether a frame of the last [`MAX_DELAY`] has this RTP time.
    fn is_past(&self, time: u32, clock_rate: u32) -> bool {
        let ticks = MAX_DELAY.as_secs() * u64::from(clock_rate);
        self.last_transit.is_some_and(|(_, newest)| u64::from(newest.wrapping_sub(time)) <= ticks)
    }

    /// Whether nothing was delivered for [`SILENCE`]: then what seems to be old is the stream.
    fn is_silent(&self, now: Instant) -> bool {
        self.last_transit.is_none_or(|(last_at, _)| now.saturating_duration_since(last_at) >= SILENCE)
    }

    /// RFC 3550 A.8.
    fn measure_jitter(&mut self, time: u32, received_at: Instant, clock_rate: u32) {
        if let Some((last_at, last_time)) = self.last_transit.replace((received_at, time)) {
            let forth = received_at.saturating_duration_since(last_at).as_micros() as i128;
            let back = last_at.saturating_duration_since(received_at).as_micros() as i128;
            let arrived = (forth - back) * i128::from(clock_rate) / 1_000_000;
            let sent = i128::from(time.wrapping_sub(last_time) as i32);
            let difference = u64::try_from((arrived - sent).unsigned_abs()).unwrap_or(0).min(u64::from(u32::MAX));
            self.jitter = self.jitter + difference - (self.jitter + 8) / 16;
        }
    }
}
