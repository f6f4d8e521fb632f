//! Who may ask, and how: the rules of `[server]`, as they are at one moment.

use std::net::IpAddr;

use crate::config::WebOrigin;

/// `names`, `embed`, `trusted_proxies` and `plain_http` of `[server]`, and `hsts` of `[tls]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// Host names of this machine, besides its IP addresses, `localhost` and its own names.
    pub names: Vec<String>,
    /// Origins whose pages may show what is served.
    pub embed: Vec<WebOrigin>,
    /// Proxies that may report who asks, and over what.
    pub trusted_proxies: Vec<IpAddr>,
    /// HTTP is served to everybody, and not to this machine only.
    pub plain_http: bool,
    /// Browsers are told to use HTTPS only (RFC 6797).
    pub hsts: bool,
}

impl Rules {
    /// Whether the proxy at `address` may report who asks.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.contains(&address.to_canonical())
    }
}
