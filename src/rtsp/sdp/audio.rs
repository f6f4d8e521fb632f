//! The sound in a session description.

use std::net::SocketAddr;

use super::{MAX_FORMATS, Media, SessionDescription, first, fmtp_among};
use crate::{
    rtsp::rtp::{AacPacking, AudioPacking, Fmtp},
    sound::{SoundCodec, SoundFormat},
};

/// Static payload types (RFC 3551 6).
const PCMU: u8 = 0;
const PCMA: u8 = 8;

/// Rates that cameras use, in Hz; others are not believed.
const RATES: std::ops::RangeInclusive<u32> = 4000..=192_000;
const MAX_CHANNELS: u8 = 8;

/// Longest AudioSpecificConfig that is believed, in bytes.
const MAX_CONFIG_LEN: usize = 64;

/// The sound track that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioTrack {
    pub payload_type: u8,
    pub format: SoundFormat,
    pub packing: AudioPacking,
    /// As written, trimmed.
    pub control: Option<String>,
    /// The group and the port to which the camera sends the track, if the description names one.
    pub group: Option<SocketAddr>,
}

/// Why a description has no sound that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAudio {
    /// No media is sound.
    NoAudio,
    /// The formats of the sounds, none of which is known.
    UnknownFormats(Vec<String>),
    /// Sound is offered by SRTP alone, which is encrypted.
    Encrypted,
}

impl SessionDescription {
    /// Selects the first sound with a known format. Its direction is read: a back channel is `sendonly` for the
    /// client, and has no sound of the camera (ONVIF Streaming Specification, "Audio backchannel").
    pub fn audio(&self) -> Result<AudioTrack, NoAudio> {
        let audios = || self.media.iter().filter(|media| media.kind == "audio" && !media.is_back_channel());
        let readable = || audios().filter(|media| media.is_rtp() && !media.is_encrypted());
        if let Some(track) = readable().find_map(|media| self.audio_track(media)) {
            return Ok(track);
        }
        if audios().next().is_none() {
            return Err(NoAudio::NoAudio);
        }
        if readable().next().is_none() && audios().any(Media::is_encrypted) {
            return Err(NoAudio::Encrypted);
        }
        let formats = audios().flat_map(|media| media.named_formats()).take(MAX_FORMATS);
        Err(NoAudio::UnknownFormats(formats.collect()))
    }

    fn audio_track(&self, media: &Media) -> Option<AudioTrack> {
        media.formats.iter().find_map(|&payload_type| {
            let (format, packing) = audio_format(media, payload_type)?;
            let control = first(&media.attributes, "control").map(str::to_owned);
            Some(AudioTrack { payload_type, format, packing, control, group: self.group_of(media) })
        })
    }
}

impl Media {
    /// Whether the sound goes to the camera.
    fn is_back_channel(&self) -> bool {
        self.attributes.iter().any(|(name, _)| name == "sendonly")
    }

    /// Name, rate and channels of the format.
    fn audio_map(&self, payload_type: u8) -> Option<(String, u32, u8)> {
        let map = self.rtpmap_of(payload_type)?;
        Some((map.name.to_ascii_uppercase(), map.rate.parse().unwrap_or(8000), map.channels.parse().unwrap_or(1)))
    }
}

fn audio_format(media: &Media, payload_type: u8) -> Option<(SoundFormat, AudioPacking)> {
    let map = media.audio_map(payload_type).or(match payload_type {
        PCMU => Some(("PCMU".to_owned(), 8000, 1)),
        PCMA => Some(("PCMA".to_owned(), 8000, 1)),
        _ => None,
    });
    let (name, sample_rate, channels) = map?;
    if !RATES.contains(&sample_rate) || !(1..=MAX_CHANNELS).contains(&channels) {
        return None;
    }
    let (codec, packing) = match name.as_str() {
        "PCMU" => (SoundCodec::Pcmu, AudioPacking::Samples),
        "PCMA" => (SoundCodec::Pcma, AudioPacking::Samples),
        "MPEG4-GENERIC" => {
            let fmtp = Fmtp::parse(fmtp_among(&media.attributes, payload_type));
            let config = fmtp.hexadecimal("config").filter(|config| (2..=MAX_CONFIG_LEN).contains(&config.len()))?;
            let packing = AacPacking::of(&fmtp)?;
            (SoundCodec::Aac { config }, AudioPacking::Aac(packing))
        }
        _ => return None,
    };
    Some((SoundFormat { codec, sample_rate, channels }, packing))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audio(lines: &str) -> Result<AudioTrack, NoAudio> {
        let text = format!("v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=control:v\n{lines}");
        SessionDescription::read(text.as_bytes()).audio()
    }

    fn g711(payload_type: u8, codec: SoundCodec, sample_rate: u32, channels: u8) -> AudioTrack {
        let format = SoundFormat { codec, sample_rate, channels };
        AudioTrack { payload_type, format, packing: AudioPacking::Samples, control: None, group: None }
    }

    #[test]
    fn g711_is_known_by_its_number_and_by_its_name() {
        assert_eq!(audio("m=audio 0 RTP/AVP 0\n"), Ok(g711(0, SoundCodec::Pcmu, 8000, 1)));
        assert_eq!(audio("m=audio 0 RTP/AVP 8\n"), Ok(g711(8, SoundCodec::Pcma, 8000, 1)));
        let wide = "m=audio 0 RTP/AVP 97\na=rtpmap:97 pcma/16000/2\n";
        assert_eq!(audio(wide), Ok(g711(97, SoundCodec::Pcma, 16_000, 2)));
        let later = "m=audio 0 RTP/AVP 97 0\na=rtpmap:97 G726-32/8000\na=control:trackID=2\n";
        let control = Some("trackID=2".to_owned());
        assert_eq!(audio(later), Ok(AudioTrack { control, ..g711(0, SoundCodec::Pcmu, 8000, 1) }));
    }

    #[test]
    fn aac_has_the_sizes_of_its_headers_and_its_configuration() {
        let text = "m=audio 0 RTP/AVP 104\na=rtpmap:104 mpeg4-generic/16000/1\na=fmtp:104 streamtype=5; profile-level-id=15; \
                    mode=AAC-hbr; config=1408; SizeLength=13; IndexLength=3; IndexDeltaLength=3;Profile=1\n";
        let track = audio(text).unwrap();
        let config = vec![0x14, 0x08];
        assert_eq!(track.format, SoundFormat { codec: SoundCodec::Aac { config }, sample_rate: 16_000, channels: 1 });
        let packing = AacPacking { size_bits: 13, index_bits: 3, index_delta_bits: 3, samples: 1024 };
        assert_eq!(track.packing, AudioPacking::Aac(packing));
    }

    #[test]
    fn back_channel_is_no_sound_of_the_camera() {
        let back = "m=audio 0 RTP/AVP 0\na=sendonly\n";
        assert_eq!(audio(back), Err(NoAudio::NoAudio));
        let both = format!("{back}m=audio 0 RTP/AVP 8\na=recvonly\n");
        assert_eq!(audio(&both), Ok(g711(8, SoundCodec::Pcma, 8000, 1)));
    }

    #[test]
    fn what_cannot_be_heard_is_named() {
        assert_eq!(audio(""), Err(NoAudio::NoAudio));
        assert_eq!(audio("m=audio 0 RTP/SAVP 0\n"), Err(NoAudio::Encrypted));
        let unknown = |lines: &str| audio(&format!("m=audio 0 RTP/AVP {lines}\n"));
        let named = |name: &str| Err(NoAudio::UnknownFormats(vec![name.to_owned()]));
        assert_eq!(unknown("97\na=rtpmap:97 G726-32/8000"), named("G726-32"));
        assert_eq!(unknown("98\na=rtpmap:98 opus/48000/2"), named("opus"));
        assert_eq!(unknown("99\na=rtpmap:99 MP4A-LATM/16000"), named("MP4A-LATM"));
        // Without its configuration nobody can decode it.
        assert_eq!(unknown("97\na=rtpmap:97 MPEG4-GENERIC/16000\na=fmtp:97 mode=AAC-hbr"), named("MPEG4-GENERIC"));
        assert_eq!(unknown("0\na=rtpmap:0 PCMU/1"), named("PCMU"));
        assert_eq!(unknown("14"), named("14"));
    }
}
