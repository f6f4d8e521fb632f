//! Asks the wall for `/healthz` as a browser would: through the kernel, the listener's accept and
//! the head reader, with a timeout.
//!
//! Any response counts, even "too many connections are open": the server answers. A probe uses one
//! connection for some milliseconds, from the wall's own address, so a full wall does not count as
//! dead.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use nix::errno::Errno;
use smol::{
    Async,
    io::{AsyncReadExt, AsyncWriteExt},
};
use socket2::{Domain, Socket, Type};

use crate::{
    http_client::{self, reachable},
    time::timeout,
};

/// The result of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeResult {
    Answers,
    /// Nobody answered, for this reason.
    Silent(String),
    /// No descriptor is free, so no probe and no response is possible.
    Short,
    /// The address no longer belongs to this machine: it has left a network.
    Elsewhere,
}

/// Probes the server on `listening`, for at most `limit`.
pub async fn probe(listening: SocketAddr, limit: Duration) -> ProbeResult {
    let address = reachable(listening);
    let stream = match begin(address) {
        Ok(stream) => stream,
        Err(error) if is_shortage(&error) => return ProbeResult::Short,
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => return ProbeResult::Elsewhere,
        Err(error) => return ProbeResult::Silent(error.to_string()),
    };
    match timeout(limit, ask(&stream, address)).await {
        Some(Ok(())) => ProbeResult::Answers,
        // This is how a connection ends that was accepted and closed before its request was read,
        // as beyond the admission limits. For a connection that nobody has accepted, the kernel
        // reports nothing.
        Some(Err(error)) if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
            ProbeResult::Answers
        }
        Some(Err(error)) => ProbeResult::Silent(error.to_string()),
        // The kernel accepts connections for a listener that has no descriptor for them. The
        // probe's own descriptor is still open here, so the listener needs one more.
        None => match Socket::new(Domain::IPV4, Type::STREAM, None) {
            Err(error) if is_shortage(&error) => ProbeResult::Short,
            _ => ProbeResult::Silent(format!("no answer within {:.1} s", limit.as_secs_f64())),
        },
    }
}

/// Starts to connect, from the address itself. If the address no longer belongs to this machine,
/// this fails and never asks another machine that has it now.
fn begin(address: SocketAddr) -> io::Result<Async<TcpStream>> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let mut own = address;
    own.set_port(0);
    socket.bind(&own.into())?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS as i32) => return Err(error),
        _ => {}
    }
    Async::new(socket.into())
}

async fn ask(mut stream: &Async<TcpStream>, address: SocketAddr) -> io::Result<()> {
    stream.writable().await?;
    if let Some(error) = stream.get_ref().take_error()? {
        return Err(error);
    }
    let request = http_client::get(&address.ip().to_string(), address.port(), "/healthz");
    stream.write_all(request.as_bytes()).await?;
    // An end without a response counts too: the kernel ends no connection that nobody has accepted.
    // Reading to the end spares the wall a connection reset.
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}

fn is_shortage(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| [Errno::EMFILE, Errno::ENFILE].contains(&Errno::from_raw(code)))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use smol::{block_on, future::FutureExt};

    use super::*;

    const TEST_TIMEOUT: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(200);

    #[test]
    fn listener_that_nobody_serves_is_silent_and_one_that_only_hangs_up_is_not() {
        // The kernel completes the connection of either.
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
        let address = listener.get_ref().local_addr().unwrap();
        let silent = ProbeResult::Silent("no answer within 0.2 s".to_owned());
        assert_eq!(block_on(probe(address, SHORT)), silent);
        let serve = async {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut bytes = [0; 1024];
                let _ = stream.read(&mut bytes).await;
            }
        };
        assert_eq!(block_on(probe(address, TEST_TIMEOUT).or(serve)), ProbeResult::Answers);
    }

    #[test]
    fn listener_that_hangs_up_before_it_has_read_is_there() {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
        let address = listener.get_ref().local_addr().unwrap();
        let serve = async {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // Closed with unread bytes, the connection is reset.
                stream.readable().await.unwrap();
            }
        };
        assert_eq!(block_on(probe(address, TEST_TIMEOUT).or(serve)), ProbeResult::Answers);
    }

    #[test]
    fn closed_listener_is_silent_and_an_address_that_is_not_ours_is_elsewhere() {
        let address = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        assert!(matches!(block_on(probe(address, TEST_TIMEOUT)), ProbeResult::Silent(why) if why.contains("refused")));
        // An address for documentation: nobody has it.
        assert_eq!(block_on(probe("192.0.2.1:8080".parse().unwrap(), TEST_TIMEOUT)), ProbeResult::Elsewhere);
    }
}
