//! A socket for whose bytes the thread of [`block_on`](super::block_on) waits.

use std::{
    io::{self, Read},
    net::{SocketAddr, UdpSocket},
    os::fd::AsFd,
};

use smol::Async;

use super::Registration;

/// A socket that is read as soon as something comes, at the cost of two system calls. One that is
/// made outside [`block_on`](super::block_on) is waited for by `async-io`, as any other.
pub struct ReadSocket<T> {
    pub(super) registration: Option<Registration>,
    socket: Async<T>,
}

impl<T: AsFd> ReadSocket<T> {
    pub fn new(socket: Async<T>) -> Self {
        Self { registration: Registration::new(&socket), socket }
    }

    /// The socket, to write to it.
    pub fn socket(&self) -> &Async<T> {
        &self.socket
    }

    /// Waits until `read` does not say that it would block. `took_all` says of its result that there
    /// was nothing more to take.
    async fn read_with<R>(
        &self,
        mut read: impl FnMut(&T) -> io::Result<R>,
        took_all: impl Fn(&R) -> bool,
    ) -> io::Result<R> {
        let Some(registration) = &self.registration else { return self.socket.read_with(read).await };
        loop {
            let events = registration.ready().await;
            match read(self.socket.get_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => registration.found_nothing(events),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => {
                    if result.as_ref().is_ok_and(&took_all) {
                        registration.took_all(events);
                    }
                    return result;
                }
            }
        }
    }
}

impl<T: AsFd> ReadSocket<T>
where
    for<'a> &'a T: Read,
{
    /// Reads bytes of a connection; 0 means that it has ended. Cancel-safe.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let space = buffer.len();
        // A connection gives less than there is space for only if it has no more (epoll(7)).
        self.read_with(|mut socket| socket.read(buffer), |&count| 0 < count && count < space).await
    }
}

impl ReadSocket<UdpSocket> {
    /// Receives a datagram. Cancel-safe.
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.read_with(|socket| socket.recv_from(buffer), |_| false).await
    }
}
