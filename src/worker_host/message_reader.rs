//! Reads whole messages from the worker's socket.

use std::{
    io::{self, IoSliceMut},
    os::unix::net::UnixStream,
};

use smol::{Async, io::AsyncReadExt};

use crate::ipc::{Error, FromWorker, HEAD, Head, Message};

/// The part of a message that was read so far. It survives a dropped [`MessageReader::next`], so
/// that a caller can await a message together with other events.
#[derive(Default)]
pub struct MessageReader {
    head: [u8; HEAD],
    head_filled: usize,
    /// All of the body except the frame's own bytes.
    fields: Vec<u8>,
    /// The frame's own bytes, read directly into their final buffer. `None` if the message holds no
    /// frame.
    data: Option<Vec<u8>>,
    body_filled: usize,
}

impl MessageReader {
    /// Waits for the next whole message.
    ///
    /// # Errors
    /// [`Error::Closed`] at the end of the socket, [`Error::Io`] at an end inside a message; any
    /// other error means that the peer can no longer be trusted.
    pub async fn next(&mut self, mut socket: &Async<UnixStream>) -> Result<FromWorker, Error> {
        while self.head_filled < HEAD {
            let count = socket.read(&mut self.head[self.head_filled..]).await.map_err(Error::Io)?;
            if count == 0 {
                return Err(if self.head_filled == 0 { Error::Closed } else { cut_short() });
            }
            self.head_filled += count;
            if self.head_filled == HEAD {
                self.make_room(Head::read(self.head)?);
            }
        }
        loop {
            let fields = &mut self.fields[..];
            let data = self.data.as_deref_mut().unwrap_or_default();
            if self.body_filled == fields.len() + data.len() {
                break;
            }
            let (fields_filled, data_filled) =
                (self.body_filled.min(fields.len()), self.body_filled.saturating_sub(fields.len()));
            let rest = &mut [IoSliceMut::new(&mut fields[fields_filled..]), IoSliceMut::new(&mut data[data_filled..])];
            let count = socket.read_vectored(rest).await.map_err(Error::Io)?;
            if count == 0 {
                return Err(cut_short());
            }
            self.body_filled += count;
        }
        self.head_filled = 0;
        let kind = self.head[HEAD - 1];
        match self.data.take() {
            Some(data) => FromWorker::decode_with_payload(kind, &self.fields, data.into()),
            None => FromWorker::decode(kind, &self.fields),
        }
    }

    fn make_room(&mut self, head: Head) {
        let data = FromWorker::payload_len(head.kind, head.length);
        self.fields.clear();
        self.fields.resize(head.length - data.unwrap_or(0), 0);
        self.data = data.map(|length| vec![0; length]);
        self.body_filled = 0;
    }
}

fn cut_short() -> Error {
    Error::Io(io::ErrorKind::UnexpectedEof.into())
}
