//! Parses the `key=value` pairs, separated by blanks, that describe a camera.
//!
//! A value with blanks, quotes or `#` is written in double quotes, where `\"` and `\\` mean the
//! quote and the backslash, or in single quotes, where no character is special.

/// Pairs that were not taken yet.
pub struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// Parses a description. Checks only its grammar: no duplicate key, every quote closed.
    pub fn read(description: &str) -> Result<Self, String> {
        split(description).map(Self)
    }

    /// A key that was never taken.
    pub fn left_over(&self) -> Option<&str> {
        self.0.first().map(|(key, _)| key.as_str())
    }

    pub fn take(&mut self, key: &str) -> Option<String> {
        let at = self.0.iter().position(|(found, _)| found == key)?;
        Some(self.0.remove(at).1)
    }

    pub fn word<T>(&mut self, key: &str, default: T, read: impl Fn(&str) -> Option<T>) -> Result<T, String> {
        self.take(key).map_or(Ok(default), |word| read(&word).ok_or_else(|| format!("{key}={word} is not understood")))
    }

    pub fn number<T: std::str::FromStr>(&mut self, key: &str, default: T) -> Result<T, String> {
        self.word(key, default, |word| word.parse().ok())
    }
}

fn split(description: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut rest = description.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').ok_or_else(|| format!("key=value expected at {rest:?}"))?;
        if key.contains(char::is_whitespace) {
            return Err(format!("key=value expected at {key:?}"));
        }
        let (value, after) = value(after).ok_or_else(|| format!("the quote after {key}= is never closed"))?;
        if !after.is_empty() && !after.starts_with(char::is_whitespace) {
            return Err(format!("blank expected after the value of {key}"));
        }
        if pairs.iter().any(|(known, _)| known == key) {
            return Err(format!("{key} is given twice"));
        }
        pairs.push((key.to_owned(), value));
        rest = after.trim_start();
    }
    Ok(pairs)
}

/// The value at the start of `text` and what follows it; `None` if its quote is never closed.
fn value(text: &str) -> Option<(String, &str)> {
    let quote = match text.chars().next() {
        Some(quote @ ('"' | '\'')) => quote,
        _ => {
            let end = text.find(char::is_whitespace).unwrap_or(text.len());
            return Some((text[..end].to_owned(), &text[end..]));
        }
    };
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            _ if character == quote => return Some((value, &text[at + 1..])),
            '\\' if quote == '"' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

/// Parses `on` and `off`.
pub fn on_or_off(word: &str) -> Option<bool> {
    match word {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}
