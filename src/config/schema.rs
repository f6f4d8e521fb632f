//! The sections of the file and the keys that can stand in each one.

use super::{
    key::Row,
    keys::{CAMERA_ROWS, ONVIF_ROWS, SHARED_ROWS, SOURCE_ROWS, TEMPLATE_ROWS, WATCHDOG_ROWS},
    limit_keys::LIMITS_ROWS,
    mqtt_keys::MQTT_ROWS,
    picture_keys::PICTURE_ROWS,
    ptz_keys::PTZ_ROWS,
    recorder_keys::{RECORDER_DEVICE_ROWS, RECORDER_ID_ROWS, RECORDER_ROWS},
    rule_keys::RULE_ROWS,
    server_keys::{SERVER_ROWS, TLS_ROWS, USER_ROWS},
    sound_keys::SOUND_ROWS,
    suggest,
    wall_keys::{TURN_ROWS, WALL_AT_ROWS, WALL_ROWS, WALL_STEP_ROWS},
};

/// A kind of section and its rows.
pub(super) struct SectionRows {
    pub(super) name: &'static str,
    pub(super) form: Form,
    /// What the section is about, for the reference.
    pub(super) help: &'static str,
    aliases: &'static [&'static str],
    pub(super) groups: &'static [&'static [&'static dyn Row]],
}

/// How often a section can stand in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Once, as `[server]`.
    Once,
    /// Once, as `[wall]`, and under any number of names, as `[wall.NAME]`.
    Named,
    /// Under any number of names, as `[template.NAME]`.
    OnlyNamed,
    /// Any number of times, as `[[camera]]`.
    List,
}

pub(super) static SERVER: SectionRows = SectionRows {
    name: "server",
    form: Form::Once,
    help: "The agent itself: where it listens, who may ask, and its directories.",
    aliases: &[],
    groups: &[SERVER_ROWS],
};

pub(super) static TLS: SectionRows = SectionRows {
    name: "tls",
    form: Form::Once,
    help: "The certificate for `https`, which is spoken on the same port as `http`. Without this section the agent makes \
           one of its own.",
    aliases: &["ssl", "https"],
    groups: &[TLS_ROWS],
};

pub(super) static USER: SectionRows = SectionRows {
    name: "user",
    form: Form::List,
    help: "One such section for each person, screen or program that may log in, at most 64. `name` and one of `password` \
           and `token` are required. `cctv-agent passwd` and `cctv-agent token` write them.",
    aliases: &["users", "account", "login"],
    groups: &[USER_ROWS],
};

pub(super) static DEFAULTS: SectionRows = SectionRows {
    name: "defaults",
    form: Form::Once,
    help: "What all cameras have in common. Each of these keys can also stand in a `[[camera]]`, and then applies there.",
    aliases: &["default"],
    groups: &[SHARED_ROWS, PICTURE_ROWS, PTZ_ROWS, SOUND_ROWS],
};

pub(super) static LIMITS: SectionRows = SectionRows {
    name: "limits",
    form: Form::Once,
    help: "Limits of resources, so that no client can take the wall away from its viewers. At a limit, a new client is \
           refused with the name of the key; present viewers are not affected.",
    aliases: &[],
    groups: &[LIMITS_ROWS],
};

pub(super) static WATCHDOG: SectionRows = SectionRows {
    name: "watchdog",
    form: Form::Once,
    help: "The hardware watchdog: it resets the machine if the agent hangs. A dead camera resets nothing.",
    aliases: &[],
    groups: &[WATCHDOG_ROWS],
};

pub(super) static WALL: SectionRows = SectionRows {
    name: "wall",
    form: Form::Named,
    help: "How pages show the cameras. The address of a page and the choice of a person in the browser go before these \
           keys. A page at `/?wall=NAME` has the keys of `[wall.NAME]`, and those of `[wall]` that are not there.",
    aliases: &[],
    groups: &[WALL_ROWS, TURN_ROWS],
};

pub(super) static WALL_STEP: SectionRows = SectionRows {
    name: "wall.step",
    form: Form::List,
    help: "A tour: what a wall shows one after the other, at most 64 steps. `[[wall.NAME.step]]` are those of a wall with a \
           name; one that has neither steps, `cameras` nor `layout` of its own goes round with those of `[wall]`. The \
           agent keeps the time, so all pages of a wall show the same step. `skip_dead` and `large_every` of the wall can \
           stand here too.",
    aliases: &[],
    groups: &[WALL_STEP_ROWS, TURN_ROWS],
};

pub(super) static RULE: SectionRows = SectionRows {
    name: "rule",
    form: Form::List,
    help: "What walls do when something happens: one such section for each rule, at most 64. Cameras are asked for their \
           events by ONVIF only if a rule names them. What a rule shows goes away by itself, and a person's hand goes before \
           it.",
    aliases: &["rules", "trigger", "automation"],
    groups: &[RULE_ROWS],
};

pub(super) static MQTT: SectionRows = SectionRows {
    name: "mqtt",
    form: Form::Once,
    help: "The broker (MQTT 3.1.1) to which the states of cameras and walls are published, and from which walls can be told \
           what to show. Without this section there is none. If the broker is away, nothing else changes; it is tried \
           again.",
    aliases: &["broker", "mosquitto"],
    groups: &[MQTT_ROWS],
};

pub(super) static TEMPLATE: SectionRows = SectionRows {
    name: "template",
    form: Form::OnlyNamed,
    help: "What cameras have in common that share a pattern of addresses, or a login. A camera names it as `template`. The \
           keys of `[defaults]` can stand here too, and then apply to the cameras of this template.",
    aliases: &["templates", "pattern"],
    groups: &[TEMPLATE_ROWS, SHARED_ROWS, PICTURE_ROWS, PTZ_ROWS, SOUND_ROWS],
};

pub(super) static CAMERA: SectionRows = SectionRows {
    name: "camera",
    form: Form::List,
    help: "One such section for each camera, at most 64, in the order in which they appear. `id` and one of `ip`, `uuid` \
           and `url` are required. The keys of `[defaults]` can stand here too.",
    aliases: &["cameras"],
    groups: &[CAMERA_ROWS, ONVIF_ROWS, SOURCE_ROWS, SHARED_ROWS, PICTURE_ROWS, PTZ_ROWS, SOUND_ROWS],
};

pub(super) static RECORDER: SectionRows = SectionRows {
    name: "recorder",
    form: Form::List,
    help: "One such section for each recorder (NVR): it becomes one camera for each of its channels. Channel 3 of the \
           recorder `nvr` is the camera `nvr-3`, in addresses, in `cameras` of a wall and for users. `id`, `channels`, and \
           `ip` or `uuid` are required. All channels together count as cameras, of which there are at most 64. The keys \
           of `[defaults]` can stand here too.",
    aliases: &["recorders", "nvr", "dvr"],
    groups: &[RECORDER_ID_ROWS, RECORDER_ROWS, RECORDER_DEVICE_ROWS, SHARED_ROWS, PICTURE_ROWS, PTZ_ROWS, SOUND_ROWS],
};

pub(super) static WALL_AT: SectionRows = SectionRows {
    name: "wall.at",
    form: Form::List,
    help: "A timetable: what a wall shows at which time of day, at most 64 entries; the first one that fits applies. \
           `[[wall.NAME.at]]` are those of a wall with a name; one without has those of `[wall]`. `from`, `to`, and `wall` or \
           `screen` are required. The times are those of a clock at the wall: an hour that summer time leaves out does not \
           come, and one that comes twice is both times the same. The time zone is that of `TZ` or `/etc/localtime`; a \
           reload reads it again. Of another wall are shown its cameras, its layout and its tour, not its timetable.",
    aliases: &[],
    groups: &[WALL_AT_ROWS],
};

/// All sections, in the order in which complaints name them.
pub(super) static SECTIONS: [&SectionRows; 14] = [
    &SERVER, &TLS, &USER, &DEFAULTS, &LIMITS, &WATCHDOG, &WALL, &WALL_STEP, &WALL_AT, &RULE, &MQTT, &TEMPLATE, &CAMERA,
    &RECORDER,
];

impl SectionRows {
    /// Returns the first line of the section as it is written: `[server]`.
    pub(super) fn head(&self) -> String {
        match self.form {
            Form::Once | Form::Named => format!("[{}]", self.name),
            Form::OnlyNamed => format!("[{}.NAME]", self.name),
            Form::List => format!("[[{}]]", self.name),
        }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &'static dyn Row> + Clone {
        self.groups.iter().flat_map(|group| group.iter().copied())
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.rows().any(|row| row.name() == key)
    }

    /// Returns the key that was probably meant by `written`, if any is similar enough.
    pub(super) fn nearest(&self, written: &str) -> Option<&'static str> {
        suggest::nearest(written, self.rows().map(|row| (row.name(), row.aliases())))
    }
}

/// Returns the section with this name at the top of the file; those within others have names with a dot.
pub(super) fn section(name: &str) -> Option<&'static SectionRows> {
    SECTIONS.into_iter().find(|section| section.name == name && !name.contains('.'))
}

/// Returns the section that was probably meant by `written`, if any is similar enough.
pub(super) fn nearest_section(written: &str) -> Option<&'static SectionRows> {
    suggest::nearest(written, SECTIONS.into_iter().map(|section| (section.name, section.aliases))).and_then(section)
}

/// Returns the heads of all sections; `last` stands before the last one.
pub(super) fn heads(last: &str) -> String {
    let heads = SECTIONS.map(SectionRows::head);
    let [others @ .., end] = &heads;
    format!("{} {last} {end}", others.join(", "))
}

/// Returns the heads of the sections that have this key: `[defaults] or [[camera]]`.
pub(super) fn homes(key: &str) -> Option<String> {
    let homes: Vec<_> = SECTIONS.into_iter().filter(|section| section.has(key)).map(SectionRows::head).collect();
    (!homes.is_empty()).then(|| homes.join(" or "))
}
