//! System functions for which the standard library has no safe form: copies of this process, and
//! how a process is set up.
//!
//! Each function checks its own preconditions, so calling one is safe.

// See above; because of this file's safe functions, no other file needs this.
#![allow(unsafe_code)]

use std::{
    env,
    ffi::CString,
    fs,
    io::{self, IoSliceMut, Seek as _, SeekFrom, Write as _},
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    ptr::{self, NonNull},
};

use nix::{
    cmsg_space,
    errno::Errno,
    sys::{
        mman::{MmapAdvise, madvise},
        prctl,
        socket::{ControlMessageOwned, MsgFlags, recvmsg},
        wait::waitpid,
    },
    unistd::{self, ForkResult, Pid},
};

use crate::proc::Process;

/// Larger blocks, in bytes, are mapped separately and go back to the system when they are freed;
/// this much may be free at the end of a heap. glibc's malloc starts with these thresholds and,
/// unless they are set, raises them with each large block. Cards drawn for a few large tiles left
/// 33 MB that way, and 4 MB with fixed thresholds.
#[cfg(target_env = "gnu")]
const MALLOC_THRESHOLD: nix::libc::c_int = 128 << 10;

/// Makes malloc return memory that it no longer needs; C libraries other than glibc do so anyway.
pub fn tune_malloc() {
    #[cfg(target_env = "gnu")]
    for parameter in [nix::libc::M_MMAP_THRESHOLD, nix::libc::M_TRIM_THRESHOLD] {
        // SAFETY: mallopt(3) accepts any number, and returns 0 for one that it refuses.
        unsafe { nix::libc::mallopt(parameter, MALLOC_THRESHOLD) };
    }
}

/// Returns the memory of pages that were read from files and never written: libraries' code and
/// tables, most of which only loading has touched. Pages needed again are read from the file or the
/// system's cache of it, a few at a time.
///
/// # Errors
/// If this process has another thread, or if `/proc` does not show the mappings.
///
/// # Blocking
/// A few milliseconds for 244 libraries.
pub fn drop_clean_pages() -> io::Result<()> {
    ensure_single_threaded()?;
    for (start, length) in clean_ranges(&Process::own().read("smaps")?) {
        let Some(address) = NonNull::new(ptr::with_exposed_provenance_mut(start)) else { continue };
        // What the kernel keeps, such as locked memory, stays.
        // SAFETY: these pages hold what their file holds, because nothing was written to them.
        // Nothing can be written to them: they are not writable, and there is no other thread that
        // could change that. So nobody can see whether they were read anew.
        let _ = unsafe { madvise(address, length, MmapAdvise::MADV_DONTNEED) };
    }
    Ok(())
}

/// Address and length of each part of a file that is mapped for reading only and of which no page
/// differs from the file. Pages of a library that were written while it was loaded, and then
/// made read-only, do differ. See proc_pid_smaps(5).
fn clean_ranges(smaps: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut here = None;
    for line in smaps.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(first), Some(second)) = (words.next(), words.next()) else { continue };
        if let Some((start, end)) = first.split_once('-') {
            let number = |text| usize::from_str_radix(text, 16).ok();
            let is_file = words.nth(3).is_some_and(|path| path.starts_with('/'));
            let readable = is_file && matches!(second, "r--p" | "r-xp");
            here = number(start).zip(number(end)).filter(|_| readable);
        } else if (first, second) == ("Anonymous:", "0")
            && let Some((start, end)) = here.take()
        {
            found.push((start, end.saturating_sub(start)));
        }
    }
    found
}

/// Makes a copy of this process, which runs beside it. Returns the copy's process ID here, and
/// `None` in the copy.
///
/// # Errors
/// If this process has another thread, which the copy would lack, or if the system refuses a
/// process.
pub fn fork() -> io::Result<Option<Pid>> {
    ensure_single_threaded()?;
    // SAFETY: there is no other thread that could be in the middle of an operation.
    match unsafe { unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Some(child)),
        ForkResult::Child => Ok(None),
    }
}

/// Ends this process at once, with all its threads and with `code`; no code runs and nothing is
/// written on the way out.
///
/// For processes whose threads may be inside a library: leaving `main` runs the exit handlers of
/// 244 libraries, which destroy data that a drawing thread still uses.
pub fn exit_now(code: u8) -> ! {
    // SAFETY: _exit(2) accepts any number, and nothing of this process is used after it.
    unsafe { nix::libc::_exit(i32::from(code)) }
}

/// Waits for a child that ends by itself at once or was killed, and collects its exit status.
///
/// # Blocking
/// Until the child has ended.
pub fn wait_child(child: Pid) {
    while waitpid(child, None) == Err(Errno::EINTR) {}
}

/// Changes the environment of this process.
///
/// # Errors
/// If this process has another thread, which might be reading it.
pub fn set_environment(variables: &[(&str, String)]) -> io::Result<()> {
    ensure_single_threaded()?;
    for (name, value) in variables {
        // SAFETY: there is no other thread.
        unsafe { env::set_var(name, value) };
    }
    Ok(())
}

/// Gives this process another name, of at most 15 bytes, and one argument in every list of
/// processes. Otherwise a copy would appear there as the original. A longer command line is cut.
///
/// # Errors
/// If `/proc` does not show where the command line is, or does not allow to change it; then only
/// the name has changed.
pub fn set_process_title(name: &str, argument: &str) -> io::Result<()> {
    prctl::set_name(&CString::new(name)?)?;
    let own = Process::own();
    let stat = own.stat()?;
    // arg_start and arg_end.
    let (Some(start), Some(end)) = (stat.field(48), stat.field(49)) else {
        return Err(io::Error::other("/proc does not show where the command line is"));
    };
    let room = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
    let mut line = format!("{name}\0{argument}\0").into_bytes();
    line.resize(room, 0);
    // Written through the kernel, as a debugger would do.
    let mut memory = fs::OpenOptions::new().write(true).open(own.folder().join("mem"))?;
    memory.seek(SeekFrom::Start(start))?;
    memory.write_all(&line)
}

/// Receives one byte and the descriptors sent with it, at most two; `None` means that the other end
/// has closed.
///
/// # Errors
/// If the socket fails.
///
/// # Blocking
/// Until there is something to receive.
pub fn receive(socket: &UnixStream) -> io::Result<Option<(u8, Vec<OwnedFd>)>> {
    let mut byte = [0];
    let mut carried = cmsg_space!([i32; 2]);
    let mut parts = [IoSliceMut::new(&mut byte)];
    let message = loop {
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut carried), MsgFlags::MSG_CMSG_CLOEXEC) {
            Err(Errno::EINTR) => {}
            received => break received?,
        }
    };
    let mut descriptors = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = control {
            // SAFETY: the kernel has just opened these descriptors for this process; no other code
            // knows them.
            descriptors.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
        }
    }
    Ok((message.bytes > 0).then_some((byte[0], descriptors)))
}

/// Returns an error if this process has a thread other than the calling one.
fn ensure_single_threaded() -> io::Result<()> {
    match Process::own().threads()? {
        1 => Ok(()),
        threads => Err(io::Error::other(format!("a process with {threads} threads cannot do this"))),
    }
}

#[cfg(test)]
mod tests {
    use std::{io::IoSlice, thread};

    use nix::sys::socket::{ControlMessage, sendmsg};

    use super::*;

    #[test]
    fn process_with_threads_is_neither_copied_nor_changed() {
        thread::scope(|scope| {
            scope.spawn(|| {
                assert!(fork().unwrap_err().to_string().contains("threads"));
                assert!(set_environment(&[("CCTV_TEST", "1".to_owned())]).is_err());
                assert!(drop_clean_pages().is_err());
                assert!(env::var_os("CCTV_TEST").is_none());
            });
        });
    }

    #[test]
    fn only_what_nobody_can_have_written_is_forgotten() {
        let smaps = "\
1000-3000 r-xp 00000000 08:01 17 /lib/a b.so\nRss: 8 kB\nAnonymous:             0 kB\nVmFlags: rd ex\n\
3000-4000 r--p 00002000 08:01 17 /lib/a b.so\nAnonymous:             4 kB\n\
4000-5000 rw-p 00003000 08:01 17 /lib/a b.so\nAnonymous:             0 kB\n\
5000-6000 r--p 00000000 00:00 0 \nAnonymous:             0 kB\n\
6000-7000 r--p 00000000 00:00 0 [vvar]\nAnonymous:             0 kB\n\
7000-8000 r--s 00000000 08:01 18 /shared\nAnonymous:             0 kB\n\
9000-9800 r--p 00000000 08:01 17 /lib/b.so\nAnonymous:             0 kB\n";
        assert_eq!(clean_ranges(smaps), [(0x1000, 0x2000), (0x9000, 0x800)]);
    }

    #[test]
    fn descriptors_arrive_with_their_byte_and_the_end_is_told() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let (_, other) = UnixStream::pair().unwrap();
        let carried = [other.as_raw_fd(), other.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&carried)];
        sendmsg::<()>(ours.as_raw_fd(), &[IoSlice::new(b"x")], &rights, MsgFlags::empty(), None).unwrap();
        ours.write_all(b"y").unwrap();
        drop(ours);
        let (byte, descriptors) = receive(&theirs).unwrap().unwrap();
        assert_eq!((byte, descriptors.len()), (b'x', 2));
        assert!(matches!(receive(&theirs).unwrap(), Some((b'y', none)) if none.is_empty()));
        assert!(receive(&theirs).unwrap().is_none());
    }
}
