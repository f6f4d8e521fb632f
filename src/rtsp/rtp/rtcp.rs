//! Reads what cameras report about their stream, and writes reports and requests to them (RFC 3550 section 6,
//! RFC 4585).

use std::time::{Duration, Instant};

use super::micros_between;
use crate::media::UnixMicros;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
/// Payload-specific feedback, RFC 4585 6.3 and RFC 5104 4.3.1.
const PAYLOAD_FEEDBACK: u8 = 206;
/// `FMT` of a picture loss indication, RFC 4585 6.3.1.
const PICTURE_LOSS_INDICATION: u8 = 1;
/// `FMT` of a full intra request, RFC 5104 4.3.1.1.
const FULL_INTRA_REQUEST: u8 = 4;

/// Seconds from 1900, where NTP counts from, to 1970.
const NTP_UNIX_OFFSET: u64 = 2_208_988_800;

/// Earliest believable time of a camera: 2000-01-01. A camera without a set clock says 1970, or nothing.
const EARLIEST: UnixMicros = 946_684_800 * 1_000_000;

/// Longest `CNAME` that fits its length field, RFC 3550 6.5.
const MAX_TEXT_LEN: usize = 255;

/// Whether `packet` is RTCP by its packet type, 200 to 207, whatever the channel on which it came. RTP with a marker
/// and a payload type from 72 to 79 has the same byte; RFC 3551 section 6 keeps these types free for this reason.
pub fn is_rtcp(packet: &[u8]) -> bool {
    matches!(packet, [first, 200..=207, ..] if first >> 6 == 2)
}

/// The camera's clock at a time of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderReport {
    pub ssrc: u32,
    /// The 64 bits of the report's NTP time.
    pub ntp: u64,
    pub rtp_time: u32,
}

impl SenderReport {
    /// `None` if the camera's clock is not set: before the year 2000.
    pub fn unix_time(&self) -> Option<UnixMicros> {
        let seconds = (self.ntp >> 32).checked_sub(NTP_UNIX_OFFSET)?;
        let micros = ((self.ntp & 0xffff_ffff) * 1_000_000) >> 32;
        Some(seconds * 1_000_000 + micros).filter(|&time| time >= EARLIEST)
    }

    /// The camera's clock at `rtp_time`, within 2^31 ticks of the report.
    pub fn unix_time_at(&self, rtp_time: u32, clock_rate: u32) -> Option<UnixMicros> {
        self.unix_time()?.checked_add_signed(micros_between(self.rtp_time, rtp_time, clock_rate))
    }
}

/// What is read of a compound packet; everything else is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    Sender(SenderReport),
    /// This source says that it ends.
    Bye(u32),
}

/// Hands each report of a compound packet to `on_report`. Reads what is whole and drops the rest: an element that is
/// cut is read as far as it goes, and nothing behind it.
pub fn read(mut bytes: &[u8], mut on_report: impl FnMut(Report)) {
    while let [flags, kind, l0, l1, after @ ..] = bytes
        && flags >> 6 == 2
    {
        let len = 4 * usize::from(u16::from_be_bytes([*l0, *l1]));
        let (body, rest) = after.split_at_checked(len).unwrap_or((after, &[]));
        let count = usize::from(flags & 0x1f);
        match *kind {
            SENDER_REPORT => {
                if let Some((&[s0, s1, s2, s3, n0, n1, n2, n3, n4, n5, n6, n7, t0, t1, t2, t3], _)) =
                    body.split_first_chunk()
                {
                    on_report(Report::Sender(SenderReport {
                        ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
                        ntp: u64::from_be_bytes([n0, n1, n2, n3, n4, n5, n6, n7]),
                        rtp_time: u32::from_be_bytes([t0, t1, t2, t3]),
                    }));
                }
            }
            BYE => {
                let (sources, _) = body.as_chunks();
                sources.iter().take(count).for_each(|source| on_report(Report::Bye(u32::from_be_bytes(*source))));
            }
            _ => {}
        }
        bytes = rest;
    }
}

/// The reception of one source, for a receiver report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reception {
    pub ssrc: u32,
    /// Extended sequence numbers, RFC 3550 A.1: cycles in the upper 16 bits.
    pub first_sequence: u32,
    pub highest_sequence: u32,
    pub received: u32,
    /// In units of the clock rate.
    pub jitter: u32,
}

impl Reception {
    fn expected(&self) -> u32 {
        self.highest_sequence.wrapping_sub(self.first_sequence).wrapping_add(1)
    }
}

/// Writes RTCP of one receiver. Remembers what the last report said, because a report counts from there.
#[derive(Clone, Debug)]
pub struct Reporter {
    ssrc: u32,
    cname: String,
    /// Expected and received packets at the last report.
    last: Option<(u32, u32)>,
    last_sender_report: Option<(SenderReport, Instant)>,
    full_intra_requests: u8,
}

impl Reporter {
    /// `ssrc` is random for each session. `cname` names the receiver; at most 255 bytes of it are sent.
    pub fn new(ssrc: u32, cname: &str) -> Self {
        let end = cname.floor_char_boundary(MAX_TEXT_LEN);
        let cname = cname[..end].to_owned();
        Self { ssrc, cname, last: None, last_sender_report: None, full_intra_requests: 0 }
    }

    pub fn on_sender_report(&mut self, report: SenderReport, received_at: Instant) {
        self.last_sender_report = Some((report, received_at));
    }

    /// The newest sender report.
    pub fn sender_report(&self) -> Option<SenderReport> {
        self.last_sender_report.map(|(report, _)| report)
    }

    /// Forgets the source, after its SSRC changed.
    pub fn reset(&mut self) {
        (self.last, self.last_sender_report) = (None, None);
    }

    /// A receiver report with a source description, RFC 3550 6.4.2. Without `reception` it has no report block, and
    /// is a sign of life only.
    pub fn receiver_report(&mut self, reception: Option<Reception>, now: Instant) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        let count = u8::from(reception.is_some());
        out.extend([0x80 | count, RECEIVER_REPORT, 0, if count == 1 { 7 } else { 1 }]);
        out.extend(self.ssrc.to_be_bytes());
        if let Some(reception) = reception {
            self.write_block(&mut out, reception, now);
        }
        self.write_cname(&mut out);
        out
    }

    /// A report block, RFC 3550 6.4.1 and A.3.
    fn write_block(&mut self, out: &mut Vec<u8>, reception: Reception, now: Instant) {
        let (expected, received) = (reception.expected(), reception.received);
        let (last_expected, last_received) = self.last.unwrap_or((0, 0));
        let expected_since = expected.wrapping_sub(last_expected);
        let lost_since = expected_since.saturating_sub(received.wrapping_sub(last_received));
        let fraction = (u64::from(lost_since) << 8).checked_div(u64::from(expected_since)).unwrap_or(0).min(255) as u8;
        // 24 bits with sign. Duplicates make it negative.
        let lost = (i64::from(expected) - i64::from(received)).clamp(-0x80_0000, 0x7f_ffff) as i32;
        self.last = Some((expected, received));
        out.extend(reception.ssrc.to_be_bytes());
        out.push(fraction);
        out.extend(&lost.to_be_bytes()[1..]);
        out.extend(reception.highest_sequence.to_be_bytes());
        out.extend(reception.jitter.to_be_bytes());
        let (lsr, dlsr) = match self.last_sender_report {
            Some((report, received_at)) => {
                let delay = now.saturating_duration_since(received_at).min(Duration::from_secs(0xffff));
                ((report.ntp >> 16) as u32, (delay.as_micros() * 65_536 / 1_000_000) as u32)
            }
            None => (0, 0),
        };
        out.extend(lsr.to_be_bytes());
        out.extend(dlsr.to_be_bytes());
    }

    /// A source description of one chunk with `CNAME`, RFC 3550 6.5.
    fn write_cname(&self, out: &mut Vec<u8>) {
        const CNAME: u8 = 1;
        // SSRC, item head, text, and at least one zero byte that ends the list.
        let len = (4 + 2 + self.cname.len() + 1).next_multiple_of(4);
        out.extend([0x81, SOURCE_DESCRIPTION]);
        out.extend(u16::try_from(len / 4).unwrap_or(0).to_be_bytes());
        let start = out.len();
        out.extend(self.ssrc.to_be_bytes());
        out.extend([CNAME, u8::try_from(self.cname.len()).unwrap_or(0)]);
        out.extend(self.cname.as_bytes());
        out.resize(start + len, 0);
    }

    /// Requests a key frame of `source` by a picture loss indication, RFC 4585 6.3.1. For a camera whose SDP offers
    /// `a=rtcp-fb:… nack pli`.
    pub fn picture_loss_indication(&mut self, source: u32, reception: Option<Reception>, now: Instant) -> Vec<u8> {
        let mut out = self.receiver_report(reception, now);
        out.extend([0x80 | PICTURE_LOSS_INDICATION, PAYLOAD_FEEDBACK, 0, 2]);
        out.extend(self.ssrc.to_be_bytes());
        out.extend(source.to_be_bytes());
        out
    }

    /// Requests a key frame of `source` by a full intra request, RFC 5104 4.3.1. For a camera whose SDP offers
    /// `a=rtcp-fb:… ccm fir`.
    pub fn full_intra_request(&mut self, source: u32, reception: Option<Reception>, now: Instant) -> Vec<u8> {
        let mut out = self.receiver_report(reception, now);
        out.extend([0x80 | FULL_INTRA_REQUEST, PAYLOAD_FEEDBACK, 0, 4]);
        out.extend(self.ssrc.to_be_bytes());
        // The media source of the head is not used, 4.3.1.2; the entry names it.
        out.extend([0; 4]);
        out.extend(source.to_be_bytes());
        out.extend([self.full_intra_requests, 0, 0, 0]);
        self.full_intra_requests = self.full_intra_requests.wrapping_add(1);
        out
    }
}
