//! The agent links the C library and nothing else that a camera's or viewer's bytes could reach: no
//! decoder, no OpenCV. Those belong to `cctv-worker`.

use crate::support::elf::Elf;

/// The C library with its parts, and what unwinds the stack of a panic; the loader besides.
const ALLOWED: [&str; 5] = ["libc", "libm", "libgcc_s", "libdl", "libpthread"];

fn is_allowed(library: &str) -> bool {
    let name = library.split('.').next().unwrap();
    ALLOWED.contains(&name) || name.starts_with("ld-")
}

#[test]
fn agent_links_the_c_library_alone() {
    let needed = Elf::read(env!("CARGO_BIN_EXE_cctv-agent")).needed();
    assert!(needed.iter().any(|library| library.starts_with("libc.")), "{needed:?}");
    let foreign: Vec<_> = needed.iter().filter(|library| !is_allowed(library)).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[test]
fn libraries_are_told_apart_by_name() {
    let ours = ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "libc.musl-x86_64.so.1"];
    assert!(ours.into_iter().all(is_allowed));
    let others = ["libavcodec.so.61", "libopencv_core.so.410", "libturbojpeg.so.0", "libcrypto.so.3", "libmount.so.1"];
    assert!(!others.into_iter().any(is_allowed));
}
