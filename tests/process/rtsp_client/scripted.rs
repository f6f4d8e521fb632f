//! A camera whose bytes a test writes.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    panic,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

pub const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n\
    a=rtpmap:96 H264/90000\r\na=control:trackID=1\r\n";

pub const SSRC: u32 = 0x0102_0304;

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(20);

/// An RTP packet of the track.
pub fn rtp(sequence: u16, payload: &[u8]) -> Vec<u8> {
    let head = [0x80, 96, (sequence >> 8) as u8, sequence as u8, 0, 0, 0, 1];
    [&head, &SSRC.to_be_bytes()[..], payload].concat()
}

/// `data` interleaved.
pub fn frame(channel: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap().to_be_bytes();
    [&[b'$', channel, length[0], length[1]], data].concat()
}

pub struct Camera {
    pub address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Camera {
    /// Runs `script` for each connection, with its number from 0.
    pub fn start(script: impl Fn(usize, Peer) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let ending = is_over.clone();
        let thread = thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                if ending.load(Ordering::SeqCst) {
                    return;
                }
                script(number, Peer::new(stream.unwrap()));
            }
        });
        Self { address, is_over, thread }
    }

    /// Ends the camera; panics if its script did.
    pub fn finish(self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Err(cause) = self.thread.join() {
            panic::resume_unwind(cause);
        }
    }
}

/// The client, as the camera sees it.
pub struct Peer {
    pub stream: TcpStream,
    unread: Vec<u8>,
    /// Number of the last request.
    cseq: String,
}

impl Peer {
    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        Self { stream, unread: Vec::new(), cseq: String::new() }
    }

    /// The next request.
    pub fn request(&mut self) -> String {
        loop {
            if let Some(request) = self.buffered() {
                return request;
            }
            let mut piece = [0; 4096];
            match self.stream.read(&mut piece).expect("a request comes in time") {
                0 => panic!("the client closes instead of a request"),
                count => self.unread.extend(&piece[..count]),
            }
        }
    }

    fn buffered(&mut self) -> Option<String> {
        let end = self.unread.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let request = String::from_utf8(self.unread.drain(..end).collect()).unwrap();
        let cseq = request.lines().find_map(|line| line.strip_prefix("CSeq: "));
        self.cseq = cseq.expect("a request has a number").to_owned();
        Some(request)
    }

    /// Looks whether something was sent, without waiting.
    pub fn pending(&mut self) -> Option<()> {
        self.stream.set_nonblocking(true).unwrap();
        let mut piece = [0; 1];
        let count = self.stream.peek(&mut piece);
        self.stream.set_nonblocking(false).unwrap();
        count.ok().map(|_| ())
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the client reads");
    }

    pub fn answer(&mut self, headers: &str) {
        self.answer_with(headers, "");
    }

    pub fn answer_with(&mut self, headers: &str, body: &str) {
        let text = format!("RTSP/1.0 200 OK\r\nCSeq: {}\r\n{headers}\r\n{body}", self.cseq);
        self.send(text.as_bytes());
    }

    pub fn send_status(&mut self, status: u16, headers: &str) {
        let text = format!("RTSP/1.0 {status} Words\r\nCSeq: {}\r\n{headers}\r\n", self.cseq);
        self.send(text.as_bytes());
    }

    /// Answers DESCRIBE, SETUP and PLAY.
    pub fn open(&mut self, sdp: &str) {
        self.request();
        self.answer_with(&format!("Content-Length: {}\r\n", sdp.len()), sdp);
        self.request();
        self.answer("Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n");
        self.request();
        self.answer("");
    }

    /// The same over UDP from these ports of the camera. Returns the client's port for RTP.
    pub fn open_udp(&mut self, sdp: &str, [rtp, rtcp]: [u16; 2]) -> u16 {
        self.request();
        self.answer_with(&format!("Content-Length: {}\r\n", sdp.len()), sdp);
        let setup = self.request();
        let ports = setup.split_once("client_port=").expect("SETUP over UDP").1;
        let port = ports.split('-').next().unwrap().parse().unwrap();
        let transport = format!("RTP/AVP;unicast;client_port={port}-{};server_port={rtp}-{rtcp}", port + 1);
        self.answer(&format!("Session: 1\r\nTransport: {transport}\r\n"));
        self.request();
        self.answer("");
        port
    }

    /// The client shuts down writing, and the connection is not reset.
    pub fn expect_end(&mut self) {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).expect("an end without a reset");
        assert!(rest.is_empty(), "{rest:?}");
    }

    /// Waits until the client has gone, in whatever way.
    pub fn wait_for_end(&mut self) {
        let _ = self.stream.read_to_end(&mut Vec::new());
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        let socket = socket2::Socket::from(self.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}
