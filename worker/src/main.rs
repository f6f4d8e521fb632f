//! The program `cctv-worker`, which the agent starts to decode a stream.

use std::process::ExitCode;

fn main() -> ExitCode {
    cctv_worker::run(None)
}
