//! Finds out which payload type carries the track. Some cameras announce one number and send another, or put packets
//! of another type between those of the track.

use std::time::{Duration, Instant};

use super::packet::Packet;

/// The announced type is expected within this number of packets. The commonest one is taken behind them, and before
/// after this time, as long as the announced one does not come.
const MAX_HELD: usize = 50;
pub const MAX_WAIT: Duration = Duration::from_millis(500);

/// A packet that waits for the decision.
#[derive(Clone, Debug)]
pub struct HeldPacket {
    pub bytes: Vec<u8>,
    pub received_at: Instant,
    payload_type: u8,
}

/// Decides which payload type is the track's.
#[derive(Clone, Debug)]
pub struct PayloadTypeFilter {
    announced: u8,
    chosen: Option<u8>,
    /// Packets so far, up to [`MAX_HELD`].
    seen: usize,
    held: Vec<HeldPacket>,
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Take the packets held so far ([`PayloadTypeFilter::take_held`]), then this one.
    Pass,
    /// It is of another type.
    Ignore,
    /// It was kept until more is known.
    Hold,
}

impl PayloadTypeFilter {
    pub fn new(announced: u8) -> Self {
        Self { announced, chosen: None, seen: 0, held: Vec::new() }
    }

    /// The type that is taken; `None` while it is not known.
    pub fn chosen(&self) -> Option<u8> {
        self.chosen
    }

    pub fn check(&mut self, packet: &Packet, received_at: Instant) -> Verdict {
        if packet.payload_type == self.announced && self.seen < MAX_HELD {
            self.chosen = Some(self.announced);
        }
        self.seen = (self.seen + 1).min(MAX_HELD);
        match self.chosen {
            Some(chosen) if chosen == packet.payload_type => Verdict::Pass,
            Some(_) => Verdict::Ignore,
            None => {
                let payload_type = packet.payload_type;
                self.held.push(HeldPacket { bytes: packet.bytes.to_vec(), received_at, payload_type });
                if self.held.len() == MAX_HELD {
                    self.choose_commonest();
                }
                Verdict::Hold
            }
        }
    }

    /// Chooses the commonest type once the announced one did not come in time.
    pub fn poll(&mut self, now: Instant) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.choose_commonest();
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        let first = self.held.first().filter(|_| self.chosen.is_none())?;
        Some(first.received_at + MAX_WAIT)
    }

    /// The packets held, once the type is known.
    pub fn take_held(&mut self) -> Vec<HeldPacket> {
        if self.chosen.is_some() { std::mem::take(&mut self.held) } else { Vec::new() }
    }

    fn choose_commonest(&mut self) {
        let count = |wanted: u8| self.held.iter().filter(|held| held.payload_type == wanted).count();
        // The first of those that are equally common.
        let commonest = self.held.iter().rev().map(|held| held.payload_type).max_by_key(|&kind| count(kind));
        self.chosen = commonest;
    }
}

impl HeldPacket {
    /// The packet again.
    pub fn packet(&self) -> Option<Packet<'_>> {
        Packet::parse(&self.bytes)
    }
}
