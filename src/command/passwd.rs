//! `cctv-agent passwd`: gives a user of the wall a password, adds one, or removes one.

use std::process::ExitCode;

use super::{
    arguments::UserArgs,
    output::{complain, print},
    password_prompt, user_file,
};
use crate::{
    account::{Credential, password_hash::PasswordHash},
    config::user_edit::UserChange,
};

/// The exit code if there is no password to be had (`EX_DATAERR` of sysexits.h).
const NO_PASSWORD: u8 = 65;

/// Asks for a password, writes its hash into the file, and reloads the agent.
///
/// # Blocking
/// Until a person has typed it, and then as `reload`.
pub fn run(args: &UserArgs) -> ExitCode {
    match changed(args) {
        Ok(()) => user_file::apply(&args.file),
        Err(code) => code,
    }
}

fn changed(args: &UserArgs) -> Result<(), ExitCode> {
    user_file::precheck("passwd", &args.file)?;
    let UserArgs { name, file, .. } = args;
    if args.delete {
        user_file::change("passwd", file, name, &UserChange::Delete)?;
        print(&format!("the user {name} is removed from {}\n", file.display()));
        return Ok(());
    }
    let password = if args.stdin { password_prompt::read() } else { password_prompt::ask(name) };
    let hash = password.and_then(|password| PasswordHash::new(password.expose())).map_err(|why| {
        complain(format!("cctv-agent passwd: {why}"));
        ExitCode::from(NO_PASSWORD)
    })?;
    let existed = user_file::change("passwd", file, name, &UserChange::Set(Credential::Password(hash)))?;
    let what = if existed { "has a new password in" } else { "is added to" };
    print(&format!("the user {name} {what} {}\n", file.display()));
    Ok(())
}
