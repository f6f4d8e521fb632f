//! Reads what cameras call XML into a small tree, by local names.
//!
//! Prefixes are dropped without being resolved: cameras use any prefix, leave prefixes undeclared,
//! and break namespace URIs over lines. The underlying reader reports neither a missing root nor an
//! end of file inside an element, so this module checks both.

pub mod filter;

use std::borrow::Cow;

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

/// Maximum depth of nested elements. ONVIF responses need about fifteen.
const MAX_DEPTH: usize = 64;

/// Maximum number of elements in one message. A recorder with 256 channels and two profiles each
/// sends about 30 000.
const MAX_ELEMENTS: usize = 65_536;

/// One element with its attributes, children and own text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Element {
    /// The name after the prefix.
    pub name: String,
    /// The prefix of the name; empty if there is none.
    pub prefix: String,
    /// Local name and value, with references resolved.
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Element>,
    /// All text directly inside, with references resolved once; not trimmed.
    content: String,
}

impl Element {
    /// The first child named `name`.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Every child named `name`, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The element reached by following first children along `names`.
    pub fn at(&self, names: &[&str]) -> Option<&Self> {
        names.iter().try_fold(self, |element, name| element.child(name))
    }

    /// The text of this element, without surrounding white space.
    pub fn text(&self) -> &str {
        self.content.trim()
    }

    /// The trimmed text at `names`; `None` if it is missing or empty.
    pub fn text_at(&self, names: &[&str]) -> Option<&str> {
        self.at(names).map(Self::text).filter(|text| !text.is_empty())
    }

    /// The value of attribute `name`, byte for byte.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(local, _)| local == name).map(|(_, value)| value.as_str())
    }
}

/// Why a message could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It contains no element.
    #[error("the answer holds no XML")]
    NoXml,
    /// A document type was declared, as in HTML pages and entity bombs; no camera needs one.
    #[error("the answer is a web page or declares a document type")]
    DocumentType,
    #[error("the XML is nested deeper than {MAX_DEPTH} elements")]
    TooDeep,
    #[error("the XML has more than {MAX_ELEMENTS} elements")]
    TooManyElements,
    /// The message ended inside an element.
    #[error("the XML ends in the middle")]
    CutShort,
    #[error("the XML is damaged")]
    Syntax(#[source] quick_xml::Error),
}

impl Error {
    /// Whether the message could be valid with more bytes.
    pub fn may_be_cut_short(&self) -> bool {
        matches!(self, Self::CutShort | Self::Syntax(quick_xml::Error::Syntax(_)))
    }
}

/// Reads the root element of `bytes`. Text before the first `<` and after the end of the root is
/// ignored. Bytes that are not UTF-8 only damage the characters for which they stood.
///
/// # Errors
/// If there is no root element or it cannot be read to its end.
pub fn read(bytes: &[u8]) -> Result<Element, Error> {
    let text = decode(bytes);
    let mut reader = Reader::from_str(text.get(text.find('<').ok_or(Error::NoXml)?..).unwrap_or(""));
    reader.config_mut().allow_dangling_amp = true;
    let mut open: Vec<Element> = Vec::new();
    let mut count = 0;
    loop {
        let finished = match reader.read_event().map_err(Error::Syntax)? {
            Event::Start(_) | Event::Empty(_) if open.len() >= MAX_DEPTH => return Err(Error::TooDeep),
            Event::Start(start) => {
                count += 1;
                open.push(element(&start));
                None
            }
            Event::Empty(start) => {
                count += 1;
                Some(element(&start))
            }
            Event::End(_) => open.pop(),
            Event::Text(text) => {
                add_text(&mut open, &text.into_inner());
                None
            }
            Event::CData(text) => {
                add_text(&mut open, &text.into_inner());
                None
            }
            Event::GeneralRef(reference) => {
                add_text(&mut open, &resolve(&reference.into_inner()));
                None
            }
            Event::DocType(_) => return Err(Error::DocumentType),
            Event::Eof => return Err(if count == 0 { Error::NoXml } else { Error::CutShort }),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => None,
        };
        if count > MAX_ELEMENTS {
            return Err(Error::TooManyElements);
        }
        if let Some(finished) = finished {
            match open.last_mut() {
                Some(parent) => parent.children.push(finished),
                None => return Ok(finished),
            }
        }
    }
}

/// `text` with the special characters of XML escaped, for element content and attributes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Decodes UTF-16, recognised by its byte order mark or by the encoding of `<`, and everything else
/// as UTF-8 with replacement characters.
fn decode(bytes: &[u8]) -> Cow<'_, str> {
    let from_utf16 = |unit: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        Cow::Owned(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
    };
    match bytes {
        [0xff, 0xfe, ..] | [b'<', 0, _, 0, ..] => from_utf16(u16::from_le_bytes),
        [0xfe, 0xff, ..] | [0, b'<', 0, _, ..] => from_utf16(u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes),
    }
}

fn element(start: &BytesStart<'_>) -> Element {
    let mut attributes = start.attributes();
    // A damaged or repeated attribute is dropped; the message stays readable.
    let attributes = attributes.with_checks(false).filter_map(Result::ok);
    Element {
        name: start.local_name().as_ref().to_owned(),
        prefix: start.name().prefix().map(|prefix| prefix.as_ref().to_owned()).unwrap_or_default(),
        attributes: attributes
            .map(|attribute| (attribute.key.local_name().as_ref().to_owned(), unescape(&attribute.value)))
            .collect(),
        ..Element::default()
    }
}

fn add_text(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.content.push_str(text);
    }
}

/// Resolves the references of an attribute value, once and leniently.
fn unescape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(start) = rest.find('&') {
        text.push_str(&rest[..start]);
        let after = &rest[start + 1..];
        match after.find([';', '&']) {
            Some(end) if after.as_bytes()[end] == b';' => {
                text.push_str(&resolve(&after[..end]));
                rest = &after[end + 1..];
            }
            _ => {
                text.push('&');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

/// The character for `&name;`. An unknown reference stays as it is, because cameras put a bare `&`
/// into addresses.
fn resolve(name: &str) -> Cow<'static, str> {
    let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    let character = match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => name.strip_prefix('#').and_then(|digits| match digits.strip_prefix(['x', 'X']) {
            Some(hexadecimal) => number(hexadecimal, 16),
            None => number(digits, 10),
        }),
    };
    match character {
        Some(character) => Cow::Owned(character.to_string()),
        None => Cow::Owned(format!("&{name};")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(xml: &str) -> String {
        read(xml.as_bytes()).unwrap().text().to_owned()
    }

    #[test]
    fn undeclared_prefixes_are_dropped() {
        let root = read(b"<q:a><z:b z:token='000'> 1 </z:b></q:a>").unwrap();
        assert_eq!(root.name, "a");
        assert_eq!(root.text_at(&["b"]), Some("1"));
        assert_eq!(root.child("b").unwrap().attribute("token"), Some("000"));
    }

    #[test]
    fn references_are_resolved_exactly_once() {
        assert_eq!(text_of("<a>x&amp;amp;&#38;&#x26;&lt;&quot;&apos;&gt;</a>"), "x&amp;&&<\"'>");
        let root = read(b"<a b='1&amp;amp;2&#x26;3'/>").unwrap();
        assert_eq!(root.attribute("b"), Some("1&amp;2&3"));
    }

    #[test]
    fn bare_ampersands_are_kept_as_they_are() {
        assert_eq!(text_of("<a>rtsp://h/?a=1&b=2&c=3</a>"), "rtsp://h/?a=1&b=2&c=3");
        assert_eq!(text_of("<a>rtsp://h/?a=1&b=2;c&amp;d</a>"), "rtsp://h/?a=1&b=2;c&d");
        assert_eq!(read(b"<a b='1&2&x;&'/>").unwrap().attribute("b"), Some("1&2&x;&"));
    }

    #[test]
    fn character_data_is_taken_literally() {
        assert_eq!(text_of("<a> <![CDATA[x&amp;<y>]]></a>"), "x&amp;<y>");
    }

    #[test]
    fn rubbish_around_the_root_is_ignored() {
        assert_eq!(text_of("\0\0\u{feff}junk <?xml version=\u{201d}1.0\u{201d}?><a>1</a>\0 trailing <b>"), "1");
    }

    #[test]
    fn broken_letters_cost_only_themselves() {
        let mut bytes = b"<a><Name>".to_vec();
        bytes.extend([0xb4, 0xf3, 0xc3, 0xc5]);
        bytes.extend(b"</Name><Token>main</Token></a>");
        assert_eq!(read(&bytes).unwrap().text_at(&["Token"]), Some("main"));
    }

    #[test]
    fn utf_16_is_known_by_its_byte_order_mark_or_its_first_letter() {
        for text in ["\u{feff}<a>\u{9580}</a>", "<a>\u{9580}</a>"] {
            let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            assert_eq!(read(&little).unwrap().text(), "\u{9580}");
            assert_eq!(read(&big).unwrap().text(), "\u{9580}");
            assert!(read(&little[..little.len() - 1]).is_err());
        }
    }

    #[test]
    fn damaged_attributes_cost_only_themselves() {
        let root = read(b"<a x mlns:q=\"u\" token=\"t\"><b/></a>").unwrap();
        assert_eq!(root.attribute("token"), Some("t"));
        assert_eq!(root.children.len(), 1);
    }

    #[test]
    fn what_is_not_xml_is_refused() {
        assert!(matches!(read(b"lollipop"), Err(Error::NoXml)));
        assert!(matches!(read(b""), Err(Error::NoXml)));
        assert!(matches!(read(b"<?xml version='1.0'?>"), Err(Error::NoXml)));
    }

    #[test]
    fn document_types_are_refused_before_they_can_define_anything() {
        let bomb = b"<!DOCTYPE a [<!ENTITY b \"bbb\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>";
        assert!(matches!(read(bomb), Err(Error::DocumentType)));
    }

    #[test]
    fn a_message_cut_at_any_byte_is_an_error_and_never_a_panic() {
        let whole = b"<?xml version='1.0'?><s:a x='1&amp;2'><!-- c --><b>&lt;</b><![CDATA[x]]></s:a>";
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "cut at {end}");
        }
        assert!(read(whole).is_ok());
    }

    #[test]
    fn depth_and_number_of_elements_are_bounded() {
        let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(read(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(matches!(read(nested(MAX_DEPTH + 1).as_bytes()), Err(Error::TooDeep)));
        let empty_below = nested(MAX_DEPTH).replacen("</a>", "<b/></a>", 1);
        assert!(matches!(read(empty_below.as_bytes()), Err(Error::TooDeep)));
        let many = format!("<a>{}</a>", "<b/>".repeat(MAX_ELEMENTS));
        assert!(matches!(read(many.as_bytes()), Err(Error::TooManyElements)));
    }

    #[test]
    fn escaped_text_reads_back_unchanged() {
        let odd = "a<b>&\"'&amp;\u{e9}";
        assert_eq!(text_of(&format!("<a>{}</a>", escape(odd))), odd);
    }
}
