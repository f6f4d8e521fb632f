//! Asks a device for key frames (`SetSynchronizationPoint`).

use super::{
    Target,
    auth::Authentication,
    device::Device,
    error::{Error, remember},
    media::Media,
};
use crate::{http_client::Limits, xml::escape};

/// A conversation with one device: the first request costs three or four others, each further one
/// none.
#[derive(Debug)]
pub struct Synchronization(Media);

impl Synchronization {
    /// Asks the device for its clock and its services. `hint`: how it required the login before.
    ///
    /// # Errors
    /// If the device is gone or refuses the login.
    pub async fn begin(target: &Target, hint: Option<Authentication>, limits: Limits) -> Result<Self, Error> {
        let mut device = Device::new(target, hint, limits);
        device.learn_clock().await?;
        Ok(Self(Media::find(device).await?))
    }

    /// Asks for a key frame in the streams of the profile with this token. The service that does it is
    /// asked first the next time.
    ///
    /// # Errors
    /// If no media service of the device does it; the error is the most informative one.
    pub async fn request(&mut self, token: &str) -> Result<(), Error> {
        let Self(media) = self;
        let mut failure = None;
        for index in 0..media.services.len() {
            let prefix = if media.services[index].is_media2 { "tr2" } else { "trt" };
            let parameters = format!("<{prefix}:ProfileToken>{}</{prefix}:ProfileToken>", escape(token));
            match media.call(index, "SetSynchronizationPoint", parameters).await {
                Ok(_) => {
                    media.services[..=index].rotate_right(1);
                    return Ok(());
                }
                Err(error) if error.ends_everything() => return Err(error),
                Err(error) => remember(&mut failure, error),
            }
        }
        Err(failure.expect("a device has at least one media service, given or guessed"))
    }
}
