//! A strict parser of Prometheus' text format, version 0.0.4: it accepts what Prometheus accepts,
//! and rejects what Prometheus' checker warns about.

use std::collections::{BTreeMap, BTreeSet};

type Labels = BTreeMap<String, String>;

/// A valid page of metrics.
pub struct Page {
    samples: BTreeMap<(String, Labels), f64>,
}

impl Page {
    /// # Errors
    /// The invalid line and the reason.
    pub fn read(text: &str) -> Result<Self, String> {
        if !text.ends_with('\n') || text.contains('\r') {
            return Err("lines must end with a line feed alone".into());
        }
        let mut page = Self { samples: BTreeMap::new() };
        let mut families = BTreeSet::new();
        let mut family: Option<(String, Option<String>)> = None;
        for line in text.lines() {
            let wrong = |why: &str| Err(format!("{why}: {line:?}"));
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let Some((name, help)) = rest.split_once(' ') else { return wrong("no help") };
                if !is_name(name) || help.trim().is_empty() || !families.insert(name.to_owned()) {
                    return wrong("a bad or second head of a family");
                }
                family = Some((name.to_owned(), None));
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                match (rest.split_once(' '), &mut family) {
                    (Some((name, kind @ ("counter" | "gauge"))), Some((of, known @ None))) if name == of => {
                        if (kind == "counter") != name.ends_with("_total") {
                            return wrong("counters, and only they, end with _total");
                        }
                        *known = Some(kind.to_owned());
                    }
                    _ => return wrong("a type without its help, or an unknown one"),
                }
            } else {
                let Some((of, Some(kind))) = &family else { return wrong("a sample before its head") };
                let Some((name, labels, value)) = sample(line) else { return wrong("no sample") };
                if name != *of || (kind == "counter" && value < 0.0) || !value.is_finite() {
                    return wrong("a sample that does not belong here");
                }
                if page.samples.insert((name, labels), value).is_some() {
                    return wrong("a series twice");
                }
            }
        }
        Ok(page)
    }

    /// # Panics
    /// If there is no such series.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels: Labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let key = (name.to_owned(), labels);
        *self.samples.get(&key).unwrap_or_else(|| panic!("no series {key:?}"))
    }
}

fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(plain)
}

/// Parses `name{label="value",...} 1.5`, without unnecessary blanks.
fn sample(line: &str) -> Option<(String, Labels, f64)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, behind) = rest.split_once("=\"")?;
            let (value, behind) = quoted(behind)?;
            if !is_name(label) || labels.insert(label.to_owned(), value).is_some() {
                return None;
            }
            rest = behind;
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}')?;
    }
    let value = rest.strip_prefix(' ')?;
    let plain = !value.is_empty() && value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e'));
    Some((name.to_owned(), labels, value.parse().ok().filter(|_| plain && is_name(name))?))
}

/// The text up to the closing quotation mark, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                plain @ ('\\' | '"') => plain,
                _ => return None,
            }),
            plain => value.push(plain),
        }
    }
    None
}

#[test]
fn reader_takes_what_is_right_and_nothing_else() {
    let head = "# HELP a_total Some.\n# TYPE a_total counter\n";
    let page = Page::read(&format!("{head}a_total{{x=\"1\\\"\\n\",y=\"\"}} 3\na_total 0.5\n")).unwrap();
    assert_eq!(page.value("a_total", &[("x", "1\"\n"), ("y", "")]), 3.0);
    for wrong in [
        "a_total 1",
        "a_total -1\n",
        "a_total NaN\n",
        "a_total  1\n",
        "a_total 1\na_total 1\n",
        "b 1\n",
        "a_total{x=\"1} 1\n",
        "a_total{x=1} 1\n",
        "a_total{x=\"1\",x=\"2\"} 1\n",
        "a_total{x=\"\\t\"} 1\n",
        "a_total{1=\"1\"} 1\n",
        "# TYPE a_total counter\n",
        "# HELP a_total Twice.\n",
        "# HELP b Some.\nb 1\n",
        "# HELP b Some.\n# TYPE b counter\nb 1\n",
        "# HELP b Some.\n# TYPE b histogram\nb 1\n",
        "\n",
    ] {
        assert!(Page::read(&format!("{head}{wrong}")).is_err(), "{wrong:?}");
    }
    assert!(Page::read("a 1\n").is_err());
}
