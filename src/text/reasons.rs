//! Reasons as data: why a stream is not live and what is done about it, as codes with parameters,
//! and the English text of each.
//!
//! Who learns of a failure makes a [`Reason`]. Its text is made from the data, so that they cannot
//! differ. Codes and parameters are part of the API (docs/api.md); other languages are files of
//! `www/reasons`.

mod codes;

use std::{fmt, ops::Deref};

use super::{MAX_REASON_LEN, reason, shortened};
pub use codes::Code;

/// Maximum number of parts of one reason; further ones are left out.
const MAX_PARTS: usize = 16;

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Safe to show, and at most [`MAX_REASON_LEN`] characters.
    Text(String),
    Number(f64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(reason(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number as f64)
    }
}

/// One fact, remedy or reaction: a code with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    code: Code,
    params: Vec<(&'static str, Value)>,
}

impl Code {
    pub fn with(self, name: &'static str, value: impl Into<Value>) -> Part {
        Part::from(self).with(name, value)
    }

    pub fn quoted(self, name: &'static str, text: &str) -> Part {
        Part::from(self).quoted(name, text)
    }

    pub fn with_some(self, name: &'static str, value: Option<impl Into<Value>>) -> Part {
        Part::from(self).with_some(name, value)
    }

    /// Whether it says what is done about the failure, which is never cut off.
    fn is_reaction(self) -> bool {
        matches!(self, Self::WorkerHung | Self::Retry | Self::RetryAfterReload | Self::RetryAtOnce)
    }
}

impl From<Code> for Part {
    fn from(code: Code) -> Self {
        Self { code, params: Vec::new() }
    }
}

impl Part {
    /// Adds a parameter, which the code's text must name.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        debug_assert!(placeholders(self.code.english()).any(|known| known == name), "{}: {name}", self.code.word());
        self.params.push((name, value.into()));
        self
    }

    /// Adds a parameter that the text shows in quotation marks, with those inside it escaped.
    pub fn quoted(self, name: &'static str, text: &str) -> Self {
        let quoted = format!("{:?}", shortened(text, MAX_REASON_LEN));
        self.with(name, quoted.get(1..quoted.len() - 1).unwrap_or_default())
    }

    /// Adds a parameter if there is a value for it.
    pub fn with_some(self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub fn code(&self) -> Code {
        self.code
    }

    pub fn params(&self) -> &[(&'static str, Value)] {
        &self.params
    }

    /// The part in English.
    pub fn text(&self) -> String {
        fill(self.code.english(), |name| self.params.iter().find(|(known, _)| *known == name).map(|(_, value)| value))
    }
}

/// Why a stream is not live, in parts: what is wrong, what helps, what the agent does. Dereferences
/// to the whole in English; empty for a live stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reason {
    parts: Vec<Part>,
    text: String,
}

impl Reason {
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// This reason and another one after it.
    pub fn and(mut self, more: impl Into<Self>) -> Self {
        self.parts.extend(more.into().parts);
        self.parts.into()
    }

    /// For the pipe between worker and agent: a part in each line, its fields between tabs, which
    /// no parameter contains.
    pub fn encode(&self) -> String {
        let part = |part: &Part| {
            let fields = part.params.iter().map(|(name, value)| match value {
                Value::Text(text) => format!("\t{name}={text}"),
                Value::Number(number) => format!("\t{name}#{number}"),
            });
            format!("{}{}", part.code.word(), fields.collect::<String>())
        };
        self.parts.iter().map(part).collect::<Vec<_>>().join("\n")
    }

    /// Reads what [`Reason::encode`] wrote. `None` for an unknown code or parameter, and for
    /// a reaction, which is the agent's; texts are made safe again, because a worker is not trusted.
    pub fn decode(text: &str) -> Option<Self> {
        let part = |line: &str| {
            let mut fields = line.split('\t');
            let code = Code::from_word(fields.next()?).filter(|code| !code.is_reaction())?;
            let params = fields.map(|field| {
                let at = field.find(['=', '#'])?;
                let name = placeholders(code.english()).find(|name| *name == &field[..at])?;
                let rest = &field[at + 1..];
                let value = match field.as_bytes()[at] {
                    b'=' => rest.into(),
                    _ => Value::Number(rest.parse().ok().filter(|number: &f64| number.is_finite())?),
                };
                Some((name, value))
            });
            Some(Part { code, params: params.take(MAX_PARTS).collect::<Option<_>>()? })
        };
        Some(text.lines().take(MAX_PARTS).map(part).collect::<Option<Vec<_>>>()?.into())
    }
}

impl From<Vec<Part>> for Reason {
    fn from(mut parts: Vec<Part>) -> Self {
        parts.truncate(MAX_PARTS);
        let text = english(&parts);
        Self { parts, text }
    }
}

impl<const N: usize> From<[Part; N]> for Reason {
    fn from(parts: [Part; N]) -> Self {
        Vec::from(parts).into()
    }
}

impl<const N: usize> From<[Code; N]> for Reason {
    fn from(codes: [Code; N]) -> Self {
        codes.map(Part::from).into()
    }
}

impl From<Part> for Reason {
    fn from(part: Part) -> Self {
        [part].into()
    }
}

impl From<Code> for Reason {
    fn from(code: Code) -> Self {
        Part::from(code).into()
    }
}

/// For tests whose subject is not the reason.
#[cfg(test)]
impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        Code::Text.with("text", text).into()
    }
}

impl Deref for Reason {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq<&str> for Reason {
    fn eq(&self, other: &&str) -> bool {
        self.text == *other
    }
}

/// The English text of `parts`. What is wrong, with its advice, is limited to [`MAX_REASON_LEN`]
/// characters, and the advice is not cut: the parts at the end without parameters, which have at most
/// half of the room. What the agent does about it always follows.
fn english(parts: &[Part]) -> String {
    let reactions = parts.iter().rposition(|part| !part.code.is_reaction()).map_or(0, |last| last + 1);
    let (wrong, reactions) = parts.split_at(reactions);
    let advice = wrong.iter().rposition(|part| !part.params.is_empty()).map_or(0, |last| last + 1);
    let (wrong, advice) = wrong.split_at(advice);
    let length = |parts: &[Part]| parts.iter().map(|part| part.text().chars().count() + 2).sum::<usize>();
    let hung: Vec<_> = reactions.iter().filter(|part| part.code == Code::WorkerHung).cloned().collect();
    let room = MAX_REASON_LEN.saturating_sub(length(advice).min(MAX_REASON_LEN / 2) + length(&hung));
    let wrong = joined(wrong.iter().map(Part::text), "; ");
    let wrong = shortened(&reason(&wrong), room).into_owned();
    let advice = reason(&joined(advice.iter().map(Part::text), "; "));
    joined([wrong, advice].into_iter().chain(reactions.iter().map(Part::text)), "; ")
}

/// `texts` in one line: a colon at the end of one introduces the next, else `separator` is between
/// them.
pub fn joined(texts: impl IntoIterator<Item = String>, separator: &str) -> String {
    let mut all = String::new();
    for text in texts.into_iter().filter(|text| !text.is_empty()) {
        if all.ends_with(':') {
            all.push(' ');
        } else if !all.is_empty() && !all.ends_with('：') {
            all.push_str(separator);
        }
        all.push_str(&text);
    }
    all
}

/// `template` with its placeholders filled in: `{name}`, or `{name:.1}` for a number with one
/// decimal. A part in square brackets that holds a placeholder is left out if there is no value.
pub fn fill<'a>(template: &str, value: impl Fn(&str) -> Option<&'a Value> + Copy) -> String {
    let Some(at) = template.find(['[', '{']) else { return template.to_owned() };
    let (before, rest) = template.split_at(at);
    let is_bracket = rest.starts_with('[');
    let Some(end) = rest.find(if is_bracket { ']' } else { '}' }) else { return template.to_owned() };
    let (inner, after) = (&rest[1..end], &rest[end + 1..]);
    let middle = if !is_bracket {
        let (name, digits) = inner.split_once(":.").unwrap_or((inner, ""));
        match (value(name), digits.parse::<usize>()) {
            (Some(Value::Text(text)), _) => text.clone(),
            (Some(Value::Number(number)), Ok(digits)) => format!("{number:.digits$}"),
            (Some(Value::Number(number)), Err(_)) => number.to_string(),
            (None, _) => "?".to_owned(),
        }
    } else if placeholders(inner).next().is_none() {
        format!("[{inner}]")
    } else if placeholders(inner).all(|name| value(name).is_some()) {
        fill(inner, value)
    } else {
        String::new()
    };
    format!("{before}{middle}{}", fill(after, value))
}

/// The names of the placeholders of `template`.
pub fn placeholders(template: &str) -> impl Iterator<Item = &str> {
    let name = |piece| Some(str::split_once(piece, '}')?.0.split(':').next().unwrap_or_default());
    template.split('{').skip(1).filter_map(name)
}

#[cfg(test)]
mod tests {
    use super::{super::escaped, *};

    #[test]
    fn text_is_made_of_the_parts() {
        let cut_off = Code::CannotConnect.with("host", "10.0.0.1:554").with("error", "no route to host");
        let reason = Reason::from([Code::StreamEndedBecause.into(), cut_off])
            .and(Code::Retry.with("seconds", 4.4).with("attempt", 3_u32));
        assert_eq!(
            reason,
            "the stream ended: cannot connect to 10.0.0.1:554: no route to host; trying again in 4 s (attempt 3)"
        );
        assert_eq!(Reason::default(), "");
        assert!(Reason::default().parts().is_empty());
    }

    #[test]
    fn every_code_is_documented_with_its_text() {
        let documented: Vec<_> = include_str!("../../docs/api.md")
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "))
            .filter(|(word, _)| Code::from_word(word).is_some())
            .collect();
        let known: Vec<_> = Code::ALL.iter().map(|code| (code.word(), code.english())).collect();
        assert_eq!(documented, known);
    }

    #[test]
    fn brackets_are_left_out_without_a_value() {
        assert_eq!(Reason::from(Code::WorkerStart), "cannot start a worker");
        assert_eq!(Code::WorkerStart.with("error", "no room").text(), "cannot start a worker: no room");
        let bounds = Code::SeeTotalMemory;
        assert_eq!(Reason::from(bounds), "see total_memory below [limits]");
    }

    #[test]
    fn quotation_marks_cannot_be_closed_by_a_name() {
        let part = Code::NoSuchProfile.with("device", "10.0.0.1:80").quoted("profile", "a\"; \u{1b}b");
        assert_eq!(part.text(), "10.0.0.1:80 has no media profile \"a\\\"; \\u{1b}b\"");
    }

    #[test]
    fn long_reason_is_cut_and_its_reaction_is_not() {
        let long = Reason::from(Code::Text.with("text", "x".repeat(1 << 20)));
        assert_eq!(long.chars().count(), MAX_REASON_LEN);
        let hung = long.clone().and(Code::WorkerHung);
        assert_eq!(hung.chars().count(), MAX_REASON_LEN);
        assert!(hung.ends_with("…; its worker hung and was killed"), "{hung}");
        let reason = long.and(Code::RetryAtOnce);
        assert!(reason.ends_with("…; beginning again at once"), "{reason}");
        let many = (0..99).fold(Reason::default(), |reason, _| reason.and(Code::CameraEnded));
        assert_eq!(many.parts().len(), MAX_PARTS);
    }

    #[test]
    fn reason_crosses_the_pipe_and_an_unknown_one_does_not() {
        let reason = Reason::from([
            Code::NoFrame.with("seconds", 0.1),
            Code::Text.with("text", "a=b#c\td\ne; 門"),
            Code::CameraEnded.into(),
        ]);
        assert_eq!(Reason::decode(&reason.encode()), Some(reason));
        assert_eq!(Reason::decode(""), Some(Reason::default()));
        for wrong in [
            "nonsense",
            "no_frame\tx=1",
            "no_frame\tseconds#NaN",
            "no_frame\tseconds",
            "\t",
            "no_frame\n\n",
            "retry_at_once",
        ] {
            assert_eq!(Reason::decode(wrong), None, "{wrong:?}");
        }
        let raw = Reason::decode("text\ttext=\u{1b}[2J").unwrap();
        assert_eq!(raw, "\\u{1b}[2J");
        assert!(escaped(&raw) == *raw);
    }
}
