//! Sends one HTTP request to a device on its own connection, with timeouts for everything.
//!
//! Persistent connections gain nothing for a handful of requests at boot, and cameras' web servers
//! often handle them wrongly.

pub mod response;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use smol::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use crate::{time::timeout, xml::filter::Outline};
use response::Response;

/// Timeouts for a camera. The defaults suit real cameras; tests shorten them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// To accept a connection.
    pub connect: Duration,
    /// For one whole request, including the connection. Recorders with dozens of profiles need
    /// seconds.
    pub call: Duration,
    /// After this much silence, a response that looks complete counts as complete, whatever length
    /// was announced.
    pub quiet: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), call: Duration::from_secs(10), quiet: Duration::from_millis(250) }
    }
}

/// Why there is no response.
#[derive(Debug)]
pub enum Error {
    Connect(io::Error),
    /// The whole call took longer than its timeout.
    Slow,
    /// Closed or reset before a response came; `None` means a regular close.
    Closed(Option<io::Error>),
    Response(response::Error),
}

/// Sends `message`, a whole request, to `host` (name or address, IPv6 without brackets) and returns
/// the response. With `outline`, only what it names is kept of the body, whatever its length.
///
/// # Errors
/// If the host cannot be reached, or gives no readable response, within `limits`.
pub async fn exchange(
    host: &str,
    port: u16,
    message: &[u8],
    limits: Limits,
    outline: Option<Outline>,
) -> Result<Response, Error> {
    timeout(limits.call, async {
        let stream = connect(host, port, limits).await?;
        converse(stream, message, limits.quiet, outline).await
    })
    .await
    .unwrap_or(Err(Error::Slow))
}

/// Connects to `host`, as [`exchange`] does.
///
/// # Errors
/// If the host cannot be reached within `limits`.
pub async fn connect(host: &str, port: u16, limits: Limits) -> Result<TcpStream, Error> {
    let stream = timeout(limits.connect, TcpStream::connect((host, port))).await;
    stream.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into())).map_err(Error::Connect)
}

/// A GET request for [`exchange`]. `host` as for that; a zone is left out of the `Host` field.
pub fn get(host: &str, port: u16, path: &str) -> String {
    get_with(host, port, path, "")
}

/// Like [`get`]; `fields` are further header lines, each with its line end.
pub fn get_with(host: &str, port: u16, path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\n{}\r\n{fields}{LAST_FIELDS}\r\n", host_field(host, port))
}

/// A POST request for [`exchange`]; `fields` are further header lines, each with its line end.
pub fn post(host: &str, port: u16, path: &str, fields: &str, body: &str) -> String {
    let (host, length) = (host_field(host, port), body.len());
    format!("POST {path} HTTP/1.1\r\n{host}\r\n{fields}Content-Length: {length}\r\n{LAST_FIELDS}\r\n{body}")
}

const LAST_FIELDS: &str = "Accept-Encoding: identity\r\nConnection: close\r\n";

fn host_field(host: &str, port: u16) -> String {
    // Only the sender knows what its zone means.
    format!("Host: {}:{port}", in_brackets(host.split('%').next().unwrap_or("")))
}

/// The address at which this machine itself reaches a listener: differs from `listening` only if
/// that is the unspecified address.
pub fn reachable(mut listening: SocketAddr) -> SocketAddr {
    match listening.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => listening.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => listening.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    listening
}

/// `host` as it is written in a URL or a `Host` field.
pub fn in_brackets(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// Sends `message` over `stream`, a connection of its own, and returns the response, as [`exchange`]
/// does. Has no timeout for the whole.
///
/// # Errors
/// If there is no readable response.
pub async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    message: &[u8],
    quiet: Duration,
    outline: Option<Outline>,
) -> Result<Response, Error> {
    // A server may refuse after the head alone and close; its response is more useful than our
    // error.
    let sent = async {
        stream.write_all(message).await?;
        stream.flush().await
    };
    let sent = sent.await;
    let mut reader = response::Reader::with_outline(outline);
    let mut buffer = vec![0; 16 << 10];
    loop {
        match timeout(quiet, stream.read(&mut buffer)).await {
            Some(Ok(0)) => break,
            Some(Ok(count)) => {
                let complete = reader.feed(&buffer[..count]).map_err(Error::Response)?;
                if complete {
                    break;
                }
            }
            // Some firmwares reset the connection after a complete response.
            Some(Err(error)) => {
                return reader.finish().map_err(|_| Error::Closed(Some(sent.err().unwrap_or(error))));
            }
            None if reader.looks_complete() => break,
            None => {}
        }
    }
    reader.finish().map_err(|error| match error {
        response::Error::Empty => Error::Closed(sent.err()),
        other => Error::Response(other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_name_the_host_without_its_zone() {
        assert_eq!(
            get("fe80::1%7", 80, "/x"),
            "GET /x HTTP/1.1\r\nHost: [fe80::1]:80\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(
            post("10.0.0.1", 8000, "/x", "A: b\r\n", "body"),
            "POST /x HTTP/1.1\r\nHost: 10.0.0.1:8000\r\nA: b\r\nContent-Length: 4\r\n\
             Accept-Encoding: identity\r\nConnection: close\r\n\r\nbody"
        );
    }

    #[test]
    fn listener_on_every_address_is_reached_at_loopback() {
        for (listening, reached) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("127.0.0.9:80", "127.0.0.9:80"),
            ("[fe80::1%3]:80", "[fe80::1%3]:80"),
        ] {
            assert_eq!(reachable(listening.parse().unwrap()), reached.parse().unwrap());
        }
    }
}
