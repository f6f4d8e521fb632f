//! A file of encoded video, sent instead of drawn pictures: for codecs and profiles that the encoders of
//! the virtual camera do not make.

use std::{fs, io, path::Path};

use crate::{rtp::nal, settings::Codec};

const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Start codes of MPEG-4 part 2 (ISO/IEC 14496-2, table 6-3): a frame, and what may begin the next unit.
const VOP: u8 = 0xb6;

/// The access units of a file, again and again.
pub struct Clip {
    units: Vec<Vec<u8>>,
    next: usize,
}

impl Clip {
    /// # Errors
    /// The file cannot be read, or holds no access unit.
    pub fn read(codec: Codec, path: &Path) -> io::Result<Self> {
        let units = units(codec, &fs::read(path)?);
        if units.is_empty() {
            return Err(io::Error::other("the file holds no video of this codec"));
        }
        Ok(Self { units, next: 0 })
    }

    pub fn next(&mut self) -> Vec<u8> {
        let unit = self.units[self.next].clone();
        self.next = (self.next + 1) % self.units.len();
        unit
    }
}

/// Splits H.264 and H.265 before each delimiter, MPEG-4 behind each frame, JPEG before each file.
fn units(codec: Codec, bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut units: Vec<Vec<u8>> = Vec::new();
    match codec {
        Codec::Mjpeg => {
            let begins: Vec<usize> =
                (0..bytes.len()).filter(|&at| bytes[at..].starts_with(&[0xff, 0xd8, 0xff])).collect();
            let ends = begins.iter().skip(1).copied().chain([bytes.len()]);
            return begins.iter().zip(ends).map(|(&begin, end)| bytes[begin..end].to_vec()).collect();
        }
        Codec::H264 | Codec::H265 => {
            for nal in nal::units(bytes) {
                let is_delimiter = if codec == Codec::H264 { nal[0] & 0x1f == 9 } else { nal[0] >> 1 & 0x3f == 35 };
                if is_delimiter || units.is_empty() {
                    units.push(Vec::new());
                }
                append(&mut units, &START_CODE, nal);
            }
        }
        Codec::Mpeg4 => {
            let mut is_open = false;
            for object in nal::units(bytes) {
                if !is_open {
                    units.push(Vec::new());
                }
                // The start codes of MPEG-4 have three bytes.
                append(&mut units, &START_CODE[1..], object);
                is_open = object[0] != VOP;
            }
        }
    }
    units
}

fn append(units: &mut [Vec<u8>], start_code: &[u8], nal: &[u8]) {
    if let Some(unit) = units.last_mut() {
        unit.extend_from_slice(start_code);
        unit.extend_from_slice(nal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_each_codec_are_found() {
        let h264 = [0, 0, 0, 1, 9, 16, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x65, 2, 0, 0, 0, 1, 9, 48, 0, 0, 1, 0x41, 3];
        let expected: [&[u8]; 2] =
            [&[0, 0, 0, 1, 9, 16, 0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x65, 2], &[0, 0, 0, 1, 9, 48, 0, 0, 0, 1, 0x41, 3]];
        assert_eq!(units(Codec::H264, &h264), expected);
        let mpeg4 = [0, 0, 1, 0x20, 7, 0, 0, 1, VOP, 0x10, 0, 0, 1, VOP, 0x50, 0, 0, 1, 0xb3, 1, 0, 0, 1, VOP, 0x11];
        assert_eq!(units(Codec::Mpeg4, &mpeg4), [&mpeg4[..10], &mpeg4[10..15], &mpeg4[15..]]);
        let jpegs = [0xff, 0xd8, 0xff, 0xdb, 1, 0xff, 0xd9, 0xff, 0xd8, 0xff, 0xdb, 2, 0xff, 0xd9];
        assert_eq!(units(Codec::Mjpeg, &jpegs), [&jpegs[..7], &jpegs[7..]]);
        assert!(units(Codec::H265, b"GIF89a").is_empty());
    }

    #[test]
    fn clip_begins_again_at_its_end() {
        let mut clip = Clip { units: vec![vec![1], vec![2]], next: 0 };
        assert_eq!([clip.next(), clip.next(), clip.next()], [[1], [2], [1]]);
        assert!(Clip::read(Codec::H264, Path::new("/dev/null")).is_err());
    }
}
