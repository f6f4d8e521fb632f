//! Decompresses a body while it arrives.
//!
//! No request asks for compression, but some web servers in front of a camera compress anyway, and
//! some of these do not even say so.

use std::{fmt, io::Write, mem::take};

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::Error;

/// The first bytes of every gzip stream (RFC 1952 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Compressed bytes that are decompressed before the result is checked. Deflate makes at most 1032
/// bytes of one, so a small body that expands to an endless one is stopped after 4 MB.
const MAX_STEP: usize = 4 << 10;

/// How a body is compressed, as far as it is known.
#[derive(Debug)]
pub enum Decoding {
    /// Nothing is declared, and the bytes so far do not show it.
    Unknown(Vec<u8>),
    Plain,
    /// Declared as `deflate`, which some servers use for the zlib format (RFC 1950) and some for
    /// raw deflate.
    UnknownDeflate,
    Compressed(Box<dyn Decompressor>),
    /// An unknown encoding; the name that the server gave.
    Foreign(String),
}

/// A decoder that writes into a buffer.
pub trait Decompressor: Write + fmt::Debug + Send {
    /// The decompressed bytes that have not been taken yet.
    fn output(&mut self) -> &mut Vec<u8>;
}

impl Decompressor for MultiGzDecoder<Vec<u8>> {
    fn output(&mut self) -> &mut Vec<u8> {
        self.get_mut()
    }
}

impl Decompressor for ZlibDecoder<Vec<u8>> {
    fn output(&mut self) -> &mut Vec<u8> {
        self.get_mut()
    }
}

impl Decompressor for DeflateDecoder<Vec<u8>> {
    fn output(&mut self) -> &mut Vec<u8> {
        self.get_mut()
    }
}

impl Decoding {
    /// The encoding named by a `Content-Encoding` field.
    pub fn named(name: Option<&str>) -> Self {
        match name.map(|name| name.trim().to_ascii_lowercase()).as_deref() {
            None | Some("" | "identity") => Self::Unknown(Vec::new()),
            Some("gzip" | "x-gzip") => Self::Compressed(Box::new(MultiGzDecoder::new(Vec::new()))),
            Some("deflate") => Self::UnknownDeflate,
            Some(other) => Self::Foreign(other.chars().filter(char::is_ascii_graphic).take(20).collect()),
        }
    }

    /// Decompresses the next bytes, as they were received, and passes the result to `sink`.
    ///
    /// # Errors
    /// Those of `sink`, and [`Error::Encoding`] for data that cannot be decompressed.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        match self {
            Self::Plain => sink(bytes),
            Self::Unknown(held) => {
                held.extend_from_slice(bytes);
                let known = held.len().min(GZIP_MAGIC.len());
                let may_be_gzip = held[..known] == GZIP_MAGIC[..known];
                if may_be_gzip && known < GZIP_MAGIC.len() {
                    return Ok(());
                }
                let held = take(held);
                *self = if may_be_gzip { Self::named(Some("gzip")) } else { Self::Plain };
                self.feed(&held, sink)
            }
            Self::UnknownDeflate => {
                // The low four bits of zlib's first byte are the method, which is always 8.
                *self = if bytes[0] & 0x0f == 8 {
                    Self::Compressed(Box::new(ZlibDecoder::new(Vec::new())))
                } else {
                    Self::Compressed(Box::new(DeflateDecoder::new(Vec::new())))
                };
                self.feed(bytes, sink)
            }
            Self::Compressed(decoder) => {
                for mut step in bytes.chunks(MAX_STEP) {
                    while !step.is_empty() {
                        match decoder.write(step) {
                            // The end of the compressed body; what follows is not part of it.
                            Ok(0) => break,
                            Ok(count) => step = &step[count..],
                            Err(_) => return Err(Error::Encoding("damaged".to_owned())),
                        }
                    }
                    sink(&take(decoder.output()))?;
                }
                Ok(())
            }
            Self::Foreign(name) => Err(Error::Encoding(name.clone())),
        }
    }

    /// Passes what was held back to `sink`. A compressed body that ends too early has already given
    /// all that it can.
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn finish(&mut self, sink: &mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        match self {
            Self::Unknown(held) => sink(&take(held)),
            Self::Compressed(decoder) => {
                // A wrong checksum says nothing about the XML that arrived.
                let _ = decoder.flush();
                sink(&take(decoder.output()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };

    use super::*;

    const TEXT: &[u8] = b"<a><b>1</b><b>1</b><b>1</b></a>";

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// The decompressed form of `bytes`, fed in pieces of `step`.
    fn decoded(name: Option<&str>, bytes: &[u8], step: usize) -> Result<Vec<u8>, Error> {
        let (mut decoding, mut out) = (Decoding::named(name), Vec::new());
        let mut sink = |piece: &[u8]| {
            out.extend_from_slice(piece);
            if out.len() > 1 << 20 { Err(Error::Endless) } else { Ok(()) }
        };
        for piece in bytes.chunks(step) {
            decoding.feed(piece, &mut sink)?;
        }
        decoding.finish(&mut sink)?;
        Ok(out)
    }

    #[test]
    fn bodies_compressed_in_every_usual_way_are_read() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(TEXT).unwrap();
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
        deflate.write_all(TEXT).unwrap();
        let (zlib, deflate) = (zlib.finish().unwrap(), deflate.finish().unwrap());
        let two = [gzip(&TEXT[..10]), gzip(&TEXT[10..])].concat();
        for (name, bytes) in [
            (None, TEXT),
            (Some("identity"), TEXT),
            (None, b"\x1f"),
            (Some(" GZIP "), &gzip(TEXT)),
            (Some("x-gzip"), &two),
            (None, &gzip(TEXT)),
            (Some("deflate"), &zlib),
            (Some("deflate"), &deflate),
        ] {
            for step in [1, 2, 5, 1000] {
                let expected = if bytes.len() == 1 { bytes } else { TEXT };
                assert_eq!(decoded(name, bytes, step).unwrap(), expected, "{name:?} in steps of {step}");
            }
        }
    }

    #[test]
    fn unknown_and_damaged_compression_is_an_error() {
        assert!(matches!(decoded(Some("br"), TEXT, 9), Err(Error::Encoding(name)) if name == "br"));
        assert!(matches!(decoded(Some("gzip"), TEXT, 9), Err(Error::Encoding(_))));
    }

    #[test]
    fn body_that_ends_too_early_gives_what_it_has() {
        let whole = gzip(&TEXT.repeat(100));
        let cut = decoded(None, &whole[..whole.len() - 9], 7).unwrap();
        assert!(!cut.is_empty() && TEXT.repeat(100).starts_with(&cut));
    }

    #[test]
    fn small_body_that_stands_for_an_endless_one_is_stopped() {
        let bomb = gzip(&vec![b'x'; 32 << 20]);
        assert!(bomb.len() < 1 << 20);
        assert!(matches!(decoded(None, &bomb, bomb.len()), Err(Error::Endless)));
    }
}
