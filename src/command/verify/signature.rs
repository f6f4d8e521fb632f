//! Signatures of minisign, by one of several public keys.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
    str,
};

use minisign_verify::{PublicKey, Signature};
use thiserror::Error;

use crate::disk::regular_file;

/// Limit in bytes of a signature and of a public key; minisign's own have about 300 and 110.
pub const MAX_LEN: u64 = 2048;

/// Limit of the number of keys; an image has the present and the next one.
const MAX_KEYS: usize = 8;

#[derive(Debug, Error, PartialEq)]
pub enum Error {
    #[error("it is not a signature of minisign")]
    NoSignature,
    #[error("it was made with a key that this machine does not know")]
    UnknownKey,
    #[error("the manifest or its signature was altered after it was signed")]
    Altered,
}

/// Reads the public keys, `*.pub`, in the folder.
///
/// # Errors
/// If one cannot be read, or there is none: then nothing could be verified.
pub fn public_keys(folder: &Path) -> io::Result<Vec<PublicKey>> {
    let mut keys = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "pub") {
            if keys.len() == MAX_KEYS {
                return Err(io::Error::other(format!("it holds more than {MAX_KEYS} keys")));
            }
            let mut text = String::new();
            regular_file::open(&path)?.0.take(MAX_LEN).read_to_string(&mut text)?;
            keys.push(PublicKey::decode(&text).map_err(|error| {
                io::Error::other(format!("{} is not a public key of minisign: {error}", path.display()))
            })?);
        }
    }
    if keys.is_empty() { Err(io::Error::other("it holds no public key (*.pub)")) } else { Ok(keys) }
}

/// Verifies that `signature` is one of `text` by one of the keys, in minisign's present form.
pub fn verify(text: &[u8], signature: &[u8], keys: &[PublicKey]) -> Result<(), Error> {
    let signature = str::from_utf8(signature).map_err(|_| Error::NoSignature)?;
    let signature = Signature::decode(signature).map_err(|_| Error::NoSignature)?;
    let mut cause = Error::UnknownKey;
    for key in keys {
        match key.verify(text, &signature, false) {
            Ok(()) => return Ok(()),
            Err(minisign_verify::Error::UnexpectedKeyId) => {}
            Err(minisign_verify::Error::UnexpectedAlgorithm) => cause = Error::NoSignature,
            Err(_) => cause = Error::Altered,
        }
    }
    Err(cause)
}
