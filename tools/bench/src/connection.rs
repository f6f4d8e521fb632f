//! Connections to the programs that are compared, in clear text or through TLS.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

use cctv_agent::tls::client::{Channel, KeyCheck};

use crate::Result;

/// What a viewer reads from and writes to.
pub trait Connection: Read + Write + Send {}

impl<T: Read + Write + Send> Connection for T {}

/// A connection through TLS.
pub struct Secured {
    stream: TcpStream,
    channel: Channel,
}

impl Secured {
    /// Does the handshake over `stream`, whatever key is there: what is measured is a program of this
    /// machine that the measurement has started.
    ///
    /// # Errors
    /// If the other side speaks no TLS.
    pub fn begin(stream: TcpStream) -> Result<Self> {
        let mut secured = Self { stream, channel: Channel::new("localhost", &KeyCheck::default())? };
        loop {
            secured.flush()?;
            if !secured.channel.is_handshaking() {
                return Ok(secured);
            }
            match secured.stream.read(secured.channel.space())? {
                0 => return Err("the connection was closed in the handshake".into()),
                count => secured.channel.filled(count),
            }
            secured.channel.shake_hands()?;
        }
    }
}

impl Read for Secured {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(count) = self.channel.read(buffer)? {
                return Ok(count);
            }
            match self.stream.read(self.channel.space())? {
                0 => return Ok(0),
                count => self.channel.filled(count),
            }
        }
    }
}

impl Write for Secured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.channel.write(bytes)?;
        self.flush()?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let output = self.channel.take_output()?;
        self.stream.write_all(&output)
    }
}
