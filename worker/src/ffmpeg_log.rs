//! Collects FFmpeg's log messages: as the reason of a failure, and for the agent's log.
//!
//! OpenCV only returns `false` if opening fails; the reason is in FFmpeg's log alone, which is
//! shared by everything in the process that uses FFmpeg. Its lines contain addresses and so
//! passwords; everything is masked before it leaves this module.

use std::{
    cell::Cell,
    io::Write,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use cctv_agent::{
    camera::mask_credentials,
    ipc::{Failure, FailureKind},
    rate_window::Throttle,
    sync::{Mutex, MutexGuard},
    text::{Code, is_hidden},
};

/// Lines passed on per [`WINDOW`]; the rest is counted.
const MAX_LINES: u64 = 5;
const WINDOW: Duration = Duration::from_secs(10);

/// Longer lines are cut to this many characters.
const MAX_LINE_LEN: usize = 300;

/// FFmpeg's `AV_LOG_WARNING`; larger numbers are less important.
const WARNING: i32 = 24;

/// The beginnings of the lines by which decoders report that they filled in or concealed missing
/// parts of a picture. The wording is from libavcodec's error_resilience.c, h264_slice.c,
/// h264_refs.c, hevc_refs.c, hevcdec.c and hevc_cabac.c. Messages about data around the picture are
/// not included: cameras put unusual things there.
const DAMAGE: [&str; 9] = [
    "concealing ",
    "error while decoding MB ",
    "Missing reference picture",
    "Could not find ref with POC",
    "First slice in a frame missing",
    "Two slices reporting being the first",
    "Previous slice segment missing",
    "Invalid slice segment address",
    "CABAC_MAX_BIN",
];

/// The receiver of FFmpeg's log, of which a process has one.
static LOG: OnceLock<FfmpegLog> = OnceLock::new();

thread_local! {
    static DAMAGED: Cell<bool> = const { Cell::new(false) };
    static SILENT: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` and ignores what FFmpeg logs on this thread meanwhile.
pub fn muted<T>(work: impl FnOnce() -> T) -> T {
    SILENT.set(true);
    let done = work();
    SILENT.set(false);
    done
}

/// Whether FFmpeg has reported a damaged picture on this thread since the last call.
/// [`FfmpegLog::listen`] must have been called.
///
/// FFmpeg also marks such pictures (`decode_error_flags`), but not all of them, and the crate does
/// not expose the mark.
pub fn take_decode_errors() -> bool {
    DAMAGED.take()
}

/// What FFmpeg appends to a message about something unsupported, and the extra line that follows:
/// nothing that a person in front of the wall can do.
const REQUEST: &str = ". Update your FFmpeg version";
const BEGGING: &str = "If you want to help, upload a sample";

/// Parts of the lines about sound, whose decoders are not allowed (`ipc::environment`). The reader says itself
/// which codec it does not know if that is the one of the picture.
const NOT_ALLOWED: [&str; 4] = [
    ") not on whitelist '",
    "Failed to open codec in avformat_find_stream_info",
    " (Audio: ",
    "Consider increasing the value for the 'analyzeduration'",
];

/// The worker's log receiver; clones share the collected messages.
#[derive(Clone, Default)]
pub struct FfmpegLog(Arc<Mutex<State>>);

struct State {
    reason: Option<Failure>,
    throttle: Throttle,
}

impl Default for State {
    fn default() -> Self {
        Self { reason: None, throttle: Throttle::new(MAX_LINES, WINDOW) }
    }
}

impl FfmpegLog {
    /// Receives FFmpeg's log of the whole process; further calls return the same receiver.
    pub fn listen() -> Self {
        let begin = || {
            let ffmpeg_log = Self::default();
            let ear = ffmpeg_log.clone();
            ac_ffmpeg::set_log_callback(move |level, line| ear.hear(level, line));
            ffmpeg_log
        };
        LOG.get_or_init(begin).clone()
    }

    fn hear(&self, level: i32, line: &str) {
        if SILENT.get() {
            return;
        }
        if DAMAGE.iter().any(|damage| line.starts_with(damage)) {
            // FFmpeg logs on the thread that calls it, as long as its decoders have one thread.
            DAMAGED.set(true);
        }
        let line = line.split_once(REQUEST).map_or(line, |(what, _)| what);
        if level > WARNING || line.trim().is_empty() || line.starts_with(BEGGING) || is_about_sound(line) {
            return;
        }
        if let Some(reason) = reason(line) {
            // The first reason is the cause; later ones are its consequences.
            self.state().reason.get_or_insert(reason);
        }
        self.say("ffmpeg", line);
    }

    /// Writes a line to the agent's log, unless there were too many recently.
    pub fn say(&self, who: &str, line: &str) {
        let Some(held_back) = self.state().throttle.pass(Instant::now()) else { return };
        let mut text = String::new();
        if held_back > 0 {
            text = format!("{held_back} more lines were held back\n");
        }
        text.push_str(&format!("{who}: {}\n", clean(line)));
        // An agent that has ended needs no report.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    /// Forgets what has failed so far: the stream is open all the same.
    pub fn forget(&self) {
        self.state().reason = None;
    }

    /// Why the last opening or reading failed, as far as FFmpeg reported it.
    pub fn reason(&self) -> Option<Failure> {
        self.state().reason.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

fn is_about_sound(line: &str) -> bool {
    NOT_ALLOWED.iter().any(|part| line.contains(part))
}

/// `line` without passwords and control characters, cut to a limited length.
fn clean(line: &str) -> String {
    let masked = mask_credentials(line.trim());
    masked.chars().map(|c| if is_hidden(c) { ' ' } else { c }).take(MAX_LINE_LEN).collect()
}

/// The failure that a line of FFmpeg's log reports; the wording is from libavformat's rtsp.c, http.c, tcp.c
/// and udp.c.
fn reason(line: &str) -> Option<Failure> {
    let line = clean(line);
    let unreachable = FailureKind::Unreachable;
    let by_rtsp = line.strip_prefix("method ").and_then(|l| l.split_once(" failed: "));
    let by_http = || Some(("GET", line.strip_prefix("HTTP error ")?));
    let (kind, reason) = if let Some((method, answer)) = by_rtsp.or_else(by_http) {
        let answered = |code: Code| code.with("answer", answer);
        match answer.split(' ').next().unwrap_or("") {
            "401" | "403" | "407" => {
                (FailureKind::Denied, [answered(Code::StreamLoginRefused), Code::CheckLogin.into()].into())
            }
            "404" | "454" => (unreachable, [answered(Code::NoSuchStream), Code::CheckProfileOrUrl.into()].into()),
            "461" => (unreachable, [answered(Code::TransportRefused), Code::TryOtherTransport.into()].into()),
            // The status of cameras whose sessions are all in use; 453 is "not enough bandwidth".
            "453" | "503" => {
                (unreachable, [answered(Code::NoRoom).with("method", method), Code::CloseOthers.into()].into())
            }
            _ => (unreachable, answered(Code::MethodRefused).with("method", method).into()),
        }
    } else if let Some((to, why)) = line.strip_prefix("Connection to ").and_then(|l| l.split_once(" failed: ")) {
        let host = to.split_once("://").map_or(to, |(_, rest)| rest).split(['?', '/']).next().unwrap_or("");
        match why.to_lowercase() {
            refused if refused == "connection refused" => {
                (unreachable, Code::ConnectionRefused.with("host", host).into())
            }
            error => (unreachable, Code::CannotConnect.with("host", host).with("error", error).into()),
        }
    } else if let Some((host, why)) = line.strip_prefix("Failed to resolve hostname ").and_then(|l| l.split_once(": "))
    {
        (unreachable, Code::CannotResolve.with("host", host).with("error", why.to_lowercase()).into())
    } else if line.starts_with("Nonmatching transport") {
        (unreachable, [Code::OtherTransport, Code::TryOtherTransport].into())
    } else {
        return None;
    };
    Some(Failure { kind, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_told_in_words_for_the_person_on_site() {
        let cases = [
            ("method DESCRIBE failed: 401 Unauthorized\n", FailureKind::Denied, "login"),
            ("method SETUP failed: 403 Forbidden", FailureKind::Denied, "403 Forbidden"),
            ("method DESCRIBE failed: 404 Not Found", FailureKind::Unreachable, "no such stream"),
            ("method SETUP failed: 461 Unsupported transport", FailureKind::Unreachable, "transport"),
            ("method PLAY failed: 503 Service Unavailable", FailureKind::Unreachable, "no room for another viewer"),
            ("method SETUP failed: 453 Not Enough Bandwidth", FailureKind::Unreachable, "(SETUP: 453 Not"),
            ("method PLAY failed: 500 Internal Server Error", FailureKind::Unreachable, "refused PLAY (500"),
            ("HTTP error 404 Not Found", FailureKind::Unreachable, "no such stream (404 Not Found)"),
            ("HTTP error 401 Unauthorized", FailureKind::Denied, "login"),
            ("HTTP error 500 Internal Server Error", FailureKind::Unreachable, "refused GET (500"),
            (
                "Connection to tcp://10.0.0.1:554?timeout=0 failed: Connection refused\n",
                FailureKind::Unreachable,
                "cannot connect to 10.0.0.1:554: connection refused",
            ),
            (
                "Failed to resolve hostname cam.lan: Name or service not known",
                FailureKind::Unreachable,
                "of cam.lan: name",
            ),
        ];
        for (line, kind, part) in cases {
            let failure = reason(line).unwrap();
            assert!(failure.kind == kind && failure.reason.contains(part), "{line}: {failure:?}");
        }
        assert_eq!(reason("concealing 12 DC, 12 AC, 12 MV errors in P frame"), None);
    }

    #[test]
    fn damage_is_heard_once_and_only_on_its_own_thread() {
        let ffmpeg_log = FfmpegLog::default();
        ffmpeg_log.hear(32, "concealing 300 DC, 300 AC, 300 MV errors in P frame");
        std::thread::spawn(|| assert!(!take_decode_errors())).join().unwrap();
        assert!(take_decode_errors() && !take_decode_errors());
        ffmpeg_log.hear(16, "SEI type 5 size 2208 truncated at 1920");
        assert!(!take_decode_errors());
    }

    #[test]
    fn advice_to_those_who_build_ffmpeg_is_not_passed_on() {
        let ffmpeg_log = FfmpegLog::default();
        let passed = |line| {
            let before = ffmpeg_log.state().throttle.passed();
            ffmpeg_log.hear(WARNING, line);
            ffmpeg_log.state().throttle.passed() > before
        };
        assert!(passed(
            "SEI type 195 size 888 is not implemented. Update your FFmpeg version to the newest one from Git."
        ));
        assert!(!passed("If you want to help, upload a sample of this file to https://streams.videolan.org/upload/"));
        assert!(!passed(". Update your FFmpeg version to the newest one from Git."));
    }

    #[test]
    fn first_reason_is_kept() {
        let ffmpeg_log = FfmpegLog::default();
        ffmpeg_log.hear(16, "method DESCRIBE failed: 401 Unauthorized");
        ffmpeg_log.hear(16, "method DESCRIBE failed: 404 Not Found");
        assert_eq!(ffmpeg_log.reason().map(|failure| failure.kind), Some(FailureKind::Denied));
        ffmpeg_log.forget();
        assert_eq!(ffmpeg_log.reason(), None);
    }

    #[test]
    fn nothing_heard_shows_a_password() {
        let cleaned = clean("Could not open rtsp://u:s3cret@10.0.0.1/x?pwd=s3cret\n");
        assert!(!cleaned.contains("s3cret") && !cleaned.contains('\n'), "{cleaned}");
        assert_eq!(clean(&"x".repeat(1000)).len(), MAX_LINE_LEN);
    }

    #[test]
    fn sound_that_is_not_decoded_is_no_news() {
        for line in [
            "Codec (pcm_alaw) not on whitelist 'h264,hevc,mjpeg'",
            "Failed to open codec in avformat_find_stream_info",
            "Could not find codec parameters for stream 1 (Audio: pcm_alaw, 8000 Hz, 0 channels): unspecified",
        ] {
            assert!(is_about_sound(line), "{line}");
        }
        assert!(!is_about_sound("Could not find codec parameters for stream 0 (Video: h264): unspecified size"));
    }
}
