//! What a worker needs besides memory, threads, and the descriptors that are open.

use cctv_agent::{
    camera::{Secret, StreamUri},
    uri,
};

/// The ports of `rtsp` and `rtsps` if the address names none.
const RTSP_PORT: u16 = 554;
const RTSPS_PORT: u16 = 322;

/// What a worker needs besides memory and threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it decodes what it is sent.
    Nothing,
    /// Connections to this TCP port, UDP, and the addresses of names.
    Stream { port: u16 },
}

impl Needs {
    /// What reading the stream at `address` takes.
    pub fn of_stream(address: &Secret) -> Self {
        let default = if address.expose().starts_with("rtsps:") { RTSPS_PORT } else { RTSP_PORT };
        let uri = StreamUri::split(address.expose()).map(|(uri, _)| uri);
        let named = uri.and_then(|uri| uri::split_authority(uri.authority())?.1);
        Self::Stream { port: named.unwrap_or(default) }
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
            ("nonsense", 554),
        ] {
            assert_eq!(Needs::of_stream(&Secret::new(address)), Needs::Stream { port }, "{address}");
        }
    }
}
