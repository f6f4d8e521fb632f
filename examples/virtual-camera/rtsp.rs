//! The camera's RTSP server: GStreamer's, with the login counted and the faults of a real camera.
//!
//! All connections of one camera are served by one thread and its main context. A frozen camera is
//! that thread standing still: the kernel still accepts connections, and nothing ever answers.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, atomic::Ordering},
    thread,
    time::Duration,
};

use gstreamer::glib::{self, subclass::prelude::*};

use gstreamer_rtsp_server::{
    RTSP_AUTH_CHECK_TRANSPORT_CLIENT_SETTINGS, RTSP_AUTH_CHECK_URL, RTSP_PERM_MEDIA_FACTORY_ACCESS,
    RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, RTSP_TOKEN_MEDIA_FACTORY_ROLE, RTSPAuth, RTSPContext, RTSPFilterResult,
    RTSPMountPoints, RTSPServer, RTSPThreadPool, RTSPToken, gst_rtsp::RTSPAuthMethod, prelude::*, subclass::prelude::*,
};

use crate::{
    camera::{Camera, Place, count},
    stream::Stream,
};

/// How often sessions are looked at whose player went away without a word.
const CLEAN_UP_EVERY: Duration = Duration::from_secs(2);
/// A frozen thread looks up this often even if nobody woke it.
const FROZEN_NAP: Duration = Duration::from_secs(5);

/// The role of everybody who is logged in: may see all streams.
const VIEWER: &str = "viewer";

#[derive(Debug)]
pub enum Error {
    Mounts,
    Listen { address: SocketAddr, source: glib::BoolError },
    Thread(std::io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
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
            Self::Listen { source, .. } => Some(source),
            Self::Thread(source) => Some(source),
        }
    }
}

pub struct Rtsp {
    camera: Arc<Camera>,
    server: RTSPServer,
    context: glib::MainContext,
    pub port: u16,
    door: Mutex<Door>,
}

/// The listening socket, and which moves and drops were already carried out.
struct Door {
    listening: Option<glib::SourceId>,
    place: Place,
    drops: u64,
}

impl Rtsp {
    /// Listens and serves from now on, each stream at its path (`/main`).
    pub fn start(camera: Arc<Camera>, streams: Vec<(&'static str, Arc<Stream>)>) -> Result<Arc<Self>, Error> {
        let (settings, place) = (&camera.settings, camera.place());
        let server = RTSPServer::new();
        server.set_address(&place.ip.to_string());
        server.set_service(&settings.rtsp_port.to_string());
        let pool = RTSPThreadPool::new();
        // No threads of the pool's own: every connection is served by the context attached to.
        pool.set_max_threads(0);
        server.set_thread_pool(Some(&pool));
        server.set_auth(Some(&CameraAuth::new(&camera)));
        let mounts: RTSPMountPoints = server.mount_points().ok_or(Error::Mounts)?;
        for (path, stream) in streams {
            let factory = stream.factory();
            let allowed = gstreamer::Structure::builder(VIEWER)
                .field(RTSP_PERM_MEDIA_FACTORY_ACCESS, true)
                .field(RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, true);
            factory.add_role_from_structure(&allowed.build());
            mounts.add_factory(path, factory);
        }
        count_sessions(&server, &camera);

        let context = glib::MainContext::new();
        let wanted = SocketAddr::new(place.ip, settings.rtsp_port);
        let listen = server.attach(Some(&context)).map_err(|source| Error::Listen { address: wanted, source })?;
        let port = server.bound_port() as u16;
        // From now on the same port, also when it was the system's choice.
        server.set_service(&port.to_string());
        let rtsp = Arc::new(Self {
            port,
            door: Mutex::new(Door { listening: Some(listen), place, drops: 0 }),
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

    /// Makes the server behave as the camera's faults say, at the camera's place. Returns at once; the serving thread does it.
    pub fn follow_faults(self: &Arc<Self>) {
        let rtsp = Arc::clone(self);
        self.context.invoke(move || rtsp.apply_faults());
    }

    /// Runs in the serving thread, and stays here while the camera is frozen.
    fn apply_faults(&self) {
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
                match self.server.attach(Some(&self.context)) {
                    Ok(listening) => door.listening = Some(listening),
                    Err(error) => eprintln!("{}: cannot listen again: {error}", self.camera.settings.id),
                }
            }
            if door.drops != faults.drops {
                door.drops = faults.drops;
                self.close_all();
            }
            if !faults.freeze {
                return;
            }
            self.camera.wait_for_other_faults(faults, FROZEN_NAP);
        }
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

fn count_sessions(server: &RTSPServer, camera: &Arc<Camera>) {
    let counted = Arc::clone(camera);
    server.connect_client_connected(move |server, client| {
        let opened = Arc::clone(&counted);
        let sessions = Arc::new(Mutex::new(Vec::new()));
        let remembered = Arc::clone(&sessions);
        client.connect_new_session(move |_, session| {
            count(&opened.counters.sessions_opened);
            opened.counters.sessions.fetch_add(1, Ordering::Relaxed);
            remembered.lock().expect("nobody panics while holding the sessions").extend(session.sessionid());
        });
        // A session ends with its connection, as on a camera; GStreamer's own would wait a minute. By
        // now the client has forgotten its sessions, hence the list.
        let pool = server.session_pool();
        client.connect_closed(move |_| {
            let ids = std::mem::take(&mut *sessions.lock().expect("nobody panics while holding the sessions"));
            for session in ids.iter().filter_map(|id| pool.as_ref()?.find(id)) {
                // Gone already where the player sent TEARDOWN.
                let _ = pool.as_ref().map(|pool| pool.remove(&session));
            }
        });
        let torn = Arc::clone(&counted);
        client.connect_teardown_request(move |_, _| count(&torn.counters.teardowns));
    });
    if let Some(sessions) = server.session_pool() {
        let ended = Arc::clone(camera);
        sessions.connect_session_removed(move |_, _| {
            ended.counters.sessions.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

glib::wrapper! {
    /// Digest authentication that counts, and that can refuse everybody.
    pub struct CameraAuth(ObjectSubclass<LoginCheck>) @extends RTSPAuth;
}

impl CameraAuth {
    fn new(camera: &Arc<Camera>) -> Self {
        let auth: Self = glib::Object::new();
        auth.set_supported_methods(RTSPAuthMethod::Digest);
        if let Some(login) = &camera.settings.login {
            let token = RTSPToken::builder().field(RTSP_TOKEN_MEDIA_FACTORY_ROLE, VIEWER).build();
            auth.add_digest(&login.user, &login.password, &token);
        }
        auth.imp().camera.set(Arc::clone(camera)).ok().expect("set once, here");
        auth
    }
}

fn carries_proof(context: &RTSPContext) -> bool {
    context.request().is_some_and(|request| !request.parse_auth_credentials().is_empty())
}

#[derive(Default)]
pub struct LoginCheck {
    camera: OnceLock<Arc<Camera>>,
}

#[glib::object_subclass]
impl ObjectSubclass for LoginCheck {
    const NAME: &'static str = "VirtualCameraAuth";
    type Type = CameraAuth;
    type ParentType = RTSPAuth;
}

impl ObjectImpl for LoginCheck {}

impl RTSPAuthImpl for LoginCheck {
    fn authenticate(&self, context: &RTSPContext) -> bool {
        let camera = self.camera.get().expect("set before the server starts");
        let proof = carries_proof(context);
        let fine = camera.faults().wrong_password || self.parent_authenticate(context);
        if proof && context.token().is_none() {
            count(&camera.counters.failed_logins);
        }
        fine
    }

    fn check(&self, context: &RTSPContext, check: &glib::GString) -> bool {
        let camera = self.camera.get().expect("set before the server starts");
        if check.as_str() == RTSP_AUTH_CHECK_TRANSPORT_CLIENT_SETTINGS.as_str() {
            // Nobody may have the stream sent to somebody else.
            return false;
        }
        let open = camera.settings.login.is_none() && !camera.faults().wrong_password;
        // Once per request, and also where nobody asked, of which `authenticate` sees nothing.
        if check.as_str() == RTSP_AUTH_CHECK_URL.as_str() && carries_proof(context) {
            camera.counters.count_proof("RTSP");
        }
        open || self.parent_check(context, check)
    }
}
