//! TLS to a camera.
//!
//! Cameras sign their certificates themselves, for any name and with any clock, so names and dates
//! say nothing. A camera is recognised by its key: the one that the configuration names, or the one
//! that it had the first time. That it has the key is proved by the signature in the handshake.

mod channel;
mod error;
mod failure;
mod verifier;

use std::{net::IpAddr, sync::Arc};

use futures_rustls::{TlsConnector, client};
use rustls::{
    ClientConfig,
    client::Resumption,
    crypto::ring,
    pki_types::ServerName,
    version::{TLS12, TLS13},
};
use smol::io::{AsyncRead, AsyncWrite};

use self::verifier::Verifier;
pub use self::{
    channel::Channel,
    error::{Error, is_of_other_key},
    verifier::KeyCheck,
};

/// The default port of HTTPS.
pub const HTTPS_PORT: u16 = 443;

/// A connection to a camera after the handshake.
pub type TlsStream<S> = client::TlsStream<S>;

/// Does the handshake over `stream` with the device that was reached as `host` (name or address). Has
/// no timeout of its own.
///
/// # Errors
/// If the device speaks no TLS that is accepted, or does not have the key that `check` wants. Then it
/// was sent nothing but the beginning of a handshake.
pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    host: &str,
    check: &KeyCheck,
) -> Result<TlsStream<S>, Error> {
    let verifier = Verifier::new(check.clone());
    let config = config(&verifier)?;
    let connected = TlsConnector::from(config).connect(name(host), stream).await;
    let stream = connected.map_err(|error| failure::from_io(&error, &verifier))?;
    verifier.accept();
    Ok(stream)
}

fn config(verifier: &Arc<Verifier>) -> Result<Arc<ClientConfig>, Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| Error::Failed(error.to_string()))?;
    let verifier = Arc::clone(verifier);
    let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    // Each connection proves the key anew.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// The name that the handshake tells the device; it tells none for an address.
fn name(host: &str) -> ServerName<'static> {
    let host = host.split('%').next().unwrap_or_default();
    let unnamed = || ServerName::from(IpAddr::from([0, 0, 0, 0]));
    ServerName::try_from(host.to_owned()).unwrap_or_else(|_| unnamed())
}

#[cfg(test)]
mod tests;
