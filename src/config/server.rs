//! `[server]`: the agent itself.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use crate::account::WithoutLogin;

use super::{access, address, diagnostics::Diagnostics, schema, section::Section, server_keys, web_origin::WebOrigin};

/// Settings of the agent itself. Every path is absolute or relative to the working directory.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// At least one address, without duplicates.
    pub listen: Vec<SocketAddr>,
    pub without_login: WithoutLogin,
    /// Host names under which browsers open the wall, in addition to this machine's own names.
    pub names: Vec<String>,
    /// Origins of pages of other sites that may show the cameras.
    pub embed: Vec<WebOrigin>,
    /// Proxies whose reports of their visitors count.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whether other machines may use HTTP without TLS.
    pub plain_http: bool,
    /// The directory with the files of the page.
    pub www: PathBuf,
    /// The directory of the store, with the last good responses of cameras.
    /// It may be missing or read-only.
    pub state_dir: PathBuf,
    /// The local UDP port from which discovery sends, so that a firewall can let the
    /// responses in. `None`: any free port.
    pub discovery_port: Option<u16>,
}

impl Default for Server {
    fn default() -> Self {
        read(&Section::absent(&schema::SERVER), Path::new(""), &mut Diagnostics::nowhere())
    }
}

pub(super) fn read(section: &Section<'_>, base: &Path, diagnostics: &mut Diagnostics<'_>) -> Server {
    section.refuse_unknown(diagnostics);
    Server {
        listen: listen(section, diagnostics),
        without_login: section
            .one_of(&server_keys::WITHOUT_LOGIN, diagnostics)
            .map_or(server_keys::WITHOUT_LOGIN.default, |written| written.value),
        names: access::names(section, diagnostics),
        embed: access::embed(section, diagnostics),
        trusted_proxies: access::trusted_proxies(section, diagnostics),
        plain_http: section.flag(&server_keys::PLAIN_HTTP, diagnostics).unwrap_or(server_keys::PLAIN_HTTP.default),
        www: section.path(&server_keys::WWW, base, diagnostics).unwrap_or_else(|| server_keys::WWW.default.into()),
        state_dir: section
            .path(&server_keys::STATE_DIR, base, diagnostics)
            .unwrap_or_else(|| server_keys::STATE_DIR.default.into()),
        discovery_port: section.whole(&server_keys::DISCOVERY_PORT, diagnostics),
    }
}

/// Returns the addresses of `listen`; the default if the key is absent or has no valid entry.
fn listen(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Vec<SocketAddr> {
    let listen = address::listen(section, diagnostics);
    if listen.is_empty() { vec![server_keys::LISTEN.default] } else { listen }
}
