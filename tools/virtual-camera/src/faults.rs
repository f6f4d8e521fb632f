//! The active faults of a camera, with the names used on the control port.

use std::time::Duration;

use crate::{
    habits::{self, Habits},
    settings::{Aspect, Codec, Settings, Software, aspect, check_size, dimensions},
    tls::{self, TlsFault},
};

/// The names of all faults, as listed in the error for an unknown one.
pub const WORDS: &str = "stall, freeze, drop, refuse, wrongpassword, garbage, onvif-down, silence-wsd, silence-ssdp, \
     garbage-payload, truncate, no-key-frames, slow?seconds=N, jump?seconds=N, audio-only, no-video, size?to=WxH, aspect?to=W:H, \
     codec?to=h264|h265, away?stream=main|small, garbage-framing, trickle, full?status=453|503, bye, teardown, move?ip=ADDRESS, \
     https-redirect, tls?as=other-key|renewed|old|plain|stuck|closed, skew?seconds=N, event?topic=T&active=true, forget-events, habits?HABIT&HABIT or resume";

/// Why a fault is refused: an HTTP status, and what would be valid.
pub type Refusal = (u16, &'static str);

/// Each fault lasts until `resume`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// RTSP answers, but no more frames are made.
    pub stall: bool,
    /// RTSP connections stay open and nothing at all comes from them.
    pub freeze: bool,
    /// Nothing listens, neither for RTSP nor for ONVIF.
    pub refuse: bool,
    /// Every login is refused as wrong.
    pub wrong_password: bool,
    /// The ONVIF services send garbage.
    pub garbage: bool,
    /// Nothing listens for ONVIF; RTSP and discovery continue.
    pub onvif_down: bool,
    /// WS-Discovery neither answers nor announces; the next field is the same for SSDP.
    pub wsd_silent: bool,
    pub ssdp_silent: bool,
    /// RTP packets have a valid header and random payload.
    pub garbage_payload: bool,
    /// Only the first half of every access unit is sent.
    pub truncate: bool,
    /// No key frames are sent.
    pub no_key_frames: bool,
    /// Interval between two frames.
    pub pace: Option<Duration>,
    /// RTP time stamps are ahead of their normal values by this many seconds.
    pub jumped_s: i64,
    /// The sound continues and the picture does not.
    pub audio_only: bool,
    /// The session description contains only sound.
    pub no_video: bool,
    /// Size, sample aspect ratio or codec that differ from the configuration.
    pub size: Option<(usize, usize)>,
    pub aspect: Option<Aspect>,
    pub codec: Option<Codec>,
    /// One of the streams: it sends nothing more, and cannot be set up.
    pub away: Option<&'static str>,
    /// Bytes that are no interleaved frame replace everything else.
    pub garbage_framing: bool,
    /// One packet is sent byte by byte, and nothing else.
    pub trickle: bool,
    /// No more sessions: the status with which SETUP is refused.
    pub full: Option<u16>,
    /// Habits of the RTSP server that differ from the configuration.
    pub habits: Option<Habits>,
    /// What is wrong with its TLS.
    pub tls: Option<TlsFault>,
    /// The ONVIF port in clear text redirects to the one over TLS.
    pub https_redirect: bool,
    /// Number of requests for each momentary fault: drop, BYE and TEARDOWN.
    pub drops: u64,
    pub byes: u64,
    pub teardowns: u64,
}

impl Faults {
    /// Adds `fault` of a camera with these `settings`; `query` is the part after its question mark.
    ///
    /// # Errors
    /// The fault does not exist (404), has wrong parameters (400), or conflicts with this camera or
    /// with an active fault (409).
    pub fn begin(&mut self, fault: &str, query: &str, settings: &Settings) -> Result<(), Refusal> {
        let jpeg = settings.codec == Codec::Mjpeg;
        match fault {
            "stall" => self.stall = true,
            "freeze" => self.freeze = true,
            "drop" => self.drops += 1,
            "refuse" => self.refuse = true,
            "wrongpassword" => self.wrong_password = true,
            "garbage" => self.garbage = true,
            "onvif-down" => self.onvif_down = true,
            "silence-wsd" => self.wsd_silent = true,
            "silence-ssdp" => self.ssdp_silent = true,
            "garbage-payload" => self.garbage_payload = true,
            "truncate" => self.truncate = true,
            "no-key-frames" if jpeg => return Err((409, "every JPEG is a key frame")),
            "no-key-frames" => self.no_key_frames = true,
            "slow" => {
                let seconds = value(query, "seconds").and_then(|word| word.parse().ok());
                let seconds = seconds.filter(|seconds| (0.1..=60.0).contains(seconds));
                let seconds = seconds.ok_or((400, "slow?seconds=N, from 0.1 to 60, from frame to frame"))?;
                self.pace = Some(Duration::from_secs_f64(seconds));
            }
            "jump" => {
                let seconds: Option<i64> = value(query, "seconds").and_then(|word| word.parse().ok());
                self.jumped_s += seconds.ok_or((400, "jump?seconds=N with a whole number, also a negative one"))?;
            }
            "audio-only" if settings.audio.is_none() => {
                return Err((409, "this camera has no sound: give it audio=on"));
            }
            "audio-only" => self.audio_only = true,
            "no-video" => self.no_video = true,
            "size" => {
                let size = value(query, "to").and_then(dimensions);
                let size = size.filter(|size| check_size(self.codec.unwrap_or(settings.codec), "to", *size).is_ok());
                self.size = Some(size.ok_or((400, "size?to=WxH, as the key size takes it"))?);
            }
            "aspect" if jpeg => return Err((409, "a JPEG over RTP has square samples")),
            "aspect" => {
                let to = value(query, "to").and_then(aspect);
                self.aspect = Some(to.ok_or((400, "aspect?to=W:H, as the key aspect takes it"))?);
            }
            "codec" if jpeg => return Err((409, "a camera that is set to MJPEG keeps to it")),
            "codec" => {
                let codec = match value(query, "to") {
                    Some("h264") => Codec::H264,
                    Some("h265") => Codec::H265,
                    _ => return Err((400, "codec?to=h264 or codec?to=h265")),
                };
                self.codec = Some(codec);
            }
            "away" => {
                self.away = match value(query, "stream") {
                    Some("main") => Some("main"),
                    Some("small") => Some("small"),
                    _ => return Err((400, "away?stream=main or away?stream=small")),
                };
            }
            "garbage-framing" if self.trickle => return Err((409, "not while trickle stands")),
            "garbage-framing" => self.garbage_framing = true,
            "trickle" if self.garbage_framing => return Err((409, "not while garbage-framing stands")),
            "trickle" => self.trickle = true,
            "full" => {
                self.full = match query {
                    "" | "status=453" => Some(453),
                    "status=503" => Some(503),
                    _ => return Err((400, "full?status=453 or full?status=503")),
                }
            }
            "habits" if settings.server == Software::Gstreamer => return Err((409, "only server=own has habits")),
            "habits" => self.habits = Some(Habits::parse(query).ok_or((400, habits::WORDS))?),
            "tls" => {
                let fault = value(query, "as").and_then(TlsFault::from_word);
                self.tls = Some(fault.ok_or((400, tls::WORDS))?);
            }
            "https-redirect" if settings.https_port.is_none() => return Err((409, "this camera has no https")),
            "https-redirect" => self.https_redirect = true,
            "bye" => self.byes += 1,
            "teardown" => self.teardowns += 1,
            _ => return Err((404, WORDS)),
        }
        Ok(())
    }

    /// Clears all faults and keeps the counters.
    pub fn resumed(self) -> Self {
        Self { drops: self.drops, byes: self.byes, teardowns: self.teardowns, ..Self::default() }
    }

    /// Whether bytes unknown to the RTSP server are written into its connections.
    pub fn spoils_connections(&self) -> bool {
        self.garbage_framing || self.trickle
    }

    /// Whether no packet, of picture or sound, leaves the camera.
    pub fn mutes_all(&self) -> bool {
        self.spoils_connections() || self.freeze
    }

    /// The names of the active faults.
    pub fn standing(&self) -> Vec<&'static str> {
        let standing = [
            ("stall", self.stall),
            ("freeze", self.freeze),
            ("refuse", self.refuse),
            ("wrongpassword", self.wrong_password),
            ("garbage", self.garbage),
            ("onvif-down", self.onvif_down),
            ("silence-wsd", self.wsd_silent),
            ("silence-ssdp", self.ssdp_silent),
            ("garbage-payload", self.garbage_payload),
            ("truncate", self.truncate),
            ("no-key-frames", self.no_key_frames),
            ("slow", self.pace.is_some()),
            ("jump", self.jumped_s != 0),
            ("audio-only", self.audio_only),
            ("no-video", self.no_video),
            ("size", self.size.is_some()),
            ("aspect", self.aspect.is_some()),
            ("codec", self.codec.is_some()),
            ("away", self.away.is_some()),
            ("garbage-framing", self.garbage_framing),
            ("trickle", self.trickle),
            ("full", self.full.is_some()),
            ("habits", self.habits.is_some()),
            ("tls", self.tls.is_some()),
            ("https-redirect", self.https_redirect),
        ];
        standing.into_iter().filter(|(_, stands)| *stands).map(|(word, _)| word).collect()
    }
}

/// The value of `key` if the query contains nothing else.
pub fn value<'a>(query: &'a str, key: &str) -> Option<&'a str> {
    query.strip_prefix(key)?.strip_prefix('=')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings;

    fn settings(keys: &str) -> Settings {
        let line = ["--camera".to_owned(), format!("id=gate {keys}")];
        let options = settings::parse(line.iter().map(std::ffi::OsString::from)).unwrap().unwrap();
        options.cameras.into_iter().next().unwrap()
    }

    #[test]
    fn faults_add_up_and_resume_ends_them_all() {
        let (mut faults, settings) = (Faults::default(), settings("audio=on"));
        for (fault, query) in [
            ("stall", ""),
            ("truncate", ""),
            ("slow", "seconds=3"),
            ("jump", "seconds=-60"),
            ("size", "to=320x180"),
            ("codec", "to=h265"),
            ("audio-only", ""),
            ("trickle", ""),
            ("full", "status=503"),
            ("drop", ""),
        ] {
            faults.begin(fault, query, &settings).unwrap_or_else(|refusal| panic!("{fault}: {refusal:?}"));
        }
        let standing = ["stall", "truncate", "slow", "jump", "audio-only", "size", "codec", "trickle", "full"];
        assert_eq!(faults.standing(), standing);
        assert_eq!((faults.pace, faults.full), (Some(Duration::from_secs(3)), Some(503)));
        assert_eq!(faults.resumed(), Faults { drops: 1, ..Faults::default() });
    }

    #[test]
    fn what_cannot_be_is_refused_and_changes_nothing() {
        let (open, jpeg) = (settings(""), settings("codec=mjpeg"));
        for (fault, query, settings, status) in [
            ("lollipop", "", &open, 404),
            ("slow", "seconds=0", &open, 400),
            ("slow", "", &open, 400),
            ("jump", "seconds=soon", &open, 400),
            ("size", "to=321x180", &open, 400),
            ("size", "of=320x180", &open, 400),
            ("codec", "to=mjpeg", &open, 400),
            ("full", "status=200", &open, 400),
            ("audio-only", "", &open, 409),
            ("no-key-frames", "", &jpeg, 409),
            ("codec", "to=h265", &jpeg, 409),
        ] {
            let mut faults = Faults::default();
            let refused = faults.begin(fault, query, settings).map_err(|(status, _)| status);
            assert_eq!((refused, faults), (Err(status), Faults::default()), "{fault}?{query}");
        }
        let mut faults = Faults { garbage_framing: true, ..Faults::default() };
        assert_eq!(faults.begin("trickle", "", &open).map_err(|(status, _)| status), Err(409));
    }

    #[test]
    fn every_standing_fault_is_among_the_words() {
        let all = Faults {
            pace: Some(Duration::ZERO),
            jumped_s: 1,
            size: Some((0, 0)),
            codec: Some(Codec::H265),
            full: Some(453),
            stall: true,
            no_video: true,
            ..Faults::default()
        };
        assert!(all.standing().iter().all(|word| WORDS.contains(word)));
    }
}
