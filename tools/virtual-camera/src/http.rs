//! A minimal HTTP/1.1 server for a test camera: one thread per connection, one request per
//! connection, bodies with a length.

use std::{
    fmt::Write as _,
    io::{self, Read, Write},
    net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use socket2::SockRef;

/// A client that sends nothing, or reads nothing, for this long is disconnected.
const PATIENCE: Duration = Duration::from_secs(10);
const HEAD_LIMIT: usize = 16 * 1024;
const BODY_LIMIT: usize = 64 * 1024;
const HEADER_LIMIT: usize = 64;

pub struct Request {
    pub method: String,
    /// Path and query exactly as sent.
    pub target: String,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The local address the client connected to: the camera gives it as its own address.
    pub local: SocketAddr,
}

impl Request {
    /// The first header with this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    #[cfg(test)]
    pub fn for_tests(method: &str, target: &str) -> Self {
        let local = SocketAddr::from(([127, 0, 0, 1], 80));
        Self { method: method.into(), target: target.into(), headers: Vec::new(), body: Vec::new(), local }
    }

    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type, headers: Vec::new(), body: body.into() }
    }
}

/// A listening socket that can be closed, opened again on the same port, and moved.
pub struct Server {
    address: Mutex<SocketAddr>,
    answer: Arc<dyn Fn(&Request) -> Response + Send + Sync>,
    open: Mutex<Option<Door>>,
}

/// The listening socket, the thread that accepts from it, and the flag that stops the thread.
struct Door {
    open: Arc<AtomicBool>,
    listener: Arc<TcpListener>,
    thread: thread::JoinHandle<()>,
}

impl Server {
    /// Listens on `address`, whose port may be 0, and serves from now on.
    pub fn start(
        address: SocketAddr,
        answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = Mutex::new(listener.local_addr()?);
        let server = Self { address, answer: Arc::new(answer), open: Mutex::new(None) };
        server.accept_from(listener)?;
        Ok(server)
    }

    pub fn address(&self) -> SocketAddr {
        *self.address.lock().expect("nobody panics while holding the address")
    }

    /// Moves the server to `ip`, at the same port; open or closed as before.
    pub fn move_to(&self, ip: IpAddr) -> io::Result<()> {
        let was_open = self.open.lock().expect("nobody panics while holding the door").is_some();
        self.set_open(false)?;
        self.address.lock().expect("nobody panics while holding the address").set_ip(ip);
        if was_open { self.set_open(true) } else { Ok(()) }
    }

    /// Stops listening, or listens again. Connections already accepted are answered.
    pub fn set_open(&self, wanted: bool) -> io::Result<()> {
        let closing = {
            let mut open = self.open.lock().expect("nobody panics while holding the door");
            match (wanted, open.is_some()) {
                (false, true) => open.take(),
                (true, false) => None,
                _ => return Ok(()),
            }
        };
        match closing {
            Some(door) => {
                door.open.store(false, Ordering::SeqCst);
                // Wakes the accepting thread, even if nothing can connect to this address any more.
                SockRef::from(&*door.listener).shutdown(Shutdown::Both)?;
                door.thread.join().map_err(|_| io::Error::other("the accepting thread panicked"))
            }
            None => self.accept_from(TcpListener::bind(self.address())?),
        }
    }

    /// Starts the accepting thread. It ends when the listener is closed, or with the process.
    fn accept_from(&self, listener: TcpListener) -> io::Result<()> {
        let (open, listener) = (Arc::new(AtomicBool::new(true)), Arc::new(listener));
        let (still_open, accepting) = (Arc::clone(&open), Arc::clone(&listener));
        let answer = Arc::clone(&self.answer);
        let thread = thread::Builder::new().name(format!("http {}", self.address())).spawn(move || {
            for connection in accepting.incoming() {
                if !still_open.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(connection) = connection else { continue };
                let answer = Arc::clone(&answer);
                // The thread ends with its connection, whose every read and write has a timeout.
                let serving = move || serve(connection, &*answer);
                if let Err(error) = thread::Builder::new().name("http request".into()).spawn(serving) {
                    eprintln!("no thread for a request: {error}");
                }
            }
        })?;
        *self.open.lock().expect("nobody panics while holding the door") = Some(Door { open, listener, thread });
        Ok(())
    }
}

/// Answers one request; any error of the connection ends it and is ignored.
fn serve(mut connection: TcpStream, answer: &dyn Fn(&Request) -> Response) {
    let served = (|| {
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        connection.set_nodelay(true)?;
        let response = match read_request(&mut connection)? {
            Some(request) => answer(&request),
            None => Response::new(400, "text/plain", "not an HTTP request\n"),
        };
        connection.write_all(&rendered(&response))
    })();
    drop::<io::Result<()>>(served);
}

fn rendered(response: &Response) -> Vec<u8> {
    let reason = match response.status {
        200 => "OK",
        301 => "Moved Permanently",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        _ => "Internal Server Error",
    };
    let mut head = format!("HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\n", response.status, response.content_type);
    for (name, value) in &response.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = write!(head, "Content-Length: {}\r\nConnection: close\r\n\r\n", response.body.len());
    [head.as_bytes(), &response.body].concat()
}

/// Returns `None` if the client did not send a valid request.
fn read_request(connection: &mut TcpStream) -> io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let mut headers = [httparse::EMPTY_HEADER; HEADER_LIMIT];
        let mut head = httparse::Request::new(&mut headers);
        match head.parse(&bytes) {
            Ok(httparse::Status::Complete(length)) => {
                let headers = head
                    .headers
                    .iter()
                    .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).trim().to_owned()));
                let mut request = Request {
                    method: head.method.unwrap_or_default().to_owned(),
                    target: head.path.unwrap_or_default().to_owned(),
                    headers: headers.collect(),
                    body: Vec::new(),
                    local: connection.local_addr()?,
                };
                let expected = match request.header("content-length").map(str::parse::<usize>) {
                    None => 0,
                    Some(Ok(length)) if length <= BODY_LIMIT => length,
                    Some(_) => return Ok(None),
                };
                if request.header("expect").is_some() {
                    connection.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
                }
                request.body = bytes.split_off(length);
                while request.body.len() < expected {
                    let count = connection.read(&mut chunk)?;
                    if count == 0 {
                        return Ok(None);
                    }
                    request.body.extend_from_slice(&chunk[..count]);
                }
                request.body.truncate(expected);
                return Ok(Some(request));
            }
            Ok(httparse::Status::Partial) if bytes.len() < HEAD_LIMIT => {}
            _ => return Ok(None),
        }
        let count = connection.read(&mut chunk)?;
        if count == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(address: SocketAddr, request: &str) -> io::Result<String> {
        let mut connection = TcpStream::connect(address)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.write_all(request.as_bytes())?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    }

    #[test]
    fn request_is_answered_and_its_parts_are_seen() {
        let server = Server::start(SocketAddr::from(([127, 0, 0, 1], 0)), |request| {
            let text = format!(
                "{} {} {} {}",
                request.method,
                request.path(),
                request.header("x-WORD").unwrap_or("-"),
                String::from_utf8_lossy(&request.body)
            );
            Response::new(200, "text/plain", text)
        })
        .unwrap();
        let answer = ask(server.address(), "POST /a?b HTTP/1.1\r\nX-Word: w\r\nContent-Length: 3\r\n\r\nxyz").unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nPOST /a w xyz"), "{answer}");
        assert!(ask(server.address(), "rubbish\r\n\r\n").unwrap().starts_with("HTTP/1.1 400 "));
    }

    #[test]
    fn closed_door_refuses_and_opens_again_on_the_same_port() {
        let server =
            Server::start(SocketAddr::from(([127, 0, 0, 1], 0)), |_| Response::new(200, "text/plain", "")).unwrap();
        server.set_open(false).unwrap();
        assert!(TcpStream::connect(server.address()).is_err());
        server.set_open(true).unwrap();
        assert!(ask(server.address(), "GET / HTTP/1.1\r\n\r\n").unwrap().starts_with("HTTP/1.1 200 "));
    }
}
