//! One HTTP request to a device, in clear text or over TLS.

use super::Target;
use crate::{
    http_client::{self, Limits, response::Response},
    time::timeout,
    tls::client,
    xml::filter::Outline,
};

/// Why there is no response.
#[derive(Debug)]
pub enum Error {
    Http(http_client::Error),
    /// Nothing of the request was sent.
    Tls(client::Error),
}

/// Sends `message` to the port of the target's host, as [`http_client::exchange`] does.
///
/// # Errors
/// If the host cannot be reached, has not the key that it must have, or gives no readable response.
pub async fn exchange(
    target: &Target,
    port: u16,
    message: &[u8],
    limits: Limits,
    outline: Option<Outline>,
) -> Result<Response, Error> {
    let host = &target.host;
    let Some(check) = &target.tls else {
        return http_client::exchange(host, port, message, limits, outline).await.map_err(Error::Http);
    };
    // Boxed: the state of TLS is large, and most cameras have none.
    let exchanged = Box::pin(timeout(limits.call, async {
        let stream = http_client::connect(host, port, limits).await.map_err(Error::Http)?;
        let stream = timeout(limits.connect, client::connect(stream, host, check)).await;
        let stream = stream.unwrap_or(Err(client::Error::Timeout { waited: limits.connect })).map_err(Error::Tls)?;
        http_client::converse(stream, message, limits.quiet, outline).await.map_err(Error::Http)
    }));
    exchanged.await.unwrap_or(Err(Error::Http(http_client::Error::Slow)))
}
