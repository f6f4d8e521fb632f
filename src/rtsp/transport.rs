//! The `Transport` and `Session` headers: what a SETUP requests, and what the camera made of it.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use crate::camera::Transport;

/// Session timeout if the camera names none (RFC 2326 12.37).
pub const DEFAULT_SESSION_TIMEOUT: Duration = Duration::from_secs(60);

/// Maximum length of a session identifier, in bytes; a longer one is not used.
const MAX_SESSION_ID_LEN: usize = 512;

/// The value of `Transport` in a SETUP request: exactly so, because cameras refuse `mode=play`, and
/// one refuses `RTP/AVP/UDP`. Without `unicast` some cameras send multicast.
pub fn requested(transport: Transport, client_port: u16) -> String {
    match transport {
        Transport::Tcp | Transport::Http => "RTP/AVP/TCP;unicast;interleaved=0-1".to_owned(),
        Transport::Udp => format!("RTP/AVP;unicast;client_port={client_port}-{}", client_port.saturating_add(1)),
        // Group and ports are the camera's to choose.
        Transport::Multicast => "RTP/AVP;multicast".to_owned(),
    }
}

/// How the camera sends RTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// In the RTSP connection, on these channels. Both may be the same.
    Interleaved { rtp: u8, rtcp: u8 },
    /// In datagrams.
    Udp {
        /// The camera's ports for RTP and RTCP. `None`: the port of the first packet that comes
        /// from the camera's address.
        server_ports: Option<(u16, u16)>,
        /// Another address than that of the RTSP connection, if the camera names one.
        source: Option<IpAddr>,
    },
    /// In datagrams to a group.
    Multicast {
        /// The group, and the port for RTP.
        rtp: SocketAddr,
        rtcp_port: u16,
        /// Another address than that of the RTSP connection, if the camera names one.
        source: Option<IpAddr>,
    },
}

/// Reads the `Transport` of a SETUP response, which may be missing. `None`: the camera has chosen
/// another transport than `requested`. `group`: the group and port of RTP that the description names, for a
/// response that names none.
///
/// Only the ports, channels and addresses are read. `ssrc` and `mode` are wrong too often.
pub fn read_delivery(header: Option<&str>, requested: Transport, group: Option<SocketAddr>) -> Option<Delivery> {
    let header = header.unwrap_or("");
    // Of several transports the first one counts.
    let items: Vec<&str> = header.split(',').next().unwrap_or("").split(';').map(str::trim).collect();
    let value = |name: &str| {
        items.iter().find_map(|item| {
            let (given, value) = item.split_once('=')?;
            given.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let has = |word: &str| items.iter().any(|item| item.eq_ignore_ascii_case(word));
    let interleaved = value("interleaved").map(read_pair::<u8>);
    let server_ports = value("server_port").map(read_pair::<u16>);
    let port = value("port").map(read_pair::<u16>);
    let is_multicast = has("multicast") || port.is_some() && interleaved.is_none() && server_ports.is_none();
    let source = || {
        let source = value("source").and_then(|source| source.trim_matches(['[', ']']).parse().ok());
        source.filter(is_unicast)
    };
    match requested {
        Transport::Multicast if !is_multicast && !header.trim().is_empty() => None,
        Transport::Multicast => {
            let given = value("destination").and_then(|group| group.trim_matches(['[', ']']).parse::<IpAddr>().ok());
            let address = given.filter(IpAddr::is_multicast).or(group.map(|group| group.ip()))?;
            let ports = port.flatten().filter(|(rtp, _)| *rtp != 0);
            let (rtp, rtcp) = ports.or(group.map(|group| (group.port(), None)))?;
            let rtcp_port = rtcp.filter(|rtcp| *rtcp != rtp).or_else(|| rtp.checked_add(1))?;
            Some(Delivery::Multicast { rtp: SocketAddr::new(address, rtp), rtcp_port, source: source() })
        }
        _ if is_multicast => None,
        Transport::Tcp | Transport::Http => {
            let says_tcp = items.first().is_some_and(|name| name.to_ascii_uppercase().ends_with("/TCP"));
            if interleaved.is_none() && !says_tcp && (server_ports.is_some() || value("client_port").is_some()) {
                return None;
            }
            let (rtp, rtcp) = match interleaved.flatten() {
                Some((rtp, Some(rtcp))) => (rtp, rtcp),
                Some((rtp, None)) => (rtp, rtp.wrapping_add(1)),
                None => (0, 1),
            };
            Some(Delivery::Interleaved { rtp, rtcp })
        }
        Transport::Udp if interleaved.is_some() => None,
        Transport::Udp => {
            let ports = server_ports.flatten().filter(|(rtp, _)| *rtp != 0);
            let server_ports = ports.map(|(rtp, rtcp)| (rtp, rtcp.unwrap_or(rtp.wrapping_add(1))));
            Some(Delivery::Udp { server_ports, source: source() })
        }
    }
}

/// Whether `address` can be the address of a camera: neither unspecified, loopback nor multicast.
fn is_unicast(address: &IpAddr) -> bool {
    !address.is_unspecified() && !address.is_loopback() && !address.is_multicast()
}

/// `8-9`, or `8` alone.
fn read_pair<N: std::str::FromStr>(text: &str) -> Option<(N, Option<N>)> {
    let (first, second) = match text.split_once('-') {
        Some((first, second)) => (first, second.trim().parse().ok()),
        None => (text, None),
    };
    Some((first.trim().parse().ok()?, second))
}

/// Reads a `Session` header: the identifier, and the timeout if the camera names one that makes
/// sense.
pub fn read_session(header: &str) -> (Option<String>, Option<Duration>) {
    let mut items = header.split(';');
    let id = items.next().unwrap_or("").trim();
    let is_usable = !id.is_empty() && id.len() <= MAX_SESSION_ID_LEN && !id.contains(char::is_control);
    let timeout = items.find_map(|item| {
        let (name, value) = item.split_once('=')?;
        let digits = value.trim().split(|c: char| !c.is_ascii_digit()).next().unwrap_or("");
        let seconds = digits.parse::<u32>().ok().filter(|seconds| *seconds > 0);
        seconds.filter(|_| name.trim().eq_ignore_ascii_case("timeout"))
    });
    (is_usable.then(|| id.to_owned()), timeout.map(|seconds| Duration::from_secs(seconds.into())))
}
