//! One virtual camera as its servers share it: settings, clock, standing faults and what was counted.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    faults::Faults,
    settings::{Codec, Settings},
};

pub struct Camera {
    pub settings: Settings,
    pub counters: Counters,
    /// Stands for the device for its whole life, as `urn:uuid:...`.
    pub endpoint: String,
    skew_s: AtomicI64,
    place: Mutex<Place>,
    faults: Mutex<Faults>,
    faults_changed: Condvar,
}

/// Where the camera is on its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub ip: IpAddr,
    /// How often it has moved: rises with every address it takes.
    pub moves: u32,
}

#[derive(Default)]
pub struct Counters {
    /// RTSP sessions open now, and ever opened.
    pub sessions: AtomicI64,
    pub sessions_opened: AtomicU64,
    /// How often a session was told to play.
    pub plays: AtomicU64,
    pub teardowns: AtomicU64,
    /// The same sessions by stream.
    pub streams: Mutex<Streams>,
    pub frames: AtomicU64,
    /// Logins tried and refused, over RTSP and ONVIF together.
    pub failed_logins: AtomicU64,
    /// Requests that carried proof of a password, right or wrong, by its kind. Counted whether or not
    /// the camera asked for a login, so that an empty table proves that no password ever came.
    pub proofs: Mutex<BTreeMap<&'static str, u64>>,
    /// ONVIF requests by operation.
    pub operations: Mutex<BTreeMap<String, u64>>,
}

/// Which stream each session plays.
#[derive(Default)]
pub struct Streams {
    open: BTreeMap<String, &'static str>,
    opened: BTreeMap<&'static str, u64>,
    /// The most that were open at the same time.
    most: BTreeMap<&'static str, usize>,
}

impl Streams {
    /// Session `id` sets up `stream`; its further tracks are not counted.
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
    /// Counts a request that carried proof of a password; `kind` says in which form.
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
            counters: Counters::default(),
            endpoint: format!("urn:uuid:{uuid}"),
            faults: Mutex::default(),
            faults_changed: Condvar::new(),
        }
    }

    /// What the video is encoded as: configured, or changed by a fault.
    pub fn codec(&self) -> Codec {
        self.faults().codec.unwrap_or(self.settings.codec)
    }

    pub fn place(&self) -> Place {
        *self.place.lock().expect("nobody panics while holding the place")
    }

    /// From now on the camera belongs to `ip`; its servers have to follow.
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

    /// Changes the faults and wakes who waits in [`Camera::wait_for_other_faults`].
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

/// Made from id and serial, so that a restarted camera is still the same one.
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
