//! One camera at this machine: what the kernel says of it and what the file says of it.

use std::path::Path;

use serde_json::{Value, json};

use super::config_match::{self, Configured};
use crate::{
    command::table::shown,
    config::Config,
    discovery::{LocalCamera, local_cameras},
};

/// What stands where other cameras have the way in which they were found.
const FOUND_BY: &str = "Video4Linux";

/// One camera of the output.
#[derive(Debug)]
pub struct LocalCandidate {
    pub camera: LocalCamera,
    pub configured: Configured,
}

/// The cameras at the machine whose folders are below `root`.
pub fn all(root: &Path, config: Option<&Config>) -> Vec<LocalCandidate> {
    let with_config = |camera| LocalCandidate { configured: config_match::find_local(&camera, config), camera };
    local_cameras(root).into_iter().map(with_config).collect()
}

impl LocalCandidate {
    /// The row of the table.
    pub fn row(&self) -> [String; 6] {
        let name = if self.camera.name.is_empty() { "-".to_owned() } else { shown(&self.camera.name) };
        let kind =
            self.camera.driver.as_deref().map_or_else(|| "-".to_owned(), |driver| format!("driver {}", shown(driver)));
        let path = shown(self.camera.path());
        let path = if self.camera.is_certain { path } else { format!("{path} (perhaps)") };
        [path, name, kind, "-".to_owned(), FOUND_BY.to_owned(), self.configured.to_string()]
    }

    /// The fields of a camera of the network that it has, and its own.
    pub fn as_json(&self) -> Value {
        let LocalCamera { paths, name, driver, is_certain } = &self.camera;
        json!({
            "device": paths[0],
            "paths": paths,
            "name": name,
            "driver": driver,
            "is_certain": is_certain,
            "found_by": [FOUND_BY],
            "configured_as": self.configured.id().map(|id| id.as_str()),
        })
    }
}

#[cfg(test)]
pub(super) fn some(config: Option<&Config>) -> Vec<LocalCandidate> {
    let camera = |paths: &[&str], name: &str, is_certain| LocalCamera {
        paths: paths.iter().map(|&path| path.to_owned()).collect(),
        name: name.into(),
        driver: Some("uvcvideo".into()),
        is_certain,
    };
    let cameras = [
        camera(&["/dev/v4l/by-id/usb-C920-video-index0", "/dev/video0"], "C920 \"HD\"\u{1b}[2J", true),
        camera(&["/dev/video2"], "", false),
    ];
    let with_config = |camera| LocalCandidate { configured: config_match::find_local(&camera, config), camera };
    cameras.into_iter().map(with_config).collect()
}
