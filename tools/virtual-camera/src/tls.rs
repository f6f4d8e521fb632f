//! TLS in front of a camera's services: each connection is decrypted and passed on to the port in clear
//! text.

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, atomic::Ordering},
};

use futures_rustls::TlsAcceptor;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::{ServerConfig, crypto::ring};
use rustls_pki_types::PrivateKeyDer;
use smol::{
    Async,
    future::FutureExt,
    io::{AsyncReadExt, AsyncWriteExt},
};

use crate::camera::{Camera, count};

/// What is wrong with the TLS of a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// The camera has another key.
    OtherKey,
    /// The camera has another certificate, expired and for another name, with the same key.
    Renewed,
    /// Only TLS 1.0 is spoken: the alert protocol_version answers.
    Old,
    /// An HTTP server in clear text answers.
    Plain,
    /// Nothing answers.
    Stuck,
    /// The connection is closed at once.
    Closed,
}

pub const WORDS: &str = "tls?as=other-key|renewed|old|plain|stuck|closed";

impl TlsFault {
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "other-key" => Self::OtherKey,
            "renewed" => Self::Renewed,
            "old" => Self::Old,
            "plain" => Self::Plain,
            "stuck" => Self::Stuck,
            "closed" => Self::Closed,
            _ => return None,
        })
    }
}

/// The keys and certificates of one camera.
pub struct Keys {
    usual: Arc<ServerConfig>,
    other: Arc<ServerConfig>,
    renewed: Arc<ServerConfig>,
    /// The usual certificate with its key.
    pub pem: String,
}

impl Keys {
    pub fn new(name: &str) -> Result<Arc<Self>, Box<dyn std::error::Error>> {
        let (key, other) = (KeyPair::generate()?, KeyPair::generate()?);
        let usual = CertificateParams::new(vec![name.to_owned()])?;
        let mut renewed = CertificateParams::new(vec!["other.example".to_owned()])?;
        renewed.not_before = date_time_ymd(2001, 1, 1);
        renewed.not_after = date_time_ymd(2002, 1, 1);
        Ok(Arc::new(Self {
            pem: format!("{}{}", usual.self_signed(&key)?.pem(), key.serialize_pem()),
            usual: config(&usual, &key)?,
            other: config(&usual, &other)?,
            renewed: config(&renewed, &key)?,
        }))
    }
}

fn config(params: &CertificateParams, key: &KeyPair) -> Result<Arc<ServerConfig>, Box<dyn std::error::Error>> {
    let certificate = params.self_signed(key)?.der().clone();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::try_from(key.serialize_der())?)?;
    Ok(Arc::new(config))
}

/// Serves TLS at `address` from now on, until the process ends, and passes each connection on to
/// `backend`. Returns where it listens.
pub fn start(camera: Arc<Camera>, keys: Arc<Keys>, address: SocketAddr, backend: SocketAddr) -> io::Result<SocketAddr> {
    let listener = Async::<TcpListener>::bind(address)?;
    let address = listener.get_ref().local_addr()?;
    smol::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let (camera, keys) = (Arc::clone(&camera), Arc::clone(&keys));
            // A connection that fails is over; the next one is served.
            smol::spawn(async move { drop(serve(&camera, &keys, stream, backend).await) }).detach();
        }
    })
    .detach();
    Ok(address)
}

async fn serve(camera: &Camera, keys: &Keys, mut stream: Async<TcpStream>, backend: SocketAddr) -> io::Result<()> {
    stream.get_ref().set_nodelay(true)?;
    let config = match camera.faults().tls {
        None => &keys.usual,
        Some(TlsFault::OtherKey) => &keys.other,
        Some(TlsFault::Renewed) => &keys.renewed,
        Some(TlsFault::Closed) => return Ok(()),
        Some(TlsFault::Old) => return answer(&mut stream, &[0x15, 3, 1, 0, 2, 2, 70]).await,
        Some(TlsFault::Plain) => return answer(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await,
        Some(TlsFault::Stuck) => return drain(&mut stream).await,
    };
    let client = TlsAcceptor::from(Arc::clone(config)).accept(stream).await?;
    count(&camera.counters.handshakes);
    let server = Async::<TcpStream>::connect(backend).await?;
    server.get_ref().set_nodelay(true)?;
    let (mut from_client, mut to_client) = smol::io::split(client);
    let (mut from_server, mut to_server) = (&server, &server);
    let up = async {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
            camera.counters.decrypted.fetch_add(count as u64, Ordering::Relaxed);
            if to_server.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
        let _ = server.get_ref().shutdown(Shutdown::Write);
        // The server ends its side, too.
        std::future::pending().await
    };
    let down = async {
        smol::io::copy(&mut from_server, &mut to_client).await?;
        to_client.close().await
    };
    up.or(down).await
}

async fn answer(stream: &mut Async<TcpStream>, bytes: &[u8]) -> io::Result<()> {
    stream.read(&mut [0; 4096]).await?;
    stream.write_all(bytes).await?;
    stream.get_ref().shutdown(Shutdown::Write)?;
    drain(stream).await
}

/// Reads until the client ends.
async fn drain(stream: &mut Async<TcpStream>) -> io::Result<()> {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}
