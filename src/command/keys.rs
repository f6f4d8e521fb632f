//! `cctv-agent keys`: the TLS keys that cameras must keep, and forgetting one.

use std::{collections::BTreeMap, io, path::Path, process::ExitCode};

use serde_json::{Value, json};

use super::{
    arguments::QueryArgs,
    check,
    output::{complain, print, print_json},
    process, reload,
    table::{Side, aligned, shortened, shown},
};
use crate::{
    camera::{Camera, CameraId, Source, fingerprint::Fingerprint},
    config::{self, Startup},
    log::chain,
    store::{Directory, LearntKeys, Service},
};

/// Maximum width of an address, in terminal cells.
const WIDEST_ADDRESS: usize = 44;

/// The exit codes if no key of that camera is kept (`EX_DATAERR` of sysexits.h), and if the state
/// directory cannot be read or written (`EX_NOINPUT`, `EX_CANTCREAT`).
const NO_SUCH_KEY: u8 = 65;
const CANNOT_READ: u8 = 66;
const CANNOT_WRITE: u8 = 73;

/// Lists the keys, or forgets those of a camera and has a running agent try it again.
///
/// # Blocking
/// Blocks on the disk, and for `--forget` as `reload`.
pub fn run(arguments: &QueryArgs) -> ExitCode {
    let Startup { state_dir, .. } = match config::startup(&arguments.file) {
        Ok(startup) => startup,
        Err(complaints) => {
            for complaint in complaints {
                complain(complaint);
            }
            complain("cctv-agent keys: that file names the state directory; name another with --config FILE");
            return ExitCode::from(check::BAD);
        }
    };
    let directory = Directory::open(state_dir);
    // A file with mistakes still has its keys.
    let cameras = config::read(&arguments.file).map(|config| config.cameras).unwrap_or_default();
    let keys = match directory.all_keys() {
        Ok(keys) => keys,
        Err(error) => return failed(&directory, &error, CANNOT_READ),
    };
    match arguments.camera.as_deref().and_then(CameraId::new) {
        Some(id) => forget(&arguments.file, &directory, owner(&id, &cameras), &keys),
        None => {
            let rows = rows(&keys, &cameras, &directory);
            if arguments.json {
                print_json(&Value::Array(rows));
            } else {
                print(&as_text(&rows));
            }
            ExitCode::SUCCESS
        }
    }
}

fn forget(file: &Path, directory: &Directory, id: &CameraId, keys: &BTreeMap<CameraId, LearntKeys>) -> ExitCode {
    match directory.forget_keys(id) {
        Ok(true) => {}
        Ok(false) => {
            let known: Vec<&str> = keys.keys().map(CameraId::as_str).collect();
            let known = if known.is_empty() { "no camera".to_owned() } else { known.join(", ") };
            complain(format!("cctv-agent keys: no TLS key of {id} is kept; there are keys of {known}"));
            return ExitCode::from(NO_SUCH_KEY);
        }
        Err(error) => return failed(directory, &error, CANNOT_WRITE),
    }
    print(&format!("the TLS keys of {id} are forgotten; those that it shows at its next connection are learnt\n"));
    match process::running(file) {
        Err(process::Failure::None) => ExitCode::SUCCESS,
        // A reload ends the pause of a camera that is refused; without one, it ends within a minute.
        Ok(_) | Err(process::Failure::NotOurs(_)) => reload::run(file),
    }
}

fn failed(directory: &Directory, error: &io::Error, code: u8) -> ExitCode {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => "; run this as root, as with sudo",
        _ => "",
    };
    complain(format!("cctv-agent keys: {}: {}{remedy}", directory.path().display(), chain(error)));
    ExitCode::from(code)
}

/// Under which name the keys of `id` are kept: all channels of a recorder have the same.
fn owner<'a>(id: &'a CameraId, cameras: &'a [Camera]) -> &'a CameraId {
    let camera = cameras.iter().find(|camera| camera.id == *id);
    let channel = camera.and_then(|camera| camera.stream_source.channel.as_ref());
    channel.map_or(id, |channel| &channel.recorder)
}

fn rows(keys: &BTreeMap<CameraId, LearntKeys>, cameras: &[Camera], directory: &Directory) -> Vec<Value> {
    let services = [(Service::Onvif, "onvif"), (Service::Stream, "stream")];
    let all = keys.iter().flat_map(|(id, keys)| services.map(|(service, name)| (id, service, name, keys.of(service))));
    let learnt = all.filter_map(|(id, service, name, key)| Some((id, service, name, key?)));
    learnt
        .map(|(id, service, name, key): (_, _, _, Fingerprint)| {
            let camera = cameras.iter().find(|camera| owner(&camera.id, cameras) == id);
            let address = camera.and_then(|camera| address(camera, service, directory));
            json!({ "camera": id.as_str(), "service": name, "address": address, "key": key.to_string() })
        })
        .collect()
}

/// Where the service was last reached, or else where it is configured.
fn address(camera: &Camera, service: Service, directory: &Directory) -> Option<String> {
    let record = directory.load(&camera.id, &camera.stream_source);
    let stream = record.as_ref().and_then(|record| record.stream.as_ref());
    match (&camera.stream_source.source, service) {
        (Source::Url(uri), _) => Some(uri.authority().to_owned()),
        (Source::Onvif { .. }, Service::Stream) => Some(stream?.uri.authority().to_owned()),
        (Source::Onvif { host, .. }, Service::Onvif) => match record.and_then(|record| record.address) {
            Some(at) if at.host.contains(':') => Some(format!("[{}]:{}", at.host, at.port)),
            Some(at) => Some(format!("{}:{}", at.host, at.port)),
            None => host.clone(),
        },
    }
}

fn as_text(rows: &[Value]) -> String {
    if rows.is_empty() {
        return "no TLS keys of cameras\n".to_owned();
    }
    let mut table = vec![["CAMERA", "SERVICE", "ADDRESS", "KEY"].map(str::to_owned)];
    table.extend(rows.iter().map(|row| {
        let text = |key: &str| row[key].as_str().map_or("-".to_owned(), shown);
        [text("camera"), text("service"), shortened(&text("address"), WIDEST_ADDRESS), text("key")]
    }));
    aligned(&table, [Side::Left; 4]).iter().map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cameras(text: &str) -> Vec<Camera> {
        let no_files = |_: &Path| Err(io::ErrorKind::NotFound.into());
        config::parse(text, Path::new("cameras.toml"), &no_files).unwrap().cameras
    }

    #[test]
    fn each_key_has_a_line_with_the_place_where_it_was_shown() {
        let cameras = cameras(
            "[[camera]]\nid='gate'\nip='10.0.0.1'\n[[camera]]\nid='yard'\nurl='rtsps://10.0.0.2:322/a'\n\
             [[recorder]]\nid='nvr'\nip='10.0.0.9'\nchannels='1-2'\n",
        );
        let learnt = |service: Service, byte: u8| {
            let mut keys = LearntKeys::default();
            keys.learn(service, Fingerprint([byte; 32]));
            keys
        };
        let id = |text: &str| CameraId::new(text).unwrap();
        let mut both = learnt(Service::Onvif, 1);
        both.learn(Service::Stream, Fingerprint([2; 32]));
        let keys = BTreeMap::from([
            (id("gate"), both),
            (id("gone"), learnt(Service::Stream, 5)),
            (id("nvr"), learnt(Service::Onvif, 4)),
            (id("yard"), learnt(Service::Stream, 3)),
        ]);
        let rows = rows(&keys, &cameras, &Directory::open("/dev/null/state"));
        let text = as_text(&rows);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        let key = |byte: u8| Fingerprint([byte; 32]).to_string();
        assert_eq!(lines[0], ["CAMERA", "SERVICE", "ADDRESS", "KEY"]);
        assert_eq!(lines[1], ["gate", "onvif", "10.0.0.1", &key(1)]);
        assert_eq!(lines[2], ["gate", "stream", "-", &key(2)]);
        assert_eq!(lines[3], ["gone", "stream", "-", &key(5)]);
        assert_eq!(lines[4], ["nvr", "onvif", "10.0.0.9", &key(4)]);
        assert_eq!(lines[5], ["yard", "stream", "10.0.0.2:322", &key(3)]);
        assert_eq!(as_text(&[]), "no TLS keys of cameras\n");
    }

    #[test]
    fn channel_of_a_recorder_means_the_recorder() {
        let cameras = cameras("[[recorder]]\nid='nvr'\nip='10.0.0.9'\nchannels='1-2'\n");
        let nvr = CameraId::new("nvr").unwrap();
        assert_eq!(owner(&cameras[0].id, &cameras), &nvr);
        assert_eq!(owner(&nvr, &cameras), &nvr);
    }
}
