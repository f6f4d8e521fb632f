//! The keys of `[limits]`, as rows of the table in `keys.rs`.

use super::{
    key::{DefaultValue, Key, OneOf, Reload, Row, Unset, Whole, default_by_word, key, rows},
    keys::MAX_CAMERAS,
};
use crate::sandbox::SandboxPolicy;

rows! { LIMITS_ROWS:
    VIEWERS: Key<Whole<usize>, usize> = key(
        "viewers",
        Whole { from: 1, to: 4096, unit: "" },
        64,
        "Viewers at the same time: Motion JPEG streams, walls, and snapshots that are waited for, all cameras together. \
         Eight more are admitted from this machine.",
    );
    VIEWERS_PER_ADDRESS: Key<Whole<usize>, usize> = key(
        "viewers_per_address",
        Whole { from: 1, to: 4096, unit: "" },
        // A page with a Motion JPEG stream of each camera has one viewer for each.
        16,
        "Those from one IPv4 address or one IPv6 /64 network; this machine itself is not bound. Behind a reverse proxy \
         that is not in `trusted_proxies`: the same as `viewers`.",
    );
    RENDITIONS: Key<Whole<usize>, usize> = key(
        "renditions",
        // An IPC message carries at most 64 renditions.
        Whole { from: 1, to: 64, unit: "" },
        16,
        "Sizes, qualities and rates of one camera that are encoded at the same time. Any number of viewers can share \
         one. This machine itself always gets two.",
    );
    RENDITIONS_PER_ADDRESS: Key<Whole<usize>, usize> = key(
        "renditions_per_address",
        Whole { from: 1, to: 64, unit: "" },
        4,
        "Those of one camera that one address (IPv6: a /64 network) may watch alone; what others watch too does not \
         count, and this machine itself is not bound. Behind a reverse proxy that is not in `trusted_proxies`: the same \
         as `renditions`.",
    );
    CONNECTIONS: Key<Whole<usize>, usize> = key(
        "connections",
        Whole { from: 8, to: 16_384, unit: "" },
        256,
        "Connections of any kind. Eight more are admitted from this machine.",
    );
    CONNECTIONS_PER_ADDRESS: Key<Whole<usize>, usize> = key(
        "connections_per_address",
        Whole { from: 8, to: 16_384, unit: "" },
        // A reverse proxy has one address and may carry all viewers and as many other requests.
        128,
        "Connections from one IPv4 address or one IPv6 /64 network. Behind a reverse proxy that is not in `trusted_proxies`: the same as `connections`.",
    );
    WORKER_MEMORY: Key<Whole<u64>, u64> = key(
        "worker_memory",
        // A worker that decodes 1080p uses 110 with its libraries; with less none could work.
        Whole { from: 192, to: 16_384, unit: "MiB" },
        // Measured: 475 MB with 10-bit 4K H.265, and less with everything else.
        768,
        "Memory that one worker may allocate. A worker that needs more ends and is replaced.",
    )
    .reload(Reload::NewWorkers);
    TOTAL_MEMORY: Key<Whole<u64>, Unset> = key(
        "total_memory",
        // The agent itself uses 5 to 40, a worker 4 to 400.
        Whole { from: 32, to: 1_048_576, unit: "MiB" },
        Unset("three quarters of the memory of the machine, or of its control group"),
        "Memory that the agent and all workers may use together. Beyond it the largest worker ends and is replaced \
         when there is room.",
    );
    OPENINGS: Key<Whole<usize>, usize> = key(
        "openings",
        // At least one at a time, and at most as many as a file may name cameras.
        Whole { from: 1, to: MAX_CAMERAS, unit: "" },
        // Many processes must not start at once when a network switch comes back.
        8,
        "Cameras that are opened at the same time.",
    );
    GROUP_MEMORY: Key<Whole<u64>, u64> = key(
        "group_memory",
        Whole { from: 1, to: 64, unit: "MiB" },
        // A 4K camera at 16 Mbit/s fills this in 4 s, one at 1 Mbit/s in a minute.
        8,
        "Memory for the video of one stream since its last key frame, which new viewers begin with; its worker keeps \
         as much. A longer group of pictures is not kept: new viewers then wait for the next key frame.",
    );
    LOOK_BACK: Key<Whole<u64>, u64> = key(
        "look_back",
        Whole { from: 0, to: 300, unit: "s" },
        // A minute of 16 cameras of 2 Mbit/s takes 240 MB, which is not everybody's.
        0,
        "How much of each camera's video is kept in memory, as it was encoded, so that a person can look back (key B): of \
         the small stream if there is one. Nothing is written to a disk. `0`: nothing is kept.",
    )
    .aliases(&["lookback", "history", "replay"]);
    LOOK_BACK_MEMORY: Key<Whole<u64>, u64> = key(
        "look_back_memory",
        Whole { from: 1, to: 65_536, unit: "MiB" },
        128,
        "Memory for `look_back` of all cameras together; each has the same share. A camera that sends more is kept for \
         less time.",
    );
    SANDBOX: Key<OneOf<SandboxPolicy>, SandboxPolicy> = key(
        "sandbox",
        OneOf(&[("auto", SandboxPolicy::Auto), ("required", SandboxPolicy::Required)]),
        SandboxPolicy::Auto,
        "The sandbox of the workers, which decode what cameras send. `auto`: as much of it as the kernel offers; \
         `/api/cameras` says what is missing. `required`: no worker works without all of it, which needs Linux 6.12.",
    )
    .reload(Reload::NewWorkers);
}

default_by_word!(SandboxPolicy: SANDBOX);
