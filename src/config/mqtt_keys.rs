//! The keys of `[mqtt]`, as rows of the table in `keys.rs`.

use super::{
    key::{Flag, Key, Line, Row, Text, Unset, key, rows},
    keys::MAX_LOGIN_LEN,
    parsed::Parsed,
    pinned_keys::FINGERPRINTS,
};
use crate::camera::fingerprint::Fingerprint;

rows! { MQTT_ROWS:
    BROKER: Key<Text, Unset> = key(
        "broker",
        Text { form: "address of MQTT", example: "mqtts://192.168.1.5" },
        Unset("required"),
        "The address of the broker: `mqtt://` (port 1883), or `mqtts://` over TLS (port 8883), which needs \
         `fingerprint`.",
    )
    .aliases(&["host", "server", "url", "uri"]);
    // The names are those of a camera's keys, by which logins and fingerprints are read everywhere.
    MQTT_USERNAME: Key<Line, Unset> = key(
        "username",
        Line { longest: MAX_LOGIN_LEN, example: "viewer" },
        Unset("no login"),
        "The user name at the broker.",
    )
    .aliases(&["user", "login"]);
    MQTT_PASSWORD: Key<Line, Unset> = key(
        "password",
        Line { longest: MAX_LOGIN_LEN, example: "pass phrase" },
        Unset("no login"),
        "The password at the broker. With `mqtt://` everybody on the network between can read it.",
    )
    .aliases(&["pass", "passwd", "pwd"]);
    MQTT_PASSWORD_FILE: Key<Text, Unset> = key(
        "password_file",
        Text { form: "path", example: "/etc/cctv-agent/secret" },
        Unset("no file is read"),
        "Instead of `password`: a file that holds only the password, on one line.",
    )
    .aliases(&["secret_file"]);
    MQTT_FINGERPRINT: Key<Parsed<Vec<Fingerprint>>, Unset> = key(
        "fingerprint",
        FINGERPRINTS,
        Unset("required with `mqtts://`"),
        "The TLS key that the broker must have: the SHA-256 value of its public key, which the log prints if another is \
         written here, or that of its certificate, as `openssl x509 -fingerprint -sha256` prints it.",
    )
    .aliases(&["pin", "tls_fingerprint", "thumbprint"]);
    PREFIX: Key<Text, &'static str> = key(
        "prefix",
        Text { form: "text without `#`, `+` and blanks", example: "house/wall" },
        "cctv-agent",
        "What all topics begin with. Two walls with one broker need two.",
    )
    .aliases(&["topic", "base_topic", "topic_prefix"]);
    HOME_ASSISTANT: Key<Flag, bool> = key(
        "home_assistant",
        Flag,
        false,
        "`true`: cameras are announced to Home Assistant, by its discovery messages (below `homeassistant/`).",
    )
    .aliases(&["discovery", "homeassistant"]);
}
