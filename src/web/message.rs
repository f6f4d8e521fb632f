//! The messages of the wall socket, `cctv.wall.1`: JSON both ways, and the header of binary frames.

use serde_json::{Map, Value, json};

use super::query::SIDES;
use crate::{
    camera::State,
    hub::Standing,
    media::{Picture, Size, StreamInfo, Wish},
};

/// The only format served as yet; `accept` must hold it.
pub const JPEG: &str = "jpeg";

const VERSION: u8 = 1;
const FORMAT_JPEG: u8 = 1;
/// Every JPEG is a key frame: it needs no other.
const KEY: u8 = 1 << 0;
const SKIPPED: u8 = 1 << 1;

/// What one tile is to show.
#[derive(Clone, Debug, PartialEq)]
pub struct TileWish {
    pub tile: u8,
    pub camera: String,
    pub wish: Wish,
    /// Whether the page can show JPEG.
    pub jpeg: bool,
}

#[derive(Debug, PartialEq)]
pub enum Command {
    Show(Vec<TileWish>),
    /// The newest sequence drawn, by tile.
    Drawn(Vec<(u8, u32)>),
    Ping(Value),
}

/// The commands in one text; usually one.
///
/// # Errors
/// What is wrong with it, in words; nothing of it is to be done then.
pub fn parse(text: &str, most_tiles: usize) -> Result<Vec<Command>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let object = value.as_object().ok_or("a message must be an object")?;
    if object.is_empty() {
        return Err("a message must hold show, drawn or ping".to_owned());
    }
    let command = |(key, value): (&String, &Value)| match key.as_str() {
        "show" => show(value, most_tiles).map(Command::Show),
        "drawn" => drawn(value).map(Command::Drawn),
        "ping" if value.is_number() => Ok(Command::Ping(value.clone())),
        "ping" => Err("ping must be a number".to_owned()),
        _ => Err(format!("{key:?} is not known here; known are show, drawn and ping")),
    };
    object.iter().map(command).collect()
}

fn show(value: &Value, most_tiles: usize) -> Result<Vec<TileWish>, String> {
    let tiles = value.as_array().ok_or("show must be a list")?;
    if tiles.len() > most_tiles {
        return Err(format!("show has {} tiles; {most_tiles} are allowed", tiles.len()));
    }
    let mut wishes: Vec<TileWish> = Vec::with_capacity(tiles.len());
    for (place, tile) in tiles.iter().enumerate() {
        let tile = tile.as_object().ok_or_else(|| format!("show[{place}] must be an object"))?;
        let wish = tile_wish(tile).map_err(|wrong| format!("show[{place}]: {wrong}"))?;
        if wishes.iter().any(|other| other.tile == wish.tile) {
            return Err(format!("show[{place}]: tile {} is there twice", wish.tile));
        }
        wishes.push(wish);
    }
    Ok(wishes)
}

fn tile_wish(tile: &Map<String, Value>) -> Result<TileWish, String> {
    let number = tile.get("tile").and_then(Value::as_u64).and_then(|number| u8::try_from(number).ok());
    let camera = tile.get("camera").and_then(Value::as_str).ok_or("camera must be a text")?;
    let size = match tile.get("size") {
        None | Some(Value::Null) => None,
        Some(size) => Some(box_of(size).ok_or("size must be two numbers, width and height")?),
    };
    let fps = match tile.get("fps") {
        None | Some(Value::Null) => None,
        Some(fps) => {
            let fps = fps.as_f64().filter(|fps| (1.0..=60.0).contains(fps)).ok_or("fps must be from 1 to 60")?;
            Some(fps.ceil() as u8)
        }
    };
    let jpeg = match tile.get("accept") {
        None | Some(Value::Null) => true,
        Some(accept) => accept.as_array().ok_or("accept must be a list of formats")?.iter().any(|word| word == JPEG),
    };
    Ok(TileWish {
        tile: number.ok_or("tile must be a number from 0 to 255")?,
        camera: camera.to_owned(),
        wish: Wish { size, quality: None, fps },
        jpeg,
    })
}

/// A box a page measured: fractions of pixels and boxes smaller than any picture are everyday life
/// while a window is being resized, so they are rounded and not refused.
pub fn box_of(value: &Value) -> Option<Size> {
    let side = |value: &Value| {
        let side = value.as_f64().filter(|side| *side >= 0.0)?;
        Some((side.round() as u32).clamp(*SIDES.start(), *SIDES.end()))
    };
    let [width, height] = value.as_array()?.as_slice() else { return None };
    Some(Size { width: side(width)?, height: side(height)? })
}

fn drawn(value: &Value) -> Result<Vec<(u8, u32)>, String> {
    let wrong = || "drawn must name the newest sequence by tile, like {\"0\": 1234}".to_owned();
    let entry = |(tile, sequence): (&String, &Value)| {
        let sequence = sequence.as_u64().and_then(|sequence| u32::try_from(sequence).ok());
        Some((tile.parse().ok()?, sequence?))
    };
    value.as_object().ok_or_else(wrong)?.iter().map(|pair| entry(pair).ok_or_else(wrong)).collect()
}

/// The state of a tile, for people and for the page.
pub fn state(tile: u8, camera: &str, name: &str, standing: &Standing, stream: Option<StreamInfo>) -> String {
    json!({
        "tile": tile,
        "camera": camera,
        "name": name,
        "state": standing.state.word(),
        "why": standing.why,
        "format": JPEG,
        "codec": "mjpeg",
        "size": stream.map(|stream| [stream.size.width, stream.size.height]),
        "fps": stream.map(|stream| (f64::from(stream.fps) * 100.0).round() / 100.0),
    })
    .to_string()
}

/// The state of a tile whose camera is not in the configuration.
pub fn unknown(tile: u8, camera: &str, why: &str) -> String {
    let standing = Standing { state: State::Offline, why: why.to_owned() };
    state(tile, camera, camera, &standing, None)
}

pub fn error(text: &str) -> String {
    json!({ "error": text }).to_string()
}

pub fn config(complaints: &[String]) -> String {
    json!({ "config": complaints }).to_string()
}

/// `now` is Unix time in milliseconds.
pub fn pong(number: &Value, now: u64) -> String {
    json!({ "pong": number, "now": now }).to_string()
}

/// A picture with its header, as one binary message.
pub fn frame(tile: u8, picture: &Picture, skipped: bool) -> Vec<u8> {
    let flags = KEY | if skipped { SKIPPED } else { 0 };
    let mut bytes = Vec::with_capacity(16 + picture.jpeg.len());
    bytes.extend_from_slice(&[VERSION, FORMAT_JPEG, tile, flags]);
    bytes.extend_from_slice(&picture.sequence.to_le_bytes());
    bytes.extend_from_slice(&picture.taken.to_le_bytes());
    bytes.extend_from_slice(&picture.jpeg);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Rendition;

    #[test]
    fn show_is_read_with_everything_left_out_that_may_be() {
        let text = r#"{"show":[{"tile":0,"camera":"gate","size":[640.4,3],"fps":15,"accept":["h264","jpeg"]},
            {"tile":255,"camera":"x"},{"tile":1,"camera":"y","accept":["h264"]}]}"#;
        let [Command::Show(tiles)] = &parse(text, 64).unwrap()[..] else { panic!("not a show") };
        assert_eq!(tiles[0].wish, Wish { size: Some(Size { width: 640, height: 16 }), quality: None, fps: Some(15) });
        assert_eq!((tiles[1].tile, tiles[1].wish.size, tiles[1].jpeg), (255, None, true));
        assert!(!tiles[2].jpeg);
    }

    #[test]
    fn wrong_messages_are_told_what_is_wrong() {
        for (text, hint) in [
            ("{", "not JSON"),
            ("[]", "object"),
            ("{}", "show, drawn or ping"),
            (r#"{"shwo":[]}"#, "shwo"),
            (r#"{"show":{}}"#, "list"),
            (r#"{"show":[1]}"#, "show[0]"),
            (r#"{"show":[{"tile":256,"camera":"a"}]}"#, "0 to 255"),
            (r#"{"show":[{"tile":0}]}"#, "camera"),
            (r#"{"show":[{"tile":0,"camera":"a","size":[1]}]}"#, "size"),
            (r#"{"show":[{"tile":0,"camera":"a","fps":0}]}"#, "fps"),
            (r#"{"show":[{"tile":0,"camera":"a"},{"tile":0,"camera":"b"}]}"#, "twice"),
            (r#"{"show":[{"tile":0,"camera":"a"},{"tile":1,"camera":"b"},{"tile":2,"camera":"b"}]}"#, "2 are allowed"),
            (r#"{"drawn":{"0":-1}}"#, "drawn"),
            (r#"{"drawn":{"x":1}}"#, "drawn"),
            (r#"{"ping":"a"}"#, "number"),
        ] {
            let wrong = parse(text, 2).unwrap_err();
            assert!(wrong.contains(hint), "{text}: {wrong}");
        }
    }

    #[test]
    fn drawn_and_ping_are_read() {
        let drawn = parse(r#"{"drawn":{"0":1234,"7":4294967295}}"#, 1).unwrap();
        assert_eq!(drawn, [Command::Drawn(vec![(0, 1234), (7, u32::MAX)])]);
        assert_eq!(parse(r#"{"ping":5}"#, 1).unwrap(), [Command::Ping(json!(5))]);
    }

    #[test]
    fn frame_begins_with_the_header_of_the_contract() {
        let rendition = Rendition { size: Size { width: 1, height: 1 }, quality: 1, fps: 1 };
        let picture = Picture { rendition, sequence: 0x0102_0304, taken: 0x0506, jpeg: vec![0xff, 0xd8].into() };
        let bytes = frame(9, &picture, true);
        assert_eq!(bytes, [1, 1, 9, 3, 4, 3, 2, 1, 6, 5, 0, 0, 0, 0, 0, 0, 0xff, 0xd8]);
        assert_eq!(frame(9, &picture, false)[3], 1);
    }
}
