//! What a worker needs besides memory, threads, and the descriptors that are open.

use cctv_agent::{
    camera::{Secret, StreamUri, VideoDevice},
    uri,
};

/// The ports of the schemes if the address names none.
const PORTS: [(&str, u16); 6] =
    [("rtsp", 554), ("rtsps", 322), ("http", 80), ("https", 443), ("rtmp", 1935), ("rtmps", 443)];

/// What a worker needs besides memory and threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs<'a> {
    /// Nothing: it decodes what it is sent.
    Nothing,
    /// Connections to this TCP port, UDP, and the addresses of names.
    Stream { port: u16 },
    /// The Video4Linux device at this path.
    Device(&'a str),
}

impl<'a> Needs<'a> {
    /// What reading the stream at `address` takes.
    pub fn of_stream(address: &'a Secret) -> Self {
        if let Some(device) = VideoDevice::parse(address.expose()) {
            return Self::Device(device.path);
        }
        let uri = StreamUri::split_any(address.expose()).map(|(uri, _)| uri);
        let scheme = uri.as_ref().and_then(|uri| uri.as_str().split(':').next());
        let usual = PORTS.iter().find(|(name, _)| Some(*name) == scheme).unwrap_or(&PORTS[0]).1;
        let named = uri.and_then(|uri| uri::split_authority(uri.authority())?.1);
        Self::Stream { port: named.unwrap_or(usual) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_is_that_of_the_address() {
        for (address, port) in [
            ("rtsp://10.0.0.1/live", 554),
            ("rtsp://u:p%40@10.0.0.1:8554/live", 8554),
            ("rtsp://u:p@[fe80::1]:555/", 555),
            ("rtsps://camera.lan/", 322),
            ("http://u:p@camera.lan/x.m3u8", 80),
            ("https://camera.lan/x.m3u8", 443),
            ("rtmp://10.0.0.1/live/gate", 1935),
            ("rtmps://10.0.0.1/live/gate", 443),
            ("nonsense", 554),
        ] {
            assert_eq!(Needs::of_stream(&Secret::new(address)), Needs::Stream { port }, "{address}");
        }
        let device = Secret::new("/dev/video0?fps=5");
        assert_eq!(Needs::of_stream(&device), Needs::Device("/dev/video0"));
    }
}
