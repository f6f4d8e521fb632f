//! The camera's own RTSP server: one pair of threads for each connection, one encoder for each
//! stream.
//!
//! A frozen camera is all threads waiting: connections are accepted, and nothing ever answers.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, atomic::Ordering},
    thread,
    time::Duration,
};

use super::{connection::Connection, listener::Listener, session::Session};
use crate::{
    camera::{Camera, Place, count},
    feed::Feed,
    stream::{Offer, Stream},
};

/// Interval at which silent sessions are looked for.
const CLEAN_UP_EVERY: Duration = Duration::from_secs(1);
/// Interval of the sender reports of one track.
const REPORT_EVERY: Duration = Duration::from_secs(5);
const SESSION_TIMEOUT_S: u64 = 60;
/// Interval at which bytes are written into connections that a fault spoils.
const SPOIL_EVERY: Duration = Duration::from_millis(100);
/// Time from RTCP BYE to the end of the connections.
const LEAVE: Duration = Duration::from_millis(300);

pub struct Server {
    pub camera: Arc<Camera>,
    pub feeds: Vec<Arc<Feed>>,
    pub port: u16,
    connections: Mutex<Vec<Arc<Connection>>>,
    sessions: Mutex<Vec<Arc<Session>>>,
    door: Mutex<Door>,
}

/// The listening socket, and the faults already applied.
struct Door {
    listening: Option<Listener>,
    place: Place,
    drops: u64,
    byes: u64,
    teardowns: u64,
    /// The offer that the open sessions got.
    offered: Vec<Offer>,
    /// Bytes are being written into connections.
    spoiling: bool,
}

impl Server {
    /// Listens and serves from now on, each stream at its name (`/main`).
    pub fn start(camera: Arc<Camera>, streams: Vec<Arc<Stream>>) -> io::Result<Arc<Self>> {
        let place = camera.place();
        let offered = streams.iter().map(|stream| stream.offer()).collect();
        let feeds = streams.into_iter().map(|stream| Feed::new(stream, Arc::clone(&camera))).collect();
        let wanted = SocketAddr::new(place.ip, camera.settings.rtsp_port);
        let mut failure = None;
        let server = Arc::new_cyclic(|server| {
            let listening = listen(server, wanted).map_err(|error| failure = Some(error)).ok();
            let address = listening.as_ref().and_then(|listener| listener.address().ok());
            Self {
                camera,
                feeds,
                // From now on the same port, even if the system chose it.
                port: address.map_or(wanted.port(), |address| address.port()),
                connections: Mutex::default(),
                sessions: Mutex::default(),
                door: Mutex::new(Door { listening, place, drops: 0, byes: 0, teardowns: 0, offered, spoiling: false }),
            }
        });
        if let Some(error) = failure {
            return Err(error);
        }
        let (weak, name) = (Arc::downgrade(&server), format!("rtsp {}", server.camera.settings.id));
        thread::Builder::new().name(name).spawn(move || {
            while let Some(server) = weak.upgrade() {
                server.clean_up();
                drop(server);
                thread::sleep(CLEAN_UP_EVERY);
            }
        })?;
        Ok(server)
    }

    /// Serves a new connection in threads of its own.
    fn arrived(self: &Arc<Self>, stream: TcpStream) {
        // If this fails, the client has disconnected already.
        let Ok(connection) = Connection::new(stream) else { return };
        lock(&self.connections).push(Arc::clone(&connection));
        let server = Arc::clone(self);
        let serving = move || {
            connection.serve(&server);
            lock(&server.connections).retain(|other| !Arc::ptr_eq(other, &connection));
        };
        if let Err(error) = thread::Builder::new().name("rtsp reader".into()).spawn(serving) {
            eprintln!("no thread for a connection: {error}");
        }
    }

    /// Makes the server follow the camera's faults and address.
    pub fn follow_faults(self: &Arc<Self>) {
        let mut door = lock(&self.door);
        let (faults, place) = (self.camera.faults(), self.camera.place());
        if faults.refuse || place != door.place {
            if let Some(listening) = door.listening.take() {
                listening.close();
                self.close_all();
            }
            door.place = place;
        }
        if !faults.refuse && door.listening.is_none() {
            match listen(&Arc::downgrade(self), SocketAddr::new(place.ip, self.port)) {
                Ok(listening) => door.listening = Some(listening),
                Err(error) => eprintln!("{}: cannot listen again: {error}", self.camera.settings.id),
            }
        }
        // If the offer for sessions changes, the open sessions end, as on a camera whose encoder
        // settings change.
        let offers: Vec<_> = self.feeds.iter().map(|feed| feed.stream.offer()).collect();
        if door.drops != faults.drops || door.offered != offers {
            (door.drops, door.offered) = (faults.drops, offers);
            self.close_all();
        }
        if (door.byes, door.teardowns) != (faults.byes, faults.teardowns) {
            if door.teardowns != faults.teardowns {
                self.ask("TEARDOWN");
            }
            if door.byes != faults.byes {
                self.say_goodbye();
            }
            (door.byes, door.teardowns) = (faults.byes, faults.teardowns);
            self.in_thread(|server| {
                thread::sleep(LEAVE);
                server.close_all();
            });
        }
        if faults.spoils_connections() && !door.spoiling {
            door.spoiling = true;
            self.in_thread(|server| server.spoil());
        }
        drop(door);
        self.feeds.iter().for_each(|feed| feed.wake());
    }

    fn in_thread(self: &Arc<Self>, work: impl FnOnce(&Self) + Send + 'static) {
        let server = Arc::clone(self);
        let started = thread::Builder::new().name("rtsp fault".into()).spawn(move || work(&server));
        if let Err(error) = started {
            eprintln!("no thread for a fault: {error}");
        }
    }

    /// Writes bytes that are not RTSP into the connections of playing clients, until that fault
    /// ends.
    fn spoil(&self) {
        loop {
            let faults = self.camera.faults();
            for player in self.players() {
                if faults.garbage_framing {
                    player.garble();
                } else if faults.trickle {
                    player.trickle();
                }
            }
            {
                let mut door = lock(&self.door);
                if !self.camera.faults().spoils_connections() {
                    door.spoiling = false;
                    break;
                }
            }
            self.camera.wait_for_other_faults(faults, SPOIL_EVERY);
        }
        lock(&self.connections).iter().filter(|connection| connection.is_spoilt()).for_each(|spoilt| spoilt.close());
    }

    /// RTCP BYE for every track; nothing follows it.
    fn say_goodbye(&self) {
        for session in self.sessions() {
            session.end();
            for (_, sender) in session.tracks() {
                sender.report(session.feed.now(), Duration::ZERO, true);
            }
        }
    }

    /// Sends the reports that are due, and ends the sessions of clients that have disappeared.
    fn clean_up(&self) {
        let is_mute = self.camera.faults().mutes_all();
        if self.camera.habits().camera_asks && !is_mute {
            self.ask("OPTIONS");
        }
        for session in self.sessions() {
            if session.has_expired(self.session_timeout()) && !self.camera.faults().freeze {
                self.end(&session);
                continue;
            }
            if session.is_playing() && !is_mute && !self.camera.habits().no_reports {
                for (_, sender) in session.tracks() {
                    sender.report(session.feed.now(), REPORT_EVERY, false);
                }
            }
        }
    }

    /// Sends a request to every playing client.
    fn ask(&self, method: &str) {
        for player in self.players() {
            player.outbox.push(format!("{method} * RTSP/1.0\r\nCSeq: 1\r\n\r\n").into_bytes());
        }
    }

    /// A UDP session ends after this time without a sign of life.
    pub fn session_timeout(&self) -> Duration {
        Duration::from_secs(self.camera.habits().session_timeout_s.unwrap_or(SESSION_TIMEOUT_S))
    }

    /// Opens a session of one stream.
    ///
    /// # Errors
    /// The status of the refusal: the stream is away (404), or there is no room (453 or 503).
    pub fn open(&self, feed: &Arc<Feed>) -> Result<Arc<Session>, u16> {
        let (camera, name) = (&self.camera, feed.stream.name());
        let mut sessions = lock(&self.sessions);
        let is_full = camera.settings.sessions.is_some_and(|most| sessions.len() as u64 >= u64::from(most));
        if camera.faults().away == Some(name) {
            return Err(404);
        }
        if let Some(status) = camera.faults().full.or(is_full.then_some(453)) {
            return Err(status);
        }
        let random = || getrandom::u64().map_err(|_| 503_u16);
        let session = Session::new(format!("{:016X}", random()?), Arc::clone(feed));
        sessions.push(Arc::clone(&session));
        count(&camera.counters.sessions_opened);
        camera.counters.sessions.fetch_add(1, Ordering::Relaxed);
        lock(&camera.counters.streams).enter(session.id.clone(), name);
        Ok(session)
    }

    pub fn session(&self, id: &str) -> Option<Arc<Session>> {
        lock(&self.sessions).iter().find(|session| session.id == id).cloned()
    }

    /// Ends a session, once.
    pub fn end(&self, session: &Arc<Session>) {
        session.end();
        let mut sessions = lock(&self.sessions);
        let before = sessions.len();
        sessions.retain(|other| !Arc::ptr_eq(other, session));
        if sessions.len() < before {
            lock(&self.camera.counters.streams).leave(&session.id);
            self.camera.counters.sessions.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Closes every connection and ends every session, also those over UDP.
    fn close_all(&self) {
        self.sessions().iter().for_each(|session| self.end(session));
        lock(&self.connections).iter().for_each(|connection| connection.close());
    }

    fn sessions(&self) -> Vec<Arc<Session>> {
        lock(&self.sessions).clone()
    }

    fn players(&self) -> Vec<Arc<Connection>> {
        lock(&self.connections).iter().filter(|connection| connection.is_playing()).cloned().collect()
    }
}

fn listen(server: &Weak<Server>, address: SocketAddr) -> io::Result<Listener> {
    let server = server.clone();
    Listener::open(address, move |stream| {
        if let Some(server) = server.upgrade() {
            server.arrived(stream);
        }
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
