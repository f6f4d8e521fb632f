//! Signals as an asynchronous stream: each handler writes a byte into a socket of its own.

use std::{
    io::{self, Read as _},
    os::unix::net::UnixStream,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1},
    low_level::pipe,
};
use smol::{Async, future::FutureExt, io::AsyncReadExt};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGUSR1: log the state of every camera.
    Report,
}

pub struct Signals {
    stop: Async<UnixStream>,
    reload: Async<UnixStream>,
    report: Async<UnixStream>,
}

impl Signals {
    /// Registers the handlers; the signals no longer have their default effects.
    ///
    /// # Errors
    /// If the system refuses a socket pair or a handler.
    pub fn register() -> io::Result<Self> {
        Ok(Self { stop: on(&[SIGTERM, SIGINT])?, reload: on(&[SIGHUP])?, report: on(&[SIGUSR1])? })
    }

    /// Waits for the next signal. Several signals of one kind that arrived meanwhile count as one.
    ///
    /// # Errors
    /// The error of the socket; this does not happen in practice.
    pub async fn next(&mut self) -> io::Result<Signal> {
        let stop = wait(&self.stop, Signal::Stop);
        let reload = wait(&self.reload, Signal::Reload);
        let report = wait(&self.report, Signal::Report);
        stop.or(reload).or(report).await
    }
}

fn on(signals: &[i32]) -> io::Result<Async<UnixStream>> {
    let (receiver, sender) = UnixStream::pair()?;
    for &signal in signals {
        pipe::register(signal, sender.try_clone()?)?;
    }
    Async::new(receiver)
}

async fn wait(mut socket: &Async<UnixStream>, signal: Signal) -> io::Result<Signal> {
    let mut bytes = [0; 64];
    socket.read(&mut bytes).await?;
    // A burst counts once, however long it is: the rest of its bytes is already here.
    while matches!(socket.get_ref().read(&mut bytes), Ok(1..)) {}
    Ok(signal)
}
