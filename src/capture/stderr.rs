//! What a worker prints: OpenCV's and FFmpeg's own words, taken over into the log.

use std::{
    process::ChildStderr,
    time::{Duration, Instant},
};

use smol::{Async, Timer, future::FutureExt, io::AsyncReadExt};

use crate::camera::{CameraId, mask_credentials};

/// Lines longer than this are cut, in bytes.
const LONGEST_LINE: usize = 500;

/// FFmpeg can print several lines per damaged frame: this many reach the log per [`WINDOW`], the rest
/// is counted.
const LINES_PER_WINDOW: u32 = 3;
const WINDOW: Duration = Duration::from_secs(10);

/// How long a dead worker's last lines are waited for.
const DRAIN: Duration = Duration::from_millis(100);

pub struct Stderr {
    camera: CameraId,
    /// `None` once the pipe has ended.
    pipe: Option<Async<ChildStderr>>,
    line: Vec<u8>,
    last_line: Option<String>,
    window_start: Option<Instant>,
    logged: u32,
    left_out: u64,
}

impl Stderr {
    pub fn new(camera: CameraId, pipe: Option<Async<ChildStderr>>) -> Self {
        Self { camera, pipe, line: Vec::new(), last_line: None, window_start: None, logged: 0, left_out: 0 }
    }

    /// Logs what comes until the pipe ends. May be dropped at any time without losing anything.
    pub async fn pump(&mut self) {
        let mut bytes = [0; 1024];
        while let Some(pipe) = self.pipe.as_mut() {
            match pipe.read(&mut bytes).await {
                Ok(count @ 1..) => self.take(&bytes[..count], Instant::now()),
                Ok(0) | Err(_) => self.pipe = None,
            }
        }
    }

    /// Takes what is left in the pipe of a worker that has ended.
    pub async fn drain(&mut self) {
        let limit = async {
            Timer::after(DRAIN).await;
        };
        self.pump().or(limit).await;
    }

    /// The newest line, credentials masked.
    pub fn last_line(&self) -> Option<String> {
        self.last_line.clone()
    }

    fn take(&mut self, bytes: &[u8], now: Instant) {
        for &byte in bytes {
            if byte == b'\n' || byte == b'\r' {
                self.finish_line(now);
            } else if self.line.len() < LONGEST_LINE {
                self.line.push(byte);
            }
        }
    }

    fn finish_line(&mut self, now: Instant) {
        let line = std::mem::take(&mut self.line);
        let line = mask_credentials(String::from_utf8_lossy(&line).trim());
        if line.is_empty() {
            return;
        }
        if self.window_start.is_none_or(|start| now.saturating_duration_since(start) >= WINDOW) {
            if self.left_out > 0 {
                log::info!("{}: worker: {} more lines left out", self.camera, self.left_out);
            }
            (self.window_start, self.logged, self.left_out) = (Some(now), 0, 0);
        }
        if self.logged < LINES_PER_WINDOW {
            log::info!("{}: worker: {line}", self.camera);
            self.logged += 1;
        } else {
            self.left_out += 1;
        }
        self.last_line = Some(line);
    }
}
