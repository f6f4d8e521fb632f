//! The camera's stream, opened with OpenCV as the demuxer: access units as the camera sent them.
//!
//! FFmpeg sends one login per opening (a request without credentials, then one with them), so a
//! wrong password costs one failed attempt at the camera each time a worker starts.

use std::{
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use opencv::{
    core::{LogLevel, Mat, MatTraitConstManual, Vector, set_log_level},
    videoio::{
        CAP_FFMPEG, CAP_PROP_CODEC_EXTRADATA_INDEX, CAP_PROP_FORMAT, CAP_PROP_FOURCC, CAP_PROP_FPS,
        CAP_PROP_FRAME_HEIGHT, CAP_PROP_FRAME_WIDTH, CAP_PROP_LRF_HAS_KEY_FRAME, CAP_PROP_OPEN_TIMEOUT_MSEC,
        CAP_PROP_READ_TIMEOUT_MSEC, VideoCapture, VideoCaptureTrait, VideoCaptureTraitConst,
    },
};

use cctv_agent::{
    camera::StreamUri,
    h26x::{nal, parameter_sets::ParameterSets, sps::Sps},
    ipc::{Failure, FailureKind, MAX_BODY_LEN, Open},
    media::{AccessUnit, Codec, SampleAspect, Size, StreamInfo, UnixMicros, transform::Transform},
    text::{Code, Reason},
};
use cctv_worker::{ffmpeg_log::FfmpegLog, jpeg};

use super::{Source, pace::Pace};

/// Limit for opening a stream of RTSP: connection, login and the first frames.
const OPEN_LIMIT: Duration = Duration::from_secs(3);
/// The same of a stream of HTTP or RTMP, whose server waits for the next key frame or piece.
const LONG_OPEN_LIMIT: Duration = Duration::from_secs(10);

/// FFmpeg checks its deadlines every 0.1 s.
const POLL_SLACK: Duration = Duration::from_millis(200);

/// Maximum length of an access unit in bytes; a longer one does not fit into a message.
pub(super) const MAX_UNIT_LEN: usize = MAX_BODY_LEN - 64;

/// Frames per second that are accepted; other rates are wrong guesses of FFmpeg, often 90000.
const RATES: std::ops::RangeInclusive<f32> = 0.1..=240.0;

/// An open stream. Dropping it sends TEARDOWN to the camera.
pub struct Demuxer {
    capture: VideoCapture,
    buffer: Mat,
    ffmpeg_log: FfmpegLog,
    info: StreamInfo,
    /// The description sent last; `None` until the first unit, whose size may correct what opening
    /// guessed.
    last_sent: Option<StreamInfo>,
    sets: ParameterSets,
    sequence: u32,
    /// Limit for one access unit.
    read_limit: Duration,
    /// Of a stream that comes in pieces.
    pace: Option<Pace>,
}

impl Demuxer {
    /// Connects, logs in and waits for the first frames.
    ///
    /// # Errors
    /// Why there is no stream, as text.
    ///
    /// # Blocking
    /// Up to 3 s, and 10 s if it is not RTSP.
    pub fn open(open: &Open, ffmpeg_log: &FfmpegLog) -> Result<Self, Failure> {
        // OpenCV's own log shows addresses and adds nothing to FFmpeg's.
        let _ = set_log_level(LogLevel::LOG_LEVEL_SILENT);
        let uri = StreamUri::split_any(open.uri.expose()).map(|(uri, _)| uri);
        let is_rtsp = uri.as_ref().is_none_or(StreamUri::is_rtsp);
        let limit = if is_rtsp { OPEN_LIMIT } else { LONG_OPEN_LIMIT };
        let millis = |limit: Duration| i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
        let parameters = Vector::from_slice(&[
            CAP_PROP_FORMAT,
            -1,
            CAP_PROP_OPEN_TIMEOUT_MSEC,
            millis(limit),
            CAP_PROP_READ_TIMEOUT_MSEC,
            millis(open.read_limit),
        ]);
        let began = Instant::now();
        let opened = VideoCapture::from_file_with_params(open.uri.expose(), CAP_FFMPEG, &parameters);
        // An error's text could contain the address; it does not help the person on site anyway.
        let capture = opened.map_err(|_| internal("OpenCV cannot open streams"))?;
        // If opening took the whole time, the deadline ended it, not the camera: the stream holds
        // at most a frame from its beginning, which is old by now.
        if !capture.is_opened().unwrap_or(false) || ran_out(began.elapsed(), limit) {
            return Err(not_opened(ffmpeg_log.reason(), began.elapsed(), limit));
        }
        ffmpeg_log.forget();
        let fourcc = number(&capture, CAP_PROP_FOURCC) as u32;
        let codec = codec(fourcc.to_le_bytes())?;
        let mut demuxer = Self {
            info: StreamInfo {
                codec,
                codec_config: None,
                size: opened_size(&capture),
                sample_aspect: SampleAspect::SQUARE,
                transform: Transform::NONE,
                fps: 0.0,
            },
            last_sent: None,
            sets: ParameterSets::new(codec),
            buffer: Mat::default(),
            ffmpeg_log: ffmpeg_log.clone(),
            sequence: open.first_sequence,
            read_limit: open.read_limit,
            pace: uri.is_some_and(|uri| uri.is_hls()).then(Pace::default),
            capture,
        };
        demuxer.info.fps = rate(&demuxer.capture);
        Ok(demuxer)
    }

    /// Reads the parameter sets from the session description.
    fn learn_extradata(&mut self) {
        let index = number(&self.capture, CAP_PROP_CODEC_EXTRADATA_INDEX);
        let mut extradata = Mat::default();
        if index <= 0.0 || !self.capture.retrieve(&mut extradata, index as i32).unwrap_or(false) {
            return;
        }
        if let Ok(bytes) = extradata.data_bytes() {
            self.sets.update(bytes);
            if let Some(sps) = self.sets.sps().and_then(|nal| Sps::parse(self.info.codec, nal)) {
                adopt(&mut self.info, sps);
            }
        }
    }
}

impl Source for Demuxer {
    fn codec(&self) -> Codec {
        self.info.codec
    }

    /// Blocks up to [`Open::read_limit`], which is checked every 0.1 s.
    fn read(&mut self) -> Result<(Option<StreamInfo>, AccessUnit), Failure> {
        loop {
            let began = Instant::now();
            let read = self.capture.read(&mut self.buffer).unwrap_or(false);
            let waited = began.elapsed();
            // After the deadline, `read` may return true for a picture that it had before (OpenCV
            // 4.6).
            if !read || waited >= self.read_limit {
                return Err(ended(self.ffmpeg_log.reason(), waited, self.read_limit));
            }
            if let Some(pace) = &mut self.pace {
                thread::sleep(pace.pause(Instant::now(), waited, self.info.fps));
            }
            let taken = now();
            let flagged = number(&self.capture, CAP_PROP_LRF_HAS_KEY_FRAME) != 0.0;
            if self.last_sent.is_none() {
                self.learn_extradata();
            }
            let bytes = self.buffer.data_bytes().map_err(|_| internal("OpenCV gave a frame that is not bytes"))?;
            if bytes.is_empty() || bytes.len() > MAX_UNIT_LEN {
                continue;
            }
            let key = flagged || nal::is_key(self.info.codec, bytes);
            let whole = !key || self.info.codec == Codec::Jpeg || self.sets.update(bytes);
            let completed = if whole { None } else { Some(self.sets.prepend_to(bytes)) };
            let data = completed.as_deref().unwrap_or(bytes);
            if self.info.codec == Codec::Jpeg {
                self.info.size = jpeg::size(data).unwrap_or(self.info.size);
            } else if let Some(sequence) = key.then(|| Sps::find(self.info.codec, data)).flatten() {
                adopt(&mut self.info, sequence);
            }
            if self.info.size.width == 0 || self.info.size.height == 0 {
                // Not even its size is known yet; a key frame will give it.
                continue;
            }
            let unit = AccessUnit { sequence: self.sequence, taken, key, damage: None, data: data.to_vec().into() };
            self.sequence = self.sequence.wrapping_add(1);
            let news = (self.last_sent != Some(self.info)).then_some(self.info);
            self.last_sent = Some(self.info);
            return Ok((news, unit));
        }
    }
}

/// Copies the values of a sequence parameter set; a rate that is already known stays.
fn adopt(info: &mut StreamInfo, sequence: Sps) {
    info.codec_config = sequence.variant;
    info.size = sequence.size;
    info.sample_aspect = sequence.sample_aspect;
    if info.fps == 0.0 {
        info.fps = sequence.fps.unwrap_or(0.0);
    }
}

fn opened_size(capture: &VideoCapture) -> Size {
    let side = |property| number(capture, property).clamp(0.0, 65_535.0) as u32;
    Size { width: side(CAP_PROP_FRAME_WIDTH), height: side(CAP_PROP_FRAME_HEIGHT) }
}

/// A property; 0 if OpenCV does not know it.
pub(super) fn number(capture: &VideoCapture, property: i32) -> f64 {
    capture.get(property).unwrap_or(0.0)
}

/// Frames per second; 0 if they are not known.
pub(super) fn rate(capture: &VideoCapture) -> f32 {
    let fps = number(capture, CAP_PROP_FPS) as f32;
    if RATES.contains(&fps) { fps } else { 0.0 }
}

pub(super) fn now() -> UnixMicros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// The codec for `fourcc`: the first four letters of FFmpeg's name, or a container's tag.
fn codec(fourcc: [u8; 4]) -> Result<Codec, Failure> {
    match &fourcc.map(|letter| letter.to_ascii_lowercase()) {
        // The last ones are the numbers of MPEG-TS.
        b"h264" | b"avc1" | [0x1b, 0, 0, 0] => Ok(Codec::H264),
        b"hevc" | b"h265" | b"hev1" | b"hvc1" | [0x24, 0, 0, 0] => Ok(Codec::H265),
        b"mjpe" | b"mjpg" | b"jpeg" => Ok(Codec::Jpeg),
        _ => {
            let name: String = fourcc.iter().filter(|b| b.is_ascii_alphanumeric()).map(|&b| char::from(b)).collect();
            let unsupported = Code::UnsupportedCodec.quoted("codec", &name);
            Err(Failure { kind: FailureKind::NoVideo, reason: [unsupported, Code::SetCodec.into()].into() })
        }
    }
}

/// Whether FFmpeg's deadline ended a wait.
fn ran_out(waited: Duration, limit: Duration) -> bool {
    waited + POLL_SLACK >= limit
}

fn not_opened(reason: Option<Failure>, waited: Duration, limit: Duration) -> Failure {
    reason.unwrap_or_else(|| {
        if ran_out(waited, limit) {
            let reason = Code::NoSteadyVideo.with("seconds", limit.as_secs()).into();
            Failure { kind: FailureKind::Unreachable, reason }
        } else {
            Failure { kind: FailureKind::NoVideo, reason: Code::NoVideo.into() }
        }
    })
}

pub(super) fn ended(reason: Option<Failure>, waited: Duration, limit: Duration) -> Failure {
    if ran_out(waited, limit) {
        let reason = Code::NoFrame.with("seconds", limit.as_secs_f64()).into();
        return Failure { kind: FailureKind::Silent, reason };
    }
    let reason = match reason {
        Some(failure) => Reason::from(Code::StreamEndedBecause).and(failure.reason),
        None => Code::CameraEnded.into(),
    };
    Failure { kind: FailureKind::Ended, reason }
}

pub(super) fn internal(text: &str) -> Failure {
    Failure { kind: FailureKind::Internal, reason: Code::Text.with("text", text).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_are_known_by_name_and_tag() {
        assert_eq!(codec(*b"h264").ok(), Some(Codec::H264));
        assert_eq!(codec(*b"HEVC").ok(), Some(Codec::H265));
        assert_eq!(codec(*b"mjpe").ok(), Some(Codec::Jpeg));
        let refused = codec(*b"mpeg").unwrap_err();
        assert!(refused.kind == FailureKind::NoVideo && refused.reason.contains("\"mpeg\""), "{refused:?}");
    }

    #[test]
    fn silence_and_absence_of_video_are_told_apart() {
        assert_eq!(not_opened(None, Duration::from_millis(2950), OPEN_LIMIT).kind, FailureKind::Unreachable);
        assert_eq!(not_opened(None, Duration::from_millis(150), OPEN_LIMIT).kind, FailureKind::NoVideo);
        let denied = Failure { kind: FailureKind::Denied, reason: Code::CheckLogin.into() };
        assert_eq!(not_opened(Some(denied.clone()), OPEN_LIMIT, OPEN_LIMIT), denied);
        let limit = Duration::from_secs(5);
        assert_eq!(
            ended(None, limit, limit),
            Failure { kind: FailureKind::Silent, reason: Code::NoFrame.with("seconds", 5.0).into() }
        );
        assert_eq!(ended(None, Duration::ZERO, limit).reason, "the camera ended the stream");
    }
}
