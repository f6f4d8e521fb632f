//! `/live/<id>`: Motion JPEG, as `multipart/x-mixed-replace` (RFC 2046 5.1).
//!
//! The boundary is written right after each picture and not before the next one, because Chromium
//! shows a part only when it sees the boundary that ends it (crbug.com/527446).

use std::{io, time::Instant};

use http_types::Method;
use smol::{Timer, future::FutureExt, io::AsyncWriteExt};

use crate::web::{
    Web,
    admission::{gate::Admitted, principal::Revocation, too_many},
    http::{
        response::{ResourcePolicy, Response},
        timeout_socket::Socket,
    },
    stream::{
        frame::Frame,
        jpeg_feed::{Frames, seconds},
        named_viewers::Stream,
        wanted::Wanted,
    },
};

/// A JPEG cannot contain it by chance where it counts: after CR LF and two hyphens. Readers that
/// use Content-Length do not search for it anyway.
const BOUNDARY: &str = "cctv-agent-picture-b7e1d0";

/// Streams what is `wanted` until the viewer leaves, the camera is removed, the agent stops, or the
/// principal may no longer see it. If `viewer`
/// is a name, `/api/cameras` reports what has reached it.
pub async fn serve(
    mut socket: Socket,
    web: &Web,
    wanted: Wanted,
    viewer: Option<String>,
    method: Method,
    admitted: &Admitted,
) -> io::Result<()> {
    let policy = admitted.resource_policy;
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary={BOUNDARY}\r\n\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n{}: {}\r\nConnection: close\r\n\r\n",
        ResourcePolicy::HEADER,
        policy.as_str()
    );
    if method == Method::Head {
        socket.write_all(head.as_bytes()).await?;
        socket.close(web.limits.close_timeout).await;
        return Ok(());
    }
    let _counted = match web.admission.watch(&admitted.visitor) {
        Ok(counted) => counted,
        Err(refusal) => return refuse(socket, web, refusal.response(), method, policy).await,
    };
    let mut frames = match Frames::new(web, &wanted) {
        Ok(frames) => frames,
        Err(error) => return refuse(socket, web, too_many(error), method, policy).await,
    };
    socket.write_parts([head.as_bytes(), delimiter(false).as_bytes()]).await?;
    let user = wanted.principal.name().map(str::to_owned);
    let mut stream = viewer.map(|viewer| web.streams.enter(wanted.channel.id().as_str(), viewer, user));
    let revocation = Revocation::new(wanted.principal.clone(), &web.users);
    let overdue = async {
        revocation.revoked().await;
        // The last part, which says why, may never go out to a viewer that reads slowly.
        Timer::after(web.limits.close_timeout).await;
        None
    };
    let streaming = async {
        let sent = send_all(&mut socket, &mut frames, &mut stream).await;
        Some(sent)
    };
    match streaming.or(overdue).await {
        Some(Ok(true)) => socket.close(web.limits.close_timeout).await,
        Some(Err(error)) => return Err(error),
        Some(Ok(false)) | None => {}
    }
    Ok(())
}

/// Sends every frame up to the last one. `false`: the viewer has left.
async fn send_all(socket: &mut Socket, frames: &mut Frames<'_>, stream: &mut Option<Stream>) -> io::Result<bool> {
    loop {
        let next = async { Some(frames.next().await) }.or(async {
            socket.gone().await;
            None
        });
        let Some(frame) = next.await else { return Ok(false) };
        if frame.jpeg.is_empty() {
            continue; // The card could not be drawn, which was logged; it is tried again in a second.
        }
        write_part(socket, &frame).await?;
        if let Some(stream) = stream {
            stream.delivered(&frame, Instant::now());
        }
        if frame.last {
            return Ok(true);
        }
    }
}

async fn refuse(
    mut socket: Socket,
    web: &Web,
    response: Response,
    method: Method,
    policy: ResourcePolicy,
) -> io::Result<()> {
    Response { resource_policy: policy, ..response }.send(&mut socket, method, false).await?;
    socket.close(web.limits.close_timeout).await;
    Ok(())
}

async fn write_part(socket: &mut Socket, frame: &Frame) -> io::Result<()> {
    let head = format!(
        "Content-Type: image/jpeg\r\nContent-Length: {}\r\nX-Timestamp: {}\r\nX-Sequence: {}\r\nX-State: {}\r\n\r\n",
        frame.jpeg.len(),
        seconds(frame.taken),
        frame.sequence,
        frame.state.as_str(),
    );
    let end = format!("\r\n{}", delimiter(frame.last));
    socket.write_parts([head.as_bytes(), &frame.jpeg, end.as_bytes()]).await
}

fn delimiter(last: bool) -> String {
    let end = if last { "--" } else { "" };
    format!("--{BOUNDARY}{end}\r\n")
}
