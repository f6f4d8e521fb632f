//! The machine's watchdog device: opened, set and fed; stopped on purpose or not at all.
//!
//! Once it is open, the machine is reset when nobody feeds it, even after this process has died.
//! Dropping a [`Device`] therefore leaves the watchdog running; only [`Device::disarm`] stops it.
//! Source: the kernel's `Documentation/watchdog/watchdog-api.rst`.

// The ioctls are the only way to the timeout, and no crate offers them in safe code.
#![allow(unsafe_code)]

use std::{
    fs::{self, File, FileType, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use nix::fcntl::OFlag;
use rustix::ioctl::{Getter, Opcode, Updater, ioctl, opcode};

/// `_IOWR('W', 6, int)` in `linux/watchdog.h`: sets the timeout in seconds; the driver writes back
/// the value that it uses.
const WDIOC_SETTIMEOUT: Opcode = opcode::read_write::<i32>(b'W', 6);

/// `_IOR('W', 7, int)`: the timeout in force, in seconds.
const WDIOC_GETTIMEOUT: Opcode = opcode::read::<i32>(b'W', 7);

/// `_IOR('W', 0, struct watchdog_info)`: what the device is. Only watchdogs know the request.
const WDIOC_GETSUPPORT: Opcode = opcode::read::<WatchdogInfo>(b'W', 0);

/// `struct watchdog_info`.
#[repr(C)]
#[derive(Clone, Copy)]
struct WatchdogInfo {
    options: u32,
    firmware_version: u32,
    identity: [u8; 32],
}

/// The magic close: a driver that receives this before the file is closed stops the hardware.
const CLOSE_TIMEOUT: &[u8] = b"V";

/// Anything but [`CLOSE_TIMEOUT`] is a heartbeat.
const BEAT: &[u8] = b"\0";

pub struct Device {
    path: PathBuf,
    file: File,
}

impl Device {
    /// Opens the device. From here on the machine is reset if [`Device::feed`] is not called in
    /// time. Does not block: the file is opened with O_NONBLOCK, which devices ignore and a FIFO
    /// needs. A FIFO may stand in for the device: a write to it overwrites nothing.
    ///
    /// # Errors
    /// If it does not exist, is busy (only one process can have it) or is not allowed, or if it is
    /// not a watchdog; nothing was written to it then.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Of a tape or a disk not even the opening is harmless.
        if !may_be_watchdog(fs::metadata(path)?.file_type()) {
            return Err(not_a_watchdog());
        }
        let file = OpenOptions::new().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
        let kind = file.metadata()?.file_type();
        if may_be_watchdog(kind) && (kind.is_fifo() || is_watchdog(&file)) {
            Ok(Self { path: path.to_owned(), file })
        } else {
            Err(not_a_watchdog())
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sets the time without a heartbeat after which the machine is reset; returns the value in
    /// force.
    ///
    /// # Errors
    /// The driver's error: the timeout may not be settable, or not to this value. Feeding works all
    /// the same. [`Device::timeout`] may report what applies instead.
    pub fn set_timeout(&self, timeout: Duration) -> io::Result<Duration> {
        let mut seconds = i32::try_from(timeout.as_secs()).unwrap_or(i32::MAX);
        // SAFETY: the kernel reads and writes one int behind this request, and `seconds` is one that
        // lives until the call is over. Drivers and files that do not know the request refuse it.
        unsafe { ioctl(&self.file, Updater::<WDIOC_SETTIMEOUT, i32>::new(&mut seconds)) }?;
        self.timeout()
    }

    /// The time without a heartbeat after which the machine is reset, as the driver reports it.
    ///
    /// # Errors
    /// If the driver does not report it, or the file is not a watchdog.
    pub fn timeout(&self) -> io::Result<Duration> {
        // SAFETY: the kernel writes one int behind this request, into the place `Getter` keeps for it.
        let seconds = unsafe { ioctl(&self.file, Getter::<WDIOC_GETTIMEOUT, i32>::new()) }?;
        u64::try_from(seconds).map(Duration::from_secs).map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// Sends one heartbeat.
    ///
    /// # Errors
    /// The driver's error; the heartbeat was then not taken.
    pub fn feed(&mut self) -> io::Result<()> {
        self.file.write_all(BEAT)
    }

    /// Stops the watchdog, if its driver allows that (`nowayout`).
    ///
    /// # Errors
    /// If the driver did not accept the magic close; it then goes on counting.
    pub fn disarm(mut self) -> io::Result<()> {
        self.file.write_all(CLOSE_TIMEOUT)
    }
}

fn may_be_watchdog(kind: FileType) -> bool {
    kind.is_char_device() || kind.is_fifo()
}

/// Whether the driver behind the device knows what only watchdogs know.
fn is_watchdog(device: &File) -> bool {
    // SAFETY: the kernel writes one `struct watchdog_info` behind this request, into the place that
    // `Getter` keeps for it, and every content of that struct is valid.
    unsafe { ioctl(device, Getter::<WDIOC_GETSUPPORT, WatchdogInfo>::new()) }.is_ok()
}

fn not_a_watchdog() -> io::Error {
    io::Error::other("it is not a watchdog device, so nothing is written to it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_watchdog_is_refused_and_not_written_to() {
        let file = std::env::temp_dir().join(format!("cctv-no-watchdog-{}", std::process::id()));
        fs::write(&file, "a partition table").unwrap();
        for path in [file.as_path(), Path::new("/dev/null"), Path::new("/dev/zero"), Path::new("/tmp")] {
            let refused = Device::open(path).err().unwrap();
            assert!(refused.to_string().contains("not a watchdog device"), "{}: {refused}", path.display());
        }
        assert_eq!(fs::read(&file).unwrap(), b"a partition table");
        assert_eq!(Device::open(Path::new("/nonexistent")).err().unwrap().kind(), io::ErrorKind::NotFound);
        // As in linux/watchdog.h.
        assert_eq!(size_of::<WatchdogInfo>(), 40);
        fs::remove_file(&file).unwrap();
    }
}
