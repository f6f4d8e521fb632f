//! One connection from its first byte to its end: requests one after the other, or one endless
//! response.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use http_types::{Method, Request};
use smol::net::TcpStream;

use crate::web::{
    Web,
    admission::gate::Admitted,
    admission::{ConnectionPermit, Refusal},
    http::{
        metadata::Metadata,
        query,
        request_head::{self, Head},
        response::Response,
        route::Route,
        timeout_socket::{Peer, Socket, TimedStream, Transport},
    },
    ops::{metrics, status},
    stream::{mjpeg, snapshot},
    wall,
    wall::{
        legacy_ws,
        upgrade::{self, Accepted},
    },
};
use crate::{hub::Channel, media::RenditionRequest, time::timeout};

/// The first byte of a TLS connection: a record of the handshake protocol (RFC 8446 5.1). No
/// request begins with it.
const TLS_HANDSHAKE: u8 = 0x16;

/// Refuses a client and sends it the reason.
pub async fn refuse(stream: TcpStream, peer: SocketAddr, refusal: Refusal, web: &Web) {
    let limit = web.limits.close_timeout;
    let stream = TimedStream::new(stream, limit);
    let first = timeout(limit, stream.first_byte()).await.flatten();
    if let Some(mut socket) = open(stream, peer, first == Some(TLS_HANDSHAKE), limit, web).await
        && refusal.response().send(&mut socket, Method::Get, false).await.is_ok()
    {
        socket.close(limit).await;
    }
}

/// Serves `stream` until either side closes it.
pub async fn serve(stream: TcpStream, peer: SocketAddr, permit: &mut ConnectionPermit, web: &Web) {
    // The handshake has as much time as the first request, which it comes before.
    let limit = web.limits.head_time;
    let begin = async {
        let stream = TimedStream::new(stream, web.limits.write_stall);
        let began = Instant::now();
        let first = timeout(limit, stream.first_byte()).await.flatten()?;
        open(stream, peer, first == TLS_HANDSHAKE, limit.saturating_sub(began.elapsed()), web).await
    };
    let stopping = async {
        web.stopping().await;
        None
    };
    let Some(socket) = smol::future::or(begin, stopping).await else { return };
    if let Err(error) = converse(socket, permit, web).await {
        // Viewers often leave in the middle of a picture.
        log::debug!("web: connection from {peer} ended: {error}");
    }
}

/// Does the handshake if the connection begins one; `None` if that fails or takes longer than
/// `limit`.
async fn open(stream: TimedStream, peer: SocketAddr, is_tls: bool, limit: Duration, web: &Web) -> Option<Socket> {
    let peer = Peer { address: peer.ip(), local: stream.local_address().ok()?, is_tls };
    if !is_tls {
        return Some(Socket::new(Transport::Plain(stream), peer));
    }
    let handshake = async {
        let _permit = web.handshakes.enter(peer.address).await;
        web.tls.accept(stream).await
    };
    match timeout(limit, handshake).await {
        Some(Ok(stream)) => Some(Socket::new(Transport::Tls(Box::new(stream)), peer)),
        Some(Err(error)) => {
            log::debug!("web: TLS with {} failed: {error}", peer.address);
            None
        }
        None => {
            log::debug!("web: TLS with {} did not begin within {:.1} s", peer.address, limit.as_secs_f64());
            None
        }
    }
}

async fn converse(mut socket: Socket, permit: &mut ConnectionPermit, web: &Web) -> io::Result<()> {
    // The first request must come at once; later ones may take longer.
    let mut limit = web.limits.head_time;
    loop {
        let next = smol::future::or(async { Some(request_head::read(&mut socket, &web.limits, limit).await) }, async {
            web.stopping().await;
            None
        });
        let Head { request, metadata, keep_alive } = match next.await {
            Some(Ok(head)) => head,
            None | Some(Err(request_head::Refusal::Gone)) => return Ok(()),
            Some(Err(request_head::Refusal::Response(response, method))) => {
                response.send(&mut socket, method, false).await?;
                socket.close(web.limits.close_timeout).await;
                return Ok(());
            }
        };
        let method = request.method();
        let route = Route::of(request.url());
        let response = match web.gate.admit(&socket.peer, &request, &metadata, &route) {
            Err(refused) => refused,
            Ok(admitted) => {
                if let Err(refusal) = web.admission.identify(permit, &admitted.visitor) {
                    refusal.response().send(&mut socket, method, false).await?;
                    socket.close(web.limits.close_timeout).await;
                    return Ok(());
                }
                let asked = Asked { web, request: &request, metadata: &metadata, admitted: &admitted };
                match asked.response(route).await {
                    Reply::Whole(response) => {
                        let response = Response { resource_policy: admitted.resource_policy, ..response };
                        match admitted.strict_transport_security(&socket.peer) {
                            Some(value) => response.header("Strict-Transport-Security", value),
                            None => response,
                        }
                    }
                    Reply::Live(channel, rendition_request) => {
                        let viewer = query::viewer(request.url());
                        return mjpeg::serve(socket, web, channel, rendition_request, viewer, method, &admitted).await;
                    }
                    Reply::Wall(accepted) => return wall::serve(socket, web, accepted).await,
                    Reply::Legacy(channel, rendition_request, accepted) => {
                        return legacy_ws::serve(socket, web, channel, rendition_request, accepted).await;
                    }
                }
            }
        };
        response.send(&mut socket, method, keep_alive).await?;
        if !keep_alive {
            socket.close(web.limits.close_timeout).await;
            return Ok(());
        }
        limit = web.limits.idle;
    }
}

/// What to do with the connection.
enum Reply {
    Whole(Response),
    Live(Arc<Channel>, RenditionRequest),
    Wall(Accepted),
    Legacy(Arc<Channel>, RenditionRequest, Accepted),
}

/// One request that was admitted.
struct Asked<'a> {
    web: &'a Web,
    request: &'a Request,
    metadata: &'a Metadata,
    admitted: &'a Admitted,
}

impl Asked<'_> {
    async fn response(&self, route: Route<'_>) -> Reply {
        let web = self.web;
        let replied = match route {
            Route::Live(id) => {
                self.viewer(id).map(|(channel, rendition_request)| Reply::Live(channel, rendition_request))
            }
            Route::Snapshot(id) => match self.viewer(id) {
                Ok((channel, rendition_request)) => {
                    Ok(Reply::Whole(snapshot::take(web, &channel, rendition_request).await))
                }
                Err(response) => Err(response),
            },
            Route::Wall => self.upgrade(Some(wall::PROTOCOL)).map(Reply::Wall),
            Route::Legacy(id) => self.viewer(id).and_then(|(channel, rendition_request)| {
                Ok(Reply::Legacy(channel, rendition_request, self.upgrade(None)?))
            }),
            Route::Cameras => Ok(Reply::Whole(status::cameras(web, self.metadata, &self.admitted.visitor))),
            Route::Health => Ok(Reply::Whole(status::health(web))),
            Route::Metrics => Ok(Reply::Whole(metrics::response(web))),
            Route::File(path) => {
                let security = self.admitted.content_security_policy();
                Ok(Reply::Whole(web.files.response(web.www(), path, self.request, security).await))
            }
        };
        replied.unwrap_or_else(Reply::Whole)
    }

    /// The camera and the rendition request in a viewer's URL.
    fn viewer(&self, id: &str) -> Result<(Arc<Channel>, RenditionRequest), Response> {
        let channel =
            self.web.hub.channel(id).ok_or_else(|| Response::error(404, "there is no camera with this name"))?;
        let rendition_request =
            query::rendition_request(self.request.url()).map_err(|wrong| Response::error(400, wrong))?;
        Ok((channel, rendition_request))
    }

    fn upgrade(&self, protocol: Option<&'static str>) -> Result<Accepted, Response> {
        upgrade::check(self.request, self.metadata, self.admitted, self.web, protocol)
    }
}
