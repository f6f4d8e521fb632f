//! What FFmpeg says in its log: kept as the reason of a failure, and passed on to the agent's log.
//!
//! OpenCV answers a failed opening with `false`; why it failed stands only in FFmpeg's log, which is
//! shared by everything in the process that uses FFmpeg. Its lines hold addresses and so passwords;
//! nothing leaves here unmasked.

use std::{
    io::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    camera::mask_credentials,
    wire::{Failure, FailureKind},
};

/// Lines passed on per [`WINDOW`]; the rest is counted.
const MOST_LINES: u32 = 5;
const WINDOW: Duration = Duration::from_secs(10);

/// Longer lines are cut, in characters.
const LONGEST_LINE: usize = 300;

/// FFmpeg's `AV_LOG_WARNING`; larger numbers are less important.
const WARNING: i32 = 24;

/// The ear of the worker; clones share what was heard.
#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    reason: Option<Failure>,
    passed: Throttle,
}

impl Heard {
    /// Takes over FFmpeg's log of the whole process.
    pub fn listen() -> Self {
        let heard = Self::default();
        let ear = heard.clone();
        ac_ffmpeg::set_log_callback(move |level, line| ear.hear(level, line));
        heard
    }

    fn hear(&self, level: i32, line: &str) {
        if level > WARNING || line.trim().is_empty() {
            return;
        }
        if let Some(reason) = reason(line) {
            // The first reason is the cause; what follows are its consequences.
            self.state().reason.get_or_insert(reason);
        }
        self.say("ffmpeg", line);
    }

    /// Writes a line to the agent's log, unless there were too many of late.
    pub fn say(&self, who: &str, line: &str) {
        let Some(held_back) = self.state().passed.pass(Instant::now()) else { return };
        let mut text = String::new();
        if held_back > 0 {
            text = format!("worker: {held_back} more lines were held back\n");
        }
        text.push_str(&format!("{who}: {}\n", clean(line)));
        // An agent that is gone cannot be told so.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    /// Why the last opening or reading failed, as far as FFmpeg said.
    pub fn reason(&self) -> Option<Failure> {
        self.state().reason.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `line` without passwords and control characters, cut to a bearable length.
fn clean(line: &str) -> String {
    let masked = mask_credentials(line.trim());
    masked.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_LINE).collect()
}

/// Lets a few lines per window pass.
#[derive(Default)]
struct Throttle {
    began: Option<Instant>,
    passed: u32,
    held_back: u32,
}

impl Throttle {
    /// `None`: hold the line back; else how many were held back before it.
    fn pass(&mut self, now: Instant) -> Option<u32> {
        if self.began.is_none_or(|began| now.saturating_duration_since(began) >= WINDOW) {
            (self.began, self.passed) = (Some(now), 0);
        }
        if self.passed == MOST_LINES {
            self.held_back += 1;
            return None;
        }
        self.passed += 1;
        Some(std::mem::take(&mut self.held_back))
    }
}

/// The failure a line of FFmpeg's log tells of; wordings of libavformat's rtsp.c, tcp.c and udp.c.
fn reason(line: &str) -> Option<Failure> {
    let line = clean(line);
    let (kind, text) = if let Some((method, answer)) =
        line.strip_prefix("method ").and_then(|l| l.split_once(" failed: "))
    {
        let code = answer.split(' ').next().unwrap_or("");
        match code {
            "401" | "403" | "407" => {
                (FailureKind::Denied, format!("the camera refused the login ({answer}); check username and password"))
            }
            "404" | "454" => {
                (FailureKind::Unreachable, format!("the camera knows no such stream ({answer}); check profile or url"))
            }
            "461" => {
                (FailureKind::Unreachable, format!("the camera refused the transport ({answer}); try the other one"))
            }
            _ => (FailureKind::Unreachable, format!("the camera refused {method} ({answer})")),
        }
    } else if let Some((to, why)) = line.strip_prefix("Connection to ").and_then(|l| l.split_once(" failed: ")) {
        let host = to.split_once("://").map_or(to, |(_, rest)| rest).split(['?', '/']).next().unwrap_or("");
        (FailureKind::Unreachable, format!("cannot connect to {host}: {}", why.to_lowercase()))
    } else if let Some((host, why)) = line.strip_prefix("Failed to resolve hostname ").and_then(|l| l.split_once(": "))
    {
        (FailureKind::Unreachable, format!("cannot find the address of {host}: {}", why.to_lowercase()))
    } else if line.starts_with("Nonmatching transport") {
        (FailureKind::Unreachable, "the camera answered with another transport; try the other one".to_owned())
    } else {
        return None;
    };
    Some(Failure { kind, text })
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
            ("method PLAY failed: 503 Service Unavailable", FailureKind::Unreachable, "refused PLAY (503"),
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
            assert!(failure.kind == kind && failure.text.contains(part), "{line}: {failure:?}");
        }
        assert_eq!(reason("concealing 12 DC, 12 AC, 12 MV errors in P frame"), None);
    }

    #[test]
    fn first_reason_is_kept() {
        let heard = Heard::default();
        heard.hear(16, "method DESCRIBE failed: 401 Unauthorized");
        heard.hear(16, "method DESCRIBE failed: 404 Not Found");
        assert_eq!(heard.reason().map(|failure| failure.kind), Some(FailureKind::Denied));
    }

    #[test]
    fn nothing_heard_shows_a_password() {
        let cleaned = clean("Could not open rtsp://u:s3cret@10.0.0.1/x?pwd=s3cret\n");
        assert!(!cleaned.contains("s3cret") && !cleaned.contains('\n'), "{cleaned}");
        assert_eq!(clean(&"x".repeat(1000)).len(), LONGEST_LINE);
    }

    #[test]
    fn flood_of_lines_is_counted_not_passed() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        let passed = (0..100).filter(|_| throttle.pass(start).is_some()).count();
        assert_eq!(passed, MOST_LINES as usize);
        assert_eq!(throttle.pass(start + WINDOW), Some(100 - MOST_LINES));
        assert_eq!(throttle.pass(start + WINDOW), Some(0));
    }
}
