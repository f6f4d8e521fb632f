//! The keys of `[[recorder]]`, as rows of the table in `keys.rs`.

use super::{
    key::{Flag, Key, Names, Reload, Row, Text, Unset, key, rows},
    keys::{self, MAX_WORDS_LEN},
};

rows! { RECORDER_ROWS:
    CHANNELS: Key<Text, Unset> = key(
        "channels",
        Text { form: "numbers and ranges", example: "1-16" },
        Unset("required"),
        "Which channels of the recorder are shown, such as `\"1-16\"` or `\"1-4, 9\"`. They are counted by the order of its \
         video sources, which `cctv-agent info IP` prints. A channel keeps its number when the recorder lists its \
         sources in another order.",
    )
    .reload(Reload::Cameras);
    CHANNEL_NAMES: Key<Names, Unset> = key(
        "names",
        Names { of: "channels", longest: MAX_WORDS_LEN, example: "{ 1 = \"Front gate\", 2 = \"Yard\" }" },
        Unset("`name` and the number, or else the `id`"),
        "The names of channels on the screen, by their numbers.",
    );
    SMALL_STREAMS: Key<Flag, bool> = key(
        "small_streams",
        Flag,
        true,
        "`true`: each channel has a second, smaller stream as with `small_profile = \"auto\"`. `false`: it has none.",
    )
    .reload(Reload::SmallStream);
}

/// The keys of a recorder as of a camera.
pub(super) static RECORDER_ID_ROWS: &[&dyn Row] = &[&keys::ID, &keys::NAME];

/// The keys of the device in a recorder's section.
pub(super) static RECORDER_DEVICE_ROWS: &[&dyn Row] = &[
    &keys::IP,
    &keys::ONVIF_PORT,
    &keys::TLS,
    &keys::FINGERPRINT,
    &keys::UUID,
    &keys::TRUST,
    &keys::STREAM_HOST,
    &keys::ENABLED,
];
