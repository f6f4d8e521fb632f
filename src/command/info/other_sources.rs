//! Measures what is not RTSP: Motion JPEG over HTTP, which the agent reads, and what OpenCV reads.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use smol::{Timer, future::FutureExt};

use super::measurement::{MAX_TIME, Measurement};
use crate::{
    camera::{CameraId, Credentials, StreamUri, Transport},
    http_auth::login::random_seed,
    http_jpeg::{
        self,
        stream::{Event, read},
    },
    ipc::{FromWorker, Open},
    media::{AccessUnit, StreamInfo},
    sandbox::SandboxPolicy,
    sync::Latch,
    tls::client::KeyCheck,
    worker_host::{CLOSE_TIMEOUT, Spawner, Worker},
};

/// As the agent has it for a camera of which the file says nothing.
const READ_LIMIT: Duration = Duration::from_secs(5);
const QUALITY: u8 = 90;
const MAX_MEMORY: u64 = 1 << 30;

/// Reads Motion JPEG over HTTP for some seconds.
///
/// # Errors
/// Why it gave no picture.
pub async fn measure_http(
    uri: &StreamUri,
    credentials: Option<Credentials>,
    tls: KeyCheck,
) -> Result<Measurement, String> {
    let config = http_jpeg::Config {
        uri: uri.clone(),
        credentials,
        allow_clear_password: false,
        tls,
        timeouts: http_jpeg::Timeouts::default(),
        seed: random_seed(),
    };
    let started = Instant::now();
    let (measurement, enough) = (RefCell::new(Measurement::by("HTTP")), Latch::default());
    let on_event = |event| {
        let mut measurement = measurement.borrow_mut();
        match event {
            Event::Picture { jpeg, size, received_at } => {
                measurement.info = Some(StreamInfo::of_jpeg(size));
                let unit = AccessUnit { sequence: 0, taken: 0, key: true, damage: None, data: jpeg.into() };
                measurement.take_frame(unit, received_at, started);
            }
            Event::Damaged { .. } => measurement.damaged += 1,
        }
        if measurement.is_enough(started) {
            enough.set();
        }
    };
    let over = enough.wait().or(async {
        Timer::after(MAX_TIME).await;
    });
    let ended = async { Some(read("info", config, on_event).await) };
    let error = ended
        .or(async {
            over.await;
            None
        })
        .await;
    let mut measurement = measurement.into_inner();
    measurement.time = started.elapsed();
    measurement.or_error(error.map(|error| error.to_string()))
}

/// Reads a device, RTMP or HLS with OpenCV, in a worker, for some seconds.
///
/// # Errors
/// Why it gave no picture.
pub async fn measure_with_opencv(uri: &StreamUri, credentials: Option<&Credentials>) -> Result<Measurement, String> {
    let id = CameraId::new("info").ok_or("info is no identifier")?;
    let open = Open {
        uri: uri.with_credentials(credentials),
        transport: Transport::Tcp,
        first_sequence: 0,
        default_quality: QUALITY,
        read_limit: READ_LIMIT,
        most_memory: MAX_MEMORY,
        group_memory: Measurement::default().group.limit() as u64,
        sandbox: SandboxPolicy::Auto,
    };
    let started = Instant::now();
    let mut measurement = Measurement::by("OpenCV");
    let mut worker = match Worker::start(&Spawner::find(), &id, open).await {
        Ok(worker) => worker,
        Err(error) => return Err(error.reason().to_string()),
    };
    let read = async {
        while !measurement.is_enough(started) {
            match worker.next().await {
                Ok(FromWorker::Stream(info)) => measurement.info = Some(info),
                Ok(FromWorker::Unit(unit)) => measurement.take_frame(unit, Instant::now(), started),
                Ok(_) => {}
                Err(error) => return Some(error.reason().to_string()),
            }
        }
        None
    };
    let error = read
        .or(async {
            Timer::after(MAX_TIME).await;
            None
        })
        .await;
    worker.end(CLOSE_TIMEOUT).await;
    measurement.time = started.elapsed();
    measurement.or_error(error)
}
