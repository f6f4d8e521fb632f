//! Announcements that devices send by themselves: that they arrive, leave, or have changed.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, SocketAddrV6},
    time::{Duration, Instant},
};

use smol::{
    Timer,
    channel::{SendError, Sender},
    future::FutureExt,
};

use super::{
    discovered_device::{DiscoveredDevice, DiscoveryMethod},
    interfaces::{InterfaceAddress, interface_addresses},
    rate_limiter::RateLimiter,
    socket_set::{BoundSocket, GROUP_V4, GROUP_V6, LARGEST, SocketRole, SocketSet},
    ssdp, wsd,
    xaddr::DatagramSource,
};

/// Interval for finding new interfaces, and for retrying ports that were in use.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// What a device announced. It is only a reason to ask there: anybody on the network can send it.
#[derive(Clone, Debug, PartialEq)]
pub struct Announcement {
    pub event: Event,
    pub discovered: DiscoveredDevice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The device is there, perhaps at a new address.
    Here,
    /// The device leaves.
    Gone,
}

/// Listens on every interface and sends the announcements to `announcements`. Ends a few seconds after the
/// receiver of `announcements` was dropped.
///
/// If another program uses a port exclusively, listening continues without that port, and
/// the port is retried at intervals.
pub async fn listen(announcements: Sender<Announcement>) {
    let mut listener = AnnouncementListener::default();
    let mut rate_limiter = RateLimiter::new();
    let mut buffer = vec![0; LARGEST];
    let mut look = Instant::now();
    while !announcements.is_closed() {
        if Instant::now() >= look {
            listener.open();
            look = Instant::now() + CHECK_INTERVAL;
        }
        let received = async { Some(listener.socket_set.receive(&mut buffer).await) };
        let pause = async {
            Timer::at(look).await;
            None
        };
        let Some((length, origin)) = received.or(pause).await else {
            continue;
        };
        if !wsd::is_sender(origin.source) || !rate_limiter.admits(origin.source, Instant::now()) {
            continue;
        }
        for announcement in read(&buffer[..length], &origin) {
            if let Err(SendError(_)) = announcements.send(announcement).await {
                return;
            }
        }
    }
}

/// Returns the announcements in one datagram.
pub fn read(datagram: &[u8], origin: &DatagramSource) -> Vec<Announcement> {
    if let Some(message) = wsd::parse(datagram) {
        let event = match message.kind {
            wsd::Kind::Hello => Event::Here,
            wsd::Kind::Bye => Event::Gone,
            // Responses to other programs.
            wsd::Kind::ProbeMatches | wsd::Kind::ResolveMatches => return Vec::new(),
        };
        let discovered = |device| match event {
            Event::Here => DiscoveredDevice::from_device(device, origin, DiscoveryMethod::Hello),
            Event::Gone => leaving(device, origin),
        };
        return message
            .devices
            .iter()
            .filter_map(discovered)
            .map(|discovered| Announcement { event, discovered })
            .collect();
    }
    let Some(message) = ssdp::parse(datagram) else {
        return Vec::new();
    };
    let event = match message.kind {
        ssdp::Kind::Alive | ssdp::Kind::Update => Event::Here,
        ssdp::Kind::Bye => Event::Gone,
        ssdp::Kind::Answer => return Vec::new(),
    };
    vec![Announcement { event, discovered: DiscoveredDevice::from_ssdp(&message, None, origin) }]
}

/// Reads the device that leaves. It need not report its types; its identity is enough.
fn leaving(device: &wsd::Device, origin: &DatagramSource) -> Option<DiscoveredDevice> {
    let mut device = device.clone();
    if device.types.is_empty() {
        let prefix = "dn".to_owned();
        device.types = vec![wsd::Type { name: "NetworkVideoTransmitter".into(), namespace: None, prefix }];
    }
    DiscoveredDevice::from_device(&device, origin, DiscoveryMethod::Hello)
}

/// The sockets that listen, and the multicast groups that they have joined.
#[derive(Default)]
struct AnnouncementListener {
    socket_set: SocketSet,
    /// Joined groups, each with the number of the interface.
    joined: BTreeSet<(SocketAddr, u32)>,
    /// Groups that already failed, so that each failure is logged once.
    failed: BTreeSet<SocketAddr>,
}

impl AnnouncementListener {
    fn open(&mut self) {
        let here = interface_addresses().unwrap_or_default();
        let wanted: BTreeSet<(SocketAddr, u32)> = here.iter().flat_map(groups).collect();
        // An interface that disappeared and returned with the same number has to be joined again.
        self.joined.retain(|joined| wanted.contains(joined));
        let groups: BTreeSet<SocketAddr> = wanted.iter().map(|(group, _)| *group).collect();
        self.socket_set
            .sockets
            .retain(|socket| matches!(&socket.place, SocketRole::Group(group) if groups.contains(group)));
        for group in groups {
            let stands = |socket: &BoundSocket| matches!(&socket.place, SocketRole::Group(there) if *there == group);
            if !self.socket_set.sockets.iter().any(stands) {
                match BoundSocket::in_group(group) {
                    Ok(socket) => {
                        self.failed.remove(&group);
                        self.joined.retain(|(joined, _)| *joined != group);
                        self.socket_set.sockets.push(socket);
                    }
                    Err(error) if self.failed.insert(group) => {
                        log::info!("announcements of cameras at {group} cannot be received: {error}");
                    }
                    Err(_) => {}
                }
            }
        }
        for (group, index) in wanted {
            let stands = |socket: &&BoundSocket| matches!(&socket.place, SocketRole::Group(there) if *there == group);
            let Some(socket) = self.socket_set.sockets.iter().find(stands) else {
                continue;
            };
            if !self.joined.contains(&(group, index)) && socket.join(index).is_ok() {
                self.joined.insert((group, index));
            }
        }
    }
}

/// Returns the groups to join on `place`, each with the number of its interface.
fn groups(place: &InterfaceAddress) -> Vec<(SocketAddr, u32)> {
    if place.address.is_ipv4() {
        [wsd::PORT, ssdp::PORT].map(|port| ((GROUP_V4, port).into(), place.index)).to_vec()
    } else {
        vec![(SocketAddrV6::new(GROUP_V6, wsd::PORT, 0, place.index).into(), place.index)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> DatagramSource {
        DatagramSource::new("10.0.0.1".parse().unwrap())
    }

    fn announcement(kind: &str, types: &str) -> String {
        format!(
            "<s:Envelope xmlns:s=\"x\"><s:Body><d:{kind}><a:EndpointReference><a:Address>urn:uuid:a1</a:Address>\
             </a:EndpointReference><d:Types>{types}</d:Types><d:XAddrs>http://10.0.0.1:81/o</d:XAddrs></d:{kind}>\
             </s:Body></s:Envelope>"
        )
    }

    #[test]
    fn coming_and_going_devices_are_heard() {
        let hello = read(announcement("Hello", "dn:NetworkVideoTransmitter").as_bytes(), &origin());
        assert_eq!((hello.len(), hello[0].event), (1, Event::Here));
        assert_eq!(hello[0].discovered.how, [DiscoveryMethod::Hello]);
        assert_eq!(hello[0].discovered.xaddrs[0].to_string(), "http://10.0.0.1:81/o");
        let bye = read(announcement("Bye", "").as_bytes(), &origin());
        assert_eq!(bye[0].event, Event::Gone);
        assert_eq!(bye[0].discovered.identity.as_ref().unwrap().as_str(), "a1");
    }

    #[test]
    fn notices_of_upnp_are_heard() {
        for (nts, event) in [("ssdp:alive", Event::Here), ("ssdp:update", Event::Here), ("ssdp:byebye", Event::Gone)] {
            let text = format!("NOTIFY * HTTP/1.1\r\nNTS: {nts}\r\nUSN: uuid:x-00AABB270AD8::upnp:rootdevice\r\n\r\n");
            let announcements = read(text.as_bytes(), &origin());
            assert_eq!((announcements.len(), announcements[0].event), (1, event), "{nts}");
            assert!(announcements[0].discovered.mac.is_some());
        }
    }

    #[test]
    fn quirk_33_answers_to_others_printers_and_rubbish_are_not_heard() {
        let matches = announcement("ProbeMatches", "tds:Device");
        let printer = announcement("Hello", "wsdp:Device");
        for text in [&matches, &printer, "lollipop", "", "HTTP/1.1 200 OK\r\nUSN: uuid:a\r\n\r\n"] {
            assert_eq!(read(text.as_bytes(), &origin()), [], "{text}");
        }
    }

    #[test]
    fn listening_ends_when_nobody_takes_the_hints() {
        let (sender, receiver) = smol::channel::bounded(1);
        drop(receiver);
        let test_timeout = async {
            Timer::after(CHECK_INTERVAL * 12).await;
            false
        };
        assert!(smol::block_on(
            async {
                listen(sender).await;
                true
            }
            .or(test_timeout)
        ));
    }
}
