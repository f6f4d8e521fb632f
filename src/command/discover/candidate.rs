//! One found device: what its announcement says, what it answered and what the file says of it.

use super::{config_match::Configured, probe::DeviceAnswers};
use crate::discovery::{DiscoveredDevice, XAddr};

/// One device of the output.
#[derive(Debug)]
pub struct Candidate {
    pub discovered: DiscoveredDevice,
    /// Where its ONVIF service answered, or where its announcement says that it is.
    pub address: Option<XAddr>,
    /// What it reported there; `None` if it did not answer.
    pub answers: Option<DeviceAnswers>,
    pub configured: Configured,
}

impl Candidate {
    pub fn maker(&self) -> Option<&str> {
        let answers =
            self.answers.as_ref().map(|answers| answers.device.manufacturer.as_str()).filter(|text| !text.is_empty());
        answers.or(self.discovered.maker.as_deref())
    }

    pub fn model(&self) -> Option<&str> {
        let answers =
            self.answers.as_ref().map(|answers| answers.device.model.as_str()).filter(|text| !text.is_empty());
        answers.or(self.discovered.hardware.as_deref())
    }

    pub fn serial(&self) -> Option<&str> {
        let answers =
            self.answers.as_ref().map(|answers| answers.device.serial.as_str()).filter(|text| !text.is_empty());
        answers.or(self.discovered.serial.as_deref())
    }

    /// Returns its identity in the form of `cameras.toml`.
    pub fn identity(&self) -> Option<String> {
        let answers = self.answers.as_ref().and_then(|answers| answers.identity.as_ref());
        self.discovered.identity.as_ref().or(answers).map(|identity| identity.to_urn())
    }

    pub fn how(&self) -> String {
        self.discovered.how.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}
