//! The sentence why a camera is not live, made from the codes of `/api/cameras` in the language of
//! the terminal.

use std::env;

use serde_json::{Map, Value};

use crate::text::reasons::{self, Code, fill, joined};

/// The texts of each language beside English, which the page uses too.
const LANGUAGES: [(&str, &str); 1] = [("zh-TW", include_str!("../../www/reasons/zh-TW.json"))];

/// The texts of one language.
#[derive(Default)]
pub struct ReasonTexts {
    /// By code; empty for English, which [`Code`] has.
    table: Map<String, Value>,
}

impl ReasonTexts {
    /// Of the locale's language, as setlocale(3) finds it for messages.
    pub fn of_terminal() -> Self {
        let set = |name| env::var(name).ok().filter(|locale| !locale.is_empty());
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set);
        Self::of_locale(&locale.unwrap_or_default())
    }

    /// As on the page, all kinds of Chinese get Traditional Chinese.
    fn of_locale(locale: &str) -> Self {
        let language = if locale.starts_with("zh_") { "zh-TW" } else { "en" };
        let file = LANGUAGES.iter().find(|(name, _)| *name == language).map(|(_, file)| file);
        Self { table: file.and_then(|file| serde_json::from_str(file).ok()).unwrap_or_default() }
    }

    /// The sentence for the parts in `reason`; `why` if the agent gave none.
    pub fn sentence(&self, reason: &Value, why: &str) -> String {
        let parts = reason.as_array().filter(|parts| !parts.is_empty());
        let separator = if self.table.is_empty() { "; " } else { "；" };
        parts.map_or_else(|| why.to_owned(), |parts| joined(parts.iter().map(|part| self.part(part)), separator))
    }

    fn part(&self, part: &Value) -> String {
        let word = part["code"].as_str().unwrap_or_default();
        let translated = self.table.get(word).and_then(Value::as_str);
        let Some(template) = translated.or_else(|| Code::from_word(word).map(Code::english)) else {
            return part["text"].as_str().unwrap_or_default().to_owned();
        };
        let value = |value: &Value| match value {
            Value::Number(number) => reasons::Value::Number(number.as_f64().unwrap_or_default()),
            other => other.as_str().unwrap_or_default().into(),
        };
        let params: Vec<_> = part["params"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, param)| (name.as_str(), value(param)))
            .collect();
        fill(template, |name| params.iter().find(|(known, _)| *known == name).map(|(_, value)| value))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::text::reasons::placeholders;

    #[test]
    fn every_code_has_a_text_in_every_language_and_no_other_has() {
        for (language, file) in LANGUAGES {
            let table: Map<String, Value> = serde_json::from_str(file).unwrap();
            let known: BTreeSet<&str> = Code::ALL.iter().map(|code| code.word()).collect();
            assert_eq!(known, table.keys().map(String::as_str).collect(), "{language}");
            for code in Code::ALL {
                let names: BTreeSet<&str> = placeholders(code.english()).collect();
                let text = table[code.word()].as_str().unwrap();
                let used: BTreeSet<&str> = placeholders(text).collect();
                assert!(!text.is_empty() && used.is_subset(&names), "{language}: {text}");
            }
        }
    }

    #[test]
    fn every_file_of_texts_is_known_here() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/www/reasons");
        let files: BTreeSet<_> =
            std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(files, LANGUAGES.iter().map(|(name, _)| format!("{name}.json")).collect());
    }

    #[test]
    fn sentence_is_made_from_codes_in_the_language_of_the_locale() {
        let reason = json!([
            { "code": "stream_ended_because", "params": {}, "text": "the stream ended:" },
            { "code": "cannot_connect", "params": { "host": "10.0.0.1:554", "error": "connection refused" }, "text": "" },
            { "code": "of_a_newer_agent", "params": { "x": 1 }, "text": "something new" },
            { "code": "retry", "params": { "seconds": 4.237, "attempt": 3 }, "text": "" },
        ]);
        for (locale, expected) in [
            (
                "C.UTF-8",
                "the stream ended: cannot connect to 10.0.0.1:554: connection refused; something new; trying again in 4 s \
                 (attempt 3)",
            ),
            (
                "zh_TW.UTF-8",
                "串流中斷：無法連線到 10.0.0.1:554（connection refused）；something new；4 秒後再試（第 3 次）",
            ),
        ] {
            let texts = ReasonTexts::of_locale(locale);
            assert_eq!(texts.sentence(&reason, "why"), expected);
            assert_eq!(texts.sentence(&Value::Null, "of an older agent"), "of an older agent");
            assert_eq!(texts.sentence(&json!([]), ""), "");
        }
    }
}
