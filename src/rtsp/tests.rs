//! One test for each habit of real cameras that concerns signalling, named by its number: `r019_…` is
//! R19 of the catalogue.
//!
//! `requests`: requests, responses, keepalives (R1 to R7, R13 to R18). `login`: R19 to R28. `setup`:
//! URLs, transports and refusals (R8 to R12, R29 to R43). `transports`: multicast and HTTP (R40). `description`: SDP (R44 to R60; the parameters
//! of formats are in `rtp`). `interleaved`: the bytes of the connection (R61 to R72). `ending`: the first
//! packet and the end (R64, R109 to R120). `sound`: sessions of sound. Packets and access units (R74 to R112) are tested in `rtp`;
//! what takes sockets (R73, R78, R116, R117, R119) in `udp` and `tests/process/rtsp_client.rs`.

mod description;
mod ending;
mod fake;
mod interleaved;
mod login;
mod requests;
mod setup;
mod sound;
mod transports;

use std::{collections::BTreeSet, fs, path::Path};

/// Number of habits in the catalogue.
const HABITS: u32 = 120;

/// The numbers in the names of the tests in the Rust files below `path`.
fn tested(path: &Path, numbers: &mut BTreeSet<u32>) {
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| tested(&entry.unwrap().path(), numbers));
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        let text = fs::read_to_string(path).unwrap();
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if line != "#[test]" {
                continue;
            }
            let name = lines.find_map(|line| line.strip_prefix("fn ")).unwrap_or("");
            let words = name.split('(').next().unwrap_or("").split('_');
            let number =
                |word: &str| -> Option<u32> { word.strip_prefix('r').filter(|digits| digits.len() == 3)?.parse().ok() };
            numbers.extend(words.map_while(number));
        }
    }
}

#[test]
fn every_habit_of_the_catalogue_has_a_test() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut numbers = BTreeSet::new();
    tested(&project.join("src/rtsp"), &mut numbers);
    tested(&project.join("tests/process/rtsp_client.rs"), &mut numbers);
    let missing: Vec<_> = (1..=HABITS).filter(|number| !numbers.contains(number)).collect();
    assert!(missing.is_empty(), "no test has the number {missing:?}");
}
