//! The agent links the C library and nothing else that a camera's or viewer's bytes could reach: no
//! decoder, no OpenCV. Those belong to `cctv-worker`.

use std::fs;

/// The C library with its parts, and what unwinds the stack of a panic; the loader besides.
const ALLOWED: [&str; 5] = ["libc", "libm", "libgcc_s", "libdl", "libpthread"];

/// Types of program headers and entries of the dynamic section, see elf(5).
const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;

/// A 64-bit program, little endian.
struct Elf(Vec<u8>);

/// One program header.
struct Segment {
    kind: u64,
    offset: u64,
    address: u64,
    size: u64,
}

impl Elf {
    fn read(path: &str) -> Self {
        let bytes = fs::read(path).unwrap();
        assert_eq!(bytes[..6], *b"\x7fELF\x02\x01", "{path}: no 64-bit ELF, little endian");
        Self(bytes)
    }

    fn number<const BYTES: usize>(&self, at: u64) -> u64 {
        let at = usize::try_from(at).unwrap();
        self.0[at..at + BYTES].iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
    }

    fn segments(&self) -> impl Iterator<Item = Segment> {
        let (table, size, count) = (self.number::<8>(32), self.number::<2>(54), self.number::<2>(56));
        (0..count).map(move |index| table + index * size).map(|at| Segment {
            kind: self.number::<4>(at),
            offset: self.number::<8>(at + 8),
            address: self.number::<8>(at + 16),
            size: self.number::<8>(at + 32),
        })
    }

    /// The names of the libraries that the loader loads for it.
    fn needed(&self) -> Vec<String> {
        let dynamic = self.segments().find(|segment| segment.kind == PT_DYNAMIC).expect("a dynamic program");
        let entries = (dynamic.offset..dynamic.offset + dynamic.size).step_by(16);
        let entries: Vec<_> = entries
            .map(|at| (self.number::<8>(at), self.number::<8>(at + 8)))
            .take_while(|&(tag, _)| tag != DT_NULL)
            .collect();
        let (_, address) = *entries.iter().find(|(tag, _)| *tag == DT_STRTAB).unwrap();
        let holds = |segment: &Segment| {
            segment.kind == PT_LOAD && (segment.address..segment.address + segment.size).contains(&address)
        };
        let segment = self.segments().find(holds).unwrap();
        let strings = address - segment.address + segment.offset;
        let text = |at: u64| {
            let bytes = self.0[usize::try_from(strings + at).unwrap()..].iter();
            bytes.take_while(|&&byte| byte != 0).map(|&byte| char::from(byte)).collect()
        };
        entries.iter().filter(|(tag, _)| *tag == DT_NEEDED).map(|&(_, at)| text(at)).collect()
    }
}

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
