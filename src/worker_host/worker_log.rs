//! Copies a worker's standard error, the messages of OpenCV and FFmpeg, into the log.

use std::{
    io::PipeReader,
    time::{Duration, Instant},
};

use smol::{
    Async, Timer,
    future::{FutureExt, yield_now},
    io::AsyncReadExt,
};

use crate::camera::{CameraId, mask_credentials};

/// Longer lines are cut to this many bytes.
const MAX_LINE_LEN: usize = 500;

/// FFmpeg can print several lines per damaged frame: this many are logged per [`WINDOW`], the rest
/// is counted.
const LINES_PER_WINDOW: u32 = 3;
const WINDOW: Duration = Duration::from_secs(10);

/// Maximum number of bytes read per [`BREATH`]. A library that prints without end then blocks on
/// its own pipe; its worker is useless anyway.
const MAX_BYTES: usize = 64 << 10;
const BREATH: Duration = Duration::from_secs(1);

/// How long the last lines of a dead worker are awaited.
const DRAIN: Duration = Duration::from_millis(100);

pub struct Stderr {
    camera: CameraId,
    /// `None` once the pipe has ended.
    pipe: Option<Async<PipeReader>>,
    line: Vec<u8>,
    last_line: Option<String>,
    window_start: Option<Instant>,
    logged: u32,
    left_out: u64,
    /// When the current [`BREATH`] began, and the bytes read in it.
    rate_window: Option<Instant>,
    breath_bytes: usize,
}

impl Stderr {
    pub fn new(camera: CameraId, pipe: Option<Async<PipeReader>>) -> Self {
        Self {
            camera,
            pipe,
            line: Vec::new(),
            last_line: None,
            window_start: None,
            logged: 0,
            left_out: 0,
            rate_window: None,
            breath_bytes: 0,
        }
    }

    /// Logs the output until the pipe ends. Dropping the future loses nothing.
    pub async fn pump(&mut self) {
        let mut bytes = [0; 1024];
        loop {
            if let Some(rest) = self.out_of_breath(Instant::now()) {
                Timer::at(rest).await;
            }
            let Some(pipe) = self.pipe.as_mut() else { return };
            match pipe.read(&mut bytes).await {
                Ok(count @ 1..) => self.take(&bytes[..count], Instant::now()),
                Ok(0) | Err(_) => self.pipe = None,
            }
            // A pipe that is never empty must not starve other tasks.
            yield_now().await;
        }
    }

    /// Until when nothing is read, if too much was read.
    fn out_of_breath(&mut self, now: Instant) -> Option<Instant> {
        let rested = self.rate_window.map(|began| began + BREATH).filter(|&rested| now < rested);
        if rested.is_none() {
            (self.rate_window, self.breath_bytes) = (Some(now), 0);
        }
        rested.filter(|_| self.breath_bytes >= MAX_BYTES)
    }

    /// Reads the rest of the pipe of a worker that has ended.
    pub async fn drain(&mut self) {
        let limit = async {
            Timer::after(DRAIN).await;
        };
        self.pump().or(limit).await;
    }

    /// The newest line, with credentials masked.
    pub fn last_line(&self) -> Option<String> {
        self.last_line.clone()
    }

    fn take(&mut self, bytes: &[u8], now: Instant) {
        self.breath_bytes += bytes.len();
        for &byte in bytes {
            if byte == b'\n' || byte == b'\r' {
                self.finish_line(now);
            } else if self.line.len() < MAX_LINE_LEN {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worker_that_prints_without_end_is_read_a_little_every_second() {
        let (mut stderr, start) = (Stderr::new(CameraId::new("gate").unwrap(), None), Instant::now());
        let mut taken = 0;
        while stderr.out_of_breath(start).is_none() && taken < 1 << 20 {
            stderr.take(&[b'x'; 1024], start);
            taken += 1024;
        }
        assert_eq!(taken, MAX_BYTES);
        assert_eq!(stderr.out_of_breath(start), Some(start + BREATH));
        assert_eq!(stderr.out_of_breath(start + BREATH), None);
    }
}
