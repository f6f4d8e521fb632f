//! Opens regular files, and nothing else.
//!
//! The kind is asked of the open descriptor, so nobody can put another file there in between, and
//! with O_NONBLOCK, so that a FIFO does not wait for its writer.

use std::{
    fs::{File, Metadata, OpenOptions},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use nix::{errno::Errno, fcntl::OFlag};

/// Opens the regular file at `path` to read it; follows symbolic links.
///
/// # Errors
/// If it cannot be opened; [`io::ErrorKind::IsADirectory`], or another error that says so, if it is
/// not a regular file.
pub fn open(path: &Path) -> io::Result<(File, Metadata)> {
    open_with(path, OFlag::empty())
}

/// As [`open`], but refuses a symbolic link in the last part of `path`, as something that is not a
/// regular file.
///
/// # Errors
/// As [`open`].
pub fn open_without_links(path: &Path) -> io::Result<(File, Metadata)> {
    open_with(path, OFlag::O_NOFOLLOW).map_err(|error| match error.raw_os_error() {
        Some(code) if code == Errno::ELOOP as i32 => other_kind(),
        _ => error,
    })
}

/// Whether users other than owner and group may read the file.
pub fn is_readable_by_all(about: &Metadata) -> bool {
    about.mode() & 0o004 != 0
}

fn open_with(path: &Path, flags: OFlag) -> io::Result<(File, Metadata)> {
    let flags = flags | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).map_err(|error| {
        // A socket, or a device without a driver.
        if error.raw_os_error() == Some(Errno::ENXIO as i32) { other_kind() } else { error }
    })?;
    let about = file.metadata()?;
    if about.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !about.is_file() {
        return Err(other_kind());
    }
    Ok((file, about))
}

fn other_kind() -> io::Error {
    io::Error::other("not a regular file")
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::Read as _,
        os::unix::{fs::symlink, net::UnixListener},
    };

    use nix::{sys::stat::Mode, unistd::mkfifo};

    use super::*;

    #[test]
    fn only_regular_files_are_opened_and_nothing_is_waited_for() {
        let folder = std::env::temp_dir().join(format!("cctv-regular-file-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let at = |name: &str| folder.join(name);
        fs::write(at("file"), "text").unwrap();
        symlink("file", at("link")).unwrap();
        mkfifo(&at("fifo"), Mode::S_IRUSR).unwrap();
        symlink("fifo", at("link-to-fifo")).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();

        let mut text = String::new();
        open(&at("link")).unwrap().0.read_to_string(&mut text).unwrap();
        assert_eq!(text, "text");
        assert_eq!(open_without_links(&at("file")).unwrap().1.len(), 4);
        for name in ["fifo", "link-to-fifo", "socket"] {
            assert_eq!(open(&at(name)).unwrap_err().to_string(), "not a regular file", "{name}");
        }
        for name in ["link", "fifo"] {
            assert_eq!(open_without_links(&at(name)).unwrap_err().to_string(), "not a regular file", "{name}");
        }
        assert_eq!(open(&folder).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert_eq!(open(&at("absent")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(open(Path::new("/dev/null")).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
