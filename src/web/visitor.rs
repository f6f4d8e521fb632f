//! Who sent a request, and over what: from the socket, and from what trusted proxies report.
//!
//! Plain HTTP is served to this machine only, unless `plain_http` allows more. Everybody else is
//! sent on to HTTPS at the same port. Behind a proxy that does not report its visitors the
//! response names the lines that its configuration needs.

use std::net::IpAddr;

use http_types::{Request, url::Position};

use crate::config::{Authority, Host, WebOrigin};
use crate::web::{
    admission::rules::Rules,
    http::{
        metadata::{Authorization, Metadata},
        response::Response,
        timeout_socket::Peer,
    },
};
use crate::{hub::ViewerOrigin, users::address_prefix};

/// Port of `http` if none is written.
const HTTP_PORT: u16 = 80;

/// Who sent a request. There is one for each request, because a proxy sends those of several
/// visitors over one connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Visitor {
    /// The visitor's own address: the other end of the connection, or what a trusted proxy reports.
    pub address: IpAddr,
    /// Nobody on the way can read along: the visitor speaks TLS with us, or with a trusted proxy.
    /// A visitor on this machine is never on the way of anybody, and need not have it.
    pub is_https: bool,
    /// This machine's own screen or shell: the connection comes from a loopback address, asks for
    /// one or for `localhost`, and shows no sign of a proxy.
    pub is_loopback: bool,
}

impl Visitor {
    /// Tells who sent the request with this `metadata` over the connection of `peer`.
    pub fn of(peer: &Peer, metadata: &Metadata, rules: &Rules) -> Self {
        let forwarded = &metadata.forwarded;
        let address = peer.address.to_canonical();
        if rules.trusts(address) && forwarded.is_any() {
            let reported = forwarded.client(|hop| rules.trusts(hop)).unwrap_or(address);
            return Self { address: reported, is_https: forwarded.is_https(), is_loopback: false };
        }
        let is_loopback = seems_local(peer, metadata) && !shows_a_proxy(metadata, rules);
        Self { address, is_https: peer.is_tls, is_loopback }
    }

    /// Whether nobody on the way can read along, so that a login may be sent: over HTTPS, or without a
    /// network in between.
    pub fn is_private(&self, peer: &Peer, metadata: &Metadata) -> bool {
        let asks_own_address = || {
            let is_own = |authority: &Authority| authority.host == Host::Ip(peer.local.ip().to_canonical());
            metadata.hosts.iter().all(is_own)
        };
        let stays_here = || !metadata.forwarded.is_any() && peer.is_this_machine() && asks_own_address();
        self.is_https || self.is_loopback || stays_here()
    }

    /// Whose share of a camera's renditions its viewers have.
    pub fn origin(&self) -> ViewerOrigin {
        if self.is_loopback {
            return ViewerOrigin::Own;
        }
        ViewerOrigin::Elsewhere(match address_prefix(self.address) {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
            IpAddr::V6(v6) => v6.to_bits(),
        })
    }

    /// Whether a browser keeps the cookie of a session: over HTTPS, and from this machine itself.
    pub fn may_have_session(&self) -> bool {
        self.is_https || self.is_loopback
    }

    /// Checks that the request may be answered over this connection.
    ///
    /// # Errors
    /// The response to send instead: the way to HTTPS, or what a proxy's configuration lacks.
    pub fn check(&self, peer: &Peer, request: &Request, metadata: &Metadata, rules: &Rules) -> Result<(), Response> {
        let is_direct = !metadata.forwarded.is_any();
        if !rules.plain_http && seems_local(peer, metadata) && shows_a_proxy(metadata, rules) {
            return Err(unknown_proxy(peer, metadata));
        }
        let is_proxy = rules.trusts(peer.address.to_canonical()) && !is_direct;
        if is_proxy && !rules.plain_http {
            missing_lines(metadata)?;
        }
        if self.is_private(peer, metadata) || rules.plain_http {
            return Ok(());
        }
        if metadata.authorization != Authorization::Absent {
            log::warn!(
                "web: {} sent a login over http, where everybody on the way can read it; it was refused unread: \
                 change that password, and use https",
                self.address
            );
            let text = "a login must not be sent over http, where everybody on the way can read it; change that \
                        password, and use https";
            return Err(Response::error(403, text));
        }
        let port = metadata.hosts.last().map_or(peer.local.port(), |host| host.port.unwrap_or(HTTP_PORT));
        match (is_proxy, is_direct, peer.is_this_machine()) {
            // A proxy has another port for each protocol.
            (true, ..) => Err(to_https(peer, request, metadata, None)),
            // A browser on this machine asks for the port at which we are; through a proxy it does not.
            (_, true, true) if port != peer.local.port() => Err(unknown_proxy(peer, metadata)),
            (_, true, _) => Err(to_https(peer, request, metadata, Some(port))),
            (_, false, _) => Err(unknown_proxy(peer, metadata)),
        }
    }
}

/// Whether `host` is this machine by a loopback address or as `localhost`.
fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Ip(ip) => ip.to_canonical().is_loopback(),
        Host::Name(name) => name == "localhost",
    }
}

/// Whether a request comes from a loopback address, asks for one, and no proxy reports that it passed it on.
fn seems_local(peer: &Peer, metadata: &Metadata) -> bool {
    peer.address.to_canonical().is_loopback()
        && metadata.hosts.iter().all(|authority| is_loopback(&authority.host))
        && !metadata.forwarded.is_any()
}

/// Whether a request that [seems local](seems_local) was passed on all the same: nginx in its default
/// configuration reports nothing, speaks HTTP/1.0, and leaves the address of the page as it is.
fn shows_a_proxy(metadata: &Metadata, rules: &Rules) -> bool {
    // Browsers do not name the site of a page that opens a socket.
    let is_elsewhere = |page: &WebOrigin| !is_loopback(&page.host) && !rules.embed.contains(page);
    metadata.is_old || !metadata.cross_site && metadata.page().is_some_and(is_elsewhere)
}

/// What the configuration of a trusted proxy lacks, although it reports something.
fn missing_lines(metadata: &Metadata) -> Result<(), Response> {
    let forwarded = &metadata.forwarded;
    let line = match (forwarded.has_scheme(), forwarded.has_client()) {
        (true, true) => return Ok(()),
        (false, _) => "proxy_set_header X-Forwarded-Proto $scheme;",
        (true, false) => "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
    };
    let text = format!("the reverse proxy does not tell who asks, and over what; its configuration lacks `{line}`");
    Err(Response::error(403, text))
}

/// The response to a request that a proxy passed on which no key names.
fn unknown_proxy(peer: &Peer, metadata: &Metadata) -> Response {
    let address = peer.address.to_canonical();
    let for_sockets = if metadata.is_old {
        "; for its sockets `proxy_http_version 1.1;`, `proxy_set_header Upgrade $http_upgrade;` and `proxy_set_header \
         Connection \"upgrade\";`"
    } else {
        ""
    };
    Response::error(
        403,
        format!(
            "this request came through a reverse proxy at {address}; write trusted_proxies = [\"{address}\"] below \
             [server] in cameras.toml, and into the proxy's configuration `proxy_set_header Host $host;`, \
             `proxy_set_header X-Forwarded-Proto $scheme;` and `proxy_set_header X-Forwarded-For \
             $proxy_add_x_forwarded_for;`{for_sockets}; if there is none, use https, or localhost on this machine itself, \
             and HTTP/1.1"
        ),
    )
}

/// The way to the same address by HTTPS.
fn to_https(peer: &Peer, request: &Request, metadata: &Metadata, port: Option<u16>) -> Response {
    let host = metadata.hosts.last().map_or_else(|| Host::Ip(peer.local.ip()), |authority| authority.host.clone());
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    let place = format!("https://{host}{port}{}", &request.url()[Position::BeforePath..Position::AfterQuery]);
    let text = format!(
        "http is for this machine itself; use {place}, and let programs accept the certificate whose fingerprint \
         `cctv-agent status` prints, or write plain_http = true below [server] in cameras.toml"
    );
    Response::error(308, text).header("Location", place)
}

/// Mistakes of a proxy's configuration that a page's request shows and that only its sockets meet.
/// Each is a text for the page.
pub fn proxy_mistakes(metadata: &Metadata) -> Vec<String> {
    let mut mistakes = Vec::new();
    // Browsers speak HTTP/1.1, nginx does not without being told.
    let Some(page) = metadata.page() else { return mistakes };
    if metadata.is_old {
        mistakes.push(
            "the reverse proxy passes no WebSockets on; its configuration lacks `proxy_http_version 1.1;`, \
             `proxy_set_header Upgrade $http_upgrade;` and `proxy_set_header Connection \"upgrade\";`"
                .to_owned(),
        );
    }
    if metadata.hosts.last().is_some_and(|host| !metadata.cross_site && page.host != host.host) {
        mistakes.push(format!(
            "the reverse proxy hides that the page is at {}; its configuration lacks `proxy_set_header Host $host;`",
            page.host
        ));
    }
    mistakes
}

#[cfg(test)]
mod tests;
