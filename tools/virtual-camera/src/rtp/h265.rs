//! H.265 in RTP (RFC 7798): single units, aggregation packets and fragmentation units, without
//! DONL.

const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;
const AGGREGATION: u8 = 48;
const FRAGMENTATION: u8 = 49;
/// Length of a NAL unit header.
const HEAD: usize = 2;

fn kind(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |byte| byte >> 1 & 0x3f)
}

/// Whether an access unit of these NAL units can be decoded without any other.
pub fn is_key(units: &[&[u8]]) -> bool {
    units.iter().any(|unit| (16..=23).contains(&kind(unit)))
}

pub fn is_parameter_set(unit: &[u8]) -> bool {
    (VPS..=PPS).contains(&kind(unit))
}

/// The first VPS, SPS and PPS.
pub fn sets(units: &[&[u8]]) -> Option<[Vec<u8>; 3]> {
    let first = |wanted| units.iter().find(|unit| kind(unit) == wanted).map(|unit| unit.to_vec());
    Some([first(VPS)?, first(SPS)?, first(PPS)?])
}

/// The payloads of one access unit, of `limit` bytes at most. Small units before a slice share a
/// packet.
pub fn payloads(units: &[&[u8]], limit: usize) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    let mut small: Vec<&[u8]> = Vec::new();
    let mut length = HEAD;
    for unit in units.iter().filter(|unit| unit.len() > HEAD) {
        let is_slice = kind(unit) < VPS;
        if is_slice || length + 2 + unit.len() > limit {
            payloads.extend(aggregate(&std::mem::take(&mut small)));
            length = HEAD;
        }
        if !is_slice && length + 2 + unit.len() <= limit {
            length += 2 + unit.len();
            small.push(unit);
        } else if unit.len() <= limit {
            payloads.push(unit.to_vec());
        } else {
            payloads.extend(fragments(unit, limit));
        }
    }
    payloads.extend(aggregate(&small));
    payloads
}

/// The unit header of a packet: of type `kind`, else like that of `unit`.
fn head(kind: u8, unit: &[u8]) -> [u8; HEAD] {
    [unit[0] & 0x81 | kind << 1, unit[1]]
}

fn aggregate(units: &[&[u8]]) -> Option<Vec<u8>> {
    match units {
        [] => None,
        [unit] => Some(unit.to_vec()),
        [first, ..] => {
            let mut payload = head(AGGREGATION, first).to_vec();
            for unit in units {
                payload.extend((unit.len() as u16).to_be_bytes());
                payload.extend_from_slice(unit);
            }
            Some(payload)
        }
    }
}

fn fragments(unit: &[u8], limit: usize) -> impl Iterator<Item = Vec<u8>> {
    let pieces = unit[HEAD..].chunks(limit - HEAD - 1);
    let last = pieces.len() - 1;
    pieces.enumerate().map(move |(n, piece)| {
        let (start, end) = (u8::from(n == 0) << 7, u8::from(n == last) << 6);
        let mut payload = head(FRAGMENTATION, unit).to_vec();
        payload.push(start | end | kind(unit));
        payload.extend_from_slice(piece);
        payload
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_sets_share_a_packet_and_a_slice_has_its_own() {
        let (vps, sps, pps, slice) = (&[0x40, 1, 5][..], &[0x42, 1, 6][..], &[0x44, 1, 7][..], &[0x26, 1, 8][..]);
        assert_eq!(
            payloads(&[vps, sps, pps, slice], 100),
            [vec![0x60, 1, 0, 3, 0x40, 1, 5, 0, 3, 0x42, 1, 6, 0, 3, 0x44, 1, 7], slice.to_vec()]
        );
        assert!(is_key(&[vps, slice]) && !is_key(&[&[0x02, 1, 8]]));
        assert_eq!(sets(&[vps, sps, pps, slice]), Some([vps.to_vec(), sps.to_vec(), pps.to_vec()]));
    }

    #[test]
    fn long_slice_is_split_and_can_be_joined_again() {
        let mut slice = vec![0x26, 1];
        slice.extend(0..200);
        let pieces = payloads(&[&slice], 100);
        let heads: Vec<_> = pieces.iter().map(|piece| [piece[0], piece[1], piece[2]]).collect();
        assert_eq!(heads, [[0x62, 1, 0x93], [0x62, 1, 0x13], [0x62, 1, 0x53]]);
        let joined: Vec<u8> = pieces.iter().flat_map(|piece| piece[3..].iter().copied()).collect();
        assert_eq!(joined, slice[2..]);
    }
}
