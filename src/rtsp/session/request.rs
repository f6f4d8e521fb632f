//! The requests of a session, and its responses to the camera's requests.

use std::time::Instant;

use super::{Action, Error, Note, Pending, Session, State};
use crate::{
    camera::{StreamUri, Transport},
    http_auth::login::Login,
    rtsp::{
        message::{self, Method, RequestWriter},
        sdp::{SessionDescription, Track},
        transport,
    },
    tls::client::KeyCheck,
};

impl Session {
    /// Sends `method` and awaits its response.
    pub(super) fn request(&mut self, now: Instant, method: Method) {
        let (bytes, cseq, has_login) = self.write(method);
        let waited = match method {
            Method::Setup | Method::Play => self.config.timeouts.setup,
            _ => self.config.timeouts.response,
        };
        self.pending = Some(Pending { method, cseq, deadline: now + waited, waited, has_login });
        self.on_connection.misnumbered = None;
        self.actions.push_back(Action::Send(bytes));
    }

    /// Sends a keepalive; nobody waits for its response.
    pub(super) fn send_keepalive(&mut self, now: Instant, method: Method) {
        let (bytes, cseq, _) = self.write(method);
        if let Some(keepalive) = &mut self.on_connection.keepalive {
            keepalive.sent(now, cseq, method);
        }
        self.actions.push_back(Action::Send(bytes));
    }

    /// The bytes of the next request, its number, and whether it carries a login.
    pub(super) fn write(&mut self, method: Method) -> (Vec<u8>, u32, bool) {
        self.cseq += 1;
        let connection = &self.on_connection;
        let url = match (method, &connection.urls) {
            (Method::Describe, _) | (_, None) => &self.asked,
            (Method::Setup, Some(urls)) => &urls.track,
            _ => &connection.play_url,
        };
        let mut request = RequestWriter::new(method, url, self.cseq);
        let authorization = self.login.authorization(method.as_str(), url);
        if let Some(authorization) = &authorization {
            request = request.header("Authorization", authorization);
        }
        if let Some(id) = &connection.session_id {
            request = request.header("Session", id);
        }
        request = match method {
            Method::Describe => request.header("Accept", "application/sdp"),
            Method::Setup => request.header("Transport", &transport::requested(self.transport, connection.client_port)),
            Method::Play if !connection.without_range => request.header("Range", "npt=0.000-"),
            _ => request,
        };
        (request.finish(), self.cseq, authorization.is_some())
    }

    /// Answers the camera's `request`.
    pub(super) fn on_request(&mut self, request: &message::Request) {
        let session = self.on_connection.session_id.clone();
        let bytes = message::write_response(200, "OK", request, session.as_deref());
        self.actions.push_back(Action::Send(bytes));
        self.actions.push_back(Action::Note(Note::CameraRequest { method: super::response::name(&request.method) }));
        match request.method.as_str() {
            "TEARDOWN" => self.finish(Some(Error::EndedByCamera)),
            "REDIRECT" => self.end(Some(Error::NewSessionWanted)),
            "ANNOUNCE" if self.is_changed_by(&request.body) => self.end(Some(Error::NewSessionWanted)),
            _ => {}
        }
    }

    /// Whether `body` describes another track than the one that is read.
    fn is_changed_by(&self, body: &[u8]) -> bool {
        let description = SessionDescription::read(body);
        match &self.on_connection.track {
            Some(Track::Video(track)) => description.video().is_ok_and(|announced| announced != *track),
            Some(Track::Audio(track)) => description.audio().is_ok_and(|announced| announced != *track),
            None => false,
        }
    }

    /// The response to PLAY was good, or packets came without it.
    pub(super) fn playing(&mut self, now: Instant) {
        self.state = State::Playing;
        let timeout = self.session_timeout();
        let learnt = &self.learnt;
        let keepalive = super::Keepalive::new(now, timeout, learnt.keepalive_within, learnt.options_only);
        let first_packet_by = now + self.first_packet_timeout();
        let connection = &mut self.on_connection;
        connection.keepalive = Some(keepalive);
        connection.playing_since = Some(now);
        connection.first_packet_by = (!connection.has_packets).then_some(first_packet_by);
        self.learnt.unanswered_closes = 0;
        self.actions.push_back(Action::Playing);
    }

    /// The key that the camera must have over TLS.
    pub fn key_check(&self) -> KeyCheck {
        self.config.tls.clone()
    }

    /// The login of the HTTP requests that make a tunnel.
    pub fn tunnel_login(&mut self) -> &mut Login {
        &mut self.tunnel_login
    }

    /// Path and query of the stream.
    pub fn path(&self) -> String {
        StreamUri::split(&self.asked).map_or_else(|| "/".to_owned(), |(uri, _)| uri.path_and_query())
    }

    /// The transport that this connection uses.
    pub fn transport(&self) -> Transport {
        self.transport
    }
}
