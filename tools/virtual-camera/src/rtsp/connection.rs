//! One RTSP connection: a thread reads the client's requests, another one writes.

use std::{
    io::{ErrorKind, Read, Write},
    net::{IpAddr, Shutdown, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use super::{
    login::Login,
    message::{Answer, Incoming, Input, Request},
    methods,
    outbox::Outbox,
    server::Server,
    session::Session,
};
use crate::camera::Camera;

/// A client that reads nothing for this long is disconnected.
const PATIENCE: Duration = Duration::from_secs(60);
/// The last answer may take this long to a client that has ended its side.
const FAREWELL: Duration = Duration::from_secs(1);
/// A frozen thread looks at the faults this often even if nothing wakes it.
const FROZEN_NAP: Duration = Duration::from_secs(5);

/// Time for packets that come before the answer to PLAY.
const EARLY: Duration = Duration::from_millis(200);

/// The header of an interleaved packet on channel 0 with this length.
const TRICKLE: [u8; 4] = [b'$', 0, 0x05, 0x78];
const TRICKLE_LENGTH: usize = 4 + 0x578;
/// Garbage per write, in bytes: ten writes a second make it as much as a small stream.
const GARBAGE: usize = 2000;

pub struct Connection {
    stream: TcpStream,
    pub peer: IpAddr,
    /// The camera's own address, as the client reached it.
    pub local: IpAddr,
    pub outbox: Arc<Outbox>,
    /// Opened here; they end with the connection.
    sessions: Mutex<Vec<Arc<Session>>>,
    /// Bytes already sent of the trickled packet.
    trickled: AtomicUsize,
    /// Contains bytes that no player can parse, so the connection is unusable.
    spoilt: AtomicBool,
}

impl Connection {
    pub fn new(stream: TcpStream) -> std::io::Result<Arc<Self>> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let (peer, local) = (stream.peer_addr()?.ip(), stream.local_addr()?.ip());
        Ok(Arc::new(Self {
            stream,
            peer,
            local,
            outbox: Arc::default(),
            sessions: Mutex::default(),
            trickled: AtomicUsize::default(),
            spoilt: AtomicBool::default(),
        }))
    }

    /// Serves the client until either side ends.
    pub fn serve(self: &Arc<Self>, server: &Arc<Server>) {
        let writing = Arc::clone(self);
        let camera = Arc::clone(&server.camera);
        let writer = thread::Builder::new().name("rtsp writer".into()).spawn(move || writing.write(&camera));
        if writer.is_ok() {
            self.read(server);
        }
        thaw(&server.camera);
        for session in self.sessions() {
            server.end(&session);
        }
        let _ = self.stream.set_write_timeout(Some(FAREWELL));
        self.outbox.close();
        if let Ok(writer) = writer {
            let _ = writer.join();
        }
        self.close();
    }

    fn read(&self, server: &Arc<Server>) {
        let (mut input, mut login, mut bytes) = (Input::default(), Login::default(), [0; 4096]);
        loop {
            match (&self.stream).read(&mut bytes) {
                Ok(0) => return,
                Ok(count) => input.extend(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
            thaw(&server.camera);
            loop {
                match input.next() {
                    Ok(Some(Incoming::Request(request))) => {
                        if !self.answer(server, &request, &mut login) {
                            return;
                        }
                    }
                    Ok(Some(Incoming::Packet(packet))) => {
                        self.sessions().iter().for_each(|session| session.on_rtcp(&packet));
                    }
                    Ok(Some(Incoming::Answer)) => {}
                    Ok(None) => break,
                    Err(_) => {
                        self.outbox.push(Answer::new(400).bytes(None, &server.camera.habits()));
                        return;
                    }
                }
            }
            self.sessions().iter().for_each(|session| session.touch());
        }
    }

    /// Answers one request; `false`: the connection ends.
    fn answer(&self, server: &Arc<Server>, request: &Request, login: &mut Login) -> bool {
        let habits = server.camera.habits();
        let keeps_alive = matches!(request.method.as_str(), "OPTIONS" | "GET_PARAMETER" | "SET_PARAMETER");
        let is_playing = self.is_playing();
        let (answer, begins) = methods::answer(server, self, request, login);
        let slow = if request.method == "DESCRIBE" { habits.slow_describe } else { Duration::ZERO };
        thread::sleep(slow + habits.slow_answers);
        let play = || {
            if let Some(session) = &begins {
                session.tracks().iter().for_each(|(_, sender)| sender.await_start(habits.slow_start));
                session.play();
            }
        };
        if habits.early_packets && begins.is_some() {
            play();
            thread::sleep(EARLY);
        }
        if !(habits.no_keepalive_answers && keeps_alive && is_playing) {
            let mut bytes = answer.bytes(request.header("cseq"), &habits);
            if habits.crlf_before_answers {
                bytes.splice(..0, *b"\r\n");
            }
            self.outbox.push(bytes);
        }
        if !habits.early_packets {
            play();
        }
        !(habits.close_after_401 && answer.status == 401)
    }

    fn write(&self, camera: &Camera) {
        while let Some(bytes) = self.outbox.next() {
            thaw(camera);
            if (&self.stream).write_all(&bytes).is_err() {
                // The reader notices the end by itself, after all requests that have arrived.
                return self.outbox.close();
            }
        }
    }

    /// Closes the connection, whatever waits to be read or written.
    pub fn close(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Remembers a session that was opened here.
    pub fn adopt(&self, session: Arc<Session>) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    }

    fn sessions(&self) -> Vec<Arc<Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn is_playing(&self) -> bool {
        self.sessions().iter().any(|session| session.is_playing())
    }

    pub fn is_spoilt(&self) -> bool {
        self.spoilt.load(Ordering::Relaxed)
    }

    /// Writes bytes that begin no interleaved packet and end no line.
    pub fn garble(&self) {
        let mut garbage = vec![0; GARBAGE];
        getrandom::fill(&mut garbage).expect("the system has random numbers");
        garbage.iter_mut().filter(|byte| matches!(**byte, b'$' | b'\n')).for_each(|byte| *byte = b'?');
        self.spoil(garbage);
    }

    /// Writes one more byte of a packet that stays incomplete for minutes.
    pub fn trickle(&self) {
        let at = self.trickled.fetch_add(1, Ordering::Relaxed) % TRICKLE_LENGTH;
        self.spoil(vec![TRICKLE.get(at).copied().unwrap_or_default()]);
    }

    /// A player that does not read misses some of it.
    fn spoil(&self, bytes: Vec<u8>) {
        self.spoilt.store(true, Ordering::Relaxed);
        let _ = self.outbox.offer(bytes);
    }
}

/// Blocks while the camera is frozen.
fn thaw(camera: &Camera) {
    loop {
        let faults = camera.faults();
        if !faults.freeze {
            return;
        }
        camera.wait_for_other_faults(faults, FROZEN_NAP);
    }
}
