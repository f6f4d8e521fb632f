//! The sender of one track to one client: numbers the packets and puts them on their way.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::{Duration, Instant, SystemTime},
};

use super::outbox::Outbox;
use crate::{
    camera::Camera,
    feed::{Kind, Unit},
    habits::{Habits, chance},
    rtp::{HEADER, Header, rtcp},
};

/// A channel that no client sets up.
const FOREIGN_CHANNEL: u8 = 99;
/// Bytes that begin no interleaved packet and no message.
const GARBAGE: &[u8] = b"\x00\xff\x80 nothing \xff\xfe\x01";

/// The way of the packets.
pub enum Way {
    /// Over the RTSP connection, on these channels.
    Tcp {
        outbox: Arc<Outbox>,
        rtp: u8,
        rtcp: u8,
    },
    Udp {
        rtp: UdpSocket,
        rtcp: UdpSocket,
        to: SocketAddr,
        reports_to: SocketAddr,
    },
}

pub struct Sender {
    pub kind: Kind,
    pub payload_type: u8,
    pub ssrc: u32,
    /// The time stamp at the beginning of the feed's clock.
    base: u32,
    pub way: Way,
    state: Mutex<State>,
}

struct State {
    sequence: u16,
    /// Frames that build upon earlier ones do not pass.
    waits_for_key: bool,
    /// Nothing passes until then.
    silent_until: Option<Instant>,
    packets: u32,
    octets: u32,
    reported: Option<Instant>,
}

impl Sender {
    pub fn new(kind: Kind, payload_type: u8, way: Way) -> Self {
        let random = || getrandom::u32().expect("the system has random numbers");
        let state = State {
            sequence: random() as u16,
            waits_for_key: kind == Kind::Video,
            silent_until: None,
            packets: 0,
            octets: 0,
            reported: None,
        };
        Self { kind, payload_type, ssrc: random(), base: random(), way, state: Mutex::new(state) }
    }

    /// Begins with the next key frame, `later` than now.
    pub fn await_start(&self, later: Duration) {
        let mut state = self.lock();
        state.waits_for_key = self.kind == Kind::Video;
        state.silent_until = (!later.is_zero()).then(|| Instant::now() + later);
    }

    /// The number of the next packet.
    pub fn sequence(&self) -> u16 {
        self.lock().sequence
    }

    /// The time stamp of `at`, on the feed's clock.
    pub fn timestamp(&self, at: Duration) -> u32 {
        let ticks = at.as_nanos() * u128::from(self.kind.clock()) / 1_000_000_000;
        // Time stamps have 32 bits and wrap around.
        self.base.wrapping_add(ticks as u32)
    }

    pub fn send(&self, unit: &Unit, camera: &Camera) {
        let (faults, habits) = (camera.faults(), camera.habits());
        if habits.silent_until_asked && !camera.key_frame_asked.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.lock();
        if state.silent_until.is_some_and(|until| until > Instant::now()) {
            return;
        }
        if state.waits_for_key && !unit.is_key && !faults.no_key_frames {
            return;
        }
        state.waits_for_key = false;
        let jumped = (faults.jumped_s * i64::from(self.kind.clock())) as u32;
        let timestamp = self.timestamp(unit.at).wrapping_add(jumped);
        let mut packets = Vec::with_capacity(unit.payloads.len());
        let is_lost = chance(habits.lost_units);
        for payload in &unit.payloads {
            let header = Header {
                payload_type: self.payload_type,
                marker: payload.marker && !habits.no_marker,
                sequence: state.sequence,
                timestamp,
                ssrc: self.ssrc,
            };
            state.sequence = state.sequence.wrapping_add(1);
            if is_lost || chance(habits.lost_packets) {
                continue;
            }
            let copies = if chance(habits.double_packets) { 2 } else { 1 };
            (0..copies).for_each(|_| packets.push((header.bytes(), &payload.bytes[..])));
        }
        state.packets = state.packets.wrapping_add(packets.len() as u32);
        let octets: usize = packets.iter().map(|(_, payload)| payload.len()).sum();
        state.octets = state.octets.wrapping_add(octets as u32);
        if !self.put(&packets, &habits) {
            // The numbers of the packets that had no room are missing, as on cameras.
            state.waits_for_key = self.kind == Kind::Video;
        }
    }

    /// Whether there was room for the packets.
    fn put(&self, packets: &[([u8; HEADER], &[u8])], habits: &Habits) -> bool {
        match &self.way {
            Way::Tcp { outbox, rtp, .. } => {
                let length: usize = packets.iter().map(|(_, payload)| 4 + HEADER + payload.len()).sum();
                let mut bytes = Vec::with_capacity(length);
                if chance(habits.garbage_between) {
                    bytes.extend_from_slice(GARBAGE);
                }
                if habits.foreign_channel {
                    bytes.extend(frame(FOREIGN_CHANNEL, GARBAGE.len()));
                    bytes.extend_from_slice(GARBAGE);
                }
                for (header, payload) in packets {
                    bytes.extend(frame(*rtp, HEADER + payload.len()));
                    bytes.extend_from_slice(header);
                    bytes.extend_from_slice(payload);
                }
                bytes.is_empty() || outbox.offer(bytes)
            }
            Way::Udp { rtp, to, .. } => {
                for (header, payload) in packets {
                    // A client that is gone is not noticed here, but by its silence.
                    let _ = rtp.send_to(&[&header[..], payload].concat(), to);
                }
                true
            }
        }
    }

    /// Sends a report if none was sent for `interval`, or a goodbye. `now` is the feed's clock.
    pub fn report(&self, now: Duration, interval: Duration, bye: bool) {
        let mut state = self.lock();
        if !bye && (state.packets == 0 || state.reported.is_some_and(|last| last.elapsed() < interval)) {
            return;
        }
        state.reported = Some(Instant::now());
        let timestamp = self.timestamp(now);
        let sent = rtcp::Sent { ssrc: self.ssrc, timestamp, packets: state.packets, octets: state.octets };
        let bytes = rtcp::report(sent, SystemTime::now(), bye);
        match &self.way {
            Way::Tcp { outbox, rtcp, .. } => outbox.push([&frame(*rtcp, bytes.len())[..], &bytes].concat()),
            Way::Udp { rtcp, reports_to, .. } => {
                let _ = rtcp.send_to(&bytes, reports_to);
            }
        }
    }

    /// The packets that have arrived by UDP since the last call.
    pub fn heard(&self) -> Vec<Vec<u8>> {
        let Way::Udp { rtp, rtcp, .. } = &self.way else { return Vec::new() };
        let (mut heard, mut bytes) = (Vec::new(), [0; 1500]);
        for socket in [rtp, rtcp] {
            // Both never block.
            while let Ok(length) = socket.recv(&mut bytes) {
                heard.push(bytes[..length].to_vec());
            }
        }
        heard
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The header of an interleaved packet.
fn frame(channel: u8, length: usize) -> [u8; 4] {
    let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    [b'$', channel, high, low]
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rtp::Payload, rtsp::tests::camera};

    fn unit(is_key: bool, count: usize) -> Unit {
        let payloads = vec![Payload { bytes: vec![7; 10], marker: true }; count];
        Unit { kind: Kind::Video, is_key, at: Duration::from_secs(1), payloads }
    }

    fn sender() -> (Arc<Outbox>, Sender) {
        let outbox = Arc::new(Outbox::default());
        let way = Way::Tcp { outbox: Arc::clone(&outbox), rtp: 2, rtcp: 3 };
        (outbox, Sender::new(Kind::Video, 96, way))
    }

    /// The sequence numbers of the packets sent until now; the outbox is closed then.
    fn numbers(outbox: &Outbox) -> Vec<u16> {
        outbox.close();
        let bytes: Vec<u8> = std::iter::from_fn(|| outbox.next()).flatten().collect();
        assert!(bytes.chunks(26).all(|packet| packet[..4] == [b'$', 2, 0, 22]));
        bytes.chunks(26).map(|packet| u16::from_be_bytes([packet[6], packet[7]])).collect()
    }

    #[test]
    fn first_unit_is_a_key_frame_and_numbers_go_on() {
        let (camera, (outbox, sender)) = (camera(""), sender());
        let first = sender.sequence();
        for unit in [unit(false, 1), unit(true, 2), unit(false, 1)] {
            sender.send(&unit, &camera);
        }
        assert_eq!(numbers(&outbox), [0, 1, 2].map(|n| first.wrapping_add(n)));
    }

    #[test]
    fn lost_units_leave_a_gap_and_double_packets_do_not() {
        let (lossy, double, (outbox, sender)) =
            (camera("habits=lose-units=1000"), camera("habits=double-packets=1000"), sender());
        let first = sender.sequence();
        sender.send(&unit(true, 3), &lossy);
        sender.send(&unit(false, 1), &double);
        assert_eq!(numbers(&outbox), [3, 3].map(|n| first.wrapping_add(n)));
    }

    #[test]
    fn time_stamps_jump_and_those_of_reports_do_not() {
        let (camera, (outbox, sender)) = (camera(""), sender());
        let stamp = sender.timestamp(Duration::from_secs(1));
        assert_eq!(stamp, sender.timestamp(Duration::ZERO).wrapping_add(90_000));
        camera.change_faults(|faults| faults.jumped_s = -1);
        sender.send(&unit(true, 1), &camera);
        let packet = outbox.next().unwrap();
        assert_eq!(packet[8..12], stamp.wrapping_sub(90_000).to_be_bytes());
        sender.report(Duration::from_secs(1), Duration::ZERO, false);
        let report = outbox.next().unwrap();
        assert_eq!((&report[..2], &report[20..24]), (&b"$\x03"[..], &stamp.to_be_bytes()[..]));
    }

    #[test]
    fn player_that_does_not_read_gets_a_key_frame_next() {
        let (camera, (outbox, sender)) = (camera(""), sender());
        sender.send(&unit(true, 50_000), &camera);
        sender.send(&unit(true, 1), &camera);
        drop(outbox.next());
        sender.send(&unit(false, 1), &camera);
        sender.send(&unit(true, 1), &camera);
        assert_eq!(numbers(&outbox).len(), 1);
    }
}
