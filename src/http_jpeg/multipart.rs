//! Takes the pictures out of `multipart/x-mixed-replace`, as cameras write it.
//!
//! A part ends where its JPEG ends. Its length is not read: it may be missing or wrong. The delimiter is the
//! first line that looks like one, because cameras announce their boundary with and without its dashes, or
//! not at all. A delimiter inside a JPEG means that the picture was cut short.

use crate::media::Size;
use crate::media::jpeg_scan::{Found, Scanner};

/// Longest picture, in bytes.
pub const MAX_PICTURE_LEN: usize = 8 << 20;
/// Maximum bytes without a picture among them.
const MAX_SKIPPED: usize = 1 << 20;
/// Longest line between pictures, and maximum bytes of the head of a part.
const MAX_LINE_LEN: usize = 4 << 10;
const MAX_HEAD_LEN: usize = 16 << 10;
/// Lengths of a delimiter with its dashes. A shorter one stands in pictures by chance.
const DELIMITER_LEN: std::ops::RangeInclusive<usize> = 3..=200;
/// A delimiter of at least this length is one without a line end before it, too.
const DISTINCT_LEN: usize = 6;

/// What the bytes hold.
#[derive(Debug, PartialEq)]
pub enum Item {
    Picture {
        jpeg: Vec<u8>,
        size: Size,
    },
    /// A picture of which something is missing.
    Damaged,
    /// The camera says that no more follows.
    End,
}

/// Why nothing more can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// So many bytes hold no picture.
    Senseless {
        skipped: usize,
    },
    TooLong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first delimiter.
    Preamble,
    /// After a delimiter.
    Head {
        has_fields: bool,
    },
    Picture,
    /// Between a picture and the next delimiter.
    Between,
    Ended,
}

/// Reads the body of one response. Add bytes with [`Parts::feed`], then take what they hold with
/// [`Parts::next_item`] until there is nothing more.
#[derive(Debug)]
pub struct Parts {
    /// As `Content-Type` gives it.
    boundary: Option<Vec<u8>>,
    /// The line between parts; empty until it is known.
    delimiter: Vec<u8>,
    buffer: Vec<u8>,
    state: State,
    scanner: Scanner,
    /// How many bytes of `buffer` hold no delimiter.
    searched: usize,
    /// Bytes of the present head.
    head: usize,
    /// Bytes without a picture since the last one.
    skipped: usize,
}

impl Parts {
    pub fn new(content_type: &str) -> Self {
        Self {
            boundary: boundary(content_type),
            delimiter: Vec::new(),
            buffer: Vec::new(),
            state: State::Preamble,
            scanner: Scanner::default(),
            searched: 0,
            head: 0,
            skipped: 0,
        }
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next thing in the bytes so far; `None`: more bytes are needed.
    ///
    /// # Errors
    /// If a limit is exceeded. Nothing more can be read then.
    pub fn next_item(&mut self) -> Result<Option<Item>, Malformed> {
        loop {
            let is_passed = match self.state {
                State::Preamble => self.preamble()?,
                State::Head { has_fields } => self.head_line(has_fields)?,
                State::Picture => match self.picture()? {
                    Step::Item(item) => return Ok(Some(item)),
                    Step::Passed => true,
                    Step::Waits => false,
                },
                State::Between => self.between()?,
                State::Ended => return Ok(None),
            };
            if self.state == State::Ended {
                return Ok(Some(Item::End));
            }
            if !is_passed {
                return Ok(None);
            }
        }
    }

    fn enter(&mut self, state: State) {
        (self.state, self.searched, self.head) = (state, 0, 0);
        self.scanner = Scanner::default();
    }

    fn skip(&mut self, count: usize) -> Result<(), Malformed> {
        self.buffer.drain(..count);
        self.skipped += count;
        if self.skipped > MAX_SKIPPED { Err(Malformed::Senseless { skipped: self.skipped }) } else { Ok(()) }
    }

    /// The length of the first line with its end, if it has arrived.
    fn line_len(&self) -> Result<Option<usize>, Malformed> {
        let end = self.buffer.iter().take(MAX_LINE_LEN).position(|byte| *byte == b'\n');
        match end {
            Some(end) => Ok(Some(end + 1)),
            None if self.buffer.len() >= MAX_LINE_LEN => {
                Err(Malformed::Senseless { skipped: self.skipped + self.buffer.len() })
            }
            None => Ok(None),
        }
    }

    fn preamble(&mut self) -> Result<bool, Malformed> {
        let Some(len) = self.line_len()? else { return Ok(false) };
        let line = self.buffer[..len].trim_ascii();
        let is_boundary = self.boundary.as_deref() == Some(line);
        if (line.starts_with(b"--") || is_boundary) && DELIMITER_LEN.contains(&line.len()) {
            self.delimiter = line.to_vec();
        } else if let Some(boundary) = self.boundary.as_deref().filter(|_| is_field(line)) {
            // The first delimiter is missing.
            let dashes = boundary.iter().take_while(|byte| **byte == b'-').count().min(2);
            self.delimiter = [&b"--"[dashes..], boundary].concat();
            self.enter(State::Head { has_fields: false });
            return Ok(true);
        } else {
            self.skip(len)?;
            return Ok(true);
        }
        self.skip(len)?;
        self.enter(State::Head { has_fields: false });
        Ok(true)
    }

    fn head_line(&mut self, has_fields: bool) -> Result<bool, Malformed> {
        let Some(len) = self.line_len()? else { return Ok(false) };
        let is_empty = self.buffer[..len].trim_ascii().is_empty();
        if is_empty && !has_fields {
            // Some cameras leave a line free before the head; others have no head.
            match self.buffer.get(len) {
                None => return Ok(false),
                Some(0xff) => {}
                Some(_) => {
                    self.skip(len)?;
                    return Ok(true);
                }
            }
        }
        self.head += len;
        if self.head > MAX_HEAD_LEN {
            return Err(Malformed::Senseless { skipped: self.skipped + self.head });
        }
        self.skip(len)?;
        if is_empty {
            self.enter(State::Picture);
        } else {
            self.state = State::Head { has_fields: true };
        }
        Ok(true)
    }

    fn picture(&mut self) -> Result<Step, Malformed> {
        if self.searched == 0 {
            let padding = self.buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.skip(padding)?;
        }
        let found = self.scanner.scan(&self.buffer);
        if found == Found::NotJpeg {
            self.enter(State::Between);
            return Ok(Step::Passed);
        }
        let end = match found {
            Found::Whole { len, .. } => len,
            _ => self.buffer.len(),
        };
        if let Some(at) = self.find_delimiter(end) {
            self.skip(at)?;
            self.enter(State::Between);
            return Ok(Step::Item(Item::Damaged));
        }
        if let Found::Whole { len, size } = found {
            let jpeg = self.buffer.drain(..len).collect();
            self.skipped = 0;
            self.enter(State::Between);
            return Ok(Step::Item(Item::Picture { jpeg, size }));
        }
        if self.buffer.len() > MAX_PICTURE_LEN { Err(Malformed::TooLong) } else { Ok(Step::Waits) }
    }

    /// Skips what precedes the next delimiter, and that one with its line.
    fn between(&mut self) -> Result<bool, Malformed> {
        let Some(at) = self.find_delimiter(self.buffer.len()) else {
            let kept = self.delimiter.len() + 1;
            let count = self.buffer.len().saturating_sub(kept);
            self.skip(count)?;
            self.searched = 0;
            return Ok(false);
        };
        self.skip(at)?;
        self.searched = 0;
        let Some(len) = self.line_len()? else {
            // Some cameras end with nothing after the last delimiter.
            let is_last = self.buffer[self.delimiter.len()..].starts_with(b"--");
            if is_last {
                self.enter(State::Ended);
            }
            return Ok(is_last);
        };
        let is_last = self.buffer[self.delimiter.len()..len].starts_with(b"--");
        self.skip(len)?;
        self.enter(if is_last { State::Ended } else { State::Head { has_fields: false } });
        Ok(true)
    }

    /// Where a delimiter begins in the first `end` bytes.
    fn find_delimiter(&mut self, end: usize) -> Option<usize> {
        let (delimiter, buffer) = (&self.delimiter, &self.buffer);
        let first = *delimiter.first()?;
        let mut at = self.searched;
        while at < end {
            let Some(next) = buffer[at..end].iter().position(|byte| *byte == first) else {
                at = end;
                break;
            };
            at += next;
            let Some(after) = buffer.get(at + delimiter.len()) else { break };
            let is_line = at == 0 || buffer[at - 1] == b'\n' || delimiter.len() >= DISTINCT_LEN;
            if is_line && buffer[at..].starts_with(delimiter) && matches!(after, b'\r' | b'\n' | b'-' | b' ' | b'\t') {
                return Some(at);
            }
            at += 1;
        }
        self.searched = at.min(end);
        None
    }
}

/// What one step in a picture led to.
enum Step {
    Item(Item),
    Passed,
    Waits,
}

fn boundary(content_type: &str) -> Option<Vec<u8>> {
    let parameters = content_type.split(';').skip(1);
    let value = parameters.filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    });
    let value = value.into_iter().next()?.as_bytes().to_vec();
    DELIMITER_LEN.contains(&value.len()).then_some(value)
}

/// Whether `line` is one of the head of a part with a picture.
fn is_field(line: &[u8]) -> bool {
    line.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"content-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::jpeg_scan::sample;

    const ANNOUNCED: &str = "multipart/x-mixed-replace; boundary=frame";

    fn read(content_type: &str, body: &[u8], step: usize) -> Result<Vec<Item>, Malformed> {
        let (mut parts, mut items) = (Parts::new(content_type), Vec::new());
        for bytes in body.chunks(step) {
            parts.feed(bytes);
            while let Some(item) = parts.next_item()? {
                items.push(item);
            }
        }
        Ok(items)
    }

    fn picture(jpeg: &[u8]) -> Item {
        Item::Picture { jpeg: jpeg.to_vec(), size: Size { width: 16, height: 8 } }
    }

    /// Two pictures, each preceded by `head` and followed by `tail`, read in steps of each kind.
    fn check(content_type: &str, head: &str, tail: &str) {
        let jpegs = [sample(&[1, 2]), sample(&[3, 0xff, 0, 4])];
        let part = |jpeg: &Vec<u8>| [head.as_bytes(), jpeg, tail.as_bytes()].concat();
        let body = jpegs.iter().flat_map(part).collect::<Vec<u8>>();
        for step in [1, 2, 5, 16, body.len()] {
            let items = read(content_type, &body, step).unwrap();
            let expected = [picture(&jpegs[0]), picture(&jpegs[1])];
            assert_eq!(items, expected, "{content_type:?} {head:?} in steps of {step}");
        }
    }

    #[test]
    fn boundaries_are_read_as_cameras_write_them() {
        let fields = "Content-Type: image/jpeg\r\n";
        for (content_type, head) in [
            (ANNOUNCED, format!("--frame\r\n{fields}\r\n")),
            ("multipart/x-mixed-replace;boundary=--frame", format!("--frame\r\n{fields}\r\n")),
            ("multipart/x-mixed-replace; boundary=\"--frame\"", format!("----frame\r\n{fields}\r\n")),
            ("multipart/x-mixed-replace; boundary=frame", format!("frame\r\n{fields}\r\n")),
            ("multipart/x-mixed-replace", format!("--other\r\n{fields}\r\n")),
            (ANNOUNCED, "--frame\ncontent-type:image/jpeg\n\n".to_owned()),
            (ANNOUNCED, "\r\n\r\n--frame\r\n\r\n".to_owned()),
            (ANNOUNCED, format!("--frame\r\n\r\n{fields}\r\n\r\n")),
            (ANNOUNCED, format!("--frame  \r\nX-Timestamp: 1.5\r\n{fields}\r\n")),
            ("multipart/x-mixed-replace; boundary=x", format!("--x\r\n{fields}\r\n")),
        ] {
            check(content_type, &head, "\r\n");
        }
        check(ANNOUNCED, "--frame\r\nContent-Type: image/jpeg\r\n\r\n", "");
        // The very first delimiter is missing.
        let (first, second) = (sample(&[1]), sample(&[2]));
        let body = [
            b"Content-Type: image/jpeg\r\n\r\n",
            &first[..],
            b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n",
            &second,
        ]
        .concat();
        assert_eq!(read(ANNOUNCED, &body, 3), Ok(vec![picture(&first), picture(&second)]));
    }

    #[test]
    fn lengths_do_not_matter_whether_missing_right_or_wrong() {
        for length in ["", "Content-Length: 3\r\n", "Content-Length: 99999999\r\n", "Content-Length: x\r\n"] {
            check(ANNOUNCED, &format!("--frame\r\nContent-Type: image/jpeg\r\n{length}\r\n"), "\r\n");
        }
        // Padding after the picture.
        check(ANNOUNCED, "--frame\r\nContent-Type: image/jpeg\r\n\r\n", "\0\0\0\0\r\n");
    }

    #[test]
    fn picture_is_there_with_its_last_byte() {
        let jpeg = sample(&[1, 2]);
        let body = [b"--frame\r\nContent-Type: image/jpeg\r\n\r\n", &jpeg[..]].concat();
        assert_eq!(read(ANNOUNCED, &body[..body.len() - 1], 7), Ok(vec![]));
        assert_eq!(read(ANNOUNCED, &body, 7), Ok(vec![picture(&jpeg)]));
    }

    #[test]
    fn picture_cut_short_is_damage_and_the_next_one_is_whole() {
        let jpeg = sample(&[1, 2, 3, 4]);
        let head = b"--frame\r\nContent-Type: image/jpeg\r\n\r\n";
        for cut in 2..jpeg.len() {
            let body = [head, &jpeg[..cut], b"\r\n", head, &jpeg, b"\r\n"].concat();
            for step in [1, 9, body.len()] {
                assert_eq!(read(ANNOUNCED, &body, step), Ok(vec![Item::Damaged, picture(&jpeg)]), "{cut} {step}");
            }
        }
    }

    #[test]
    fn parts_without_a_picture_are_skipped_and_the_last_delimiter_ends_all() {
        let jpeg = sample(&[1]);
        let body = [
            b"--frame\r\nContent-Type: text/plain\r\n\r\nhello\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n",
            &jpeg[..],
            b"\r\n--frame--",
        ]
        .concat();
        for step in [1, 4, body.len()] {
            assert_eq!(read(ANNOUNCED, &body, step), Ok(vec![picture(&jpeg), Item::End]), "{step}");
        }
    }

    #[test]
    fn all_that_a_camera_can_make_grow_has_a_bound() {
        let endless = |start: &[u8], fill: u8, len: usize| [start, &vec![fill; len]].concat();
        let head = b"--frame\r\nContent-Type: image/jpeg\r\n\r\n";
        let senseless = |result| matches!(result, Err(Malformed::Senseless { .. }));
        assert!(senseless(read(ANNOUNCED, &endless(b"", b'a', MAX_LINE_LEN + 1), 1000)));
        assert!(senseless(read(ANNOUNCED, &endless(b"", b'\n', MAX_SKIPPED + 1), 10_000)));
        assert!(senseless(read(ANNOUNCED, &endless(head, b'a', MAX_SKIPPED + 1), 10_000)));
        let fields = [&b"--frame\r\n"[..], &b"A: b\r\n".repeat(MAX_HEAD_LEN / 6 + 1)].concat();
        assert!(senseless(read(ANNOUNCED, &fields, 1000)));
        let begun = [head, &sample(&[])[..30]].concat();
        let long = endless(&begun, 7, MAX_PICTURE_LEN + 1);
        assert_eq!(read(ANNOUNCED, &long, 100_000), Err(Malformed::TooLong));
    }
}
