//! Checks the host and the origin of every request. The host must be one of ours, and the page that
//! sends the request must not belong to a site that the configuration does not name. Every request
//! passes [`Gate::admit`].
//!
//! Browsers let any page in the world send requests to any address. Three rules keep such pages
//! out:
//!
//! 1. The host must be an IP address, `localhost`, a name of this machine, or one of `names`.
//!    Otherwise a stranger's domain could be pointed at this machine (DNS rebinding), and its pages
//!    would have our own origin.
//! 2. A WebSocket may be opened by pages of the same host and port, of a host in `names`, and of an
//!    origin in `embed`. Browsers do not check this before they open one.
//! 3. Everything except files is for pages of the same site, and of an origin in `embed`. If the
//!    browser names the requesting site (`Sec-Fetch-Site`), the request is refused. If it does not,
//!    as over plain HTTP in a local network, `Cross-Origin-Resource-Policy` in the response makes
//!    the browser withhold it from the page.

use std::{net::IpAddr, sync::Arc};

use http_types::Request;

use crate::web::{
    admission::rules::Rules,
    http::{
        metadata::Metadata,
        response::{ResourcePolicy, Response},
        route::Route,
        timeout_socket::Peer,
    },
    visitor::Visitor,
};
use crate::{
    config::{Authority, Host, WebOrigin},
    proc,
    sync::Mutex,
};

/// Nothing is loaded from elsewhere, and only files of ours run. Ends with the list of origins that
/// may frame the page.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
     object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/// What the configuration allows; read anew by each request.
#[derive(Default)]
pub struct Gate(Mutex<Arc<Rules>>);

/// A request that was admitted, with the rules of that moment.
pub struct Admitted {
    rules: Arc<Rules>,
    pub visitor: Visitor,
    /// A login may be sent: nobody on the way can read it.
    pub is_private: bool,
    pub resource_policy: ResourcePolicy,
}

impl Gate {
    /// Sets the rules from the next request on.
    pub fn set(&self, rules: Rules) {
        *self.0.lock() = Arc::new(rules);
    }

    /// Whether the rules let other machines in without TLS.
    pub fn serves_plain_http(&self) -> bool {
        self.0.lock().plain_http
    }

    /// Whether the other end of a connection is a proxy that may report its visitors.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.lock().trusts(address)
    }

    /// Admits a request that came over the connection of `peer`, or says why not.
    ///
    /// # Errors
    /// The response to send instead.
    pub fn admit(
        &self,
        peer: &Peer,
        request: &Request,
        metadata: &Metadata,
        route: &Route<'_>,
    ) -> Result<Admitted, Response> {
        let rules = Arc::clone(&self.0.lock());
        if let Some(foreign) = metadata.hosts.iter().find(|authority| !is_own(&rules, &authority.host)) {
            return Err(misdirected(&foreign.host));
        }
        let visitor = Visitor::of(peer, metadata, &rules);
        visitor.check(peer, request, metadata, &rules)?;
        let page = metadata.page();
        let embeds = page.is_some_and(|page| rules.embed.contains(page));
        // Who may open a socket depends on the origin, which browsers always send there.
        let is_judged_later = matches!(route, Route::Wall | Route::Legacy(_)) && metadata.origin.is_some();
        let is_open = matches!(route, Route::File(_)) || metadata.is_navigation() || is_judged_later;
        if metadata.cross_site && !embeds && !is_open {
            return Err(cross_site(page));
        }
        let resource_policy = if embeds { ResourcePolicy::CrossOrigin } else { ResourcePolicy::SameSite };
        let is_private = visitor.is_private(peer, metadata);
        Ok(Admitted { rules, visitor, is_private, resource_policy })
    }
}

impl Admitted {
    /// Checks whether the page that sent `metadata` may open a WebSocket, or begin or end a session.
    ///
    /// # Errors
    /// The reason, in words.
    pub fn check_socket(&self, metadata: &Metadata) -> Result<(), String> {
        // Programs other than browsers send no origin, and could send any.
        let Some(written) = &metadata.origin else { return Ok(()) };
        let is_named = |page: &WebOrigin| matches!(&page.host, Host::Name(name) if self.rules.names.contains(name));
        let is_same = |page: &WebOrigin| metadata.hosts.last().is_some_and(|host| page.is_at(host));
        let allowed = written
            .parsed
            .as_ref()
            .is_some_and(|page| is_same(page) || is_named(page) || self.rules.embed.contains(page));
        if allowed {
            return Ok(());
        }
        let asked = metadata.hosts.last().map_or_else(String::new, |host| format!(" at {:?}", shown(host)));
        Err(format!(
            "pages from {:?} may not open sockets{asked}; behind a reverse proxy let it pass Host on with `proxy_set_header Host $host;`, \
             or write the page's host into `names` below [server] in cameras.toml; write the origin of another site's page into `embed`",
            written.text
        ))
    }

    /// The value of `Strict-Transport-Security`, if browsers are to be told. It counts on a
    /// connection with TLS only, and holds for a year.
    pub fn strict_transport_security(&self, peer: &Peer) -> Option<&'static str> {
        (self.rules.hsts && peer.is_tls).then_some("max-age=31536000")
    }

    /// The Content-Security-Policy of files.
    pub fn content_security_policy(&self) -> String {
        let embed = self.rules.embed.iter().map(|origin| format!(" {origin}"));
        std::iter::once(CONTENT_SECURITY_POLICY.to_owned()).chain(embed).collect()
    }
}

fn is_own(rules: &Rules, host: &Host) -> bool {
    match host {
        Host::Ip(_) => true,
        Host::Name(name) => name == "localhost" || rules.names.contains(name) || own_names().contains(name),
    }
}

/// The machine's own name, the same without its domain, and its multicast DNS name; empty if the
/// kernel has none. A machine may get its name after the agent has started.
///
/// # Blocking
/// One small read from the kernel's memory.
pub fn own_names() -> Vec<String> {
    names_of(&proc::host_name())
}

fn names_of(hostname: &str) -> Vec<String> {
    let hostname = hostname.to_ascii_lowercase();
    match hostname.as_str() {
        "" | "(none)" => Vec::new(),
        _ => {
            let label = hostname.split('.').next().unwrap_or("").to_owned();
            vec![format!("{label}.local"), format!("{hostname}.local"), label, hostname]
        }
    }
}

fn shown(authority: &Authority) -> String {
    let port = authority.port.map_or_else(String::new, |port| format!(":{port}"));
    format!("{}{port}", authority.host)
}

fn misdirected(host: &Host) -> Response {
    let name = host.to_string();
    Response::error(
        421,
        format!(
            "{name:?} is not a name of this machine; if it is to be one, write it into `names` below [server] in \
             cameras.toml, else use this machine's IP address"
        ),
    )
}

fn cross_site(page: Option<&WebOrigin>) -> Response {
    let text = match page.map(ToString::to_string) {
        Some(origin) => format!(
            "pages of {origin:?} may not show this; if they are to, write that into `embed` below [server] in cameras.toml"
        ),
        None => {
            "pages of other sites may not show this; if one is to, write its origin into `embed` below [server] in \
                 cameras.toml, like embed = [\"https://intranet.example\"], and let the page send its origin as Referer"
                .to_owned()
        }
    };
    Response::error(403, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_is_known_by_its_name_with_and_without_a_domain() {
        let known = |hostname: &str, name: &str| names_of(hostname).iter().any(|own| own == name);
        assert!(known("Terminal", "terminal") && known("terminal", "terminal.local"));
        for name in ["wall.example.com", "wall", "wall.local"] {
            assert!(known("wall.example.com", name), "{name}");
        }
        assert!(!known("wall.example.com", "example.com") && !known("wall", "wall.example.com"));
        assert!(names_of("").is_empty() && names_of("(none)").is_empty());
    }
}
