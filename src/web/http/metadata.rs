//! What a request reports of the requested host and of the requesting page: `Host` and the
//! authority of the target (RFC 9110 7.2), `Origin`, `Referer`, Fetch Metadata (W3C), and what
//! proxies add.

use crate::web::http::forwarded::Forwarded;
use crate::{
    camera::Secret,
    config::{Authority, WebOrigin},
    http_auth::{
        authorization::{self, Login},
        cookie,
    },
};

/// The cookie of a session. With this prefix browsers take it over HTTPS only, from this host only,
/// and for all its paths (RFC 6265bis 4.1.3.2).
pub const SESSION_COOKIE: &str = "__Host-cctv";

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
    /// The login of the request.
    pub authorization: Authorization,
    session: Option<Secret>,
    has_bad_cookie: bool,
    destination: Destination,
    /// The request is of HTTP/1.0.
    pub is_old: bool,
    navigates: bool,
}

/// `Authorization` of a request.
#[derive(Debug, Default, PartialEq)]
pub enum Authorization {
    #[default]
    Absent,
    Login(Login),
    /// It is there, and no login; or it is there twice.
    Malformed,
}

/// What the browser will do with the response (`Sec-Fetch-Dest`).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Destination {
    /// Not reported: by a program, or over plain HTTP.
    #[default]
    Unknown,
    Document,
    Image,
    Other,
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
            "sec-fetch-dest" => {
                self.destination = match value.to_ascii_lowercase().as_slice() {
                    b"document" => Destination::Document,
                    b"image" => Destination::Image,
                    _ => Destination::Other,
                };
            }
            "authorization" => {
                self.authorization = match (&self.authorization, authorization::parse(value)) {
                    (Authorization::Absent, Some(login)) => Authorization::Login(login),
                    _ => Authorization::Malformed,
                };
            }
            "cookie" => match cookie::find(value, SESSION_COOKIE) {
                Ok(None) => {}
                Ok(Some(session)) if self.session.as_ref().is_none_or(|other| other.expose() == session) => {
                    self.session = Some(Secret::new(session));
                }
                Ok(Some(_)) | Err(cookie::Malformed) => self.has_bad_cookie = true,
            },
            name => self.forwarded.take(name, value),
        }
    }

    /// Whether the request opens a page in its own tab: then no other page can read or show it.
    pub fn is_navigation(&self) -> bool {
        self.navigates && self.destination == Destination::Document
    }

    /// The session that the cookie names. A cookie that is not ours counts as none.
    pub fn session(&self) -> Option<&Secret> {
        self.session.as_ref().filter(|_| !self.has_bad_cookie)
    }

    /// Whether the browser may ask the user for a login in a window of its own. It must not for what a
    /// page requests by itself, because the page has its own way to ask.
    pub fn may_prompt(&self) -> bool {
        self.destination != Destination::Other
    }

    /// The origin of the requesting page, as far as it is known.
    pub fn page(&self) -> Option<&WebOrigin> {
        match &self.origin {
            Some(origin) => origin.parsed.as_ref(),
            None => self.referrer.as_ref(),
        }
    }
}
