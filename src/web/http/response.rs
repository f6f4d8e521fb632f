//! One ordinary response: status, headers and a body in memory.

use std::io;

use http_types::{Body, Method, StatusCode};
use smol::io::{AsyncReadExt, AsyncWriteExt};

use crate::web::http::timeout_socket::Socket;

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    /// ASCII only; in addition to Content-Type, Content-Length, Connection and Date.
    pub headers: Vec<(&'static str, String)>,
    pub content_type: &'static str,
    pub resource_policy: ResourcePolicy,
    pub body: Vec<u8>,
}

/// Which pages may get the response from the browser (`Cross-Origin-Resource-Policy`, Fetch
/// standard 3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourcePolicy {
    /// Pages of the same scheme and registrable domain, on any port.
    SameSite,
    /// Any page: the requesting page is one of `embed`.
    CrossOrigin,
}

impl ResourcePolicy {
    pub const HEADER: &str = "Cross-Origin-Resource-Policy";

    pub fn as_str(self) -> &'static str {
        match self {
            Self::SameSite => "same-site",
            Self::CrossOrigin => "cross-origin",
        }
    }
}

pub const JSON: &str = "application/json";

impl Response {
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let resource_policy = ResourcePolicy::SameSite;
        Self { status, headers: Vec::new(), content_type, resource_policy, body: body.into() }
    }

    /// `{"error": text}`, which caches must not store.
    pub fn error(status: u16, text: impl Into<String>) -> Self {
        Self::json(status, &serde_json::json!({ "error": text.into() }))
    }

    pub fn json(status: u16, value: &serde_json::Value) -> Self {
        let mut body = value.to_string().into_bytes();
        body.push(b'\n');
        Self::new(status, JSON, body).header("Cache-Control", "no-store")
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends the response to a request made with `method`. For HEAD, the body is omitted, but its
    /// length is sent.
    pub async fn send(self, socket: &mut Socket, method: Method, keep_alive: bool) -> io::Result<()> {
        let status = StatusCode::try_from(self.status).unwrap_or(StatusCode::InternalServerError);
        let mut response = http_types::Response::new(status);
        response.set_body(Body::from_bytes(self.body));
        response.insert_header("Content-Type", self.content_type);
        response.insert_header("X-Content-Type-Options", "nosniff");
        response.insert_header(ResourcePolicy::HEADER, self.resource_policy.as_str());
        response.insert_header("Connection", if keep_alive { "keep-alive" } else { "close" });
        for (name, value) in self.headers {
            response.insert_header(name, value.as_str());
        }
        // A 304 has the headers of the response that it stands for, and no body, like a response to
        // HEAD.
        let headers_only = method == Method::Head || status == StatusCode::NotModified;
        let method = if headers_only { Method::Head } else { method };
        let mut bytes = Vec::new();
        async_h1::server::Encoder::new(response, method).read_to_end(&mut bytes).await?;
        socket.write_all(&bytes).await?;
        socket.flush().await
    }
}
