//! A client of MQTT 3.1.1 for one broker: messages with a topic, published and subscribed to.
//!
//! `mqtt-proto` reads and writes the packets; the connection, its limits and its keepalive are here.
//! States are published with quality 0 and kept by the broker (retained), because all of them are published again after
//! a loss; messages to the agent are subscribed to with quality 1.

use std::{
    io,
    time::{Duration, Instant},
};

use bytes::Bytes;
use mqtt_proto::{
    Pid, QoS, QosPid, TopicFilter, TopicName,
    v3::{Connect, ConnectReturnCode, Header, LastWill, Packet, Publish, Subscribe, SubscribeReturnCode},
};
use smol::{
    Timer,
    future::FutureExt,
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
};

use crate::{
    camera::Credentials,
    tcp,
    text::{self, chain},
    time::timeout,
    tls::{self, client::KeyCheck},
};

/// Time for the connection, and for the broker's answer to each of the first requests.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for the broker to take one packet.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// What the broker is told: it takes the client for dead after one and a half of it.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How often a sign of life is sent while nothing else is, and how soon it must be answered.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum length of a packet of the broker, in bytes; messages to the agent have some hundred.
const MAX_PACKET_LEN: usize = 64 << 10;
const READ_LEN: usize = 4096;

/// How the broker is reached, and what it is told of the client.
#[derive(Clone)]
pub struct Options {
    /// Name or address, IPv6 without brackets.
    pub host: String,
    pub port: u16,
    /// The key that the broker must have; `None`: without TLS.
    pub check: Option<KeyCheck>,
    pub credentials: Option<Credentials>,
    /// Unique at the broker, which ends another connection of the same name.
    pub client_id: String,
    /// Topic and payload that the broker publishes, and keeps, when the connection is lost.
    pub last_will: (String, String),
}

/// A message that was subscribed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub topic: String,
    pub payload: Bytes,
    /// The broker kept it: it is older than the subscription.
    pub is_retained: bool,
}

/// Why there is no connection to the broker, or no longer one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Connect(#[from] tcp::ConnectError),
    #[error(transparent)]
    Tls(#[from] tls::client::Error),
    #[error("it refuses the login")]
    Denied,
    #[error("it refuses the connection: {0}")]
    Refused(&'static str),
    #[error("it refuses the subscription to {topic}")]
    SubscriptionRefused { topic: String },
    #[error("it does not answer within {} s", .0.as_secs())]
    Timeout(Duration),
    #[error("it has closed the connection")]
    Closed,
    #[error("the connection broke: {}", chain(.0))]
    Io(#[from] io::Error),
    /// What it sends is not MQTT.
    #[error("it sends what is not MQTT: {0}")]
    Protocol(String),
}

trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

/// A connection to the broker.
pub struct Client {
    socket: Box<dyn Socket>,
    /// What has come of the packets that are not taken yet.
    received: Vec<u8>,
    last_sent: Instant,
    /// Since when a sign of life is not answered.
    unanswered: Option<Instant>,
    last_pid: u16,
}

impl Client {
    /// Connects and logs in.
    ///
    /// # Errors
    /// If the broker is not reached or refuses the login within some seconds.
    pub async fn connect(options: &Options) -> Result<Self, Error> {
        let host = options.host.as_str();
        let (stream, _) = tcp::connect(host, options.port, CONNECT_TIMEOUT).await?;
        let socket: Box<dyn Socket> = match &options.check {
            None => Box::new(stream),
            Some(check) => {
                let connected = timeout(CONNECT_TIMEOUT, tls::client::connect(stream, host, check)).await;
                Box::new(connected.ok_or(Error::Timeout(CONNECT_TIMEOUT))??)
            }
        };
        let now = Instant::now();
        let mut client = Self { socket, received: Vec::new(), last_sent: now, unanswered: None, last_pid: 0 };
        let (topic, payload) = &options.last_will;
        let last_will = LastWill {
            qos: QoS::Level0,
            retain: true,
            topic_name: topic_name(topic)?,
            message: Bytes::copy_from_slice(payload.as_bytes()),
        };
        let seconds = u16::try_from(KEEP_ALIVE.as_secs()).unwrap_or(u16::MAX);
        let mut connect = Connect::new(options.client_id.as_str().into(), seconds);
        connect.last_will = Some(last_will);
        if let Some(credentials) = &options.credentials {
            connect.username = Some(credentials.username.as_str().into());
            connect.password = Some(Bytes::copy_from_slice(credentials.password.expose().as_bytes()));
        }
        client.send(&connect.into()).await?;
        match client.answer().await? {
            Packet::Connack(answer) => match answer.code {
                ConnectReturnCode::Accepted => Ok(client),
                ConnectReturnCode::BadUserNameOrPassword | ConnectReturnCode::NotAuthorized => Err(Error::Denied),
                ConnectReturnCode::UnacceptableProtocolVersion => Err(Error::Refused("it knows no MQTT 3.1.1")),
                ConnectReturnCode::IdentifierRejected => Err(Error::Refused("the name of the client")),
                ConnectReturnCode::ServerUnavailable => Err(Error::Refused("it is not ready")),
            },
            other => Err(unexpected(&other)),
        }
    }

    /// Subscribes to messages with these topics; `+` in one stands for one part of a topic.
    ///
    /// # Errors
    /// If the broker refuses one, or the connection ends.
    pub async fn subscribe(&mut self, topics: &[String]) -> Result<(), Error> {
        for topic in topics {
            let filter = TopicFilter::try_from(topic.as_str()).map_err(|error| Error::Protocol(error.to_string()))?;
            let pid = self.next_pid()?;
            self.send(&Subscribe::new(pid, vec![(filter, QoS::Level1)]).into()).await?;
            // Kept messages of earlier subscriptions may come first; they are old, and nobody wants them.
            loop {
                match self.answer().await? {
                    Packet::Suback(answer) if answer.pid == pid => {
                        if answer.topics.contains(&SubscribeReturnCode::Failure) {
                            return Err(Error::SubscriptionRefused { topic: topic.clone() });
                        }
                        break;
                    }
                    Packet::Publish(message) => self.acknowledge(&message).await?,
                    other => return Err(unexpected(&other)),
                }
            }
        }
        Ok(())
    }

    /// Publishes a message; with `retain` the broker keeps it for later subscribers, and forgets it if it is empty.
    ///
    /// # Errors
    /// If the broker does not take it within some seconds, or the topic cannot be one.
    pub async fn publish(&mut self, topic: &str, payload: &str, retain: bool) -> Result<(), Error> {
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        let mut publish = Publish::new(QosPid::Level0, topic_name(topic)?, payload);
        publish.retain = retain;
        self.send(&publish.into()).await
    }

    /// Waits for the next message, and gives signs of life meanwhile. Cancel-safe: dropping the future loses nothing.
    ///
    /// # Errors
    /// If the connection ends, or the broker gives no sign of life.
    pub async fn next(&mut self) -> Result<Message, Error> {
        loop {
            while let Some(packet) = self.take_packet()? {
                match packet {
                    Packet::Publish(message) => {
                        self.acknowledge(&message).await?;
                        let Publish { topic_name, payload, retain, .. } = message;
                        return Ok(Message { topic: topic_name.to_string(), payload, is_retained: retain });
                    }
                    Packet::Pingresp => self.unanswered = None,
                    Packet::Puback(_) | Packet::Suback(_) | Packet::Unsuback(_) => {}
                    other => return Err(unexpected(&other)),
                }
            }
            let now = Instant::now();
            if self.unanswered.is_some_and(|since| now.duration_since(since) >= PING_TIMEOUT) {
                return Err(Error::Timeout(PING_TIMEOUT));
            }
            if self.unanswered.is_none() && now.duration_since(self.last_sent) >= PING_INTERVAL {
                self.unanswered = Some(now);
                self.send(&Packet::Pingreq).await?;
            }
            let due = self.unanswered.map_or(self.last_sent + PING_INTERVAL, |since| since + PING_TIMEOUT);
            let read = async { self.read().await.map(|()| true) };
            let wait = async {
                Timer::at(due).await;
                Ok(false)
            };
            read.or(wait).await?;
        }
    }

    /// Ends the connection, so that the broker does not publish the last will.
    pub async fn disconnect(mut self) {
        let _ = self.send(&Packet::Disconnect).await;
        let _ = timeout(WRITE_TIMEOUT, self.socket.close()).await;
    }

    /// The next packet, within the time for an answer.
    async fn answer(&mut self) -> Result<Packet, Error> {
        let wait = async {
            loop {
                if let Some(packet) = self.take_packet()? {
                    return Ok(packet);
                }
                self.read().await?;
            }
        };
        timeout(CONNECT_TIMEOUT, wait).await.unwrap_or(Err(Error::Timeout(CONNECT_TIMEOUT)))
    }

    async fn acknowledge(&mut self, message: &Publish) -> Result<(), Error> {
        match message.qos_pid {
            QosPid::Level1(pid) => self.send(&Packet::Puback(pid)).await,
            // Quality 2 is not subscribed to.
            QosPid::Level0 | QosPid::Level2(_) => Ok(()),
        }
    }

    async fn read(&mut self) -> Result<(), Error> {
        let mut piece = [0; READ_LEN];
        match self.socket.read(&mut piece).await? {
            0 => Err(Error::Closed),
            count => {
                self.received.extend_from_slice(&piece[..count]);
                Ok(())
            }
        }
    }

    fn take_packet(&mut self) -> Result<Option<Packet>, Error> {
        let Some(length) = packet_len(&self.received)? else { return Ok(None) };
        if self.received.len() < length {
            return Ok(None);
        }
        let packet: Vec<u8> = self.received.drain(..length).collect();
        let decoded = Packet::decode(&packet).map_err(|error| Error::Protocol(text::reason(&error.to_string())))?;
        // The length is that of the head, so the packet is whole.
        decoded.map(Some).ok_or_else(|| Error::Protocol("a packet is shorter than it says".to_owned()))
    }

    async fn send(&mut self, packet: &Packet) -> Result<(), Error> {
        let bytes = packet.encode().map_err(|error| Error::Protocol(error.to_string()))?;
        let write = async {
            self.socket.write_all(bytes.as_ref()).await?;
            self.socket.flush().await
        };
        timeout(WRITE_TIMEOUT, write).await.ok_or(Error::Timeout(WRITE_TIMEOUT))??;
        self.last_sent = Instant::now();
        Ok(())
    }

    fn next_pid(&mut self) -> Result<Pid, Error> {
        self.last_pid = self.last_pid.checked_add(1).unwrap_or(1);
        Pid::try_from(self.last_pid).map_err(|error| Error::Protocol(error.to_string()))
    }
}

/// The length of the packet with which `bytes` begin, with its head; `None`: its head is not whole.
fn packet_len(bytes: &[u8]) -> Result<Option<usize>, Error> {
    if let Some(first) = bytes.first() {
        // Before its length is believed, which another protocol does not mean as one.
        Header::new_with(*first, 0, 0).map_err(|error| Error::Protocol(error.to_string()))?;
    }
    let mut length = 0_usize;
    for (index, byte) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let whole = length + index + 2;
            if whole > MAX_PACKET_LEN {
                return Err(Error::Protocol(format!("a packet of {whole} bytes")));
            }
            return Ok(Some(whole));
        }
    }
    if bytes.len() > 4 { Err(Error::Protocol("a packet without an end of its length".to_owned())) } else { Ok(None) }
}

fn topic_name(topic: &str) -> Result<TopicName, Error> {
    TopicName::try_from(topic).map_err(|error| Error::Protocol(error.to_string()))
}

fn unexpected(packet: &Packet) -> Error {
    Error::Protocol(format!("a packet out of turn ({:?})", packet.get_type()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_of_a_packet_is_read_from_its_head_and_bounded() {
        let length = |bytes: &[u8]| packet_len(bytes).map_err(|error| error.to_string());
        assert_eq!((length(&[]), length(&[0x30]), length(&[0x30, 0x80])), (Ok(None), Ok(None), Ok(None)));
        assert_eq!((length(&[0xd0, 0]), length(&[0x30, 0x80, 1, 9])), (Ok(Some(2)), Ok(Some(131))));
        assert!(length(&[0x30, 0xff, 0xff, 0xff, 0x7f]).unwrap_err().contains("a packet of 268435460 bytes"));
        assert!(length(&[0x30, 0x80, 0x80, 0x80, 0x80]).is_err());
    }

    /// What a broker that is made of `bytes` makes of a client.
    fn against(bytes: &'static [u8]) -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            use std::io::{Read as _, Write as _};
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(bytes);
        });
        let options = Options {
            host: "127.0.0.1".into(),
            port,
            check: None,
            credentials: None,
            client_id: "test".into(),
            last_will: ("test/status".into(), "offline".into()),
        };
        smol::block_on(async {
            let mut client = match Client::connect(&options).await {
                Ok(client) => client,
                Err(error) => return error.to_string(),
            };
            match client.next().await {
                Ok(message) => format!("{}={}", message.topic, String::from_utf8_lossy(&message.payload)),
                Err(error) => error.to_string(),
            }
        })
    }

    #[test]
    fn broker_that_refuses_closes_or_sends_nonsense_is_told_apart() {
        assert_eq!(against(b"\x20\x02\x00\x05"), "it refuses the login");
        assert_eq!(against(b"\x20\x02\x00\x03"), "it refuses the connection: it is not ready");
        assert_eq!(against(b""), "it has closed the connection");
        assert_eq!(against(b"\x20\x02\x00\x00\x30\x06\x00\x01ahey"), "a=hey");
        assert_eq!(against(b"\x20\x02\x00\x00"), "it has closed the connection");
        assert!(against(b"HTTP/1.1 400 Bad Request\r\n\r\n").starts_with("it sends what is not MQTT"));
        assert!(against(b"\x20\x02\x00\x00\x30\xff\xff\xff\x7f").contains("a packet of"));
        assert!(against(b"\x20\x02\x00\x00\x20\x02\x00\x00").contains("a packet out of turn (Connack)"));
    }
}
