//! The systemd unit leaves the workers the calls with which they enter their sandboxes: `@system-service` of
//! systemd 252 holds none of them.

use std::{collections::BTreeSet, fs, path::Path};

#[test]
fn service_may_make_the_calls_of_a_sandbox() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("rootfs-overlay/usr/lib/systemd/system/cctv-agent.service");
    let unit = fs::read_to_string(unit).unwrap();
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
