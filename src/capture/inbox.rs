//! Reads whole messages from the worker's socket.

use std::{io, os::unix::net::UnixStream};

use smol::{Async, io::AsyncReadExt};

use crate::wire::{Error, FromWorker, HEAD, Head, Message};

/// The part of a message that was read so far. It survives a dropped [`Inbox::next`], so that waiting
/// for a message can be one of several things awaited at once.
#[derive(Default)]
pub struct Inbox {
    head: [u8; HEAD],
    head_filled: usize,
    body: Vec<u8>,
    body_filled: usize,
}

impl Inbox {
    /// Waits for the next whole message.
    ///
    /// # Errors
    /// [`Error::Closed`] at the end of the socket, [`Error::Io`] at an end inside a message; any other
    /// error means that the peer cannot be trusted any longer.
    pub async fn next(&mut self, socket: &Async<UnixStream>) -> Result<FromWorker, Error> {
        let mut socket = socket;
        while self.head_filled < HEAD {
            let count = socket.read(&mut self.head[self.head_filled..]).await.map_err(Error::Io)?;
            if count == 0 {
                return Err(if self.head_filled == 0 { Error::Closed } else { cut_short() });
            }
            self.head_filled += count;
            if self.head_filled == HEAD {
                self.body = vec![0; Head::read(self.head)?.length];
                self.body_filled = 0;
            }
        }
        while self.body_filled < self.body.len() {
            let count = socket.read(&mut self.body[self.body_filled..]).await.map_err(Error::Io)?;
            if count == 0 {
                return Err(cut_short());
            }
            self.body_filled += count;
        }
        self.head_filled = 0;
        FromWorker::decode(self.head[HEAD - 1], &self.body)
    }
}

fn cut_short() -> Error {
    Error::Io(io::ErrorKind::UnexpectedEof.into())
}
