//! Keeps a session alive: which request, and when.
//!
//! OPTIONS comes first, because its response names the methods. GET_PARAMETER without a body
//! follows if it is named, because some servers count only that one; after a refusal or a silence
//! OPTIONS is used for good. SET_PARAMETER is never sent: cameras refuse it and end the session.
//! Nobody waits for a response, and any status will do.

use std::time::{Duration, Instant};

use super::message::{Method, Response};

/// The longest session timeout that is believed.
const MAX_TIMEOUT: Duration = Duration::from_secs(60);
/// Keepalives in each session timeout: one that is lost does no harm.
const PER_TIMEOUT: u32 = 3;
/// A connection that ends so soon after the first GET_PARAMETER ended because of it.
const CAUSED_WITHIN: Duration = Duration::from_secs(2);

/// The keepalives of one session.
#[derive(Debug)]
pub struct Keepalive {
    interval: Duration,
    due: Instant,
    /// OPTIONS is used for good.
    pub options_only: bool,
    /// The camera names GET_PARAMETER in `Public`.
    has_get_parameter: bool,
    first_get_parameter: Option<Instant>,
    unanswered: Option<Sent>,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    cseq: u32,
    method: Method,
}

impl Keepalive {
    /// `within` limits the interval, where it was learnt that the camera ends sessions earlier than
    /// it says.
    pub fn new(now: Instant, timeout: Duration, within: Option<Duration>, options_only: bool) -> Self {
        let interval = (timeout.min(MAX_TIMEOUT) / PER_TIMEOUT).min(within.unwrap_or(MAX_TIMEOUT));
        let interval = interval.max(Duration::from_secs(1));
        Self {
            interval,
            due: now + interval,
            options_only,
            has_get_parameter: false,
            first_get_parameter: None,
            unanswered: None,
        }
    }

    /// When the next one is due.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// The method of the request that is due now; [`sent`](Self::sent) must follow.
    pub fn method(&mut self) -> Method {
        if self.unanswered.take().is_some_and(|sent| sent.method == Method::GetParameter) {
            self.options_only = true;
        }
        if self.has_get_parameter && !self.options_only { Method::GetParameter } else { Method::Options }
    }

    pub fn sent(&mut self, now: Instant, cseq: u32, method: Method) {
        self.due = now + self.interval;
        self.unanswered = Some(Sent { cseq, method });
        if method == Method::GetParameter {
            self.first_get_parameter.get_or_insert(now);
        }
    }

    /// Takes `response` if it belongs to the last keepalive, and returns the method of that one. A
    /// response without a number does.
    pub fn answered(&mut self, response: &Response) -> Option<Method> {
        let sent = self.unanswered?;
        if response.headers.cseq().is_some_and(|cseq| cseq != sent.cseq) {
            return None;
        }
        self.unanswered = None;
        match sent.method {
            Method::Options => {
                let mut methods = response.headers.all("public").flat_map(|methods| methods.split([',', ' ']));
                self.has_get_parameter |= methods.any(|method| method.eq_ignore_ascii_case("GET_PARAMETER"));
            }
            // A refused login says nothing about the method.
            _ if response.status >= 400 && response.status != 401 => self.options_only = true,
            _ => {}
        }
        Some(sent.method)
    }

    /// Whether the end of the connection now is due to the first GET_PARAMETER.
    pub fn killed_it(&self, now: Instant) -> bool {
        self.first_get_parameter.is_some_and(|sent| now.saturating_duration_since(sent) <= CAUSED_WITHIN)
    }
}
