//! The crates of the build: their licences allow the product to be given away, and a crate comes in
//! one version only, except where a prescribed crate brings an old one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use serde_json::Value;

/// Crates that come in two versions, with the crate that brings the old one. A crate that no longer
/// does must leave this list.
const DUPLICATES: [(&str, &str); 19] = [
    ("async-channel", "http-types"),
    ("async-io", "async-h1"),
    ("async-lock", "async-h1"),
    ("base64", "http-types"),
    ("bitflags", "async-h1, by rustix 0.37"),
    ("event-listener", "http-types"),
    ("fastrand", "http-types"),
    ("futures-lite", "http-types"),
    ("getrandom", "http-types, by rand 0.7, and ring"),
    ("linux-raw-sys", "async-h1, by rustix 0.37"),
    ("polling", "async-h1, by async-io 1"),
    ("rand", "http-types"),
    ("rand_core", "http-types"),
    ("rustix", "async-h1, by async-io 1"),
    ("socket2", "async-h1, by async-io 1"),
    ("syn", "derive macros of two generations"),
    ("synstructure", "x509-parser, an optional crate of rcgen that is not built"),
    ("thiserror", "http-types"),
    ("thiserror-impl", "http-types"),
];

/// All packages that are built for this kind of machine, as cargo lists them from the lock file.
fn packages() -> Vec<Value> {
    let host = Command::new("rustc").arg("-vV").output().unwrap().stdout;
    let host = String::from_utf8(host).unwrap();
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Whether the SPDX expression `expression` can be met with the licences in `allowed`. Slashes stand for
/// OR, as old manifests have it. Of nested expressions only `(A OR B) AND C` occurs.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let any = |part: &str| part.replace('/', " OR ").split(" OR ").any(|licence| allowed.contains(licence.trim()));
    expression.split(" AND ").all(|part| any(part.trim_matches(['(', ')', ' '])))
}

/// The licences that `deny.toml` allows.
fn allowed() -> BTreeSet<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let list = table["licenses"]["allow"].as_array().unwrap();
    list.iter().map(|licence| licence.as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_crate_has_a_licence_that_deny_toml_allows() {
    let (allowed, packages) = (allowed(), packages());
    assert!(packages.len() > 100, "{} packages", packages.len());
    let refused: Vec<_> = packages
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(|licence| is_allowed(licence, &allowed)))
        .map(|package| format!("{} {}: {}", package["name"], package["version"], package["license"]))
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn licence_expressions_are_read() {
    let allowed = BTreeSet::from(["MIT".to_owned(), "Unicode-3.0".to_owned()]);
    for right in ["MIT", "GPL-3.0 OR MIT", "GPL-3.0/MIT", "(MIT OR GPL-3.0) AND Unicode-3.0"] {
        assert!(is_allowed(right, &allowed), "{right}");
    }
    for wrong in ["", "GPL-3.0", "MIT AND GPL-3.0", "(GPL-2.0 OR GPL-3.0) AND MIT"] {
        assert!(!is_allowed(wrong, &allowed), "{wrong}");
    }
}

#[test]
fn crate_comes_in_two_versions_only_where_the_list_says_why() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages() {
        let text = |key: &str| package[key].as_str().unwrap().to_owned();
        versions.entry(text("name")).or_default().insert(text("version"));
    }
    let found: BTreeSet<_> =
        versions.iter().filter(|(_, versions)| versions.len() > 1).map(|(name, _)| name.as_str()).collect();
    let listed: BTreeSet<_> = DUPLICATES.iter().map(|(name, _)| *name).collect();
    assert_eq!(found, listed);
}
