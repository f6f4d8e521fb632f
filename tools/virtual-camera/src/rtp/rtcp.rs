//! RTCP (RFC 3550): sender reports and goodbyes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SENDER_REPORT: u8 = 200;
const DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
/// RFC 4585 6.3.
const PAYLOAD_FEEDBACK: u8 = 206;
/// Its formats that ask for a key frame: picture loss indication, and full intra request (RFC 5104).
const KEY_FRAME_REQUESTS: [u8; 2] = [1, 4];
/// From 1900, the beginning of NTP, to 1970.
const NTP_TO_UNIX: u64 = 2_208_988_800;
const NAME: &[u8] = b"camera";

/// What one sender has sent until now.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub ssrc: u32,
    /// The RTP time stamp of now.
    pub timestamp: u32,
    pub packets: u32,
    /// Payload only.
    pub octets: u32,
}

/// A compound packet: a report and the sender's name, and with `bye` a goodbye.
pub fn report(sent: Sent, now: SystemTime, bye: bool) -> Vec<u8> {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
    let mut packet = head(0, SENDER_REPORT, 6);
    packet.extend(sent.ssrc.to_be_bytes());
    packet.extend(((since.as_secs() + NTP_TO_UNIX) as u32).to_be_bytes());
    packet.extend((fraction as u32).to_be_bytes());
    for value in [sent.timestamp, sent.packets, sent.octets] {
        packet.extend(value.to_be_bytes());
    }
    // One item (CNAME) and zeros up to a multiple of four.
    let mut items = vec![1, NAME.len() as u8];
    items.extend_from_slice(NAME);
    items.resize((items.len() + 4) / 4 * 4, 0);
    packet.extend(head(1, DESCRIPTION, 1 + items.len() as u16 / 4));
    packet.extend(sent.ssrc.to_be_bytes());
    packet.extend(items);
    if bye {
        packet.extend(head(1, BYE, 1));
        packet.extend(sent.ssrc.to_be_bytes());
    }
    packet
}

/// Whether a compound packet holds a request for a key frame.
pub fn asks_for_key_frame(mut compound: &[u8]) -> bool {
    while let [flags, kind, high, low, ..] = *compound {
        if kind == PAYLOAD_FEEDBACK && KEY_FRAME_REQUESTS.contains(&(flags & 0x1f)) {
            return true;
        }
        let length = 4 * (usize::from(u16::from_be_bytes([high, low])) + 1);
        compound = compound.get(length..).unwrap_or_default();
    }
    false
}

/// A header; `words` is the length behind it, in 32-bit words.
fn head(count: u8, kind: u8, words: u16) -> Vec<u8> {
    let [high, low] = words.to_be_bytes();
    vec![0x80 | count, kind, high, low]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_for_key_frames_are_found_behind_a_report() {
        let report = [0x80, 201, 0, 1, 0, 0, 0, 1];
        let request = |format: u8| [&report[..], &[0x80 | format, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]].concat();
        assert!(asks_for_key_frame(&request(1)) && asks_for_key_frame(&request(4)));
        assert!(!asks_for_key_frame(&request(15)) && !asks_for_key_frame(&report) && !asks_for_key_frame(&[]));
    }

    #[test]
    fn report_has_whole_packets_one_after_the_other() {
        let sent = Sent { ssrc: 0x0102_0304, timestamp: 90_000, packets: 7, octets: 1000 };
        let now = UNIX_EPOCH + Duration::from_millis(1_500);
        let compound = report(sent, now, true);
        let mut kinds = Vec::new();
        let mut rest = &compound[..];
        while let [_, kind, high, low, ..] = *rest {
            kinds.push(kind);
            rest = &rest[4 * (usize::from(u16::from_be_bytes([high, low])) + 1)..];
        }
        assert!(rest.is_empty());
        assert_eq!(kinds, [200, 202, 203]);
        assert_eq!(compound[8..12], 2_208_988_801_u32.to_be_bytes());
        assert_eq!(compound[12..16], 0x8000_0000_u32.to_be_bytes());
        assert_eq!(compound[16..20], 90_000_u32.to_be_bytes());
        assert!(!report(sent, now, false).windows(2).any(|two| two == [0x81, 203]));
    }
}
