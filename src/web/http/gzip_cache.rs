//! Compressed files, kept so that each is compressed once.

use std::{
    collections::VecDeque,
    io::{self, Write},
};

use crate::sync::{Mutex, MutexGuard};
use flate2::{Compression, write::GzEncoder};

/// Maximum number of compressed files kept: enough for a whole page.
const MAX_KEPT: usize = 64;

/// Maximum bytes of compressed files kept.
const KEPT_BYTES: usize = 4 << 20;

/// The hash that identifies a file's content.
pub type Tag = [u8; 16];

/// The oldest file is dropped first when there are too many.
#[derive(Default)]
pub struct Packed(Mutex<VecDeque<(Tag, Vec<u8>)>>);

impl Packed {
    /// `body`, identified by `tag`, in gzip format.
    ///
    /// # Blocking
    /// The first time, while it is compressed: some milliseconds for 100 KB.
    pub fn pack(&self, tag: Tag, body: &[u8]) -> io::Result<Vec<u8>> {
        if let Some((_, packed)) = self.files().iter().find(|(key, _)| *key == tag) {
            return Ok(packed.clone());
        }
        let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 2), Compression::best());
        encoder.write_all(body)?;
        let packed = encoder.finish()?;
        let mut files = self.files();
        files.push_back((tag, packed.clone()));
        while files.len() > MAX_KEPT || files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > KEPT_BYTES {
            files.pop_front();
        }
        Ok(packed)
    }

    fn files(&self) -> MutexGuard<'_, VecDeque<(Tag, Vec<u8>)>> {
        self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_are_kept() {
        let packed = Packed::default();
        for number in 0..=u8::try_from(MAX_KEPT).unwrap() {
            packed.pack([number; 16], &[number; 100]).unwrap();
        }
        assert_eq!(packed.files().len(), MAX_KEPT);
        assert_eq!(packed.files()[0].0, [1; 16]);
    }
}
