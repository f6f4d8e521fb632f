//! One connection from its first byte to its end: requests one after the other, or one endless
//! response.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use http_types::Method;
use smol::net::TcpStream;

use crate::time::timeout;
use crate::web::{
    Web,
    admission::{
        ConnectionPermit, Refusal,
        identification::{self, Identification},
        principal::Principal,
    },
    http::{
        query,
        request_head::{self, Head},
        response::Response,
        route::Route,
        timeout_socket::{Peer, Socket, TimedStream, Transport},
    },
    ops::{metrics, status},
    ptz,
    stream::{kept_picture, mjpeg, snapshot, sound, wanted::Wanted},
    visible_cameras::VisibleCameras,
    wall,
    wall::{
        control, legacy_ws, past,
        upgrade::{self, Accepted},
    },
};

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
        return Some(Socket::new(Transport::Plain(Box::new(stream)), peer));
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
        let Head { request, metadata, body, keep_alive } = match next.await {
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
                let asked = Identification { web, request: &request, metadata: &metadata, admitted: &admitted };
                let replied = match asked.principal(&route).await {
                    Ok(principal) => {
                        Asked { asked: &asked, principal: principal.as_ref(), body: &body }.response(route).await
                    }
                    Err(refused) => Reply::Whole(refused),
                };
                match replied {
                    Reply::Whole(response) => {
                        let response = Response { resource_policy: admitted.resource_policy, ..response };
                        match admitted.strict_transport_security(&socket.peer) {
                            Some(value) => response.header("Strict-Transport-Security", value),
                            None => response,
                        }
                    }
                    Reply::Live(wanted) => {
                        let viewer = query::viewer(request.url());
                        return mjpeg::serve(socket, web, wanted, viewer, method, &admitted).await;
                    }
                    Reply::Sound(heard) => return sound::serve(socket, web, *heard, method, &admitted).await,
                    Reply::Wall(cameras, accepted) => return wall::serve(socket, web, cameras, accepted).await,
                    Reply::Legacy(wanted, accepted) => return legacy_ws::serve(socket, web, wanted, accepted).await,
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
    Live(Wanted),
    Sound(Box<sound::Heard>),
    Wall(VisibleCameras, Accepted),
    Legacy(Wanted, Accepted),
}

/// One request, whose principal may have what it asks for.
struct Asked<'a> {
    asked: &'a Identification<'a>,
    /// Always there where the route needs one.
    principal: Option<&'a Principal>,
    body: &'a [u8],
}

impl Asked<'_> {
    async fn response(&self, route: Route<'_>) -> Reply {
        let Identification { web, request, metadata, admitted } = *self.asked;
        let file = async |path: &str| {
            let security = admitted.content_security_policy();
            Reply::Whole(web.files.response(web.www(), path, request, security).await)
        };
        match (route, self.principal) {
            (Route::Live(id), Some(principal)) => self.wanted(id, principal).map_or_else(Reply::Whole, Reply::Live),
            (Route::Snapshot(id), Some(principal)) => {
                Reply::Whole(self.snapshot(id, principal).await.unwrap_or_else(|response| response))
            }
            (Route::Past(id), Some(principal)) => {
                Reply::Whole(self.past(id, principal).unwrap_or_else(|response| response))
            }
            (Route::Sound(id), Some(principal)) => match sound::open(self.asked, id, principal).await {
                Ok(heard) => Reply::Sound(Box::new(heard)),
                Err(response) => Reply::Whole(response),
            },
            (Route::Wall, Some(principal)) => match self.upgrade(Some(wall::PROTOCOL)) {
                Ok(accepted) => Reply::Wall(web.cameras(principal), accepted),
                Err(response) => Reply::Whole(response),
            },
            (Route::Legacy(id), Some(principal)) => {
                let replied =
                    self.wanted(id, principal).and_then(|wanted| Ok(Reply::Legacy(wanted, self.upgrade(None)?)));
                replied.unwrap_or_else(Reply::Whole)
            }
            (Route::Cameras, Some(principal)) => {
                Reply::Whole(status::cameras(web, metadata, &admitted.visitor, principal))
            }
            (Route::Ptz(id), Some(principal)) => {
                Reply::Whole(ptz::response(self.asked, id, self.body, principal).await)
            }
            (Route::Metrics, Some(principal)) => Reply::Whole(metrics::response(web, principal)),
            (Route::WallState(name), Some(principal)) => Reply::Whole(control::state(web, name, principal)),
            (Route::WallOrder(name, order), Some(principal)) => {
                Reply::Whole(control::obey(self.asked, name, order, self.body, principal))
            }
            (Route::Users, Some(_)) => Reply::Whole(status::users(web)),
            (Route::Health, principal) => Reply::Whole(status::health(web, principal)),
            (Route::Login, principal) if request.method() == Method::Post => {
                Reply::Whole(identification::log_in(self.asked, principal).await)
            }
            (Route::Login, _) => file("/login.html").await,
            (Route::Logout, _) => Reply::Whole(identification::log_out(self.asked).await),
            (Route::File(path), _) => file(path).await,
            // `Identification::principal` lets nobody come here.
            (_, None) => Reply::Whole(Response::error(401, "log in first")),
        }
    }

    /// One picture. While it is waited for, it may need a decoder and an encoder like any viewer.
    async fn snapshot(&self, id: &str, principal: &Principal) -> Result<Response, Response> {
        let Identification { web, request, admitted, .. } = *self.asked;
        let wanted = self.wanted(id, principal)?;
        let _counted = web.admission.watch(&admitted.visitor).map_err(|refusal| refusal.response())?;
        match request.method() {
            Method::Post => kept_picture::keep(self.asked, id, &wanted).await,
            _ => Ok(snapshot::take(web, &wanted).await),
        }
    }

    /// The last seconds, which count as a viewer while they are sent.
    fn past(&self, id: &str, principal: &Principal) -> Result<Response, Response> {
        let Identification { web, request, admitted, .. } = *self.asked;
        let channel = web.cameras(principal).channel(id);
        let channel = channel.ok_or_else(|| Response::error(404, "there is no camera with this name"))?;
        let _counted = web.admission.watch(&admitted.visitor).map_err(|refusal| refusal.response())?;
        Ok(past::response(&channel, request.url()))
    }

    /// What a viewer's URL asks for.
    fn wanted(&self, id: &str, principal: &Principal) -> Result<Wanted, Response> {
        let Identification { web, request, admitted, .. } = *self.asked;
        let channel = web.cameras(principal).channel(id);
        let channel = channel.ok_or_else(|| Response::error(404, "there is no camera with this name"))?;
        let rendition_request = query::rendition_request(request.url()).map_err(|wrong| Response::error(400, wrong))?;
        let origin = admitted.visitor.origin();
        Ok(Wanted { channel, rendition_request, principal: principal.clone(), origin })
    }

    fn upgrade(&self, protocol: Option<&'static str>) -> Result<Accepted, Response> {
        let Identification { web, request, metadata, admitted } = *self.asked;
        upgrade::check(request, metadata, admitted, web, protocol)
    }
}
