//! Lets malloc give back what it no longer needs.
//!
//! Once a large block was freed, glibc's malloc keeps blocks of up to that size for the next time, one
//! heap for each thread that ever needed one. The drawings of cards for a few large tiles left 33 MB so;
//! with fixed thresholds 4 MB. They can be set without foreign code only by the environment that a
//! program is started with.

use std::{env, os::unix::process::CommandExt, process::Command};

/// Larger blocks are the system's, and go back to it when they are freed; in bytes. As glibc begins with.
const THRESHOLD: &str = "131072";

/// See mallopt(3). Other C libraries do not know them.
const SETTINGS: [&str; 2] = ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"];

/// Begins this program anew, as the same process, with thresholds that do not grow; returns where they
/// are set already, also to something else, and where that fails. To be called before anything else: of
/// this process nothing is left.
pub fn begin() {
    if SETTINGS.iter().any(|setting| env::var_os(setting).is_some()) {
        return;
    }
    let mut arguments = env::args_os();
    let (Some(name), Ok(program)) = (arguments.next(), env::current_exe()) else { return };
    // Without it everything works as well, and takes more memory.
    let _refused = Command::new(program).arg0(name).args(arguments).envs(SETTINGS.map(|name| (name, THRESHOLD))).exec();
}
