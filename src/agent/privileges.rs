//! Gives up root: what needs root is opened or handed over, then the process becomes another user,
//! without capabilities and without a way to get any.
//!
//! Capabilities belong to threads, so all of this happens while the process has one thread, and
//! before it has read a byte from the network.

mod handover;

use std::{ffi::CString, io, path::Path};

use nix::{
    errno::Errno,
    sys::{
        prctl,
        resource::{Resource, setrlimit},
    },
    unistd::{Gid, Uid, User, geteuid, getgrouplist, setgroups, setresgid, setresuid},
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capability_is_in_bounding_set, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities,
};

use super::descriptors;
use crate::proc;
pub use handover::Opened;

/// Why the agent cannot become the user.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("this machine has no user {0}; make it (useradd --system, adduser -S), or name another with --user")]
    NoUser(String),
    #[error("--user {0} is root; name another user, or leave --user out to run as root")]
    IsRoot(String),
    #[error("only root can become the user {0}; start the agent as root, or as that user and without --user")]
    NotRoot(String),
    #[error("cannot become the user {user}: {step}: {error}")]
    Refused { user: String, step: &'static str, error: io::Error },
}

/// Becomes the user `name`, with its groups. Before that, opens and hands over as root what the
/// configuration `file` names: ports below 1024, the watchdog device and the state directory.
///
/// Call it while the process has one thread. Does nothing but forbid new privileges if the process
/// is that user already.
///
/// # Errors
/// If the process is not that user after this; do not go on then.
///
/// # Blocking
/// Reads the configuration and the user database, and changes the owner of a few files.
pub fn become_user(name: &str, file: &Path) -> Result<Opened, Error> {
    let refused = |step, error: io::Error| Error::Refused { user: name.to_owned(), step, error };
    let found = User::from_name(name).map_err(|errno| refused("the user database cannot be read", errno.into()))?;
    let user = found.ok_or_else(|| Error::NoUser(name.to_owned()))?;
    if user.uid.is_root() {
        return Err(Error::IsRoot(name.to_owned()));
    }
    if !geteuid().is_root() {
        return if geteuid() == user.uid {
            prctl::set_no_new_privs().map_err(|errno| refused("no_new_privs", errno.into()))?;
            Ok(Opened::default())
        } else {
            Err(Error::NotRoot(name.to_owned()))
        };
    }
    descriptors::raise();
    let opened = handover::to(&user, file);
    give_up_root(&user).map_err(|(step, error)| refused(step, error))?;
    log::info!("runs as the user {name} ({}) from here on, without capabilities", user.uid);
    Ok(opened)
}

/// Keeps the passwords in this process's memory away from core files and from other processes of the
/// same user. Becoming another user undoes it, so call it after that.
///
/// # Errors
/// If the system refuses it.
pub fn protect_memory() -> io::Result<()> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    // Not the same: a core that goes to a program has no size limit.
    prctl::set_dumpable(false)?;
    Ok(())
}

/// Becomes `user` for good. The error names the step that failed.
fn give_up_root(user: &User) -> Result<(), (&'static str, io::Error)> {
    let at = |step| move |errno: Errno| (step, io::Error::from(errno));
    if proc::Process::own().threads().is_ok_and(|threads| threads != 1) {
        return Err(("threads", io::Error::other("the process has more than one already")));
    }
    let name = CString::new(user.name.as_str()).map_err(|error| ("name", error.into()))?;
    let groups = getgrouplist(&name, user.gid).map_err(at("getgrouplist"))?;
    setgroups(&groups).map_err(at("setgroups"))?;
    // While the process may still do so.
    empty_bounding_set().map_err(|error| ("bounding set", error))?;
    setresgid(user.gid, user.gid, user.gid).map_err(at("setresgid"))?;
    setresuid(user.uid, user.uid, user.uid).map_err(at("setresuid"))?;
    // The change of user leaves the inheritable ones.
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
        .map_err(|error| ("capset", error.into()))?;
    prctl::set_no_new_privs().map_err(at("no_new_privs"))?;
    if setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0)).is_ok()
        || setresgid(Gid::from_raw(0), Gid::from_raw(0), Gid::from_raw(0)).is_ok()
    {
        return Err(("check", io::Error::other("the process can become root again")));
    }
    Ok(())
}

fn empty_bounding_set() -> io::Result<()> {
    // Kernels before 4.3 have none.
    let _ = clear_ambient_capability_set();
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        match capability_is_in_bounding_set(capability) {
            Ok(true) => remove_capability_from_bounding_set(capability)?,
            Ok(false) => {}
            // The kernel has no more of them.
            Err(_) => break,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_users_are_refused_before_anything_is_changed() {
        let refusal = |name: &str| become_user(name, Path::new("/nonexistent")).err().unwrap().to_string();
        assert!(refusal("nobody-has-this-name").contains("no user nobody-has-this-name"));
        assert!(refusal("root").contains("--user root is root"));
        if !geteuid().is_root() {
            assert!(refusal("nobody").contains("only root can become the user nobody"));
        }
    }
}
