//! Which messages agent and worker understand. A package may replace the programs while the agent
//! runs, so a worker may be newer than its agent.

/// What defines the messages and the reasons in them.
const SOURCES: [&[u8]; 7] = [
    env!("CARGO_PKG_VERSION").as_bytes(),
    include_bytes!("../ipc.rs"),
    include_bytes!("encoding.rs"),
    include_bytes!("encoding/body.rs"),
    include_bytes!("../sandbox.rs"),
    include_bytes!("../text/reasons.rs"),
    include_bytes!("../text/reasons/codes.rs"),
];

/// The version of the messages: equal in two programs that were built from the same release and
/// the same definition of the messages. The first message to a worker begins with it.
pub const VERSION: u64 = hash(&SOURCES);

/// Exit code of a worker whose agent speaks another version: `EX_PROTOCOL` of sysexits.h. No message
/// would do, because its layout may have changed.
pub const OTHER_VERSION_EXIT: u8 = 76;

/// FNV-1a.
const fn hash(sources: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut source = 0;
    while source < sources.len() {
        let mut at = 0;
        while at < sources[source].len() {
            hash = (hash ^ sources[source][at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
            at += 1;
        }
        source += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_counts() {
        // The values of the draft `draft-eastlake-fnv`.
        assert_eq!(hash(&[]), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(&[b"foobar"]), 0x8594_4171_f739_67e8);
        assert_eq!(hash(&[b"foo", b"bar"]), 0x8594_4171_f739_67e8);
        assert_ne!(hash(&[b"foobas"]), hash(&[b"foobar"]));
    }
}
