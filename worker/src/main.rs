//! The program `cctv-worker`, which the agent starts; see the library of the same name.

use std::process::ExitCode;

fn main() -> ExitCode {
    cctv_worker::run()
}
