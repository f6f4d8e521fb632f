//! The handshake that turns a request into a WebSocket (RFC 6455 4.2).

use std::{io, net::IpAddr};

use async_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};
use base64::{Engine, prelude::BASE64_STANDARD};
use http_types::{Method, Request};
use smol::io::AsyncWriteExt;

use crate::hub::ViewerOrigin;
use crate::web::{
    Web,
    admission::{ViewerPermit, gate::Admitted},
    http::{
        metadata::Metadata,
        response::{ResourcePolicy, Response},
        timeout_socket::Socket,
    },
    limits::Limits,
};

/// Buffer size in bytes. Viewers send only a few bytes, so most of tungstenite's own 128 KiB for
/// every viewer would be unused, and it fills the buffer with zeros before every read.
const READ_BUFFER: usize = 1 << 10;

/// A checked handshake; counts as a viewer until it is dropped.
pub struct Accepted {
    key: String,
    protocol: Option<&'static str>,
    resource_policy: ResourcePolicy,
    pub origin: ViewerOrigin,
    /// The visitor's.
    pub address: IpAddr,
    _counted: ViewerPermit,
}

/// Checks the whole request. If `protocol` is given, the viewer must offer it.
pub fn check(
    request: &Request,
    metadata: &Metadata,
    admitted: &Admitted,
    web: &Web,
    protocol: Option<&'static str>,
) -> Result<Accepted, Response> {
    let header = |name: &str| request.header(name).map(|values| values.last().as_str());
    if request.method() != Method::Get {
        return Err(Response::error(405, "a WebSocket must be opened with GET").header("Allow", "GET"));
    }
    let lists = |name: &str, word: &str| {
        request.header(name).is_some_and(|values| {
            values.iter().flat_map(|value| value.as_str().split(',')).any(|item| item.trim().eq_ignore_ascii_case(word))
        })
    };
    if !lists("upgrade", "websocket") || !lists("connection", "upgrade") {
        let response = Response::error(
            426,
            "this address is a WebSocket; a reverse proxy passes it on with `proxy_http_version 1.1;`, \
             `proxy_set_header Upgrade $http_upgrade;` and `proxy_set_header Connection \"upgrade\";`",
        );
        return Err(response.header("Upgrade", "websocket"));
    }
    if header("sec-websocket-version") != Some("13") {
        return Err(
            Response::error(426, "only WebSocket version 13 is supported").header("Sec-WebSocket-Version", "13")
        );
    }
    let key = header("sec-websocket-key").unwrap_or("");
    if BASE64_STANDARD.decode(key).map(|bytes| bytes.len()) != Ok(16) {
        return Err(Response::error(400, "Sec-WebSocket-Key must be 16 bytes in base64"));
    }
    admitted.check_socket(metadata).map_err(|wrong| Response::error(403, wrong))?;
    if let Some(protocol) = protocol
        && !request.header("sec-websocket-protocol").is_some_and(|values| {
            values.iter().flat_map(|value| value.as_str().split(',')).any(|item| item.trim() == protocol)
        })
    {
        return Err(Response::error(400, format!("the subprotocol must be {protocol}")));
    }
    let _counted = web.admission.watch(&admitted.visitor).map_err(|refusal| refusal.response())?;
    Ok(Accepted {
        key: key.to_owned(),
        protocol,
        resource_policy: admitted.resource_policy,
        address: admitted.visitor.address,
        origin: admitted.visitor.origin(),
        _counted,
    })
}

/// Sends the handshake's response and hands the connection over to the WebSocket.
pub async fn open(mut socket: Socket, accepted: &Accepted, limits: &Limits) -> io::Result<WebSocketStream<Socket>> {
    let mut head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\
         {}: {}\r\n",
        derive_accept_key(accepted.key.as_bytes()),
        ResourcePolicy::HEADER,
        accepted.resource_policy.as_str()
    );
    if let Some(protocol) = accepted.protocol {
        head.push_str(&format!("Sec-WebSocket-Protocol: {protocol}\r\n"));
    }
    head.push_str("\r\n");
    socket.write_all(head.as_bytes()).await?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(limits.message_bytes))
        .max_frame_size(Some(limits.message_bytes));
    Ok(WebSocketStream::from_raw_socket(socket, Role::Server, Some(config)).await)
}
