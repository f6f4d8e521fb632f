//! The RTSP methods (RFC 2326) of the camera's own server.

use std::{net::UdpSocket, sync::Arc};

use super::{
    connection::Connection,
    login::Login,
    message::{Answer, Request},
    sdp::{self, Description},
    sender::{Sender, Way},
    server::Server,
    session::Session,
    transport::{self, Transport},
};
use crate::{
    camera::count,
    feed::{Feed, Kind},
};

const PUBLIC: &str = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER";
/// Attempts to find a free pair of UDP ports.
const PORT_ATTEMPTS: usize = 100;

/// The answer to a request, and the session that plays from then on.
pub fn answer(
    server: &Arc<Server>,
    connection: &Connection,
    request: &Request,
    login: &mut Login,
) -> (Answer, Option<Arc<Session>>) {
    let (camera, habits) = (&server.camera, server.camera.habits());
    if request.header("authorization").is_some() {
        // Counts once per request, also without a challenge.
        camera.counters.count_proof("RTSP");
    }
    let context = Context { server, connection, request };
    match request.method.as_str() {
        "OPTIONS" if habits.no_options => return (Answer::new(501), None),
        "OPTIONS" => return (Answer::new(200).with("Public", PUBLIC), None),
        _ => {}
    }
    if let Err(challenges) = login.check(camera, request) {
        let refusal = Answer::new(401);
        let refusal =
            challenges.into_iter().fold(refusal, |refusal, challenge| refusal.with("WWW-Authenticate", challenge));
        return (refusal, None);
    }
    let answer = match request.method.as_str() {
        "DESCRIBE" => context.describe(),
        "SETUP" => context.setup(),
        "PLAY" => return context.play(),
        "PAUSE" => context.pause(),
        "TEARDOWN" => context.teardown(),
        "GET_PARAMETER" if habits.no_get_parameter => Err(501),
        "GET_PARAMETER" | "SET_PARAMETER" => context.keep_alive(),
        _ => Err(501),
    };
    (answer.unwrap_or_else(Answer::new), None)
}

/// A request and where it came from.
struct Context<'a> {
    server: &'a Arc<Server>,
    connection: &'a Connection,
    request: &'a Request,
}

/// A refusal is a status.
type Outcome = Result<Answer, u16>;

impl Context<'_> {
    /// The stream of the request, and the track if it names one.
    fn feed(&self) -> Result<(&Arc<Feed>, Option<usize>), u16> {
        // A control is put behind the whole URL, also behind a query.
        let last = self.url().rsplit('/').next().unwrap_or_default();
        let track = (0..2).find(|number| sdp::control(*number) == last);
        let path = self.request.path();
        let stream = track.and_then(|_| path.strip_suffix(last)).unwrap_or(path).trim_matches('/');
        let feed = self.server.feeds.iter().find(|feed| feed.stream.name() == stream).ok_or(404_u16)?;
        Ok((feed, track))
    }

    fn session(&self) -> Result<Arc<Session>, u16> {
        self.request.session().and_then(|id| self.server.session(id)).ok_or(454)
    }

    fn answer_in(&self, session: &Session) -> Answer {
        let timeout = self.server.session_timeout().as_secs();
        let blank = if self.server.camera.habits().odd_headers { " " } else { "" };
        Answer::new(200).with("Session", format!("{};{blank}timeout={timeout}", session.id))
    }

    /// The URL of the stream as the client wrote it, without a slash at its end.
    fn url(&self) -> &str {
        self.request.url.trim_end_matches('/')
    }

    fn describe(&self) -> Outcome {
        let (feed, track) = self.feed()?;
        if track.is_some() {
            return Err(404);
        }
        if self.request.header("accept").is_some_and(|accept| !accept.contains("application/sdp") && accept != "*/*") {
            return Err(406);
        }
        let (settings, habits, offer) =
            (&self.server.camera.settings, self.server.camera.habits(), feed.stream.offer());
        let sets = feed.sets(offer);
        let description = Description {
            ip: self.connection.local,
            id: u64::from(getrandom::u32().unwrap_or_default()),
            name: &settings.name,
            offer,
            law: settings.sound().law,
            sets: sets.as_ref(),
            size: feed.stream.size(),
            fps: settings.fps,
            bitrate: feed.stream.bitrate(),
            url: self.url(),
            habits,
        };
        let mut answer = Answer::new(200).with("Content-Type", "application/sdp");
        if !habits.no_content_base {
            answer = answer.with("Content-Base", format!("{}/", self.url()));
        }
        answer.body = description.text();
        Ok(answer)
    }

    fn setup(&self) -> Outcome {
        let (feed, track) = self.feed()?;
        let (offer, habits) = (feed.stream.offer(), self.server.camera.habits());
        let mut kinds = Vec::new();
        kinds.extend(offer.video.map(|codec| (Kind::Video, sdp::payload_type(codec))));
        kinds.extend(offer.audio.then_some((Kind::Audio, self.server.camera.settings.sound().law.payload_type())));
        // The URL of the stream itself means the only track.
        let track = track.or((kinds.len() == 1).then_some(0)).ok_or(459_u16)?;
        let (kind, payload_type) = *kinds.get(track).ok_or(404_u16)?;
        let payload_type = match habits.payload_types {
            Some((packets, _)) if kind == Kind::Video => packets,
            _ => payload_type,
        };
        let offers = transport::offered(self.request.header("transport").ok_or(400_u16)?);
        let wanted = offers.into_iter().find(|offer| match offer {
            Transport::Tcp(_) => !habits.no_tcp,
            Transport::Udp(..) => !habits.no_udp,
        });
        let wanted = wanted.ok_or(461_u16)?;
        let session = match self.request.session() {
            Some(_) => Some(self.session()?),
            None => None,
        };
        if session.as_ref().is_some_and(|session| !Arc::ptr_eq(&session.feed, feed)) {
            return Err(459);
        }
        let (way, mut words) = self.way(wanted, track)?;
        let session = match session {
            Some(session) => session,
            None => {
                let session = self.server.open(feed)?;
                self.connection.adopt(Arc::clone(&session));
                session
            }
        };
        if kind == Kind::Audio {
            count(&self.server.camera.counters.sounds_opened);
        }
        let sender = session.add(track, Sender::new(kind, payload_type, way));
        feed.prepare();
        let ssrc = if habits.wrong_ssrc { !sender.ssrc } else { sender.ssrc };
        words.push_str(&format!(";ssrc={ssrc:08X};mode=\"PLAY\""));
        Ok(self.answer_in(&session).with("Transport", words))
    }

    /// The way of the packets of one track, and its `Transport` header.
    fn way(&self, wanted: Transport, track: usize) -> Result<(Way, String), u16> {
        let habits = self.server.camera.habits();
        match wanted {
            Transport::Tcp(channels) => {
                let first = 2 * track as u8;
                let (rtp, rtcp) = channels.unwrap_or((first, first + 1));
                let way = Way::Tcp { outbox: Arc::clone(&self.connection.outbox), rtp, rtcp };
                let protocol = if habits.plain_transport { "RTP/AVP" } else { "RTP/AVP/TCP" };
                Ok((way, format!("{protocol};unicast;interleaved={rtp}-{rtcp}")))
            }
            Transport::Udp(first, second) => {
                let (rtp, rtcp, port) = self.port_pair().ok_or(503_u16)?;
                let to = |port| (self.connection.peer, port).into();
                let way = Way::Udp { rtp, rtcp, to: to(first), reports_to: to(second) };
                let client = format!("client_port={first}-{second}");
                let own = format!(";server_port={port}-{}", port + 1);
                let own = if habits.no_server_port { "" } else { &own };
                Ok((way, format!("RTP/AVP;unicast;{client}{own}")))
            }
        }
    }

    /// Two UDP sockets at ports one after the other, the first one even. They never block.
    fn port_pair(&self) -> Option<(UdpSocket, UdpSocket, u16)> {
        (0..PORT_ATTEMPTS).find_map(|_| {
            let rtp = UdpSocket::bind((self.connection.local, 0)).ok()?;
            let port = rtp.local_addr().ok()?.port();
            let rtcp = UdpSocket::bind((self.connection.local, port.checked_add(1)?)).ok()?;
            rtp.set_nonblocking(true).ok()?;
            rtcp.set_nonblocking(true).ok()?;
            port.is_multiple_of(2).then_some((rtp, rtcp, port))
        })
    }

    fn play(&self) -> (Answer, Option<Arc<Session>>) {
        let session = match self.session() {
            Ok(session) => session,
            Err(status) => return (Answer::new(status), None),
        };
        count(&self.server.camera.counters.plays);
        let now = session.feed.now();
        let info: Vec<_> = session
            .tracks()
            .iter()
            .map(|(track, sender)| {
                let (control, sequence, time) = (sdp::control(*track), sender.sequence(), sender.timestamp(now));
                format!("url={}/{control};seq={sequence};rtptime={time}", self.url())
            })
            .collect();
        let mut answer = self.answer_in(&session).with("Range", "npt=0.000-");
        if !self.server.camera.habits().no_rtp_info {
            answer = answer.with("RTP-Info", info.join(","));
        }
        (answer, Some(session))
    }

    fn pause(&self) -> Outcome {
        let session = self.session()?;
        session.pause();
        Ok(self.answer_in(&session))
    }

    fn teardown(&self) -> Outcome {
        let session = self.session()?;
        count(&self.server.camera.counters.teardowns);
        self.server.end(&session);
        Ok(Answer::new(200).with("Session", session.id.clone()))
    }

    fn keep_alive(&self) -> Outcome {
        match self.request.session() {
            Some(_) => {
                let session = self.session()?;
                session.touch();
                Ok(self.answer_in(&session))
            }
            None => Ok(Answer::new(200)),
        }
    }
}
