//! A camera at this machine, read with OpenCV from Video4Linux: its pictures as JPEG.
//!
//! A device that compresses itself, as most USB cameras do, gives JPEG that is passed on as it is. The
//! raw pictures of all others are compressed here.

use std::{
    fs::File,
    io,
    time::{Duration, Instant},
};

use nix::time::{ClockId, clock_gettime};

use opencv::{
    core::{CV_8UC3, LogLevel, Mat, MatTraitConst, MatTraitConstManual, set_log_level},
    videoio::{
        CAP_PROP_CONVERT_RGB, CAP_PROP_FOURCC, CAP_PROP_FPS, CAP_PROP_FRAME_HEIGHT, CAP_PROP_FRAME_WIDTH,
        CAP_PROP_POS_MSEC, CAP_V4L2, VideoCapture, VideoCaptureTrait, VideoCaptureTraitConst,
    },
};
use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};

use cctv_agent::{
    camera::VideoDevice,
    ipc::{Failure, FailureKind, Open},
    media::{
        AccessUnit, Codec, SampleAspect, Size, StreamInfo,
        jpeg_scan::{Found, Scanner},
        transform::Transform,
    },
    text::{Code, Reason},
};

use super::{
    Source,
    demuxer::{MAX_UNIT_LEN, ended, internal, now, number, rate},
};

/// FOURCC of a device that gives JPEG.
const MJPG: [u8; 4] = *b"MJPG";

/// What is asked for where the address names no size: width and height. JPEG of that size fits into the
/// 480 Mbit/s of USB 2 at 30 pictures a second; raw pictures do at the second one.
const SIZES: [(u32, u32); 2] = [(1280, 720), (640, 480)];

/// Seconds. A picture that seems to have waited longer has the time of another clock.
const LONGEST_WAIT: f64 = 60.0;

/// An open device.
pub struct Device {
    capture: VideoCapture,
    buffer: Mat,
    /// Compresses the pictures of a device that gives raw ones.
    compressor: Option<Compressor>,
    info: StreamInfo,
    last_sent: Option<StreamInfo>,
    sequence: u32,
    read_limit: Duration,
}

impl Device {
    /// Opens the device and chooses a format.
    ///
    /// # Errors
    /// Why it gives no pictures.
    ///
    /// # Blocking
    /// While the driver sets the device up, usually some 100 ms.
    pub fn open(device: VideoDevice<'_>, open: &Open) -> Result<Self, Failure> {
        let _ = set_log_level(LogLevel::LOG_LEVEL_SILENT);
        // OpenCV only says that it failed.
        if let Err(error) = File::options().read(true).write(true).open(device.path) {
            return Err(absent(device.path, &error));
        }
        let not_one = || {
            let reason = [Code::NoVideoDevice.with("device", device.path), Code::CheckVideoDevice.into()];
            Failure { kind: FailureKind::NoVideo, reason: reason.into() }
        };
        let mut capture = VideoCapture::from_file(device.path, CAP_V4L2).map_err(|_| not_one())?;
        if !capture.is_opened().unwrap_or(false) {
            return Err(not_one());
        }
        set(&mut capture, CAP_PROP_FOURCC, f64::from(u32::from_le_bytes(MJPG)));
        let is_jpeg = (number(&capture, CAP_PROP_FOURCC) as u32).to_le_bytes() == MJPG;
        let (width, height) = device.size.unwrap_or(SIZES[usize::from(!is_jpeg)]);
        set(&mut capture, CAP_PROP_FRAME_WIDTH, width.into());
        set(&mut capture, CAP_PROP_FRAME_HEIGHT, height.into());
        if let Some(fps) = device.fps {
            set(&mut capture, CAP_PROP_FPS, fps.into());
        }
        let compressor = if is_jpeg {
            capture.set(CAP_PROP_CONVERT_RGB, 0.0).map_err(|_| not_one())?;
            None
        } else {
            Some(compressor(open.default_quality).map_err(|_| internal("no JPEG encoder can be made"))?)
        };
        let info = StreamInfo {
            codec: Codec::Jpeg,
            codec_config: None,
            size: Size { width: 0, height: 0 },
            sample_aspect: SampleAspect::SQUARE,
            transform: Transform::NONE,
            fps: rate(&capture),
        };
        Ok(Self {
            capture,
            buffer: Mat::default(),
            compressor,
            info,
            last_sent: None,
            sequence: open.first_sequence,
            read_limit: open.read_limit,
        })
    }

    /// The JPEG of the picture in the buffer, and its size; `None` if it holds none that is whole.
    fn jpeg(&mut self) -> Option<(Vec<u8>, Size)> {
        let Some(compressor) = &mut self.compressor else {
            let bytes = self.buffer.data_bytes().ok()?;
            // The buffer is as long as the longest picture.
            return match Scanner::default().scan(bytes) {
                Found::Whole { len, size } => Some((bytes[..len].to_vec(), size)),
                Found::More | Found::Broken | Found::NotJpeg => None,
            };
        };
        let (width, height) = (self.buffer.cols(), self.buffer.rows());
        if self.buffer.typ() != CV_8UC3 || !self.buffer.is_continuous() {
            return None;
        }
        let (columns, rows) = (usize::try_from(width).ok()?, usize::try_from(height).ok()?);
        let pixels = self.buffer.data_bytes().ok()?;
        let image = Image { pixels, width: columns, pitch: 3 * columns, height: rows, format: PixelFormat::BGR };
        let jpeg = compressor.compress_to_vec(image).ok()?;
        Some((jpeg, Size { width: u32::try_from(width).ok()?, height: u32::try_from(height).ok()? }))
    }
}

impl Source for Device {
    fn codec(&self) -> Codec {
        Codec::Jpeg
    }

    /// Blocks until the driver gives the next picture, and for the limit that `ipc::environment` sets.
    fn read(&mut self) -> Result<(Option<StreamInfo>, AccessUnit), Failure> {
        loop {
            let began = Instant::now();
            if !self.capture.read(&mut self.buffer).unwrap_or(false) {
                return Err(ended(None, began.elapsed(), self.read_limit));
            }
            let taken = now().saturating_sub(waited_in_driver(number(&self.capture, CAP_PROP_POS_MSEC)));
            // A USB camera sends the first pictures, and those that lost a packet, in part.
            let Some((jpeg, size)) = self.jpeg().filter(|(jpeg, _)| jpeg.len() <= MAX_UNIT_LEN) else { continue };
            self.info.size = size;
            let unit = AccessUnit { sequence: self.sequence, taken, key: true, damage: None, data: jpeg.into() };
            self.sequence = self.sequence.wrapping_add(1);
            let news = (self.last_sent != Some(self.info)).then_some(self.info);
            self.last_sent = Some(self.info);
            return Ok((news, unit));
        }
    }
}

/// How long ago, in microseconds, the driver got a picture with this time stamp: milliseconds of the monotonic
/// clock, as nearly all drivers give them; 0 for another clock.
fn waited_in_driver(stamp: f64) -> u64 {
    let Ok(now) = clock_gettime(ClockId::CLOCK_MONOTONIC) else { return 0 };
    let age = Duration::from(now).as_secs_f64() - stamp / 1000.0;
    // The driver has room for four pictures.
    if stamp > 0.0 && (0.0..LONGEST_WAIT).contains(&age) { (age * 1e6) as u64 } else { 0 }
}

/// Asks for a property. A driver takes what comes near without a word.
fn set(capture: &mut VideoCapture, property: i32, value: f64) {
    let _ = capture.set(property, value);
}

fn compressor(quality: u8) -> turbojpeg::Result<Compressor> {
    let mut compressor = Compressor::new()?;
    compressor.set_quality(quality.into())?;
    compressor.set_subsamp(Subsamp::Sub2x2)?;
    Ok(compressor)
}

/// Why the file of a device cannot be opened.
fn absent(path: &str, error: &io::Error) -> Failure {
    let reason: Reason = match error.kind() {
        io::ErrorKind::NotFound => {
            [Code::VideoDeviceMissing.with("device", path), Code::CheckVideoDevice.into()].into()
        }
        io::ErrorKind::PermissionDenied => {
            [Code::VideoDeviceDenied.with("device", path), Code::AddToVideoGroup.into()].into()
        }
        _ => {
            let part = Code::VideoDeviceFailed.with("device", path).with("error", error.to_string());
            [part, Code::CheckVideoDevice.into()].into()
        }
    };
    Failure { kind: FailureKind::Unreachable, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picture_is_as_old_as_the_drivers_stamp_says_if_it_is_of_the_same_clock() {
        let now = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap()).as_secs_f64() * 1000.0;
        let waited = waited_in_driver(now - 120.0);
        assert!((120_000..1_000_000).contains(&waited), "{waited}");
        for other in [0.0, -1.0, now + 5000.0, 1.7e12] {
            assert_eq!(waited_in_driver(other), 0, "{other}");
        }
    }

    #[test]
    fn what_is_no_device_is_told_with_what_would_help() {
        let told = |kind| absent("/dev/video7", &io::Error::from(kind)).reason.to_string();
        assert!(told(io::ErrorKind::NotFound).starts_with("/dev/video7 is not there; check the cable"));
        assert!(told(io::ErrorKind::PermissionDenied).contains("the group video"));
        assert!(told(io::ErrorKind::ResourceBusy).starts_with("cannot open /dev/video7: resource busy"));
    }
}
