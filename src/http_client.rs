//! Sends one HTTP request to a device on its own connection, with timeouts for everything.
//!
//! Persistent connections gain nothing for a handful of requests at boot, and cameras' web servers
//! often handle them wrongly.

pub mod response;

use std::{io, time::Duration};

use smol::{
    io::{AsyncReadExt, AsyncWriteExt},
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
        let stream = timeout(limits.connect, TcpStream::connect((host, port))).await;
        let stream = stream.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into())).map_err(Error::Connect)?;
        converse(stream, message, limits.quiet, outline).await
    })
    .await
    .unwrap_or(Err(Error::Slow))
}

/// `host` as it is written in a URL or a `Host` field.
pub fn in_brackets(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

async fn converse(
    mut stream: TcpStream,
    message: &[u8],
    quiet: Duration,
    outline: Option<Outline>,
) -> Result<Response, Error> {
    // A server may refuse after the head alone and close; its response is more useful than our
    // error.
    let sent = stream.write_all(message).await;
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
