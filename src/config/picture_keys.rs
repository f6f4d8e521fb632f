//! The keys that say how a camera's picture is shown: its shape, the part that is seen, and which way
//! up.

use toml::de::DeValue;

use super::{
    key::{Key, Row, Unset, key, rows},
    number::{whole_number, written_number},
    parsed::Parsed,
};
use crate::{
    camera::picture_options::{Aspect, Mirror},
    media::transform::Crop,
};

/// The widest and the highest shape, as width to height.
const MAX_ASPECT: f64 = 5.0;
const MIN_ASPECT: f64 = 0.2;

rows! {
    /// They stand where the other keys of a camera's streams may stand.
    PICTURE_ROWS:
    ASPECT: Key<Parsed<Aspect>, Unset> = key(
        "aspect",
        Parsed {
            right: "width to height, \"main\" or \"stream\"",
            example: "\"16:9\"",
            parse: aspect,
        },
        Unset("`\"main\"`"),
        "The shape of the camera's whole picture, for cameras and recorders that do not say that their samples are not \
         square. `\"main\"`: the shape that the main stream says, also for the small one. `\"stream\"`: each of the two has \
         the shape that it says itself, because the small one shows only a part.",
    )
    .aliases(&["aspect_ratio", "ratio"]);
    CROP: Key<Parsed<[u16; 4]>, Unset> = key(
        "crop",
        Parsed {
            right: "four numbers in percent, for left, top, right and bottom, which leave a tenth of each side",
            example: "[0, 12.5, 0, 0]",
            parse: crop,
        },
        Unset("`[0, 0, 0, 0]`"),
        "How much is cut off at the left, top, right and bottom edge of the picture as the camera sends it, in percent \
         of its width or height. It hides nothing from those who watch: browsers that decode the camera's own video are \
         sent all of it, unless `passthrough` is `false`.",
    );
    MIRROR: Key<Parsed<Mirror>, Unset> = key(
        "mirror",
        Parsed {
            right: "true, false, \"horizontal\" or \"vertical\"",
            example: "\"vertical\"",
            parse: mirror,
        },
        Unset("`false`"),
        "`true` or `\"horizontal\"`: left and right change places, after the cut. `\"vertical\"`: top and bottom do.",
    )
    .aliases(&["flip"]);
    ROTATE: Key<Parsed<u8>, Unset> = key(
        "rotate",
        Parsed { right: "0, 90, 180 or 270", example: "90", parse: quarter_turns },
        Unset("`0`"),
        "By how many degrees the picture is turned clockwise, after it was cut and mirrored. A picture of a JPEG camera \
         that is cut, mirrored or turned is decoded and encoded again.",
    )
    .aliases(&["rotation"]);
}

fn aspect(value: &DeValue<'_>) -> Option<Aspect> {
    let text = value.as_str()?;
    match text {
        "main" => return Some(Aspect::Main),
        "stream" => return Some(Aspect::Stream),
        _ => {}
    }
    let (width, height) = text.split_once([':', '/'])?;
    let side = |text: &str| text.trim().parse::<f64>().ok().filter(|side| (0.1..=10_000.0).contains(side));
    let (width, height) = (side(width)?, side(height)?);
    if !(MIN_ASPECT..=MAX_ASPECT).contains(&(width / height)) {
        return None;
    }
    // Such as 2.35:1.
    let factor = if width.fract() == 0.0 && height.fract() == 0.0 { 1.0 } else { 6000.0 / width.max(height) };
    let whole = |side: f64| (side * factor).round() as u16;
    Some(Aspect::Ratio(whole(width), whole(height)))
}

fn crop(value: &DeValue<'_>) -> Option<[u16; 4]> {
    let edges: Vec<u16> = value.as_array()?.iter().map(|edge| permille(edge.get_ref())).collect::<Option<_>>()?;
    let edges: [u16; 4] = edges.try_into().ok()?;
    Crop::from(edges).is_valid().then_some(edges)
}

/// A number in percent, in thousandths.
fn permille(value: &DeValue<'_>) -> Option<u16> {
    let percent: f64 = written_number(value)?.parse().ok()?;
    (0.0..=100.0).contains(&percent).then(|| (percent * 10.0).round() as u16)
}

fn mirror(value: &DeValue<'_>) -> Option<Mirror> {
    match value {
        DeValue::Boolean(false) => Some(Mirror::None),
        DeValue::Boolean(true) => Some(Mirror::Horizontal),
        _ => match value.as_str()? {
            "horizontal" => Some(Mirror::Horizontal),
            "vertical" => Some(Mirror::Vertical),
            _ => None,
        },
    }
}

fn quarter_turns(value: &DeValue<'_>) -> Option<u8> {
    match whole_number(value.as_integer()?)? {
        degrees @ (0 | 90 | 180 | 270) => Some((degrees / 90) as u8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{camera::picture_options::PictureOptions, config::parse};

    /// The options of a camera with these lines, below these lines of defaults, or the only complaint.
    fn read(defaults: &str, lines: &str) -> Result<PictureOptions, String> {
        let text = format!("[defaults]\n{defaults}\n[[camera]]\nid = 'gate'\nip = '10.0.0.1'\n{lines}\n");
        let no_files = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        match parse(&text, Path::new("c"), &no_files) {
            Ok(config) => Ok(config.cameras[0].options.picture),
            Err(complaints) => {
                assert_eq!(complaints.len(), 1, "{complaints:?}");
                Err(complaints[0].to_string())
            }
        }
    }

    #[test]
    fn keys_are_read_and_those_of_a_camera_come_first() {
        assert_eq!(read("", ""), Ok(PictureOptions::default()));
        let options =
            read("aspect = '4:3'\nrotate = 90", "crop = [0, 12.5, 3, 0.1]\nmirror = 'vertical'\nrotate = 270");
        let expected = PictureOptions {
            aspect: Aspect::Ratio(4, 3),
            crop: [0, 125, 30, 1],
            mirror: Mirror::Vertical,
            quarter_turns: 3,
        };
        assert_eq!(options, Ok(expected));
        assert_eq!(read("mirror = true", "mirror = false").map(|options| options.mirror), Ok(Mirror::None));
        assert_eq!(read("mirror = true", "").map(|options| options.mirror), Ok(Mirror::Horizontal));
        assert_eq!(read("aspect = '4:3'", "aspect = 'main'").map(|options| options.aspect), Ok(Aspect::Main));
        assert_eq!(read("", "aspect = 'stream'").map(|options| options.aspect), Ok(Aspect::Stream));
        assert_eq!(read("", "aspect = '2.4:1'").map(|options| options.aspect), Ok(Aspect::Ratio(6000, 2500)));
    }

    #[test]
    fn wrong_values_are_told_what_is_right() {
        for (line, right) in [
            ("aspect = '16x9'", "like \"16:9\""),
            ("aspect = '16:0'", "like \"16:9\""),
            ("aspect = '16:1'", "like \"16:9\""),
            ("aspect = 1.78", "like \"16:9\""),
            ("rotate = 45", "0, 90, 180 or 270"),
            ("rotate = '90'", "0, 90, 180 or 270"),
            ("mirror = 'left'", "\"horizontal\""),
            ("crop = [0, 0, 0]", "four numbers"),
            ("crop = [50, 0, 41, 0]", "a tenth"),
            ("crop = [0, -1, 0, 0]", "four numbers"),
            ("crop = 10", "four numbers"),
        ] {
            let complaint = read("", line).unwrap_err();
            assert!(complaint.contains(right), "{line}: {complaint}");
        }
    }
}
