//! The byte stream of a connection to a camera, in clear text or through TLS.

use std::{
    io::{self, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use smol::Async;

use crate::{
    reactor::ReadSocket,
    rtsp::Error,
    time::timeout,
    tls::client::{self, Channel, KeyCheck},
};

/// What the bytes of a session go through.
pub struct Stream {
    socket: ReadSocket<TcpStream>,
    tls: Option<Box<Channel>>,
}

impl Stream {
    pub fn plain(socket: Async<TcpStream>) -> Self {
        Self { socket: ReadSocket::new(socket), tls: None }
    }

    /// Does the handshake with the camera that was reached as `host`, within `limit`.
    pub async fn tls(
        socket: Async<TcpStream>,
        host: &str,
        check: &KeyCheck,
        limit: Duration,
    ) -> Result<Self, client::Error> {
        let mut stream = Self { socket: ReadSocket::new(socket), tls: Some(Box::new(Channel::new(host, check)?)) };
        let shaken = timeout(limit, stream.shake_hands()).await;
        shaken.unwrap_or(Err(client::Error::Timeout { waited: limit }))?;
        Ok(stream)
    }

    /// This machine's address of the connection.
    ///
    /// # Errors
    /// The system's.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.socket().get_ref().local_addr()
    }

    async fn shake_hands(&mut self) -> Result<(), client::Error> {
        let Self { socket, tls: Some(channel) } = self else { return Ok(()) };
        loop {
            send_output(socket, channel).await?;
            if !channel.is_handshaking() {
                return Ok(());
            }
            match socket.read(channel.space()).await {
                Ok(0) => return Err(client::Error::Closed),
                Ok(count) => channel.filled(count),
                Err(error) => return Err(client::Error::of_socket(&error)),
            }
            if let Err(error) = channel.shake_hands() {
                // The camera may learn why; the error counts, not whether it does.
                let _ = send_output(socket, channel).await;
                return Err(error);
            }
        }
    }

    /// Reads bytes of the camera; 0 means that the connection has ended. Cancel-safe.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(channel) = &mut self.tls else { return self.socket.read(buffer).await };
        loop {
            if let Some(count) = channel.read(buffer)? {
                return Ok(count);
            }
            // One read takes what several records hold, so its bytes are decrypted over several calls.
            match self.socket.read(channel.space()).await? {
                0 => return Ok(0),
                count => channel.filled(count),
            }
        }
    }

    /// Sends `bytes`; each part of them must be taken within `limit`.
    pub async fn write(&mut self, bytes: &[u8], limit: Duration) -> Result<(), Error> {
        let Some(channel) = &mut self.tls else { return self.write_to_socket(bytes, limit).await };
        channel.write(bytes).map_err(|error| Error::from_io(&error))?;
        let encrypted = channel.take_output().map_err(|error| Error::from_io(&error))?;
        self.write_to_socket(&encrypted, limit).await
    }

    async fn write_to_socket(&self, mut bytes: &[u8], limit: Duration) -> Result<(), Error> {
        while !bytes.is_empty() {
            let written = timeout(limit, self.socket.socket().write_with(|mut socket| socket.write(bytes))).await;
            match written {
                Some(Ok(count @ 1..)) => bytes = &bytes[count..],
                Some(Ok(0)) => return Err(Error::Reset),
                Some(Err(error)) => return Err(Error::from_io(&error)),
                None => return Err(Error::WriteTimeout { waited: limit }),
            }
        }
        Ok(())
    }

    /// Shuts down writing.
    pub async fn shut_down(&mut self, limit: Duration) {
        if let Some(channel) = &mut self.tls {
            channel.close();
            if let Ok(encrypted) = channel.take_output() {
                let _ = self.write_to_socket(&encrypted, limit).await;
            }
        }
        let _ = self.socket.socket().get_ref().shutdown(Shutdown::Write);
    }
}

/// Sends what the handshake has to say.
async fn send_output(socket: &ReadSocket<TcpStream>, channel: &mut Channel) -> Result<(), client::Error> {
    let output = channel.take_output().map_err(|error| client::Error::of_socket(&error))?;
    let mut bytes = output.as_slice();
    while !bytes.is_empty() {
        let written = socket.socket().write_with(|mut socket| socket.write(bytes)).await;
        match written.map_err(|error| client::Error::of_socket(&error))? {
            0 => return Err(client::Error::Closed),
            count => bytes = &bytes[count..],
        }
    }
    Ok(())
}
