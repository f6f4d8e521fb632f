//! Reads a file that another program may be writing at the same time.
//!
//! Many editors empty a file before they write it; some first move the old file away. A reload at
//! that moment must not accept half a file, and must not report an absent file as a mistake.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, thread, time::Duration};

/// A file that has not changed for this time is no longer being written.
const SETTLED: Duration = Duration::from_millis(200);

/// Maximum number of looks at a file that keeps changing: about 4 s in total.
const MAX_LOOKS: u32 = 20;

/// Identifies one version of a file: device, inode, size, and time of the last change.
type Version = Option<(u64, u64, u64, i64, i64)>;

/// Returns what `read` makes of the file at `path` as soon as the file, and what `read` makes of it,
/// have not changed for [`SETTLED`]. `None` if that never happens.
///
/// # Blocking
/// Blocks for at least [`SETTLED`], and for some seconds at most.
pub(super) fn settled<T: PartialEq>(path: &Path, read: impl Fn() -> T) -> Option<T> {
    repeated(|| (version(path), read()), || thread::sleep(SETTLED))
}

/// Returns the result of two equal looks in a row; `None` if no two were equal.
fn repeated<T: PartialEq>(look: impl Fn() -> (Version, T), pause: impl Fn()) -> Option<T> {
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
            repeated(look, || {})
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
        assert!(repeated(look, || {}).is_some());
        assert_eq!(looks.get(), 4);
    }
}
