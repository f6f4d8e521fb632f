//! A conversation with one device: a sequence of operations with the
//! login that the device requires.

use super::{
    Target,
    auth::{Attempt, Authentication, Clock, Login, Next, Refused},
    clock::{self, CivilTime, Offset},
    error::{Error, Malformed},
    responses::{self, DeviceInformation},
    soap::{self, Access, CallError, DEVICE, FaultKind, Operation, SoapDialect},
    transport,
    uri_repair::Service,
    username_token,
};
use crate::{
    http_auth::digest,
    http_client::{self, Limits, in_brackets, response::Response},
    text,
    xml::Element,
};

/// The path of the device service, which the standard fixes.
const DEVICE_PATH: &str = "/onvif/device_service";

/// The operation that asks for the clock.
const CLOCK: &str = "GetSystemDateAndTime";

/// Maximum number of requests for one operation. The longest useful sequence is five: without a
/// login, after a challenge, with a new nonce, and in two other SOAP dialects.
const MAX_TRIES: usize = 8;

/// One device, and what was learnt about the requests that it accepts.
#[derive(Debug)]
pub struct Device {
    target: Target,
    limits: Limits,
    login: Login,
    offset: Option<Offset>,
    form: SoapDialect,
    /// A response has shown that the device accepts this dialect.
    form_works: bool,
    service: Service,
    /// The device's text when it refused the password, for the error of every later request.
    refusal: Option<soap::Fault>,
    /// The kinds of login that the device required last, if none of them is supported.
    unsupported: Option<String>,
}

impl Device {
    /// `hint`: the login that the device required in an earlier conversation.
    pub fn new(target: &Target, hint: Option<Authentication>, limits: Limits) -> Self {
        Self {
            target: target.clone(),
            limits,
            login: Login::new(target.credentials.is_some(), hint),
            offset: None,
            form: SoapDialect::Action,
            form_works: false,
            service: Service::at(DEVICE_PATH, target.port),
            refusal: None,
            unsupported: None,
        }
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The difference between the device's clock and ours; `None` if it is unknown.
    pub fn offset(&self) -> Option<Offset> {
        self.offset
    }

    pub fn authentication(&self) -> Option<Authentication> {
        self.login.authentication()
    }

    /// Returns host and port for messages.
    pub fn name(&self) -> String {
        format!("{}:{}", in_brackets(&self.target.host), self.target.port)
    }

    /// Asks for the device's clock, first without a login. If the device refuses, the login uses
    /// our own clock.
    ///
    /// # Errors
    /// Only if every further request is pointless: no device is there, or it requires HTTPS.
    pub async fn learn_clock(&mut self) -> Result<(), Error> {
        match self.ask(CLOCK, "", Access::PreAuth).await {
            Ok(answer) => {
                self.offset = reported_offset(&answer);
                Ok(())
            }
            Err(Error::NoCredentials { .. } | Error::Denied { .. }) => Ok(()),
            Err(error) if error.is_final() => Err(error),
            Err(_) => Ok(()),
        }
    }

    /// Asks for manufacturer and model of the device; empty if it does not report them.
    pub async fn information(&mut self) -> DeviceInformation {
        self.information_with(Access::Authenticated).await.unwrap_or_default()
    }

    /// Asks for manufacturer and model of the device, with a login as far as `access` allows.
    ///
    /// # Errors
    /// Those of [`call`](Self::call).
    pub async fn information_with(&mut self, access: Access) -> Result<DeviceInformation, Error> {
        let answer = self.ask("GetDeviceInformation", "", access).await?;
        Ok(responses::device_information(&answer).bounded())
    }

    /// Asks for the identity that WS-Discovery reports, without a
    /// login; few devices report it here.
    ///
    /// # Errors
    /// Those of [`call`](Self::call); many devices do not know this operation.
    pub async fn endpoint(&mut self) -> Result<Option<String>, Error> {
        let answer = self.ask("GetEndpointReference", "", Access::Anonymous).await?;
        Ok(responses::endpoint(&answer).as_deref().map(text::fact))
    }

    /// Asks for the name in the network, without a login.
    ///
    /// # Errors
    /// Those of [`call`](Self::call).
    pub async fn host_name(&mut self) -> Result<Option<String>, Error> {
        let answer = self.ask("GetHostname", "", Access::Anonymous).await?;
        Ok(responses::host_name(&answer).as_deref().map(text::fact))
    }

    /// Asks for the hardware addresses, without a login.
    ///
    /// # Errors
    /// Those of [`call`](Self::call).
    pub async fn hardware_addresses(&mut self) -> Result<Vec<String>, Error> {
        let answer = self.ask("GetNetworkInterfaces", "", Access::Anonymous).await?;
        Ok(responses::hardware_addresses(&answer))
    }

    /// Calls an operation of the device service.
    ///
    /// # Errors
    /// Those of [`call`](Self::call).
    pub async fn ask(&mut self, name: &'static str, parameters: &str, access: Access) -> Result<Element, Error> {
        let operation =
            Operation { namespace: DEVICE, name, parameters: parameters.to_owned(), access, addressing: None };
        let mut service = self.service.clone();
        self.call(&mut service, &operation).await
    }

    /// Calls `operation`. If it succeeds, `service` keeps only the port that answered.
    ///
    /// # Errors
    /// If no port of the service gave a result.
    pub async fn call(&mut self, service: &mut Service, operation: &Operation) -> Result<Element, Error> {
        let ports = service.ports.clone();
        for (index, port) in ports.iter().enumerate() {
            let result = self.call_at(*port, &service.path, operation).await;
            let elsewhere = matches!(
                result,
                Err(Error::Connect { .. } | Error::Status { .. } | Error::Malformed { .. } | Error::Redirect { .. })
            );
            if !elsewhere || index + 1 == ports.len() {
                if result.is_ok() {
                    service.ports = vec![*port];
                }
                return result;
            }
        }
        unreachable!("a service has at least one port, and the last one returns")
    }

    async fn call_at(&mut self, port: u16, path: &str, operation: &Operation) -> Result<Element, Error> {
        let request = operation.name;
        if self.login.is_denied() && operation.access == Access::Authenticated {
            return Err(self.denied(request));
        }
        let mut attempt = self.login.first(path, operation.access);
        let mut clock_asked = false;
        let mut last = None;
        for _ in 0..MAX_TRIES {
            let response = self.send(port, path, operation, attempt).await?;
            let refusal = match soap::open(&response) {
                Ok(answer) => {
                    self.login.accepted(path, attempt, operation.access);
                    self.form_works = true;
                    return Ok(answer);
                }
                Err(refusal) => refusal,
            };
            if let CallError::Login { status, challenges, fault } = &refusal {
                if operation.access == Access::Anonymous {
                    return Err(Error::NoCredentials { device: self.name(), request });
                }
                if attempt != Attempt::Bare {
                    self.refusal = fault.clone().or(self.refusal.take());
                }
                self.unsupported = digest::unsupported(challenges);
                let mut clock_moved = false;
                if self.offset.is_none() {
                    self.offset = date_offset(&response);
                } else if attempt.token() == Some(Clock::Camera) && !clock_asked {
                    clock_asked = true;
                    clock_moved = self.renew_clock(&response).await;
                }
                let offset = self.offset;
                let refused = Refused { path, status: *status, challenges, fault: fault.as_ref(), offset, clock_moved };
                match self.login.refused(attempt, refused) {
                    Next::Try(next) => attempt = next,
                    Next::NoCredentials => return Err(Error::NoCredentials { device: self.name(), request }),
                    Next::Denied => return Err(self.denied(request)),
                }
                last = Some(refusal);
                continue;
            }
            if let CallError::Fault(fault) = &refusal
                && fault.kind().is_about_profile()
            {
                // The device searched for the profile, so it accepted the login.
                self.login.accepted(path, attempt, operation.access);
                self.form_works = true;
            }
            match self.next_form(&refusal) {
                Some(form) => self.form = form,
                None => return Err(self.error(request, refusal)),
            }
            last = Some(refusal);
        }
        Err(last.map_or_else(|| self.denied(request), |refusal| self.error(request, refusal)))
    }

    /// Asks for the clock again after `refusal` of a login with the camera's time, because the
    /// clock may have been set in between; returns whether it was.
    async fn renew_clock(&mut self, refusal: &Response) -> bool {
        let service = self.service.clone();
        let operation = Operation {
            namespace: DEVICE,
            name: CLOCK,
            parameters: String::new(),
            access: Access::Anonymous,
            addressing: None,
        };
        let port = service.ports.first().copied().unwrap_or(self.target.port);
        let response = self.send(port, &service.path, &operation, Attempt::Bare).await;
        let answered =
            response.ok().and_then(|response| soap::open(&response).ok()).and_then(|answer| reported_offset(&answer));
        let before = self.offset;
        // A device that does not report its clock may still put a date on its refusals.
        self.offset = answered.or_else(|| date_offset(refusal)).or(before);
        before.zip(self.offset).is_some_and(|(before, now)| !now.is_near(before))
    }

    /// Sends one request, and sends it again if the connection breaks before there is a response.
    async fn send(
        &mut self,
        port: u16,
        path: &str,
        operation: &Operation,
        attempt: Attempt,
    ) -> Result<Response, Error> {
        let mut again = true;
        loop {
            // A new message each time: a device may have recorded the nonce
            // before it closed the connection.
            let message = self.message(port, path, operation, attempt);
            let outline = Some(responses::PROFILE_OUTLINE);
            match transport::exchange(&self.target, port, message.as_bytes(), self.limits, outline).await {
                Err(transport::Error::Http(http_client::Error::Closed(_))) if again => again = false,
                Ok(response) => return Ok(response),
                Err(error) => return Err(self.transport_error(port, operation.name, error)),
            }
        }
    }

    fn message(&mut self, port: u16, path: &str, operation: &Operation, attempt: Attempt) -> String {
        let mut authorization = String::new();
        let mut security = String::new();
        if let Some(credentials) = &self.target.credentials {
            if let (Attempt::Digest { .. }, Some(challenge)) = (attempt, self.login.challenge(path)) {
                let client_nonce: String = random().iter().map(|byte| format!("{byte:02x}")).collect();
                let field = challenge.authorize(credentials, "POST", path, &client_nonce);
                authorization = format!("Authorization: {field}\r\n");
            }
            if let Some(clock) = attempt.token() {
                let ours = clock::now();
                let created = match (clock, self.offset) {
                    (Clock::Camera, Some(offset)) => offset.apply(ours),
                    _ => ours,
                };
                security = username_token::security_header(credentials, created, random());
            }
        }
        let (lines, body) = operation.to_http(self.form, &security);
        http_client::post(&self.target.host, port, path, &format!("{authorization}{lines}"), &body)
    }

    /// Returns another dialect to try after `refusal`, while it is
    /// unknown which one the device accepts.
    fn next_form(&self, refusal: &CallError) -> Option<SoapDialect> {
        let unread = matches!(refusal, CallError::NotSoap(None) | CallError::Status(415));
        let perhaps = match refusal {
            CallError::Fault(fault) => fault.kind() == FaultKind::NotOffered,
            CallError::Status(status) => *status == 400,
            _ => false,
        };
        match self.form {
            _ if self.form_works => None,
            SoapDialect::Action if unread || perhaps => Some(SoapDialect::NoAction),
            SoapDialect::NoAction if unread => Some(SoapDialect::Soap11),
            _ => None,
        }
    }

    fn error(&self, request: &'static str, refusal: CallError) -> Error {
        let device = self.name();
        match refusal {
            CallError::Login { .. } => self.denied(request),
            CallError::Fault(fault) => Error::Fault { device, request, fault },
            CallError::Status(status) => Error::Status { device, request, status },
            CallError::Redirect(location) => Error::Redirect { device, request, location },
            CallError::NotSoap(None) => Error::Malformed { device, request, source: Malformed::Empty },
            CallError::NotSoap(Some(source)) => Error::Malformed { device, request, source: Malformed::Soap(source) },
        }
    }

    fn transport_error(&self, port: u16, request: &'static str, error: transport::Error) -> Error {
        let device = format!("{}:{port}", in_brackets(&self.target.host));
        let error = match error {
            transport::Error::Tls(source) => return Error::Tls { device, source },
            transport::Error::Http(error) => error,
        };
        match error {
            http_client::Error::Connect(source) => Error::Connect { device, source },
            http_client::Error::Slow => Error::Slow { device, request, limit: self.limits.call },
            http_client::Error::Closed(source) => Error::Closed { device, request, source },
            http_client::Error::Response(source) => {
                Error::Malformed { device, request, source: Malformed::Http(source) }
            }
        }
    }

    fn denied(&self, request: &'static str) -> Error {
        let login = self.authentication().filter(|way| *way != Authentication::Open);
        if let (Some(schemes), None, None) = (&self.unsupported, &self.refusal, login) {
            return Error::UnsupportedLogin { device: self.name(), request, schemes: schemes.clone() };
        }
        let username = self.target.credentials.as_ref().map(|credentials| credentials.username.clone());
        Error::Denied {
            device: self.name(),
            request,
            username: username.unwrap_or_default(),
            fault: self.refusal.clone().map(Box::new),
            clock_known: self.offset.is_some(),
            right_missing: login.is_some(),
        }
    }
}

impl DeviceInformation {
    /// Shortens every text to [`text::MAX_FACT_LEN`] characters.
    #[must_use]
    pub fn bounded(self) -> Self {
        Self {
            manufacturer: text::fact(&self.manufacturer),
            model: text::fact(&self.model),
            firmware: text::fact(&self.firmware),
            serial: text::fact(&self.serial),
        }
    }
}

/// Returns the clock offset in the response to [`CLOCK`].
fn reported_offset(answer: &Element) -> Option<Offset> {
    let theirs = responses::device_time(answer).for_login()?;
    Some(Offset::between(theirs.to_unix(), clock::now()))
}

/// Returns the clock offset from the `Date` of a refusal, for a device that does not
/// report its clock without a login.
fn date_offset(response: &Response) -> Option<Offset> {
    let date = response.all("date").next().and_then(CivilTime::from_http_date)?;
    Some(Offset::between(date.to_unix(), clock::now()))
}

fn random() -> [u8; username_token::NONCE] {
    let mut bytes = [0; username_token::NONCE];
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes once it has booted");
    bytes
}
