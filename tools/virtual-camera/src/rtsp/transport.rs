//! The `Transport` header of SETUP (RFC 2326, section 12.39).

/// How a client wants the packets of one track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Over the RTSP connection, on these channels; `None`: the camera chooses.
    Tcp(Option<(u8, u8)>),
    /// To these ports of the client's address.
    Udp(u16, u16),
}

/// The transports that the client offers and this camera knows, the preferred one first.
/// Multicast is not among them. A `destination` is ignored: no client may direct the stream to
/// another host.
pub fn offered(header: &str) -> Vec<Transport> {
    header.split(',').filter_map(read).collect()
}

fn read(offer: &str) -> Option<Transport> {
    let mut words = offer.split(';').map(str::trim);
    let protocol = words.next()?.to_ascii_uppercase();
    let words: Vec<&str> = words.collect();
    let value = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    if words.contains(&"multicast") {
        return None;
    }
    match protocol.as_str() {
        "RTP/AVP/TCP" => match value("interleaved") {
            Some(channels) => pair(channels).map(|channels| Transport::Tcp(Some(channels))),
            None => Some(Transport::Tcp(None)),
        },
        "RTP/AVP" | "RTP/AVP/UDP" => pair(value("client_port")?).map(|(rtp, rtcp)| Transport::Udp(rtp, rtcp)),
        _ => None,
    }
}

/// `a-b`, or `a` alone with the number after it.
fn pair<T: std::str::FromStr + Copy + TryFrom<u32> + Into<u32>>(text: &str) -> Option<(T, T)> {
    let (first, second) = text.split_once('-').map_or((text, None), |(first, second)| (first, Some(second)));
    let first: T = first.trim().parse().ok()?;
    let second = match second {
        Some(second) => second.trim().parse().ok()?,
        None => T::try_from(first.into() + 1).ok()?,
    };
    Some((first, second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_read_in_their_order() {
        for (header, wanted) in [
            ("RTP/AVP/TCP;unicast;interleaved=0-1", vec![Transport::Tcp(Some((0, 1)))]),
            ("RTP/AVP/TCP;unicast;interleaved=4", vec![Transport::Tcp(Some((4, 5)))]),
            ("RTP/AVP/TCP", vec![Transport::Tcp(None)]),
            (
                "RTP/AVP/UDP;unicast;client_port=5000-5001;mode=play, RTP/AVP/TCP; interleaved=2-3",
                vec![Transport::Udp(5000, 5001), Transport::Tcp(Some((2, 3)))],
            ),
            ("RTP/AVP;multicast", vec![]),
            ("RTP/AVP;unicast", vec![]),
            ("RTP/SAVP;unicast;client_port=1-2", vec![]),
            ("RTP/AVP;unicast;client_port=65535", vec![]),
        ] {
            assert_eq!(offered(header), wanted, "{header}");
        }
    }
}
