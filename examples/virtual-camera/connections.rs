//! The camera's RTSP connections, to write into them what the RTSP server never would.

use std::{
    io::Write,
    net::{Shutdown, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// An interleaved packet on channel 0, announced with this many bytes.
const TRICKLE: [u8; 4] = [b'$', 0, 0x05, 0x78];
const TRICKLE_LENGTH: usize = 4 + 0x578;

/// Garbage per turn, in bytes: ten turns a second make it as much as a small stream.
const GARBAGE: usize = 2000;

/// All connections that are open.
#[derive(Default)]
pub struct Connections {
    open: Mutex<Vec<Arc<Connection>>>,
    /// Accepted, and not yet known by its client.
    arriving: Mutex<Option<TcpStream>>,
}

/// The second handle of a connection that belongs to the RTSP server.
pub struct Connection {
    stream: TcpStream,
    playing: AtomicBool,
    /// Bytes of the trickling packet that were sent.
    trickled: AtomicUsize,
    /// Holds bytes that no player can make sense of, now or ever.
    spoilt: AtomicBool,
}

impl Connections {
    /// Keeps the handle of a connection until the server tells of its client.
    pub fn arrived(&self, stream: TcpStream) {
        *self.arriving.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
    }

    /// The client of the connection that arrived last is known.
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

    /// Lets go of a connection that the server has closed. It ends with its last handle.
    pub fn forget(&self, connection: &Arc<Connection>) {
        self.open().retain(|other| !Arc::ptr_eq(other, connection));
        let _ = connection.stream.shutdown(Shutdown::Both);
    }

    /// Writes bytes that begin no interleaved packet and end no line to whoever plays.
    pub fn garble(&self) {
        for connection in self.players() {
            let mut garbage = [0; GARBAGE];
            getrandom::fill(&mut garbage).expect("the system has random numbers");
            garbage.iter_mut().filter(|byte| matches!(**byte, b'$' | b'\n')).for_each(|byte| *byte = b'?');
            connection.write(&garbage);
        }
    }

    /// Writes one more byte of a packet that will not be whole for minutes.
    pub fn trickle(&self) {
        for connection in self.players() {
            let at = connection.trickled.fetch_add(1, Ordering::Relaxed) % TRICKLE_LENGTH;
            connection.write(&[TRICKLE.get(at).copied().unwrap_or_default()]);
        }
    }

    /// Asks all who play to end, as a server may.
    pub fn request_teardown(&self) {
        for connection in self.players() {
            let _ = (&connection.stream).write_all(b"TEARDOWN * RTSP/1.0\r\nCSeq: 1\r\n\r\n");
        }
    }

    /// Ends the connections that no player can make sense of any more.
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
    /// From now on it carries a stream.
    pub fn plays(&self) {
        self.playing.store(true, Ordering::Relaxed);
    }

    /// The socket never blocks: a player that does not read misses some of the garbage.
    fn write(&self, bytes: &[u8]) {
        self.spoilt.store(true, Ordering::Relaxed);
        let _ = (&self.stream).write(bytes);
    }
}
