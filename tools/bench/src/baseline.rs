//! The baseline: only the work that every picture needs, at the camera's frame rate.
//!
//! Runs as a process of its own, so that it is measured like the others. It writes one byte to
//! standard output for each picture made.

use std::{
    io::Write,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use cctv_agent::media::{AccessUnit, Codec, Rendition, Size, transform::Transform};
use cctv_worker::{
    decoder::Decoder,
    planes::{YuvBuffer, YuvPlanes},
    transcoder::Transcoder,
};
use turbojpeg::{Compressor, OutputBuf};

use crate::{
    Result,
    test_clip::{Clip, FPS},
};

/// The JPEG quality that all programs use.
const QUALITY: u8 = 80;

/// `bare`: decode, and compress the planes as decoded, or, for a smaller size, planes that were
/// scaled once. Otherwise all that the worker does to a picture, including scaling and colour
/// conversion.
///
/// # Errors
/// If the file contains no clip; also ends with an error when the reader of its output is gone.
pub fn run(clip: &Path, size: (usize, usize), bare: bool) -> Result<()> {
    let frames = Clip::load(clip)?;
    let size = Size { width: size.0 as u32, height: size.1 as u32 };
    let mut make = if bare { bare_maker(size)? } else { full_maker(size) };
    let mut out = std::io::stdout();
    let mut due = Instant::now();
    loop {
        for (number, frame) in frames.iter().enumerate() {
            for _ in 0..make(number, frame)? {
                out.write_all(&[0])?;
                out.flush()?;
            }
            due = (due + Duration::from_secs(1) / FPS).max(Instant::now());
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
}

/// Takes the next frame of the clip and returns how many pictures it made.
type Maker = Box<dyn FnMut(usize, &[u8]) -> Result<usize>>;

fn bare_maker(size: Size) -> Result<Maker> {
    let (mut decoder, mut compressor) = (Decoder::new(Codec::H264)?, Compressor::new()?);
    let mut small: Option<YuvBuffer> = None;
    compressor.set_quality(i32::from(QUALITY))?;
    let mut output = OutputBuf::new_owned();
    Ok(Box::new(move |number, frame| {
        decoder.push(frame, number as u64)?;
        let mut pictures = 0;
        while let Some(picture) = decoder.take()? {
            picture.with_planes(None, |planes: &YuvPlanes, _| -> Result<()> {
                if planes.size == size {
                    compressor.compress_yuv_planes(&planes.image(), &mut output)?;
                } else {
                    // Scaled once per clip, so that the cost of scaling is not measured.
                    if number == 0 || small.is_none() {
                        planes.scale(size, small.get_or_insert_default())?;
                    }
                    if let Some(small) = &small {
                        compressor.compress_yuv_planes(&small.planes().image(), &mut output)?;
                    }
                }
                Ok(())
            })?;
            pictures += 1;
        }
        Ok(pictures)
    }))
}

fn full_maker(size: Size) -> Maker {
    let mut transcoder = Transcoder::new(Codec::H264, QUALITY);
    transcoder.want(&[Rendition { size, transform: Transform::NONE, quality: QUALITY, fps: FPS as u8 }]);
    let (mut sequence, mut pictures) = (0, Vec::new());
    Box::new(move |number, frame| {
        sequence += 1;
        let taken = u64::from(sequence) * 1_000_000 / u64::from(FPS);
        let unit = AccessUnit {
            sequence,
            taken,
            key: number % crate::test_clip::GOP == 0,
            damage: None,
            data: frame.to_vec().into(),
        };
        transcoder.transcode(&unit, true, &mut pictures)?;
        Ok(pictures.drain(..).count())
    })
}
