//! A virtual camera: a real RTSP server and a real ONVIF device with a picture that contains its
//! own frame number and time, and with faults on request. One process can be several cameras.
//!
//! For tests, the demo and the benchmark. `docs/virtual-camera.md` is its manual.

mod announcement;
mod authentication;
mod calendar;
mod camera;
mod canvas;
mod clip;
mod colour;
mod control;
mod device;
mod discovery;
mod encoder;
mod events;
mod faults;
mod feed;
mod font;
mod gstreamer_server;
mod habits;
mod http;
mod media;
mod pairs;
mod pattern;
mod ptz;
mod responder;
mod rtp;
mod rtsp;
mod scene;
mod services;
mod settings;
mod snapshot;
mod soap;
mod ssdp;
mod stream;
mod tls;
mod wsd;

use std::{
    error::Error,
    io::{self, Read, Write},
    net::SocketAddr,
    process::ExitCode,
    sync::Arc,
    thread,
};

use serde_json::json;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{
    camera::Camera,
    control::Running,
    device::{DEVICE_PATH, Device, Profile},
    discovery::Discovery,
    rtsp::Rtsp,
    settings::{Options, Settings, Software},
    stream::{Part, Stream},
};

/// From sysexits.h: the command line was wrong.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let options = match settings::parse(std::env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{}", settings::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("virtual-camera: {error}\n{}", settings::HELP);
            return ExitCode::from(USAGE);
        }
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let first: &dyn Error = &*error;
            let causes: Vec<String> =
                std::iter::successors(Some(first), |&error| error.source()).map(ToString::to_string).collect();
            eprintln!("virtual-camera: {}", causes.join(": "));
            ExitCode::FAILURE
        }
    }
}

/// Serves until a signal arrives, or until stdin ends if that was requested.
fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    gstreamer::init()?;
    let cameras = options.cameras.into_iter().map(start).collect::<Result<Vec<_>, _>>()?;
    let cameras: Arc<[Running]> = cameras.into();
    let control = control::start(options.control, Arc::clone(&cameras))?;
    tell(&json!({ "ready": true, "control": format!("http://{}", control.address()) }))?;
    if options.exit_with_stdin {
        let wake = signals.handle();
        // The thread ends with the process.
        thread::Builder::new().name("stdin".into()).spawn(move || {
            let mut ignored = [0; 256];
            while matches!(io::stdin().read(&mut ignored), Ok(count) if count > 0) {}
            wake.close();
        })?;
    }
    // The next signal, or none if the thread above closed the iterator.
    signals.forever().next();
    cameras.iter().for_each(|running| running.discovery.end());
    Ok(())
}

/// Starts one camera and prints where it listens.
fn start(settings: Settings) -> Result<Running, Box<dyn Error>> {
    let camera = Arc::new(Camera::new(settings));
    let settings = &camera.settings;
    let mut profiles = vec![Profile {
        token: "Profile_1",
        name: "mainStream",
        path: "/main",
        stream: Stream::new(Arc::clone(&camera), Part::Main),
    }];
    if let Some(size) = settings.small {
        let stream = Stream::new(Arc::clone(&camera), Part::Small(size));
        profiles.push(Profile { token: "Profile_2", name: "subStream", path: "/small", stream });
    }
    let mounts = profiles.iter().map(|profile| (profile.path, Arc::clone(&profile.stream))).collect();
    let keys = tls::Keys::new(&settings.ip.to_string())?;
    let rtsp = Rtsp::start(Arc::clone(&camera), mounts, &keys.pem)?;
    let rtsp_port = match settings.rtsps_port {
        Some(port) if settings.server == Software::Own => {
            let behind = SocketAddr::new(settings.ip, rtsp.port());
            tls::start(Arc::clone(&camera), Arc::clone(&keys), SocketAddr::new(settings.ip, port), behind)?.port()
        }
        // GStreamer has its own TLS.
        Some(_) | None => rtsp.port(),
    };
    let device = Arc::new(Device::new(Arc::clone(&camera), profiles, rtsp_port, settings.rtsps_port.is_some()));
    let https = match settings.https_port {
        None => None,
        Some(port) => {
            // A port of its own, so that it is known which requests came over TLS.
            let answering = Arc::clone(&device);
            let behind =
                http::Server::start(SocketAddr::new(settings.ip, 0), move |request| answering.answer(request))?;
            let address = SocketAddr::new(settings.ip, port);
            Some(tls::start(Arc::clone(&camera), Arc::clone(&keys), address, behind.address())?)
        }
    };
    let answering = Arc::clone(&device);
    let onvif = http::Server::start(SocketAddr::new(settings.ip, settings.onvif_port), move |request| match https {
        None => answering.answer(request),
        Some(https) => answering.answer_in_clear_text(request, https),
    })?;
    let profiles: Vec<_> = device
        .profiles
        .iter()
        .map(|profile| {
            json!({
                "token": profile.token,
                "name": profile.name,
                "rtsp": device.stream_uri(settings.ip, profile),
                "codec": settings.codec.word(),
                "size": [profile.stream.size().0, profile.stream.size().1],
                "fps": settings.fps,
            })
        })
        .collect();
    tell(&json!({
        "camera": settings.id,
        "endpoint": camera.endpoint,
        "onvif": format!("http://{}{DEVICE_PATH}", onvif.address()),
        "https": https.map(|https| format!("https://{https}{DEVICE_PATH}")),
        "pem": keys.pem,
        "rtsp": device.stream_uri(settings.ip, &device.profiles[0]),
        "profiles": profiles,
    }))?;
    let discovery = Discovery::start(Arc::clone(&camera), onvif.address().port())?;
    Ok(Running { camera, rtsp, onvif, discovery })
}

/// Prints one line of JSON to stdout, unbuffered, for the parent process.
fn tell(value: &serde_json::Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{value}")?;
    out.flush()
}
