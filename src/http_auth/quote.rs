//! A device's words in our messages.

use crate::{camera::mask_credentials, text::is_hidden};

/// Maximum length of a camera's text that is quoted in our messages, in characters.
const MAX_QUOTE_LEN: usize = 160;

/// Makes a camera's `text` fit for one line of a message: shortened,
/// without hidden characters, masked.
pub fn quotable(text: &str) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || is_hidden(c)).filter(|w| !w.is_empty()).collect();
    mask_credentials(&words.join(" ")).chars().take(MAX_QUOTE_LEN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_camera_are_bounded_and_masked() {
        let quoted = quotable(&format!("a\r\nb\u{7}\u{202e} password=x1 {}", "y".repeat(500)));
        assert!(quoted.starts_with("a b password=*** y") && quoted.len() <= MAX_QUOTE_LEN, "{quoted}");
    }
}
