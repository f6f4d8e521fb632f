//! Numbers as they are written in the file.

use toml::de::{DeInteger, DeValue};

/// The value of an integer of the file; `None` if it is too large.
pub(super) fn whole_number(integer: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A number of the file in decimal notation; `None` if the value is none.
pub(super) fn written_number(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::Float(float) => Some(float.as_str().to_owned()),
        DeValue::Integer(integer) => {
            Some(whole_number(integer).map_or_else(|| integer.to_string(), |number| number.to_string()))
        }
        _ => None,
    }
}
