//! How a camera's sound is encoded.

use std::fmt;

/// What a decoder has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundFormat {
    pub codec: SoundCodec,
    /// Samples per second of the track's clock. HE-AAC gives twice as many.
    pub sample_rate: u32,
    pub channels: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SoundCodec {
    /// G.711 µ-law, a byte for each sample.
    Pcmu,
    /// G.711 A-law, a byte for each sample.
    Pcma,
    Aac {
        /// The AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1), at least 2 bytes.
        config: Vec<u8>,
    },
}

impl SoundCodec {
    /// The name in the API.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pcmu => "pcmu",
            Self::Pcma => "pcma",
            Self::Aac { .. } => "aac",
        }
    }
}

/// As WebCodecs names it.
impl fmt::Display for SoundCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pcmu => f.write_str("ulaw"),
            Self::Pcma => f.write_str("alaw"),
            Self::Aac { config } => write!(f, "mp4a.40.{}", object_type(config)),
        }
    }
}

/// The audio object type of an AudioSpecificConfig: 5 bits, or 6 more after 31 (ISO/IEC 14496-3 1.6.2.1).
fn object_type(config: &[u8]) -> u8 {
    let [first, second] = [0, 1].map(|index| config.get(index).copied().unwrap_or(0));
    match first >> 3 {
        31 => 32 + ((first & 7) << 3 | second >> 5),
        short => short,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_have_the_names_of_browsers() {
        let aac = |config: &[u8]| SoundCodec::Aac { config: config.to_vec() }.to_string();
        assert_eq!((aac(&[0x14, 0x08]), aac(&[0x2b, 0x92])), ("mp4a.40.2".into(), "mp4a.40.5".into()));
        assert_eq!(aac(&[0xf9, 0x40]), "mp4a.40.42");
        assert_eq!((SoundCodec::Pcmu.to_string(), SoundCodec::Pcma.as_str()), ("ulaw".into(), "pcma"));
    }
}
