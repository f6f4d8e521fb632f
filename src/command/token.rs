//! `cctv-agent token`: makes a token for a screen or a program, and prints it once.

use std::{path::Path, process::ExitCode};

use super::{
    arguments::UserArgs,
    output::{complain, print},
    user_file,
};
use crate::{
    account::{Credential, digest::random_secret, token_hash::TokenHash},
    config::{self, user_edit::UserChange},
    proc,
};

/// The exit code if the system gives no random numbers.
const FAILED: u8 = 70;

/// Makes a token, writes its hash into the file, prints the token, and reloads the agent.
///
/// # Blocking
/// As `reload`.
pub fn run(args: &UserArgs) -> ExitCode {
    match made(args) {
        Ok(()) => user_file::apply(&args.file),
        Err(code) => code,
    }
}

fn made(args: &UserArgs) -> Result<(), ExitCode> {
    let token = random_secret().map_err(|error| {
        complain(format!("cctv-agent token: {error}"));
        ExitCode::from(FAILED)
    })?;
    let hash = TokenHash::of(&token);
    let existed = user_file::change("token", &args.file, &args.name, &UserChange::Set(Credential::Token(hash)))?;
    let what = if existed { "has a new token; the old one, or the password, is no longer taken" } else { "is added" };
    print(&format!(
        "the user {} {what}\n\n{token}\n\nThis is shown once. For a program:  Authorization: Bearer TOKEN\nFor a screen, \
         once:\n\n{}\n\n",
        args.name,
        link(&args.file, &token)
    ));
    Ok(())
}

/// The address that logs a browser in. What stands after # is never sent to any server.
fn link(file: &Path, token: &str) -> String {
    let server = config::read(file).map(|config| config.server).unwrap_or_default();
    let host = server.names.first().cloned().unwrap_or_else(|| match proc::host_name().as_str() {
        "" | "(none)" => "localhost".to_owned(),
        name => name.to_owned(),
    });
    let port = server.listen.first().map_or(8080, std::net::SocketAddr::port);
    format!("https://{host}:{port}/login#token={token}")
}
