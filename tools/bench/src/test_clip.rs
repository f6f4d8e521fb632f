//! The test clip that every camera of the bench plays: drawn and encoded once, so that a camera
//! costs next to nothing during a measurement.
//!
//! A textured scene that pans, with sensor noise, which is what makes real cameras reach their bit
//! rate. Each frame is stamped with its number; the time comes from the playback server.

use std::{
    fs,
    io::{Read, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
};

use turbojpeg::{Compressor, OutputBuf, Subsamp, YuvPlanesImage};

use crate::Result;

/// Frames per second of every camera in the bench.
pub const FPS: u32 = 25;
/// Frames from one key frame to the next; the clip's length is a multiple of it.
pub const GOP: usize = 50;
/// kbit/s of an H.264 clip of 1920x1080; other sizes get a share by area.
const BITRATE: usize = 4000;
/// JPEG quality of the Motion JPEG clip, about the default of real cameras.
const CAMERA_QUALITY: i32 = 75;
/// How far the scene moves from frame to frame, in pixels.
const PAN: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    H264,
    Jpeg,
}

#[derive(Debug)]
pub struct Clip {
    pub kind: Kind,
    pub width: usize,
    pub height: usize,
    /// Access units in Annex B with parameter sets before key frames, or JPEGs.
    pub frames: Vec<Vec<u8>>,
}

impl Clip {
    /// Draws and encodes `count` frames. The program `ffmpeg` encodes H.264.
    ///
    /// # Errors
    /// If `ffmpeg` is missing or returns another number of frames.
    pub fn make(kind: Kind, width: usize, height: usize, count: usize) -> Result<Self> {
        let scene = Scene::new(width, height, kind);
        let frames = match kind {
            Kind::H264 => h264(scene, count)?,
            Kind::Jpeg => {
                (0..count).map(|frame| jpeg(&mut scene.frame(frame), width, height)).collect::<Result<_>>()?
            }
        };
        if frames.len() != count {
            return Err(format!("{} frames were encoded of {count}", frames.len()).into());
        }
        Ok(Self { kind, width, height, frames })
    }

    /// Writes the frames with their lengths, for [`Clip::load`].
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut bytes = Vec::new();
        for frame in &self.frames {
            bytes.extend(u32::try_from(frame.len())?.to_le_bytes());
            bytes.extend(frame);
        }
        Ok(fs::write(path, bytes)?)
    }

    /// The frames of a saved clip.
    ///
    /// # Errors
    /// If the file contains no clip.
    pub fn load(path: &Path) -> Result<Vec<Vec<u8>>> {
        let bytes = fs::read(path)?;
        let (mut rest, mut frames) = (&bytes[..], Vec::new());
        while let Some((length, more)) = rest.split_first_chunk() {
            let (frame, more) =
                more.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or("a clip cut short")?;
            frames.push(frame.to_vec());
            rest = more;
        }
        Ok(frames)
    }

    pub fn kilobits(&self) -> f64 {
        let bytes: usize = self.frames.iter().map(Vec::len).sum();
        bytes as f64 * 8.0 / 1000.0 * f64::from(FPS) / self.frames.len() as f64
    }
}

/// Planes of one 4:2:0 picture, one after the other.
type Picture = Vec<u8>;

struct Scene {
    width: usize,
    height: usize,
    /// Luma of a landscape wider than the picture by the whole pan.
    landscape: Vec<u8>,
    landscape_width: usize,
    black: u8,
    white: u8,
}

impl Scene {
    fn new(width: usize, height: usize, kind: Kind) -> Self {
        let landscape_width = width * 2;
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        // Hills of several sizes: each layer is random levels with linear interpolation between
        // them.
        let mut sums = vec![0_i32; landscape_width * height];
        for (cell, weight) in [(8, 10), (24, 24), (96, 50), (320, 70)] {
            let columns = landscape_width / cell + 2;
            let levels: Vec<i32> =
                (0..columns * (height / cell + 2)).map(|_| (random.next() & 0xff) as i32 - 128).collect();
            for y in 0..height {
                let (row, down) = (y / cell, (y % cell) as i32);
                for x in 0..landscape_width {
                    let (column, across, cell) = (x / cell, (x % cell) as i32, cell as i32);
                    let at = |row: usize, column: usize| levels[row * columns + column];
                    let top = at(row, column) * (cell - across) + at(row, column + 1) * across;
                    let bottom = at(row + 1, column) * (cell - across) + at(row + 1, column + 1) * across;
                    sums[y * landscape_width + x] += (top * (cell - down) + bottom * down) / (cell * cell) * weight;
                }
            }
        }
        let landscape = sums.iter().map(|sum| (124 + sum / 160).clamp(24, 228) as u8).collect();
        let (black, white) = if kind == Kind::Jpeg { (0, 255) } else { (16, 235) };
        Self { width, height, landscape, landscape_width, black, white }
    }

    fn frame(&self, number: usize) -> Picture {
        let (width, height) = (self.width, self.height);
        // When the clip repeats there is a cut, on a key frame.
        let shift = (number * PAN) % width;
        let mut random = Random(number as u64 + 1);
        let mut picture = Vec::with_capacity(width * height * 3 / 2);
        for y in 0..height {
            let row = &self.landscape[y * self.landscape_width + shift..][..width];
            for eight in row.chunks(8) {
                let noise = random.next().to_le_bytes();
                picture.extend(eight.iter().zip(noise).map(|(luma, noise)| luma + (noise & 3) + (noise >> 6)));
            }
        }
        for (plane, phase) in [(0, 0), (1, 90)] {
            for y in 0..height / 2 {
                let level = 128 + ((y + number + phase) / 8 % 40) as u8 - 20 + plane;
                picture.extend((0..width / 2).map(|x| level + (x / 64 % 8) as u8));
            }
        }
        let (x, y, stamp_width, stamp_height) = stamp::area(width, height);
        for plane in 0..2 {
            let start = width * height + plane * width * height / 4;
            for row in y / 2..(y + stamp_height) / 2 {
                picture[start + row * (width / 2) + x / 2..][..stamp_width / 2].fill(128);
            }
        }
        let stamp = stamp::Stamp { frame: number as u32, unix_ms: 0 };
        stamp::write(&mut picture[..width * height], width, height, width, self.black, self.white, stamp);
        picture
    }
}

/// xorshift64*: the same noise in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

fn h264(scene: Scene, count: usize) -> Result<Vec<Vec<u8>>> {
    let size = format!("{}x{}", scene.width, scene.height);
    let rate = format!("{}k", BITRATE * scene.width * scene.height / (1920 * 1080));
    let (fps, gop) = (FPS.to_string(), GOP.to_string());
    let mut encoder = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", &size, "-r", &fps, "-i", "-"])
        .args(["-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-bf", "0", "-refs", "1"])
        .args(["-b:v", &rate, "-maxrate", &rate, "-bufsize", &rate, "-g", &gop, "-keyint_min", &gop])
        .args(["-sc_threshold", "0", "-x264-params", "sliced-threads=0:repeat-headers=1:aud=1"])
        .args(["-colorspace", "bt709", "-color_range", "tv", "-f", "h264", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("ffmpeg: {error}"))?;
    let mut stdin = encoder.stdin.take().ok_or("no way into ffmpeg")?;
    let writer = thread::spawn(move || (0..count).try_for_each(|frame| stdin.write_all(&scene.frame(frame))));
    let mut stream = Vec::new();
    encoder.stdout.take().ok_or("no way out of ffmpeg")?.read_to_end(&mut stream)?;
    writer.join().map_err(|_| "the painter panicked")??;
    encoder.wait()?;
    Ok(units(&stream))
}

/// Splits a stream at its access unit delimiters, which most cameras do not send, and drops them.
fn units(stream: &[u8]) -> Vec<Vec<u8>> {
    const DELIMITER: u8 = 9;
    let mut units: Vec<Vec<u8>> = Vec::new();
    for nal in cctv_agent::h26x::nal::split(stream) {
        if nal.first().is_some_and(|head| head & 0x1f == DELIMITER) {
            units.push(Vec::new());
        } else if let Some(unit) = units.last_mut() {
            unit.extend([0, 0, 0, 1]);
            unit.extend(nal);
        }
    }
    units
}

fn jpeg(picture: &mut Picture, width: usize, height: usize) -> Result<Vec<u8>> {
    let (luma, chroma) = picture.split_at(width * height);
    let (blue, red) = chroma.split_at(width * height / 4);
    let mut compressor = Compressor::new()?;
    compressor.set_quality(CAMERA_QUALITY)?;
    let image = YuvPlanesImage {
        y_plane: luma,
        u_plane: blue,
        v_plane: red,
        width,
        height,
        y_stride: width,
        u_stride: width / 2,
        v_stride: width / 2,
        subsamp: Subsamp::Sub2x2,
    };
    let mut output = OutputBuf::new_owned();
    compressor.compress_yuv_planes(&image, &mut output)?;
    Ok(output.to_vec())
}
