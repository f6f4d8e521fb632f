//! The camera's RTSP connections, for writing bytes that the RTSP server never would.

use std::{
    io::Write,
    net::{Shutdown, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// The header of an interleaved packet on channel 0 with this length.
const TRICKLE: [u8; 4] = [b'$', 0, 0x05, 0x78];
const TRICKLE_LENGTH: usize = 4 + 0x578;

/// Garbage per write, in bytes: ten writes a second make it as much as a small stream.
const GARBAGE: usize = 2000;

/// All open connections.
#[derive(Default)]
pub struct Connections {
    open: Mutex<Vec<Arc<Connection>>>,
    /// Accepted, but its client is not yet known.
    arriving: Mutex<Option<TcpStream>>,
}

/// A second handle of a connection that belongs to the RTSP server.
pub struct Connection {
    stream: TcpStream,
    playing: AtomicBool,
    /// Bytes already sent of the trickled packet.
    trickled: AtomicUsize,
    /// Contains bytes that no player can parse, so the connection is unusable.
    spoilt: AtomicBool,
}

impl Connections {
    /// Keeps the handle of a connection until the server reports its client.
    pub fn arrived(&self, stream: TcpStream) {
        *self.arriving.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
    }

    /// Called when the client of the connection that arrived last is known.
    pub fn claim(&self) -> Option<Arc<Connection>> {
        let stream = self.arriving.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let connection = Arc::new(Connection {
            stream,
            playing: AtomicBool::default(),
            trickled: AtomicUsize::default(),
            spoilt: AtomicBool::default(),
        });
        self.open().push(Arc::clone(&connection));
        Some(connection)
    }

    /// Drops a connection that the server has closed. It ends with its last handle.
    pub fn forget(&self, connection: &Arc<Connection>) {
        self.open().retain(|other| !Arc::ptr_eq(other, connection));
        let _ = connection.stream.shutdown(Shutdown::Both);
    }

    /// Writes bytes that begin no interleaved packet and end no line to every playing client.
    pub fn garble(&self) {
        for connection in self.players() {
            let mut garbage = [0; GARBAGE];
            getrandom::fill(&mut garbage).expect("the system has random numbers");
            garbage.iter_mut().filter(|byte| matches!(**byte, b'$' | b'\n')).for_each(|byte| *byte = b'?');
            connection.write(&garbage);
        }
    }

    /// Writes one more byte of a packet that stays incomplete for minutes.
    pub fn trickle(&self) {
        for connection in self.players() {
            let at = connection.trickled.fetch_add(1, Ordering::Relaxed) % TRICKLE_LENGTH;
            connection.write(&[TRICKLE.get(at).copied().unwrap_or_default()]);
        }
    }

    /// Asks all playing clients to end, as a server may.
    pub fn request_teardown(&self) {
        for connection in self.players() {
            let _ = (&connection.stream).write_all(b"TEARDOWN * RTSP/1.0\r\nCSeq: 1\r\n\r\n");
        }
    }

    /// Closes the connections that no player can parse any more.
    pub fn close_spoilt(&self) {
        for connection in self.open().iter().filter(|connection| connection.spoilt.load(Ordering::Relaxed)) {
            let _ = connection.stream.shutdown(Shutdown::Both);
        }
    }

    fn players(&self) -> Vec<Arc<Connection>> {
        self.open().iter().filter(|connection| connection.playing.load(Ordering::Relaxed)).cloned().collect()
    }

    fn open(&self) -> MutexGuard<'_, Vec<Arc<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Marks the connection as carrying a stream.
    pub fn plays(&self) {
        self.playing.store(true, Ordering::Relaxed);
    }

    /// The socket never blocks: a player that does not read misses some of the garbage.
    fn write(&self, bytes: &[u8]) {
        self.spoilt.store(true, Ordering::Relaxed);
        let _ = (&self.stream).write(bytes);
    }
}
