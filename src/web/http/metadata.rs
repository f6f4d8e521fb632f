//! What a request reports of the requested host and of the requesting page: `Host` and the
//! authority of the target (RFC 9110 7.2), `Origin`, `Referer`, Fetch Metadata (W3C), and what
//! proxies add.

use crate::config::{Authority, WebOrigin};
use crate::web::http::forwarded::Forwarded;

/// Longer origins are not quoted.
const MAX_QUOTED: usize = 300;

/// The relevant header values; limited in size whatever the head contains.
#[derive(Debug, Default)]
pub struct Metadata {
    /// Every host that the request names: that of `Host`, and that of an absolute target, which
    /// takes precedence. Empty for HTTP/1.0 without either.
    pub hosts: Vec<Authority>,
    /// The value of `Origin`.
    pub origin: Option<Origin>,
    /// The origin of the page in `Referer`.
    referrer: Option<WebOrigin>,
    /// The requesting page belongs to another site.
    pub cross_site: bool,
    /// What a proxy reports of the visitor.
    pub forwarded: Forwarded,
    /// There is a login in the request; its text is not kept.
    pub has_login: bool,
    /// The request is of HTTP/1.0.
    pub is_old: bool,
    navigates: bool,
    is_document: bool,
}

/// An `Origin` as it was written.
#[derive(Debug)]
pub struct Origin {
    /// The text to quote.
    pub text: String,
    /// `None` for `null` and for anything else that is not the origin of a page.
    pub parsed: Option<WebOrigin>,
}

impl Metadata {
    /// Adds one header line; its name is in lower case. A value that is not understood counts as
    /// absent. An origin that is not understood counts as the origin of no page.
    pub fn take(&mut self, name: &str, value: &[u8]) {
        match name {
            "origin" => {
                let text = String::from_utf8_lossy(value);
                let parsed = WebOrigin::parse(&text);
                self.origin = Some(Origin { text: text.chars().take(MAX_QUOTED).collect(), parsed });
            }
            "referer" => self.referrer = WebOrigin::of_url(&String::from_utf8_lossy(value)),
            "sec-fetch-site" => self.cross_site |= value.eq_ignore_ascii_case(b"cross-site"),
            "sec-fetch-mode" => self.navigates = value.eq_ignore_ascii_case(b"navigate"),
            "sec-fetch-dest" => self.is_document = value.eq_ignore_ascii_case(b"document"),
            "authorization" => self.has_login = true,
            name => self.forwarded.take(name, value),
        }
    }

    /// Whether the request opens a page in its own tab: then no other page can read or show it.
    pub fn is_navigation(&self) -> bool {
        self.navigates && self.is_document
    }

    /// The origin of the requesting page, as far as it is known.
    pub fn page(&self) -> Option<&WebOrigin> {
        match &self.origin {
            Some(origin) => origin.parsed.as_ref(),
            None => self.referrer.as_ref(),
        }
    }
}
