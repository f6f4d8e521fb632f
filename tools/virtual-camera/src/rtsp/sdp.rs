//! The session description (RFC 4566) of a stream.

use std::{fmt::Write as _, net::IpAddr};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use crate::{
    feed::Sets,
    habits::Habits,
    rtp::g711::{self, Law},
    settings::Codec,
    stream::{Offer, Size},
};

/// The payload type of H.264 and H.265, which have none of their own.
pub const DYNAMIC: u8 = 96;
const JPEG: u8 = 26;

/// What a description tells.
pub struct Description<'a> {
    pub ip: IpAddr,
    /// Differs from session to session.
    pub id: u64,
    pub name: &'a str,
    pub offer: Offer,
    /// Of the sound.
    pub law: Law,
    pub sets: Option<&'a Sets>,
    pub size: Size,
    pub fps: u32,
    /// kbit/s
    pub bitrate: u32,
    /// The URL that was asked, without a slash at its end.
    pub url: &'a str,
    pub habits: Habits,
}

/// The payload type of the picture.
pub fn payload_type(codec: Codec) -> u8 {
    if codec == Codec::Mjpeg { JPEG } else { DYNAMIC }
}

/// The name of a track in URLs.
pub fn control(track: usize) -> String {
    format!("stream={track}")
}

impl Description<'_> {
    pub fn text(&self) -> String {
        let kind = if self.ip.is_ipv6() { "IP6" } else { "IP4" };
        let mut text = format!(
            "v=0\r\no=- {} 1 IN {kind} {}\r\ns={}\r\nt=0 0\r\na=type:broadcast\r\na=control:{}\r\na=range:npt=now-\r\n",
            self.id,
            self.ip,
            self.name,
            if self.habits.absolute_control { self.url } else { "*" },
        );
        let mut track = 0;
        if let Some(codec) = self.offer.video {
            self.video(&mut text, codec, kind);
            track += 1;
        }
        if self.offer.audio {
            let number = self.law.payload_type();
            let _ = write!(text, "m=audio 0 RTP/AVP {number}\r\nc=IN {kind} {}\r\n", unspecified(kind));
            let _ = write!(text, "a=rtpmap:{number} {}/{}\r\n", self.law.name(), g711::RATE);
            let _ = write!(text, "a=control:{}\r\n", self.control(track));
        }
        text
    }

    fn control(&self, track: usize) -> String {
        let control = control(track);
        if self.habits.absolute_control { format!("{}/{control}", self.url) } else { control }
    }

    fn video(&self, text: &mut String, codec: Codec, kind: &str) {
        let number = self.habits.payload_types.map_or(payload_type(codec), |(_, sdp)| sdp);
        let name = match codec {
            Codec::H264 => "H264",
            Codec::H265 => "H265",
            Codec::Mjpeg => "JPEG",
            Codec::Mpeg4 => "MP4V-ES",
        };
        let _ = write!(text, "m=video 0 RTP/AVP {number}\r\nc=IN {kind} {}\r\n", unspecified(kind));
        if codec != Codec::Mjpeg {
            let _ = write!(text, "b=AS:{}\r\n", self.bitrate);
        }
        let _ = write!(text, "a=rtpmap:{number} {name}/90000\r\n");
        if !self.habits.no_framerate {
            let _ = write!(text, "a=framerate:{}\r\n", self.fps);
        }
        if let Some(parameters) = self.format(codec) {
            let _ = write!(text, "a=fmtp:{number} {parameters}\r\n");
        }
        if self.habits.offers_pli {
            let _ = write!(text, "a=rtcp-fb:{number} nack pli\r\n");
        }
        if self.habits.offers_fir {
            let _ = write!(text, "a=rtcp-fb:{number} ccm fir\r\n");
        }
        if codec == Codec::Mjpeg {
            let _ = write!(text, "a=x-dimensions:{},{}\r\n", self.size.0, self.size.1);
        }
        let _ = write!(text, "a=control:{}\r\n", self.control(0));
    }

    /// The parameters of `a=fmtp`.
    fn format(&self, codec: Codec) -> Option<String> {
        let sets = self.sets.filter(|_| !self.habits.no_sprop);
        match (codec, sets) {
            (Codec::Mpeg4, Some(Sets::Mpeg4(config))) => {
                let config: String = config.iter().map(|byte| format!("{byte:02X}")).collect();
                Some(format!("profile-level-id=1; config={config}"))
            }
            (Codec::H264, Some(Sets::H264([sps, pps]))) => {
                let profile: String = sps.iter().skip(1).take(3).map(|byte| format!("{byte:02x}")).collect();
                let (sps, pps) = (BASE64.encode(sps), BASE64.encode(pps));
                Some(format!("packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={sps},{pps}"))
            }
            (Codec::H264, _) => Some("packetization-mode=1".into()),
            (Codec::H265, Some(Sets::H265(sets))) => {
                let [vps, sps, pps] = sets.each_ref().map(|set| BASE64.encode(set));
                Some(format!("sprop-vps={vps};sprop-sps={sps};sprop-pps={pps}"))
            }
            (Codec::Mjpeg | Codec::H265 | Codec::Mpeg4, _) => None,
        }
    }
}

/// The address of a client that is not yet known.
fn unspecified(kind: &str) -> &'static str {
    if kind == "IP6" { "::" } else { "0.0.0.0" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(offer: Offer, sets: Option<&Sets>, habits: Habits) -> String {
        let (ip, url) = (IpAddr::from([127, 0, 0, 11]), "rtsp://127.0.0.11:8554/main");
        let size = (640, 360);
        Description { ip, id: 7, name: "gate", offer, law: Law::A, sets, size, fps: 25, bitrate: 900, url, habits }
            .text()
    }

    #[test]
    fn picture_and_sound_are_two_tracks() {
        let sets = Sets::H264([vec![0x67, 0x64, 0x00, 0x1f], vec![0x68, 0xee]]);
        let text = described(Offer { video: Some(Codec::H264), audio: true }, Some(&sets), Habits::default());
        let wanted = "v=0\r\no=- 7 1 IN IP4 127.0.0.11\r\ns=gate\r\nt=0 0\r\na=type:broadcast\r\na=control:*\r\n\
            a=range:npt=now-\r\nm=video 0 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\nb=AS:900\r\na=rtpmap:96 H264/90000\r\n\
            a=framerate:25\r\na=fmtp:96 packetization-mode=1;profile-level-id=64001f;sprop-parameter-sets=Z2QAHw==,aO4=\r\n\
            a=control:stream=0\r\nm=audio 0 RTP/AVP 8\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:8 PCMA/8000\r\na=control:stream=1\r\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn each_codec_has_its_own_parameters() {
        let sets = Sets::H265([vec![0x40], vec![0x42], vec![0x44]]);
        let text = described(Offer { video: Some(Codec::H265), audio: false }, Some(&sets), Habits::default());
        assert!(text.contains("a=fmtp:96 sprop-vps=QA==;sprop-sps=Qg==;sprop-pps=RA==\r\n"), "{text}");
        let text = described(Offer { video: Some(Codec::Mjpeg), audio: false }, None, Habits::default());
        assert!(text.contains("m=video 0 RTP/AVP 26\r\n") && text.contains("a=x-dimensions:640,360\r\n"), "{text}");
        let text = described(Offer { video: None, audio: true }, None, Habits::default());
        assert!(!text.contains("m=video") && text.ends_with("a=control:stream=0\r\n"), "{text}");
    }

    #[test]
    fn habits_change_what_is_told() {
        let sets = Sets::H264([vec![0x67, 0x64, 0x00, 0x1f], vec![0x68, 0xee]]);
        let words = "no-sprop,absolute-control,no-framerate,payload-type=98-in-packets-while-97-in-sdp,offers-pli";
        let offer = Offer { video: Some(Codec::H264), audio: false };
        let text = described(offer, Some(&sets), Habits::parse(words).unwrap());
        assert!(!text.contains("sprop") && !text.contains("framerate"), "{text}");
        assert!(text.contains("a=rtpmap:97 H264/90000\r\n"), "{text}");
        assert!(text.contains("a=rtcp-fb:97 nack pli\r\n") && !text.contains("fir"), "{text}");
        assert!(text.contains("a=control:rtsp://127.0.0.11:8554/main/stream=0\r\n"), "{text}");
    }
}
