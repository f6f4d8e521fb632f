//! Rust source as tokens, without comments, literals and test modules.
//!
//! This is not a parser: macros are tokenised like any other code, as a check of imports needs.

/// One word or punctuation mark (`::` counts as one), with its line, from 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// The tokens of a file outside comments, literals and `#[cfg(test)]` items.
pub struct Source {
    pub tokens: Vec<Token>,
    /// Lines of the file outside `#[cfg(test)]` items.
    pub lines: usize,
}

impl Source {
    pub fn read(text: &str) -> Self {
        let mut tokens = tokens(text);
        let mut lines = text.lines().count();
        while let Some((from, to)) = test_item(&tokens) {
            lines -= (tokens[to - 1].line - tokens[from].line + 1).min(lines);
            tokens.drain(from..to);
        }
        Self { tokens, lines }
    }
}

/// The start and end of the first item after `#[cfg(test)]`.
fn test_item(tokens: &[Token]) -> Option<(usize, usize)> {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let start = tokens.windows(ATTRIBUTE.len()).position(|w| w.iter().zip(ATTRIBUTE).all(|(t, a)| t.text == a))?;
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && token.text == "}" {
                    return Some((start, at + 1));
                }
            }
            ";" if depth == 0 => return Some((start, at + 1)),
            _ => {}
        }
    }
    Some((start, tokens.len()))
}

fn tokens(text: &str) -> Vec<Token> {
    let mut cursor = Cursor { rest: text, line: 1 };
    let mut tokens = Vec::new();
    while let Some(first) = cursor.rest.chars().next() {
        let line = cursor.line;
        if cursor.rest.starts_with("//") {
            cursor.skip(cursor.rest.find('\n').unwrap_or(cursor.rest.len()));
        } else if cursor.rest.starts_with("/*") {
            cursor.skip(comment_length(cursor.rest));
        } else if let Some(length) = literal_length(cursor.rest) {
            cursor.skip(length);
        } else if first.is_alphanumeric() || first == '_' {
            let end = cursor.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(cursor.rest.len());
            tokens.push(Token { text: cursor.skip(end).to_owned(), line });
        } else if first.is_whitespace() {
            cursor.skip(first.len_utf8());
        } else {
            let length = if cursor.rest.starts_with("::") { 2 } else { first.len_utf8() };
            tokens.push(Token { text: cursor.skip(length).to_owned(), line });
        }
    }
    tokens
}

struct Cursor<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Cursor<'a> {
    fn skip(&mut self, length: usize) -> &'a str {
        let (skipped, rest) = self.rest.split_at(length);
        self.line += skipped.matches('\n').count();
        self.rest = rest;
        skipped
    }
}

/// Block comments nest.
fn comment_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of the string, character or lifetime at the start of `text`.
fn literal_length(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""]
        .into_iter()
        .find(|prefix| text.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(['"', '#', '\''])))?;
    let body = &text[prefix.len()..];
    if prefix.ends_with('r') {
        let hashes = body.len() - body.trim_start_matches('#').len();
        if !body[hashes..].starts_with('"') {
            return None; // `r#name`, a raw identifier
        }
        let end = format!("\"{}", "#".repeat(hashes));
        let start = hashes + 1;
        let length = body[start..].find(&end).map_or(body.len(), |at| start + at + end.len());
        return Some(prefix.len() + length);
    }
    let quote = body.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    if quote == '\'' {
        let mut after = body[1..].chars();
        let (first, second) = (after.next()?, after.next());
        if first != '\\' && second != Some('\'') {
            // A lifetime: its name is not a path either.
            let name = body[1..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(body.len() - 1);
            return Some(prefix.len() + 1 + name);
        }
    }
    let mut escaped = false;
    for (at, c) in body.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(prefix.len() + at + 1),
            _ => {}
        }
    }
    Some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        Source::read(text).tokens.iter().map(|t| t.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_literals_are_no_code() {
        let text = r####"a /* crate::x /* b */ c */ "crate::\"y" r#"crate::"z"# b'"' '\'' &'static d // crate::w
            e"####;
        assert_eq!(words(text), "a & d e");
    }

    #[test]
    fn lines_are_counted_through_what_is_skipped() {
        let source = Source::read("/* 1\n2 */\n\"3\n4\" here\n");
        assert_eq!(source.tokens, [Token { text: "here".into(), line: 4 }]);
    }

    #[test]
    fn test_items_are_left_out_and_their_lines_not_counted() {
        let source = Source::read("fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() { c[0]; }\n}\nfn d() {}\n");
        assert_eq!(source.lines, 2);
        assert_eq!(words("#[cfg(test)]\nuse x;\n#[cfg(test)]\nconst A: [u8; 2] = [1, 2];\nfn d() {}"), "fn d ( ) { }");
    }
}
