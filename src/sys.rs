//! What the standard library has no safe form of for a whole process.

// mallopt(3) is not in the standard library; because of this file's safe function, no other file
// needs this.
#![allow(unsafe_code)]

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
