//! Asks a device for the address of one JPEG (`GetSnapshotUri`).

use super::{
    Target,
    auth::Authentication,
    device::Device,
    error::{Error, remember},
    media::Media,
    responses, uri_repair,
};
use crate::{camera::StreamUri, http_client::Limits, xml::escape};

/// Asks for the address of a JPEG of the profile with this `token`. `hint`: how the device required the
/// login before. The address is on the host at which the device is reached. `None`: there is no such address.
///
/// # Errors
/// If the device is gone or refuses the login, or if no media service of it does it; the error is the most
/// informative one.
pub async fn snapshot_uri(
    target: &Target,
    hint: Option<Authentication>,
    token: &str,
    limits: Limits,
) -> Result<Option<StreamUri>, Error> {
    let mut device = Device::new(target, hint, limits);
    device.learn_clock().await?;
    let mut media = Media::find(device).await?;
    let mut failure = None;
    for index in 0..media.services.len() {
        let prefix = if media.services[index].is_media2 { "tr2" } else { "trt" };
        let parameters = format!("<{prefix}:ProfileToken>{}</{prefix}:ProfileToken>", escape(token));
        match media.call(index, "GetSnapshotUri", parameters).await {
            Ok(answer) => {
                let given = responses::media_uri(&answer);
                if let Some(uri) = given.and_then(|given| uri_repair::snapshot(&given.uri, &target.host)) {
                    return Ok(Some(uri));
                }
            }
            Err(error) if error.ends_everything() => return Err(error),
            Err(error) => remember(&mut failure, error),
        }
    }
    failure.map_or(Ok(None), Err)
}
