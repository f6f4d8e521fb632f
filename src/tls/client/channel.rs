//! TLS between a reader and its socket, without input or output of its own.

use std::{
    io::{self, Read as _, Write as _},
    sync::Arc,
};

use rustls::ClientConnection;

use super::{Error, KeyCheck, config, failure, name, verifier::Verifier};

/// Number of encrypted bytes that are read at once: a little more than the longest record.
pub(super) const INPUT_LEN: usize = 32 << 10;

/// The TLS of one connection. The owner moves the encrypted bytes: those of
/// [`take_output`](Self::take_output) to the socket, and those of the socket into
/// [`space`](Self::space). At first these are the handshake's.
pub struct Channel {
    connection: ClientConnection,
    verifier: Arc<Verifier>,
    /// Encrypted bytes of the socket; those of `pending` are not decrypted yet.
    input: Box<[u8]>,
    pending: std::ops::Range<usize>,
}

impl Channel {
    /// Begins a handshake with the device that was reached as `host` (name or address).
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub fn new(host: &str, check: &KeyCheck) -> Result<Self, Error> {
        let verifier = Verifier::new(check.clone());
        let connection = ClientConnection::new(config(&verifier)?, name(host));
        let connection = connection.map_err(|error| failure::from_rustls(&error, &verifier))?;
        Ok(Self { connection, verifier, input: vec![0; INPUT_LEN].into(), pending: 0..0 })
    }

    /// Whether the handshake goes on. Do not write before its end.
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Where to put encrypted bytes of the socket; report their number to [`filled`](Self::filled).
    /// Empty as long as there are earlier ones to [`read`](Self::read).
    pub fn space(&mut self) -> &mut [u8] {
        if self.pending.is_empty() { &mut self.input } else { &mut [] }
    }

    /// `count` encrypted bytes were put into [`space`](Self::space).
    pub fn filled(&mut self, count: usize) {
        self.pending = 0..count;
    }

    /// Takes what has come of the handshake.
    ///
    /// # Errors
    /// If it failed; [`take_output`](Self::take_output) then tells the device so.
    pub fn shake_hands(&mut self) -> Result<(), Error> {
        while self.is_handshaking() && !self.pending.is_empty() {
            let decrypted = self.decrypt();
            decrypted.map_err(|error| failure::from_io(&error, &self.verifier))?;
        }
        if !self.is_handshaking() {
            self.verifier.accept();
        }
        Ok(())
    }

    /// Decrypts into `buffer` and returns the number of bytes; 0 means that the device has ended the
    /// connection. `None`: more encrypted bytes are needed.
    ///
    /// # Errors
    /// If the bytes are not what TLS makes.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result.map(Some),
            }
            if self.pending.is_empty() {
                return Ok(None);
            }
            self.decrypt()?;
        }
    }

    /// Encrypts `bytes`, which [`take_output`](Self::take_output) then returns.
    ///
    /// # Errors
    /// If the connection has failed.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.connection.writer().write_all(bytes)
    }

    /// Encrypted bytes for the socket.
    ///
    /// # Errors
    /// None that TLS knows of.
    pub fn take_output(&mut self) -> io::Result<Vec<u8>> {
        let mut output = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut output)?;
        }
        Ok(output)
    }

    /// Tells the device that nothing more follows.
    pub fn close(&mut self) {
        self.connection.send_close_notify();
    }

    /// Decrypts a part of the pending bytes.
    fn decrypt(&mut self) -> io::Result<()> {
        let mut bytes = &self.input[self.pending.clone()];
        let count = self.connection.read_tls(&mut bytes)?;
        self.pending.start += count;
        self.connection.process_new_packets().map_err(io::Error::other)?;
        if count == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}
