//! Limits on connections and viewers. At a limit, a new client is refused with the limit and the
//! setting that raises it. Present clients are not affected, also if the limit is lowered below
//! their number.

pub mod counter;
pub mod gate;
pub mod handshakes;
pub mod identification;
pub mod principal;
pub mod rules;

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
    visitor::Visitor,
};

/// Seconds after which a refused client may try again.
const COME_BACK: u32 = 5;

/// Maximum number of refusals sent at the same time. Each holds a descriptor for up to about a
/// second; beyond this number, connections are closed without a response.
const MAX_REFUSALS_ANSWERED: usize = 32;

/// The limits for new clients; they may change at any time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdmissionLimits {
    /// Motion JPEG streams, WebSockets and snapshots that are waited for, together.
    pub viewers: usize,
    /// Those of one address. This machine itself is not bound by it.
    pub viewers_per_address: usize,
    /// Open connections of any kind.
    pub connections: usize,
    /// Open connections from one address.
    pub connections_per_address: usize,
    /// Connections for which the process has descriptors, after those that cameras need are
    /// reserved.
    pub descriptors: usize,
    /// Viewers and connections admitted beyond `viewers` and `connections` if they come from [this
    /// machine itself](is_own). Its own screen and the person in front of it are admitted even if
    /// strangers use up the limits.
    pub own: usize,
}

/// Whether a client comes from `localhost`. A reverse proxy on this machine does so too, which only
/// a request tells ([`Visitor::is_loopback`]).
fn is_own(address: IpAddr) -> bool {
    [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].contains(&address.to_canonical())
}

impl Default for AdmissionLimits {
    /// The defaults suit a wall of a few dozen screens on a small machine, and a screen of its own
    /// with a page or two in other tabs.
    fn default() -> Self {
        Self {
            viewers: 64,
            viewers_per_address: 16,
            connections: 256,
            connections_per_address: 128,
            descriptors: usize::MAX,
            own: 8,
        }
    }
}

/// Why a client is refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Refusal {
    Viewers { most: usize },
    ViewersOfAddress { most: usize, address: IpAddr },
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
            Self::ViewersOfAddress { .. } => "viewers_per_address",
            Self::Connections { .. } => "connections",
            Self::Address { .. } => "connections_per_address",
            Self::Descriptors { .. } => "nofile",
        }
    }

    pub fn response(&self) -> Response {
        let (Self::Viewers { most }
        | Self::ViewersOfAddress { most, .. }
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
            Self::ViewersOfAddress { most, address } => write!(
                f,
                "{most} viewers are connected from {address}, as many as `{key}` below [limits] allows (behind a reverse \
                 proxy that is not in `trusted_proxies` all visitors come from one address)"
            )?,
            Self::Connections { most } => {
                write!(f, "{most} connections are open, as many as `{key}` below [limits] allows")?;
            }
            Self::Address { most, address } => write!(
                f,
                "{most} connections are open from {address}, as many as `{key}` below [limits] allows (behind a reverse \
                 proxy that is not in `trusted_proxies` all visitors come from one address)"
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
    full(&error.to_string(), error.setting(), error.most())
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
    viewers_of_addresses: PerAddressCounter,
    farewells: LimitedCounter,
}

/// Counts a connection until it is dropped.
#[derive(Debug)]
pub struct ConnectionPermit {
    _connection: Permit,
    /// `None` while a trusted proxy has not reported whose connection it is.
    address: Option<AddressPermit>,
    /// Admitted to one of the places for this machine itself.
    is_extra: bool,
}

/// Counts a viewer until it is dropped.
#[derive(Debug)]
pub struct ViewerPermit {
    _viewer: Permit,
    /// `None` for this machine itself.
    _of_address: Option<AddressPermit>,
}

impl Admission {
    pub fn bounds(&self) -> AdmissionLimits {
        *self.bounds.lock()
    }

    /// Sets the limits for new clients from now on.
    pub fn set_admission_limits(&self, bounds: AdmissionLimits) {
        *self.bounds.lock() = bounds;
    }

    /// Admits one more connection from `address`. Those of a trusted proxy are counted by address
    /// once it has [reported](Self::identify) its visitor.
    pub fn connect(&self, address: IpAddr, is_trusted_proxy: bool) -> Result<ConnectionPermit, Refusal> {
        let bounds = self.bounds();
        let most = bounds.connections + bounds.own(address);
        let Some(connection) = self.connections.enter(most.min(bounds.descriptors)) else {
            return Err(refused(match bounds.descriptors < most {
                true => Refusal::Descriptors { most: bounds.descriptors },
                false => Refusal::Connections { most: bounds.connections },
            }));
        };
        let is_extra = self.connections.count() > bounds.connections;
        let address = if is_trusted_proxy { None } else { Some(self.count_address(address)?) };
        Ok(ConnectionPermit { _connection: connection, address, is_extra })
    }

    /// Counts the connection as one of the visitor whose request came over it. Only this machine
    /// itself keeps a place beyond the limit.
    pub fn identify(&self, permit: &mut ConnectionPermit, visitor: &Visitor) -> Result<(), Refusal> {
        if permit.is_extra && !visitor.is_loopback {
            return Err(refused(Refusal::Connections { most: self.bounds().connections }));
        }
        if !permit.address.as_ref().is_some_and(|address| address.is_of(visitor.address)) {
            permit.address = Some(self.count_address(visitor.address)?);
        }
        Ok(())
    }

    fn count_address(&self, address: IpAddr) -> Result<AddressPermit, Refusal> {
        let most = self.bounds().connections_per_address;
        let entered = self.addresses.enter(address, most);
        entered.ok_or_else(|| refused(Refusal::Address { most, address: address.to_canonical() }))
    }

    /// Admits one more viewer. One address has a share of the places, this machine itself may have
    /// all, and some more.
    pub fn watch(&self, visitor: &Visitor) -> Result<ViewerPermit, Refusal> {
        let bounds = self.bounds();
        let (own, of_address) = if visitor.is_loopback {
            (bounds.own(visitor.address), None)
        } else {
            let (most, address) = (bounds.viewers_per_address, visitor.address.to_canonical());
            let entered = self.viewers_of_addresses.enter(address, most);
            (0, Some(entered.ok_or_else(|| refused(Refusal::ViewersOfAddress { most, address }))?))
        };
        let viewer = self.viewers.enter(bounds.viewers + own);
        let viewer = viewer.ok_or_else(|| refused(Refusal::Viewers { most: bounds.viewers }))?;
        Ok(ViewerPermit { _viewer: viewer, _of_address: of_address })
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
    pub fn refused(&self) -> [(&'static str, u64); 4] {
        [
            ("viewers", self.viewers.refused()),
            ("viewers_per_address", self.viewers_of_addresses.refused()),
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

    fn visitor(address: IpAddr) -> Visitor {
        Visitor { address, is_https: false, is_loopback: address.to_canonical().is_loopback() }
    }

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
        let _inside = (admission.connect(stranger, false).unwrap(), admission.watch(&visitor(stranger)).unwrap());
        assert!(admission.connect(stranger, false).is_err() && admission.watch(&visitor(stranger)).is_err());
        let screen = Ipv4Addr::LOCALHOST.to_ipv6_mapped().into();
        let _screen = (admission.connect(screen, false).unwrap(), admission.watch(&visitor(screen)).unwrap());
        assert_eq!(admission.watch(&visitor(Ipv6Addr::LOCALHOST.into())).unwrap_err(), Refusal::Viewers { most: 1 });
        admission.set_admission_limits(AdmissionLimits { descriptors: 2, own: 9, ..admission.bounds() });
        assert_eq!(
            admission.connect(screen, false).unwrap_err(),
            Refusal::Descriptors { most: 2 },
            "cameras come first"
        );
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
            ..AdmissionLimits::default()
        });
        let (one, two, three) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), [10, 0, 0, 3].into());
        assert_eq!(admission.watch(&visitor(one)).unwrap_err().setting(), "viewers");
        let first = admission.connect(one, false).unwrap();
        let refusal = admission.connect(one, false).unwrap_err();
        assert_eq!(refusal, Refusal::Address { most: 1, address: one });
        assert!(refusal.to_string().contains("`connections_per_address` below [limits]"), "{refusal}");
        assert_eq!(admission.connections(), 1, "who was refused takes no place");
        let _second = admission.connect(two, false).unwrap();
        assert_eq!(admission.connect(three, false).unwrap_err(), Refusal::Connections { most: 2 });
        admission.set_admission_limits(AdmissionLimits { descriptors: 1, ..admission.bounds() });
        assert_eq!(admission.connect(three, false).unwrap_err(), Refusal::Descriptors { most: 1 });
        admission.set_admission_limits(AdmissionLimits { descriptors: 9, ..admission.bounds() });
        drop(first);
        assert!(admission.connect(three, false).is_ok());
        let refused = [("viewers", 1), ("viewers_per_address", 0), ("connections", 2), ("connections_per_address", 1)];
        assert_eq!(admission.refused(), refused);
    }

    #[test]
    fn one_address_has_its_share_of_the_places_for_viewers() {
        let admission = Admission::default();
        admission.set_admission_limits(AdmissionLimits {
            viewers: 6,
            viewers_per_address: 2,
            own: 1,
            ..AdmissionLimits::default()
        });
        let at = |text: &str| visitor(text.parse().unwrap());
        let (greedy, modest) = (at("2001:db8::1"), at("10.0.0.2"));
        let held = [greedy, at("2001:db8::2")].map(|visitor| admission.watch(&visitor).unwrap());
        let refusal = admission.watch(&greedy).unwrap_err();
        assert_eq!(refusal, Refusal::ViewersOfAddress { most: 2, address: greedy.address });
        assert!(refusal.to_string().contains("`viewers_per_address` below [limits]"), "{refusal}");
        assert_eq!(admission.viewers(), 2, "who was refused takes no place");
        let _modest = admission.watch(&modest).unwrap();
        let _screen: Vec<_> = (0..3).map(|_| admission.watch(&at("127.0.0.1")).unwrap()).collect();
        assert_eq!(admission.watch(&modest).unwrap_err(), Refusal::Viewers { most: 6 });
        assert_eq!(admission.watch(&at("10.0.0.3")).unwrap_err(), Refusal::Viewers { most: 6 });
        drop(held);
        let again = (admission.watch(&greedy), admission.watch(&modest));
        assert!(again.0.is_ok() && again.1.is_ok(), "a refusal for another reason counts nowhere: {again:?}");
        assert_eq!(admission.refused()[..2], [("viewers", 2), ("viewers_per_address", 1)]);
    }

    #[test]
    fn visitors_of_a_trusted_proxy_are_counted_by_their_own_addresses() {
        let admission = Admission::default();
        admission.set_admission_limits(AdmissionLimits { connections_per_address: 1, ..AdmissionLimits::default() });
        let proxy = Ipv4Addr::LOCALHOST.into();
        let mut permits: Vec<_> = (0..3).map(|_| admission.connect(proxy, true).unwrap()).collect();
        let behind = |number: u8| Visitor { is_loopback: false, ..visitor([10, 0, 0, number].into()) };
        admission.identify(&mut permits[0], &behind(1)).unwrap();
        admission.identify(&mut permits[0], &behind(1)).unwrap();
        admission.identify(&mut permits[1], &behind(2)).unwrap();
        let refusal = admission.identify(&mut permits[2], &behind(1)).unwrap_err();
        assert_eq!(refusal, Refusal::Address { most: 1, address: [10, 0, 0, 1].into() });
        // The proxy sends a request of another visitor over the same connection.
        admission.identify(&mut permits[0], &behind(3)).unwrap();
        admission.identify(&mut permits[2], &behind(1)).unwrap();
    }

    #[test]
    fn visitors_of_a_proxy_on_this_machine_get_none_of_its_places() {
        let admission = Admission::default();
        admission.set_admission_limits(AdmissionLimits {
            connections: 1,
            viewers: 0,
            own: 2,
            ..AdmissionLimits::default()
        });
        let here: IpAddr = Ipv4Addr::LOCALHOST.into();
        let [mut first, mut second] = [(); 2].map(|()| admission.connect(here, false).unwrap());
        let stranger = Visitor { is_loopback: false, ..visitor(here) };
        admission.identify(&mut first, &stranger).unwrap();
        assert_eq!(admission.identify(&mut second, &stranger).unwrap_err(), Refusal::Connections { most: 1 });
        admission.identify(&mut second, &visitor(here)).unwrap();
        assert!(admission.watch(&stranger).is_err() && admission.watch(&visitor(here)).is_ok());
    }
}
