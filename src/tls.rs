//! TLS for the wall's own port: the certificate in force, and handshakes with it. And TLS to cameras,
//! which are recognised by their keys: [`client`].
//!
//! TLS 1.2 and 1.3 by rustls with ring. No early data; tickets with a key of this process, so a
//! resumed session never outlives the certificate with which it began.

mod certificate;
pub mod client;
mod own;
mod x509;

use std::{io, sync::Arc};

use futures_rustls::{TlsAcceptor, server};
use rustls::{
    ServerConfig,
    crypto::ring,
    sign::SingleCertAndKey,
    version::{TLS12, TLS13},
};
use smol::io::{AsyncRead, AsyncWrite};

pub use certificate::{Certificate, Error, Files};
pub use own::{Made, OwnCertificates};
pub use x509::not_after;

use crate::sync::Mutex;

/// A viewer's connection after the handshake.
pub type TlsStream<S> = server::TlsStream<S>;

/// Maximum number of encrypted bytes that wait in a connection for the kernel. A viewer that stops
/// reading holds no more memory than this, and a write beyond it waits.
const MAX_BUFFERED: usize = 64 << 10;

/// The only protocol inside: a browser that is offered HTTP/2 could not open WebSockets here.
const PROTOCOL: &[u8] = b"http/1.1";

/// The certificate with which new connections are accepted; it may be replaced at any time.
/// Connections that are open keep the one that they began with.
#[derive(Default)]
pub struct Tls(Mutex<Option<InForce>>);

struct InForce {
    config: Arc<ServerConfig>,
    certificate: Arc<Certificate>,
}

impl Tls {
    /// Accepts new connections with `certificate`.
    ///
    /// # Errors
    /// If the system has no random bytes; the previous certificate stays.
    pub fn set(&self, certificate: Certificate) -> Result<(), Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&certificate.key))));
        config.ticketer = ring::Ticketer::new()?;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        *self.0.lock() = Some(InForce { config: Arc::new(config), certificate: Arc::new(certificate) });
        Ok(())
    }

    /// The certificate in force; `None` before the first one.
    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        self.0.lock().as_ref().map(|in_force| Arc::clone(&in_force.certificate))
    }

    /// Does the handshake with a client whose first byte begins one. Has no timeout of its own.
    ///
    /// # Errors
    /// If the client leaves, speaks no TLS that is accepted, or there is no certificate yet.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<TlsStream<S>> {
        let config = self.0.lock().as_ref().map(|in_force| Arc::clone(&in_force.config));
        let config = config.ok_or_else(|| io::Error::other("there is no certificate"))?;
        let limit = |connection: &mut rustls::ServerConnection| connection.set_buffer_limit(Some(MAX_BUFFERED));
        TlsAcceptor::from(config).accept_with(stream, limit).await
    }
}

#[cfg(test)]
mod tests;
