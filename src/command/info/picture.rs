//! The JPEG of a stream's newest picture.

use std::time::Duration;

use super::measurement::Measurement;
use crate::{
    camera::CameraId,
    ipc::{Decode, FromWorker},
    media::{Codec, Picture, Rendition, transform::Transform},
    sandbox::SandboxPolicy,
    time::timeout,
    worker_host::{CLOSE_TIMEOUT, Error, Spawner, Worker},
};

/// JPEG quality, as that of snapshots for people.
const QUALITY: u8 = 90;
/// As the agent's own workers usually have.
const MAX_MEMORY: u64 = 1 << 30;
/// Limit for the worker's next message.
const PATIENCE: Duration = Duration::from_secs(20);

/// The JPEG of the last unit of the measured group: what the camera sent, or decoded by a worker.
///
/// # Errors
/// Why there is none.
pub async fn newest(measurement: &Measurement) -> Result<Vec<u8>, String> {
    let (Some(info), Some(last)) = (measurement.info, measurement.group.units().last()) else {
        return Err("the stream gave no picture".to_owned());
    };
    if info.codec == Codec::Jpeg {
        return Ok(last.data.to_vec());
    }
    let id = CameraId::new("info").ok_or("info is no identifier")?;
    let decode = Decode {
        codec: info.codec,
        default_quality: QUALITY,
        most_memory: MAX_MEMORY,
        group_memory: measurement.group.bytes() as u64,
        sandbox: SandboxPolicy::Auto,
        remark: None,
    };
    let told = |error: &Error| error.reason().to_string();
    let mut worker = Worker::start_decoder(&Spawner::find(), &id, decode).await.map_err(|error| told(&error))?;
    let rendition =
        Rendition { size: info.display_size(), quality: QUALITY, fps: u8::MAX, transform: Transform::default() };
    let picture = async {
        for unit in measurement.group.units() {
            worker.feed(unit).await?;
        }
        worker.want(vec![rendition.into()]).await?;
        loop {
            if let FromWorker::Picture(Picture { jpeg, .. }) = worker.next().await? {
                return Ok(jpeg.to_vec());
            }
        }
    };
    let picture: Option<Result<_, Error>> = timeout(PATIENCE, picture).await;
    worker.end(CLOSE_TIMEOUT).await;
    match picture {
        Some(Ok(jpeg)) => Ok(jpeg),
        Some(Err(error)) => Err(told(&error)),
        None => Err(format!("the worker gave no picture within {} s", PATIENCE.as_secs())),
    }
}
