//! One search: asks on every interface, repeats in other forms, and reads the responses.

mod limits;
mod send_schedule;

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr, SocketAddrV6},
    time::Instant,
};

use smol::{Executor, Timer, channel, future::FutureExt};

use super::{
    description::{self, Location},
    device_list::DeviceList,
    discovered_device::{DeviceMatcher, DiscoveredDevice, DiscoveryMethod},
    interfaces::{InterfaceAddress, interface_addresses},
    rate_limiter::RateLimiter,
    socket_set::{BoundSocket, GROUP_V4, GROUP_V6, LARGEST, SocketRole, SocketSet, source_towards},
    ssdp,
    wsd::{self, Form, ProbeKind},
    xaddr::DatagramSource,
};
use crate::device_id::random_uuid;
pub use limits::Limits;
use send_schedule::{Protocol, ScheduledProbe, SendSchedule};

/// Maximum number of descriptions fetched in one search, and from one host.
const MAX_DESCRIPTIONS: usize = 128;
const MAX_DESCRIPTIONS_OF_ONE: usize = 3;
/// Maximum number of devices searched by identity in one search; probes find the others.
const MAX_RESOLVED: usize = 64;
/// Maximum number of messages whose responses are still accepted.
const MAX_IDS: usize = 512;

/// Hops of a multicast message: WS-Discovery stays on the link, UPnP specifies two.
const WS_HOPS: u32 = 1;
const SSDP_HOPS: u32 = 2;

/// What to search for and where. One search at a time is enough for any number of cameras. With a
/// fixed `port` only one search at a time gets all its responses through the firewall.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// The local UDP port from which to send; 0: any.
    pub port: u16,
    pub limits: Limits,
    /// Whether to ask the whole network. If not, only the hosts in `direct` and `direct_ssdp`.
    pub multicast: bool,
    /// Hosts to ask directly by WS-Discovery; this crosses routers.
    pub direct: Vec<SocketAddr>,
    /// Hosts to ask directly by SSDP.
    pub direct_ssdp: Vec<SocketAddr>,
}

/// The result of a search.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// Each device once; those with a WS-Discovery identity come first.
    pub discovered_devices: Vec<DiscoveredDevice>,
    /// The addresses from which the search asked, for a person whose search found nothing.
    pub asked: Vec<InterfaceAddress>,
}

impl Search {
    /// A search of the whole network from `port` (0: any).
    pub fn new(port: u16) -> Self {
        let limits = Limits::default();
        Self { port, limits, multicast: true, direct: Vec::new(), direct_ssdp: Vec::new() }
    }

    /// Also asks the host at `ip` directly.
    #[must_use]
    pub fn and_ask(mut self, ip: IpAddr) -> Self {
        self.direct.push(SocketAddr::new(ip, wsd::PORT));
        self.direct_ssdp.push(SocketAddr::new(ip, ssdp::PORT));
        self
    }

    /// Returns all devices, after the whole time.
    pub async fn survey(&self) -> Findings {
        self.find(&[]).await
    }

    /// Returns all devices seen, once all of `wanted` were seen or the whole time is
    /// over. The result has other devices as well: a host without an identity may be a
    /// wanted one, which ONVIF then shows.
    pub async fn find(&self, wanted: &[DeviceMatcher]) -> Findings {
        let executor = Executor::new();
        executor.run(self.work(&executor, wanted)).await
    }

    async fn work(&self, executor: &Executor<'_>, wanted: &[DeviceMatcher]) -> Findings {
        let begun = Instant::now();
        let end = begun + self.limits.whole;
        let mut stop = end;
        let (described, descriptions) = channel::bounded(MAX_DESCRIPTIONS);
        let mut round =
            Round { search: self, wanted, socket_set: SocketSet::default(), direct: Vec::new(), ids: Vec::new() };
        let mut send_schedule = SendSchedule::new(begun, end, &self.limits);
        let mut device_list = DeviceList::default();
        let mut asked = BTreeSet::new();
        let mut rate_limiter = RateLimiter::new();
        let mut known = Known::default();
        let mut buffer = vec![0; LARGEST];
        loop {
            let now = Instant::now();
            if now >= stop {
                break;
            }
            if let Some(number) = send_schedule.next_round(now) {
                asked.extend(round.open());
                round.write(number, now, &mut send_schedule);
            }
            for probe in send_schedule.due(now) {
                round.send(&probe);
            }
            let wake = send_schedule.next().map_or(stop, |next| next.min(stop));
            let datagram = async {
                let (length, origin) = round.socket_set.receive(&mut buffer).await;
                Event::Datagram(length, origin)
            };
            let description = async {
                // The sender lives as long as this search.
                descriptions.recv().await.map_or(Event::Due, Event::Described)
            };
            let due = async {
                Timer::at(wake).await;
                Event::Due
            };
            match datagram.or(description).or(due).await {
                Event::Due => continue,
                Event::Described(discovered) => device_list.add(*discovered),
                Event::Datagram(length, origin) => {
                    let now = Instant::now();
                    if !wsd::is_sender(origin.source) || !rate_limiter.admits(origin.source, now) {
                        continue;
                    }
                    let datagram = &buffer[..length];
                    if let Some(answer) = wsd::parse_answer(datagram, &round.ids) {
                        for device in &answer.devices {
                            if device.xaddrs.is_empty() && known.is_to_be_resolved(device) {
                                round.resolve(device, now, &mut send_schedule);
                            }
                            // If it reported no address, the source of the datagram is used.
                            DiscoveredDevice::from_device(device, &origin, DiscoveryMethod::Ws)
                                .into_iter()
                                .for_each(|seen| device_list.add(seen));
                        }
                    } else if let Some(message) = ssdp::parse(datagram).filter(|found| found.kind == ssdp::Kind::Answer)
                    {
                        device_list.add(DiscoveredDevice::from_ssdp(&message, None, &origin));
                        if let Some(location) = known.location_to_fetch(&message, &origin) {
                            let (limit, described) = (self.limits.description, described.clone());
                            let fetching = async move {
                                if let Some(description) = description::fetch(&location, limit).await {
                                    let discovered = DiscoveredDevice::from_ssdp(&message, Some(&description), &origin);
                                    // There is no receiver any more once the search has ended.
                                    let _ = described.send(Box::new(discovered)).await;
                                }
                            };
                            executor.spawn(fetching).detach();
                        }
                    }
                }
            }
            if stop == end && !wanted.is_empty() && wanted.iter().all(|wanted| device_list.holds(wanted)) {
                stop = end.min(Instant::now() + self.limits.grace);
            }
        }
        Findings { discovered_devices: device_list.finish(), asked: asked.into_iter().collect() }
    }
}

enum Event {
    Datagram(usize, DatagramSource),
    /// The description of a host was received.
    Described(Box<DiscoveredDevice>),
    /// A message is due, or the time is over.
    Due,
}

/// What responses already caused to be requested, so that repeated responses cost nothing.
#[derive(Default)]
struct Known {
    resolved: BTreeSet<String>,
    locations: BTreeSet<Location>,
}

impl Known {
    fn is_to_be_resolved(&mut self, device: &wsd::Device) -> bool {
        device.is_onvif() && self.resolved.len() < MAX_RESOLVED && self.resolved.insert(device.endpoint.clone())
    }

    fn location_to_fetch(&mut self, message: &ssdp::Message, origin: &DatagramSource) -> Option<Location> {
        let location = Location::parse(message.location.as_deref()?, origin)?;
        let of_one = self.locations.iter().filter(|known| known.ip() == origin.source).count();
        let is_wanted = of_one < MAX_DESCRIPTIONS_OF_ONE && self.locations.len() < MAX_DESCRIPTIONS;
        (is_wanted && self.locations.insert(location.clone())).then_some(location)
    }
}

/// The sockets, and what was sent through them.
struct Round<'s> {
    search: &'s Search,
    wanted: &'s [DeviceMatcher],
    socket_set: SocketSet,
    /// The hosts to ask directly, each with its socket.
    direct: Vec<(usize, SocketAddr, Protocol)>,
    /// The message identifiers of our WS-Discovery probes.
    ids: Vec<String>,
}

impl Round<'_> {
    /// Opens sockets on interfaces that are new since the last round, closes those of interfaces
    /// that have gone, and returns the addresses from which to ask.
    fn open(&mut self) -> Vec<InterfaceAddress> {
        let mut asked = Vec::new();
        if self.search.multicast {
            let here = interface_addresses().unwrap_or_else(|error| {
                log::warn!("cannot list the network interfaces: {error}");
                Vec::new()
            });
            self.socket_set.sockets.retain(|socket| match &socket.place {
                SocketRole::Interface(place) => here.contains(place),
                _ => true,
            });
            for place in here {
                let stands =
                    |socket: &BoundSocket| matches!(&socket.place, SocketRole::Interface(there) if *there == place);
                if !self.socket_set.sockets.iter().any(stands) {
                    match BoundSocket::on(&place, self.search.port) {
                        Ok(socket) => self.socket_set.sockets.push(socket),
                        Err(error) => {
                            log::debug!("cannot search on {place}: {error}");
                            continue;
                        }
                    }
                }
                asked.push(place);
            }
        }
        self.direct.clear();
        let ws = self.search.direct.iter().map(|to| (*to, Protocol::Ws));
        let ssdp = self.search.direct_ssdp.iter().map(|to| (*to, Protocol::Ssdp));
        for (to, protocol) in ws.chain(ssdp) {
            match socket_towards(&mut self.socket_set, to, self.search.port) {
                Ok(socket) => self.direct.push((socket, to, protocol)),
                Err(error) => log::debug!("cannot send to {to}: {error}"),
            }
        }
        asked
    }

    /// Adds the messages of round `number` to the schedule.
    fn write(&mut self, number: usize, now: Instant, send_schedule: &mut SendSchedule) {
        let form = if number.is_multiple_of(2) { Form::Declared } else { Form::Bare };
        let resolve = self.wanted.iter().filter_map(|wanted| wanted.identity.clone()).take(MAX_RESOLVED);
        let questions: Vec<ProbeKind> = [ProbeKind::Transmitters, ProbeKind::Devices, ProbeKind::Anything]
            .into_iter()
            .chain(resolve.map(ProbeKind::Resolve))
            .collect();
        for question in &questions {
            self.ask(question, form, now, send_schedule);
        }
        // Devices take two seconds to respond, so in the second round
        // the first responses still arrive.
        if number.is_multiple_of(2) {
            for target in ssdp::TARGETS {
                send_schedule.repeat(&ssdp::question(target), Protocol::Ssdp, now);
            }
        }
    }

    fn ask(&mut self, question: &ProbeKind, form: Form, now: Instant, send_schedule: &mut SendSchedule) {
        let id = random_uuid();
        send_schedule.repeat(&wsd::question(question, form, &id), Protocol::Ws, now);
        if self.ids.len() >= MAX_IDS {
            self.ids.remove(0);
        }
        self.ids.push(id);
    }

    /// Asks for the address of `device`, which did not report one.
    fn resolve(&mut self, device: &wsd::Device, now: Instant, send_schedule: &mut SendSchedule) {
        if let Some(identity) = device.identity.clone() {
            self.ask(&ProbeKind::Resolve(identity), Form::Declared, now, send_schedule);
        }
    }

    /// Sends a message to all its destinations. What cannot be sent
    /// now is sent with the next repeat.
    fn send(&self, probe: &ScheduledProbe) {
        let (port, hops) = match probe.protocol {
            Protocol::Ws => (wsd::PORT, WS_HOPS),
            Protocol::Ssdp => (ssdp::PORT, SSDP_HOPS),
        };
        let report = |to: SocketAddr, sent: std::io::Result<()>| {
            if let Err(error) = sent {
                log::debug!("cannot ask {to}: {error}");
            }
        };
        for socket in &self.socket_set.sockets {
            let SocketRole::Interface(place) = &socket.place else {
                continue;
            };
            let to: SocketAddr = match (place.address, probe.protocol) {
                (IpAddr::V4(_), _) => (GROUP_V4, port).into(),
                (IpAddr::V6(_), Protocol::Ws) => SocketAddrV6::new(GROUP_V6, port, 0, place.index).into(),
                (IpAddr::V6(_), Protocol::Ssdp) => continue,
            };
            report(to, socket.send(probe.text.as_bytes(), to, hops));
        }
        for (socket, to, _) in self.direct.iter().filter(|(_, _, protocol)| *protocol == probe.protocol) {
            report(*to, self.socket_set.sockets[*socket].send(probe.text.as_bytes(), *to, hops));
        }
    }
}

/// Returns the socket on the address from which `to` is reached; opens one if there is none yet.
fn socket_towards(socket_set: &mut SocketSet, to: SocketAddr, port: u16) -> std::io::Result<usize> {
    let source = source_towards(to)?;
    let stands = |socket: &BoundSocket| match &socket.place {
        SocketRole::Interface(place) => place.address == source,
        SocketRole::Address(address) => *address == source,
        SocketRole::Group(_) => false,
    };
    if let Some(found) = socket_set.sockets.iter().position(stands) {
        return Ok(found);
    }
    socket_set.sockets.push(BoundSocket::at(source, port)?);
    Ok(socket_set.sockets.len() - 1)
}

#[cfg(test)]
mod tests;
