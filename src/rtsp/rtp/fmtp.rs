//! Reads the format parameters of a track (`a=fmtp`), and the parameter sets in them. All of them are hints: what
//! cannot be read is left out.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use crate::{h26x::nal, media::Codec};

/// Cameras omit the padding, or write too much.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Longest text of one parameter that is read, in bytes.
const MAX_VALUE_LEN: usize = 16 << 10;

/// The parameters of one payload type: `96 packetization-mode=1; sprop-parameter-sets=…`, with or without the
/// payload type.
#[derive(Clone, Debug, Default)]
pub struct Fmtp {
    parameters: Vec<(String, String)>,
}

impl Fmtp {
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        // The payload type ends at the first blank, unless a parameter begins before.
        let after_type = match text.split_once([' ', '\t']) {
            Some((first, rest)) if first.bytes().all(|byte| byte.is_ascii_digit()) => rest,
            _ => text,
        };
        let items = after_type.split(';').filter_map(|item| item.split_once('='));
        let parameter = |(name, value): (&str, &str)| (name.trim().to_ascii_lowercase(), value.trim().to_owned());
        Self { parameters: items.map(parameter).filter(|(_, value)| value.len() <= MAX_VALUE_LEN).collect() }
    }

    /// The first value of `name`, which is in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The parameter sets of H.264 or H.265 in Annex B; empty if there are none. A set of the wrong kind is left out,
    /// and so are all sets of H.265 unless there is one of each kind.
    pub fn parameter_sets(&self, codec: Codec) -> Vec<u8> {
        let names: &[&str] = match codec {
            Codec::H264 => &["sprop-parameter-sets"],
            Codec::H265 => &["sprop-vps", "sprop-sps", "sprop-pps"],
            Codec::Jpeg | Codec::Mpeg4 => &[],
        };
        let mut sets = Vec::new();
        for name in names {
            let before = sets.len();
            for text in self.get(name).unwrap_or("").trim_matches('"').split(',') {
                append_sets(codec, text.trim(), &mut sets);
            }
            if codec == Codec::H265 && sets.len() == before {
                return Vec::new();
            }
        }
        sets
    }

    /// `config` of MPEG-4 Visual (RFC 6416 7.1): the headers of the stream in hexadecimal; empty if there are none.
    pub fn mpeg4_config(&self) -> Vec<u8> {
        self.hexadecimal("config").unwrap_or_default()
    }

    /// The bytes that the value of `name` gives in hexadecimal; `None` if there is none, or it is something else.
    pub fn hexadecimal(&self, name: &str) -> Option<Vec<u8>> {
        let (pairs, rest) = self.get(name)?.as_bytes().as_chunks::<2>();
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let bytes = pairs.iter().map(|[high, low]| Some((digit(*high)? << 4 | digit(*low)?) as u8));
        bytes.collect::<Option<_>>().filter(|_: &Vec<u8>| rest.is_empty())
    }

    /// `sprop-max-don-diff` of H.265 (RFC 7798 7.1) is greater than 0, so decoding order numbers are sent.
    pub fn has_don(&self) -> bool {
        self.get("sprop-max-don-diff").and_then(|value| value.parse::<u32>().ok()).is_some_and(|value| value > 0)
    }
}

/// Decodes one set, or several with start codes between them, and appends those that are parameter sets.
fn append_sets(codec: Codec, text: &str, out: &mut Vec<u8>) {
    let Ok(decoded) = BASE64.decode(text) else { return };
    let annex_b = [&[0, 0, 1][..], &decoded].concat();
    for set in nal::split(&annex_b) {
        if matches!(nal::kind(codec, set), nal::NalKind::Vps | nal::NalKind::Sps | nal::NalKind::Pps) {
            out.extend([0, 0, 0, 1]);
            out.extend(set);
        }
    }
}
