//! Small files that only the user of the agent may read, replaced atomically; and how all files are
//! opened (`regular_file`).

pub mod regular_file;

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, chown},
    path::Path,
};

use nix::sys::statvfs::statvfs;

/// Limit in bytes; a longer file is not ours.
pub const MAX_FILE_LEN: u64 = 16 << 10;

/// Only the user that runs the agent may read the store: a camera's stream address can hold a
/// password in its path.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// Reads the file at `path`; `None` if it does not exist.
///
/// # Errors
/// If it cannot be read, is not a regular file, is too long, or is not UTF-8.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    read_up_to(path, MAX_FILE_LEN)
}

/// Like [`read`], with another limit in bytes than [`MAX_FILE_LEN`].
///
/// # Errors
/// As [`read`].
pub fn read_up_to(path: &Path, limit: u64) -> io::Result<Option<String>> {
    let file = match regular_file::open_without_links(path) {
        Ok((file, _)) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other("it is too long"));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| io::Error::other("it is not UTF-8"))
}

/// Replaces the file `name` in `directory` by `bytes`; creates the directory if needed. If the
/// process or the power ends at any moment, the file holds either its old content or `bytes`.
///
/// # Errors
/// If nothing was replaced; the old file is then still there.
pub fn replace(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
    let new = directory.join(format!("{name}.new"));
    // An unfinished file of a process that was killed.
    ignore_not_found(fs::remove_file(&new))?;
    let placed = write_through(&new, bytes).and_then(|()| fs::rename(&new, directory.join(name)));
    if placed.is_err() {
        // Only to tidy up: it would use space on a disk that may be full.
        let _ = fs::remove_file(&new);
    }
    placed?;
    sync_directory(directory)
}

/// Replaces the content of the file at `path`, which keeps its mode, its owner and its group; a
/// symbolic link keeps leading to it. If the process or the power ends at any moment, the file holds
/// either its old content or `bytes`.
///
/// # Errors
/// If nothing was replaced, also because only root may give the new file to the owner of the old one.
pub fn replace_content(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let about = fs::metadata(&path)?;
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::IsADirectory.into());
    };
    let mut new_name = name.to_owned();
    new_name.push(".new");
    let new = directory.join(new_name);
    // An unfinished file of a process that was killed.
    ignore_not_found(fs::remove_file(&new))?;
    let placed = write_through(&new, bytes)
        .and_then(|()| chown(&new, Some(about.uid()), Some(about.gid())))
        // After the owner, because a change of that takes away rights.
        .and_then(|()| fs::set_permissions(&new, about.permissions()))
        .and_then(|()| fs::rename(&new, &path));
    if placed.is_err() {
        // It may hold passwords, and nobody needs it.
        let _ = fs::remove_file(&new);
    }
    placed?;
    sync_directory(directory)
}

/// Removes the file `name` and any unfinished replacement of it.
///
/// # Errors
/// If one of them exists and cannot be removed.
pub fn remove(directory: &Path, name: &str) -> io::Result<()> {
    ignore_not_found(fs::remove_file(directory.join(format!("{name}.new"))))?;
    ignore_not_found(fs::remove_file(directory.join(name)))
}

/// The space in bytes that this user may still write on the file system of the directory `path`.
///
/// # Errors
/// If there is no such directory.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let free = statvfs(path)?;
    // Their types depend on the processor.
    #[allow(clippy::useless_conversion)]
    Ok(u64::from(free.blocks_available()).saturating_mul(u64::from(free.fragment_size())))
}

/// The names in `directory` that are UTF-8; none if it cannot be listed.
pub fn names(directory: &Path) -> Vec<String> {
    list(directory).unwrap_or_default()
}

/// The names in `directory` that are UTF-8; none if it does not exist.
///
/// # Errors
/// If it cannot be listed.
pub fn list(directory: &Path) -> io::Result<Vec<String>> {
    match fs::read_dir(directory) {
        Ok(entries) => Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()),
        Err(error) if is_absent(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Whether the file at `path` surely does not exist, rather than that nobody can say.
pub fn is_gone(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| is_absent(&error))
}

/// Writes a file that must not exist yet, and waits until it is on disk.
fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a rename survive a power cut.
fn sync_directory(directory: &Path) -> io::Result<()> {
    match File::open(directory)?.sync_all() {
        // Some file systems have nothing to synchronise in a directory.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}

fn ignore_not_found(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| if is_absent(&error) { Ok(()) } else { Err(error) })
}

/// Whether the error means that the file, or its directory, does not exist.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn replaced_content_keeps_mode_and_link() {
        let folder = std::env::temp_dir().join(format!("cctv-disk-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let (file, link) = (folder.join("file"), folder.join("link"));
        fs::write(&file, "old").unwrap();
        fs::write(folder.join("file.new"), "of a killed process").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("file", &link).unwrap();
        replace_content(&link, b"new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink() && names(&folder).len() == 2);
        assert!(replace_content(&folder.join("absent"), b"").is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
