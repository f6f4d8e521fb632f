//! The keys of `[server]`, `[tls]` and `[[user]]`, as `keys.rs` has those of the other sections.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::key::{DefaultValue, FilePath, Flag, Key, List, OneOf, Row, Text, Unset, Whole, default_by_word, key, rows};
use crate::account::WithoutLogin;

rows! { SERVER_ROWS:
    LISTEN: Key<List, SocketAddr> = key(
        "listen",
        List { of: "IP addresses with port", most: 16, example: "[\"127.0.0.1:8080\", \"[::1]:8080\"]" },
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
        "Where the page is served; one address needs no list. `127.0.0.1` is this machine only, `0.0.0.0` every \
         address of it. Beyond this machine it needs a `[[user]]`, or `without_login = \"everybody\"`; without either \
         only this machine is served. With users, this machine is served at loopback as well.",
    )
    .aliases(&["port", "bind"]);
    WITHOUT_LOGIN: Key<OneOf<WithoutLogin>, WithoutLogin> = key(
        "without_login",
        OneOf(&[
            ("loopback", WithoutLogin::Loopback),
            ("nobody", WithoutLogin::Nobody),
            ("everybody", WithoutLogin::Everybody),
        ]),
        WithoutLogin::Loopback,
        "Who may watch without a login. `loopback`: this machine's own screen and shell. `nobody`: commands of \
         root and of the agent's user go on working. `everybody`: all who reach the port.",
    )
    .aliases(&["anonymous", "no_login", "without_password"]);
    NAMES: Key<List, Unset> = key(
        "names",
        List { of: "host names", most: 32, example: "[\"wall.example.com\"]" },
        Unset("none"),
        "Names by which browsers ask for this machine, beside its IP addresses, `localhost`, its own name and that \
         with `.local`. All other names are refused. Behind a reverse proxy: the proxy's name.",
    )
    .aliases(&["server_name", "hostnames", "hosts", "allowed_hosts", "domain"]);
    EMBED: Key<List, Unset> = key(
        "embed",
        List { of: "origins `scheme://host[:port]`", most: 32, example: "[\"https://intranet.example\"]" },
        Unset("none"),
        "Pages of other sites that may show the cameras.",
    )
    .aliases(&["cors", "origins", "frame_ancestors"]);
    TRUSTED_PROXIES: Key<List, Unset> = key(
        "trusted_proxies",
        List { of: "IP addresses", most: 16, example: "[\"127.0.0.1\"]" },
        Unset("none"),
        "Reverse proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` count. What another one passes on is refused \
         with the lines that are missing.",
    )
    .aliases(&["trusted_proxy", "proxies", "real_ip_from"]);
    PLAIN_HTTP: Key<Flag, bool> = key(
        "plain_http",
        Flag,
        false,
        "`true`: other machines may watch by `http`, which everybody on the way can read. `false`: they are sent on to \
         `https` at the same port; `http` is for this machine only.",
    )
    .aliases(&["http", "insecure", "allow_http"]);
    WWW: Key<FilePath, &'static str> = key(
        "www",
        FilePath { example: "/var/lib/www" },
        "/usr/share/cctv-agent/www",
        "The directory with the files of the page. It must hold `index.html`, and neither this file nor `state_dir`.",
    );
    STATE_DIR: Key<FilePath, &'static str> = key(
        "state_dir",
        FilePath { example: "/var/lib/state_dir" },
        "/var/lib/cctv-agent",
        "The directory with the last good responses of the cameras, so that pictures are back sooner after a power \
         cut. It may be missing or read-only.",
    );
    DISCOVERY_PORT: Key<Whole<u16>, Unset> = key(
        "discovery_port",
        // Ports that an unprivileged service can bind.
        Whole { from: 1024, to: 65535, unit: "" },
        Unset("any free port"),
        "The local UDP port from which the agent searches for cameras. Only needed behind a firewall, which must let \
         UDP to this port pass.",
    );
}

rows! { TLS_ROWS:
    CERTIFICATE: Key<FilePath, Unset> = key(
        "certificate",
        FilePath { example: "/etc/cctv-agent/fullchain.pem" },
        Unset("the agent makes its own and renews it"),
        "A file in PEM with the certificate of this machine, and after it those that lead to its authority. A reload \
         reads it anew.",
    )
    .aliases(&["cert", "certificate_file", "ssl_certificate", "chain"]);
    CERTIFICATE_KEY: Key<FilePath, Unset> = key(
        "key",
        FilePath { example: "/etc/cctv-agent/privkey.pem" },
        Unset("the agent makes its own"),
        "The file in PEM with the private key of `certificate`, not encrypted. Keep it from other users: `chmod 640`.",
    )
    .aliases(&["key_file", "private_key", "ssl_certificate_key"]);
    HSTS: Key<Flag, bool> = key(
        "hsts",
        Flag,
        false,
        "`true`: browsers are told to use nothing but `https` for this name, on all ports and for a year. Only with \
         `certificate`; it cannot be taken back in a hurry.",
    )
    .aliases(&["strict_transport_security"]);
}

// The examples of hashes are random numbers, so that no password fits whoever copies them.
rows! { USER_ROWS:
    USER_NAME: Key<Text, Unset> = key(
        "name",
        Text { form: "text of 1 to 64 letters, digits, `-`, `_` and `.`", example: "guard" },
        Unset("required"),
        "The name for the login. Every user needs another one.",
    )
    .aliases(&["user", "login", "username"]);
    USER_PASSWORD: Key<Text, Unset> = key(
        "password",
        Text {
            form: "hash by argon2id",
            example: "$argon2id$v=19$m=19456,t=2,p=1$WmKeK8jS7qok+wIliNgfgw$q/foy26CA1YfX/5t9hBUKBZSiL0MdKX13AHrqoeer2U",
        },
        Unset("`token` is needed"),
        "The hash of the password, never the password itself; `cctv-agent passwd NAME` asks for one and writes it.",
    )
    .aliases(&["pass", "passwd", "hash"]);
    TOKEN: Key<Text, Unset> = key(
        "token",
        Text {
            form: "SHA-256",
            example: "sha256:195e5e38f99291de3a96ae34a3fdbf022d26467d985e892c209ee8e7092eddf9",
        },
        Unset("`password` is needed"),
        "Instead of `password`, for screens and programs: the SHA-256 of a token. `cctv-agent token NAME` makes one, \
         prints it once, and writes this.",
    )
    .aliases(&["api_key", "bearer"]);
    USER_CAMERAS: Key<List, Unset> = key(
        "cameras",
        List { of: "`id`s of cameras", most: super::keys::MAX_CAMERAS, example: "[\"gate\", \"porch\"]" },
        Unset("all"),
        "The cameras that the user may see. For the user there are no others.",
    );
    USER_WALL: Key<Text, Unset> = key(
        "wall",
        Text { form: "name of a `[wall.NAME]`", example: "hall" },
        Unset("all"),
        "Instead of `cameras`: the cameras of that wall and of its steps, not those of walls in its timetable.",
    );
    MAY: Key<List, Unset> = key(
        "may",
        List { of: "of `\"watch\"`, `\"details\"`, `\"metrics\"`, `\"show\"`, `\"ptz\"` and `\"listen\"`", most: 6, example: "[\"watch\", \"details\"]" },
        Unset("`[\"watch\"]`"),
        "What the user may do: see pictures, see the cameras' addresses and why one is not live (status page, \
         `/api/cameras`), read `/metrics`, tell a wall what to bring to the front (`/api/walls`), steer \
         cameras that have `ptz`, hear cameras that have `sound`.",
    )
    .aliases(&["rights", "role", "roles", "permissions"]);
}

default_by_word!(WithoutLogin: WITHOUT_LOGIN);
