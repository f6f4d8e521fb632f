//! Compares an image with its manifest, and copies it so that a copy which is not the image cannot start.

use std::{
    fs::File,
    io::{self, Read, Seek as _, SeekFrom, Write as _},
};

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::manifest::Manifest;

/// Bytes at the image's beginning that are written last. A squashfs begins with its superblock, without
/// which the boot loader finds no kernel in it.
const HEAD_LEN: usize = 4096;
const CHUNK_LEN: usize = 256 << 10;

/// How an image differs from its manifest.
#[derive(Debug, Error, PartialEq)]
pub enum Mismatch {
    #[error("the image is cut off: {found} of {wanted} bytes came")]
    CutOff { found: u64, wanted: u64 },
    #[error("the image is longer than the {wanted} bytes of its manifest")]
    TooLong { wanted: u64 },
    #[error("the image was altered: its SHA-256 is {found}, and its manifest says {wanted}")]
    Altered { found: String, wanted: String },
}

#[derive(Debug, Error)]
pub enum Error {
    #[error("reading failed")]
    Read(#[source] io::Error),
    #[error("writing failed")]
    Write(#[source] io::Error),
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
}

/// Reads the image to its end and compares it with the manifest.
pub fn check(source: &mut impl Read, manifest: &Manifest) -> Result<(), Error> {
    read_whole(source, manifest, |_| Ok(()))
}

/// Like [`check`], and copies the image to the beginning of `target`. Its first bytes are zero until all
/// the others are on disk and the hash is right.
pub fn copy(source: &mut impl Read, manifest: &Manifest, target: &mut File) -> Result<(), Error> {
    let head_len = manifest.bytes.min(HEAD_LEN as u64) as usize;
    target.write_all(&vec![0; head_len]).and_then(|()| target.sync_all()).map_err(Error::Write)?;
    let mut head = Vec::with_capacity(head_len);
    read_whole(source, manifest, |chunk| {
        let (first, rest) = chunk.split_at(chunk.len().min(head_len - head.len()));
        head.extend_from_slice(first);
        target.write_all(rest)
    })?;
    target
        .sync_all()
        .and_then(|()| target.seek(SeekFrom::Start(0)))
        .and_then(|_| target.write_all(&head))
        .and_then(|()| target.sync_all())
        .map_err(Error::Write)
}

/// Hands the image to `take` in pieces, never more bytes than the manifest says.
fn read_whole(
    source: &mut impl Read,
    manifest: &Manifest,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), Error> {
    let wanted = manifest.bytes;
    let (mut hash, mut found, mut chunk) = (Sha256::new(), 0, vec![0; CHUNK_LEN]);
    while found < wanted {
        let most = chunk.len().min(usize::try_from(wanted - found).unwrap_or(usize::MAX));
        let length = read_some(source, &mut chunk[..most])?;
        if length == 0 {
            return Err(Mismatch::CutOff { found, wanted }.into());
        }
        hash.update(&chunk[..length]);
        take(&chunk[..length]).map_err(Error::Write)?;
        found += length as u64;
    }
    if read_some(source, &mut chunk[..1])? > 0 {
        return Err(Mismatch::TooLong { wanted }.into());
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found != manifest.sha256 {
        return Err(Mismatch::Altered { found, wanted: manifest.sha256.clone() }.into());
    }
    Ok(())
}

fn read_some(source: &mut impl Read, buffer: &mut [u8]) -> Result<usize, Error> {
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map_err(Error::Read),
        }
    }
}
