//! Checks the rules of the source tree: a module uses only modules of lower layers, no files import
//! each other in a circle, each crate is used only by the modules that may use it, no file exceeds a
//! readable length, and nothing unwraps outside tests.
//!
//! `docs/architecture.md` gives the reasons. A new crate needs a row in [`CRATES`].

mod circles;
mod source;

use circles::Imports;
use source::Source;
use std::{collections::BTreeSet, fs, path::Path};

const LAYERS: [&[&str]; 5] = [
    &[
        "account",
        "camera",
        "device_id",
        "disk",
        "event",
        "media",
        "proc",
        "rate_window",
        "sandbox",
        "sync",
        "text",
        "time",
        "uri",
        "xml",
    ],
    &[
        "log",
        "hub",
        "config",
        "http_auth",
        "http_client",
        "ipc",
        "local_time",
        "card",
        "call_ups",
        "ptz",
        "store",
        "sys",
        "h26x",
        "reactor",
        "sound",
        "tcp",
        "tls",
        "users",
    ],
    &["onvif", "discovery", "worker_host", "web", "worker", "rtsp", "http_jpeg", "mqtt"],
    &["agent", "command"],
    &["main"],
];

/// The modules that may use a crate.
enum CrateRule {
    Only(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}
use CrateRule::{AllBut, Only};

/// `camera` needs only the standard library, and `media` little more. Only the worker, a program of its own, uses
/// the decoders, and it uses nothing asynchronous.
const CRATES: &[(&str, CrateRule)] = &[
    ("ab_glyph", Only(&["card"])),
    ("ac_ffmpeg", Only(&["worker"])),
    ("cctv_worker", Only(&["worker"])),
    ("argon2", Only(&["account"])),
    ("async_h1", Only(&["web"])),
    ("async_tungstenite", Only(&["web"])),
    ("base64", Only(&["http_auth", "onvif", "rtsp", "web"])),
    ("bytes", AllBut(&["camera"])),
    ("fastrand", Only(&["agent", "discovery"])),
    ("flate2", Only(&["http_client", "web"])),
    ("futures_rustls", Only(&["tls"])),
    ("futures_sink", Only(&["web"])),
    ("getrandom", AllBut(&["camera", "media", "log"])),
    ("http_types", Only(&["web"])),
    ("httparse", Only(&["http_client", "discovery", "web"])),
    ("io_uring", Only(&[])),
    ("jpeg_encoder", Only(&["card"])),
    ("landlock", Only(&["worker"])),
    ("lexopt", Only(&["command", "main"])),
    ("log", AllBut(&["camera", "media"])),
    ("md5", Only(&["http_auth"])),
    ("memchr", Only(&["h26x"])),
    ("memmap2", Only(&[])),
    ("minisign_verify", Only(&["command"])),
    ("mqtt_proto", Only(&["mqtt"])),
    ("multiversion", Only(&["worker"])),
    ("nix", Only(&["proc", "disk", "sys", "reactor", "worker_host", "worker", "discovery", "agent", "command"])),
    ("opencv", Only(&["worker"])),
    ("percent_encoding", Only(&["camera", "uri"])),
    ("proc_macro2", Only(&[])),
    ("quick_xml", Only(&["xml"])),
    ("rcgen", Only(&["tls"])),
    ("rustix", Only(&["agent"])),
    ("rustls", Only(&["tls"])),
    ("rustls_pki_types", Only(&["tls"])),
    ("seccompiler", Only(&["worker"])),
    ("serde_json", Only(&["web", "command", "onvif", "agent", "store"])),
    ("sha1", Only(&["onvif", "web"])),
    ("sha2", Only(&["account", "command", "http_auth", "tls", "web"])),
    ("signal_hook", Only(&["agent"])),
    ("smol", AllBut(&["camera", "media", "log", "worker"])),
    ("socket2", AllBut(&["camera", "media", "worker"])),
    ("stamp", Only(&[])),
    ("strsim", Only(&["config"])),
    ("syn", Only(&[])),
    ("syslog", Only(&["log"])),
    ("thiserror", AllBut(&["camera", "media"])),
    ("time", Only(&["http_jpeg", "log", "onvif", "tls"])),
    ("toml", Only(&["config"])),
    ("turbojpeg", Only(&["worker"])),
    ("unicode_width", Only(&["command"])),
    ("zune_jpeg", Only(&["agent"])),
];

/// Maximum lines of a file, without its tests. A file is about one noun; a longer one is probably
/// about two.
const MAX_FILE_LEN: usize = 400;
/// `(path, reason)` of each file that may be longer.
const LONG_FILES: [(&str, &str); 0] = [];

/// The files that may contain unsafe code. A `SAFETY:` comment above each block says why it is
/// sound.
const UNSAFE_FILES: [&str; 2] = ["agent/watchdog/device.rs", "sys.rs"];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

fn crate_rule(name: &str) -> Option<&'static CrateRule> {
    CRATES.iter().find(|(row, _)| *row == name).map(|(_, crate_rule)| crate_rule)
}

/// The files of the product, with their text: those below `src` by their paths there, and those of
/// the program `cctv-worker` as the module `worker`. It uses the library from outside, as a module
/// of layer 2 uses those below.
fn sources() -> Vec<(String, String)> {
    let worker = files(&project().join("worker/src")).into_iter().map(|(path, text)| match path.as_str() {
        "lib.rs" => ("worker.rs".to_owned(), text),
        path => (format!("worker/{path}"), text),
    });
    files(&project().join("src")).into_iter().chain(worker).collect()
}

/// The names from the root of the crate to the file `src/<path>`, which is a module.
fn module_of(path: &str) -> Vec<&str> {
    path.strip_suffix(".rs").unwrap_or(path).split('/').collect()
}

/// Whether the file holds tests alone, or is the list of modules.
fn is_exempt(path: &str) -> bool {
    module_of(path).iter().any(|part| *part == "tests" || part.ends_with("_tests")) || path == "lib.rs"
}

/// The violations in the file `src/<path>`, one line each, as `src/path:line: what is wrong`.
fn complaints(path: &str, text: &str) -> Vec<String> {
    if is_exempt(path) {
        return Vec::new();
    }
    let names = module_of(path);
    let module = names[0];
    let Some(own_layer) = layer(module) else {
        return vec![format!(
            "src/{path}:1: {module} has no layer; add it to tests/pure/layering.rs and docs/architecture.md"
        )];
    };
    let source = Source::read(&names, text);
    let mut complaints = Vec::new();
    for named in &source.paths {
        let mut segments = named.segments.iter().map(String::as_str);
        let problem = match (segments.next().unwrap_or(""), segments.next()) {
            ("crate" | "cctv_agent", Some(target)) => wrong_way(module, own_layer, target),
            (name, _) => match crate_rule(name) {
                Some(Only(modules)) if !modules.contains(&module) => {
                    Some(format!("{name} may not be used in {module}"))
                }
                Some(AllBut(modules)) if modules.contains(&module) => {
                    Some(format!("{name} may not be used in {module}"))
                }
                _ => None,
            },
        };
        complaints.extend(problem.map(|problem| format!("src/{path}:{}: {problem}", named.line)));
    }
    for line in &source.unwraps {
        complaints.push(format!("src/{path}:{line}: unwrap outside tests; say why it cannot fail"));
    }
    complaints.extend(unsafe_complaints(path, text, &source));
    if source.lines > MAX_FILE_LEN && !LONG_FILES.iter().any(|(long, _)| *long == path) {
        complaints.push(format!("src/{path}:1: {} lines without its tests; which second noun moved in?", source.lines));
    }
    complaints.dedup();
    complaints
}

/// Violations by unsafe code outside its files or without its reason.
fn unsafe_complaints(path: &str, text: &str, source: &Source) -> Vec<String> {
    let words = source.unsafe_words.iter();
    if !UNSAFE_FILES.contains(&path) {
        return words.map(|(line, _)| format!("src/{path}:{line}: unsafe code is not for this file")).collect();
    }
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let is_reasoned = |line: usize| {
        let above = lines[..line - 1].iter().rev().take_while(|line| line.starts_with("//"));
        above.clone().any(|line| line.contains("SAFETY: "))
    };
    let bare = words.filter(|(line, word)| word == "unsafe" && !is_reasoned(*line));
    bare.map(|(line, _)| format!("src/{path}:{line}: unsafe without its reason; write // SAFETY: above")).collect()
}

fn wrong_way(module: &str, own_layer: usize, target: &str) -> Option<String> {
    if target == module {
        return None;
    }
    match layer(target) {
        None => Some(format!("crate::{target} is no module; name the module itself")),
        Some(layer) if layer < own_layer => None,
        Some(layer) if layer == own_layer => Some(format!("{module} looks sideways at {target}, layer {layer}")),
        Some(layer) => Some(format!("{module}, layer {own_layer}, looks up at {target}, layer {layer}")),
    }
}

/// Violations in the module list: every module stands under the comment of its layer, and nothing
/// else does.
fn map_complaints(lib: &str, modules: &BTreeSet<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut named = BTreeSet::new();
    let mut here = None;
    for line in lib.lines() {
        if let Some(heading) = line.strip_prefix("// Layer ") {
            here = heading.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse::<usize>().ok());
        } else if let Some(module) = line.trim_start_matches("pub ").strip_prefix("mod ") {
            let module = module.trim_end_matches(';');
            named.insert(module.to_owned());
            if layer(module) != here {
                complaints.push(format!("src/lib.rs: {module} stands on layer {here:?}, not on {:?}", layer(module)));
            }
        }
    }
    complaints.extend(modules.difference(&named).map(|module| format!("src/lib.rs: {module} is not on the map")));
    complaints
}

/// Every Rust file under `folder`, as `(path relative to folder, text)`.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_tree_keeps_its_layers() {
    let files = sources();
    for folder in ["agent/", "worker/"] {
        let found = files.iter().filter(|(path, _)| path.starts_with(folder)).count();
        assert!(found > 10, "only {found} files of {folder}");
    }
    let complaints: Vec<_> = files.iter().flat_map(|(path, text)| complaints(path, text)).collect();
    assert!(complaints.is_empty(), "{} problems:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let files = sources();
    let files: Vec<_> = files.iter().filter(|(path, _)| !is_exempt(path)).collect();
    let sources: Vec<_> = files.iter().map(|(path, text)| Source::read(&module_of(path), text)).collect();
    let imports =
        Imports::new(files.iter().zip(&sources).map(|((path, _), source)| (module_of(path).join("::"), source)));
    let circles = imports.circles();
    let circles: Vec<_> = circles.iter().map(|circle| circle.join(" -> ")).collect();
    assert!(circles.is_empty(), "{} circles:\n{}", circles.len(), circles.join("\n"));
}

#[test]
fn the_map_names_every_module_on_its_layer() {
    let files = files(&project().join("src"));
    let modules = files.iter().filter_map(|(path, _)| path.split(['/', '.']).next()).map(str::to_owned);
    let modules: BTreeSet<_> = modules.filter(|module| module != "lib" && module != "main").collect();
    let (_, lib) = files.iter().find(|(path, _)| path == "lib.rs").unwrap();
    let complaints = map_complaints(lib, &modules);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn every_crate_of_the_manifest_has_a_rule() {
    let manifests: Vec<toml::Table> = ["Cargo.toml", "worker/Cargo.toml"]
        .map(|manifest| fs::read_to_string(project().join(manifest)).unwrap().parse().unwrap())
        .into();
    let tables = manifests.iter().flat_map(|manifest| ["dependencies", "dev-dependencies"].map(|name| &manifest[name]));
    let names = tables.flat_map(|table| table.as_table().unwrap().keys()).map(|name| match name.as_str() {
        "md-5" => "md5".to_owned(),
        name => name.replace('-', "_"),
    });
    let without: Vec<_> = names.filter(|name| name != "cctv_agent" && crate_rule(name).is_none()).collect();
    assert!(without.is_empty(), "give these a row in CRATES of tests/pure/layering.rs: {}", without.join(", "));
}

#[test]
fn import_that_goes_up_is_found() {
    for code in [
        "use crate::agent::Keeper;",
        "use crate::{camera::Camera, agent::{self, Keeper}};",
        "fn a() { let _ = crate::agent::start(); }",
        "fn a() { assert!(super::agent::start()); }",
        "pub use super::agent as whole;",
    ] {
        assert_eq!(complaints("hub.rs", code), ["src/hub.rs:1: hub, layer 1, looks up at agent, layer 3"], "{code}");
    }
}

#[test]
fn import_that_goes_sideways_is_found_in_the_modules_files() {
    let code = "//! Text.\n\nuse crate::{\n    hub::Stream,\n    onvif::Device,\n};\n";
    assert_eq!(complaints("web/files.rs", code), ["src/web/files.rs:5: web looks sideways at onvif, layer 2"]);
    assert_eq!(complaints("web/files.rs", "use super::super::onvif::A;").len(), 1);
    assert_eq!(complaints("web/files.rs", "use super::onvif::A;").len(), 0, "web's own module");
}

#[test]
fn import_of_the_whole_crate_is_found() {
    assert_eq!(complaints("web.rs", "use crate::*;").len(), 1);
    assert_eq!(complaints("web.rs", "use crate::{self as root};").len(), 1);
}

#[test]
fn import_that_goes_down_or_stays_at_home_is_allowed() {
    let code = "use crate::{camera::Camera, web::files, hub};\nuse std::io;\nuse super::camera;";
    assert_eq!(complaints("web.rs", code), [""; 0]);
    assert_eq!(
        complaints("main.rs", "use cctv_agent::{agent, log}; fn main() { cctv_agent::command::run() }"),
        [""; 0]
    );
}

#[test]
fn foreign_crate_outside_its_module_is_found() {
    for (path, code) in [
        ("agent.rs", "use opencv::core::Mat;"),
        ("agent.rs", "fn a() -> ::opencv::core::Mat { todo() }"),
        ("capture.rs", "fn a() { ac_ffmpeg::set_log_callback(b) }"),
        ("card.rs", "use turbojpeg as jpeg;"),
        ("worker/decode.rs", "use {std::io, smol::Timer};"),
        ("agent.rs", "use cctv_worker::decoder;"),
        ("worker/decode.rs", "use cctv_agent::worker_host::Worker;"),
        ("camera.rs", "use log::info;"),
        ("hub.rs", "use nix::sys::signal;"),
        ("worker.rs", "extern crate stamp;"),
        ("command.rs", "use toml;"),
    ] {
        assert_eq!(complaints(path, code).len(), 1, "{path}: {code}");
    }
}

#[test]
fn foreign_crate_in_its_module_is_allowed() {
    assert_eq!(complaints("worker/planes.rs", "use opencv::{core, imgproc};"), [""; 0]);
    assert_eq!(complaints("worker/encode.rs", "use super::planes::YuvPlanes; use cctv_agent::media::Size;"), [""; 0]);
    assert_eq!(complaints("worker/encode.rs", "use turbojpeg::Compressor; use opencv::core;"), [""; 0]);
    assert_eq!(complaints("agent/supervisor.rs", "use smol::Timer; use signal_hook::iterator;"), [""; 0]);
}

#[test]
fn tests_comments_and_texts_break_no_rule() {
    let code = "//! See crate::agent.\nconst A: &str = \"crate::agent::b\";\n#[cfg(test)]\nmod tests {\n    \
                use crate::agent::c;\n    fn d() { c().unwrap(); }\n}\n";
    assert_eq!(complaints("hub.rs", code), [""; 0]);
}

#[test]
fn unsafe_code_is_found_outside_of_its_file_and_without_its_reason() {
    let code = "fn a() {\n    unsafe { b() };\n}\n";
    assert_eq!(complaints("hub.rs", code), ["src/hub.rs:2: unsafe code is not for this file"]);
    assert_eq!(complaints("web/files.rs", "#![allow(unsafe_code)]").len(), 1);
    assert_eq!(complaints(UNSAFE_FILES[0], code).len(), 1);
    let reasoned = code.replace("    unsafe", "    // SAFETY: b is safe\n    // for a.\n    unsafe");
    assert_eq!(complaints(UNSAFE_FILES[0], &reasoned), [""; 0]);
}

#[test]
fn unwrap_outside_tests_is_found() {
    assert_eq!(complaints("hub.rs", "fn a() { b()\n    .unwrap(); c().unwrap_or(0); }").len(), 1);
}

#[test]
fn file_past_the_limit_is_found() {
    let line = "fn a() {}\n";
    assert_eq!(complaints("hub.rs", &line.repeat(MAX_FILE_LEN)).len(), 0);
    assert_eq!(complaints("hub.rs", &line.repeat(MAX_FILE_LEN + 1)).len(), 1);
    let tests = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", line, line.repeat(MAX_FILE_LEN));
    assert_eq!(complaints("hub.rs", &tests).len(), 0);
}

#[test]
fn module_without_a_layer_is_found() {
    assert_eq!(complaints("attic.rs", "").len(), 1);
}

#[test]
fn module_missing_from_the_map_or_on_the_wrong_layer_is_found() {
    let modules = BTreeSet::from(["camera".to_owned(), "hub".to_owned()]);
    assert_eq!(map_complaints("// Layer 0\npub mod camera;\n\n// Layer 1: one\npub mod hub;\n", &modules), [""; 0]);
    assert_eq!(map_complaints("// Layer 0\npub mod camera;\n", &modules).len(), 1);
    assert_eq!(map_complaints("// Layer 0\npub mod camera;\npub mod hub;\n", &modules).len(), 1);
}
