//! Lets malloc give back what it no longer needs.
//!
//! Once a large block was freed, glibc's malloc keeps blocks of up to that size for the next time, one
//! heap for each thread that ever needed one. The drawings of cards for a few large tiles left 33 MB so;
//! with fixed thresholds 4 MB. They can be set without foreign code only by the environment that a
//! program is started with.

use std::{env, os::unix::process::CommandExt, process::Command};

use crate::capture::THRIFTY_MALLOC;

/// Begins this program anew, as the same process, with thresholds that do not grow; returns where they
/// are set already, also to something else, and where that fails. To be called before anything else: of
/// this process nothing is left.
pub fn begin() {
    if THRIFTY_MALLOC.iter().any(|(name, _)| env::var_os(name).is_some()) {
        return;
    }
    let mut arguments = env::args_os();
    let (Some(name), Ok(program)) = (arguments.next(), env::current_exe()) else { return };
    // Without it everything works as well, and takes more memory.
    let _refused = Command::new(program).arg0(name).args(arguments).envs(THRIFTY_MALLOC).exec();
}
