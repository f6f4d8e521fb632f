//! Reads the small files of a configuration: the file itself and the password files.

use std::{
    fmt,
    io::{self, Read as _},
    path::Path,
};

use super::diagnostics::{Complaint, position};
use crate::{disk::regular_file, proc};

/// Maximum length of the configuration file, in bytes. A longer file is something else.
const MAX_FILE_LEN: u64 = 1 << 20;

/// Maximum length of a password file, in bytes. A longer file is something else.
const MAX_PASSWORD_LEN: u64 = 4096;

/// The content of a password file.
pub struct SecretFile {
    pub text: String,
    /// Whether users other than owner and group may read it.
    pub readable_by_all: bool,
}

/// Returns the text of the file, and whether users other than owner and group may read it.
pub(super) fn read_text(path: &Path) -> Result<(String, bool), Vec<Complaint>> {
    let complaint = |position, text| vec![Complaint { file: path.to_owned(), position, text }];
    let file = read_small(path, MAX_FILE_LEN).map_err(|error| complaint(None, cannot_read(&error, &path.display())))?;
    let text = String::from_utf8(file.bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let start = String::from_utf8_lossy(&error.as_bytes()[..valid]);
        let text = "this character is not UTF-8; save the file with the encoding UTF-8".into();
        complaint(Some(position(&start, start.len())), text)
    })?;
    Ok((text, file.readable_by_all))
}

struct SmallFile {
    bytes: Vec<u8>,
    readable_by_all: bool,
}

/// Reads a regular file of at most `limit` bytes.
fn read_small(path: &Path, limit: u64) -> io::Result<SmallFile> {
    let (file, about) = regular_file::open(path)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(SmallFile { bytes, readable_by_all: regular_file::is_readable_by_all(&about) })
}

/// Reads a password file.
pub(super) fn read_secret(path: &Path) -> io::Result<SecretFile> {
    let file = read_small(path, MAX_PASSWORD_LEN)?;
    let text = String::from_utf8(file.bytes).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(SecretFile { text, readable_by_all: file.readable_by_all })
}

/// Says in plain words why the file `name` cannot be read, and what to do.
pub(super) fn cannot_read(error: &io::Error, name: &dyn fmt::Display) -> String {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file; check the path".to_owned(),
        io::ErrorKind::PermissionDenied => {
            let (user, group) = proc::own_user();
            format!("permission denied to the user {user}; as root: chgrp {group} {name} && chmod 640 {name}")
        }
        io::ErrorKind::IsADirectory => "it is a directory; name the file in it".to_owned(),
        io::ErrorKind::FileTooLarge => "it is too large; this is some other file".to_owned(),
        io::ErrorKind::InvalidData => "it is not UTF-8 text; save it with the encoding UTF-8".to_owned(),
        _ => format!("{error}; check the path and the disk"),
    };
    format!("cannot be read: {advice}")
}
