//! The sandbox of a worker: what is asked of it, and what of it took hold.

/// What a worker does about a sandbox that did not take hold as a whole, and about a call that the
/// sandbox refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxPolicy {
    /// It works in what the kernel offers, and says what is missing.
    Auto,
    /// It gives up unless all of the sandbox took hold.
    Required,
    /// As [`SandboxPolicy::Required`], and each refused call ends the worker. For tests: the agent
    /// never asks for it.
    Fatal,
}

/// A part of the sandbox, which kernels may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxPart {
    /// A list of the system calls that are allowed.
    Seccomp,
    /// Landlock's rules for files; Linux 5.13.
    Files,
    /// Landlock's rules for TCP; Linux 6.7.
    Network,
    /// Landlock's rules for signals and abstract sockets of other processes; Linux 6.12.
    Scope,
}

impl SandboxPart {
    pub const ALL: [Self; 4] = [Self::Seccomp, Self::Files, Self::Network, Self::Scope];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seccomp => "seccomp",
            Self::Files => "landlock",
            Self::Network => "landlock_network",
            Self::Scope => "landlock_scope",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// How much of the sandbox took hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxLevel {
    Full,
    Partly,
    None,
}

impl SandboxLevel {
    pub const ALL: [Self; 3] = [Self::Full, Self::Partly, Self::None];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Partly => "partly",
            Self::None => "none",
        }
    }
}

/// What of a worker's sandbox took hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sandbox {
    /// One bit for each part that is missing.
    missing: u8,
}

impl Sandbox {
    pub fn new(has: impl Fn(SandboxPart) -> bool) -> Self {
        let missing = SandboxPart::ALL.into_iter().filter(|part| !has(*part));
        Self { missing: missing.fold(0, |bits, part| bits | part.bit()) }
    }

    /// The missing parts as a number, for [`Sandbox::from_bits`].
    pub fn bits(self) -> u8 {
        self.missing
    }

    /// `None` if a bit stands for no part.
    pub fn from_bits(missing: u8) -> Option<Self> {
        (missing < 1 << SandboxPart::ALL.len()).then_some(Self { missing })
    }

    pub fn missing(self) -> impl Iterator<Item = SandboxPart> {
        SandboxPart::ALL.into_iter().filter(move |part| self.missing & part.bit() != 0)
    }

    pub fn level(self) -> SandboxLevel {
        match self.missing().count() {
            0 => SandboxLevel::Full,
            missing if missing == SandboxPart::ALL.len() => SandboxLevel::None,
            _ => SandboxLevel::Partly,
        }
    }

    /// What took hold of both workers.
    pub fn common(self, other: Self) -> Self {
        Self { missing: self.missing | other.missing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_parts_make_the_level() {
        let full = Sandbox::new(|_| true);
        assert_eq!((full.level(), full.bits()), (SandboxLevel::Full, 0));
        let none = Sandbox::new(|_| false);
        assert_eq!((none.level(), none.missing().count()), (SandboxLevel::None, 4));
        let partly = Sandbox::new(|part| part != SandboxPart::Network);
        assert_eq!(partly.level(), SandboxLevel::Partly);
        assert_eq!(partly.missing().map(SandboxPart::as_str).collect::<Vec<_>>(), ["landlock_network"]);
        assert_eq!(partly.common(full), partly);
        let both = partly.common(Sandbox::new(|part| part != SandboxPart::Seccomp));
        assert_eq!(both.missing().map(SandboxPart::as_str).collect::<Vec<_>>(), ["seccomp", "landlock_network"]);
    }

    #[test]
    fn number_with_an_unknown_bit_is_no_sandbox() {
        for bits in 0..16 {
            assert_eq!(Sandbox::from_bits(bits).map(Sandbox::bits), Some(bits));
        }
        assert_eq!(Sandbox::from_bits(16), None);
    }
}
