//! A relay between one camera and its readers that can damage every key frame of H.264: it leaves out
//! its last packet.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// FU-A (RFC 6184 5.8) with its end bit, of an IDR slice.
const FU_A: u8 = 28;
const END: u8 = 0x40;
const IDR: u8 = 5;

pub struct Link {
    pub address: SocketAddr,
    loses: Arc<AtomicBool>,
}

impl Link {
    /// Relays to `camera` over TCP until this process ends.
    pub fn start(camera: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let loses = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&loses);
        thread::spawn(move || {
            for reader in listener.incoming().map_while(Result::ok) {
                // A camera that refuses is the reader's business.
                let _ = TcpStream::connect(camera).and_then(|camera| relay(reader, camera, Arc::clone(&shared)));
            }
        });
        Self { address, loses }
    }

    pub fn lose(&self, loses: bool) {
        self.loses.store(loses, Ordering::SeqCst);
    }
}

fn relay(mut reader: TcpStream, camera: TcpStream, loses: Arc<AtomicBool>) -> io::Result<()> {
    let (mut from_reader, mut to_camera) = (reader.try_clone()?, camera.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_reader, &mut to_camera);
        let _ = to_camera.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        let mut camera = BufReader::new(camera);
        while let Ok(item) = next_item(&mut camera) {
            if !(loses.load(Ordering::SeqCst) && ends_key_frame(&item)) && reader.write_all(&item).is_err() {
                break;
            }
        }
        let _ = reader.shutdown(Shutdown::Both);
    });
    Ok(())
}

/// An interleaved packet, or a message with its body.
fn next_item(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut item = vec![0; 1];
    from.read_exact(&mut item)?;
    if item[0] == b'$' {
        item.resize(4, 0);
        from.read_exact(&mut item[1..])?;
        let length = usize::from(u16::from_be_bytes([item[2], item[3]]));
        item.resize(4 + length, 0);
        from.read_exact(&mut item[4..])?;
        return Ok(item);
    }
    while !item.ends_with(b"\r\n\r\n") {
        if from.read_until(b'\n', &mut item)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let head = String::from_utf8_lossy(&item).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    from.take(length.unwrap_or(0)).read_to_end(&mut item)?;
    Ok(item)
}

fn ends_key_frame(item: &[u8]) -> bool {
    match item {
        [b'$', channel, _, _, rtp @ ..] if channel.is_multiple_of(2) => {
            let Some([indicator, header]) = rtp.get(12..14) else { return false };
            indicator & 0x1f == FU_A && header & END != 0 && header & 0x1f == IDR
        }
        _ => false,
    }
}
