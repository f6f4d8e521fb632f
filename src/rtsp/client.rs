//! Reads one stream: the sockets and the clock around a [`Session`].
//!
//! [`read`] is one attempt. It waits for the connection, for datagrams and for deadlines, and never
//! for the user of the packets.

mod connection;
mod stream;
mod tunnel;

use std::{
    future::Future,
    pin::{Pin, pin},
    time::{Duration, Instant},
};

use smol::future::FutureExt;

use self::{
    connection::{Connection, DatagramKind, Wake},
    tunnel::Entrance,
};
use super::{
    Error, Timeouts,
    framing::{Event, FramingError, is_rtcp},
    sdp::Track,
    session::{Action, Config, Learnt, Note, Session},
    udp,
};
use crate::{camera::Transport, reactor, sync::Notified, time::LazyDeadline};

/// Shorter packets are no RTP.
const MIN_RTP_LEN: usize = 12;
/// Interval of receiver reports over UDP: some cameras end sessions without them after 5 to 10 s.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// Reports between two packets that keep a firewall open for RTP.
const REPORTS_PER_PUNCH: u32 = 6;

/// Number of events after which other tasks get their turn.
const TURNS_AT_ONCE: u64 = 256;

/// Takes the packets of the track.
pub trait PacketReceiver {
    /// A track was set up; packets of an earlier one do not follow. Called again after each change of
    /// the connection.
    fn start(&mut self, track: &Track, transport: Transport);

    /// An RTP packet of at least 12 bytes.
    fn rtp(&mut self, packet: &[u8], received_at: Instant);

    /// An RTCP packet, maybe several in one.
    fn rtcp(&mut self, packet: &[u8], received_at: Instant);

    /// The connection was out of step for `skipped` bytes: the access unit in progress is damaged, and
    /// packets were lost.
    fn out_of_step(&mut self, skipped: usize, now: Instant);

    /// Payload type and SSRC of the track, as far as packets have shown them.
    fn identity(&self) -> (Option<u8>, Option<u32>);

    /// When to call [`poll`](Self::poll) at the latest.
    fn deadline(&self) -> Option<Instant>;

    fn poll(&mut self, now: Instant);

    /// Why nothing more is to be expected of this session, if the packets showed that. It is asked
    /// after each event.
    fn failure(&mut self) -> Option<Error>;

    /// A receiver report for the camera; an empty one is sent if there is none.
    fn report(&mut self, now: Instant) -> Option<Vec<u8>>;

    /// RTCP that requests a key frame; `None` if the camera does not offer to be asked by RTCP.
    fn key_frame_request(&mut self, now: Instant) -> Option<Vec<u8>>;
}

/// How an attempt ended.
#[derive(Debug)]
pub struct Outcome {
    /// `None`: it was stopped.
    pub error: Option<Error>,
    /// The login that the camera accepted; `None`: it required none.
    pub login: Option<&'static str>,
    /// For the next attempt.
    pub learnt: Learnt,
    pub counters: Counters,
}

/// What could not be used, over all connections of an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets of channels that were not set up, of other senders, or too short.
    pub dropped_packets: u64,
    /// Bytes that made no sense.
    pub skipped_bytes: u64,
    /// How often the connection was in step again.
    pub resynchronisations: u64,
}

/// Reads the stream until it ends, or until `stop` is ready: then the session is torn down, which
/// takes at most [`Timeouts::teardown`]. If the future is dropped instead, the camera notices that
/// only by the end of the connection. Each notification of `key_frame_wanted` sends the camera the
/// receiver's [`PacketReceiver::key_frame_request`]. `name` is the camera's in the log.
pub async fn read(
    name: &str,
    config: Config,
    learnt: Learnt,
    receiver: &mut impl PacketReceiver,
    key_frame_wanted: &Notified,
    stop: impl Future<Output = ()>,
) -> Outcome {
    let timeouts = config.timeouts;
    let session = Session::new(config, learnt);
    let mut client = Client {
        name,
        timeouts,
        session,
        receiver,
        key_frame_wanted,
        connection: None,
        deadline: LazyDeadline::default(),
        counters: Counters::default(),
    };
    let error = client.run(pin!(stop)).await;
    client.disconnect();
    let (login, learnt) = (client.session.login(), client.session.learnt().clone());
    Outcome { error, login, learnt, counters: client.counters }
}

struct Client<'a, R> {
    name: &'a str,
    timeouts: Timeouts,
    session: Session,
    receiver: &'a mut R,
    key_frame_wanted: &'a Notified,
    connection: Option<Connection>,
    deadline: LazyDeadline,
    counters: Counters,
}

impl<R: PacketReceiver> Client<'_, R> {
    async fn run(&mut self, mut stop: Pin<&mut impl Future<Output = ()>>) -> Option<Error> {
        let mut buffers = [Vec::new(), Vec::new()];
        for turn in 0_u64.. {
            // A camera that floods us must not hold up other tasks.
            if turn.is_multiple_of(TURNS_AT_ONCE) {
                reactor::yield_now().await;
            }
            if let Some(error) = self.receiver.failure() {
                self.session.failed(error);
            }
            while let Some(action) = self.session.next_action() {
                if let Action::End(error) = action {
                    return error;
                }
                self.perform(action, stop.as_mut()).await;
            }
            let is_idle = self.take_event();
            if is_idle {
                let wake = self.wait(stop.as_mut(), &mut buffers).await;
                self.on_wake(wake, &buffers).await;
            }
        }
        None
    }

    fn disconnect(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.counters.dropped_packets += connection.dropped_packets;
            self.counters.skipped_bytes += connection.deframer.skipped_bytes;
            self.counters.resynchronisations += connection.deframer.resynchronisations;
        }
    }

    async fn perform(&mut self, action: Action, stop: Pin<&mut impl Future<Output = ()>>) {
        match action {
            Action::Connect { host, port, tls, transport } => {
                self.disconnect();
                let check = tls.then(|| self.session.key_check());
                let name = self.name.to_owned();
                let entrance = Entrance { name, host, port, check, path: self.session.path() };
                let (login, timeouts) = (self.session.tunnel_login(), self.timeouts);
                let opened = async { Some(Connection::open(entrance, transport, login, timeouts).await) };
                let stopped = async {
                    stop.await;
                    None
                };
                match stopped.or(opened).await {
                    None => self.session.stop(),
                    Some(Err(error)) => self.session.failed(error),
                    Some(Ok(connection)) => {
                        let client_port = connection.client_port();
                        self.connection = Some(connection);
                        self.session.connected(Instant::now(), client_port);
                    }
                }
            }
            Action::Send(bytes) => {
                let Some(connection) = &mut self.connection else { return };
                let sent = connection.send(&bytes, self.timeouts.write).await;
                self.note_sent(sent);
            }
            Action::Receive { track, delivery } => {
                let Some(connection) = &mut self.connection else { return };
                self.receiver.start(&track, self.session.transport());
                match connection.receive(delivery) {
                    Ok(()) => self.report().await,
                    Err(error) => self.session.failed(error),
                }
            }
            Action::Drain { cseq } => {
                if let Some(connection) = &mut self.connection {
                    connection.drain(cseq, self.timeouts.teardown).await;
                }
            }
            Action::Note(note) => self.log(&note),
            Action::Playing | Action::End(_) => {}
        }
    }

    fn note_sent(&mut self, sent: Result<(), Error>) {
        match sent {
            Ok(()) => {}
            Err(error @ Error::WriteTimeout { .. }) => self.session.failed(error),
            Err(error) => self.session.on_closed(Instant::now(), error),
        }
    }

    /// Takes the next event of the connection, if there is one. Returns whether there is none.
    fn take_event(&mut self) -> bool {
        let Some(connection) = &mut self.connection else { return true };
        let now = Instant::now();
        match connection.deframer.next(now) {
            Ok(None) => return true,
            Ok(Some(Event::Message(message))) => self.session.on_message(now, message),
            Ok(Some(Event::Packet { channel, data })) => {
                let is_ours = connection.channels.is_some_and(|(rtp, rtcp)| channel == rtp || channel == rtcp);
                match data {
                    [_, second, ..] if is_ours && is_rtcp(*second) => self.receiver.rtcp(data, connection.read_at),
                    _ if is_ours && data.len() >= MIN_RTP_LEN => {
                        self.session.on_packet();
                        self.receiver.rtp(data, connection.read_at);
                    }
                    _ => connection.dropped_packets += 1,
                }
            }
            Ok(Some(Event::Resynchronised { skipped })) => {
                log::debug!("{}: {skipped} bytes of the camera made no sense", self.name);
                self.receiver.out_of_step(skipped, now);
            }
            Err(FramingError::OutOfStep { skipped }) => self.session.failed(Error::OutOfStep { skipped }),
            Err(FramingError::TooLong) => self.session.failed(Error::TooLong),
        }
        false
    }

    async fn wait(&mut self, stop: Pin<&mut impl Future<Output = ()>>, buffers: &mut [Vec<u8>; 2]) -> Wake {
        let report = self.connection.as_ref().and_then(|connection| connection.report_due);
        let due = [self.session.deadline(), self.receiver.deadline(), report].into_iter().flatten().min();
        let deadline = &mut self.deadline;
        let deadline = async {
            match due {
                Some(due) => deadline.wait_until(due).await,
                None => smol::future::pending().await,
            }
            Wake::Deadline
        };
        let stopped = async {
            stop.await;
            Wake::Stopped
        };
        let key_frame_wanted = async {
            if !self.key_frame_wanted.changed().await {
                // Nobody is left who could want one.
                smol::future::pending::<()>().await;
            }
            Wake::KeyFrameWanted
        };
        let input = async {
            match &mut self.connection {
                Some(connection) => {
                    connection.deframer.expected.channels = connection.channels;
                    let expected = &mut connection.deframer.expected;
                    (expected.payload_type, expected.ssrc) = self.receiver.identity();
                    connection.input(buffers).await
                }
                None => smol::future::pending().await,
            }
        };
        // In this order, so that a flood of packets holds up none of them.
        stopped.or(deadline).or(key_frame_wanted).or(input).await
    }

    async fn on_wake(&mut self, wake: Wake, buffers: &[Vec<u8>; 2]) {
        let now = Instant::now();
        match wake {
            Wake::Stopped => self.session.stop(),
            Wake::Deadline => {
                self.session.on_deadline(now);
                if self.receiver.deadline().is_some_and(|deadline| deadline <= now) {
                    self.receiver.poll(now);
                }
                if self.connection.as_ref().and_then(|connection| connection.report_due).is_some_and(|due| due <= now) {
                    self.report().await;
                }
            }
            Wake::KeyFrameWanted => self.request_key_frame(now).await,
            Wake::Read(result) => {
                let Some(connection) = &mut self.connection else { return };
                match result {
                    Ok(0) => {
                        let error = Error::Closed { inside_packet: connection.deframer.is_inside() };
                        self.session.on_closed(now, error);
                    }
                    Ok(count) => {
                        connection.read_at = now;
                        connection.deframer.filled(count);
                    }
                    Err(error) => self.session.on_closed(now, Error::from_io(&error)),
                }
            }
            Wake::Datagram(Ok((count, sender)), kind) => {
                let Some(connection) = &mut self.connection else { return };
                let (packet, is_accepted) = match kind {
                    DatagramKind::Rtp => (&buffers[0][..count], connection.rtp_peer.accepts(sender)),
                    DatagramKind::Rtcp => (&buffers[1][..count], connection.rtcp_peer.accepts(sender)),
                };
                connection.has_datagrams |= is_accepted;
                match packet {
                    [_, second, ..] if is_accepted && is_rtcp(*second) => self.receiver.rtcp(packet, now),
                    _ if is_accepted && packet.len() >= MIN_RTP_LEN => {
                        self.session.on_packet();
                        self.receiver.rtp(packet, now);
                    }
                    _ => connection.dropped_packets += 1,
                }
            }
            Wake::Datagram(Err(error), _) => self.session.failed(Error::from_io(&error)),
        }
    }

    /// Sends what a camera expects over UDP: a report, and now and then a packet that opens the way for
    /// its own. Where they cannot be sent does not matter.
    async fn report(&mut self) {
        let now = Instant::now();
        let report = self.receiver.report(now).unwrap_or_else(|| udp::receiver_report(0).to_vec());
        let Some(connection) = &mut self.connection else { return };
        if connection.is_multicast() {
            connection.look_after_group(self.name, now);
        } else if connection.is_udp() {
            connection.report_due = Some(now + REPORT_INTERVAL);
            connection.send_reports(&report, REPORTS_PER_PUNCH).await;
        }
    }

    /// Asks the camera for a key frame, if it offers to be asked by RTCP.
    async fn request_key_frame(&mut self, now: Instant) {
        let Some(connection) = &mut self.connection else { return };
        if let Some(packet) = self.receiver.key_frame_request(now) {
            let sent = connection.send_rtcp(&packet, self.timeouts.write).await;
            self.note_sent(sent);
        }
    }

    fn log(&self, note: &Note) {
        let name = self.name;
        match note {
            Note::PasswordInClear => log::warn!("{name}: the camera takes its password in clear text alone"),
            Note::OtherMedia(others) => log::debug!("{name}: not read: {}", others.join("; ")),
            Note::StrayResponse { status } => log::debug!("{name}: a response ({status}) that nobody awaits"),
            Note::CameraRequest { method } => log::debug!("{name}: the camera requests {method}"),
            Note::OtherTransport { transport } => log::info!("{name}: goes on over {}", transport.name()),
        }
    }
}
