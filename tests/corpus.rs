//! Scenario: untrusted input never harms a parser.
//!
//! Every fuzzer seed and damaged copies of it go through the parser they belong to, the same way on
//! each run. `scripts/fuzz` runs the long searches for new inputs.

// A test that cannot read its seeds has failed.
#![allow(clippy::unwrap_used)]

#[path = "../fuzz/src/readers.rs"]
mod readers;

use std::{fs, path::Path};

use nix::sys::resource::{Resource, setrlimit};

/// Limit of processor time for all seeds, in seconds: a hundred times what they need. Unlike
/// wall-clock time, it does not run faster on a busy machine.
const PROCESSOR_SECONDS: u64 = 300;

/// Limit of the process's address space, in bytes. A parser that trusts a false length exceeds it.
const MEMORY: u64 = 2 << 30;

/// Damaged copies of each seed.
const COPIES: usize = 1000;

#[test]
fn every_seed_and_its_damaged_copies_are_survived() {
    // The kernel ends the process at these limits, which fails the test.
    setrlimit(Resource::RLIMIT_CPU, PROCESSOR_SECONDS, PROCESSOR_SECONDS).unwrap();
    setrlimit(Resource::RLIMIT_AS, MEMORY, MEMORY).unwrap();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, read) in readers::ALL {
        let mut files: Vec<_> = fs::read_dir(corpus.join(name)).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        let seeds: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
        assert!(!seeds.is_empty(), "{name} has no seeds");
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        for seed in &seeds {
            read(seed);
            for end in (0..seed.len()).step_by(seed.len() / 100 + 1) {
                read(&seed[..end]);
            }
            for _ in 0..COPIES {
                read(&damaged(seed, &seeds, &mut dice));
            }
        }
        println!("{name}: {} seeds", seeds.len());
    }
}

/// Returns `seed` damaged in one to eight places.
fn damaged(seed: &[u8], seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    const TELLING: [u8; 16] = *b"\0\xff<>&;\"'=,:/\r\n 9";
    let mut bytes = seed.to_vec();
    for _ in 0..=dice.below(8) {
        let at = dice.below(bytes.len() + 1);
        let until = (at + dice.below(40)).min(bytes.len());
        match dice.below(5) {
            0 => bytes.insert(at, TELLING[dice.below(TELLING.len())]),
            1 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            2 => drop(bytes.drain(at..until)),
            3 => {
                let again = bytes[at..until].repeat(1 + dice.below(30));
                bytes.splice(at..at, again);
            }
            _ => {
                let other = &seeds[dice.below(seeds.len())];
                bytes.truncate(at);
                bytes.extend(&other[dice.below(other.len() + 1)..]);
            }
        }
    }
    bytes
}

/// Pseudo-random numbers, the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
    }
}
