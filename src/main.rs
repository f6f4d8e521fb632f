//! The entry point: finds the subcommand and turns its result into the exit code.

use std::process::ExitCode;

use cctv_agent::{
    agent::{self, Opened, Outcome},
    command::{
        self,
        arguments::{Command, Run},
    },
    log::{self, Target},
    sys, text,
};

/// sysexits(3): the names are those of the BSD manual page.
const EX_OK: u8 = 0;
const EX_USAGE: u8 = 64;
const EX_SOFTWARE: u8 = 70;
const EX_OSERR: u8 = 71;
const EX_NOPERM: u8 = 77;

fn main() -> ExitCode {
    sys::tune_malloc();
    match command::arguments::parse(std::env::args_os().skip(1)) {
        Ok(Command::Run(run)) => serve(&run),
        Ok(Command::Check { file }) => ExitCode::from(command::check::run(&file)),
        Ok(Command::Info(request)) => command::info::run(request),
        Ok(Command::AddressInfo(request)) => command::info::address::run(request),
        Ok(Command::List(question)) => command::list::run(&question),
        Ok(Command::Status(question)) => command::status::run(&question),
        Ok(Command::Reload { file }) => command::reload::run(&file),
        Ok(Command::Passwd(args)) => command::passwd::run(&args),
        Ok(Command::Token(args)) => command::token::run(&args),
        Ok(Command::Users(question)) => command::users::run(&question),
        Ok(Command::Keys(keys)) => command::keys::run(&keys),
        Ok(Command::Discover(request)) => command::discover::run(request),
        Ok(Command::Verify(arguments)) => command::verify::run(&arguments),
        Ok(Command::Help) => {
            print!("{}", command::HELP);
            ExitCode::SUCCESS
        }
        Ok(Command::Version) => {
            println!("cctv-agent {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Err(complaint) => {
            eprintln!("cctv-agent: {}; see cctv-agent --help", text::escaped(&complaint));
            ExitCode::from(EX_USAGE)
        }
    }
}

fn serve(run: &Run) -> ExitCode {
    // A service is a child of init; in all other cases there is a terminal or a pipe to read.
    let started_by_init = std::os::unix::process::parent_id() == 1;
    let target = run.log.unwrap_or(if started_by_init { Target::Syslog } else { Target::Stderr });
    if let Err(error) = log::start(target, run.level) {
        eprintln!("cctv-agent: {error}");
        return ExitCode::from(EX_SOFTWARE);
    }
    let opened = match become_user(run) {
        Ok(opened) => opened,
        Err(error) => {
            ::log::error!("{error}");
            ::log::logger().flush();
            // A person may have typed this, and looks here.
            if target == Target::Syslog {
                eprintln!("cctv-agent: {error}");
            }
            return ExitCode::from(EX_NOPERM);
        }
    };
    let signals = match agent::catch_signals() {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("cctv-agent: cannot handle signals: {error}");
            return ExitCode::from(EX_SOFTWARE);
        }
    };
    ExitCode::from(match agent::run(&run.config, signals, opened) {
        Outcome::Stopped => EX_OK,
        Outcome::Internal => EX_SOFTWARE,
        Outcome::CannotBind => EX_OSERR,
    })
}

/// Gives root up if asked to, and keeps this process's memory to itself. This comes before there is a
/// second thread, which handling signals brings, and before anything is read from the network.
fn become_user(run: &Run) -> Result<Opened, Box<dyn std::error::Error>> {
    let opened = match &run.user {
        Some(name) => agent::become_user(name, &run.config)?,
        None => Opened::default(),
    };
    agent::protect_memory()?;
    Ok(opened)
}
