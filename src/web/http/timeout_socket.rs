//! A viewer's connection, with or without TLS, with a timeout on every write.
//!
//! The timeout is below TLS and is one of progress: it starts when the kernel accepts no more bytes and ends with
//! the next byte it accepts. A timeout for the whole write would end healthy viewers of big
//! pictures on slow lines. Over a minute of waiting a viewer must take a little all the same
//! ([`Throughput`]).

use std::{
    future::Future,
    io::{self, IoSlice},
    net::{IpAddr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use smol::{
    Timer,
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use crate::{time::timeout, tls::TlsStream, web::http::throughput::Throughput};

/// Maximum number of unsent bytes in the kernel. What waits there grows old, so this limits how far
/// a slow viewer lags behind, and the memory it costs.
const MAX_UNSENT: u32 = 128 << 10;

/// Maximum number of bytes read and discarded from a peer that continues to send after its last
/// response.
const MAX_DISCARDED: usize = 256 << 10;

/// What the socket says of a connection before a request comes.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The other end: the visitor, or a proxy.
    pub address: IpAddr,
    /// Our end.
    pub local: SocketAddr,
    /// Whether TLS is spoken on it.
    pub is_tls: bool,
}

impl Peer {
    /// Whether the other end is a process of this machine, so that no network lies between.
    pub fn is_this_machine(&self) -> bool {
        let address = self.address.to_canonical();
        address.is_loopback() || address == self.local.ip().to_canonical()
    }
}

/// What a viewer's connection is made of.
pub enum Transport {
    Plain(Box<TimedStream>),
    Tls(Box<TlsStream<TimedStream>>),
}

/// A viewer's connection.
pub struct Socket {
    transport: Transport,
    pub peer: Peer,
    /// Bytes read from the stream but not consumed yet: what followed a request's head.
    pub early: Vec<u8>,
}

/// A TCP connection of which a write fails that has made no progress for too long, or too little.
pub struct TimedStream {
    stream: TcpStream,
    stall_limit: Duration,
    /// Runs while a write waits.
    stall: Option<Timer>,
    throughput: Throughput,
}

impl TimedStream {
    pub fn new(stream: TcpStream, stall_limit: Duration) -> Self {
        // Both are only improvements; a kernel that refuses them still delivers.
        let _ = stream.set_nodelay(true);
        let _ = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(MAX_UNSENT);
        Self { stream, stall_limit, stall: None, throughput: Throughput::default() }
    }

    /// # Errors
    /// If the connection is gone.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// The first byte that the peer sends; it can still be read. `None` if it sends none.
    pub async fn first_byte(&self) -> Option<u8> {
        let mut byte = [0];
        matches!(self.stream.peek(&mut byte).await, Ok(1)).then_some(byte[0])
    }

    /// Returns `polled`, or an error if it has been pending for longer than the limit, or too little was
    /// written for too long.
    fn in_time(&mut self, polled: Poll<io::Result<usize>>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(done) = &polled {
            self.stall = None;
            return match done {
                Ok(bytes) if !self.throughput.took(*bytes, Instant::now()) => {
                    Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
                }
                _ => polled,
            };
        }
        self.throughput.waits(Instant::now());
        let limit = self.stall_limit;
        let stall = self.stall.get_or_insert_with(|| Timer::after(limit));
        match Pin::new(stall).poll(context) {
            Poll::Ready(_) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Socket {
    pub fn new(transport: Transport, peer: Peer) -> Self {
        Self { transport, peer, early: Vec::new() }
    }

    /// Writes all of `parts`, in order, with as few system calls as the kernel allows. Returns when
    /// the kernel has them: what TLS keeps back would reach the viewer with the next picture only.
    pub async fn write_parts<const N: usize>(&mut self, parts: [&[u8]; N]) -> io::Result<()> {
        let mut slices = parts.map(IoSlice::new);
        let mut rest = slices.as_mut_slice();
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            match self.write_vectored(rest).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => IoSlice::advance_slices(&mut rest, written),
            }
        }
        self.flush().await
    }

    /// Waits until the peer closes its side or the connection breaks; received bytes are discarded.
    pub async fn gone(&mut self) {
        let mut scrap = [0; 1024];
        while matches!(self.read(&mut scrap).await, Ok(1..)) {}
    }

    /// Closes the connection so that the last write arrives. If bytes were left unread, the kernel
    /// would reset the connection and the peer would lose the response.
    pub async fn close(mut self, limit: Duration) {
        if smol::io::AsyncWriteExt::close(&mut self).await.is_err() {
            return;
        }
        let drained = async {
            let mut scrap = [0; 4096];
            let mut total = 0;
            while let Ok(count @ 1..) = self.read(&mut scrap).await {
                total += count;
                if total > MAX_DISCARDED {
                    break;
                }
            }
        };
        timeout(limit, drained).await;
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.in_time(polled, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.in_time(polled, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(context)
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.early.is_empty() {
            return match &mut self.transport {
                Transport::Plain(stream) => Pin::new(stream).poll_read(context, into),
                Transport::Tls(stream) => Pin::new(stream).poll_read(context, into),
            };
        }
        let count = into.len().min(self.early.len());
        into[..count].copy_from_slice(&self.early[..count]);
        self.early.drain(..count);
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Transport::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Transport::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(context),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_close(context),
            Transport::Tls(stream) => Pin::new(stream).poll_close(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use smol::net::TcpListener;

    use super::*;

    #[test]
    fn every_step_forward_begins_the_deadline_anew() {
        smol::block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let mut socket = TimedStream::new(stream, Duration::ZERO);
            let mut context = Context::from_waker(Waker::noop());
            socket.stall_limit = Duration::from_secs(3600);
            assert!(socket.in_time(Poll::Pending, &mut context).is_pending());
            assert!(socket.stall.is_some());
            assert!(socket.in_time(Poll::Ready(Ok(1)), &mut context).is_ready());
            assert!(socket.stall.is_none());
            socket.stall_limit = Duration::ZERO;
            let stalled = async {
                while socket.in_time(Poll::Pending, &mut context).is_pending() {
                    Timer::after(Duration::from_millis(1)).await;
                }
            };
            timeout(Duration::from_secs(30), stalled).await.expect("no deadline");
        });
    }
}
