//! One virtual camera, shared by its servers: settings, clock, active faults and counters.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    events::Events,
    faults::Faults,
    habits::Habits,
    ptz::Mount,
    settings::{Codec, Settings},
};

pub struct Camera {
    pub settings: Settings,
    pub counters: Counters,
    pub events: Events,
    /// Identifies the device permanently, as `urn:uuid:...`.
    pub endpoint: String,
    /// Where it looks.
    pub mount: Mutex<Mount>,
    /// A client has asked for a key frame of any stream.
    pub key_frame_asked: AtomicBool,
    skew_s: AtomicI64,
    place: Mutex<Place>,
    faults: Mutex<Faults>,
    faults_changed: Condvar,
}

/// The camera's address on its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub ip: IpAddr,
    /// Number of moves: increases with every new address.
    pub moves: u32,
}

#[derive(Default)]
pub struct Counters {
    /// RTSP sessions open now, and ever opened.
    pub sessions: AtomicI64,
    pub sessions_opened: AtomicU64,
    /// Number of PLAY requests.
    pub plays: AtomicU64,
    pub teardowns: AtomicU64,
    /// Sessions in which sound was set up, ever.
    pub sounds_opened: AtomicU64,
    /// Handshakes of TLS that succeeded, and the bytes of clients that came after them.
    pub handshakes: AtomicU64,
    pub decrypted: AtomicU64,
    /// Requests to the ONVIF port in clear text, and those of them with proof of a password, if the
    /// camera has ONVIF over TLS, too.
    pub plain_requests: AtomicU64,
    pub plain_proofs: AtomicU64,
    /// RTCP requests for key frames.
    pub key_frame_requests: AtomicU64,
    /// The same sessions by stream.
    pub streams: Mutex<Streams>,
    pub frames: AtomicU64,
    /// Logins refused, over RTSP and ONVIF together.
    pub failed_logins: AtomicU64,
    /// Requests with proof of a password, right or wrong, by kind. Counted whether or not the
    /// camera asked for a login, so an empty table proves that no password ever came.
    pub proofs: Mutex<BTreeMap<&'static str, u64>>,
    /// ONVIF requests by operation.
    pub operations: Mutex<BTreeMap<String, u64>>,
}

/// Which stream each session plays.
#[derive(Default)]
pub struct Streams {
    open: BTreeMap<String, &'static str>,
    opened: BTreeMap<&'static str, u64>,
    /// The maximum that were open at the same time.
    most: BTreeMap<&'static str, usize>,
}

impl Streams {
    /// Session `id` sets up `stream`; further tracks of it are not counted.
    pub fn enter(&mut self, id: String, stream: &'static str) {
        if self.open.insert(id, stream).is_none() {
            *self.opened.entry(stream).or_default() += 1;
            let open = self.open(stream);
            let most = self.most.entry(stream).or_default();
            *most = open.max(*most);
        }
    }

    pub fn leave(&mut self, id: &str) {
        self.open.remove(id);
    }

    pub fn open(&self, stream: &str) -> usize {
        self.open.values().filter(|other| **other == stream).count()
    }

    pub fn opened(&self, stream: &str) -> u64 {
        self.opened.get(stream).copied().unwrap_or(0)
    }

    pub fn most(&self, stream: &str) -> usize {
        self.most.get(stream).copied().unwrap_or(0)
    }
}

impl Counters {
    /// Counts a request with proof of a password in the form `kind`.
    pub fn count_proof(&self, kind: &'static str) {
        *self.proofs.lock().expect("counting does not panic").entry(kind).or_default() += 1;
    }
}

pub fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Camera {
    pub fn new(settings: Settings) -> Self {
        let uuid = settings.uuid.clone().unwrap_or_else(|| lasting_uuid(&settings.id, &settings.serial));
        Self {
            skew_s: AtomicI64::new(settings.skew),
            place: Mutex::new(Place { ip: settings.ip, moves: 0 }),
            settings,
            mount: Mutex::default(),
            counters: Counters::default(),
            events: Events::default(),
            key_frame_asked: AtomicBool::new(false),
            endpoint: format!("urn:uuid:{uuid}"),
            faults: Mutex::default(),
            faults_changed: Condvar::new(),
        }
    }

    /// The video codec: configured, or changed by a fault.
    pub fn codec(&self) -> Codec {
        self.faults().codec.unwrap_or(self.settings.codec)
    }

    /// The habits of the RTSP server: configured, or changed by a fault.
    pub fn habits(&self) -> Habits {
        self.faults().habits.unwrap_or(self.settings.habits)
    }

    pub fn place(&self) -> Place {
        *self.place.lock().expect("nobody panics while holding the place")
    }

    /// Moves the camera to `ip`; its servers must follow.
    pub fn set_ip(&self, ip: IpAddr) {
        let mut place = self.place.lock().expect("nobody panics while holding the place");
        *place = Place { ip, moves: place.moves + 1 };
    }

    /// Seconds since 1970 by the camera's own clock.
    pub fn clock_s(&self) -> i64 {
        unix_ms() as i64 / 1000 + self.skew_s.load(Ordering::Relaxed)
    }

    pub fn skew_s(&self) -> i64 {
        self.skew_s.load(Ordering::Relaxed)
    }

    pub fn set_skew_s(&self, seconds: i64) {
        self.skew_s.store(seconds, Ordering::Relaxed);
    }

    pub fn faults(&self) -> Faults {
        *self.lock()
    }

    /// Changes the faults and wakes the callers of [`Camera::wait_for_other_faults`].
    pub fn change_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.lock());
        self.faults_changed.notify_all();
    }

    /// Blocks until the faults differ from `known`, for `limit` at most.
    pub fn wait_for_other_faults(&self, known: Faults, limit: Duration) {
        let waited = self.faults_changed.wait_timeout_while(self.lock(), limit, |now| *now == known);
        drop(waited.expect("nobody panics while holding the faults"));
    }

    fn lock(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().expect("nobody panics while holding the faults")
    }
}

/// Derived from id and serial, so a restarted camera keeps its identity.
pub fn lasting_uuid(id: &str, serial: &str) -> String {
    let hash = |text: &str| {
        text.bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
    };
    let (high, low) = (hash(serial), hash(id));
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        high >> 16 & 0xFFFF,
        high & 0xFFF,
        low >> 48 & 0xFFF,
        low & 0xFFFF_FFFF_FFFF
    )
}

/// Milliseconds since 1970 by the machine's clock.
pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
