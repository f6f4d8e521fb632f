//! Finds the end of a JPEG in bytes as they arrive.
//!
//! Lengths that cameras announce are hints, and some are wrong. The segments of a JPEG say where it ends, and
//! a JPEG without its end is cut short.

use super::Size;

/// What the bytes so far hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The beginning of a JPEG.
    More,
    /// A whole JPEG of this length and size.
    Whole { len: usize, size: Size },
    /// A JPEG that no decoder can follow to its end.
    Broken,
    /// Something else.
    NotJpeg,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    /// At the beginning of a segment.
    Segment,
    /// In entropy-coded data.
    Data,
}

/// Follows one JPEG through its segments.
#[derive(Debug, Default)]
pub struct Scanner {
    state: State,
    at: usize,
    size: Option<Size>,
    has_data: bool,
}

impl Scanner {
    /// Goes on in `bytes`: all of the picture so far, from its first one.
    pub fn scan(&mut self, bytes: &[u8]) -> Found {
        loop {
            match self.state {
                State::Start => match bytes {
                    [] | [0xff] => return Found::More,
                    [0xff, 0xd8, ..] => (self.state, self.at) = (State::Segment, 2),
                    _ => return Found::NotJpeg,
                },
                State::Data => {
                    let rest = bytes.get(self.at..).unwrap_or_default();
                    let Some(marker) = rest.iter().position(|byte| *byte == 0xff) else {
                        self.at = bytes.len();
                        return Found::More;
                    };
                    self.at += marker;
                    match bytes.get(self.at + 1) {
                        None => return Found::More,
                        // A byte of the data, or a restart marker.
                        Some(0 | 0xd0..=0xd7) => self.at += 2,
                        Some(0xff) => self.at += 1,
                        Some(_) => self.state = State::Segment,
                    }
                }
                State::Segment => {
                    if let Some(found) = self.segment(bytes) {
                        return found;
                    }
                }
            }
        }
    }

    /// Passes one segment. `None`: it was passed.
    fn segment(&mut self, bytes: &[u8]) -> Option<Found> {
        let rest = bytes.get(self.at..).unwrap_or_default();
        let marker = match rest {
            [] | [0xff] => return Some(Found::More),
            // A fill byte.
            [0xff, 0xff, ..] => {
                self.at += 1;
                return None;
            }
            [0xff, marker, ..] => *marker,
            _ => return Some(Found::Broken),
        };
        match marker {
            0xd9 => {
                let whole = self.size.filter(|_| self.has_data);
                return Some(whole.map_or(Found::Broken, |size| Found::Whole { len: self.at + 2, size }));
            }
            0x01 | 0xd0..=0xd7 => {
                self.at += 2;
                return None;
            }
            0x00 | 0xd8 => return Some(Found::Broken),
            _ => {}
        }
        let Some(length) = rest.get(2..4) else { return Some(Found::More) };
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        if length < 2 {
            return Some(Found::Broken);
        }
        let Some(segment) = rest.get(4..2 + length) else { return Some(Found::More) };
        match marker {
            // A frame header: all but DHT, JPG and DAC.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => match segment {
                [_, h1, h0, w1, w0, ..] if (*h1, *h0) != (0, 0) && (*w1, *w0) != (0, 0) => {
                    let side = |high: u8, low: u8| u32::from(u16::from_be_bytes([high, low]));
                    self.size = Some(Size { width: side(*w1, *w0), height: side(*h1, *h0) });
                }
                _ => return Some(Found::Broken),
            },
            0xda => (self.state, self.has_data) = (State::Data, true),
            _ => {}
        }
        self.at += 2 + length;
        None
    }
}

/// A JPEG of 8x8 pixels whose data are `fill`; for tests.
#[cfg(test)]
pub fn sample(fill: &[u8]) -> Vec<u8> {
    let frame = [0xff, 0xc0, 0, 11, 8, 0, 8, 0, 16, 1, 1, 0x11, 0];
    let scan = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0];
    let comment = [0xff, 0xfe, 0, 6, 0xff, 0xd9, 0xff, 0xd9];
    [&[0xff, 0xd8][..], &comment, &frame, &scan, fill, &[0xff, 0xd9]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { width: 16, height: 8 };

    #[test]
    fn end_of_a_picture_is_that_of_its_segments_however_the_bytes_arrive() {
        // Stuffed bytes, a restart marker and a fill byte; the comment holds end markers.
        let jpeg = sample(&[1, 0xff, 0, 2, 0xff, 0xd3, 3, 0xff]);
        let followed = [&jpeg[..], b"\r\n--x"].concat();
        for step in [1, 2, 3, 7, followed.len()] {
            let mut scanner = Scanner::default();
            let mut end = step.min(followed.len());
            let found = loop {
                match scanner.scan(&followed[..end]) {
                    Found::More => end = (end + step).min(followed.len()),
                    found => break found,
                }
            };
            assert_eq!(found, Found::Whole { len: jpeg.len(), size: SIZE }, "in steps of {step}");
        }
    }

    #[test]
    fn picture_that_is_cut_short_has_no_end() {
        let jpeg = sample(&[1, 2, 3]);
        for len in 0..jpeg.len() {
            assert_eq!(Scanner::default().scan(&jpeg[..len]), Found::More, "{len}");
        }
        // The next picture begins inside this one.
        let cut = [&jpeg[..jpeg.len() - 2], &jpeg].concat();
        assert_eq!(Scanner::default().scan(&cut), Found::Broken);
    }

    #[test]
    fn what_is_no_picture_is_told_apart() {
        for other in [&b"<html>"[..], b"\x89PNG", &[0xff, 0xd9], &[0]] {
            assert_eq!(Scanner::default().scan(other), Found::NotJpeg, "{other:?}");
        }
        for broken in [&[0xff, 0xd8, 0xff, 0xd9][..], &[0xff, 0xd8, 7, 7], &[0xff, 0xd8, 0xff, 0xe0, 0, 1]] {
            assert_eq!(Scanner::default().scan(broken), Found::Broken, "{broken:?}");
        }
    }
}
