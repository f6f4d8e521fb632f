//! Whether the wall would be open to everybody: `listen` beyond this machine, and nobody to log in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{
    diagnostics::{Complaint, Diagnostics},
    section::Section,
    server::Server,
    server_keys,
};
use crate::account::WithoutLogin;

/// Whether other machines would be served although nobody said that everybody may watch.
fn is_exposed(server: &Server, has_users: bool) -> bool {
    let is_beyond = |address: &SocketAddr| !address.ip().to_canonical().is_loopback();
    !has_users && server.without_login != WithoutLogin::Everybody && server.listen.iter().any(is_beyond)
}

/// What is wrong with `listen` in `section` if the wall is exposed.
pub(super) fn check(
    section: &Section<'_>,
    server: &Server,
    users: &[Section<'_>],
    diagnostics: &Diagnostics<'_>,
) -> Option<Complaint> {
    // A broken section may hide without_login; its own complaint refuses the file.
    if section.has_syntax_error || !is_exposed(server, !users.is_empty()) {
        return None;
    }
    let at = section.value(&server_keys::LISTEN).map_or(section.at, |value| value.span().start);
    let words = "listen reaches other machines, and without a [[user]] everybody there could watch, so only this \
                 machine is served; run `cctv-agent passwd NAME` to make a user, or write without_login = \"everybody\" \
                 below [server]";
    Some(diagnostics.complaint(at, &section.place, words))
}

/// The addresses to listen on. With users, loopback is always among them unless everybody is served: this
/// machine's own wall needs no login there, and its commands send their key there and nowhere else. At
/// another address it would be a visitor as all others.
pub(super) fn served(server: &Server, has_users: bool) -> Vec<SocketAddr> {
    if is_exposed(server, has_users) {
        return own(&server.listen);
    }
    let reaches_own = |address: &SocketAddr| {
        let ip = address.ip().to_canonical();
        ip.is_loopback() || ip.is_unspecified()
    };
    let needs_own = has_users && server.without_login != WithoutLogin::Everybody;
    let extra = if needs_own && !server.listen.iter().any(reaches_own) { own(&server.listen) } else { Vec::new() };
    extra.into_iter().chain(server.listen.iter().copied()).collect()
}

/// What of `addresses` is this machine's own, with the same ports; at least one address.
fn own(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let (v4, v6) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST));
    let mut own = Vec::new();
    for address in addresses {
        let at = |ip: IpAddr| SocketAddr::new(ip, address.port());
        match address.ip() {
            ip if ip.to_canonical().is_loopback() => own.push(*address),
            IpAddr::V4(ip) if ip.is_unspecified() => own.push(at(v4)),
            // Every address of both kinds, as the system has it.
            IpAddr::V6(ip) if ip.is_unspecified() => own.extend([at(v4), at(v6)]),
            _ => {}
        }
    }
    if own.is_empty() {
        own.extend(addresses.first().map(|first| SocketAddr::new(v4, first.port())));
    }
    let mut found = Vec::new();
    for address in own {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::{Config, parse};

    fn read(text: &str) -> Config {
        parse(text, Path::new("c"), &|_: &Path| Err(std::io::ErrorKind::NotFound.into())).unwrap()
    }

    const USER: &str =
        "[[user]]\nname='a'\ntoken='sha256:3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0'\n";

    #[test]
    fn other_machines_are_served_only_with_a_user_or_by_a_word() {
        for (text, exposed) in [
            ("[server]\nlisten='0.0.0.0:8080'\n".to_owned(), true),
            ("[server]\nlisten=['127.0.0.1:1', '10.0.0.1:8080']\nwithout_login='nobody'\n".to_owned(), true),
            (format!("[server]\nlisten='0.0.0.0:8080'\n{USER}"), false),
            ("[server]\nlisten='[::]:8080'\nwithout_login='everybody'\n".to_owned(), false),
            ("[server]\nlisten=['127.0.0.1:8080', '[::1]:8080', '127.0.0.2:1']\n".to_owned(), false),
            (String::new(), false),
        ] {
            let config = read(&text);
            assert_eq!(config.exposed.is_some(), exposed, "{text}");
            assert!(exposed || config.addresses().ends_with(&config.server.listen), "{text}");
        }
        let complaint = read("[server]\nlisten = '0.0.0.0:8080'\n").exposed.unwrap().to_string();
        assert!(complaint.starts_with("c:2:10: [server]: listen reaches other machines"), "{complaint}");
    }

    #[test]
    fn own_wall_needs_no_login_although_only_a_network_address_is_listened_on() {
        let addresses = |text: &str| {
            let addresses = read(&format!("[server]\n{text}")).addresses();
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(addresses(&format!("listen='10.0.0.1:81'\n{USER}")), "127.0.0.1:81 10.0.0.1:81");
        assert_eq!(addresses(&format!("listen=['10.0.0.1:81', '[::1]:82']\n{USER}")), "10.0.0.1:81 [::1]:82");
        assert_eq!(addresses(&format!("listen='0.0.0.0:81'\n{USER}")), "0.0.0.0:81");
        for (word, listened) in [("nobody", "127.0.0.1:81 10.0.0.1:81"), ("everybody", "10.0.0.1:81")] {
            assert_eq!(addresses(&format!("listen='10.0.0.1:81'\nwithout_login='{word}'\n{USER}")), listened);
        }
    }

    #[test]
    fn this_machine_is_served_at_the_same_port() {
        for (listen, own) in [
            ("'0.0.0.0:8080'", "127.0.0.1:8080"),
            ("'[::]:8080'", "127.0.0.1:8080 [::1]:8080"),
            ("'10.0.0.1:8080'", "127.0.0.1:8080"),
            ("['10.0.0.1:8080', '[::1]:81']", "[::1]:81"),
            ("['0.0.0.0:80', '[::]:80']", "127.0.0.1:80 [::1]:80"),
        ] {
            let config = read(&format!("[server]\nlisten = {listen}\n"));
            let addresses: Vec<_> = config.addresses().iter().map(ToString::to_string).collect();
            assert_eq!(addresses.join(" "), own, "{listen}");
        }
    }
}
