//! Finds the end of a response and takes its parts off the bytes as they arrive.

use super::{
    Error, MAX_BODY_LEN, MAX_HEAD_LEN, MAX_HEADERS, MAX_READ, Response,
    chunks::{Chunk, read_chunks},
    decoding::Decoding,
};
use crate::xml::{
    self,
    filter::{Filter, Outline},
};

/// Reads the bytes of one response as they arrive.
#[derive(Debug, Default)]
pub struct Reader {
    /// Bytes not parsed yet: of the head, or of the chunk framing.
    raw: Vec<u8>,
    /// How many bytes of `raw` contain no end of the head.
    searched: usize,
    /// Bytes of interim heads that were dropped.
    dropped: usize,
    /// What is kept of the body; `None` means everything.
    outline: Option<Outline>,
    /// The body is taken off as it arrives, and may never end.
    is_streamed: bool,
    begun: Option<Body>,
}

#[derive(Debug)]
struct Body {
    response: Response,
    framing: Framing,
    /// Bytes received, without the framing of chunks.
    received: usize,
    decoding: Decoding,
    /// Bytes after decompression.
    decoded: usize,
    filter: Option<Filter>,
    is_streamed: bool,
}

impl Body {
    /// Adds `bytes`, as they were received, to the body.
    fn take(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.received += bytes.len();
        let Self { response, decoding, decoded, filter, is_streamed, .. } = self;
        let most = if *is_streamed { usize::MAX } else { MAX_READ };
        decoding.feed(bytes, &mut |piece| {
            *decoded += piece.len();
            match filter {
                Some(filter) => filter.feed(piece, &mut response.body),
                None => response.body.extend_from_slice(piece),
            }
            match () {
                () if response.body.len() > MAX_BODY_LEN => Err(Error::BodyTooLong),
                () if *decoded > most => Err(Error::Endless),
                () => Ok(()),
            }
        })?;
        if self.received > most { Err(Error::Endless) } else { Ok(()) }
    }

    /// Whether the body contains XML that has not ended.
    fn is_cut_short(&self) -> bool {
        if self.is_streamed {
            return false;
        }
        self.filter.as_ref().is_some_and(Filter::is_inside_tag)
            || matches!(xml::read(&self.response.body), Err(error) if error.may_be_cut_short())
    }

    /// The response, with what was held back until its end.
    fn finish(mut self) -> Result<Response, Error> {
        let Self { response, decoding, filter, .. } = &mut self;
        decoding.finish(&mut |piece| {
            match filter {
                Some(filter) => filter.feed(piece, &mut response.body),
                None => response.body.extend_from_slice(piece),
            }
            Ok(())
        })?;
        if let Some(filter) = filter {
            filter.finish(&mut response.body);
        }
        Ok(self.response)
    }
}

#[derive(Debug)]
enum Framing {
    Length(usize),
    Chunked(Chunk),
    /// No length was announced.
    UntilClose,
    /// The announced length has arrived, but the XML is still open: the length was too small.
    Overdue,
}

impl Reader {
    /// Keeps only what `outline` names of the body, so that long responses of which little is read
    /// fit.
    pub fn with_outline(outline: Option<Outline>) -> Self {
        Self { outline, ..Self::default() }
    }

    /// Reads a response that is no XML and may never end. [`take_body`](Self::take_body) must follow
    /// each [`feed`](Self::feed).
    pub fn streaming() -> Self {
        Self { is_streamed: true, ..Self::default() }
    }

    /// The response once its head has arrived, with the body so far.
    pub fn begun(&self) -> Option<&Response> {
        self.begun.as_ref().map(|body| &body.response)
    }

    /// Takes the body off that has arrived since the last time.
    pub fn take_body(&mut self) -> Vec<u8> {
        self.begun.as_mut().map(|body| std::mem::take(&mut body.response.body)).unwrap_or_default()
    }

    /// Takes more bytes; returns whether the response is complete.
    ///
    /// # Errors
    /// If a limit is exceeded or the framing is invalid. The connection is then unusable.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<bool, Error> {
        self.raw.extend_from_slice(bytes);
        while self.begun.is_none() {
            if !self.read_head()? {
                return Ok(false);
            }
        }
        self.read_body()
    }

    /// Whether the response can count as complete although neither length, last chunk nor end of
    /// the connection says so. Call this after nothing has arrived for a while.
    pub fn looks_complete(&self) -> bool {
        let Some(Body { response, framing, .. }) = &self.begun else {
            return false;
        };
        matches!(framing, Framing::Overdue | Framing::Chunked(Chunk::Trailer))
            || response.status == Some(401)
            || is_closed(&response.body)
    }

    /// The response. Call this at the end of the connection, or when the response is complete or
    /// looks complete.
    ///
    /// # Errors
    /// If not even a head has arrived.
    pub fn finish(mut self) -> Result<Response, Error> {
        if self.begun.is_none() {
            if self.raw.iter().all(|byte| is_padding(*byte)) {
                return Err(Error::Empty);
            }
            // A head without its empty line: some firmwares omit it if there is no body.
            self.feed(b"\r\n\r\n")?;
            if let Some(body) = self.begun {
                return Ok(Response { body: Vec::new(), ..body.response });
            }
            return Err(Error::Empty);
        }
        self.begun.map_or(Err(Error::Empty), Body::finish)
    }

    /// Searches for the end of the head; returns whether `raw` needs more processing.
    fn read_head(&mut self) -> Result<bool, Error> {
        if self.searched == 0 {
            let padding = self.raw.iter().take_while(|byte| is_padding(**byte)).count();
            self.raw.drain(..padding);
            self.dropped += padding;
        }
        if self.raw.first() == Some(&b'<') {
            self.begin(Response { status: None, headers: Vec::new(), body: Vec::new() });
            return Ok(true);
        }
        let Some(end) = head_end(&self.raw, self.searched) else {
            // The end may be split over two packets: search the last two bytes again.
            self.searched = self.raw.len().saturating_sub(2);
            let too_long = self.dropped + self.raw.len() > MAX_HEAD_LEN;
            return if too_long { Err(Error::HeadTooLong) } else { Ok(false) };
        };
        if self.dropped + end > MAX_HEAD_LEN {
            return Err(Error::HeadTooLong);
        }
        let head: Vec<u8> = self.raw.drain(..end).collect();
        self.searched = 0;
        let response = parse_head(&head)?;
        if response.status.is_some_and(|status| (100..200).contains(&status)) {
            self.dropped += end;
        } else {
            self.begin(response);
        }
        Ok(true)
    }

    fn begin(&mut self, response: Response) {
        let chunked = response.all("transfer-encoding").any(|value| value.to_ascii_lowercase().contains("chunked"));
        let length = response.all("content-length").next().and_then(|value| value.trim().parse().ok());
        // Some cameras announce a length of a body without an end.
        let is_multipart =
            response.all("content-type").any(|value| value.to_ascii_lowercase().starts_with("multipart/"));
        let length = length.filter(|_| !(self.is_streamed && is_multipart));
        let framing = match length {
            _ if matches!(response.status, Some(204 | 304)) => Framing::Length(0),
            _ if chunked => Framing::Chunked(Chunk::Size),
            Some(length) => Framing::Length(length),
            None => Framing::UntilClose,
        };
        let decoding = Decoding::named(response.all("content-encoding").next());
        let filter = self.outline.map(Filter::new);
        self.begun =
            Some(Body { response, framing, received: 0, decoding, decoded: 0, filter, is_streamed: self.is_streamed });
    }

    fn read_body(&mut self) -> Result<bool, Error> {
        let Some(body) = &mut self.begun else {
            return Ok(false);
        };
        match body.framing {
            Framing::Chunked(ref mut state) => {
                let mut data = Vec::new();
                let complete = read_chunks(&mut self.raw, state, &mut data)?;
                body.take(&data)?;
                Ok(complete)
            }
            Framing::Length(length) if body.received + self.raw.len() >= length => {
                let rest: Vec<u8> = self.raw.drain(..length.saturating_sub(body.received)).collect();
                body.take(&rest)?;
                let too_small = body.is_cut_short();
                if too_small {
                    body.framing = Framing::Overdue;
                    body.take(&std::mem::take(&mut self.raw))?;
                }
                Ok(!too_small || is_closed(&body.response.body))
            }
            Framing::UntilClose | Framing::Overdue | Framing::Length(_) => {
                body.take(&std::mem::take(&mut self.raw))?;
                Ok(false)
            }
        }
    }
}

fn is_padding(byte: u8) -> bool {
    byte == 0 || byte.is_ascii_whitespace()
}

/// Whether `body` contains a root element with its end.
fn is_closed(body: &[u8]) -> bool {
    body.contains(&b'<') && xml::read(body).is_ok()
}

/// The index after the empty line, counting from 0; lines may end in LF alone.
fn head_end(raw: &[u8], from: usize) -> Option<usize> {
    (from..raw.len()).filter(|&at| raw[at] == b'\n').find_map(|at| match raw[at + 1..] {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

/// Parses a head that ends with its empty line.
fn parse_head(head: &[u8]) -> Result<Response, Error> {
    parse_strictly_enough(head).or_else(|error| {
        // A status line that no parser accepts, or garbage before it: keep the headers and what
        // looks like a status.
        let line_end = head.iter().position(|&byte| byte == b'\n').unwrap_or(head.len());
        let (line, rest) = head.split_at(line_end);
        let repaired = [b"HTTP/1.1 200 OK\r".as_slice(), rest].concat();
        let mut response = parse_strictly_enough(&repaired).map_err(|_| error)?;
        let line = String::from_utf8_lossy(line);
        let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '/');
        response.status = words.find_map(|word| match word.parse() {
            Ok(status) if word.len() == 3 && (100..600).contains(&status) => Some(status),
            _ => None,
        });
        Ok(response)
    })
}

fn parse_strictly_enough(head: &[u8]) -> Result<Response, Error> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    httparse::ParserConfig::default()
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .allow_space_before_first_header_name(true)
        .ignore_invalid_headers_in_responses(true)
        .parse_response(&mut response, head)
        .map_err(Error::Head)?;
    let headers = response
        .headers
        .iter()
        .map(|header| (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).trim().to_owned()));
    Ok(Response { status: response.code, headers: headers.collect(), body: Vec::new() })
}

/// Reads a whole recorded response.
///
/// # Errors
/// The errors of [`Reader::feed`] and [`Reader::finish`].
pub fn read(bytes: &[u8]) -> Result<Response, Error> {
    let mut reader = Reader::default();
    reader.feed(bytes)?;
    reader.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = "<a><b>1</b></a>";

    /// Feeds `bytes` in pieces of `step`; returns the response and whether it was complete by
    /// itself.
    fn read_in_steps(bytes: &[u8], step: usize) -> (Result<Response, Error>, bool) {
        let mut reader = Reader::default();
        let mut complete = false;
        for piece in bytes.chunks(step) {
            match reader.feed(piece) {
                Ok(done) => complete = done,
                Err(error) => return (Err(error), false),
            }
            if complete {
                break;
            }
        }
        (reader.finish(), complete)
    }

    fn check(bytes: &str, status: Option<u16>, body: &str, complete: bool) {
        for step in [1, 2, 3, 7, bytes.len()] {
            let (response, was_complete) = read_in_steps(bytes.as_bytes(), step);
            let response = response.unwrap();
            assert_eq!(response.status, status, "{bytes:?} in steps of {step}");
            assert_eq!(String::from_utf8_lossy(&response.body), body, "{bytes:?} in steps of {step}");
            assert_eq!(was_complete, complete, "{bytes:?} in steps of {step}");
        }
    }

    #[test]
    fn announced_length_ends_the_answer() {
        check(&format!("HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{XML}"), Some(200), XML, true);
        check("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", Some(401), "", true);
    }

    #[test]
    fn close_delimited_answer_waits_for_the_end_but_can_be_settled() {
        let answer = format!("HTTP/1.0 200 OK\r\nServer: x\r\n\r\n{XML}");
        check(&answer, Some(200), XML, false);
        let mut reader = Reader::default();
        reader.feed(&answer.as_bytes()[..answer.len() - 1]).unwrap();
        assert!(!reader.looks_complete());
        reader.feed(b">").unwrap();
        assert!(reader.looks_complete());
    }

    #[test]
    fn bare_line_feeds_interim_answers_and_odd_headers_are_taken() {
        let answer = "HTTP/1.1 100 Continue\n\nHTTP/1.1  200 \nContent-Length : 2\nB\u{e4}d: x\n: y\nno colon\n\nok";
        check(answer, Some(200), "ok", true);
    }

    /// All of the body that a streaming reader gives of `bytes`, and whether it was complete.
    fn streamed(bytes: &[u8]) -> (Vec<u8>, bool) {
        let (mut reader, mut body, mut complete) = (Reader::streaming(), Vec::new(), false);
        for piece in bytes.chunks(MAX_BODY_LEN / 2) {
            complete = reader.feed(piece).unwrap();
            body.extend(reader.take_body());
            assert_eq!(reader.begun().unwrap().body, b"");
        }
        (body, complete)
    }

    #[test]
    fn streamed_body_has_no_limit_and_its_end_is_that_of_its_framing() {
        let long = vec![b'<'; MAX_READ + 1];
        let head = "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n";
        assert_eq!(streamed(&[head.as_bytes(), b"\r\n", &long].concat()), (long, false));
        assert_eq!(streamed(format!("{head}Content-Length: 3\r\n\r\n<a>").as_bytes()), (b"<a>".to_vec(), true));
        let chunks = "Transfer-Encoding: chunked\r\n\r\n3\r\n<a>\r\n0\r\n\r\n";
        assert_eq!(streamed(format!("{head}{chunks}").as_bytes()), (b"<a>".to_vec(), true));
        let multipart = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\nContent-Length: 1\r\n\r\n--x";
        assert_eq!(streamed(multipart.as_bytes()), (b"--x".to_vec(), false));
    }

    #[test]
    fn chunks_with_extensions_and_trailers_are_joined() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n";
        check(&format!("{head}4;x=\"y\"\r\n<a><\r\n00b \nb>1</b></a>\r\n0\r\nX-T: 1\r\n\r\n"), Some(200), XML, true);
    }

    #[test]
    fn damaged_chunks_are_an_error() {
        for body in ["zz\r\nabc", "4\r\nabcdefgh\r\n", "-1\r\n", "\r\n", "fffffffffffffffff\r\n"] {
            let answer = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}");
            assert!(matches!(read(answer.as_bytes()), Err(Error::Chunk)), "{body:?}");
        }
    }

    #[test]
    fn chunks_cut_off_give_what_came() {
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{XML}");
        check(&answer, Some(200), XML, false);
    }

    #[test]
    fn length_too_big_is_settled_by_the_closed_root() {
        let mut reader = Reader::default();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{XML}");
        assert!(!reader.feed(answer.as_bytes()).unwrap());
        assert!(reader.looks_complete());
        assert_eq!(reader.finish().unwrap().body, XML.as_bytes());
    }

    #[test]
    fn length_too_small_is_read_on_until_the_root_closes() {
        for length in 1..XML.len() {
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{XML}");
            assert_eq!(read_in_steps(answer.as_bytes(), answer.len()).0.unwrap().body, XML.as_bytes());
            let mut reader = Reader::default();
            for byte in answer.as_bytes() {
                assert!(!reader.feed(&[*byte]).unwrap());
            }
            assert!(reader.looks_complete());
            assert_eq!(reader.finish().unwrap().body, XML.as_bytes());
        }
    }

    #[test]
    fn rubbish_before_the_head_or_instead_of_it_is_skipped() {
        check(&format!("\0\0\r\n{XML}"), None, XML, false);
        check(&format!("\r\n\0HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{XML}"), Some(200), XML, true);
        check(&format!("\u{1}\u{2}HTTP/1.1 400 Bad\r\nContent-Length: 15\r\n\r\n{XML}"), Some(400), XML, true);
        check(&format!("HTTPS/9 OK\r\nContent-Length: 15\r\n\r\n{XML}"), None, XML, true);
    }

    #[test]
    fn head_without_its_empty_line_is_taken_at_the_end() {
        check("HTTP/1.1 404 Not Found\r\nServer: x\r\n", Some(404), "", false);
    }

    #[test]
    fn nothing_at_all_is_empty() {
        assert!(matches!(read(b""), Err(Error::Empty)));
        assert!(matches!(read(b"\r\n\0"), Err(Error::Empty)));
    }

    #[test]
    fn head_and_body_are_bounded() {
        let long = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(MAX_HEAD_LEN));
        assert!(matches!(read(long.as_bytes()), Err(Error::HeadTooLong)));
        let interim = "HTTP/1.1 100 C\r\n\r\n".repeat(MAX_HEAD_LEN / 18 + 1);
        assert!(matches!(read(interim.as_bytes()), Err(Error::HeadTooLong)));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(MAX_HEADERS + 1));
        assert!(matches!(read(many.as_bytes()), Err(Error::Head(_))));
        let body = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(MAX_BODY_LEN + 1));
        assert!(matches!(read(body.as_bytes()), Err(Error::BodyTooLong)));
        let chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n";
        assert!(matches!(read(chunk.as_bytes()), Err(Error::Endless)));
    }

    const OUTLINE: Outline = Outline { within: "P", keep: &["a"] };

    #[test]
    fn long_answer_is_bounded_by_what_is_kept_of_it() {
        let channel = format!("<P><a>1</a><b>{}</b></P>", "x".repeat(10_000));
        let body = format!("<r>{}</r>", channel.repeat(200));
        assert!(body.len() > MAX_BODY_LEN);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        assert!(matches!(read(answer.as_bytes()), Err(Error::BodyTooLong)));
        let mut reader = Reader::with_outline(Some(OUTLINE));
        let mut complete = false;
        for piece in answer.as_bytes().chunks(1460) {
            complete = reader.feed(piece).unwrap();
        }
        assert!(complete);
        let kept = reader.finish().unwrap().body;
        assert_eq!(String::from_utf8(kept).unwrap(), format!("<r>{}</r>", "<P><a>1</a></P>".repeat(200)));
        let kept = format!("<r>{}", format!("<P><a>{}</a></P>", "x".repeat(10_000)).repeat(200));
        let mut reader = Reader::with_outline(Some(OUTLINE));
        assert!(matches!(reader.feed(format!("HTTP/1.1 200 OK\r\n\r\n{kept}").as_bytes()), Err(Error::BodyTooLong)));
    }
}
