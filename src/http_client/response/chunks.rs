//! The chunk framing of a body, extensions and trailers included.

use super::{Error, MAX_READ};

/// Maximum bytes of one line with a chunk size or a trailer.
const MAX_LINE_LEN: usize = 4 << 10;

/// What is read next of a chunked body (RFC 9112 7.1).
#[derive(Clone, Copy, Debug)]
pub enum Chunk {
    Size,
    /// Bytes of this chunk still to come; its line end counts as two.
    Data(usize),
    LineEnd,
    Trailer,
    Done,
}

/// Moves the data of the parsed part of `raw` into `body`; returns whether the last chunk has
/// arrived.
pub fn read_chunks(raw: &mut Vec<u8>, state: &mut Chunk, body: &mut Vec<u8>) -> Result<bool, Error> {
    let mut at = 0;
    loop {
        *state = match *state {
            Chunk::Done => break,
            Chunk::Data(left) => {
                let taken = left.min(raw.len() - at);
                body.extend_from_slice(&raw[at..at + taken]);
                at += taken;
                if taken < left {
                    *state = Chunk::Data(left - taken);
                    break;
                }
                Chunk::LineEnd
            }
            line_state => {
                let length = raw[at..].iter().position(|&byte| byte == b'\n');
                if length.unwrap_or(raw.len() - at) > MAX_LINE_LEN {
                    return Err(Error::Chunk);
                }
                let Some(length) = length else { break };
                let line = raw[at..at + length].trim_ascii();
                at += length + 1;
                match line_state {
                    Chunk::LineEnd if line.is_empty() => Chunk::Size,
                    Chunk::LineEnd => return Err(Error::Chunk),
                    Chunk::Trailer if line.is_empty() => Chunk::Done,
                    Chunk::Trailer => Chunk::Trailer,
                    _ => match chunk_size(line)? {
                        0 => Chunk::Trailer,
                        size => Chunk::Data(size),
                    },
                }
            }
        };
    }
    raw.drain(..at);
    Ok(matches!(state, Chunk::Done))
}

/// The size at the start of a chunk's line; an extension may follow after `;`.
fn chunk_size(line: &[u8]) -> Result<usize, Error> {
    let line = std::str::from_utf8(line).map_err(|_| Error::Chunk)?;
    let digits = line.split(';').next().unwrap_or("").trim();
    let size = usize::from_str_radix(digits, 16).map_err(|_| Error::Chunk)?;
    if size > MAX_READ { Err(Error::Endless) } else { Ok(size) }
}
