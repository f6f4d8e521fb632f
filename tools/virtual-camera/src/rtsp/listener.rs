//! A listening TCP socket with the thread that accepts from it.

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use socket2::SockRef;

pub struct Listener {
    open: Arc<AtomicBool>,
    socket: Arc<TcpListener>,
    thread: thread::JoinHandle<()>,
}

impl Listener {
    /// Listens on `address`, whose port may be 0. `arrived` gets every connection, in the accepting
    /// thread.
    pub fn open(address: SocketAddr, arrived: impl Fn(TcpStream) + Send + 'static) -> io::Result<Self> {
        let (open, socket) = (Arc::new(AtomicBool::new(true)), Arc::new(TcpListener::bind(address)?));
        let (still_open, accepting) = (Arc::clone(&open), Arc::clone(&socket));
        let thread = thread::Builder::new().name(format!("rtsp {address}")).spawn(move || {
            for connection in accepting.incoming() {
                if !still_open.load(Ordering::SeqCst) {
                    return;
                }
                // If this fails, the client has disconnected already.
                if let Ok(connection) = connection {
                    arrived(connection);
                }
            }
        })?;
        Ok(Self { open, socket, thread })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Stops listening, before it returns.
    pub fn close(self) {
        self.open.store(false, Ordering::SeqCst);
        // Wakes the accepting thread, even if nothing can connect to this address any more.
        if SockRef::from(&*self.socket).shutdown(Shutdown::Both).is_ok() {
            let _ = self.thread.join();
        }
    }
}
