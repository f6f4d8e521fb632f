//! Landlock's part of the sandbox: no file, no TCP, no signal to another process.

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, NetPort, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, Scope, path_beneath_rules,
};

use super::needs::Needs;

/// The newest kernel whose rules are asked for; older ones take those that they know.
const NEWEST: ABI = ABI::V6;

/// The files with which names are looked up, and random numbers, which FFmpeg reads there.
const RESOLVER_FILES: [&str; 8] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/dev/urandom",
];

/// A response of a name server that does not fit into a datagram is asked for by TCP.
const DNS_PORT: u16 = 53;

/// Which rules took hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    pub files: bool,
    pub network: bool,
    pub scope: bool,
}

/// Restricts this thread and all that it will begin.
pub fn restrict(needs: Needs<'_>) -> Rules {
    let status = ruleset(needs).and_then(RulesetCreated::restrict_self);
    let Ok(LandlockStatus::Available { effective_abi, .. }) = status.map(|status| status.landlock) else {
        return Rules::default();
    };
    Rules { files: effective_abi >= ABI::V1, network: effective_abi >= ABI::V4, scope: effective_abi >= ABI::V6 }
}

fn ruleset(needs: Needs<'_>) -> Result<RulesetCreated, RulesetError> {
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    let port = match needs {
        Needs::Nothing => return Ok(ruleset),
        Needs::Device(path) => {
            let access = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
            return ruleset.add_rules(path_beneath_rules([path], access));
        }
        Needs::Stream { port } => port,
    };
    let ports = [port, DNS_PORT].map(|port| Ok::<_, RulesetError>(NetPort::new(port, AccessNet::ConnectTcp)));
    ruleset.add_rules(path_beneath_rules(RESOLVER_FILES, AccessFs::ReadFile))?.add_rules(ports)
}
