//! Limits on connections and viewers. At a limit, a new client is refused with the limit and the
//! setting that raises it. Present clients are not affected, also if the limit is lowered below
//! their number.

pub mod counter;
pub mod gate;

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use serde_json::json;

use crate::hub::TooManyRenditions;
use crate::sync::Mutex;
use crate::web::{
    admission::counter::{AddressPermit, LimitedCounter, PerAddressCounter, Permit},
    http::response::Response,
};

/// Seconds after which a refused client may try again.
const COME_BACK: u32 = 5;

/// Maximum number of refusals sent at the same time. Each holds a descriptor for up to about a
/// second; beyond this number, connections are closed without a response.
const MAX_REFUSALS_ANSWERED: usize = 32;

/// The limits for new clients; they may change at any time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdmissionLimits {
    /// Motion JPEG streams and WebSockets together.
    pub viewers: usize,
    /// Open connections of any kind.
    pub connections: usize,
    /// Open connections from one address.
    pub connections_per_address: usize,
    /// Connections for which the process has descriptors, after those that cameras need are
    /// reserved.
    pub descriptors: usize,
    /// Viewers and connections admitted beyond `viewers` and `connections` if they come from [this
    /// machine](is_own). Its own screen and the person in front of it are admitted even if
    /// strangers use up the limits.
    pub own: usize,
}

/// Whether a client comes as `localhost`. A reverse proxy on this machine does so too, with all its
/// clients.
fn is_own(address: IpAddr) -> bool {
    [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].contains(&address.to_canonical())
}

impl Default for AdmissionLimits {
    /// The defaults suit a wall of a few dozen screens on a small machine, and a screen of its own
    /// with a page or two in other tabs.
    fn default() -> Self {
        Self { viewers: 64, connections: 256, connections_per_address: 128, descriptors: usize::MAX, own: 8 }
    }
}

/// Why a client is refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Refusal {
    Viewers { most: usize },
    Connections { most: usize },
    Address { most: usize, address: IpAddr },
    Descriptors { most: usize },
}

impl AdmissionLimits {
    fn own(&self, address: IpAddr) -> usize {
        if is_own(address) { self.own } else { 0 }
    }
}

impl Refusal {
    /// The key in `[limits]`, or the system's name if it is not ours.
    pub fn setting(&self) -> &'static str {
        match self {
            Self::Viewers { .. } => "viewers",
            Self::Connections { .. } => "connections",
            Self::Address { .. } => "connections_per_address",
            Self::Descriptors { .. } => "nofile",
        }
    }

    pub fn response(&self) -> Response {
        let (Self::Viewers { most }
        | Self::Connections { most }
        | Self::Address { most, .. }
        | Self::Descriptors { most }) = self;
        full(&self.to_string(), self.setting(), *most)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.setting();
        match self {
            Self::Viewers { most } => {
                write!(f, "{most} viewers are connected, as many as `{key}` below [limits] allows")?;
            }
            Self::Connections { most } => {
                write!(f, "{most} connections are open, as many as `{key}` below [limits] allows")?;
            }
            Self::Address { most, address } => write!(
                f,
                "{most} connections are open from {address}, as many as `{key}` below [limits] allows (behind a reverse \
                 proxy all visitors come from one address)"
            )?,
            Self::Descriptors { most } => write!(
                f,
                "{most} connections are open, as many as the system's limit of open files allows (ulimit -n, \
                 LimitNOFILE=)"
            )?,
        }
        f.write_str("; try again later, or raise it")
    }
}

/// The response to a request that needs one rendition too many.
pub fn too_many(error: TooManyRenditions) -> Response {
    full(&error.to_string(), "renditions", error.most)
}

fn full(text: &str, setting: &str, most: usize) -> Response {
    let body = json!({ "error": text, "limit": { "setting": setting, "value": most } });
    Response::json(503, &body).header("Retry-After", COME_BACK.to_string())
}

/// The counters of present clients and of refusals.
#[derive(Debug, Default)]
pub struct Admission {
    bounds: Mutex<AdmissionLimits>,
    connections: LimitedCounter,
    addresses: PerAddressCounter,
    viewers: LimitedCounter,
    farewells: LimitedCounter,
}

/// Counts a connection until it is dropped.
#[derive(Debug)]
pub struct ConnectionPermit {
    _connection: Permit,
    _resident: AddressPermit,
}

impl Admission {
    pub fn bounds(&self) -> AdmissionLimits {
        *self.bounds.lock()
    }

    /// Sets the limits for new clients from now on.
    pub fn set_admission_limits(&self, bounds: AdmissionLimits) {
        *self.bounds.lock() = bounds;
    }

    /// Admits one more connection from `address`.
    pub fn connect(&self, address: IpAddr) -> Result<ConnectionPermit, Refusal> {
        let bounds = self.bounds();
        let most = bounds.connections + bounds.own(address);
        let Some(connection) = self.connections.enter(most.min(bounds.descriptors)) else {
            return Err(refused(match bounds.descriptors < most {
                true => Refusal::Descriptors { most: bounds.descriptors },
                false => Refusal::Connections { most: bounds.connections },
            }));
        };
        let most = bounds.connections_per_address;
        let Some(resident) = self.addresses.enter(address, most) else {
            return Err(refused(Refusal::Address { most, address: address.to_canonical() }));
        };
        Ok(ConnectionPermit { _connection: connection, _resident: resident })
    }

    /// Admits one more viewer from `address`.
    pub fn watch(&self, address: IpAddr) -> Result<Permit, Refusal> {
        let bounds = self.bounds();
        let most = bounds.viewers + bounds.own(address);
        self.viewers.enter(most).ok_or_else(|| refused(Refusal::Viewers { most: bounds.viewers }))
    }

    /// A permit to send a refusal; `None` if too many are being sent.
    pub fn close_timeout(&self) -> Option<Permit> {
        self.farewells.enter(MAX_REFUSALS_ANSWERED)
    }

    pub fn connections(&self) -> usize {
        self.connections.count()
    }

    pub fn viewers(&self) -> usize {
        self.viewers.count()
    }

    /// Refusals since the agent started, by the setting that caused them.
    pub fn refused(&self) -> [(&'static str, u64); 3] {
        [
            ("viewers", self.viewers.refused()),
            ("connections", self.connections.refused()),
            ("connections_per_address", self.addresses.refused()),
        ]
    }
}

/// Logs the refusal; the log combines equal lines.
fn refused(refusal: Refusal) -> Refusal {
    log::warn!("web: refused a client: {refusal}");
    refusal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_kept_for_this_machine_itself() {
        let admission = Admission::default();
        admission.set_admission_limits(AdmissionLimits {
            viewers: 1,
            connections: 1,
            own: 1,
            ..AdmissionLimits::default()
        });
        let stranger = [10, 0, 0, 1].into();
        let _inside = (admission.connect(stranger).unwrap(), admission.watch(stranger).unwrap());
        assert!(admission.connect(stranger).is_err() && admission.watch(stranger).is_err());
        let screen = Ipv4Addr::LOCALHOST.to_ipv6_mapped().into();
        let _screen = (admission.connect(screen).unwrap(), admission.watch(screen).unwrap());
        assert_eq!(admission.watch(Ipv6Addr::LOCALHOST.into()).unwrap_err(), Refusal::Viewers { most: 1 });
        admission.set_admission_limits(AdmissionLimits { descriptors: 2, own: 9, ..admission.bounds() });
        assert_eq!(admission.connect(screen).unwrap_err(), Refusal::Descriptors { most: 2 }, "cameras come first");
    }

    #[test]
    fn refusals_name_the_setting_that_raises_them() {
        let admission = Admission::default();
        admission.set_admission_limits(AdmissionLimits {
            viewers: 0,
            connections: 2,
            connections_per_address: 1,
            descriptors: 9,
            own: 1,
        });
        let (one, two, three) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), [10, 0, 0, 3].into());
        assert_eq!(admission.watch(one).unwrap_err().setting(), "viewers");
        let first = admission.connect(one).unwrap();
        let refusal = admission.connect(one).unwrap_err();
        assert_eq!(refusal, Refusal::Address { most: 1, address: one });
        assert!(refusal.to_string().contains("`connections_per_address` below [limits]"), "{refusal}");
        assert_eq!(admission.connections(), 1, "who was refused takes no place");
        let _second = admission.connect(two).unwrap();
        assert_eq!(admission.connect(three).unwrap_err(), Refusal::Connections { most: 2 });
        admission.set_admission_limits(AdmissionLimits { descriptors: 1, ..admission.bounds() });
        assert_eq!(admission.connect(three).unwrap_err(), Refusal::Descriptors { most: 1 });
        admission.set_admission_limits(AdmissionLimits { descriptors: 9, ..admission.bounds() });
        drop(first);
        assert!(admission.connect(three).is_ok());
        assert_eq!(admission.refused(), [("viewers", 1), ("connections", 2), ("connections_per_address", 1)]);
    }
}
