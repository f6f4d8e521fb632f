//! `/api/cameras/<id>/sound`: the sound of a camera, as it encodes it, for as long as somebody listens.

use std::{io, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http_types::Method;
use serde_json::{Value, json};
use smol::{future::FutureExt, io::AsyncWriteExt};

use crate::web::{
    Web,
    admission::{
        ViewerPermit,
        gate::Admitted,
        identification::Identification,
        principal::{Principal, Revocation},
    },
    http::{
        response::{ResourcePolicy, Response},
        timeout_socket::Socket,
    },
    reasons,
    stream::frame::unix_now,
    wall::protocol::sound_header,
};
use crate::{
    sound::{Listener, QueuedSound, SoundCodec, SoundEvent, SoundFormat, SoundState},
    text::{Code, Reason},
    time::timeout,
};

/// Time for the camera to open its session and send the first sound.
const OPEN_TIMEOUT: Duration = Duration::from_secs(20);

/// A camera that is heard, before the first byte is sent.
pub struct Heard {
    listener: Listener,
    format: Arc<SoundFormat>,
    principal: Principal,
    _counted: ViewerPermit,
}

/// Begins to listen to the camera `id`, and waits until there is sound.
///
/// # Errors
/// The response to send instead.
pub async fn open(asked: &Identification<'_>, id: &str, principal: &Principal) -> Result<Heard, Response> {
    let web = asked.web;
    if web.cameras(principal).channel(id).is_none() {
        return Err(Response::error(404, "there is no camera with this name"));
    }
    let Some(feed) = web.sounds.get(id) else {
        return Err(Response::error(409, "this camera is not heard: it has no sound = true in cameras.toml"));
    };
    if !matches!(asked.request.method(), Method::Get | Method::Head) {
        return Err(Response::error(405, "sound is read with GET").header("Allow", "GET, HEAD"));
    }
    let counted = web.admission.watch(&asked.admitted.visitor).map_err(|refusal| refusal.response())?;
    let listener = feed.listen();
    let revocation = Revocation::new(principal.clone(), &web.users);
    let opened = async {
        loop {
            match listener.next().await {
                SoundEvent::State(SoundState::Playing(format)) => return Ok(format),
                SoundEvent::State(SoundState::Failed(reason)) => return Err(failed(principal, reason)),
                SoundEvent::State(SoundState::Opening) | SoundEvent::Unit(_) => {}
                SoundEvent::Closed => return Err(Response::error(409, "this camera is no longer heard")),
            }
        }
    };
    let over = async {
        let why = web.stopping().or(async {
            revocation.revoked().await;
            Revocation::REASON.to_owned()
        });
        Err(Response::error(503, why.await))
    };
    let opened = timeout(OPEN_TIMEOUT, over.or(opened)).await;
    let format = opened.unwrap_or_else(|| Err(Response::error(504, "the camera has not answered yet")))?;
    Ok(Heard { listener, format, principal: principal.clone(), _counted: counted })
}

/// What `principal` may know of the reason why there is no sound. At least that there is none.
fn failed(principal: &Principal, reason: Reason) -> Response {
    let mut visible = principal.reason(reason);
    if visible.parts().is_empty() {
        visible = Code::NoSound.into();
    }
    Response::json(502, &json!({ "error": &*visible, "reason": reasons::as_json(&visible) }))
}

/// Sends the sound until the listener leaves, the camera can no longer be heard, sends another format, or the
/// principal may no longer hear it. While the camera is away, nothing is sent, and it goes on when there is sound again.
pub async fn serve(
    mut socket: Socket,
    web: &Web,
    Heard { listener, format, principal, _counted }: Heard,
    method: Method,
    admitted: &Admitted,
) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nX-Audio: {}\r\n\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n{}: {}\r\nConnection: close\r\n\r\n",
        described(&format),
        ResourcePolicy::HEADER,
        admitted.resource_policy.as_str()
    );
    socket.write_all(head.as_bytes()).await?;
    if method == Method::Head {
        socket.close(web.limits.close_timeout).await;
        return Ok(());
    }
    let revocation = Revocation::new(principal, &web.users);
    let over = async {
        web.stopping()
            .or(async {
                revocation.revoked().await;
                String::new()
            })
            .await;
        Ok(())
    };
    let sending = send_all(&mut socket, &listener, &format);
    over.or(sending).await?;
    socket.close(web.limits.close_timeout).await;
    Ok(())
}

async fn send_all(socket: &mut Socket, listener: &Listener, format: &Arc<SoundFormat>) -> io::Result<()> {
    loop {
        let next = async { Some(listener.next().await) }.or(async {
            socket.gone().await;
            None
        });
        match next.await {
            Some(SoundEvent::Unit(queued)) => write_unit(socket, &format.codec, &queued).await?,
            Some(SoundEvent::State(SoundState::Playing(now))) if now != *format => return Ok(()),
            Some(SoundEvent::State(_)) => {}
            Some(SoundEvent::Closed) | None => return Ok(()),
        }
    }
}

async fn write_unit(socket: &mut Socket, codec: &SoundCodec, queued: &QueuedSound) -> io::Result<()> {
    let header = sound_header(codec, queued);
    let data = &queued.unit.data;
    // A unit has at most some kilobytes.
    let length = u32::try_from(header.len() + data.len()).unwrap_or(u32::MAX).to_le_bytes();
    socket.write_parts([&length, &header, data]).await
}

/// What a decoder has to know, and when it was sent.
fn described(format: &SoundFormat) -> Value {
    let config = match &format.codec {
        SoundCodec::Aac { config } => Some(BASE64.encode(config)),
        SoundCodec::Pcmu | SoundCodec::Pcma => None,
    };
    json!({
        "format": format.codec.as_str(),
        "codec": format.codec.to_string(),
        "sample_rate": format.sample_rate,
        "channels": format.channels,
        "config": config,
        "now": unix_now() / 1000,
    })
}
