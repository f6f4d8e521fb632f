//! `[limits]`: limits of resources, so that no client can take the wall away from its viewers.

use super::{diagnostics::Diagnostics, limit_keys as keys, schema, section::Section};
use crate::sandbox::SandboxPolicy;

/// The limits of the file. All except `worker_memory` and `sandbox` apply to new clients at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Motion JPEG streams, WebSockets and snapshots that are waited for, together.
    pub viewers: usize,
    /// The same of one address.
    pub viewers_per_address: usize,
    /// Renditions of one camera that are encoded at the same time.
    pub renditions: usize,
    /// Those that one address may watch alone.
    pub renditions_per_address: usize,
    /// Connections of any kind.
    pub connections: usize,
    /// Connections from one address.
    pub connections_per_address: usize,
    /// What one worker may allocate and keep in memory, in MiB; applies to new workers.
    pub worker_memory: u64,
    /// What agent and workers together may use, in MiB; `None`: a share of the machine's memory.
    pub total_memory: Option<u64>,
    /// Streams that may be opened at the same time.
    pub openings: usize,
    /// What the kept group of pictures of one stream may take, in MiB.
    pub group_memory: u64,
    /// Seconds of each camera's video that are kept for those who look back; 0: none.
    pub look_back: u64,
    /// What that may take of all cameras together, in MiB.
    pub look_back_memory: u64,
    /// What is asked of the sandbox of each worker; applies to new workers.
    pub sandbox: SandboxPolicy,
}

impl Default for Limits {
    fn default() -> Self {
        read(&Section::absent(&schema::LIMITS), &mut Diagnostics::nowhere())
    }
}

pub(super) fn read(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Limits {
    section.refuse_unknown(diagnostics);
    Limits {
        viewers: section.whole_or_default(&keys::VIEWERS, diagnostics),
        viewers_per_address: section.whole_or_default(&keys::VIEWERS_PER_ADDRESS, diagnostics),
        renditions: section.whole_or_default(&keys::RENDITIONS, diagnostics),
        renditions_per_address: section.whole_or_default(&keys::RENDITIONS_PER_ADDRESS, diagnostics),
        connections: section.whole_or_default(&keys::CONNECTIONS, diagnostics),
        connections_per_address: section.whole_or_default(&keys::CONNECTIONS_PER_ADDRESS, diagnostics),
        worker_memory: section.whole_or_default(&keys::WORKER_MEMORY, diagnostics),
        total_memory: section.whole(&keys::TOTAL_MEMORY, diagnostics),
        openings: section.whole_or_default(&keys::OPENINGS, diagnostics),
        group_memory: section.whole_or_default(&keys::GROUP_MEMORY, diagnostics),
        look_back: section.whole_or_default(&keys::LOOK_BACK, diagnostics),
        look_back_memory: section.whole_or_default(&keys::LOOK_BACK_MEMORY, diagnostics),
        sandbox: section.one_of(&keys::SANDBOX, diagnostics).map_or(keys::SANDBOX.default, |sandbox| sandbox.value),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{super::parse, *};

    fn read(text: &str) -> Result<Limits, Vec<String>> {
        let no_files = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        let parsed = parse(text, Path::new("c"), &no_files).map(|config| config.limits);
        parsed.map_err(|complaints| complaints.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_limit_reaches_its_field() {
        let text = "[limits]\nviewers = 1\nviewers_per_address = 3\nrenditions = 2\nrenditions_per_address = 5\nconnections = 30\nconnections_per_address = 10\n\
                    worker_memory = 500\ntotal_memory = 600\nopenings = 7\ngroup_memory = 9\nlook_back = 60\nlook_back_memory = 5\n\
                    sandbox = \"required\"";
        let expected = Limits {
            viewers: 1,
            viewers_per_address: 3,
            renditions: 2,
            renditions_per_address: 5,
            connections: 30,
            connections_per_address: 10,
            worker_memory: 500,
            total_memory: Some(600),
            openings: 7,
            group_memory: 9,
            look_back: 60,
            look_back_memory: 5,
            sandbox: SandboxPolicy::Required,
        };
        assert_eq!(read(text), Ok(expected));
        assert_eq!(read("[limits]"), Ok(Limits::default()));
        assert_eq!(read(""), Ok(Limits::default()));
    }

    #[test]
    fn limit_out_of_range_is_told_with_its_range() {
        let text = "[limits]\nviewers = 0\nrenditions = 65\nworker_memory = '1 GB'\nviewer = 3";
        let expected = [
            "c:2:11: [limits]: viewers is 0; write a whole number from 1 to 4096",
            "c:3:14: [limits]: renditions is 65; write a whole number from 1 to 64",
            "c:4:17: [limits]: worker_memory is a text; write a whole number from 192 to 16384, without quotation marks",
            "c:5:1: [limits]: unknown key \"viewer\"; did you mean \"viewers\"?",
        ];
        assert_eq!(read(text).unwrap_err(), expected);
    }
}
