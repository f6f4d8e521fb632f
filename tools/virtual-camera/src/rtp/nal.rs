//! NAL units behind start codes, as encoders write them (Annex B of H.264 and H.265).

/// The NAL units in `bytes`, without their start codes and without trailing zeros.
pub fn units(bytes: &[u8]) -> Vec<&[u8]> {
    let mut units = Vec::new();
    let mut rest = match next_start(bytes) {
        Some((_, after)) => &bytes[after..],
        None => return units,
    };
    loop {
        let (end, after) = next_start(rest).unwrap_or((rest.len(), rest.len()));
        let unit = &rest[..end];
        let zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
        if unit.len() > zeros {
            units.push(&unit[..unit.len() - zeros]);
        }
        if after == rest.len() {
            return units;
        }
        rest = &rest[after..];
    }
}

/// Where the next start code begins and ends.
fn next_start(bytes: &[u8]) -> Option<(usize, usize)> {
    bytes.windows(3).position(|three| three == [0, 0, 1]).map(|at| (at, at + 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_between_start_codes_of_three_or_four_bytes() {
        let bytes = [0, 0, 0, 1, 9, 16, 0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 1, 0x65, 0, 0, 3, 7];
        assert_eq!(units(&bytes), [&[9, 16][..], &[0x67, 1], &[0x68, 2], &[0x65, 0, 0, 3, 7]]);
    }

    #[test]
    fn nothing_without_a_start_code_is_a_unit() {
        for bytes in [&[][..], &[1, 2, 3], &[0, 0, 1], &[0, 0, 0, 1, 0, 0]] {
            assert_eq!(units(bytes), Vec::<&[u8]>::new(), "{bytes:?}");
        }
    }
}
