//! A network that loses 1 % of the packets: no picture that is served is damaged. `soak --loss` reads
//! each stream with and without loss, and compares the pictures.

use std::{path::Path, process::Command};

use crate::support::{Folder, agent_program};

#[test]
fn no_picture_is_damaged_where_packets_are_lost() {
    let folder = Folder::new();
    let program = agent_program().with_file_name("soak");
    assert!(program.exists(), "there is no {}; run cargo build --workspace", program.display());
    let output = Command::new(program)
        .args(["--loss", "300", "--seed", "1", "--agent"])
        .arg(agent_program())
        .arg("--virtual-camera")
        .arg(agent_program().with_file_name("virtual-camera"))
        .arg("--www")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("www"))
        .arg("--out")
        .arg(&folder.0)
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{text}");
    assert!(output.status.success(), "{text}");
}
