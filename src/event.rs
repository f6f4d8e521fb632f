//! What happens at cameras: the words by which rules name events, and the topics of ONVIF behind them.

/// Maximum length of a topic, in characters; longer ones of a camera are cut.
pub const MAX_TOPIC_LEN: usize = 200;

/// What a rule waits for at a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CameraEvent {
    /// The camera sees something move, whatever its detector calls it.
    Motion,
    /// One of its inputs is switched, or somebody tampers with it.
    Alarm,
    /// Somebody rings.
    Doorbell,
    /// Its picture is no longer live.
    Lost,
    /// Its picture is live again.
    Back,
    /// Any topic of ONVIF, by a part of it: `RuleEngine/LineDetector`.
    Topic(String),
}

/// Parts of topics without their namespaces, as devices of many makers have them. The names after the last `/` of
/// the standard's detectors are among them (ONVIF Analytics, Device IO and Imaging specifications).
const MOTION: [&str; 12] = [
    "MotionAlarm",
    "CellMotionDetector",
    "MotionRegionDetector",
    "MotionDetector",
    "FieldDetector",
    "LineDetector",
    "PeopleDetect",
    "VehicleDetect",
    "DogCatDetect",
    "FaceDetect",
    "HumanShapeDetect",
    "/VMD/",
];
const ALARM: [&str; 6] =
    ["DigitalInput", "TamperDetector", "GlobalSceneChange", "ImageTooDark", "DetectedSound", "SmartAlarm"];
const DOORBELL: [&str; 5] = ["Visitor", "DoorBell", "CallButton", "DoorCall", "Intercom"];

impl CameraEvent {
    /// The event with this name, or a topic, which has a `/`; `None`: neither.
    pub fn parse(word: &str) -> Option<Self> {
        let is_topic = word.contains('/')
            && word.len() <= MAX_TOPIC_LEN
            && word.trim_matches('/').len() > 2
            && word.bytes().all(|byte| byte.is_ascii_graphic());
        match word {
            "motion" => Some(Self::Motion),
            "alarm" => Some(Self::Alarm),
            "doorbell" => Some(Self::Doorbell),
            "lost" => Some(Self::Lost),
            "back" => Some(Self::Back),
            topic => is_topic.then(|| Self::Topic(without_namespaces(topic))),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Motion => "motion",
            Self::Alarm => "alarm",
            Self::Doorbell => "doorbell",
            Self::Lost => "lost",
            Self::Back => "back",
            Self::Topic(topic) => topic,
        }
    }

    /// Whether the camera itself tells it, by ONVIF.
    pub fn is_of_camera(&self) -> bool {
        !matches!(self, Self::Lost | Self::Back)
    }

    /// Whether `topic`, which has no namespaces, tells of it.
    pub fn is_told_by(&self, topic: &str) -> bool {
        let lower = topic.to_ascii_lowercase();
        let any = |parts: &[&str]| parts.iter().any(|part| lower.contains(&part.to_ascii_lowercase()));
        match self {
            Self::Doorbell => any(&DOORBELL),
            Self::Alarm => any(&ALARM),
            // A doorbell of some makers is one of their motion detectors.
            Self::Motion => any(&MOTION) && !any(&DOORBELL),
            Self::Topic(part) => lower.contains(&part.to_ascii_lowercase()),
            Self::Lost | Self::Back => false,
        }
    }
}

/// `topic` without the prefixes of its parts (`tns1:RuleEngine/tnsaxis:VMD`), which each device chooses itself.
pub fn without_namespaces(topic: &str) -> String {
    let parts = topic.trim().split('/').map(|part| part.rsplit(':').next().unwrap_or(part));
    parts.collect::<Vec<_>>().join("/").chars().take(MAX_TOPIC_LEN).collect()
}

/// Whether something begins, ends or has no length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Began,
    /// It began before, and the device says again that it lasts.
    Lasts,
    Ended,
    Momentary,
}

/// Something that happened at a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Without namespaces.
    pub topic: String,
    /// Tokens by which the device names the place: of a video source or its configuration, of an input. Empty if it
    /// names none.
    pub sources: Vec<String>,
    pub phase: Phase,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_of_makers_are_what_people_call_them() {
        let told = |topic: &str| {
            let topic = without_namespaces(topic);
            let events = [CameraEvent::Motion, CameraEvent::Alarm, CameraEvent::Doorbell];
            let told: Vec<String> =
                events.iter().filter(|event| event.is_told_by(&topic)).map(|event| event.as_str().to_owned()).collect();
            told.join(" ")
        };
        for (topic, events) in [
            ("tns1:RuleEngine/CellMotionDetector/Motion", "motion"),
            ("tns1:VideoSource/MotionAlarm", "motion"),
            ("tns1:RuleEngine/FieldDetector/ObjectsInside", "motion"),
            ("tns1:RuleEngine/tnsaxis:VMD/x", "motion"),
            ("tnsaxis:CameraApplicationPlatform/VMD/Camera1ProfileANY", "motion"),
            ("tns1:RuleEngine/MyRuleDetector/PeopleDetect", "motion"),
            ("tns1:RuleEngine/MyRuleDetector/Visitor", "doorbell"),
            ("tns1:UserAlarm/IVA/HumanShapeDetect", "motion"),
            ("tns1:Device/Trigger/DigitalInput", "alarm"),
            ("tns1:VideoSource/GlobalSceneChange/ImagingService", "alarm"),
            ("tns1:Device/Trigger/tns:Relay", ""),
            ("tns1:Monitoring/ProcessorUsage", ""),
        ] {
            assert_eq!(told(topic), events, "{topic}");
        }
    }

    #[test]
    fn events_are_named_by_words_or_topics() {
        for word in ["motion", "alarm", "doorbell", "lost", "back"] {
            assert_eq!(CameraEvent::parse(word).unwrap().as_str(), word);
        }
        let topic = CameraEvent::parse("tns1:RuleEngine/LineDetector").unwrap();
        assert_eq!(topic, CameraEvent::Topic("RuleEngine/LineDetector".into()));
        assert!(topic.is_told_by("RuleEngine/LineDetector/Crossed") && !topic.is_told_by("RuleEngine/FieldDetector"));
        for no_event in ["", "Motion", "bell", "/", "a/b c", "//"] {
            assert_eq!(CameraEvent::parse(no_event), None, "{no_event}");
        }
        assert!(CameraEvent::parse(&"a/".repeat(200)).is_none());
    }
}
