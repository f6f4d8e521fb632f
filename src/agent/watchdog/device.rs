//! The machine's watchdog device: opened, set and fed; stopped on purpose or not at all.
//!
//! Once it is open, the machine is reset when nobody feeds it, even after this process has died.
//! Dropping a [`Device`] therefore leaves the watchdog running; only [`Device::disarm`] stops it.
//! Source: the kernel's `Documentation/watchdog/watchdog-api.rst`.

// The ioctls are the only way to the timeout, and no crate offers them in safe code.
#![allow(unsafe_code)]

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
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
    /// needs.
    ///
    /// # Errors
    /// If it does not exist, is busy (only one process can have it) or is not allowed.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
        Ok(Self { path: path.to_owned(), file })
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
