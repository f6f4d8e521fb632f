//! RTSP: the camera's own server, or GStreamer's.

mod connection;
mod listener;
mod login;
mod message;
mod methods;
mod outbox;
mod sdp;
pub mod sender;
mod server;
mod session;
#[cfg(test)]
mod tests;
mod transport;

use std::{fmt, io, net::SocketAddr, sync::Arc};

use crate::{
    camera::Camera,
    gstreamer_server,
    settings::{Settings, Software},
    stream::Stream,
};

#[derive(Debug)]
pub enum Error {
    Listen { address: SocketAddr, source: io::Error },
    Gstreamer(gstreamer_server::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, .. } => write!(f, "cannot listen for RTSP on {address}"),
            Self::Gstreamer(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { source, .. } => Some(source),
            Self::Gstreamer(error) => error.source(),
        }
    }
}

/// The RTSP server of a camera.
pub enum Rtsp {
    Own(Arc<server::Server>),
    Gstreamer(Arc<gstreamer_server::Server>),
}

impl Rtsp {
    /// Listens and serves from now on, each stream at its path (`/main`).
    /// `pem`: certificate and key for GStreamer's own TLS.
    pub fn start(camera: Arc<Camera>, streams: Vec<(&'static str, Arc<Stream>)>, pem: &str) -> Result<Self, Error> {
        match camera.settings.server {
            Software::Own => {
                let Settings { ip, rtsp_port, .. } = camera.settings;
                let streams = streams.into_iter().map(|(_, stream)| stream).collect();
                let refused = |source| Error::Listen { address: SocketAddr::new(ip, rtsp_port), source };
                server::Server::start(camera, streams).map(Self::Own).map_err(refused)
            }
            Software::Gstreamer => {
                gstreamer_server::Server::start(camera, streams, pem).map(Self::Gstreamer).map_err(Error::Gstreamer)
            }
        }
    }

    pub fn port(&self) -> u16 {
        match self {
            Self::Own(server) => server.port,
            Self::Gstreamer(server) => server.port,
        }
    }

    /// Makes the server follow the camera's faults and address. GStreamer's applies them a moment
    /// later.
    pub fn follow_faults(&self) {
        match self {
            Self::Own(server) => server.follow_faults(),
            Self::Gstreamer(server) => server.follow_faults(),
        }
    }
}
