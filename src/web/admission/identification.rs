//! Finds out whose request it is, and whether it may have what it asks for. Every request passes
//! here after [`Gate::admit`](super::gate::Gate::admit), before anything is looked up for it, so a
//! refusal does not depend on which cameras there are.

use std::time::Duration;

use http_types::{Method, Request, url::Position};

use serde_json::json;

use crate::web::{
    Web,
    admission::{gate::Admitted, principal::Principal},
    http::{
        metadata::{Authorization, Metadata, SESSION_COOKIE},
        response::Response,
        route::{Need, Route},
    },
};
use crate::{
    account::WithoutLogin,
    http_auth::authorization,
    users::{Login, Verdict},
};

/// Why no login is taken over HTTP, also where `plain_http` allows that.
const NEEDS_HTTPS: &str = "a login needs https, because everybody on the way can read http: use https at the same \
                           address, or let the reverse proxy do so and send X-Forwarded-Proto";

/// Pause after a login that was not looked at because too many others are.
const BUSY_PAUSE: Duration = Duration::from_secs(2);

/// One request that was admitted.
pub struct Identification<'a> {
    pub web: &'a Web,
    pub request: &'a Request,
    pub metadata: &'a Metadata,
    pub admitted: &'a Admitted,
}

impl Identification<'_> {
    /// The principal of the request; `None` for a stranger on a route that needs nothing.
    ///
    /// # Errors
    /// The response to send instead: 401, 403, 429 or 503, or the way to the login page.
    pub async fn principal(&self, route: &Route<'_>) -> Result<Option<Principal>, Response> {
        let need = route.need();
        let principal = match route {
            // Everybody is told whether the agent works, and a principal more.
            Route::Health => self.find().await.unwrap_or(None),
            // No login is verified for what needs none.
            _ if need == Need::Nothing && !self.is_login_attempt() => None,
            _ => self.find().await?,
        };
        let Some(principal) = principal else {
            return if need == Need::Nothing { Ok(None) } else { Err(self.stranger(route)) };
        };
        let rights = principal.rights();
        let missing = match need {
            Need::Watch if !rights.watch => "watch",
            Need::Details if !rights.details => "details",
            Need::Metrics if !rights.metrics => "metrics",
            Need::Show if !rights.show => "show",
            Need::Ptz if !rights.ptz => "ptz",
            Need::Listen if !rights.listen => "listen",
            Need::Everything if !principal.sees_everything() => "watch, details and metrics of all cameras",
            _ => return Ok(Some(principal)),
        };
        let name = principal.name().unwrap_or_default();
        Err(Response::error(
            403,
            format!("{name:?} may not do this; that needs the right {missing} (`may` below [[user]] in cameras.toml)"),
        ))
    }

    /// A login in the request counts before a session, and a session before what needs none.
    async fn find(&self) -> Result<Option<Principal>, Response> {
        let (users, visitor) = (&self.web.users, &self.admitted.visitor);
        let open = Principal::of_visitor(*visitor, users);
        let is_open_to_all = users.without_login() == WithoutLogin::Everybody;
        match &self.metadata.authorization {
            Authorization::Absent => {}
            // Where everybody is served, it may be the login of a proxy.
            _ if is_open_to_all && !self.is_login_attempt() => return Ok(open),
            _ if !self.admitted.is_private => return Err(Response::error(403, NEEDS_HTTPS)),
            Authorization::Malformed => return Err(self.unauthorized()),
            Authorization::Login(login) => {
                let login = match login {
                    authorization::Login::Basic(login) => {
                        Login::Password { name: &login.username, password: login.password.expose() }
                    }
                    authorization::Login::Bearer(token) => {
                        if let Some(command) = Principal::of_command(token, *visitor, users) {
                            return Ok(Some(command));
                        }
                        Login::Token(token.expose())
                    }
                };
                return match users.authenticate(login, visitor.address).await {
                    Verdict::Accepted(account) => Ok(Some(Principal::of_login(account))),
                    Verdict::Refused => Err(self.unauthorized()),
                    Verdict::LockedOut { retry_after } => Err(again_later(
                        429,
                        "too many logins from this address were not right; wait before the next one",
                        retry_after,
                    )),
                    Verdict::Busy => Err(again_later(503, "too many other logins are being verified", BUSY_PAUSE)),
                };
            }
        }
        let session = self.metadata.session().filter(|_| visitor.may_have_session());
        let session = session.and_then(|secret| users.session(secret.expose()));
        Ok(session.and_then(Principal::of_session).or(open))
    }

    fn is_login_attempt(&self) -> bool {
        self.request.method() == Method::Post && self.request.url().path() == "/login"
    }

    /// The response to a stranger: pages lead to the login page, and all else to 401.
    fn stranger(&self, route: &Route<'_>) -> Response {
        if !route.is_page() {
            return self.unauthorized();
        }
        let url = self.request.url();
        // Relative, because a proxy may serve the agent below a path.
        let up = "../".repeat(url.path().matches('/').count().saturating_sub(1));
        let asked = url[Position::BeforePath..Position::AfterQuery].trim_start_matches('/');
        // Written as a query by the type that reads queries.
        let mut query = url.clone();
        query.query_pairs_mut().clear().append_pair("to", asked);
        Response::error(303, "log in first")
            .header("Location", format!("{up}login?{}", query.query().unwrap_or_default()))
    }

    /// Checks that no other site's page sends this POST: its form could not read the response, but could
    /// end a session, or tell a wall something.
    ///
    /// # Errors
    /// The response to send instead.
    pub fn check_own_page(&self) -> Result<(), Response> {
        if self.metadata.cross_site {
            return Err(Response::error(403, "pages of other sites may not send POST"));
        }
        self.admitted.check_socket(self.metadata).map_err(|wrong| Response::error(403, wrong))
    }

    fn unauthorized(&self) -> Response {
        if !self.admitted.is_private {
            return Response::error(401, NEEDS_HTTPS);
        }
        let response = Response::error(401, "log in first: at the page /login, or with Authorization: Basic or Bearer");
        if self.metadata.may_prompt() && !self.is_login_attempt() {
            response.header("WWW-Authenticate", "Basic realm=\"cctv-agent\", charset=\"UTF-8\"")
        } else {
            response
        }
    }
}

fn again_later(status: u16, text: &str, pause: Duration) -> Response {
    Response::error(status, text).header("Retry-After", pause.as_secs().max(1).to_string())
}

/// Begins a session of the account whose login this POST carries, and sets its cookie.
pub async fn log_in(asked: &Identification<'_>, principal: Option<&Principal>) -> Response {
    if let Err(refused) = asked.check_own_page() {
        return refused;
    }
    let Some(account) = principal.and_then(Principal::logged_in_now) else { return asked.unauthorized() };
    let visitor = &asked.admitted.visitor;
    // A browser would not keep the cookie.
    if !visitor.may_have_session() {
        return Response::error(403, NEEDS_HTTPS);
    }
    match asked.web.users.log_in(account, visitor.address).await {
        Ok(session) => {
            let cookie = set_cookie(session.secret.expose(), session.max_age);
            let user = principal.map(Principal::as_json);
            Response::json(200, &json!({ "user": user })).header("Set-Cookie", cookie)
        }
        Err(error) => {
            log::error!("web: cannot begin a session: {error}");
            Response::error(500, "the session cannot be begun")
        }
    }
}

/// Ends the session of the request, if it has one, and takes its cookie away.
pub async fn log_out(asked: &Identification<'_>) -> Response {
    if asked.request.method() != Method::Post {
        return Response::error(405, "a session is ended with POST").header("Allow", "POST");
    }
    if let Err(refused) = asked.check_own_page() {
        return refused;
    }
    if let Some(secret) = asked.metadata.session() {
        asked.web.users.log_out(secret.expose(), asked.admitted.visitor.address).await;
    }
    Response::json(200, &json!({ "user": null })).header("Set-Cookie", set_cookie("", Duration::ZERO))
}

fn set_cookie(value: &str, max_age: Duration) -> String {
    let seconds = max_age.as_secs();
    format!("{SESSION_COOKIE}={value}; Secure; HttpOnly; SameSite=Lax; Path=/; Max-Age={seconds}")
}
