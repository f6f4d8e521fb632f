//! RTSP through HTTP, where nothing else gets through: what the camera sends is the endless answer to a GET, what we
//! send is, in Base64, the body of a POST over a second connection. A cookie says that the two belong together.

use std::net::SocketAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::stream::Stream;
use crate::{
    camera::Transport,
    http_auth::{
        challenge,
        login::{Login, LoginError, random_seed},
    },
    http_client::{in_brackets, response::Reader},
    rtsp::{Error, Timeouts, message::Method},
    tcp,
    time::timeout,
    tls::client::KeyCheck,
};

/// Maximum number of GET requests: after refused logins.
const MAX_REQUESTS: usize = 4;
/// The length that a POST announces, in bytes, as other clients do; some servers take no POST without one. What does
/// not fit goes into another one.
const POST_LEN: usize = 32_767;
const READ_LEN: usize = 4096;

/// Where a tunnel begins.
pub struct Entrance {
    /// Of the stream, in the log.
    pub name: String,
    /// IPv6 without brackets.
    pub host: String,
    pub port: u16,
    /// For TLS.
    pub check: Option<KeyCheck>,
    /// Path and query of the stream: some cameras take no others.
    pub path: String,
}

/// The way to the camera.
pub struct Tunnel {
    entrance: Entrance,
    login: Login,
    timeouts: Timeouts,
    cookie: String,
    post: Stream,
    /// What the POST has room for, in bytes.
    room: usize,
}

impl Entrance {
    /// Connects to one of the addresses of the host.
    pub async fn connect(&self, timeouts: Timeouts) -> Result<(Stream, SocketAddr), Error> {
        let (socket, address) = tcp::connect(&self.host, self.port, timeouts.connect).await?;
        // A request is one small write.
        let _ = socket.get_ref().set_nodelay(true);
        let Some(check) = &self.check else { return Ok((Stream::plain(socket), address)) };
        let secured = Stream::tls(socket, &self.host, check, timeouts.tls).await;
        let stream = secured.map_err(|error| Error::Tls { address: address.to_string(), error })?;
        Ok((stream, address))
    }

    fn head(&self, method: &str, cookie: &str, fields: &str, login: &mut Login) -> (String, bool) {
        let authorization = login.authorization(method, &self.path);
        let login = authorization.as_ref().map(|login| format!("Authorization: {login}\r\n")).unwrap_or_default();
        let (host, port, path) = (in_brackets(&self.host), self.port, &self.path);
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: {host}:{port}\r\nx-sessioncookie: {cookie}\r\n\
             Pragma: no-cache\r\nCache-Control: no-cache\r\n{fields}{login}\r\n"
        );
        (head, authorization.is_some())
    }

    /// Sends a GET; returns the connection with what of its answer came with the head.
    async fn get(
        &self,
        cookie: &str,
        login: &mut Login,
        timeouts: Timeouts,
    ) -> Result<(Stream, SocketAddr, Vec<u8>), Error> {
        for _ in 0..MAX_REQUESTS {
            let (mut stream, address) = self.connect(timeouts).await?;
            let (head, has_login) = self.head("GET", cookie, "Accept: application/x-rtsp-tunnelled\r\n", login);
            stream.write(head.as_bytes(), timeouts.write).await?;
            let waited = timeouts.response;
            let answer = timeout(waited, read_head(&mut stream)).await;
            let mut answer = answer.unwrap_or(Err(Error::NoAnswer { method: Method::Describe, waited }))?;
            let response = answer.begun().ok_or(Error::ClosedUnanswered { method: Method::Describe })?;
            match response.status.unwrap_or(200) {
                200..=299 => {
                    if has_login {
                        login.accepted();
                    }
                    return Ok((stream, address, answer.take_body()));
                }
                status @ 401 => {
                    let challenges = challenge::parse(response.all("www-authenticate"));
                    let seen = self.check.as_ref().and_then(KeyCheck::seen);
                    let in_clear = login.refused(&challenges, has_login).in_clear(status, seen.map(|seen| seen.key))?;
                    if in_clear && self.check.is_none() {
                        log::warn!("{}: the camera takes its password in clear text alone", self.name);
                    }
                }
                status @ 403 => return Err(LoginError::Denied { status }.into()),
                status => return Err(Error::TransportRefused { transport: Transport::Http, status: Some(status) }),
            }
        }
        Err(LoginError::Denied { status: 401 }.into())
    }

    async fn post(&self, cookie: &str, login: &mut Login, timeouts: Timeouts) -> Result<Stream, Error> {
        let (mut post, _) = self.connect(timeouts).await?;
        let fields = format!(
            "Content-Type: application/x-rtsp-tunnelled\r\nContent-Length: {POST_LEN}\r\n\
             Expires: Sun, 9 Jan 1972 00:00:00 GMT\r\n"
        );
        let (head, _) = self.head("POST", cookie, &fields, login);
        post.write(head.as_bytes(), timeouts.write).await?;
        Ok(post)
    }
}

impl Tunnel {
    /// Begins a tunnel. Returns also the connection to read from, the address that was reached, and the first bytes
    /// that came. `login` remembers how the camera wants it.
    ///
    /// # Errors
    /// If there is no connection, or the camera's answer is no tunnel.
    pub async fn begin(
        entrance: Entrance,
        login: &mut Login,
        timeouts: Timeouts,
    ) -> Result<(Self, Stream, SocketAddr, Vec<u8>), Error> {
        // GStreamer's server keeps the first 23 characters.
        let cookie = format!("{:016x}", u64::from_be_bytes(random_seed()));
        login.reconnected();
        let (stream, address, first) = entrance.get(&cookie, login, timeouts).await?;
        // Its answer comes with the end of the body, if ever.
        let post = entrance.post(&cookie, login, timeouts).await?;
        let tunnel = Self { entrance, login: login.clone(), timeouts, cookie, post, room: POST_LEN };
        Ok((tunnel, stream, address, first))
    }

    /// Sends `bytes`, in another POST if the one that is open has no room.
    ///
    /// # Errors
    /// As [`Stream::write`], or if there is no connection for another POST.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let text = STANDARD.encode(bytes);
        if text.len() > self.room {
            // Servers take one at a time.
            self.post.shut_down(self.timeouts.write).await;
            self.post = self.entrance.post(&self.cookie, &mut self.login, self.timeouts).await?;
            self.room = POST_LEN;
        }
        self.room = self.room.saturating_sub(text.len());
        self.post.write(text.as_bytes(), self.timeouts.write).await
    }

    /// Ends the POST.
    pub async fn shut_down(&mut self) {
        self.post.shut_down(self.timeouts.teardown).await;
    }
}

/// Reads until the head of an answer is there.
async fn read_head(stream: &mut Stream) -> Result<Reader, Error> {
    let (mut reader, mut buffer) = (Reader::streaming(), [0; READ_LEN]);
    while reader.begun().is_none() {
        match stream.read(&mut buffer).await {
            Ok(0) => return Err(Error::ClosedUnanswered { method: Method::Describe }),
            Ok(count) => {
                let refused = |_| Error::TransportRefused { transport: Transport::Http, status: None };
                reader.feed(&buffer[..count]).map_err(refused)?;
            }
            Err(error) => return Err(Error::from_io(&error)),
        }
    }
    Ok(reader)
}
