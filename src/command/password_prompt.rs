//! Asks for a new password: twice at a terminal, without showing it, or once from a pipe.

use std::{
    io::{self, IsTerminal as _, Read as _, Write as _},
    os::fd::AsFd as _,
};

use nix::sys::termios::{self, LocalFlags, SetArg, Termios};

use crate::{
    account::password_hash::{MAX_PASSWORD_LEN, MIN_PASSWORD_LEN},
    camera::Secret,
};

/// Asks at the terminal for the new password of `name`.
///
/// # Errors
/// One line for the user: why there is no password.
///
/// # Blocking
/// Until a person has typed it.
pub fn ask(name: &str) -> Result<Secret, String> {
    if !io::stdin().is_terminal() {
        return Err("the standard input is no terminal; write --stdin to read the password from it".to_owned());
    }
    let first = hidden_line(&format!("New password of {name}: "))?;
    check(&first)?;
    let second = hidden_line("The same again: ")?;
    if first == second {
        Ok(Secret::new(first))
    } else {
        Err("these are two passwords; nothing was changed".to_owned())
    }
}

/// Reads a password from the standard input, up to its end. One line end after it does not count.
///
/// # Errors
/// As [`ask`].
///
/// # Blocking
/// Until the other end of the pipe closes it.
pub fn read() -> Result<Secret, String> {
    let mut text = String::new();
    let limit = MAX_PASSWORD_LEN as u64 + 3;
    io::stdin()
        .lock()
        .take(limit)
        .read_to_string(&mut text)
        .map_err(|error| format!("cannot read the password: {error}"))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    check(line)?;
    Ok(Secret::new(line))
}

fn check(password: &str) -> Result<(), String> {
    let length = password.chars().count();
    if password.chars().any(char::is_control) {
        return Err("the password holds a line break or another control character; nothing was changed".to_owned());
    }
    if length < MIN_PASSWORD_LEN {
        return Err(format!("a password needs at least {MIN_PASSWORD_LEN} characters; nothing was changed"));
    }
    if password.len() > MAX_PASSWORD_LEN {
        return Err(format!("a password has at most {MAX_PASSWORD_LEN} bytes; nothing was changed"));
    }
    Ok(())
}

/// A terminal that shows nothing that is typed. Dropping it restores the terminal.
struct Silent(Termios);

impl Silent {
    /// Signals by keys are read as characters, because a signal would leave the terminal silent.
    fn begin() -> nix::Result<Self> {
        let before = termios::tcgetattr(io::stdin().as_fd())?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO | LocalFlags::ECHONL | LocalFlags::ICANON | LocalFlags::ISIG);
        termios::tcsetattr(io::stdin().as_fd(), SetArg::TCSAFLUSH, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(io::stdin().as_fd(), SetArg::TCSADRAIN, &self.0);
    }
}

fn hidden_line(prompt: &str) -> Result<String, String> {
    let silent = Silent::begin().map_err(|error| format!("cannot hide what is typed: {error}"))?;
    let mut err = io::stderr().lock();
    let _ = write!(err, "{prompt}").and_then(|()| err.flush());
    let typed = line_of_keys(io::stdin().lock().bytes());
    drop(silent);
    let _ = writeln!(err);
    typed
}

/// The line that these keys type.
fn line_of_keys(keys: impl Iterator<Item = io::Result<u8>>) -> Result<String, String> {
    let stopped = || "stopped; nothing was changed".to_owned();
    let mut line = Vec::new();
    for key in keys {
        match key.map_err(|error| format!("cannot read the password: {error}"))? {
            b'\r' | b'\n' => {
                return String::from_utf8(line)
                    .map_err(|_| "the password is not UTF-8; nothing was changed".to_owned());
            }
            // Ctrl-C, Ctrl-\ and Ctrl-D.
            3 | 28 => return Err(stopped()),
            4 if line.is_empty() => return Err(stopped()),
            // Backspace: the last character, with all its bytes.
            8 | 127 => while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
            // Ctrl-U: the whole line.
            21 => line.clear(),
            _ if line.len() > MAX_PASSWORD_LEN => {}
            byte => line.push(byte),
        }
    }
    Err(stopped())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_make_a_line() {
        let typed = |keys: &[u8]| line_of_keys(keys.iter().map(|key| Ok(*key)));
        for (keys, line) in [
            ("guard's word\rrest", "guard's word"),
            ("wrong\u{15}right\n", "right"),
            ("x\u{7f}\u{7f}\u{7f}ab門\u{8}\u{7f}c\n", "ac"),
            ("a\u{4}b\n", "a\u{4}b"),
        ] {
            assert_eq!(typed(keys.as_bytes()).as_deref(), Ok(line));
        }
        for keys in ["abc", "abc\u{3}\n", "abc\u{1c}\n", "\u{4}", ""] {
            assert_eq!(typed(keys.as_bytes()), Err("stopped; nothing was changed".to_owned()), "{keys:?}");
        }
        assert!(typed(b"\xff\n").is_err());
        assert!(typed(format!("{}\n", "x".repeat(5000)).as_bytes()).unwrap().len() <= MAX_PASSWORD_LEN + 1);
    }

    #[test]
    fn short_long_and_strange_passwords_are_refused() {
        assert!(check("ten chars.").is_ok() && check("門門門門門門門門門門").is_ok());
        for wrong in ["", "nine char", "ten\u{4}chars.", &"x".repeat(1025)] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
