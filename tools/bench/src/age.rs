//! The age of pictures when they arrived: the number burnt into each identifies when its camera
//! sent it.

use std::{collections::HashMap, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use turbojpeg::{Decompressor, Image, PixelFormat, ScalingFactor};

use crate::{
    playback_server::Camera,
    test_clip::Clip,
    viewer::{Form, Kept},
};

/// The last bytes of a unit, which identify it; the bytes before may have been completed.
const TAIL: usize = 48;

/// Ages of the `kept` pictures in milliseconds, and the number of pictures without a known age.
pub fn ages(kept: &[Kept], cameras: &[Arc<Camera>]) -> (Vec<f64>, usize) {
    let tails = cameras.first().map(|camera| tails(camera.clip())).unwrap_or_default();
    let age = |kept: &Kept| {
        let number = match kept.form {
            Form::Jpeg => number(&kept.data)?,
            Form::Base64 => {
                let base64 = kept.data.strip_prefix(b"data:image/jpeg;base64,")?;
                number(&BASE64_STANDARD.decode(base64).ok()?)?
            }
            Form::Unit => *tails.get(tail(&kept.data))?,
        };
        let sent = cameras.get(kept.camera)?.sent(number, kept.arrival)?;
        Some(kept.arrival.duration_since(sent).as_secs_f64() * 1000.0)
    };
    let ages: Vec<f64> = kept.iter().filter_map(age).collect();
    let unknown = kept.len() - ages.len();
    (ages, unknown)
}

/// The value below which `part` of `values` lie; not a number if there are none.
pub fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * part).round() as usize).copied().unwrap_or(f64::NAN)
}

fn tails(clip: &Clip) -> HashMap<&[u8], usize> {
    clip.frames.iter().enumerate().map(|(number, unit)| (tail(unit), number)).collect()
}

fn tail(unit: &[u8]) -> &[u8] {
    &unit[unit.len().saturating_sub(TAIL)..]
}

/// The frame number burnt into a JPEG.
fn number(jpeg: &[u8]) -> Option<usize> {
    let mut decompressor = Decompressor::new().ok()?;
    let header = decompressor.read_header(jpeg).ok()?;
    // The stamp is readable from 320 columns on.
    let factor = if header.width >= 1280 { ScalingFactor::ONE_QUARTER } else { ScalingFactor::ONE };
    decompressor.set_scaling_factor(factor).ok()?;
    let (width, height) = (factor.scale(header.width), factor.scale(header.height));
    let mut pixels = vec![0; width * height];
    let image = Image { pixels: &mut pixels[..], width, pitch: width, height, format: PixelFormat::GRAY };
    decompressor.decompress(jpeg, image).ok()?;
    let pixels = stamp::Pixels { data: &pixels, width, height, stride: width, step: 1 };
    stamp::read(&pixels).ok().map(|stamp| stamp.frame as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_clip::Kind;

    #[test]
    fn number_is_read_from_every_frame_of_the_film() {
        let clip = Clip::make(Kind::Jpeg, 1280, 720, 3).unwrap();
        let numbers: Vec<_> = clip.frames.iter().map(|jpeg| number(jpeg)).collect();
        assert_eq!(numbers, [Some(0), Some(1), Some(2)]);
        assert_eq!(number(b"no picture"), None);
    }

    #[test]
    fn quantiles_lie_among_the_values() {
        let mut values: Vec<f64> = (1..=101).rev().map(f64::from).collect();
        assert_eq!((quantile(&mut values, 0.5), quantile(&mut values, 0.95)), (51.0, 96.0));
        assert!(quantile(&mut [], 0.5).is_nan());
    }
}
