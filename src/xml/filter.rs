//! Drops the unused parts of a long message while it arrives.
//!
//! A recorder of 64 channels answers GetProfiles with 2 MB, of which 200 kB matter: the rest
//! describes audio, analytics and PTZ. The filter works on pieces of any length, keeps at most one
//! unfinished tag, and passes everything outside the outlined elements unchanged. So its output
//! reads the same as the whole message. It filters only encodings in which `<` and `>` are single
//! bytes.

/// Maximum length of a tag, in bytes; a longer one is passed on unchanged. The longest recorded
/// one, an envelope that declares every namespace of the standard, has 4 kB.
const MAX_TAG_LEN: usize = 16 << 10;

/// Which elements of a message are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Local name of the elements whose content is filtered.
    pub within: &'static str,
    /// Local names of the elements that are kept there, at any depth. Everything inside other
    /// elements is dropped, including elements with these names.
    pub keep: &'static [&'static str],
}

/// Filters one message by an [`Outline`].
#[derive(Debug)]
pub struct Filter {
    outline: Outline,
    /// Bytes of a tag that has not ended yet.
    pending: Vec<u8>,
    /// Number of open elements from the outlined one on, itself included; 0 outside.
    depth: usize,
    /// Number of open elements from the dropped one on, itself included; 0 if nothing is being
    /// dropped.
    dropped: usize,
    /// Only white space has followed the last tag.
    after_tag: bool,
}

impl Filter {
    pub fn new(outline: Outline) -> Self {
        Self { outline, pending: Vec::new(), depth: 0, dropped: 0, after_tag: false }
    }

    /// Takes the next piece and appends the parts of it that are kept to `kept`.
    pub fn feed(&mut self, piece: &[u8], kept: &mut Vec<u8>) {
        self.pending.extend_from_slice(piece);
        let pending = std::mem::take(&mut self.pending);
        let mut rest = pending.as_slice();
        while !rest.is_empty() {
            let text = rest.iter().position(|byte| *byte == b'<').unwrap_or(rest.len());
            self.text(&rest[..text], kept);
            rest = &rest[text..];
            match tag_len(rest) {
                Some(length) => {
                    self.tag(&rest[..length], kept);
                    rest = &rest[length..];
                }
                // No tag is that long: it is text with a stray `<`.
                None if rest.len() > MAX_TAG_LEN => {
                    self.text(rest, kept);
                    rest = &[];
                }
                None => break,
            }
        }
        self.pending = rest.to_vec();
    }

    /// Whether the message, if it ended here, would end within a tag.
    pub fn is_inside_tag(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Appends what is left at the end of the message.
    pub fn finish(&mut self, kept: &mut Vec<u8>) {
        let pending = std::mem::take(&mut self.pending);
        self.text(&pending, kept);
    }

    fn text(&mut self, text: &[u8], kept: &mut Vec<u8>) {
        if self.dropped > 0 {
            return;
        }
        // Indentation is not text; readers trim what stands after a tag.
        let text = if self.depth > 0 && self.after_tag { text.trim_ascii_start() } else { text };
        self.after_tag &= text.is_empty();
        kept.extend_from_slice(text);
    }

    fn tag(&mut self, tag: &[u8], kept: &mut Vec<u8>) {
        let is_element = tag.get(1).is_some_and(|byte| !matches!(byte, b'!' | b'?'));
        if !is_element {
            // Character data is text; comments and instructions are never read.
            return self.text(tag, kept);
        }
        self.after_tag = true;
        let (is_end, is_empty) = (tag[1] == b'/', tag.ends_with(b"/>"));
        if self.depth == 0 {
            kept.extend_from_slice(tag);
            self.depth = usize::from(!is_end && !is_empty && local_name(tag) == self.outline.within.as_bytes());
            return;
        }
        if is_end {
            self.depth -= 1;
            if self.dropped > 0 {
                self.dropped -= 1;
            } else {
                kept.extend_from_slice(tag);
            }
            return;
        }
        let is_kept = self.dropped == 0 && self.outline.keep.iter().any(|name| name.as_bytes() == local_name(tag));
        if is_kept {
            kept.extend_from_slice(tag);
        }
        if !is_empty {
            self.depth += 1;
            self.dropped += usize::from(!is_kept);
        }
    }
}

/// The length of the tag, comment, instruction or piece of character data at the start of `text`,
/// which begins with `<`; `None` until its end has arrived.
fn tag_len(text: &[u8]) -> Option<usize> {
    let after = |end: &[u8]| text.windows(end.len()).position(|window| window == end).map(|at| at + end.len());
    for (begin, end) in [(b"<!--".as_slice(), b"-->".as_slice()), (b"<![CDATA[", b"]]>"), (b"<?", b"?>")] {
        if text.starts_with(begin) {
            return after(end);
        }
        // Only later bytes show which of them it is.
        if begin.starts_with(text) {
            return None;
        }
    }
    let mut quote = None;
    for (at, byte) in text.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') => quote = Some(*byte),
            (Some(open), byte) if open == *byte => quote = None,
            _ => {}
        }
    }
    None
}

/// The name of a start tag after its prefix.
fn local_name(tag: &[u8]) -> &[u8] {
    let name = tag[1..].split(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/')).next().unwrap_or(&[]);
    name.rsplit(|byte| *byte == b':').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTLINE: Outline = Outline { within: "P", keep: &["a", "b"] };

    fn filtered(text: &str, step: usize) -> String {
        let (mut filter, mut kept) = (Filter::new(OUTLINE), Vec::new());
        for piece in text.as_bytes().chunks(step) {
            filter.feed(piece, &mut kept);
        }
        filter.finish(&mut kept);
        String::from_utf8(kept).unwrap()
    }

    fn check(text: &str, expected: &str) {
        for step in [1, 2, 3, 7, text.len().max(1)] {
            assert_eq!(filtered(text, step), expected, "in steps of {step}: {text}");
        }
    }

    #[test]
    fn outside_the_outlined_elements_everything_stays() {
        for text in
            ["", "no xml < at all", "<?xml?>\n<r> <x>1</x><!-- c --></r> ", "<x a='P>'/>", "<r", "<![CDATA[<P>]]>"]
        {
            check(text, text);
        }
    }

    #[test]
    fn inside_only_the_named_elements_stay() {
        check(
            "<r><n:P t='>'>\n <n:a x='1'>1 &amp; 2</n:a>\n <c><a>no</a><c/></c><b/><d/></n:P><c>yes</c><P><c>no</c></P></r>",
            "<r><n:P t='>'><n:a x='1'>1 &amp; 2</n:a><b/></n:P><c>yes</c><P></P></r>",
        );
        check("<P><a><![CDATA[</a><c>]]></a><c><![CDATA[</c>]]></c></P>", "<P><a><![CDATA[</a><c>]]></a></P>");
    }

    #[test]
    fn message_that_ends_early_keeps_what_came() {
        check("<P><a>1</a><c><a>", "<P><a>1</a>");
        check("<P><a>1</a><b x='", "<P><a>1</a><b x='");
    }

    #[test]
    fn end_tags_without_a_beginning_do_no_harm() {
        check("</x></x><P></P></P><c/>", "</x></x><P></P></P><c/>");
    }

    #[test]
    fn tag_without_an_end_is_not_kept_back_for_ever() {
        let endless = format!("<P><a x='{}", "y".repeat(2 * MAX_TAG_LEN));
        assert_eq!(filtered(&endless, 1 << 10), endless);
        let (mut filter, mut kept) = (Filter::new(OUTLINE), Vec::new());
        for piece in endless.as_bytes().chunks(1 << 10) {
            filter.feed(piece, &mut kept);
            assert!(filter.pending.len() <= MAX_TAG_LEN + (1 << 10));
        }
    }
}
