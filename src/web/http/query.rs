//! `?size=WxH&q=N&fps=N`, as far as a path uses them.

use http_types::Url;

use crate::media::{MAX_SIDE, RenditionRequest, Size};

/// The width or height in pixels that a viewer may request. Smaller pictures are not recognisable,
/// and no camera has larger ones.
pub const SIDES: std::ops::RangeInclusive<u32> = 16..=MAX_SIDE;

/// Maximum characters of the name of a viewer.
const MAX_VIEWER_LEN: usize = 64;

/// The rendition request in a viewer's URL. Unknown parameters are ignored: pages add their own,
/// for instance to bypass caches.
///
/// # Errors
/// The mistake and the correct form, for the person who typed it.
pub fn rendition_request(url: &Url) -> Result<RenditionRequest, String> {
    let mut rendition_request = RenditionRequest { size: None, quality: None, fps: None };
    for (name, value) in url.query_pairs() {
        match &*name {
            "size" => rendition_request.size = Some(size(&value)?),
            "q" => rendition_request.quality = Some(number("q", &value, 100)?),
            "fps" => rendition_request.fps = Some(number("fps", &value, 60)?),
            _ => {}
        }
    }
    Ok(rendition_request)
}

/// The name that a page gave its stream with `viewer=…`, to find it again in `/api/cameras`; `None`
/// if there is no valid name.
pub fn viewer(url: &Url) -> Option<String> {
    let (_, value) = url.query_pairs().find(|(name, _)| name == "viewer")?;
    let fit = (1..=MAX_VIEWER_LEN).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    fit.then(|| value.into_owned())
}

fn size(text: &str) -> Result<Size, String> {
    let side = |text: &str| digits(text).filter(|side| SIDES.contains(side));
    let sides = text.split_once(['x', 'X']).and_then(|(width, height)| Some((side(width)?, side(height)?)));
    let (width, height) = sides.ok_or_else(|| {
        format!("size {text:?} is not a size; write it like 640x360, {} to {} each way", SIDES.start(), SIDES.end())
    })?;
    Ok(Size { width, height })
}

fn number(name: &str, text: &str, most: u8) -> Result<u8, String> {
    let value = digits(text).and_then(|value| u8::try_from(value).ok());
    value
        .filter(|value| (1..=most).contains(value))
        .ok_or_else(|| format!("{name} {text:?} is not right; it must be a whole number from 1 to {most}"))
}

/// Digits only: `parse` alone would accept `+5`, which a query decodes from ` 5` and the like.
fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<RenditionRequest, String> {
        rendition_request(&Url::parse(&format!("http://x/live/gate?{query}")).unwrap())
    }

    #[test]
    fn wish_is_read_and_unknown_names_are_left_alone() {
        let rendition_request = parse("size=640x360&q=50&fps=12&t=123").unwrap();
        assert_eq!(
            rendition_request,
            RenditionRequest { size: Some(Size { width: 640, height: 360 }), quality: Some(50), fps: Some(12) }
        );
        assert_eq!(parse("").unwrap(), RenditionRequest { size: None, quality: None, fps: None });
    }

    #[test]
    fn viewer_has_a_plain_name_or_none() {
        let viewer = |query: &str| viewer(&Url::parse(&format!("http://x/live/gate?{query}")).unwrap());
        assert_eq!(viewer("size=640x360&viewer=a-1_B"), Some("a-1_B".to_owned()));
        for query in ["", "viewer=", "viewer=%3Cb%3E", &format!("viewer={}", "x".repeat(65))] {
            assert_eq!(viewer(query), None, "{query}");
        }
    }

    #[test]
    fn wrong_values_are_told_with_what_would_be_right() {
        for (query, hint) in [
            ("size=640", "640x360"),
            ("size=15x16", "16 to 7680"),
            ("size=16x7681", "16 to 7680"),
            ("size=-640x360", "640x360"),
            ("size=640x360x2", "640x360"),
            ("size=99999999999x1", "640x360"),
            ("q=0", "1 to 100"),
            ("q=101", "1 to 100"),
            ("q=+5", "1 to 100"),
            ("q=", "1 to 100"),
            ("fps=61", "1 to 60"),
            ("fps=1.5", "1 to 60"),
        ] {
            let error = parse(query).unwrap_err();
            assert!(error.contains(hint), "{query}: {error}");
        }
    }
}
