//! How complaints name and quote what stands in a file.

use toml::de::DeValue;

/// Names the type of a value in plain words.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(true) => "true",
        DeValue::Boolean(false) => "false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}

/// Whether a complaint may quote `text`: it must not hold a login and must not break the line.
pub(super) fn is_quotable(text: &str) -> bool {
    !text.contains(['@', '=']) && text.chars().count() <= 80 && !text.chars().any(char::is_control)
}

/// Returns a space and the quoted text, or nothing if a complaint must not quote it.
pub(super) fn quoted(text: &str) -> String {
    if is_quotable(text) { format!(" {text:?}") } else { String::new() }
}
