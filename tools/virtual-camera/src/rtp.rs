//! RTP (RFC 3550): how pictures and sound become packets.

pub mod g711;
pub mod h264;
pub mod h265;
pub mod jpeg;
pub mod nal;
pub mod rtcp;

/// Maximum length of a payload, in bytes: with all headers a packet fits into an Ethernet frame.
pub const PAYLOAD: usize = 1400;
/// Length of an RTP header without extensions and CSRCs.
pub const HEADER: usize = 12;
const MARKER: u8 = 0x80;

/// What is behind the header of one packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    pub bytes: Vec<u8>,
    pub marker: bool,
}

/// Marks the last of `bytes` as the end of an access unit.
pub fn marked(bytes: Vec<Vec<u8>>) -> Vec<Payload> {
    let last = bytes.len().saturating_sub(1);
    bytes.into_iter().enumerate().map(|(n, bytes)| Payload { bytes, marker: n == last }).collect()
}

/// The fields of a header.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub payload_type: u8,
    pub marker: bool,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
}

impl Header {
    pub fn bytes(self) -> [u8; HEADER] {
        let mut bytes = [0x80, self.payload_type | if self.marker { MARKER } else { 0 }, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_has_its_fields_in_network_order() {
        let header =
            Header { payload_type: 96, marker: true, sequence: 0x0102, timestamp: 0x0304_0506, ssrc: 0x0708_090a };
        assert_eq!(header.bytes(), [0x80, 0xe0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(Header { marker: false, ..header }.bytes()[1], 96);
    }

    #[test]
    fn only_the_last_packet_of_a_unit_is_marked() {
        let marks: Vec<_> = marked(vec![vec![1], vec![2], vec![3]]).iter().map(|payload| payload.marker).collect();
        assert_eq!(marks, [false, false, true]);
        assert!(marked(Vec::new()).is_empty());
    }
}
