//! TCP connections to cameras: to one of the addresses of a host.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use smol::Async;

use crate::{text, time::timeout};

/// Number of a host's addresses that are tried.
const MAX_ADDRESSES: usize = 4;

/// Why there is no connection, or no longer one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// `error` in the system's words; `None`: the name exists nowhere, or has no address.
    #[error("the name {host} {}", .error.as_deref().map_or("has no address".to_owned(), |error| format!("cannot be looked up: {error}")))]
    Resolve { host: String, error: Option<String> },
    #[error("{address} refuses the connection")]
    Refused { address: String },
    #[error("{address} does not answer: no connection within {} s", .waited.as_secs_f64())]
    Timeout { address: String, waited: Duration },
    /// `error` in the system's words.
    #[error("no connection to {address}: {error}")]
    Failed { address: String, error: String },
}

impl ConnectError {
    /// The lookup of `host` failed.
    fn lookup(host: &str, error: &io::Error) -> Self {
        let error = text::chain(error);
        // The standard library tells the reasons of a failed lookup apart by the C library's text only:
        // EAI_NONAME and EAI_NODATA of glibc, and of musl.
        const NO_ADDRESS: [&str; 4] = [
            "Name or service not known",
            "No address associated with hostname",
            "Name does not resolve",
            "Name has no usable address",
        ];
        let has_no_address = NO_ADDRESS.iter().any(|text| error.ends_with(text));
        Self::Resolve { host: text::reason(host), error: (!has_no_address).then_some(error) }
    }

    /// No connection to `address`, or an error of one.
    pub fn failed(address: String, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused { address },
            _ => Self::Failed { address, error: text::chain(error) },
        }
    }
}

/// Connects to `host` (name or address, IPv6 without brackets). The lookup, and the attempt at each
/// address, may take `limit`.
///
/// # Errors
/// If none of the addresses takes the connection; that of the last one.
pub async fn connect(host: &str, port: u16, limit: Duration) -> Result<(Async<TcpStream>, SocketAddr), ConnectError> {
    let addresses = match timeout(limit, smol::net::resolve((host, port))).await {
        Some(Ok(addresses)) => addresses,
        Some(Err(error)) => return Err(ConnectError::lookup(host, &error)),
        None => return Err(ConnectError::lookup(host, &io::ErrorKind::TimedOut.into())),
    };
    let mut failure = ConnectError::Resolve { host: text::reason(host), error: None };
    for address in addresses.into_iter().take(MAX_ADDRESSES) {
        failure = match timeout(limit, Async::<TcpStream>::connect(address)).await {
            Some(Ok(stream)) => return Ok((stream, address)),
            Some(Err(error)) => ConnectError::failed(address.to_string(), &error),
            None => ConnectError::Timeout { address: address.to_string(), waited: limit },
        };
    }
    Err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_without_an_address_is_told_apart_from_a_lookup_that_failed() {
        let lookup = |text: &str| ConnectError::lookup("cam.lan", &io::Error::other(text.to_owned())).to_string();
        for text in ["Name or service not known", "Name does not resolve"] {
            assert_eq!(
                lookup(&format!("failed to lookup address information: {text}")),
                "the name cam.lan has no address"
            );
        }
        assert_eq!(
            lookup("Temporary failure in name resolution"),
            "the name cam.lan cannot be looked up: Temporary failure in name resolution"
        );
        // The texts are those of the library in use: no host has such a name.
        let error = std::net::ToSocketAddrs::to_socket_addrs(&("a b", 554)).unwrap_err();
        assert_eq!(ConnectError::lookup("a b", &error), ConnectError::Resolve { host: "a b".into(), error: None });
    }

    #[test]
    fn address_that_refuses_is_named() {
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let refused = smol::block_on(connect("127.0.0.1", address.port(), Duration::from_secs(60)));
        assert_eq!(refused.unwrap_err(), ConnectError::Refused { address: address.to_string() });
    }
}
