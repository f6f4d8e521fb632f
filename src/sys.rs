//! What the system offers and the standard library has no safe words for: copies of this process, and what
//! is set up in one.
//!
//! Each function makes sure itself of what it needs, so calling one is safe.

// See above; the safe functions of this file are the reason why no other needs this.
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

/// Blocks of more than so many bytes are the system's, and go back to it when they are freed; and so much
/// may be free at the end of a heap. glibc's malloc begins with these thresholds, and without being told
/// raises them with each large block: cards drawn for a few large tiles left 33 MB so, with fixed ones 4.
#[cfg(target_env = "gnu")]
const MALLOC_THRESHOLD: nix::libc::c_int = 128 << 10;

/// Lets malloc give back what it no longer needs; other C libraries than glibc do so anyway.
pub fn tune_malloc() {
    #[cfg(target_env = "gnu")]
    for parameter in [nix::libc::M_MMAP_THRESHOLD, nix::libc::M_TRIM_THRESHOLD] {
        // SAFETY: mallopt(3) takes any number, and says with 0 that it does not like one.
        unsafe { nix::libc::mallopt(parameter, MALLOC_THRESHOLD) };
    }
}

/// Gives back the memory of what was read from files and never written: libraries' code and tables, most of which
/// only loading has touched. What is needed again comes back from the file or the system's cache of it, a few
/// pages at a time.
///
/// # Errors
/// Where this process has another thread; where `/proc` does not tell what is mapped.
///
/// # Blocking
/// A few milliseconds for 244 libraries.
pub fn drop_clean_pages() -> io::Result<()> {
    ensure_single_threaded()?;
    for (start, length) in clean_ranges(&fs::read_to_string("/proc/self/smaps")?) {
        let Some(address) = NonNull::new(ptr::with_exposed_provenance_mut(start)) else { continue };
        // SAFETY: these pages hold what their file holds, as nothing was written to them, and nothing can be:
        // they are not writable, and there is no other thread that could change that. So nobody can tell
        // whether they were read anew.
        // What the kernel keeps, such as locked memory, stays.
        let _ = unsafe { madvise(address, length, MmapAdvise::MADV_DONTNEED) };
    }
    Ok(())
}

/// Address and length of each part of a file that is mapped to be read alone, and of which no page differs from
/// the file; those of a library that were written while it was loaded, and locked then, do. See
/// proc_pid_smaps(5).
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

/// Makes a copy of this process, which goes on beside it: the number of the copy here, `None` in the copy.
///
/// # Errors
/// Where this process has another thread, which the copy would miss; where the system refuses a process.
pub fn fork() -> io::Result<Option<Pid>> {
    ensure_single_threaded()?;
    // SAFETY: there is no other thread that could be in the middle of something.
    match unsafe { unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Some(child)),
        ForkResult::Child => Ok(None),
    }
}

/// Ends this process at once, with all its threads and with `code`; nothing is run or written on the way out.
///
/// For processes whose threads may be inside a library: leaving `main` runs what 244 libraries do at the end of
/// a process, which pulls the ground from under a thread that is just drawing.
pub fn exit_now(code: u8) -> ! {
    // SAFETY: _exit(2) takes any number, and nothing of this process is used after it.
    unsafe { nix::libc::_exit(i32::from(code)) }
}

/// Waits for a child that ends by itself at once, or was killed, and collects it.
///
/// # Blocking
/// Until it has ended.
pub fn wait_child(child: Pid) {
    while waitpid(child, None) == Err(Errno::EINTR) {}
}

/// Changes the environment of this process.
///
/// # Errors
/// Where this process has another thread, which might be reading it.
pub fn set_environment(variables: &[(&str, String)]) -> io::Result<()> {
    ensure_single_threaded()?;
    for (name, value) in variables {
        // SAFETY: there is no other thread.
        unsafe { env::set_var(name, value) };
    }
    Ok(())
}

/// Makes this process appear under another name, of 15 bytes at most, and with one argument in every list of
/// processes, where a copy would appear as what it was copied from. A longer command line is cut.
///
/// # Errors
/// Where `/proc` does not tell where the command line is, or does not let it be changed; the name alone is
/// another then.
pub fn set_process_title(name: &str, argument: &str) -> io::Result<()> {
    prctl::set_name(&CString::new(name)?)?;
    let number = |field: Option<&str>| field.and_then(|field| field.parse::<u64>().ok());
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name in parentheses may hold blanks; fields are counted behind it, from field 3 on. See proc(5).
    let mut fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_ascii_whitespace().skip(48 - 3);
    let (Some(start), Some(end)) = (number(fields.next()), number(fields.next())) else {
        return Err(io::Error::other("/proc does not tell where the command line is"));
    };
    let room = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
    let mut line = format!("{name}\0{argument}\0").into_bytes();
    line.resize(room, 0);
    // Written through the kernel, as a debugger would.
    let mut memory = fs::OpenOptions::new().write(true).open("/proc/self/mem")?;
    memory.seek(SeekFrom::Start(start))?;
    memory.write_all(&line)
}

/// One byte and the descriptors that come with it, two at most; `None`: the other end has hung up.
///
/// # Errors
/// Where the socket fails.
///
/// # Blocking
/// Until there is something.
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
            // SAFETY: the kernel has just opened these descriptors for this process; nobody else knows them.
            descriptors.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
        }
    }
    Ok((message.bytes > 0).then_some((byte[0], descriptors)))
}

/// Whether this process has no other thread than the one that asks.
fn ensure_single_threaded() -> io::Result<()> {
    match fs::read_dir("/proc/self/task")?.count() {
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
