//! The keys of `[server]` and `[tls]`, as `keys.rs` has those of the other sections.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::key::{FilePath, Flag, Key, List, Row, Unset, Whole, key, rows};

rows! { SERVER_ROWS:
    LISTEN: Key<List, SocketAddr> = key(
        "listen",
        List { of: "IP addresses with port", most: 16, example: "[\"127.0.0.1:8080\", \"[::1]:8080\"]" },
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
        "Where the page is served; one address needs no list. `127.0.0.1` is this machine only, `0.0.0.0` every \
         address of it. There is no login: everybody who reaches the port can watch.",
    )
    .aliases(&["port", "bind"]);
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
