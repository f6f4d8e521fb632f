//! Arguments for the program `ffmpeg`, so that it costs least and still gives the same pictures.

use std::process::Command;

use crate::scene::Scene;

/// All but the output; `copies`: the camera's own pictures are passed through.
pub fn reader(scene: &Scene, url: &str, copies: bool) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-analyzeduration", "100000"]);
    command.args(["-fflags", "nobuffer", "-flags", "low_delay", "-threads", "1", "-i", url, "-an"]);
    if copies {
        command.args(["-c:v", "copy"]);
    } else {
        command.args(picture_options(scene)).args(["-threads", "1"]);
    }
    command
}

/// From frames to JPEGs of about the size that quality 80 gives.
pub fn picture_options(scene: &Scene) -> Vec<String> {
    let mut options = Vec::new();
    if let Some((width, height)) = scene.size {
        options.extend(["-vf".to_owned(), format!("scale={width}:{height}")]);
    }
    options.extend(
        ["-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-c:v", "mjpeg", "-huffman", "default", "-q:v", "2"]
            .map(str::to_owned),
    );
    options
}
