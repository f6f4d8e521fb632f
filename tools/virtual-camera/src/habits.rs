//! Habits: how a real camera departs from what a client expects of RTSP and RTP, as settings.
//!
//! A habit changes how the camera does its work; a fault stops it from doing so. Only the camera's
//! own RTSP server has habits.

use std::time::Duration;

/// The names of all habits, as listed in the error for an unknown one.
pub const WORDS: &str = "slow-answers=MS, slow-describe=MS, slow-start=MS, no-options, no-get-parameter, no-keepalive-answers, \
     no-reason, odd-headers, no-cseq, no-content-base, no-rtp-info, no-sprop, no-framerate, no-reports, no-tcp, no-udp, \
     absolute-control, close-after-401, early-packets, plain-transport, no-server-port, crlf-before-answers, \
     foreign-channel, camera-asks, offers-pli, offers-fir, no-key-frame-on-request, silent-until-asked, no-sync-point, session-timeout=S, digest=md5|sha-256|sha-256-only|basic|basic-first, \
     payload-type=N-in-packets-while-N-in-sdp, wrong-ssrc, no-marker, marker-on-sets, start-codes-inside, packet-size=BYTES, \
     lose-units=PERMILLE, lose-packets=PERMILLE, double-packets=PERMILLE, \
     garbage-between=PERMILLE or none";

/// What the RTSP server asks of a login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Challenge {
    /// Digest with MD5, which is not named.
    #[default]
    Plain,
    Md5,
    /// Digest with SHA-256 first, then with MD5.
    Sha256,
    Sha256Only,
    BasicOnly,
    /// Basic first, then Digest.
    BasicFirst,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// Every answer comes this much late.
    pub slow_answers: Duration,
    /// The answer to DESCRIBE comes this much late.
    pub slow_describe: Duration,
    /// The first packet comes this much after the answer to PLAY.
    pub slow_start: Duration,
    /// OPTIONS is answered with 501.
    pub no_options: bool,
    /// GET_PARAMETER is answered with 501, though OPTIONS lists it.
    pub no_get_parameter: bool,
    /// Requests after PLAY are not answered, except TEARDOWN.
    pub no_keepalive_answers: bool,
    /// Status lines have no reason.
    pub no_reason: bool,
    /// Header names in another case, with many blanks before the value and one behind it.
    pub odd_headers: bool,
    /// Answers have no CSeq.
    pub no_cseq: bool,
    pub no_content_base: bool,
    pub no_rtp_info: bool,
    /// The session description has no parameter sets.
    pub no_sprop: bool,
    pub no_framerate: bool,
    /// No RTCP is sent, except BYE.
    pub no_reports: bool,
    /// SETUP over TCP, or over UDP, is refused with 461.
    pub no_tcp: bool,
    pub no_udp: bool,
    /// Controls are whole URLs.
    pub absolute_control: bool,
    /// The connection is closed after a challenge.
    pub close_after_401: bool,
    /// The first packets come before the answer to PLAY.
    pub early_packets: bool,
    /// The `Transport` of an answer does not say TCP, though it is.
    pub plain_transport: bool,
    /// The `Transport` of an answer does not say the camera's UDP ports.
    pub no_server_port: bool,
    pub crlf_before_answers: bool,
    /// Interleaved packets also come on a channel that nobody has set up.
    pub foreign_channel: bool,
    /// The camera sends OPTIONS to the client.
    pub camera_asks: bool,
    /// The session description offers RTCP requests for key frames, of either kind.
    pub offers_pli: bool,
    pub offers_fir: bool,
    /// Requests for key frames, by RTCP or ONVIF, are accepted without effect.
    pub no_key_frame_on_request: bool,
    /// Nothing is sent after PLAY until a client has asked for a key frame.
    pub silent_until_asked: bool,
    /// ONVIF: `SetSynchronizationPoint` is refused.
    pub no_sync_point: bool,
    /// Announced in the `Session` header, and kept; 60 without this habit.
    pub session_timeout_s: Option<u64>,
    pub challenge: Challenge,
    /// Payload types of the picture: in the packets, and in the session description.
    pub payload_types: Option<(u8, u8)>,
    /// SETUP announces another SSRC than the packets have.
    pub wrong_ssrc: bool,
    /// No packet has a marker.
    pub no_marker: bool,
    /// Packets of parameter sets have a marker too.
    pub marker_on_sets: bool,
    /// A key frame and its parameter sets are one NAL unit, with start codes inside.
    pub start_codes_inside: bool,
    /// Maximum length of a payload; larger than an Ethernet frame is meant for TCP.
    pub packet_size: Option<u16>,
    /// Shares of access units and packets that are lost, and of packets that are sent twice, in
    /// permille. Sequence numbers count what is lost.
    pub lost_units: u16,
    pub lost_packets: u16,
    pub double_packets: u16,
    /// Share of access units, in permille, that come behind some bytes that are nothing, over TCP.
    pub garbage_between: u16,
}

impl Habits {
    /// Parses habits separated by commas or `&`. `None`: one of them is unknown, or has a wrong
    /// value.
    pub fn parse(text: &str) -> Option<Self> {
        let mut habits = Self::default();
        for word in text.split([',', '&']).map(str::trim).filter(|word| !word.is_empty() && *word != "none") {
            let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
            habits.adopt(name, value)?;
        }
        Some(habits)
    }

    fn adopt(&mut self, name: &str, value: Option<&str>) -> Option<()> {
        let milliseconds = || number(value, 0..=60_000).map(|ms: u64| Duration::from_millis(ms));
        let permille = || number(value, 0..=1000);
        match name {
            "slow-answers" => self.slow_answers = milliseconds()?,
            "slow-describe" => self.slow_describe = milliseconds()?,
            "slow-start" => self.slow_start = milliseconds()?,
            "session-timeout" => self.session_timeout_s = Some(number(value, 1..=600)?),
            "packet-size" => self.packet_size = Some(number(value, 100..=65_000)?),
            "lose-units" => self.lost_units = permille()?,
            "lose-packets" => self.lost_packets = permille()?,
            "garbage-between" => self.garbage_between = permille()?,
            "double-packets" => self.double_packets = permille()?,
            "payload-type" => self.payload_types = Some(payload_types(value?)?),
            "digest" => {
                self.challenge = match value? {
                    "md5" => Challenge::Md5,
                    "sha-256" => Challenge::Sha256,
                    "sha-256-only" => Challenge::Sha256Only,
                    "basic" => Challenge::BasicOnly,
                    "basic-first" => Challenge::BasicFirst,
                    _ => return None,
                }
            }
            _ => *self.switch(name).filter(|_| value.is_none())? = true,
        }
        Some(())
    }

    /// The habit of this name, if it has no value.
    fn switch(&mut self, name: &str) -> Option<&mut bool> {
        Some(match name {
            "no-options" => &mut self.no_options,
            "no-get-parameter" => &mut self.no_get_parameter,
            "no-keepalive-answers" => &mut self.no_keepalive_answers,
            "no-reason" => &mut self.no_reason,
            "odd-headers" => &mut self.odd_headers,
            "no-cseq" => &mut self.no_cseq,
            "no-content-base" => &mut self.no_content_base,
            "no-rtp-info" => &mut self.no_rtp_info,
            "no-sprop" => &mut self.no_sprop,
            "no-framerate" => &mut self.no_framerate,
            "no-reports" => &mut self.no_reports,
            "no-tcp" => &mut self.no_tcp,
            "no-udp" => &mut self.no_udp,
            "absolute-control" => &mut self.absolute_control,
            "close-after-401" => &mut self.close_after_401,
            "early-packets" => &mut self.early_packets,
            "plain-transport" => &mut self.plain_transport,
            "no-server-port" => &mut self.no_server_port,
            "crlf-before-answers" => &mut self.crlf_before_answers,
            "foreign-channel" => &mut self.foreign_channel,
            "offers-pli" => &mut self.offers_pli,
            "offers-fir" => &mut self.offers_fir,
            "no-key-frame-on-request" => &mut self.no_key_frame_on_request,
            "silent-until-asked" => &mut self.silent_until_asked,
            "no-sync-point" => &mut self.no_sync_point,
            "camera-asks" => &mut self.camera_asks,
            "start-codes-inside" => &mut self.start_codes_inside,
            "wrong-ssrc" => &mut self.wrong_ssrc,
            "no-marker" => &mut self.no_marker,
            "marker-on-sets" => &mut self.marker_on_sets,
            _ => return None,
        })
    }
}

fn number<T: std::str::FromStr + PartialOrd>(value: Option<&str>, range: std::ops::RangeInclusive<T>) -> Option<T> {
    value?.parse().ok().filter(|number| range.contains(number))
}

/// Parses `98-in-packets-while-96-in-sdp`.
fn payload_types(text: &str) -> Option<(u8, u8)> {
    let (packets, sdp) = text.strip_suffix("-in-sdp")?.split_once("-in-packets-while-")?;
    Some((number(Some(packets), 0..=127)?, number(Some(sdp), 0..=127)?))
}

/// Whether something of this share, in permille, happens now.
pub fn chance(permille: u16) -> bool {
    permille > 0 && getrandom::u32().is_ok_and(|random| random % 1000 < u32::from(permille))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn habits_are_read_from_a_setting_and_from_a_query() {
        let habits = Habits::parse("slow-answers=300,no-tcp&digest=sha-256,lose-units=20").unwrap();
        assert_eq!(habits.slow_answers, Duration::from_millis(300));
        assert!(habits.no_tcp && !habits.no_udp);
        assert_eq!((habits.challenge, habits.lost_units), (Challenge::Sha256, 20));
        let types = Habits::parse("payload-type=98-in-packets-while-96-in-sdp").unwrap().payload_types;
        assert_eq!(types, Some((98, 96)));
        for none in ["", "none"] {
            assert_eq!(Habits::parse(none), Some(Habits::default()));
        }
    }

    #[test]
    fn unknown_habits_and_wrong_values_are_refused() {
        for text in ["slow", "slow-answers", "slow-answers=soon", "lose-units=1001", "no-tcp=yes", "digest=sha-1"] {
            assert_eq!(Habits::parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_listed_habit_exists() {
        for word in WORDS.split([',', ' ']).map(str::trim).filter(|word| !matches!(*word, "" | "or" | "none")) {
            let word = word.split('|').next().unwrap().replace("MS", "9").replace("PERMILLE", "9");
            let word = word.replace("BYTES", "900").replace("=S", "=9").replace("N-in", "98-in");
            assert!(Habits::parse(&word).is_some(), "{word}");
        }
    }

    #[test]
    fn chance_is_never_and_always_at_its_ends() {
        assert!((0..1000).all(|_| !chance(0) && chance(1000)));
    }
}
