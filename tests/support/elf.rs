//! The libraries that a program names, read from its file.

use std::fs;

/// Types of program headers and entries of the dynamic section, see elf(5).
const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;

/// A 64-bit program, little endian.
pub struct Elf(Vec<u8>);

/// One program header.
struct Segment {
    kind: u64,
    offset: u64,
    address: u64,
    size: u64,
}

impl Elf {
    pub fn read(path: &str) -> Self {
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
    pub fn needed(&self) -> Vec<String> {
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
