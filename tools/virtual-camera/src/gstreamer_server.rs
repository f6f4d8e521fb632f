//! GStreamer's RTSP server, with session counters and the faults of real cameras: a server that is
//! not of our making, chosen by `server=gstreamer`.
//!
//! One thread and its main context serve all connections of one camera. A frozen camera is that
//! thread blocked: the kernel still accepts connections, and nothing ever answers.

mod connections;
mod factory;
mod launch;
mod login;
mod packets;

use std::{
    fmt,
    net::{SocketAddr, TcpStream},
    os::fd::AsFd,
    sync::{Arc, Mutex, atomic::Ordering},
    thread,
    time::Duration,
};

use gstreamer::glib;

use gstreamer_rtsp_server::{
    RTSP_PERM_MEDIA_FACTORY_ACCESS, RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, RTSPContext, RTSPFilterResult, RTSPMediaFactory,
    RTSPMountPoints, RTSPServer, RTSPThreadPool, gio, gst_rtsp::RTSPStatusCode, prelude::*,
};

use crate::{
    camera::{Camera, Place, count},
    stream::{Offer, Stream},
};

use connections::Connections;
use login::{CameraAuth, VIEWER};

/// Interval at which sessions of players that disappeared are removed.
const CLEAN_UP_EVERY: Duration = Duration::from_secs(2);
/// A frozen thread checks the faults this often even if nothing wakes it.
const FROZEN_NAP: Duration = Duration::from_secs(5);
/// Interval at which bytes are written into connections that a fault spoils.
const SPOIL_EVERY: Duration = Duration::from_millis(100);
/// Time from RTCP BYE to the end of the connections.
const LEAVE: Duration = Duration::from_millis(300);

#[derive(Debug)]
pub enum Error {
    Mounts,
    Certificate(glib::Error),
    Listen { address: SocketAddr, source: glib::Error },
    Thread(std::io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(_) => f.write_str("GStreamer cannot use the certificate"),
            Self::Mounts => f.write_str("the RTSP server has no mount points"),
            Self::Listen { address, .. } => write!(f, "cannot listen for RTSP on {address}"),
            Self::Thread(_) => f.write_str("cannot start a thread for RTSP"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Mounts => None,
            Self::Listen { source, .. } | Self::Certificate(source) => Some(source),
            Self::Thread(source) => Some(source),
        }
    }
}

pub struct Server {
    camera: Arc<Camera>,
    server: RTSPServer,
    context: glib::MainContext,
    pub port: u16,
    connections: Arc<Connections>,
    offers: Vec<(Arc<Stream>, RTSPMediaFactory)>,
    door: Mutex<Door>,
}

/// The listening socket, and the faults already applied.
struct Door {
    listening: Option<glib::SourceId>,
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
    /// Listens and serves from now on, each stream at its path (`/main`).
    /// With a port for `rtsps` it serves only over TLS, with the certificate and key in `pem`.
    pub fn start(
        camera: Arc<Camera>,
        streams: Vec<(&'static str, Arc<Stream>)>,
        pem: &str,
    ) -> Result<Arc<Self>, Error> {
        let (settings, place) = (&camera.settings, camera.place());
        let server = RTSPServer::new();
        server.set_address(&place.ip.to_string());
        server.set_service(&settings.rtsp_port.to_string());
        let pool = RTSPThreadPool::new();
        // The pool has no threads of its own: the context attached to serves every connection.
        pool.set_max_threads(0);
        server.set_thread_pool(Some(&pool));
        let auth = CameraAuth::new(&camera);
        if settings.rtsps_port.is_some() {
            let certificate = gio::TlsCertificate::from_pem(pem).map_err(Error::Certificate)?;
            auth.set_tls_certificate(Some(&certificate));
        }
        server.set_auth(Some(&auth));
        let mounts: RTSPMountPoints = server.mount_points().ok_or(Error::Mounts)?;
        let mut offers = Vec::new();
        for (path, stream) in streams {
            let factory = factory::factory(&stream, &camera);
            let allowed = gstreamer::Structure::builder(VIEWER)
                .field(RTSP_PERM_MEDIA_FACTORY_ACCESS, true)
                .field(RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, true);
            factory.add_role_from_structure(&allowed.build());
            mounts.add_factory(path, factory.clone());
            offers.push((stream, factory));
        }
        let connections = Arc::new(Connections::default());
        watch_clients(&server, &camera, &connections);

        let context = glib::MainContext::new();
        let wanted = SocketAddr::new(place.ip, settings.rtsp_port);
        let refused = |source| Error::Listen { address: wanted, source };
        let (listening, port) = listen(&server, &context, &connections, settings.tunnel).map_err(refused)?;
        // From now on the same port, even if the system chose it.
        server.set_service(&port.to_string());
        let offered = offers.iter().map(|(stream, _)| stream.offer()).collect();
        let listening = Some(listening);
        let rtsp = Arc::new(Self {
            port,
            door: Mutex::new(Door { listening, place, drops: 0, byes: 0, teardowns: 0, offered, spoiling: false }),
            connections,
            offers,
            camera,
            server,
            context,
        });
        rtsp.serve().map_err(Error::Thread)?;
        Ok(rtsp)
    }

    /// Starts the thread that serves all connections. It ends with the process.
    fn serve(self: &Arc<Self>) -> std::io::Result<()> {
        let context = self.context.clone();
        let sessions = self.server.session_pool();
        let name = format!("rtsp {}", self.camera.settings.id);
        thread::Builder::new().name(name).spawn(move || {
            let clean_up = glib::timeout_source_new(CLEAN_UP_EVERY, None, glib::Priority::DEFAULT, move || {
                if let Some(sessions) = &sessions {
                    sessions.cleanup();
                }
                glib::ControlFlow::Continue
            });
            clean_up.attach(Some(&context));
            let main_loop = glib::MainLoop::new(Some(&context), false);
            context.with_thread_default(|| main_loop.run()).expect("no other thread runs this context");
        })?;
        Ok(())
    }

    /// Makes the server follow the camera's faults and address. Returns at once; the serving thread
    /// applies them.
    pub fn follow_faults(self: &Arc<Self>) {
        let rtsp = Arc::clone(self);
        self.context.invoke(move || rtsp.apply_faults());
    }

    /// Runs in the serving thread, and blocks it while the camera is frozen.
    fn apply_faults(self: &Arc<Self>) {
        let mut door = self.door.lock().expect("only the serving thread holds the door");
        loop {
            let (faults, place) = (self.camera.faults(), self.camera.place());
            if faults.refuse || place != door.place {
                if let Some(listening) = door.listening.take() {
                    self.remove_source(&listening);
                    self.close_all();
                }
                door.place = place;
                self.server.set_address(&place.ip.to_string());
            }
            if !faults.refuse && door.listening.is_none() {
                let tunnel = self.camera.settings.tunnel;
                match listen(&self.server, &self.context, &self.connections, tunnel) {
                    Ok((listening, _)) => door.listening = Some(listening),
                    Err(error) => eprintln!("{}: cannot listen again: {error}", self.camera.settings.id),
                }
            }
            if door.drops != faults.drops {
                door.drops = faults.drops;
                self.close_all();
            }
            self.follow_offers(&mut door);
            if (door.byes, door.teardowns) != (faults.byes, faults.teardowns) {
                if door.teardowns != faults.teardowns {
                    self.connections.request_teardown();
                }
                (door.byes, door.teardowns) = (faults.byes, faults.teardowns);
                // RTCP BYE is sent in the meantime.
                let leaving = Arc::clone(self);
                let leave = glib::timeout_source_new(LEAVE, None, glib::Priority::DEFAULT, move || {
                    leaving.close_all();
                    glib::ControlFlow::Break
                });
                leave.attach(Some(&self.context));
            }
            if faults.spoils_connections() && !door.spoiling {
                door.spoiling = true;
                self.spoil();
            } else if !faults.spoils_connections() && door.spoiling {
                door.spoiling = false;
                self.connections.close_spoilt();
            }
            if !faults.freeze {
                return;
            }
            self.camera.wait_for_other_faults(faults, FROZEN_NAP);
        }
    }

    /// If the offer for sessions changes, the open sessions end, as on a camera whose encoder
    /// settings change.
    fn follow_offers(&self, door: &mut Door) {
        let offers: Vec<_> = self.offers.iter().map(|(stream, _)| stream.offer()).collect();
        if door.offered != offers {
            door.offered = offers;
            for (stream, factory) in &self.offers {
                factory.set_launch(&factory::launch_line(stream, &self.camera));
            }
            self.close_all();
        }
    }

    /// Writes bytes that are not RTSP into the connections of playing clients, until that fault
    /// ends.
    fn spoil(self: &Arc<Self>) {
        let rtsp = Arc::clone(self);
        let turn = glib::timeout_source_new(SPOIL_EVERY, None, glib::Priority::DEFAULT, move || {
            let faults = rtsp.camera.faults();
            if faults.garbage_framing {
                rtsp.connections.garble();
            } else if faults.trickle {
                rtsp.connections.trickle();
            } else {
                return glib::ControlFlow::Break;
            }
            glib::ControlFlow::Continue
        });
        turn.attach(Some(&self.context));
    }

    /// Destroys the listening source, which closes its socket.
    fn remove_source(&self, listening: &glib::SourceId) {
        if let Some(source) = self.context.find_source_by_id(listening) {
            source.destroy();
        }
    }

    /// Closes every connection and ends every session, also those over UDP.
    fn close_all(&self) {
        self.server.client_filter(Some(&mut |_, _| RTSPFilterResult::Remove));
        if let Some(sessions) = self.server.session_pool() {
            sessions.filter(Some(&mut |_, _| RTSPFilterResult::Remove));
        }
    }
}

/// Listens at the server's address and port, and passes every connection to it. This code accepts
/// the connections, not the server, so that it can keep a second handle of each.
fn listen(
    server: &RTSPServer,
    context: &glib::MainContext,
    connections: &Arc<Connections>,
    accepts_itself: bool,
) -> Result<(glib::SourceId, u16), glib::Error> {
    if server.auth().is_some_and(|auth| auth.tls_certificate().is_some()) || accepts_itself {
        // A connection that was accepted elsewhere would get no TLS, and two of them no tunnel. Faults of a connection are not
        // played here.
        let source = server.create_source(gio::Cancellable::NONE)?;
        return Ok((source.attach(Some(context)), server.bound_port().try_into().unwrap_or_default()));
    }
    let socket = server.create_socket(gio::Cancellable::NONE)?;
    let port = inet(&socket.local_address()?).map_or(0, |address| address.port());
    let (weak, connections) = (server.downgrade(), Arc::clone(connections));
    let source = SocketExtManual::create_source(
        &socket,
        glib::IOCondition::IN,
        gio::Cancellable::NONE,
        None,
        glib::Priority::DEFAULT,
        move |socket, _| {
            let Some(server) = weak.upgrade() else { return glib::ControlFlow::Break };
            // If this fails, the client has disconnected already.
            let Ok(accepted) = socket.accept(gio::Cancellable::NONE) else { return glib::ControlFlow::Continue };
            let peer = accepted.remote_address().ok().and_then(|address| inet(&address));
            let (Some(peer), Ok(handle)) = (peer, accepted.as_fd().try_clone_to_owned()) else {
                return glib::ControlFlow::Continue;
            };
            connections.arrived(TcpStream::from(handle));
            if server.transfer_connection(accepted, &peer.ip().to_string(), peer.port().into(), None).is_err() {
                connections.claim().iter().for_each(|connection| connections.forget(connection));
            }
            glib::ControlFlow::Continue
        },
    );
    Ok((source.attach(Some(context)), port))
}

fn inet(address: &gio::SocketAddress) -> Option<SocketAddr> {
    address
        .downcast_ref::<gio::InetSocketAddress>()
        .map(|address| SocketAddr::new(address.address().into(), address.port()))
}

/// Counts sessions, refuses those above the limit, and links each client to its connection.
fn watch_clients(server: &RTSPServer, camera: &Arc<Camera>, connections: &Arc<Connections>) {
    let (counted, connections) = (Arc::clone(camera), Arc::clone(connections));
    server.connect_client_connected(move |server, client| {
        if let Some(connection) = connections.claim() {
            let plays = Arc::clone(&connection);
            client.connect_play_request(move |_, _| plays.plays());
            let connections = Arc::clone(&connections);
            client.connect_closed(move |_| connections.forget(&connection));
        }
        let begun = Arc::clone(&counted);
        client.connect_play_request(move |_, _| count(&begun.counters.plays));
        let asked = Arc::clone(&counted);
        client.connect_pre_setup_request(move |_, context| admit(&asked, context));
        let played = Arc::clone(&counted);
        client.connect_setup_request(move |_, context| {
            if let Some(id) = context.session().and_then(|session| session.sessionid()) {
                let mut streams = played.counters.streams.lock().expect("counting does not panic");
                streams.enter(id.to_string(), stream_of(context));
            }
        });
        let opened = Arc::clone(&counted);
        let sessions = Arc::new(Mutex::new(Vec::new()));
        let remembered = Arc::clone(&sessions);
        client.connect_new_session(move |_, session| {
            count(&opened.counters.sessions_opened);
            opened.counters.sessions.fetch_add(1, Ordering::Relaxed);
            remembered.lock().expect("nobody panics while holding the sessions").extend(session.sessionid());
        });
        // A session ends with its connection, as on a camera; GStreamer's own would wait a minute.
        // The client has dropped its sessions by now, so this list keeps their ids.
        let pool = server.session_pool();
        client.connect_closed(move |_| {
            let ids = std::mem::take(&mut *sessions.lock().expect("nobody panics while holding the sessions"));
            for session in ids.iter().filter_map(|id| pool.as_ref()?.find(id)) {
                // Already gone if the player sent TEARDOWN.
                let _ = pool.as_ref().map(|pool| pool.remove(&session));
            }
        });
        let torn = Arc::clone(&counted);
        client.connect_teardown_request(move |_, _| count(&torn.counters.teardowns));
    });
    if let Some(sessions) = server.session_pool() {
        let ended = Arc::clone(camera);
        sessions.connect_session_removed(move |_, session| {
            if let Some(id) = session.sessionid() {
                ended.counters.streams.lock().expect("counting does not panic").leave(&id);
            }
            ended.counters.sessions.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// The stream that a request refers to.
fn stream_of(context: &RTSPContext) -> &'static str {
    let path = context.uri().map(|uri| uri.request_uri().to_string()).unwrap_or_default();
    if path.contains("/small") { "small" } else { "main" }
}

/// Whether there is room for one more session. An existing session may set up its other tracks.
fn admit(camera: &Camera, context: &RTSPContext) -> RTSPStatusCode {
    let open = u64::try_from(camera.counters.sessions.load(Ordering::Relaxed)).unwrap_or_default();
    let is_full = camera.settings.sessions.is_some_and(|most| open >= u64::from(most));
    if camera.faults().away == Some(stream_of(context)) {
        return RTSPStatusCode::NotFound;
    }
    match camera.faults().full.or(is_full.then_some(453)) {
        _ if context.session().is_some() => RTSPStatusCode::Ok,
        None => RTSPStatusCode::Ok,
        Some(503) => RTSPStatusCode::ServiceUnavailable,
        Some(_) => RTSPStatusCode::NotEnoughBandwidth,
    }
}
