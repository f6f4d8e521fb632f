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

use crate::{
    camera::{CameraId, mask_credentials},
    rate_window::{RateWindow, Throttle},
};

/// Longer lines are cut to this many bytes.
const MAX_LINE_LEN: usize = 500;

/// FFmpeg can print several lines per damaged frame: this many are logged per [`WINDOW`], the rest
/// is counted.
const MAX_LINES: u64 = 3;
const WINDOW: Duration = Duration::from_secs(10);

/// Maximum number of bytes read per [`READ_WINDOW`]. A library that prints without end then blocks on
/// its own pipe; its worker is useless anyway.
const MAX_BYTES: u64 = 64 << 10;
const READ_WINDOW: Duration = Duration::from_secs(1);

/// How long the last lines of a dead worker are awaited.
const DRAIN: Duration = Duration::from_millis(100);

pub struct Stderr {
    camera: CameraId,
    /// `None` once the pipe has ended.
    pipe: Option<Async<PipeReader>>,
    line: Vec<u8>,
    last_line: Option<String>,
    /// Lines logged.
    throttle: Throttle,
    /// Bytes read.
    bytes: RateWindow,
}

impl Stderr {
    pub fn new(camera: CameraId, pipe: Option<Async<PipeReader>>) -> Self {
        Self {
            camera,
            pipe,
            line: Vec::new(),
            last_line: None,
            throttle: Throttle::new(MAX_LINES, WINDOW),
            bytes: RateWindow::new(READ_WINDOW),
        }
    }

    /// Logs the output until the pipe ends. Dropping the future loses nothing.
    pub async fn pump(&mut self) {
        let mut bytes = [0; 1024];
        loop {
            if let Some(end) = self.paused_until(Instant::now()) {
                Timer::at(end).await;
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
    fn paused_until(&mut self, now: Instant) -> Option<Instant> {
        let is_exceeded = self.bytes.sum(now) >= MAX_BYTES;
        self.bytes.end().filter(|_| is_exceeded)
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
        self.bytes.add(bytes.len() as u64, now);
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
        if let Some(left_out) = self.throttle.pass(now) {
            if left_out > 0 {
                log::info!("{}: worker: {left_out} more lines were left out", self.camera);
            }
            log::info!("{}: worker: {line}", self.camera);
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
        while stderr.paused_until(start).is_none() && taken < 1 << 20 {
            stderr.take(&[b'x'; 1024], start);
            taken += 1024;
        }
        assert_eq!(taken, MAX_BYTES);
        assert_eq!(stderr.paused_until(start), Some(start + READ_WINDOW));
        assert_eq!(stderr.paused_until(start + READ_WINDOW), None);
    }
}
