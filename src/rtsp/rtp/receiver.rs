//! Leads the packets of a track through all stages.

use std::time::{Duration, Instant};

use super::{
    Event, Stats, VIDEO_CLOCK_RATE,
    access_unit::Assembler,
    config::{Encoding, TrackConfig, UnsupportedEncoding},
    fmtp::Fmtp,
    h264, h265, jpeg, mpeg4,
    order::{Counters, Gap, Sequencer},
    packet::Packet,
    payload_type::{PayloadTypeFilter, Verdict},
    rtcp::{self, Report, Reporter, SenderReport},
};
use crate::media::{Codec, Size};

/// The stream has ended if no packet comes for this long after the camera said so (BYE). Encoders that restart say
/// BYE, too, and go on.
const BYE_GRACE: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
enum Depacketizer {
    /// The codec is not known yet.
    Unknown,
    H264(h264::Depacketizer, Assembler),
    H265(h265::Depacketizer, Assembler),
    Jpeg(jpeg::Depacketizer),
    Mpeg4(mpeg4::Depacketizer),
}

/// Reads the packets of one track.
#[derive(Clone, Debug)]
pub struct TrackReceiver {
    clock_rate: u32,
    fmtp: Fmtp,
    size_hint: Option<Size>,
    filter: PayloadTypeFilter,
    sequencer: Sequencer,
    depacketizer: Depacketizer,
    reporter: Reporter,
    bye_at: Option<Instant>,
    ignored: u64,
    whole_units: u64,
    damaged_units: u64,
}

impl TrackReceiver {
    /// # Errors
    /// The codec is known, and is none of [`Encoding`].
    pub fn new(config: &TrackConfig) -> Result<Self, UnsupportedEncoding> {
        let fmtp = Fmtp::parse(&config.fmtp);
        let encoding = match config.encoding_name.trim() {
            "" => Encoding::guess(config, &fmtp),
            name => Some(Encoding::from_name(name).ok_or_else(|| UnsupportedEncoding(name.to_owned()))?),
        };
        let clock_rate = if config.clock_rate == 0 { VIDEO_CLOCK_RATE } else { config.clock_rate };
        let mut receiver = Self {
            clock_rate,
            fmtp,
            size_hint: config.size_hint,
            filter: PayloadTypeFilter::new(config.payload_type),
            sequencer: Sequencer::new(config.transport, clock_rate),
            depacketizer: Depacketizer::Unknown,
            reporter: Reporter::new(config.local_ssrc, &config.cname),
            bye_at: None,
            ignored: 0,
            whole_units: 0,
            damaged_units: 0,
        };
        if let Some(encoding) = encoding {
            receiver.set_encoding(encoding);
        }
        Ok(receiver)
    }

    fn set_encoding(&mut self, encoding: Encoding) {
        let assembler = |codec| Assembler::new(codec, &self.fmtp.parameter_sets(codec));
        self.depacketizer = match encoding {
            Encoding::H264 => Depacketizer::H264(h264::Depacketizer::default(), assembler(Codec::H264)),
            Encoding::H265 => Depacketizer::H265(h265::Depacketizer::new(self.fmtp.has_don()), assembler(Codec::H265)),
            Encoding::Jpeg => Depacketizer::Jpeg(jpeg::Depacketizer::new(self.size_hint)),
            Encoding::Mpeg4 => Depacketizer::Mpeg4(mpeg4::Depacketizer::new(self.fmtp.mpeg4_config())),
        };
    }

    /// `None` while the codec is not known.
    pub fn encoding(&self) -> Option<Encoding> {
        match self.depacketizer {
            Depacketizer::Unknown => None,
            Depacketizer::H264(..) => Some(Encoding::H264),
            Depacketizer::H265(..) => Some(Encoding::H265),
            Depacketizer::Jpeg(_) => Some(Encoding::Jpeg),
            Depacketizer::Mpeg4(_) => Some(Encoding::Mpeg4),
        }
    }

    /// Takes one packet, RTP or RTCP, and appends what it gives to `out`.
    pub fn push(&mut self, packet: &[u8], received_at: Instant, out: &mut Vec<Event>) {
        if rtcp::is_rtcp(packet) {
            return self.push_rtcp(packet, received_at);
        }
        let Some(packet) = Packet::parse(packet) else {
            self.ignored += 1;
            return;
        };
        match self.filter.check(&packet, received_at) {
            Verdict::Pass => {
                self.take_held(out);
                self.order(&packet, received_at, out);
            }
            Verdict::Ignore => {
                self.ignored += 1;
                self.sequencer.ignore(&packet);
            }
            Verdict::Hold => self.take_held(out),
        }
    }

    /// Does what is due at `now`: gives up missing packets, ends units without marker, and so on. Push all packets that
    /// have come before, because one of them may be the missing one.
    pub fn poll(&mut self, now: Instant, out: &mut Vec<Event>) {
        self.filter.poll(now);
        self.take_held(out);
        let from = out.len();
        let Self { sequencer, depacketizer, .. } = self;
        sequencer.poll(now, &mut |packet, at, gap| depacketizer.push(packet, at, gap, out));
        depacketizer.poll(now, out);
        self.finish_units(from, out);
        if self.bye_deadline().is_some_and(|deadline| deadline <= now) {
            self.bye_at = None;
            out.push(Event::Ended);
        }
    }

    /// When [`TrackReceiver::poll`] is due; `None` if only a packet can bring anything.
    pub fn deadline(&self) -> Option<Instant> {
        let deadlines =
            [self.filter.deadline(), self.sequencer.deadline(), self.depacketizer.deadline(), self.bye_deadline()];
        deadlines.into_iter().flatten().min()
    }

    pub fn stats(&self) -> Stats {
        let Counters { packets, lost, late, duplicates, foreign, resyncs } = self.sequencer.counters();
        Stats {
            packets,
            lost,
            late,
            duplicates,
            foreign,
            ignored: self.ignored,
            resyncs,
            jitter: self.sequencer.jitter(),
            whole_units: self.whole_units,
            damaged_units: self.damaged_units,
        }
    }

    /// The source of the track, once its first packet came; an RTSP reader recognises frames by it.
    pub fn ssrc(&self) -> Option<u32> {
        self.sequencer.ssrc()
    }

    /// The payload type of the track, once it is known.
    pub fn payload_type(&self) -> Option<u8> {
        self.filter.chosen()
    }

    /// RTCP to send every few seconds: a receiver report with `CNAME`.
    pub fn receiver_report(&mut self, now: Instant) -> Vec<u8> {
        self.reporter.receiver_report(self.sequencer.reception(), now)
    }

    /// RTCP that requests a key frame (RFC 4585 6.3.1), for a camera that offers `nack pli`.
    pub fn picture_loss_indication(&mut self, now: Instant) -> Vec<u8> {
        let (source, reception) = (self.asked_source(), self.sequencer.reception());
        self.reporter.picture_loss_indication(source, reception, now)
    }

    /// RTCP that requests a key frame (RFC 5104 4.3.1), for a camera that offers `ccm fir`.
    pub fn full_intra_request(&mut self, now: Instant) -> Vec<u8> {
        let (source, reception) = (self.asked_source(), self.sequencer.reception());
        self.reporter.full_intra_request(source, reception, now)
    }

    /// Whose key frame is requested. A camera that sends nothing until it is asked may have sent a report; if not, 0,
    /// because what SETUP says of the source is often wrong.
    fn asked_source(&self) -> u32 {
        let reported = || self.reporter.sender_report().map(|report| report.ssrc);
        self.sequencer.ssrc().or_else(reported).unwrap_or_default()
    }

    fn push_rtcp(&mut self, packet: &[u8], received_at: Instant) {
        let ours = self.sequencer.ssrc();
        rtcp::read(packet, |report| match report {
            // Before the first packet of video, the report of the only source is believed.
            Report::Sender(report) if ours.is_none_or(|ours| ours == report.ssrc) => {
                self.reporter.on_sender_report(report, received_at);
            }
            Report::Bye(source) if Some(source) == ours => self.bye_at = Some(received_at),
            Report::Sender(_) | Report::Bye(_) => {}
        });
    }

    /// The moment at which a BYE is believed, unless packets came after it.
    fn bye_deadline(&self) -> Option<Instant> {
        let bye_at = self.bye_at.filter(|&bye_at| self.sequencer.last_at().is_none_or(|last| last <= bye_at))?;
        Some(bye_at + BYE_GRACE)
    }

    /// Takes the packets that waited for the payload type or the codec.
    fn take_held(&mut self, out: &mut Vec<Event>) {
        for held in self.filter.take_held() {
            match held.packet() {
                Some(packet) if Some(packet.payload_type) == self.filter.chosen() => {
                    self.order(&packet, held.received_at, out);
                }
                Some(packet) => {
                    self.ignored += 1;
                    self.sequencer.ignore(&packet);
                }
                None => {}
            }
        }
    }

    fn order(&mut self, packet: &Packet, received_at: Instant, out: &mut Vec<Event>) {
        if let Depacketizer::Unknown = self.depacketizer
            && let Some(encoding) = Encoding::sniff(packet.payload)
        {
            self.set_encoding(encoding);
        }
        let before = self.sequencer.ssrc();
        let from = out.len();
        let Self { sequencer, depacketizer, .. } = self;
        sequencer.push(packet, received_at, &mut |packet, at, gap| depacketizer.push(packet, at, gap, out));
        if before.is_some() && before != self.sequencer.ssrc() {
            self.reporter.reset();
        }
        self.finish_units(from, out);
    }

    /// Counts the units from `from` on, and puts the camera's time into them.
    fn finish_units(&mut self, from: usize, out: &mut [Event]) {
        // One that came before the first packet may be of another source.
        let ours = |report: &SenderReport| Some(report.ssrc) == self.sequencer.ssrc();
        let report = self.reporter.sender_report().filter(ours);
        for event in &mut out[from..] {
            if let Event::Unit(unit) = event {
                let counter = if unit.is_whole { &mut self.whole_units } else { &mut self.damaged_units };
                *counter += 1;
                unit.camera_time = report.and_then(|report| report.unix_time_at(unit.rtp_time, self.clock_rate));
            }
        }
    }
}

impl Depacketizer {
    fn push(&mut self, packet: &Packet, received_at: Instant, gap: Gap, out: &mut Vec<Event>) {
        match self {
            Self::Unknown => {}
            Self::H264(depacketizer, assembler) => {
                assembler.begin_packet(packet.time, received_at, gap, out);
                depacketizer.push(packet, assembler, out);
                assembler.end_packet(packet.marker, out);
            }
            Self::H265(depacketizer, assembler) => {
                assembler.begin_packet(packet.time, received_at, gap, out);
                depacketizer.push(packet, assembler, out);
                assembler.end_packet(packet.marker, out);
            }
            Self::Jpeg(depacketizer) => depacketizer.push(packet, received_at, gap, out),
            Self::Mpeg4(depacketizer) => depacketizer.push(packet, received_at, gap, out),
        }
    }

    fn poll(&mut self, now: Instant, out: &mut Vec<Event>) {
        if let Self::H264(_, assembler) | Self::H265(_, assembler) = self {
            assembler.poll(now, out);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::H264(_, assembler) | Self::H265(_, assembler) => assembler.deadline(),
            Self::Unknown | Self::Jpeg(_) | Self::Mpeg4(_) => None,
        }
    }
}
