//! The sockets of one connection to a camera.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use smol::future::FutureExt;

use super::{
    stream::Stream,
    tunnel::{Entrance, Tunnel},
};
use crate::{
    camera::Transport,
    http_auth::login::Login,
    rtsp::{
        Error, Timeouts,
        framing::{self, Deframer, Event},
        membership::Membership,
        message::Message,
        transport::Delivery,
        udp::{self, Peer, UdpPair},
    },
    tcp::ConnectError,
    time::timeout,
};

/// Longest datagram, in bytes.
const MAX_DATAGRAM_LEN: usize = 1 << 16;

/// Interval at which a group that falls silent is joined again.
const JOIN_AGAIN: Duration = Duration::from_millis(1500);

/// What happened while waiting.
pub enum Wake {
    Stopped,
    Deadline,
    KeyFrameWanted,
    Read(io::Result<usize>),
    Datagram(io::Result<(usize, SocketAddr)>, DatagramKind),
}

#[derive(Clone, Copy)]
pub enum DatagramKind {
    Rtp,
    Rtcp,
}

/// One connection, and the datagrams that belong to it.
pub struct Connection {
    stream: Stream,
    /// What we send goes through this one instead.
    tunnel: Option<Tunnel>,
    camera: SocketAddr,
    pub deframer: Deframer,
    /// When the bytes in `deframer` came.
    pub read_at: Instant,
    /// The channels of RTP and RTCP, once they are set up.
    pub channels: Option<(u8, u8)>,
    /// Packets that are nobody's or too short.
    pub dropped_packets: u64,
    udp: Option<UdpPair>,
    /// Whether a datagram has come since the group was last looked after.
    pub has_datagrams: bool,
    pub rtp_peer: Peer,
    pub rtcp_peer: Peer,
    /// When the next report is due, over UDP.
    pub report_due: Option<Instant>,
    reports: u32,
    /// Nothing more can be sent.
    is_broken: bool,
}

impl Connection {
    /// Connects to one of the addresses of the host. `tunnel_login`: for the HTTP requests of a tunnel.
    pub async fn open(
        entrance: Entrance,
        transport: Transport,
        tunnel_login: &mut Login,
        timeouts: Timeouts,
    ) -> Result<Self, Error> {
        if transport == Transport::Http {
            let (tunnel, stream, address, first) = Tunnel::begin(entrance, tunnel_login, timeouts).await?;
            let mut connection = Self::new(stream, address, transport)?;
            connection.tunnel = Some(tunnel);
            connection.deframer.push(&first);
            return Ok(connection);
        }
        let (stream, address) = entrance.connect(timeouts).await?;
        Self::new(stream, address, transport)
    }

    fn new(stream: Stream, camera: SocketAddr, transport: Transport) -> Result<Self, Error> {
        let udp = match transport {
            // A group is joined once the camera has named it.
            Transport::Tcp | Transport::Http | Transport::Multicast => None,
            Transport::Udp => Some(UdpPair::bind(camera.ip()).map_err(|error| Error::no_udp_pair(camera, &error))?),
        };
        Ok(Self {
            stream,
            tunnel: None,
            camera,
            deframer: Deframer::new(),
            read_at: Instant::now(),
            channels: None,
            dropped_packets: 0,
            udp,
            has_datagrams: false,
            rtp_peer: Peer::new(camera, None),
            rtcp_peer: Peer::new(camera, None),
            report_due: None,
            reports: 0,
            is_broken: false,
        })
    }

    /// The even one of the UDP ports, 0 without them.
    pub fn client_port(&self) -> u16 {
        self.udp.as_ref().map_or(0, |pair| pair.port)
    }

    pub fn is_udp(&self) -> bool {
        self.udp.is_some()
    }

    /// From now on packets come by `delivery`.
    ///
    /// # Errors
    /// If the group cannot be joined.
    pub fn receive(&mut self, delivery: Delivery) -> Result<(), Error> {
        match delivery {
            Delivery::Interleaved { rtp, rtcp } => {
                self.channels = Some((rtp, rtcp));
                self.deframer.expected.channels = self.channels;
            }
            Delivery::Udp { server_ports, source } => {
                let camera = self.sender(source);
                self.rtp_peer = Peer::new(camera, server_ports.map(|(rtp, _)| rtp));
                self.rtcp_peer = Peer::new(camera, server_ports.map(|(_, rtcp)| rtcp));
            }
            Delivery::Multicast { rtp, rtcp_port, source } => {
                let local = self.stream.local_address();
                let local = local.map_err(|error| ConnectError::failed(rtp.to_string(), &error))?;
                // The group has a whole interval to begin.
                self.has_datagrams = true;
                self.udp = Some(UdpPair::join(rtp, rtcp_port, local)?);
                let camera = self.sender(source);
                self.rtp_peer = Peer::new(camera, None);
                self.rtcp_peer = Peer::new(camera, None);
            }
        }
        Ok(())
    }

    /// From where datagrams come: the camera, or the other address that it names.
    fn sender(&self, source: Option<IpAddr>) -> SocketAddr {
        match source {
            Some(source) if source != self.camera.ip() => SocketAddr::new(source, 0),
            _ => self.camera,
        }
    }

    /// Whether the packets go to a group, to which nobody reports.
    pub fn is_multicast(&self) -> bool {
        self.udp.as_ref().is_some_and(|pair| pair.membership().is_some())
    }

    /// Joins the group again if it has fallen silent; see [`Membership::join_again`]. `name`: the camera's in the log.
    pub fn look_after_group(&mut self, name: &str, now: Instant) {
        self.report_due = Some(now + JOIN_AGAIN);
        if std::mem::take(&mut self.has_datagrams) {
            return;
        }
        let again = self.udp.as_ref().and_then(UdpPair::membership).map(Membership::join_again);
        match again {
            Some(Err(error)) => log::debug!("{name}: the group cannot be joined again: {error}"),
            _ => log::debug!("{name}: the group is silent and is joined again"),
        }
    }

    /// Sends `bytes`; each part of them must be taken within `limit`.
    pub async fn send(&mut self, bytes: &[u8], limit: Duration) -> Result<(), Error> {
        if self.is_broken {
            return Ok(());
        }
        let sent = match &mut self.tunnel {
            None => self.stream.write(bytes, limit).await,
            Some(tunnel) => tunnel.write(bytes).await,
        };
        self.is_broken = sent.is_err();
        sent
    }

    /// Waits for bytes of the connection, or for a datagram.
    pub async fn input(&mut self, buffers: &mut [Vec<u8>; 2]) -> Wake {
        let [rtp_buffer, rtcp_buffer] = buffers;
        let Self { stream, deframer, udp, .. } = self;
        let space = deframer.space();
        let bytes = async { Wake::Read(stream.read(space).await) };
        match udp {
            None => bytes.await,
            Some(pair) => {
                rtp_buffer.resize(MAX_DATAGRAM_LEN, 0);
                rtcp_buffer.resize(MAX_DATAGRAM_LEN, 0);
                let rtp = async { Wake::Datagram(pair.rtp.recv_from(rtp_buffer).await, DatagramKind::Rtp) };
                let rtcp = async { Wake::Datagram(pair.rtcp.recv_from(rtcp_buffer).await, DatagramKind::Rtcp) };
                bytes.or(rtcp).or(rtp).await
            }
        }
    }

    /// Sends `report` over UDP; every `reports_per_punch` times an empty RTP packet precedes it.
    pub async fn send_reports(&mut self, report: &[u8], reports_per_punch: u32) {
        let Some(pair) = &self.udp else { return };
        if let Some(address) = self.rtp_peer.socket_address()
            && self.reports.is_multiple_of(reports_per_punch)
        {
            let _ = pair.rtp.socket().send_to(&udp::PUNCH, address).await;
        }
        if let Some(address) = self.rtcp_peer.socket_address() {
            let _ = pair.rtcp.socket().send_to(report, address).await;
        }
        self.reports = self.reports.wrapping_add(1);
    }

    /// Sends an RTCP packet to where the track's RTCP goes; over TCP each part of it must be taken
    /// within `limit`. A datagram that cannot be sent is lost.
    pub async fn send_rtcp(&mut self, packet: &[u8], limit: Duration) -> Result<(), Error> {
        if let Some(pair) = &self.udp {
            if let Some(address) = self.rtcp_peer.socket_address() {
                let _ = pair.rtcp.socket().send_to(packet, address).await;
            }
            return Ok(());
        }
        match self.channels {
            Some((_, rtcp)) => self.send(&framing::interleaved(rtcp, packet), limit).await,
            None => Ok(()),
        }
    }

    /// Shuts down writing, and drops what comes until the response `cseq`, the end of the connection,
    /// or `limit`.
    pub async fn drain(&mut self, cseq: u32, limit: Duration) {
        if self.is_broken {
            return;
        }
        match &mut self.tunnel {
            None => self.stream.shut_down(limit).await,
            Some(tunnel) => tunnel.shut_down().await,
        }
        let drained = async {
            loop {
                loop {
                    match self.deframer.next(Instant::now()) {
                        Ok(Some(Event::Message(Message::Response(response))))
                            if response.headers.cseq().is_none_or(|given| given == cseq) =>
                        {
                            return;
                        }
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(_) => self.deframer = Deframer::new(),
                    }
                }
                let space = self.deframer.space();
                match self.stream.read(space).await {
                    Ok(count @ 1..) => self.deframer.filled(count),
                    _ => return,
                }
            }
        };
        timeout(limit, drained).await;
    }
}
