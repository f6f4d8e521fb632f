//! The arguments of the command line.

mod place;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use lexopt::{Arg, Parser, ValueExt};
use log::LevelFilter;

use super::{
    discover::{self, Discover},
    info::{Info, address::AddressInfo},
    verify::{self, Verify},
};
use crate::{
    account,
    camera::{CameraId, Credentials, Secret},
    config,
    log::Target,
    onvif,
    tls::client::HTTPS_PORT,
};

use place::{host_and_port, stream_address};

/// How long `discover` searches by default: long enough for slow cameras and lost packets.
const DISCOVER_FOR: Duration = Duration::from_secs(3);
const DISCOVER_SECONDS: std::ops::RangeInclusive<u64> = 1..=60;

/// The command that the arguments ask for.
#[derive(Debug)]
pub enum Command {
    Run(Run),
    Check { file: PathBuf },
    Info(Info),
    AddressInfo(AddressInfo),
    List(QueryArgs),
    Status(QueryArgs),
    Reload { file: PathBuf },
    Passwd(UserArgs),
    Token(UserArgs),
    Users(QueryArgs),
    Keys(QueryArgs),
    Discover(Discover),
    Verify(Verify),
    Help,
    Version,
}

#[derive(Debug, PartialEq)]
pub struct Run {
    pub config: PathBuf,
    /// The user to become. `None`: stay who started the agent.
    pub user: Option<String>,
    /// `None`: depends on what started the agent.
    pub log: Option<Target>,
    pub level: LevelFilter,
}

/// The arguments of `list`, `status`, `users` and `keys`.
#[derive(Debug, PartialEq)]
pub struct QueryArgs {
    /// The configuration file of the agent to query.
    pub file: PathBuf,
    pub json: bool,
    /// The only camera to show, or for `keys` the one to forget.
    pub camera: Option<String>,
}

/// The arguments of `passwd` and `token`.
#[derive(Debug, PartialEq)]
pub struct UserArgs {
    pub name: String,
    /// The configuration file to change.
    pub file: PathBuf,
    /// Only for `passwd`: the password comes from the standard input.
    pub stdin: bool,
    /// Only for `passwd`: the user is removed.
    pub delete: bool,
}

/// Parses the arguments after the program's name.
///
/// # Errors
/// One line for the user about what is wrong with the arguments.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut words = ArgParser { parser: Parser::from_args(arguments), first: None };
    let command = match words.command()? {
        Some(word) => word,
        None => return words.run(),
    };
    match command.as_str() {
        "run" => words.run(),
        "check" => words.check(),
        "info" => words.info(),
        "list" => words.question("list").map(|question| question.map_or(Command::Help, Command::List)),
        "status" => words.question("status").map(|question| question.map_or(Command::Help, Command::Status)),
        "reload" => words.reload(),
        "passwd" => words.user("passwd").map(|user| user.map_or(Command::Help, Command::Passwd)),
        "token" => words.user("token").map(|user| user.map_or(Command::Help, Command::Token)),
        "users" => words.question("users").map(|question| question.map_or(Command::Help, Command::Users)),
        "keys" => words.keys(),
        "discover" => words.discover(),
        "verify" => words.verify(),
        "help" => Ok(Command::Help),
        "version" => Ok(Command::Version),
        unknown => Err(format!(
            "there is no command {unknown:?}; the commands are run, check, info, discover, list, status, reload, passwd, \
             token, users, keys and verify"
        )),
    }
}

struct ArgParser {
    parser: Parser,
    /// An option that was found in place of the command.
    first: Option<String>,
}

impl ArgParser {
    /// Returns the first word if it is a command. An option there belongs to `run`.
    fn command(&mut self) -> Result<Option<String>, String> {
        match self.parser.next().map_err(|error| error.to_string())? {
            Some(Arg::Value(word)) => word.string().map(Some).map_err(|error| error.to_string()),
            Some(Arg::Long(name)) => {
                self.first = Some(name.to_owned());
                Ok(None)
            }
            Some(Arg::Short('h')) => Ok(Some("help".into())),
            Some(Arg::Short('V')) => Ok(Some("version".into())),
            Some(Arg::Short(other)) => Err(format!("unknown option -{other}")),
            None => Ok(None),
        }
    }

    fn run(mut self) -> Result<Command, String> {
        let mut run = Run { config: config::DEFAULT_FILE.into(), user: None, log: None, level: LevelFilter::Info };
        while let Some(word) = self.next()? {
            match word {
                Word::Option(name) if name == "config" => run.config = self.value(&name)?.into(),
                Word::Option(name) if name == "user" => run.user = Some(self.text(&name)?),
                Word::Option(name) if name == "log" => {
                    run.log = Some(match self.text(&name)?.as_str() {
                        "syslog" => Target::Syslog,
                        "stderr" => Target::Stderr,
                        other => return Err(format!("--log {other:?} is unknown; write syslog or stderr")),
                    });
                }
                Word::Option(name) if name == "log-level" => {
                    let level = self.text(&name)?;
                    run.level = level
                        .parse()
                        .map_err(|_| format!("--log-level {level:?} is unknown; write error, warn, info or debug"))?;
                }
                Word::Option(name) if name == "help" => return Ok(Command::Help),
                Word::Option(name) if name == "version" => return Ok(Command::Version),
                other => return Err(other.unexpected("run")),
            }
        }
        Ok(Command::Run(run))
    }

    fn check(mut self) -> Result<Command, String> {
        let mut file = None;
        while let Some(word) = self.next()? {
            match word {
                Word::Option(name) if name == "config" && file.is_none() => file = Some(self.value(&name)?.into()),
                Word::Option(name) if name == "help" => return Ok(Command::Help),
                Word::Value(word) if file.is_none() => file = Some(word.into()),
                other => return Err(other.unexpected("check")),
            }
        }
        Ok(Command::Check { file: file.unwrap_or_else(|| config::DEFAULT_FILE.into()) })
    }

    fn info(mut self) -> Result<Command, String> {
        let (mut address, mut username, mut password_file, mut json) = (None, None, None, false);
        let (mut is_quick, mut picture) = (false, None);
        while let Some(word) = self.next()? {
            match word {
                Word::Option(name) if name == "quick" => is_quick = true,
                Word::Option(name) if name == "picture" => picture = Some(self.value(&name)?.into()),
                Word::Option(name) if name == "username" => username = Some(self.text(&name)?),
                Word::Option(name) if name == "password-file" => password_file = Some(self.value(&name)?.into()),
                Word::Option(name) if name == "json" => json = true,
                Word::Option(name) if name == "help" => return Ok(Command::Help),
                Word::Value(word) if address.is_none() => {
                    address = Some(word.string().map_err(|error| error.to_string())?);
                }
                other => return Err(other.unexpected("info")),
            }
        }
        let address = address.ok_or("info needs the address of a camera, such as 192.168.1.64 or 192.168.1.64:8000")?;
        let password = password_file.map(|file: PathBuf| read_password(&file)).transpose()?;
        if password.is_some() && username.is_none() {
            return Err("--password-file needs --username as well".into());
        }
        if is_quick && picture.is_some() {
            return Err("--quick opens no stream, so there is no picture for --picture".into());
        }
        if let Some(uri) = stream_address(&address)? {
            let credentials = username.map(|username| {
                let password = password.unwrap_or_else(|| Secret::new(""));
                Credentials { username, password }
            });
            return Ok(Command::AddressInfo(AddressInfo { uri, credentials, is_quick, picture, json }));
        }
        let (tls, place) = address.strip_prefix("https://").map_or((false, address.as_str()), |rest| (true, rest));
        let (host, port) = host_and_port(place)?;
        // A camera over TLS has another usual port.
        let port = if tls && port == onvif::DEFAULT_PORT { HTTPS_PORT } else { port };
        Ok(Command::Info(Info { host, port, tls, username, password, is_quick, picture, json }))
    }

    /// `None` if help was requested.
    fn question(mut self, command: &str) -> Result<Option<QueryArgs>, String> {
        let mut question = QueryArgs { file: config::DEFAULT_FILE.into(), json: false, camera: None };
        while let Some(word) = self.next()? {
            match word {
                Word::Option(name) if name == "config" => question.file = self.value(&name)?.into(),
                Word::Option(name) if name == "json" => question.json = true,
                Word::Option(name) if name == "help" => return Ok(None),
                Word::Value(id) if command == "status" && question.camera.is_none() => {
                    question.camera = Some(id.string().map_err(|error| error.to_string())?);
                }
                other => return Err(other.unexpected(command)),
            }
        }
        Ok(Some(question))
    }

    /// `None` if help was requested.
    fn user(mut self, command: &str) -> Result<Option<UserArgs>, String> {
        let (mut name, mut file, mut stdin, mut delete) = (None, config::DEFAULT_FILE.into(), false, false);
        while let Some(word) = self.next()? {
            match word {
                Word::Option(name) if name == "config" => file = self.value(&name)?.into(),
                Word::Option(name) if name == "stdin" && command == "passwd" && !delete => stdin = true,
                Word::Option(name) if name == "delete" && command == "passwd" && !stdin => delete = true,
                Word::Option(name) if name == "help" => return Ok(None),
                Word::Value(word) if name.is_none() => name = Some(word.string().map_err(|error| error.to_string())?),
                other => return Err(other.unexpected(command)),
            }
        }
        let name = name.ok_or_else(|| format!("{command} needs the name of a user, such as guard"))?;
        if !account::is_name(&name) {
            return Err(format!("{name:?} is no user name; write 1 to 64 letters, digits, -, _ and ."));
        }
        Ok(Some(UserArgs { name, file, stdin, delete }))
    }

    fn keys(mut self) -> Result<Command, String> {
        let mut keys = QueryArgs { file: config::DEFAULT_FILE.into(), json: false, camera: None };
        while let Some(word) = self.next()? {
            match word {
                Word::Option(name) if name == "config" => keys.file = self.value(&name)?.into(),
                Word::Option(name) if name == "json" => keys.json = true,
                Word::Option(name) if name == "forget" => {
                    let id = self.text(&name)?;
                    CameraId::new(&id).ok_or_else(|| format!("--forget {id:?} is not the id of a camera"))?;
                    keys.camera = Some(id);
                }
                Word::Option(name) if name == "help" => return Ok(Command::Help),
                Word::Value(word) => {
                    return Err(format!("keys does not take the argument {word:?}; write --forget {}", word.display()));
                }
                other => return Err(other.unexpected("keys")),
            }
        }
        if keys.json && keys.camera.is_some() {
            return Err("--json and --forget exclude each other".into());
        }
        Ok(Command::Keys(keys))
    }

    fn reload(mut self) -> Result<Command, String> {
        let mut file = config::DEFAULT_FILE.into();
        while let Some(word) = self.next()? {
            match word {
                Word::Option(name) if name == "config" => file = self.value(&name)?.into(),
                Word::Option(name) if name == "help" => return Ok(Command::Help),
                Word::Value(word) => {
                    return Err(format!(
                        "reload does not take the argument {word:?}; write --config {}",
                        word.display()
                    ));
                }
                other => return Err(other.unexpected("reload")),
            }
        }
        Ok(Command::Reload { file })
    }

    fn discover(mut self) -> Result<Command, String> {
        let (mut time, mut form, mut config) = (DISCOVER_FOR, None, None);
        while let Some(word) = self.next()? {
            match word {
                Word::Option(name) if name == "seconds" => {
                    let seconds = self.text(&name)?;
                    let whole = seconds.parse().ok().filter(|seconds| DISCOVER_SECONDS.contains(seconds));
                    let (least, most) = (DISCOVER_SECONDS.start(), DISCOVER_SECONDS.end());
                    time = whole.map(Duration::from_secs).ok_or_else(|| {
                        format!("--seconds {seconds:?} does not do; write a whole number from {least} to {most}")
                    })?;
                }
                Word::Option(name) if name == "json" && form != Some(discover::Form::Toml) => {
                    form = Some(discover::Form::Json);
                }
                Word::Option(name) if name == "toml" && form != Some(discover::Form::Json) => {
                    form = Some(discover::Form::Toml);
                }
                Word::Option(name) if name == "json" || name == "toml" => {
                    return Err("--json and --toml exclude each other".into());
                }
                Word::Option(name) if name == "config" => config = Some(self.value(&name)?.into()),
                Word::Option(name) if name == "help" => return Ok(Command::Help),
                other => return Err(other.unexpected("discover")),
            }
        }
        Ok(Command::Discover(Discover { time, form: form.unwrap_or(discover::Form::Table), config }))
    }

    fn verify(mut self) -> Result<Command, String> {
        let (mut manifest, mut keys, mut downgrade) = (None, PathBuf::from(verify::DEFAULT_KEYS), false);
        let (mut installed, mut image, mut output) = (None, None, None);
        while let Some(word) = self.next()? {
            match word {
                Word::Option(name) if name == "keys" => keys = self.value(&name)?.into(),
                Word::Option(name) if name == "installed" => installed = Some(self.value(&name)?.into()),
                Word::Option(name) if name == "downgrade" => downgrade = true,
                Word::Option(name) if name == "image" => image = Some(self.value(&name)?.into()),
                Word::Option(name) if name == "output" => output = Some(self.value(&name)?.into()),
                Word::Option(name) if name == "help" => return Ok(Command::Help),
                Word::Value(word) if manifest.is_none() => manifest = Some(word.into()),
                other => return Err(other.unexpected("verify")),
            }
        }
        let manifest = manifest.ok_or("verify needs the manifest of an update")?;
        if output.is_some() && image.is_none() {
            return Err("--output needs --image as well".into());
        }
        Ok(Command::Verify(Verify { manifest, keys, installed, downgrade, image, output }))
    }

    fn next(&mut self) -> Result<Option<Word>, String> {
        if let Some(name) = self.first.take() {
            return Ok(Some(Word::Option(name)));
        }
        Ok(match self.parser.next().map_err(|error| error.to_string())? {
            Some(Arg::Long(name)) => Some(Word::Option(name.to_owned())),
            Some(Arg::Short('h')) => Some(Word::Option("help".into())),
            Some(Arg::Short(letter)) => Some(Word::Option(letter.to_string())),
            Some(Arg::Value(value)) => Some(Word::Value(value)),
            None => None,
        })
    }

    fn value(&mut self, name: &str) -> Result<OsString, String> {
        self.parser.value().map_err(|_| format!("--{name} needs a value"))
    }

    fn text(&mut self, name: &str) -> Result<String, String> {
        self.value(name)?.into_string().map_err(|_| format!("the value of --{name} is not UTF-8"))
    }
}

/// Reads a file that holds only a password. One line end after it does not count.
fn read_password(file: &Path) -> Result<Secret, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let line = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if line.is_empty() { Err(format!("{} holds no password", file.display())) } else { Ok(Secret::new(line)) }
}

enum Word {
    Option(String),
    Value(OsString),
}

impl Word {
    fn unexpected(&self, command: &str) -> String {
        match self {
            Self::Option(name) => format!("{command} has no option --{name}"),
            Self::Value(value) => format!("{command} does not take the argument {value:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_ascii_whitespace().map(OsString::from))
    }

    #[test]
    fn no_command_means_run_with_defaults() {
        let Ok(Command::Run(run)) = parsed("") else { panic!("not run") };
        assert_eq!(run.config, PathBuf::from("/etc/cctv-agent/cameras.toml"));
        assert_eq!((run.user, run.log, run.level), (None, None, LevelFilter::Info));
    }

    #[test]
    fn options_of_run_work_with_and_without_its_name() {
        for line in [
            "--config a.toml --user nobody --log syslog --log-level debug",
            "run --config=a.toml --user=nobody --log=syslog --log-level=debug",
        ] {
            let Ok(Command::Run(run)) = parsed(line) else { panic!("{line}") };
            let (user, log) = (Some("nobody".to_owned()), Some(Target::Syslog));
            let expected = Run { config: "a.toml".into(), user, log, level: LevelFilter::Debug };
            assert_eq!(run, expected, "{line}");
        }
    }

    #[test]
    fn running_agent_is_named_by_its_file() {
        let question = |file: &str, json| QueryArgs { file: file.into(), json, camera: None };
        assert!(matches!(parsed("list"), Ok(Command::List(asked)) if asked == question(config::DEFAULT_FILE, false)));
        let Ok(Command::Status(asked)) = parsed("status --json --config a.toml") else { panic!("not status") };
        assert_eq!(asked, question("a.toml", true));
        let Ok(Command::Status(asked)) = parsed("status gate") else { panic!("not status") };
        assert_eq!(asked.camera.as_deref(), Some("gate"));
        let Ok(Command::Reload { file }) = parsed("reload --config=a.toml") else { panic!("not reload") };
        assert_eq!(file, PathBuf::from("a.toml"));
    }

    #[test]
    fn user_is_named_and_so_is_the_file() {
        let Ok(Command::Passwd(args)) = parsed("passwd guard --stdin --config a.toml") else { panic!("not passwd") };
        let expected = UserArgs { name: "guard".into(), file: "a.toml".into(), stdin: true, delete: false };
        assert_eq!(args, expected);
        let Ok(Command::Token(args)) = parsed("token tv") else { panic!("not token") };
        assert_eq!((args.name.as_str(), args.file), ("tv", config::DEFAULT_FILE.into()));
        assert!(matches!(parsed("users --json"), Ok(Command::Users(asked)) if asked.json));
    }

    #[test]
    fn keys_are_listed_unless_a_camera_is_to_be_forgotten() {
        let Ok(Command::Keys(keys)) = parsed("keys --forget gate --config a.toml") else { panic!("not keys") };
        assert_eq!(keys, QueryArgs { file: "a.toml".into(), json: false, camera: Some("gate".into()) });
        assert!(matches!(parsed("keys --json"), Ok(Command::Keys(keys)) if keys.json && keys.camera.is_none()));
    }

    #[test]
    fn wrong_words_are_named() {
        for (line, part) in [
            ("frobnicate", "no command"),
            ("run --colour", "no option --colour"),
            ("--log loud", "syslog or stderr"),
            ("check a b", "\"b\""),
            ("status a b", "status does not take the argument \"b\""),
            ("list a", "list does not take the argument \"a\""),
            ("info", "needs the address"),
            ("info 10.0.0.1:99999", "not an address"),
            ("run --config", "needs a value"),
            ("list --colour", "list has no option --colour"),
            ("reload a.toml", "write --config a.toml"),
            ("reload --json", "reload has no option --json"),
            ("passwd", "needs the name of a user"),
            ("passwd a:b", "\"a:b\" is no user name"),
            ("passwd a b", "passwd does not take the argument \"b\""),
            ("passwd a --stdin --delete", "passwd has no option --delete"),
            ("token a --stdin", "token has no option --stdin"),
            ("users a", "users does not take the argument \"a\""),
            ("keys gate", "write --forget gate"),
            ("keys --forget", "needs a value"),
            ("keys --forget a/b", "\"a/b\" is not the id"),
            ("keys --forget gate --json", "exclude each other"),
            ("discover --seconds 0", "from 1 to 60"),
            ("discover --json --toml", "exclude each other"),
            ("discover 10.0.0.1", "does not take"),
            ("verify", "needs the manifest"),
            ("verify a b", "verify does not take the argument \"b\""),
            ("verify a --output b", "--output needs --image"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn discover_takes_a_time_a_form_and_a_file() {
        let Ok(Command::Discover(words)) = parsed("discover") else { panic!("not discover") };
        assert_eq!((words.time, words.form, words.config), (DISCOVER_FOR, discover::Form::Table, None));
        let Ok(Command::Discover(words)) = parsed("discover --seconds 7 --toml --config a.toml") else { panic!() };
        assert_eq!((words.time, words.form), (Duration::from_secs(7), discover::Form::Toml));
        assert_eq!(words.config, Some("a.toml".into()));
    }

    #[test]
    fn addresses_of_all_forms_are_split() {
        for (text, host, port) in [
            ("10.0.0.1", "10.0.0.1", 80),
            ("10.0.0.1:8000", "10.0.0.1", 8000),
            ("camera.local:81", "camera.local", 81),
            ("fe80::1", "fe80::1", 80),
            ("[fe80::1]:8000", "fe80::1", 8000),
            ("[fe80::1]", "fe80::1", 80),
        ] {
            assert_eq!(host_and_port(text), Ok((host.to_owned(), port)), "{text}");
        }
    }
}
