//! Every key of the file, as one table; those of `[server]` and `[tls]` are in `server_keys.rs`, those of
//! `[limits]` in `limit_keys.rs`, those of `[[recorder]]` alone in `recorder_keys.rs`, those of walls in
//! `wall_keys.rs`, those about the shape of the picture in `picture_keys.rs`. Parsing, complaints, suggestions, the checks of the shipped file and
//! `docs/configuration.md` come from these rows. A new key needs a row here, the code that uses it, and an
//! example in `cameras.toml`.

use super::{
    key::{
        DefaultValue, FilePath, Flag, Key, Line, Number, OneOf, Reload, Row, Text, Unset, Whole, Words,
        default_by_word, key, rows,
    },
    parsed::Parsed,
    pinned_keys::FINGERPRINTS,
};
use crate::camera::{Damaged, Reader, TlsPolicy, Transport, Trust, fingerprint::Fingerprint};

/// Maximum number of cameras: one wall shows at most 64 tiles.
pub const MAX_CAMERAS: usize = 64;

/// Maximum length of a name, profile or identity, in characters.
pub(super) const MAX_WORDS_LEN: usize = 200;

/// Maximum length of a user name or password, in characters.
pub(super) const MAX_LOGIN_LEN: usize = 256;

rows! { WATCHDOG_ROWS:
    DEVICE: Key<FilePath, Unset> = key(
        "device",
        FilePath { example: "/dev/watchdog" },
        Unset("no hardware watchdog is used"),
        "The hardware watchdog, such as `/dev/watchdog`. The user that runs the agent must be able to write to it; \
         `run --user` sees to that at the start.",
    );
    TIMEOUT: Key<Whole<u64>, u64> = key(
        "timeout",
        // A stop takes up to 3 s and a small machine under load is slow, so a lower value would reset
        // healthy machines. With more than ten minutes a wall stays dead too long.
        Whole { from: 10, to: 600, unit: "s" },
        30,
        "The machine is reset after this time without a heartbeat. Hardware has limits of its own; the log says which \
         value applies.",
    );
}

rows! {
    /// The keys that can stand both in `[defaults]` and in a camera.
    SHARED_ROWS:
    USERNAME: Key<Line, Unset> = key(
        "username",
        Line { longest: MAX_LOGIN_LEN, example: "viewer" },
        Unset("no login"),
        "The user name of the camera's login; take a user that may only view. `\"\"` in a camera: that camera has no \
         login.",
    )
    .aliases(&["user", "login"])
    .reload(Reload::Streams);
    PASSWORD: Key<Line, Unset> = key(
        "password",
        Line { longest: MAX_LOGIN_LEN, example: "pass phrase" },
        Unset("no login"),
        "The password of the camera's login. All characters are allowed, except control characters.",
    )
    .aliases(&["pass", "passwd", "pwd"])
    .reload(Reload::Streams);
    PASSWORD_FILE: Key<Text, Unset> = key(
        "password_file",
        Text { form: "path", example: "/etc/cctv-agent/secret" },
        Unset("no file is read"),
        "Instead of `password`: a file that holds only the password, on one line.",
    )
    .aliases(&["secret_file"])
    .reload(Reload::Streams);
    TRANSPORT: Key<OneOf<Transport>, Unset> = key(
        "transport",
        OneOf(&[
            ("tcp", Transport::Tcp),
            ("udp", Transport::Udp),
            ("multicast", Transport::Multicast),
            ("http", Transport::Http),
        ]),
        Unset("as the stream's address says (`rtspu://`: UDP), else TCP, and UDP where the camera refuses TCP"),
        "How the video travels. TCP passes nearly every network; UDP loses frames in a bad network but does not fall \
         behind. `multicast`: UDP to a group, so that the camera sends once for all who watch. `http`: through HTTP \
         connections, where a firewall passes nothing else; to port 80, over TLS 443, if the stream's address names \
         none or the one of RTSP. Over TLS (`rtsps://`) it is TCP or HTTP.",
    )
    .aliases(&["protocol"])
    .reload(Reload::Streams);
    READER: Key<OneOf<Reader>, Reader> = key(
        "reader",
        OneOf(&[("auto", Reader::Auto), ("rtsp", Reader::Rtsp), ("opencv", Reader::Opencv)]),
        Reader::Auto,
        "What reads the stream. `rtsp`: the agent itself, which knows which frames are damaged. `opencv`: OpenCV, in \
         a process of its own; with an `http://` address that is any video which FFmpeg knows. `auto`: the agent, and \
         OpenCV if the agent cannot follow the camera's protocol.",
    )
    .aliases(&["backend", "demuxer"])
    .reload(Reload::Streams);
    OPEN_WITHIN: Key<Whole<u64>, u64> = key(
        "open_within",
        // Less is shorter than the pause before a lost packet is sent again; with more than two minutes
        // nobody learns that the camera does not answer.
        Whole { from: 3, to: 120, unit: "s" },
        15,
        "The stream must bring its first frame within this time from the first connection; otherwise it is opened \
         again. More is for cameras that wake up slowly.",
    )
    .aliases(&["open_timeout", "connect_timeout"])
    .reload(Reload::Streams);
    CLEAR_PASSWORD: Key<Flag, bool> = key(
        "clear_password",
        Flag,
        false,
        "`true`: a camera that offers nothing else is sent the password of its stream unprotected (Basic), and \
         everybody on the way can read it. `false`: such a camera is not shown, unless the password goes over TLS to a \
         key that was known before. ONVIF never sends a password so.",
    )
    .aliases(&["basic", "allow_basic"])
    .reload(Reload::Streams);
    QUALITY: Key<Whole<u8>, u8> = key(
        "quality",
        Whole { from: 1, to: 100, unit: "" },
        80,
        "Quality of the JPEG pictures for browsers that cannot decode the camera's own video. More than 90 costs much \
         and shows little.",
    );
    MAX_FPS: Key<Whole<u8>, u8> = key(
        "max_fps",
        Whole { from: 1, to: 60, unit: "" },
        25,
        "Maximum number of those pictures per second.",
    )
    .aliases(&["fps", "framerate"]);
    PASSTHROUGH: Key<Flag, bool> = key(
        "passthrough",
        Flag,
        true,
        "`true`: browsers that can decode the camera's own video get it untouched. `false`: all get JPEG.",
    )
    .aliases(&["copy", "untouched"]);
    STALL_AFTER: Key<Number, f64> = key(
        "stall_after",
        Number { from: 1.0, to: 60.0, unit: "s" },
        5.0,
        "A picture is not live, and says so, after this time without a new one; the stream is then opened again. Must \
         be at least twice the time between two frames.",
    )
    .aliases(&["timeout"]);
    DAMAGED: Key<OneOf<Damaged>, Damaged> = key(
        "damaged",
        OneOf(&[("show", Damaged::Show), ("hide", Damaged::Hide)]),
        Damaged::Show,
        "What is done with frames of which packets were lost. After a loss nothing new is shown until the next whole \
         key frame. `show`: if whole pictures come less often than every half of `stall_after`, damaged ones stand in \
         for them, under a mark that says so; not for JPEG cameras and not with OpenCV's reader. `hide`: damaged \
         pictures are never shown.",
    )
    .aliases(&["corrupt"]);
}

rows! { CAMERA_ROWS:
    ID: Key<Text, Unset> = key(
        "id",
        Text { form: "text of 1 to 64 letters, digits, `-` and `_`", example: "gate" },
        Unset("required"),
        "The camera's name in addresses such as `/live/gate`. Every camera needs its own.",
    )
    .reload(Reload::Cameras);
    NAME: Key<Words, Unset> = key(
        "name",
        Words { longest: MAX_WORDS_LEN, example: "Front gate" },
        Unset("the `id`"),
        "The camera's name on the screen, in any language.",
    )
    .aliases(&["title", "label"]);
    FINGERPRINT: Key<Parsed<Vec<Fingerprint>>, Unset> = key(
        "fingerprint",
        FINGERPRINTS,
        Unset("the key that the camera has the first time is learnt, and must stay"),
        "The TLS key that the camera must have (`https`, `rtsps`): the SHA-256 value of its public key, as `cctv-agent \
         info` and the log print it, which a renewed certificate keeps; or that of its certificate, as `openssl x509 \
         -fingerprint -sha256` and browsers show it. A camera with several keys, such as one for `https` and one for \
         `rtsps`, has a list. With it, ONVIF is asked over TLS only.",
    )
    .aliases(&["pin", "tls_fingerprint", "thumbprint"])
    .reload(Reload::Streams);
}

rows! {
    /// The keys of a camera that is asked by ONVIF; they mean nothing next to `url`.
    ONVIF_ROWS:
    IP: Key<Text, Unset> = key(
        "ip",
        Text { form: "IP address or host name", example: "192.168.1.20" },
        Unset("`uuid` or `url` says where the camera is"),
        "Where the camera is.",
    )
    .aliases(&["address", "host", "hostname", "addr"])
    .reload(Reload::Streams);
    PROFILE: Key<Words, Unset> = key(
        "profile",
        Words { longest: MAX_WORDS_LEN, example: "Profile_1" },
        Unset("the first one with video"),
        "Which of the camera's streams: the token or the name of an ONVIF profile. `cctv-agent info IP` lists them. A \
         recorder needs it, or is written as `[[recorder]]`.",
    )
    .aliases(&["token"])
    .reload(Reload::Streams);
    SMALL_PROFILE: Key<Words, Unset> = key(
        "small_profile",
        Words { longest: MAX_WORDS_LEN, example: "Profile_2" },
        Unset("no second stream"),
        "A second, smaller stream of the same camera: token or name of a profile, or `\"auto\"`. Tiles that it fills \
         are served from it.",
    )
    .aliases(&["sub_profile"])
    .reload(Reload::SmallStream);
    ONVIF_PORT: Key<Whole<u16>, u16> = key(
        "onvif_port",
        Whole { from: 1, to: 65535, unit: "" },
        80,
        "The port of the camera's ONVIF service.",
    )
    .aliases(&["port"])
    .reload(Reload::Streams);
    TLS: Key<OneOf<TlsPolicy>, TlsPolicy> = key(
        "tls",
        OneOf(&[("auto", TlsPolicy::Auto), ("learn", TlsPolicy::Learn), ("off", TlsPolicy::Off)]),
        TlsPolicy::Auto,
        "Whether ONVIF is asked over TLS (HTTPS). `auto`: if the camera redirects there or refuses port 80, and from \
         then on only so. `learn`: only so, at `onvif_port`, or 443 if that is 80. `off`: never. The camera is \
         recognised by its key, whatever name and date its certificate has; see `fingerprint`.",
    )
    .aliases(&["https", "ssl"])
    .reload(Reload::Streams);
    UUID: Key<Words, Unset> = key(
        "uuid",
        Words { longest: MAX_WORDS_LEN, example: "urn:uuid:2f1e…" },
        Unset("the identity is learnt from the camera"),
        "The camera's identity, as `cctv-agent discover` prints it. With it the camera is found again when its address \
         changes, and `ip` can be left out.",
    )
    .reload(Reload::Streams);
    TRUST: Key<OneOf<Trust>, Trust> = key(
        "trust",
        OneOf(&[("identity", Trust::Identity), ("address", Trust::Address)]),
        Trust::Identity,
        "What is sent the login: a device that gives this camera's identity, or any device at `ip`. `address` is only \
         for a camera that gives no identity.",
    )
    .reload(Reload::Streams);
    STREAM_HOST: Key<Text, Unset> = key(
        "stream_host",
        Text { form: "IP address or host name", example: "192.168.1.20" },
        Unset("no other host is sent the login"),
        "Another host that may be sent the login, because the camera names it for its stream, as some recorders do.",
    )
    .reload(Reload::Streams);
}

rows! { SOURCE_ROWS:
    URL: Key<Text, Unset> = key(
        "url",
        Text { form: "address of RTSP, HTTP or RTMP, or a device", example: "rtsp://192.168.1.20/live" },
        Unset("the camera is asked by ONVIF"),
        "The address of the stream of a camera without ONVIF. It takes the place of `ip`, `profile`, `small_profile`, \
         `onvif_port`, `tls`, `uuid`, `trust` and `stream_host`. `http://` is Motion JPEG, or HLS if the path ends with \
         `.m3u8`; `rtmp://` is RTMP; `/dev/video0` is a camera at this machine. These three are read by OpenCV. \
         `rtsps://`, `https://` and `rtmps://` are read over TLS; OpenCV takes any key.",
    )
    .aliases(&["rtsp", "uri", "stream"])
    .reload(Reload::Streams);
    SMALL_URL: Key<Text, Unset> = key(
        "small_url",
        Text { form: "RTSP address", example: "rtsp://192.168.1.20/small" },
        Unset("no second stream"),
        "The address of a second, smaller stream of the same camera, next to `url`. Tiles that it fills are served from \
         it. The login is that of `url`.",
    )
    .aliases(&["sub_url"])
    .reload(Reload::SmallStream);
    SNAPSHOT_URL: Key<Text, Unset> = key(
        "snapshot_url",
        Text { form: "address of HTTP", example: "http://192.168.1.20/snapshot.jpg" },
        Unset("the camera has a stream"),
        "In the place of `url`, for a camera without a stream: the address of one JPEG, which is fetched again and \
         again. A picture that is the same as the last one, byte for byte, is no new one.",
    )
    .aliases(&["snapshot", "jpeg_url", "still_url"])
    .reload(Reload::Streams);
    EVERY: Key<Number, f64> = key(
        "every",
        // With more than half a minute nobody learns that the camera is gone.
        Number { from: 1.0, to: 30.0, unit: "s" },
        1.0,
        "The time from one request for `snapshot_url` to the next; `stall_after` must be at least twice as long. Also that \
         for the snapshots of a camera with ONVIF whose stream cannot be opened.",
    )
    .aliases(&["interval", "snapshot_every"])
    .reload(Reload::Streams);
    TEMPLATE: Key<Text, Unset> = key(
        "template",
        Text { form: "name of a template", example: "acme" },
        Unset("no template"),
        "The `[template.NAME]` from which the camera takes `url`, `small_url`, its login and what else stands there, as \
         far as it has no keys of its own.",
    )
    .reload(Reload::Streams);
    CHANNEL: Key<Whole<u16>, Unset> = key(
        "channel",
        Whole { from: 1, to: 256, unit: "" },
        Unset("there is no `{channel}`"),
        "What stands for `{channel}` in the addresses of the template.",
    )
    .reload(Reload::Streams);
    ENABLED: Key<Flag, bool> = key(
        "enabled",
        Flag,
        true,
        "`false`: the camera is checked but not shown.",
    )
    .aliases(&["disabled", "enable"])
    .reload(Reload::Cameras);
}

rows! {
    /// The addresses of a template.
    TEMPLATE_ROWS:
    TEMPLATE_URL: Key<Text, Unset> = key(
        "url",
        Text { form: "RTSP address with placeholders", example: "rtsp://{ip}/ch{channel}/main" },
        Unset("the cameras are asked by ONVIF"),
        "The address of the stream. `{ip}` and `{channel}` are the camera's `ip` and `channel`, `{n}` is the number at the \
         end of its `id` (7 in `dock-7`).",
    )
    .aliases(&["rtsp", "uri", "stream"])
    .reload(Reload::Streams);
    TEMPLATE_SMALL_URL: Key<Text, Unset> = key(
        "small_url",
        Text { form: "RTSP address with placeholders", example: "rtsp://{ip}/ch{channel}/sub" },
        Unset("no second stream"),
        "The address of the second, smaller stream.",
    )
    .aliases(&["sub_url"])
    .reload(Reload::SmallStream);
    TEMPLATE_SNAPSHOT_URL: Key<Text, Unset> = key(
        "snapshot_url",
        Text { form: "address of HTTP with placeholders", example: "http://{ip}/snapshot.jpg" },
        Unset("the cameras have a stream"),
        "In the place of `url`: the address of one JPEG, which is fetched again and again.",
    )
    .aliases(&["snapshot", "jpeg_url", "still_url"])
    .reload(Reload::Streams);
}

default_by_word!(TlsPolicy: TLS, Trust: TRUST, Reader: READER, Damaged: DAMAGED);
