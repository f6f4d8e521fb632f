//! H.264 in RTP (RFC 6184), non-interleaved mode: single units, STAP-A and FU-A.

const SLICE_OF_KEY: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

fn kind(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |byte| byte & 0x1f)
}

/// Whether an access unit of these NAL units is a key frame.
pub fn is_key(units: &[&[u8]]) -> bool {
    units.iter().any(|unit| kind(unit) == SLICE_OF_KEY)
}

pub fn is_parameter_set(unit: &[u8]) -> bool {
    matches!(kind(unit), SPS | PPS)
}

/// The first SPS and the first PPS.
pub fn sets(units: &[&[u8]]) -> Option<[Vec<u8>; 2]> {
    let first = |wanted| units.iter().find(|unit| kind(unit) == wanted).map(|unit| unit.to_vec());
    Some([first(SPS)?, first(PPS)?])
}

/// The payloads of one access unit, of `limit` bytes at most. Small units before a slice share a
/// packet.
pub fn payloads(units: &[&[u8]], limit: usize) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    let mut small: Vec<&[u8]> = Vec::new();
    let mut length = 1;
    for unit in units {
        let is_slice = (1..=SLICE_OF_KEY).contains(&kind(unit));
        if is_slice || length + 2 + unit.len() > limit {
            payloads.extend(aggregate(&std::mem::take(&mut small)));
            length = 1;
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

/// STAP-A of several units; one unit stays alone.
fn aggregate(units: &[&[u8]]) -> Option<Vec<u8>> {
    match units {
        [] => None,
        [unit] => Some(unit.to_vec()),
        _ => {
            let importance = units.iter().map(|unit| unit[0] & 0x60).max().unwrap_or_default();
            let mut payload = vec![importance | STAP_A];
            for unit in units {
                payload.extend((unit.len() as u16).to_be_bytes());
                payload.extend_from_slice(unit);
            }
            Some(payload)
        }
    }
}

fn fragments(unit: &[u8], limit: usize) -> impl Iterator<Item = Vec<u8>> {
    let (head, body) = (unit[0], &unit[1..]);
    let pieces = body.chunks(limit - 2);
    let last = pieces.len() - 1;
    pieces.enumerate().map(move |(n, piece)| {
        let (start, end) = (u8::from(n == 0) << 7, u8::from(n == last) << 6);
        let mut payload = vec![head & 0xe0 | FU_A, start | end | head & 0x1f];
        payload.extend_from_slice(piece);
        payload
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_units_before_a_slice_share_a_packet() {
        let (aud, sps, pps, slice) = (&[9, 16][..], &[0x67, 1, 2][..], &[0x68, 3][..], &[0x65, 4, 5][..]);
        assert_eq!(
            payloads(&[aud, sps, pps, slice], 100),
            [vec![0x78, 0, 2, 9, 16, 0, 3, 0x67, 1, 2, 0, 2, 0x68, 3], slice.to_vec()]
        );
        assert_eq!(payloads(&[aud, slice], 100), [aud, slice]);
        assert!(is_key(&[aud, slice]) && !is_key(&[aud, sps]));
        assert_eq!(sets(&[aud, sps, pps]), Some([sps.to_vec(), pps.to_vec()]));
        assert_eq!(sets(&[sps]), None);
    }

    #[test]
    fn long_slice_is_split_and_can_be_joined_again() {
        let slice: Vec<u8> = (0..250_u16).map(|n| if n == 0 { 0x65 } else { n as u8 }).collect();
        let pieces = payloads(&[&slice], 100);
        let heads: Vec<_> = pieces.iter().map(|piece| (piece[0], piece[1])).collect();
        assert_eq!(heads, [(0x7c, 0x85), (0x7c, 0x05), (0x7c, 0x45)]);
        assert!(pieces.iter().all(|piece| piece.len() <= 100));
        let joined: Vec<u8> = pieces.iter().flat_map(|piece| piece[2..].iter().copied()).collect();
        assert_eq!(joined, slice[1..]);
    }

    #[test]
    fn small_units_that_fill_a_packet_begin_another() {
        let unit = [6; 40];
        let lengths: Vec<_> = payloads(&[&unit, &unit, &unit], 100).iter().map(Vec::len).collect();
        assert_eq!(lengths, [85, 40]);
    }
}
