//! Handshakes with rustls as a server, and with servers that speak no TLS that is accepted.

use std::net::{TcpListener, TcpStream};

use futures_rustls::TlsAcceptor;
use rcgen::{CertificateParams, KeyPair};
use rustls::{ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use smol::{
    Async,
    future::block_on,
    io::{AsyncReadExt, AsyncWriteExt},
};

use super::*;
use crate::camera::fingerprint::{Fingerprint, PeerKey};

/// A certificate for another name, long expired.
fn certificate(key: &KeyPair) -> CertificateDer<'static> {
    let mut params = CertificateParams::new(vec!["other.example".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(1971, 1, 1);
    params.not_after = rcgen::date_time_ymd(1972, 1, 1);
    params.self_signed(key).unwrap().into()
}

fn server(
    shown: CertificateDer<'static>,
    key: &KeyPair,
    version: &'static SupportedProtocolVersion,
) -> Arc<ServerConfig> {
    let signing = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let signing = ring::sign::any_supported_type(&signing).unwrap();
    let shown = rustls::sign::CertifiedKey::new(vec![shown], signing);
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(shown)));
    Arc::new(config)
}

/// The two ends of a connection.
fn pair() -> (Async<TcpStream>, Async<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    (Async::new(near).unwrap(), Async::new(far).unwrap())
}

/// The bytes that the server got in the connection, after a handshake in which the client sends them if
/// `check` allows it.
fn exchange(config: &Arc<ServerConfig>, check: &KeyCheck) -> (Result<(), Error>, Vec<u8>) {
    let (near, far) = pair();
    let client = async {
        let mut stream = connect(near, "10.0.0.1", check).await?;
        stream.write_all(b"password").await.unwrap();
        stream.close().await.unwrap();
        Ok(())
    };
    let served = async {
        let mut got = Vec::new();
        if let Ok(mut stream) = TlsAcceptor::from(Arc::clone(config)).accept(far).await {
            let _ = stream.read_to_end(&mut got).await;
        }
        got
    };
    block_on(smol::future::zip(client, served))
}

/// What a client says of a server that answers its first bytes with `answer` and closes.
fn answered_with(answer: &[u8]) -> Error {
    let (near, mut far) = pair();
    let served = async {
        let mut hello = [0; 5];
        far.read_exact(&mut hello).await.unwrap();
        far.write_all(answer).await.unwrap();
        far.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
        // With unread bytes the kernel would reset the connection.
        let _ = far.read_to_end(&mut Vec::new()).await;
    };
    let client = async { connect(near, "camera.lan", &KeyCheck::default()).await.map(drop) };
    block_on(smol::future::zip(client, served)).0.unwrap_err()
}

fn learnt(key: Fingerprint) -> KeyCheck {
    KeyCheck::new(None, Some(key))
}

#[test]
fn camera_is_recognised_by_its_key_whatever_its_certificate_says() {
    for version in [&TLS12, &TLS13] {
        let key = KeyPair::generate().unwrap();
        let check = KeyCheck::default();
        assert!(!check.is_known());
        assert_eq!(exchange(&server(certificate(&key), &key, version), &check), (Ok(()), b"password".to_vec()));
        let PeerKey { key: first, certificate: shown } = check.seen().unwrap();

        // Another certificate with the same key.
        let renewed = server(certificate(&key), &key, version);
        assert_eq!(exchange(&renewed, &learnt(first)).0, Ok(()));
        assert_eq!(exchange(&renewed, &KeyCheck::new(Some(first), None)).0, Ok(()));
        let unlike = Fingerprint([0; 32]);
        assert_eq!(exchange(&renewed, &KeyCheck::new([unlike, first], Some(unlike))).0, Ok(()), "one of several");
        let by_certificate = exchange(&renewed, &KeyCheck::new(Some(shown), None));
        assert!(matches!(by_certificate.0, Err(Error::NotPinned { presented }) if presented == first));
        assert_eq!(by_certificate.1, b"");
        assert_eq!(exchange(&renewed, &check).0, Ok(()));

        let other = KeyPair::generate().unwrap();
        let other = server(certificate(&other), &other, version);
        for check in [learnt(first), check] {
            let (result, got) = exchange(&other, &check);
            assert!(matches!(result, Err(Error::KeyChanged { presented }) if presented != first), "{result:?}");
            assert_eq!(got, b"");
        }
        // The pin replaces what was learnt.
        let seen = KeyCheck::default();
        assert_eq!(exchange(&other, &seen).0, Ok(()));
        let pinned = KeyCheck::new(seen.seen().map(|seen| seen.certificate), Some(first));
        assert_eq!(exchange(&other, &pinned).0, Ok(()));
        assert!(pinned.is_known());
    }
}

#[test]
fn certificate_without_its_key_proves_nothing() {
    for version in [&TLS12, &TLS13] {
        let (key, stolen) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let check = KeyCheck::default();
        assert_eq!(exchange(&server(certificate(&stolen), &stolen, version), &check).0, Ok(()));
        let check = learnt(check.seen().unwrap().key);
        let (result, got) = exchange(&server(certificate(&stolen), &key, version), &check);
        assert!(matches!(result, Err(Error::Failed(_))), "{result:?}");
        assert_eq!((got, check.seen()), (Vec::new(), None));
    }
}

#[test]
fn what_speaks_no_tls_that_is_accepted_is_told_apart() {
    let alert = |version: u8, alert: u8| [0x15, 3, version, 0, 2, 2, alert];
    assert_eq!(answered_with(&alert(1, 70)), Error::OldVersion);
    assert_eq!(answered_with(&alert(3, 40)), Error::NoCommonCipher);
    assert_eq!(answered_with(&alert(3, 80)), Error::Alert("InternalError".into()));
    assert_eq!(answered_with(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Error::NotTls);
    assert_eq!(answered_with(b"RTSP/1.0 400 Bad Request\r\n\r\n"), Error::NotTls);
    assert_eq!(answered_with(b""), Error::Closed);
    // A ServerHello of TLS 1.0.
    let mut hello = vec![0x16, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
    hello.extend([7; 32]);
    hello.extend([0, 0, 0x2f, 0]);
    assert_eq!(answered_with(&hello), Error::OldVersion);
}

#[test]
fn every_error_has_a_reason_and_a_changed_key_the_way_out() {
    let presented = Fingerprint([7; 32]);
    let reason = Error::KeyChanged { presented }.reason("10.0.0.1:443");
    assert_eq!(
        reason.to_string(),
        format!(
            "10.0.0.1:443 has another TLS key than before, so nothing was sent to it; if it is the camera, run \
             cctv-agent keys --forget CAMERA, or write fingerprint = \"{presented}\""
        )
    );
    assert!(is_of_other_key(&reason) && is_of_other_key(&Error::NotPinned { presented }.reason("c")));
    assert!(!is_of_other_key(&Error::OldVersion.reason("c")));
    assert_eq!(
        Error::OldVersion.reason("10.0.0.1:443").to_string(),
        "10.0.0.1:443 speaks only TLS 1.0 or 1.1, which are not safe; update the firmware of the camera, or use it \
         without TLS"
    );
}

/// Moves what both sides have to say, in pieces of `piece` bytes.
fn pump(channel: &mut Channel, server: &mut rustls::ServerConnection, piece: usize) -> Result<(), Error> {
    for _ in 0..100 {
        let output = channel.take_output().unwrap();
        let mut output = output.as_slice();
        while !output.is_empty() {
            server.read_tls(&mut output).unwrap();
            let _ = server.process_new_packets();
        }
        let mut answer = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut answer).unwrap();
        }
        for part in answer.chunks(piece) {
            channel.space()[..part.len()].copy_from_slice(part);
            channel.filled(part.len());
            channel.shake_hands()?;
            if !channel.is_handshaking() {
                assert_eq!(channel.read(&mut [0; 16]).unwrap(), None);
            }
        }
        if !channel.is_handshaking() && !server.is_handshaking() {
            return Ok(());
        }
    }
    panic!("the handshake does not end");
}

#[test]
fn channel_decrypts_bytes_in_any_pieces_and_knows_the_end() {
    for (version, piece) in [(&TLS12, 1), (&TLS13, 1), (&TLS12, 1000), (&TLS13, channel::INPUT_LEN)] {
        let key = KeyPair::generate().unwrap();
        let config = server(certificate(&key), &key, version);
        let mut server = rustls::ServerConnection::new(config).unwrap();
        let check = KeyCheck::default();
        let mut channel = Channel::new("10.0.0.1", &check).unwrap();
        pump(&mut channel, &mut server, piece).unwrap();
        assert!(check.seen().is_some());

        let sent: Vec<u8> = (0..100_000_u32).flat_map(u32::to_be_bytes).collect();
        let (mut got, mut buffer) = (Vec::new(), vec![0; 7000]);
        for part in sent.chunks(10_000) {
            std::io::Write::write_all(&mut server.writer(), part).unwrap();
            let mut wire = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut wire).unwrap();
            }
            for bytes in wire.chunks(piece) {
                channel.space()[..bytes.len()].copy_from_slice(bytes);
                channel.filled(bytes.len());
                while let Some(count @ 1..) = channel.read(&mut buffer).unwrap() {
                    got.extend_from_slice(&buffer[..count]);
                }
            }
        }
        assert!(got == sent, "{} of {} bytes", got.len(), sent.len());

        server.send_close_notify();
        let mut wire = Vec::new();
        server.write_tls(&mut wire).unwrap();
        channel.space()[..wire.len()].copy_from_slice(&wire);
        channel.filled(wire.len());
        assert_eq!(channel.read(&mut buffer).unwrap(), Some(0));
    }
}
