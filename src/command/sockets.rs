//! The addresses on which a process listens, from the kernel. They may differ from those in the
//! agent's configuration file.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use crate::proc::Process;

/// The state `TCP_LISTEN` in the kernel's tables.
const LISTEN: &str = "0A";

/// Returns the TCP addresses on which process `pid` listens; none if this user may not look.
///
/// # Blocking
/// Reads some files of `/proc`; this needs no disk.
pub fn listening(pid: u32) -> Vec<SocketAddr> {
    let process = Process::with_pid(pid);
    let inodes = sockets(&process);
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        // The table of the network namespace of the process.
        let text = process.read(&format!("net/{table}")).unwrap_or_default();
        found.extend(text.lines().filter_map(|line| row(line, &inodes)));
    }
    found
}

/// Returns the inodes of the sockets that the process has open.
fn sockets(process: &Process) -> BTreeSet<u64> {
    let links = process.descriptors().unwrap_or_default();
    links
        .into_iter()
        .filter_map(|link| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
        .collect()
}

/// Returns the address in one line of `/proc/net/tcp` or `tcp6`, if that socket listens and is
/// among `inodes`; see proc_pid_net(5).
fn row(line: &str, inodes: &BTreeSet<u64>) -> Option<SocketAddr> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let inode = fields.get(9)?.parse().ok()?;
    (fields.get(3) == Some(&LISTEN) && inodes.contains(&inode)).then(|| address(fields[1])).flatten()
}

/// Parses an address such as `0100007F:1F90`: 32-bit words in the
/// machine's byte order, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let words: Option<Vec<u8>> = (0..ip.len() / 8)
        .map(|word| u32::from_str_radix(ip.get(word * 8..word * 8 + 8)?, 16).ok().map(u32::to_ne_bytes))
        .collect::<Option<Vec<_>>>()
        .map(|words| words.concat());
    let words = words?;
    let ip = match words.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(words).map(Ipv4Addr::from).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(words).map(Ipv6Addr::from).ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn own_listeners_are_found_and_connections_are_not() {
        let v4 = TcpListener::bind("127.0.0.1:0").unwrap();
        let v6 = TcpListener::bind("[::1]:0").unwrap();
        let connected = std::net::TcpStream::connect(v4.local_addr().unwrap()).unwrap();
        let found = listening(std::process::id());
        for listener in [&v4, &v6] {
            let address = listener.local_addr().unwrap();
            assert!(found.contains(&address), "{address} is not among {found:?}");
        }
        assert!(!found.contains(&connected.local_addr().unwrap()), "{found:?}");
    }
}
