//! The keys that `[defaults]`, a template and a camera have in common.

use std::{path::Path, time::Duration};

use super::{
    credentials::{Login, SecretReader},
    diagnostics::Diagnostics,
    keys, picture_keys, ptz_keys,
    section::Section,
    sound_keys,
};
use crate::camera::{
    Credentials, Damaged, PtzOptions, Reader, Source, StreamOptions, StreamSource, Transport,
    picture_options::{Aspect, Mirror, PictureOptions},
};

/// The keys that are valid both in `[defaults]` and in a camera.
#[derive(Clone, Default)]
pub(super) struct CameraDefaults {
    pub(super) login: Login,
    transport: Option<Transport>,
    reader: Option<Reader>,
    open_within: Option<u64>,
    clear_password: Option<bool>,
    quality: Option<u8>,
    max_fps: Option<u8>,
    passthrough: Option<bool>,
    stall_after: Option<f64>,
    damaged: Option<Damaged>,
    aspect: Option<Aspect>,
    crop: Option<[u16; 4]>,
    mirror: Option<Mirror>,
    quarter_turns: Option<u8>,
    ptz: Option<bool>,
    sound: Option<bool>,
    /// In seconds; 0 means never.
    home_after: Option<u32>,
}

impl CameraDefaults {
    pub(super) fn read(
        section: &Section<'_>,
        base: &Path,
        read_secret: SecretReader<'_>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Self {
        Self {
            login: Login::read(section, base, read_secret, diagnostics),
            transport: section.one_of(&keys::TRANSPORT, diagnostics).map(|transport| transport.value),
            reader: section.one_of(&keys::READER, diagnostics).map(|reader| reader.value),
            open_within: section.whole(&keys::OPEN_WITHIN, diagnostics),
            clear_password: section.flag(&keys::CLEAR_PASSWORD, diagnostics),
            quality: section.whole(&keys::QUALITY, diagnostics),
            max_fps: section.whole(&keys::MAX_FPS, diagnostics),
            passthrough: section.flag(&keys::PASSTHROUGH, diagnostics),
            stall_after: section.number(&keys::STALL_AFTER, diagnostics),
            damaged: section.one_of(&keys::DAMAGED, diagnostics).map(|damaged| damaged.value),
            aspect: section.parsed(&picture_keys::ASPECT, diagnostics),
            crop: section.parsed(&picture_keys::CROP, diagnostics),
            mirror: section.parsed(&picture_keys::MIRROR, diagnostics),
            quarter_turns: section.parsed(&picture_keys::ROTATE, diagnostics),
            ptz: section.flag(&ptz_keys::PTZ, diagnostics),
            sound: section.flag(&sound_keys::SOUND, diagnostics),
            home_after: section.seconds_or_never(&ptz_keys::HOME_AFTER, diagnostics),
        }
    }

    /// These keys, and those of `other` that are not here.
    pub(super) fn or(self, other: &Self) -> Self {
        Self {
            login: self.login.or(&other.login),
            transport: self.transport.or(other.transport),
            reader: self.reader.or(other.reader),
            open_within: self.open_within.or(other.open_within),
            clear_password: self.clear_password.or(other.clear_password),
            quality: self.quality.or(other.quality),
            max_fps: self.max_fps.or(other.max_fps),
            passthrough: self.passthrough.or(other.passthrough),
            stall_after: self.stall_after.or(other.stall_after),
            damaged: self.damaged.or(other.damaged),
            aspect: self.aspect.or(other.aspect),
            crop: self.crop.or(other.crop),
            mirror: self.mirror.or(other.mirror),
            quarter_turns: self.quarter_turns.or(other.quarter_turns),
            ptz: self.ptz.or(other.ptz),
            sound: self.sound.or(other.sound),
            home_after: self.home_after.or(other.home_after),
        }
    }

    /// How a camera from `source` is steered: by ONVIF alone.
    pub(super) fn ptz(&self, defaults: &Self, source: &Source) -> PtzOptions {
        let is_wanted = self.ptz.or(defaults.ptz).unwrap_or(ptz_keys::PTZ.default);
        let home_after = self.home_after.or(defaults.home_after).filter(|seconds| *seconds > 0);
        PtzOptions {
            is_steered: is_wanted && matches!(source, Source::Onvif { .. }),
            home_after: home_after.map(|seconds| Duration::from_secs(seconds.into())),
        }
    }

    /// Whether the camera can be heard.
    pub(super) fn sound(&self, defaults: &Self) -> bool {
        self.sound.or(defaults.sound).unwrap_or(sound_keys::SOUND.default)
    }

    pub(super) fn options(&self, defaults: &Self) -> StreamOptions {
        let stall_after = self.stall_after.or(defaults.stall_after).unwrap_or(keys::STALL_AFTER.default);
        StreamOptions {
            quality: self.quality.or(defaults.quality).unwrap_or(keys::QUALITY.default),
            max_fps: self.max_fps.or(defaults.max_fps).unwrap_or(keys::MAX_FPS.default),
            passthrough: self.passthrough.or(defaults.passthrough).unwrap_or(keys::PASSTHROUGH.default),
            stall_after: Duration::from_secs_f64(stall_after),
            damaged: self.damaged.or(defaults.damaged).unwrap_or(keys::DAMAGED.default),
            picture: PictureOptions {
                aspect: self.aspect.or(defaults.aspect).unwrap_or_default(),
                crop: self.crop.or(defaults.crop).unwrap_or_default(),
                mirror: self.mirror.or(defaults.mirror).unwrap_or_default(),
                quarter_turns: self.quarter_turns.or(defaults.quarter_turns).unwrap_or_default(),
            },
        }
    }

    pub(super) fn stream_source(
        &self,
        defaults: &Self,
        source: Source,
        credentials: Option<Credentials>,
    ) -> StreamSource {
        // Of the defaults, those about RTSP apply to nothing else.
        let is_rtsp = !matches!(&source, Source::Url(uri) if !uri.is_rtsp());
        let reader = self.reader.or(defaults.reader.filter(|_| is_rtsp));
        let transport = self.transport.or(defaults.transport).filter(|_| is_rtsp);
        let open_within = self.open_within.or(defaults.open_within).unwrap_or(keys::OPEN_WITHIN.default);
        StreamSource {
            source,
            channel: None,
            small_profile: None,
            small_url: None,
            is_snapshot: false,
            snapshot_every: Duration::from_secs_f64(keys::EVERY.default),
            credentials,
            transport,
            reader: reader.unwrap_or(keys::READER.default),
            open_within: Duration::from_secs(open_within),
            clear_password: self.clear_password.or(defaults.clear_password).unwrap_or(keys::CLEAR_PASSWORD.default),
            tls: keys::TLS.default,
            fingerprints: Vec::new(),
        }
    }
}

/// What applies to a camera without any of these keys.
impl Default for StreamOptions {
    fn default() -> Self {
        let nothing = CameraDefaults::default();
        nothing.options(&nothing)
    }
}

/// A camera with no other key than those of its source.
impl From<Source> for StreamSource {
    fn from(source: Source) -> Self {
        let nothing = CameraDefaults::default();
        nothing.stream_source(&nothing, source, None)
    }
}
