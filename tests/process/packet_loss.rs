//! A network that loses 1 % of the packets: no picture that is served is damaged. `soak --loss` reads
//! each stream with and without loss, and compares the pictures.

use std::{path::Path, process::Command};

use crate::support::{Folder, agent_program};

/// Runs the comparison; returns its exit code and its table.
fn compare(pictures: u32, options: &[&str]) -> (Option<i32>, String) {
    let folder = Folder::new();
    let program = agent_program().with_file_name("soak");
    assert!(program.exists(), "there is no {}; run cargo build --workspace", program.display());
    let output = Command::new(program)
        .args(["--loss", &pictures.to_string(), "--seed", "1", "--agent"])
        .arg(agent_program())
        .arg("--virtual-camera")
        .arg(agent_program().with_file_name("virtual-camera"))
        .arg("--www")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("www"))
        .arg("--out")
        .arg(&folder.0)
        .args(options)
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{text}");
    (output.status.code(), text)
}

#[test]
fn no_picture_is_damaged_where_packets_are_lost() {
    let (code, text) = compare(300, &[]);
    assert_eq!(code, Some(0), "{text}");
}

/// The same with `damaged = "show"`: the comparison finds damaged pictures where they are served.
#[test]
fn damaged_pictures_are_found_where_the_file_asks_for_them() {
    let (code, text) = compare(300, &["--show-damaged"]);
    assert_eq!(code, Some(1), "{text}");
    let damaged = |line: &str| line.split('|').nth(5)?.trim().parse::<u32>().ok();
    assert!(text.lines().filter_map(damaged).sum::<u32>() > 0, "{text}");
}
