//! Sound: a low hum in PCMA (G.711 A-law at 8000 Hz, RFC 3551).

use std::f64::consts::TAU;

/// Samples per second, and ticks of the time stamps.
pub const RATE: u32 = 8000;
pub const PAYLOAD_TYPE: u8 = 8;
/// Samples per packet: 40 ms.
pub const SAMPLES: u32 = 320;

const FREQUENCY: f64 = 100.0;
/// A tenth of the loudest.
const AMPLITUDE: f64 = 3276.0;

/// The packet that begins at sample `first`.
pub fn hum(first: u64) -> Vec<u8> {
    (first..first + u64::from(SAMPLES))
        .map(|sample| {
            let phase = (sample % u64::from(RATE)) as f64 * FREQUENCY / f64::from(RATE);
            encode(((phase * TAU).sin() * AMPLITUDE) as i16)
        })
        .collect()
}

/// A-law of one sample (G.711).
fn encode(sample: i16) -> u8 {
    // 13 bits: negative values are mirrored.
    let (sign, size) = if sample >= 0 { (0x80, sample >> 3) } else { (0, !sample >> 3) };
    let size = size.unsigned_abs();
    let exponent = (u16::BITS - size.leading_zeros()).saturating_sub(5) as u8;
    let mantissa = (size >> if exponent == 0 { 1 } else { exponent }) & 0x0f;
    (sign | exponent << 4 | mantissa as u8) ^ 0x55
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes as G.711 says.
    fn decode(code: u8) -> i32 {
        let code = code ^ 0x55;
        let (exponent, mantissa) = (code >> 4 & 7, i32::from(code & 0x0f));
        let size = match exponent {
            0 => (mantissa << 4) + 8,
            _ => ((mantissa << 4) + 0x108) << (exponent - 1),
        };
        if code & 0x80 == 0 { -size } else { size }
    }

    #[test]
    fn every_sample_comes_back_nearly_the_same() {
        for sample in (i16::MIN..=i16::MAX).step_by(7) {
            let back = decode(encode(sample));
            let allowed = (i32::from(sample).abs() / 16).max(16);
            assert!((back - i32::from(sample)).abs() <= allowed, "{sample} became {back}");
        }
        assert_eq!(encode(0), 0xd5);
    }

    #[test]
    fn hum_goes_on_from_packet_to_packet() {
        let samples: Vec<i32> = [hum(0), hum(320)].concat().into_iter().map(decode).collect();
        assert_eq!(samples.len(), 640);
        assert!(samples.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 600));
        assert!(samples.iter().max() > Some(&3000) && samples.iter().min() < Some(&-3000));
    }
}
