//! What follows each response of the camera.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{Action, Error, MAX_REDIRECTS, Note, Pending, Session, State, Wanted, encrypted, is_tls};
use crate::{
    camera::StreamUri,
    http_auth::{
        challenge,
        login::{LoginError, Next},
    },
    rtsp::{
        message::{Method, Response},
        sdp::{NoAudio, NoVideo, SessionDescription, Track},
        transport::{read_delivery, read_session},
        url::{self, Described},
    },
    text,
};

/// Maximum number of formats or media that a message names.
const MAX_NAMED_FORMATS: usize = 8;
/// Maximum length of a camera's name of something in a message, in characters.
const MAX_NAME_LEN: usize = 80;

/// How long a response with the number of an earlier request waits for the right one.
const MISNUMBERED_WAIT: Duration = Duration::from_secs(1);

impl Session {
    pub(super) fn on_response(&mut self, now: Instant, response: Response) {
        if (100..200).contains(&response.status) {
            return;
        }
        match self.pending {
            Some(pending) => match response.headers.cseq() {
                // A late response to an earlier request. Or the camera counts wrongly: if no other one
                // comes, this is it.
                Some(cseq) if cseq < pending.cseq => {
                    let at = (now + MISNUMBERED_WAIT).min(pending.deadline);
                    self.on_connection.misnumbered = Some((at, response));
                }
                _ => {
                    self.pending = None;
                    self.on_connection.misnumbered = None;
                    self.answered(now, pending, response);
                }
            },
            None => self.keepalive_answered(now, &response),
        }
    }

    /// The response to a keepalive, or one that belongs to nothing.
    fn keepalive_answered(&mut self, now: Instant, response: &Response) {
        let keepalive = self.on_connection.keepalive.as_mut();
        let Some(method) = keepalive.and_then(|keepalive| keepalive.answered(response)) else {
            return self.actions.push_back(Action::Note(Note::StrayResponse { status: response.status }));
        };
        if response.status != 401 {
            if response.status < 300 {
                self.login.accepted();
            }
            return;
        }
        let challenges = challenge::parse(response.headers.all("www-authenticate"));
        match self.login.refused(&challenges, true) {
            Next::Retry | Next::RetryInClear => self.send_keepalive(now, method),
            // The video goes on. Keepalives without a login do not lock the account.
            _ => self.login.forget(),
        }
    }

    /// `response` is the one to `pending`.
    pub(super) fn answered(&mut self, now: Instant, pending: Pending, response: Response) {
        self.learn_session(pending.method, &response);
        let method = pending.method;
        let challenges = challenge::parse(response.headers.all("www-authenticate"));
        // Some servers hide streams from those who have not logged in.
        let is_hidden = response.status == 404 && !challenges.is_empty() && !pending.has_login;
        if response.status == 401 || is_hidden && self.config.credentials.is_some() {
            return self.login_refused(now, pending, response.status, &challenges);
        }
        if pending.has_login && response.status < 300 {
            self.login.accepted();
        }
        match (response.status, method) {
            (200..300, Method::Describe) => self.described(now, &response),
            (200..300, Method::Setup) => self.set_up(now, &response),
            (200..300, _) => self.playing(now),
            (300..400, _) => self.redirected(&response),
            (403, _) => self.end(Some(LoginError::Denied { status: 403 }.into())),
            (406 | 461, Method::Setup) => {
                let error = Error::TransportRefused { transport: self.transport, status: Some(response.status) };
                self.switch_transport(Some(response.status), error);
            }
            (453 | 503, _) => {
                let retry_after = self.session_timeout();
                self.end(Some(Error::TooManyViewers { status: Some(response.status), retry_after }));
            }
            (457, Method::Play) if !self.on_connection.without_range => {
                self.on_connection.without_range = true;
                self.request(now, Method::Play);
            }
            (400 | 404 | 454, Method::Setup | Method::Play) if self.use_our_authority() => self.request(now, method),
            (404 | 459, Method::Play) if self.use_track_url() => self.request(now, Method::Play),
            (460, Method::Play) if self.use_session_url() => self.request(now, Method::Play),
            (400 | 404, _) => self.end(Some(Error::NotFound { status: response.status })),
            (454 | 455, _) if !self.has_restarted => {
                self.has_restarted = true;
                self.reconnect();
            }
            (454 | 455, _) => self.end(Some(Error::SessionLost { status: response.status })),
            (status, _) => {
                self.end(Some(Error::Refused { method, status, reason: text::reason(&response.reason) }));
            }
        }
    }

    fn login_refused(&mut self, now: Instant, pending: Pending, status: u16, challenges: &[challenge::Challenge]) {
        self.on_connection.has_refused_login = true;
        let next = self.login.refused(challenges, pending.has_login);
        let over_tls = is_tls(&self.asked);
        if next == Next::RetryInClear && !over_tls {
            self.actions.push_back(Action::Note(Note::PasswordInClear));
        }
        let seen = self.config.tls.seen().filter(|_| over_tls);
        match next.in_clear(status, seen.map(|seen| seen.key)) {
            Ok(_) => self.request(now, pending.method),
            Err(error) => self.end(Some(error.into())),
        }
    }

    fn described(&mut self, now: Instant, response: &Response) {
        let description = SessionDescription::read(&response.body);
        let track = match track(&description, self.config.wanted) {
            Ok(track) => track,
            Err(error) => return self.end(Some(error)),
        };
        if let Track::Video(track) = &track {
            let others = description.others(track);
            if !others.is_empty() {
                let others = others.iter().take(MAX_NAMED_FORMATS).map(|other| name(other)).collect();
                self.actions.push_back(Action::Note(Note::OtherMedia(others)));
            }
        }
        let headers = &response.headers;
        let urls = url::resolve(
            &self.asked,
            Described {
                content_base: headers.get("content-base"),
                content_location: headers.get("content-location"),
                session_control: description.control(),
                track_control: track.control(),
            },
        );
        let connection = &mut self.on_connection;
        connection.play_url = urls.session.clone();
        connection.urls = Some(urls);
        connection.track = Some(track);
        self.request(now, Method::Setup);
    }

    fn set_up(&mut self, now: Instant, response: &Response) {
        // Also if it is one for a transport that the camera chose itself.
        self.on_connection.has_session = true;
        let Some(delivery) = read_delivery(response.headers.get("transport"), self.transport, self.group()) else {
            let error = Error::TransportRefused { transport: self.transport, status: None };
            return self.switch_transport(Some(response.status), error);
        };
        let Some(track) = self.on_connection.track.clone() else { return };
        self.actions.push_back(Action::Receive { track: Box::new(track), delivery });
        self.request(now, Method::Play);
    }

    /// The group that the description names.
    fn group(&self) -> Option<SocketAddr> {
        self.on_connection.track.as_ref()?.group()
    }

    fn redirected(&mut self, response: &Response) {
        let location = response.headers.get("location").unwrap_or("");
        let refused = || Error::Redirect { location: text::reason(&crate::camera::mask_credentials(location)) };
        let (Some((to, _)), Some((from, _))) = (StreamUri::split(location), StreamUri::split(&self.asked)) else {
            return self.end(Some(refused()));
        };
        // Never from TLS to clear text.
        if from.is_tls() && !to.is_tls() {
            return self.end(Some(refused()));
        }
        if self.redirects >= MAX_REDIRECTS {
            return self.end(Some(Error::TooManyRedirects));
        }
        self.redirects += 1;
        if !to.host().eq_ignore_ascii_case(from.host()) {
            self.login.forget();
            self.tunnel_login.forget();
        }
        // Torn down at the old place.
        let asked = url::of_stream(&to);
        self.tear_down();
        self.state = State::Connecting;
        self.asked = asked;
        if to.is_tls() {
            self.transport = encrypted(self.config.transport);
            self.config.transport = Some(self.transport);
        }
        self.reconnect();
    }

    /// Takes identifier and timeout from a response. The identifier of the first SETUP stays, because
    /// some cameras send another one with each response.
    fn learn_session(&mut self, method: Method, response: &Response) {
        let Some(header) = response.headers.get("session") else { return };
        let (id, timeout) = read_session(header);
        let connection = &mut self.on_connection;
        // The one of SETUP replaces one of DESCRIBE.
        let is_setup = method == Method::Setup && response.status < 300;
        if connection.session_id.is_none() || is_setup && id.is_some() {
            connection.session_id = id;
        }
        connection.session_timeout = connection.session_timeout.into_iter().chain(timeout).min();
    }

    /// Puts the authority of our URL in place of the camera's, once. Returns whether that changes
    /// anything.
    fn use_our_authority(&mut self) -> bool {
        let asked = self.asked.clone();
        let connection = &mut self.on_connection;
        if connection.has_our_authority {
            return false;
        }
        connection.has_our_authority = true;
        let Some(urls) = &mut connection.urls else { return false };
        let mut is_changed = false;
        for url in [&mut urls.session, &mut urls.track, &mut connection.play_url] {
            if let Some(changed) = url::with_authority_of(url, &asked) {
                (*url, is_changed) = (changed, true);
            }
        }
        is_changed
    }

    /// PLAY goes to the track, once. Returns whether that changes anything.
    fn use_track_url(&mut self) -> bool {
        let connection = &mut self.on_connection;
        let Some(urls) = &connection.urls else { return false };
        let is_new = !connection.has_tried_track && connection.play_url != urls.track;
        connection.has_tried_track = true;
        if is_new {
            connection.play_url = urls.track.clone();
        }
        is_new
    }

    /// PLAY goes to the session again. Returns whether that changes anything.
    fn use_session_url(&mut self) -> bool {
        let connection = &mut self.on_connection;
        let Some(urls) = &connection.urls else { return false };
        let is_new = connection.play_url != urls.session;
        connection.has_tried_track = true;
        connection.play_url = urls.session.clone();
        is_new
    }
}

/// A camera's name of something, fit for a message.
pub(super) fn name(text: &str) -> String {
    text::escaped(&text::shortened(text, MAX_NAME_LEN))
}

/// The track that is `wanted`.
fn track(description: &SessionDescription, wanted: Wanted) -> Result<Track, Error> {
    match wanted {
        Wanted::Video => description.video().map(Track::Video).map_err(|reason| Error::NoVideo(bounded(reason))),
        Wanted::Audio => description.audio().map(Track::Audio).map_err(|reason| {
            Error::NoAudio(match reason {
                NoAudio::UnknownFormats(formats) => NoAudio::UnknownFormats(fit(&formats)),
                other => other,
            })
        }),
    }
}

/// Names of formats that are fit for a message.
fn fit(formats: &[String]) -> Vec<String> {
    formats.iter().take(MAX_NAMED_FORMATS).map(|format| name(format)).collect()
}

/// `reason` with formats that are fit for a message.
fn bounded(reason: NoVideo) -> NoVideo {
    match reason {
        NoVideo::UnknownFormats(formats) => NoVideo::UnknownFormats(fit(&formats)),
        other => other,
    }
}
