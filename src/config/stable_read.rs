//! Reading a file that somebody may be writing at this very moment.
//!
//! Many editors empty a file before they write it, some move the old one away first; a reload in
//! between must neither take half a file for the whole, nor an absent one for a mistake.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::{Complaint, Config, read};

/// A file that did not change for this long is not being written.
const SETTLED: Duration = Duration::from_millis(200);

/// Looks at a file that changes all the time, before it is given up: some 4 s.
const MAX_LOOKS: u32 = 20;

/// What tells one version of a file from another: device, inode, size, and time of the last change.
type Version = Option<(u64, u64, u64, i64, i64)>;

/// As [`read`], but waits until the file and the password files it names have come to rest.
///
/// # Errors
/// As [`read`], and where the file does not come to rest.
///
/// # Blocking
/// For [`SETTLED`] at least, some seconds at most.
pub fn read_settled(path: &Path) -> Result<Config, Vec<Complaint>> {
    settled(|| (version(path), read(path)), || thread::sleep(SETTLED)).unwrap_or_else(|| {
        let text = "it changes all the time; reload once whoever writes it has finished".to_owned();
        Err(vec![Complaint { file: PathBuf::from(path), position: None, text }])
    })
}

/// What two looks in a row saw alike; `None` where all differ.
fn settled<T: PartialEq>(look: impl Fn() -> (Version, T), pause: impl Fn()) -> Option<T> {
    let mut last = look();
    for _ in 1..MAX_LOOKS {
        pause();
        let next = look();
        if next == last {
            return Some(next.1);
        }
        last = next;
    }
    None
}

fn version(path: &Path) -> Version {
    let file = fs::metadata(path).ok()?;
    Some((file.dev(), file.ino(), file.size(), file.mtime(), file.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn only_what_stays_the_same_counts() {
        let looks = Cell::new(0);
        let text = |versions: &'static [&str]| {
            looks.set(0);
            let look = || {
                let seen = versions[looks.get().min(versions.len() - 1)];
                looks.set(looks.get() + 1);
                (None, seen)
            };
            settled(look, || {})
        };
        assert_eq!(text(&["whole"]), Some("whole"));
        assert_eq!(text(&["old", "", "half", "whole", "whole"]), Some("whole"));
        assert_eq!(
            text(&[
                "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18",
                "19", "20", "21"
            ]),
            None
        );
    }

    #[test]
    fn version_that_reads_alike_is_not_taken_for_the_same() {
        let looks = Cell::new(0_u64);
        let look = || {
            looks.set(looks.get() + 1);
            (Some((0, 0, looks.get().min(3), 0, 0)), "only notes so far")
        };
        assert!(settled(look, || {}).is_some());
        assert_eq!(looks.get(), 4);
    }
}
