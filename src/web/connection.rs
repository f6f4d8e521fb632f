//! One connection from its first byte to its end: requests one after the other, or one endless answer.

use std::{io, net::SocketAddr, sync::Arc};

use http_types::{Method, Request};
use smol::net::TcpStream;

use super::{
    Web,
    answer::Answer,
    doors::Refusal,
    head::{self, Head},
    legacy, metrics, mjpeg, query,
    route::Route,
    snapshot,
    socket::Socket,
    status, upgrade, wall,
};
use crate::{hub::Channel, media::Wish};

/// Tells somebody why he is not let in.
pub async fn refuse(stream: TcpStream, peer: SocketAddr, refusal: Refusal, web: &Web) {
    let mut socket = Socket::new(stream, peer.ip(), web.limits.farewell);
    if refusal.answer().send(&mut socket, Method::Get, false).await.is_ok() {
        socket.close(web.limits.farewell).await;
    }
}

/// Serves `stream` until either side ends it.
pub async fn serve(stream: TcpStream, peer: SocketAddr, web: &Web) {
    let socket = Socket::new(stream, peer.ip(), web.limits.write_stall);
    if let Err(error) = converse(socket, web).await {
        // A viewer that leaves in the middle of a picture is everyday life.
        log::debug!("web: connection from {peer} ended: {error}");
    }
}

async fn converse(mut socket: Socket, web: &Web) -> io::Result<()> {
    // A new connection has its request ready; only later ones may take their time.
    let mut patience = web.limits.head_time;
    loop {
        let next = smol::future::or(async { Some(head::read(&mut socket, &web.limits, patience).await) }, async {
            web.stopping().await;
            None
        });
        let Head { request, keep_alive } = match next.await {
            Some(Ok(head)) => head,
            None | Some(Err(head::Refusal::Gone)) => return Ok(()),
            Some(Err(head::Refusal::Answer(answer, method))) => {
                answer.send(&mut socket, method, false).await?;
                socket.close(web.limits.farewell).await;
                return Ok(());
            }
        };
        let method = request.method();
        let answer = match Route::of(request.url()) {
            Route::Live(id) => match viewer(web, id, &request) {
                Ok((channel, wish)) => {
                    let viewer = query::viewer(request.url());
                    return mjpeg::serve(socket, web, channel, wish, viewer, method).await;
                }
                Err(answer) => answer,
            },
            Route::Snapshot(id) => match viewer(web, id, &request) {
                Ok((channel, wish)) => snapshot::take(web, &channel, wish).await,
                Err(answer) => answer,
            },
            Route::Wall => match upgrade::check(&request, web, socket.peer, Some(wall::PROTOCOL)) {
                Ok(accepted) => return wall::serve(socket, web, accepted).await,
                Err(answer) => answer,
            },
            Route::Legacy(id) => {
                let checked = viewer(web, id, &request)
                    .and_then(|wanted| Ok((wanted, upgrade::check(&request, web, socket.peer, None)?)));
                match checked {
                    Ok(((channel, wish), accepted)) => {
                        return legacy::serve(socket, web, channel, wish, accepted).await;
                    }
                    Err(answer) => answer,
                }
            }
            Route::Cameras => status::cameras(web),
            Route::Health => status::health(web),
            Route::Metrics => metrics::answer(web),
            Route::File(path) => web.files.answer(web.www(), path, &request).await,
        };
        answer.send(&mut socket, method, keep_alive).await?;
        if !keep_alive {
            socket.close(web.limits.farewell).await;
            return Ok(());
        }
        patience = web.limits.idle;
    }
}

/// The camera and the wish a viewer's address names.
fn viewer(web: &Web, id: &str, request: &Request) -> Result<(Arc<Channel>, Wish), Answer> {
    let channel = web.hub.channel(id).ok_or_else(|| Answer::error(404, "there is no camera of this name"))?;
    let wish = query::wish(request.url()).map_err(|wrong| Answer::error(400, wrong))?;
    Ok((channel, wish))
}
