//! Who may ask, and how: the rules of `[server]`, as they are at one moment.

use std::net::IpAddr;

use crate::config::{Config, WebOrigin};

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

impl From<&Config> for Rules {
    fn from(Config { server, tls, .. }: &Config) -> Self {
        Self {
            names: server.names.clone(),
            embed: server.embed.clone(),
            trusted_proxies: server.trusted_proxies.clone(),
            plain_http: server.plain_http,
            hsts: tls.hsts,
        }
    }
}

impl Rules {
    /// Whether the proxy at `address` may report who asks.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.contains(&address.to_canonical())
    }
}
