//! What all listeners and connections share: the cameras, the rules, the limits and the signal to end.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Instant,
};

use smol::future::FutureExt;

use crate::web::{
    admission::{Admission, AdmissionLimits, gate::Gate, handshakes::Handshakes, principal::Principal, rules::Rules},
    http::files::Files,
    limits::Limits,
    ops::self_usage::{self, Usage},
    stream::{
        card_cache::{Cards, Draw},
        named_viewers::Streams,
    },
    visible_cameras::VisibleCameras,
    wall::{scene::Scenes, wall_settings::WallSettings},
};
use crate::{
    call_ups::CallUps,
    hub::{AgentStatus, Hub},
    ptz::PtzControls,
    sound::Sounds,
    sync::{Latch, Mutex},
    tls::Tls,
    users::Users,
};

/// What is served, to whom, and how much of it. Clones share all of it; each listener has its own
/// clone from [`Web::for_listener`].
#[derive(Clone)]
pub struct Web {
    /// Private: requests reach cameras through [`Web::cameras`] alone.
    hub: Arc<Hub>,
    pub agent_status: Arc<AgentStatus>,
    /// The agent's own version, shown by `/api/cameras` and `/metrics`.
    pub version: &'static str,
    pub limits: Limits,
    /// How the page shows the cameras.
    pub walls: Arc<WallSettings>,
    /// What walls are told to bring to the front.
    pub call_ups: Arc<CallUps>,
    /// Who steers which camera.
    pub ptz: Arc<PtzControls>,
    /// Who can be heard.
    pub sounds: Arc<Sounds>,
    /// What walls show in the place of their settings.
    pub scenes: Arc<Scenes>,
    /// The certificate for connections with TLS.
    pub tls: Arc<Tls>,
    /// Who may look.
    pub users: Arc<Users>,
    /// Motion JPEG viewers with a name.
    pub(super) streams: Streams,
    pub(super) www: Arc<Mutex<PathBuf>>,
    pub(super) files: Arc<Files>,
    pub(super) gate: Arc<Gate>,
    pub(super) cards: Arc<Cards>,
    pub(super) admission: Arc<Admission>,
    pub(super) handshakes: Handshakes,
    pub(super) started: Instant,
    /// Signals that the agent stops.
    pub(super) stop: ShutdownSignal,
    /// Signals that this listener's address is no longer served.
    pub(super) leave: ShutdownSignal,
}

impl Web {
    /// Serves the cameras of `hub` and the page in the directory `www`, with cards drawn by `draw`.
    pub fn new(hub: Arc<Hub>, www: PathBuf, version: &'static str, draw: Draw) -> Self {
        Self {
            hub,
            agent_status: Arc::default(),
            version,
            walls: Arc::default(),
            call_ups: Arc::default(),
            ptz: Arc::default(),
            sounds: Arc::default(),
            scenes: Arc::default(),
            streams: Streams::default(),
            www: Arc::new(Mutex::new(www)),
            files: Arc::default(),
            gate: Arc::default(),
            cards: Arc::new(Cards::new(draw)),
            admission: Arc::default(),
            handshakes: Handshakes::default(),
            tls: Arc::default(),
            users: Arc::default(),
            started: Instant::now(),
            stop: ShutdownSignal::new(),
            leave: ShutdownSignal::new(),
            limits: Limits::default(),
        }
    }

    /// The cameras that exist for `principal`.
    pub(super) fn cameras(&self, principal: &Principal) -> VisibleCameras {
        VisibleCameras::new(&self.hub, principal.clone())
    }

    /// Whether all supervisors meet their heartbeat deadlines.
    pub(super) fn is_healthy(&self, now: Instant) -> bool {
        self.hub.overdue_supervisors(self.limits.heartbeat_late, now).is_empty()
    }

    /// Serves another directory from the next request on.
    pub fn set_www(&self, www: PathBuf) {
        *self.www.lock() = www;
    }

    /// Sets who is served, from the next request on. Present viewers are not affected.
    pub fn set_access(&self, rules: Rules) {
        self.gate.set(rules);
    }

    /// Whether other machines are served over HTTP without TLS.
    pub fn serves_plain_http(&self) -> bool {
        self.gate.serves_plain_http()
    }

    /// Present number of Motion JPEG and WebSocket viewers.
    pub fn viewers(&self) -> usize {
        self.admission.viewers()
    }

    /// Sets the limits for new connections and viewers; present ones are not affected.
    pub fn set_admission_limits(&self, bounds: AdmissionLimits) {
        self.admission.set_admission_limits(bounds);
    }

    /// Present number of connections of any kind.
    pub fn connections(&self) -> usize {
        self.admission.connections()
    }

    /// Connections and viewers refused since the start, at any limit.
    pub fn refused(&self) -> u64 {
        self.admission.refused().iter().map(|(_, count)| count).sum()
    }

    /// What this process costs; `None` if `/proc` is not mounted.
    ///
    /// # Blocking
    /// A few reads from the kernel's memory.
    pub fn usage(&self) -> Option<Usage> {
        self_usage::usage()
    }

    /// A clone for one more listener, whose viewers can be closed separately.
    pub fn for_listener(&self) -> Self {
        Self { leave: ShutdownSignal::new(), ..self.clone() }
    }

    /// Closes every viewer of every listener, because the agent stops: pictures are replaced by the
    /// card, WebSockets are closed with the reason. [`serve`](super::serve) returns as soon as all connections
    /// have ended; call it with a timeout.
    pub fn shutdown(&self) {
        self.stop.tell("the agent is being stopped".to_owned());
    }

    /// Tells the viewers of this listener, in the same way, that its address is no longer served,
    /// for the reason `why`.
    pub fn leave(&self, why: String) {
        self.leave.tell(why);
    }

    /// Waits until viewers must be closed; returns the reason.
    pub(super) async fn stopping(&self) -> String {
        self.stop.heard().or(self.leave.heard()).await
    }

    pub(super) fn www(&self) -> PathBuf {
        self.www.lock().clone()
    }
}

/// A signal given once, which every clone receives.
#[derive(Clone)]
pub(super) struct ShutdownSignal {
    why: Arc<OnceLock<String>>,
    /// Closed when the signal is given; nothing is ever sent.
    latch: Latch,
}

impl ShutdownSignal {
    pub fn new() -> Self {
        Self { why: Arc::default(), latch: Latch::default() }
    }

    /// Gives the signal; the first reason is kept.
    pub fn tell(&self, why: String) {
        let _ = self.why.set(why);
        self.latch.set();
    }

    /// Waits for the signal; returns the reason.
    pub async fn heard(&self) -> String {
        self.latch.wait().await;
        self.why.get().cloned().unwrap_or_default()
    }
}
