//! `cctv-agent info` for the address of a stream, or a camera at this machine: what has no ONVIF to ask.

use std::{collections::BTreeSet, path::Path, path::PathBuf, process::ExitCode};

use serde_json::{Value, json};

use super::{
    super::{
        discover::toml_output::{one_line, quoted, unused},
        output::{complain, print, print_json},
        table::shown,
    },
    FAILED, Measured,
    measurement::{self, Measurement},
    measurement_json, other_sources, streams_as_text, write_picture,
};
use crate::{
    camera::{Credentials, StreamUri},
    discovery::{LocalCamera, local_cameras},
    tls::client::KeyCheck,
};

/// The arguments of the command.
#[derive(Clone, Debug)]
pub struct AddressInfo {
    pub uri: StreamUri,
    pub credentials: Option<Credentials>,
    /// The stream is not opened.
    pub is_quick: bool,
    /// Where the JPEG of the newest picture goes.
    pub picture: Option<PathBuf>,
    pub json: bool,
}

/// Reads the stream and prints how it is. The exit code says whether it gave a picture.
///
/// # Blocking
/// Blocks for a quarter of a minute at most.
pub fn run(arguments: AddressInfo) -> ExitCode {
    let AddressInfo { uri, credentials, is_quick, picture, json } = arguments;
    let local = local(&uri, Path::new("/"));
    let tls = KeyCheck::default();
    let result = (!is_quick).then(|| smol::block_on(measure(&uri, credentials.clone(), tls.clone())));
    let measured: Vec<_> = result.map(|result| Measured { token: uri.to_string(), result }).into_iter().collect();
    let key = tls.seen().map(|seen| seen.key.to_string());
    if json {
        print_json(&as_json(&uri, local.as_ref(), key.as_deref(), &measured));
    } else {
        print(&as_text(&uri, local.as_ref(), key.as_deref()));
        print(&streams_as_text(&measured));
        print(&section(&uri, local.as_ref(), credentials.as_ref()));
    }
    if let Some(Measured { result: Err(error), .. }) = measured.first() {
        // People have read it.
        if json {
            complain(format!("cctv-agent info: {error}"));
        }
        return ExitCode::from(FAILED);
    }
    picture.map_or(ExitCode::SUCCESS, |file| write_picture(&measured, &file))
}

async fn measure(uri: &StreamUri, credentials: Option<Credentials>, tls: KeyCheck) -> Result<Measurement, String> {
    if uri.needs_opencv() {
        other_sources::measure_with_opencv(uri, credentials.as_ref()).await
    } else if uri.is_http() {
        other_sources::measure_http(uri, credentials, tls).await
    } else {
        measurement::measure(uri.clone(), credentials, tls).await
    }
}

/// What this machine says of the device, if the address is one.
fn local(uri: &StreamUri, root: &Path) -> Option<LocalCamera> {
    let device = uri.device()?;
    local_cameras(root).into_iter().find(|camera| camera.paths.iter().any(|path| path == device.path))
}

fn as_text(uri: &StreamUri, local: Option<&LocalCamera>, key: Option<&str>) -> String {
    let mut facts = vec![("address", shown(&uri.to_string()))];
    match local {
        Some(LocalCamera { paths, name, driver, .. }) => {
            facts.push(("device", if name.is_empty() { "not given".to_owned() } else { shown(name) }));
            facts.push(("driver", driver.as_deref().map_or_else(|| "not given".to_owned(), shown)));
            facts.extend(paths.iter().map(|path| ("path", shown(path))));
        }
        None if uri.device().is_some() => {
            facts.push(("device", "not among the cameras of this machine; cctv-agent discover lists them".to_owned()));
        }
        None => {}
    }
    facts.extend(key.map(|key| ("TLS key", key.to_owned())));
    facts.iter().map(|(name, fact)| format!("{name:<10}{fact}\n")).collect()
}

/// The section that shows the camera; a device by the path that stays with it.
fn section(uri: &StreamUri, local: Option<&LocalCamera>, credentials: Option<&Credentials>) -> String {
    let name = local.map_or_else(String::new, |camera| one_line(&camera.name));
    let id = unused(&[&name], 0, &mut BTreeSet::new());
    let mut text = format!("\nFor cameras.toml:\n\n[[camera]]\nid = \"{id}\"\n");
    if !name.is_empty() {
        text.push_str(&format!("name = {}\n", quoted(&name)));
    }
    let mut url = uri.to_string();
    if let (Some(camera), Some(device)) = (local, uri.device()) {
        url.replace_range(..device.path.len(), camera.path());
    }
    text.push_str(&format!("url = {}\n", quoted(&url)));
    if let Some(Credentials { username, .. }) = credentials {
        text.push_str(&format!("username = {}\npassword_file = \"/etc/cctv-agent/{id}.password\"\n", quoted(username)));
    }
    text
}

fn as_json(uri: &StreamUri, local: Option<&LocalCamera>, key: Option<&str>, measured: &[Measured]) -> Value {
    let result = measured.first().map(|measured| &measured.result);
    json!({
        "address": uri.to_string(),
        "device": local.map(|LocalCamera { paths, name, driver, is_certain }| json!({
            "paths": paths, "name": name, "driver": driver, "is_certain": is_certain,
        })),
        "tls_key": key,
        "measured": result.and_then(|result| result.as_ref().ok()).map(measurement_json),
        "not_measured": result.and_then(|result| result.as_ref().err()),
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;
    use crate::config::parse;

    fn uri(text: &str) -> StreamUri {
        StreamUri::split_any(text).unwrap().0
    }

    #[test]
    fn device_is_named_and_its_lines_have_the_path_that_stays() {
        let root = std::env::temp_dir().join(format!("cctv-agent-info-{}", std::process::id()));
        let (node, links) = (root.join("sys/class/video4linux/video3"), root.join("dev/v4l/by-id"));
        fs::create_dir_all(&node).unwrap();
        fs::create_dir_all(&links).unwrap();
        fs::write(node.join("name"), "C920 \"HD\"\n").unwrap();
        symlink("../../video3", links.join("usb-C920-video-index0")).unwrap();
        let device = uri("/dev/video3?fps=5");
        let camera = local(&device, &root).unwrap();
        fs::remove_dir_all(&root).unwrap();

        let shown = as_text(&device, Some(&camera), None);
        for part in ["address   /dev/video3?fps=5\n", "device    C920 \"HD\"\n", "path      /dev/v4l/by-id/usb-C920"] {
            assert!(shown.contains(part), "{shown}");
        }
        let lines = section(&device, Some(&camera), None);
        let (_, lines) = lines.split_once("For cameras.toml:\n").unwrap();
        let config = parse(lines, Path::new("c"), &|_: &Path| Err(std::io::ErrorKind::NotFound.into())).unwrap();
        assert_eq!((config.cameras[0].id.as_str(), config.cameras[0].name.as_str()), ("c920-hd", "C920 \"HD\""));
        assert!(lines.contains("url = \"/dev/v4l/by-id/usb-C920-video-index0?fps=5\"\n"), "{lines}");
        let json = as_json(&device, Some(&camera), None, &[]);
        assert_eq!((&json["device"]["name"], &json["measured"]), (&json!("C920 \"HD\""), &Value::Null));
    }

    #[test]
    fn password_in_an_address_is_not_shown() {
        let uri = uri("rtsp://10.0.0.9/live?password=geheim");
        let credentials = Credentials { username: "viewer".into(), password: crate::camera::Secret::new("geheim") };
        let told = [as_text(&uri, None, None), section(&uri, None, Some(&credentials))].concat();
        assert!(!told.contains("geheim"), "{told}");
        assert!(told.contains("username = \"viewer\"\n"), "{told}");
        assert!(as_text(&super::tests::uri("/dev/video9"), None, None).contains("not among the cameras"));
    }
}
