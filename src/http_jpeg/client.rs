//! Requests to one camera, each over a connection of its own.
//!
//! A redirect is followed to the same host alone, and never from TLS to clear text: so neither the login nor
//! a request goes to a host that the configuration does not name.

use std::{
    io,
    time::{Duration, Instant},
};

use smol::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use super::{Config, Error, Timeouts};
use crate::{
    camera::{StreamUri, mask_credentials},
    http_auth::{
        challenge,
        login::{Login, LoginError},
    },
    http_client::{
        self,
        response::{Reader, Response},
    },
    tcp, text,
    time::timeout,
    tls::{self, client::KeyCheck},
    uri,
};

/// Maximum number of requests until there is an answer: after redirects and refused logins.
const MAX_REQUESTS: u8 = 8;
/// Maximum number of redirects in a row that are followed.
const MAX_REDIRECTS: u8 = 3;
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = tls::client::HTTPS_PORT;
/// Number of bytes that are read at once.
const READ_LEN: usize = 64 << 10;

trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

/// What requests of one attempt share.
pub(super) struct Client<'a> {
    /// The camera's name in the log.
    name: &'a str,
    uri: StreamUri,
    tls: KeyCheck,
    timeouts: Timeouts,
    login: Login,
}

/// The beginning of an answer with a status of success.
pub(super) struct Answer {
    socket: Box<dyn Socket>,
    reader: Reader,
    buffer: Vec<u8>,
    is_complete: bool,
}

impl<'a> Client<'a> {
    pub(super) fn new(name: &'a str, config: Config) -> Self {
        let Config { uri, credentials, allow_clear_password, tls, timeouts, seed } = config;
        let allow_clear = allow_clear_password || uri.is_tls() && tls.is_known();
        Self { name, uri, tls, timeouts, login: Login::new(credentials, allow_clear, false, seed) }
    }

    /// Asks for the address, and follows what the camera wants for it.
    pub(super) async fn get(&mut self) -> Result<Answer, Error> {
        let mut redirects = 0;
        for _ in 0..MAX_REQUESTS {
            let (answer, has_login) = self.request().await?;
            let head = answer.head();
            let status = head.status.unwrap_or(200);
            match status {
                200..=299 => {
                    if has_login {
                        self.login.accepted();
                    }
                    return Ok(answer);
                }
                300..=399 if redirects == MAX_REDIRECTS => return Err(Error::TooManyRedirects),
                300..=399 => {
                    redirects += 1;
                    self.redirect(head.all("location").next().unwrap_or_default())?;
                }
                401 => self.log_in(head, has_login)?,
                403 => return Err(LoginError::Denied { status }.into()),
                404 | 410 => return Err(Error::NotFound { status }),
                429 | 503 => return Err(Error::Busy { status }),
                _ => return Err(Error::Refused { status }),
            }
        }
        Err(Error::TooManyRedirects)
    }

    /// Sends one request and reads the head of its answer. Returns also whether it carried a login.
    async fn request(&mut self) -> Result<(Answer, bool), Error> {
        let default = if self.uri.is_tls() { HTTPS_PORT } else { HTTP_PORT };
        let port = uri::split_authority(self.uri.authority()).and_then(|(_, port)| port).unwrap_or(default);
        let (host, path) = (self.uri.host(), self.uri.path_and_query());
        let login = self.login.authorization("GET", &path);
        let mut request = http_client::get(host, port, &path);
        if let Some(login) = &login {
            request.truncate(request.len() - 2);
            request.push_str(&format!("Authorization: {login}\r\n\r\n"));
        }
        let check = self.uri.is_tls().then_some(&self.tls);
        let socket = connect(host, port, check, self.timeouts).await?;
        let mut answer = Answer { socket, reader: Reader::streaming(), buffer: vec![0; READ_LEN], is_complete: false };
        let limit = self.timeouts.response;
        let answered = timeout(limit, answer.ask(&request)).await;
        answered.unwrap_or(Err(Error::NoAnswer { waited: limit }))?;
        Ok((answer, login.is_some()))
    }

    fn log_in(&mut self, head: &Response, has_login: bool) -> Result<(), Error> {
        let challenges = challenge::parse(head.all("www-authenticate"));
        let next = self.login.refused(&challenges, has_login);
        let seen = self.tls.seen().filter(|_| self.uri.is_tls());
        if next.in_clear(401, seen.map(|seen| seen.key))? && !self.uri.is_tls() {
            log::warn!("{}: the camera takes its password in clear text alone", self.name);
        }
        Ok(())
    }

    fn redirect(&mut self, location: &str) -> Result<(), Error> {
        let refused = || Error::Redirect { location: text::reason(&mask_credentials(location)) };
        let (scheme, _) = self.uri.as_str().split_once("://").ok_or_else(refused)?;
        let absolute = match location {
            other if other.starts_with("//") => format!("{scheme}:{other}"),
            path if path.starts_with('/') => format!("{scheme}://{}{path}", self.uri.authority()),
            other => other.to_owned(),
        };
        let (to, _) = StreamUri::split_http(&absolute).ok_or_else(refused)?;
        if !to.host().eq_ignore_ascii_case(self.uri.host()) || self.uri.is_tls() && !to.is_tls() {
            return Err(refused());
        }
        log::debug!("{}: goes on at {to}", self.name);
        self.uri = to;
        Ok(())
    }
}

impl Answer {
    /// The head of the answer.
    pub(super) fn head(&self) -> &Response {
        static NONE: Response = Response { status: None, headers: Vec::new(), body: Vec::new() };
        self.reader.begun().unwrap_or(&NONE)
    }

    /// Its type in lower case, without parameters, and with them as written.
    pub(super) fn content_type(&self) -> (String, &str) {
        let written = self.head().all("content-type").next().unwrap_or_default();
        (written.split(';').next().unwrap_or_default().trim().to_ascii_lowercase(), written)
    }

    async fn ask(&mut self, request: &str) -> Result<(), Error> {
        let sent = async {
            self.socket.write_all(request.as_bytes()).await?;
            self.socket.flush().await
        };
        sent.await.map_err(|error| Error::of_connection(&error))?;
        while self.reader.begun().is_none() {
            match self.socket.read(&mut self.buffer).await {
                Ok(0) => return Err(Error::ClosedUnanswered),
                Ok(count) => self.is_complete = self.reader.feed(&self.buffer[..count])?,
                Err(error) => return Err(Error::of_connection(&error)),
            }
        }
        Ok(())
    }

    /// The next bytes of the body, and when they came. `None`: it has ended.
    pub(super) async fn body(&mut self) -> Result<Option<(Vec<u8>, Instant)>, Error> {
        loop {
            let bytes = self.reader.take_body();
            if !bytes.is_empty() {
                return Ok(Some((bytes, Instant::now())));
            }
            if self.is_complete {
                return Ok(None);
            }
            match self.socket.read(&mut self.buffer).await {
                Ok(0) => return Ok(None),
                Ok(count) => self.is_complete = self.reader.feed(&self.buffer[..count])?,
                // Many cameras end TLS without saying so.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(error) => return Err(Error::of_connection(&error)),
            }
        }
    }
}

async fn connect(
    host: &str,
    port: u16,
    check: Option<&KeyCheck>,
    timeouts: Timeouts,
) -> Result<Box<dyn Socket>, Error> {
    let (stream, address) = tcp::connect(host, port, timeouts.connect).await?;
    let stream = TcpStream::from(stream);
    let Some(check) = check else { return Ok(Box::new(stream)) };
    let secured = secured(stream, host, check, timeouts.tls).await;
    secured.map_err(|error| Error::Tls { address: address.to_string(), error })
}

async fn secured(
    stream: TcpStream,
    host: &str,
    check: &KeyCheck,
    limit: Duration,
) -> Result<Box<dyn Socket>, tls::client::Error> {
    let stream = timeout(limit, tls::client::connect(stream, host, check)).await;
    Ok(Box::new(stream.unwrap_or(Err(tls::client::Error::Timeout { waited: limit }))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(uri: &str) -> Client<'static> {
        let (uri, _) = StreamUri::split_http(uri).unwrap();
        let config = Config {
            uri,
            credentials: None,
            allow_clear_password: false,
            tls: KeyCheck::default(),
            timeouts: Timeouts::default(),
            seed: [0; 8],
        };
        Client::new("gate", config)
    }

    #[test]
    fn redirects_lead_to_the_same_host_and_never_out_of_tls() {
        for (from, location, to) in [
            ("http://10.0.0.1/a", "/b", Some("http://10.0.0.1/b")),
            ("http://10.0.0.1:81/a", "/b", Some("http://10.0.0.1:81/b")),
            ("http://10.0.0.1/a", "https://10.0.0.1:8443/a", Some("https://10.0.0.1:8443/a")),
            ("http://10.0.0.1/a", "//10.0.0.1:81/c", Some("http://10.0.0.1:81/c")),
            ("http://cam.lan/a", "http://u:p@CAM.lan/c", Some("http://CAM.lan/c")),
            ("http://10.0.0.1/a", "http://10.0.0.2/a", None),
            ("http://10.0.0.1/a", "//10.0.0.2/a", None),
            ("https://10.0.0.1/a", "http://10.0.0.1/a", None),
            ("http://10.0.0.1/a", "rtsp://10.0.0.1/a", None),
            ("http://10.0.0.1/a", "", None),
            ("http://10.0.0.1/a", "/b\u{7f}c", None),
        ] {
            let mut client = client(from);
            let result = client.redirect(location);
            assert_eq!(result.is_ok(), to.is_some(), "{location}");
            assert_eq!(client.uri.as_str(), to.unwrap_or(from));
        }
        let Err(Error::Redirect { location }) = client("http://a/").redirect("http://u:geheim@b/") else { panic!() };
        assert!(!location.contains("geheim"), "{location}");
    }
}
