//! The keys of `[[rule]]`, as rows of the table in `keys.rs`.

use super::{
    key::{DefaultValue, Key, OneOf, Row, Text, Unset, Whole, default_by_word, key, rows},
    parsed::Parsed,
    wall_keys::{DAY, time},
};

/// What a rule does with a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleAction {
    /// Large.
    Show,
    /// In its place, with a frame.
    Mark,
    /// As [`RuleAction::Mark`], with a tone.
    Sound,
    /// Large, and first what was there just before.
    LookBack,
}

rows! { RULE_ROWS:
    ON: Key<Text, Unset> = key(
        "on",
        Text { form: "event, or a list of events", example: "gate:doorbell" },
        Unset("required"),
        "What happens: the `id` of a camera, a colon and `doorbell`, `motion`, `alarm` (an input of the camera, or \
         tampering), `lost` (its picture is no longer live), `back` (it is live again), or a part of a topic of ONVIF \
         with a `/`, like `\"gate:RuleEngine/LineDetector\"`. `*` is any camera. `\"mqtt:TOPIC\"` is a message with \
         this topic.",
    )
    .aliases(&["event", "events", "when", "trigger"]);
    DO: Key<OneOf<RuleAction>, RuleAction> = key(
        "do",
        OneOf(&[
            ("show", RuleAction::Show),
            ("mark", RuleAction::Mark),
            ("sound", RuleAction::Sound),
            ("look_back", RuleAction::LookBack),
        ]),
        RuleAction::Show,
        "`show`: the camera is large on the wall. `mark`: it has a frame. `sound`: it has a frame, and pages play a short \
         tone, as far as their browsers let them. `look_back`: the camera is large, and begins five seconds before the event, \
         under a band that says that this is not live; needs `look_back` in `[limits]`.",
    )
    .aliases(&["action", "then"]);
    RULE_CAMERA: Key<Text, Unset> = key(
        "camera",
        Text { form: "`id` of a camera", example: "yard" },
        Unset("the camera of the event"),
        "The camera that is shown, if it is another one. Required for messages of MQTT.",
    );
    RULE_WALL: Key<Text, Unset> = key(
        "wall",
        Text { form: "name of a `[wall.NAME]`", example: "hall" },
        Unset("every wall that shows the camera"),
        "The wall on which it happens.",
    );
    RULE_FROM: Key<Parsed<u16>, Unset> = key(
        "from",
        Parsed { right: "a time of day", example: "\"22:00\"", parse: |value| time(value).filter(|minute| *minute < DAY) },
        Unset("at any time"),
        "The rule applies from this time of day on, by this machine's local time; with `to`.",
    );
    RULE_TO: Key<Parsed<u16>, Unset> = key(
        "to",
        Parsed { right: "a time of day", example: "\"06:00\"", parse: time },
        Unset("at any time"),
        "Until this time of day; one before `from` is of the next day. While the machine's clock is not set, the rule \
         applies at any time.",
    );
    RULE_SECONDS: Key<Whole<u64>, u64> = key(
        "seconds",
        // A day is the longest call-up.
        Whole { from: 1, to: 86_400, unit: "s" },
        30,
        "How long. What lasts, such as motion, is shown as long as it lasts, for ten minutes at most, and this time \
         longer.",
    )
    .aliases(&["time", "duration", "for"]);
}

default_by_word!(RuleAction: DO);
