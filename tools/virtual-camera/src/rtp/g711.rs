//! Sound in G.711 at 8000 Hz (RFC 3551): a low hum, or a beat by which a clock can be heard.

use std::f64::consts::TAU;

/// Samples per second, and ticks of the time stamps.
pub const RATE: u32 = 8000;
/// Samples per packet: 40 ms.
pub const SAMPLES: u32 = 320;

const HUM: f64 = 100.0;
/// A tenth of the loudest.
const HUM_AMPLITUDE: f64 = 3276.0;

/// A beep begins with each second of the clock, for so many microseconds.
const BEEP_LEN: u64 = 50_000;
const BEEP: f64 = 1000.0;
const BEEP_AMPLITUDE: f64 = 16_000.0;

/// How samples become bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    A,
    Mu,
}

/// What is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound {
    pub law: Law,
    /// Beeps at each second in place of the hum.
    pub beats: bool,
}

impl Law {
    pub fn payload_type(self) -> u8 {
        match self {
            Self::A => 8,
            Self::Mu => 0,
        }
    }

    /// The name in a session description.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "PCMA",
            Self::Mu => "PCMU",
        }
    }
}

impl Sound {
    /// The packet that begins with sample `first`; sample 0 was taken at `began`, in microseconds since 1970.
    pub fn packet(self, first: u64, began: u64) -> Vec<u8> {
        let samples = first..first + u64::from(SAMPLES);
        let sample = |n: u64| if self.beats { beat(began + n * 1_000_000 / u64::from(RATE)) } else { hum(n) };
        let encode = match self.law {
            Law::A => encode_a,
            Law::Mu => encode_mu,
        };
        samples.map(|n| encode(sample(n))).collect()
    }
}

fn hum(n: u64) -> i16 {
    let phase = (n % u64::from(RATE)) as f64 * HUM / f64::from(RATE);
    ((phase * TAU).sin() * HUM_AMPLITUDE) as i16
}

/// The sample at this time, in microseconds since 1970.
fn beat(at: u64) -> i16 {
    match at % 1_000_000 {
        since @ ..BEEP_LEN => ((since as f64 / 1e6 * BEEP * TAU).sin() * BEEP_AMPLITUDE) as i16,
        _ => 0,
    }
}

/// µ-law of one sample (G.711).
fn encode_mu(sample: i16) -> u8 {
    const BIAS: i32 = 0x84;
    let sign = if sample < 0 { 0x80 } else { 0 };
    let size = i32::from(sample).abs().min(32_635) + BIAS;
    // The highest bit is one of 7 to 14.
    let exponent = 24 - size.leading_zeros().clamp(17, 24);
    let mantissa = size >> (exponent + 3) & 0x0f;
    !(sign | (exponent << 4) as u8 | mantissa as u8)
}

/// A-law of one sample (G.711).
fn encode_a(sample: i16) -> u8 {
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
            let back = decode(encode_a(sample));
            let allowed = (i32::from(sample).abs() / 16).max(16);
            assert!((back - i32::from(sample)).abs() <= allowed, "{sample} became {back}");
        }
        assert_eq!(encode_a(0), 0xd5);
    }

    #[test]
    fn hum_goes_on_from_packet_to_packet() {
        let sound = Sound { law: Law::A, beats: false };
        let samples: Vec<i32> = [sound.packet(0, 5), sound.packet(320, 5)].concat().into_iter().map(decode).collect();
        assert_eq!(samples.len(), 640);
        assert!(samples.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 600));
        assert!(samples.iter().max() > Some(&3000) && samples.iter().min() < Some(&-3000));
    }

    /// Decodes µ-law as G.711 says.
    fn decode_mu(code: u8) -> i32 {
        let code = !code;
        let (exponent, mantissa) = (code >> 4 & 7, i32::from(code & 0x0f));
        let size = (((mantissa << 3) + 0x84) << exponent) - 0x84;
        if code & 0x80 == 0 { size } else { -size }
    }

    #[test]
    fn mu_law_comes_back_nearly_the_same() {
        for sample in (-32_000..=32_000_i16).step_by(7) {
            let back = decode_mu(encode_mu(sample));
            let allowed = (i32::from(sample).abs() / 16).max(16);
            assert!((back - i32::from(sample)).abs() <= allowed, "{sample} became {back}");
        }
        assert_eq!(encode_mu(0), 0xff);
    }

    #[test]
    fn beep_begins_with_the_second_of_the_clock() {
        // 400 ms before a second: sample 3200 is the first of it.
        let sound = Sound { law: Law::Mu, beats: true };
        let began = 1_800_000_000_600_000;
        let loud: Vec<u64> = (0..25)
            .flat_map(|packet| {
                let first = packet * u64::from(SAMPLES);
                (first..).zip(sound.packet(first, began)).filter(|(_, code)| decode_mu(*code).abs() > 2000)
            })
            .map(|(n, _)| n)
            .collect();
        assert!((3200..3204).contains(&loud[0]), "{loud:?}");
        assert!((3590..3600).contains(loud.last().unwrap()), "{loud:?}");
    }
}
