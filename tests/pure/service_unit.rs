//! The systemd unit leaves the workers the calls with which they enter their sandboxes: `@system-service` of
//! systemd 252 holds none of them. What else the service may do is little.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

fn unit() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("rootfs-overlay/usr/lib/systemd/system/cctv-agent.service")
}

#[test]
fn exposure_of_the_service_is_at_most_1_6_by_systemd_itself() {
    let mut analyze = Command::new("systemd-analyze");
    // In tenths.
    let output = analyze.args(["security", "--offline=true", "--threshold=16", "--no-pager"]).arg(unit()).output();
    let Ok(output) = output else { return eprintln!("skipped: there is no systemd-analyze") };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Overall exposure level") && output.status.success(), "{text}");
}

#[test]
fn service_may_make_the_calls_of_a_sandbox() {
    let unit = fs::read_to_string(unit()).unwrap();
    let allowed: BTreeSet<_> = unit
        .lines()
        .filter_map(|line| line.strip_prefix("SystemCallFilter="))
        .filter(|calls| !calls.starts_with('~'))
        .flat_map(str::split_whitespace)
        .collect();
    for call in ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "seccomp"] {
        assert!(allowed.contains(call), "{call} is not in {allowed:?}");
    }
}
