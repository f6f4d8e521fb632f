//! The messages of the wall socket, `cctv.wall.1`: JSON in both directions, and the header of
//! binary frames.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::web::{http::query::SIDES, reasons};
use crate::{
    camera::{CameraId, State},
    hub::{Condition, QueuedUnit},
    media::{Codec, Picture, RenditionRequest, Size, StreamInfo, UnixMicros},
    sound::{QueuedSound, SoundCodec},
    text::Code,
};

/// What a page that names no formats can show.
const USUAL: &[Codec] = &[Codec::Jpeg];

const VERSION: u8 = 1;
/// Length of what precedes the bytes of a picture or unit, in bytes.
const HEADER_LEN: usize = 16;
/// The frame is decodable without any other; so is every JPEG.
const KEY: u8 = 1 << 0;
const SKIPPED: u8 = 1 << 1;
/// The picture made of it is damaged: it may be shown only under a mark.
const DAMAGED: u8 = 1 << 2;

pub type Header = [u8; HEADER_LEN];

/// What one tile must show.
#[derive(Clone, Debug, PartialEq)]
pub struct TileRequestBody {
    pub tile: u8,
    pub camera: String,
    pub rendition_request: RenditionRequest,
    /// The known formats that the page can show, the preferred one first.
    pub accept: Arc<[Codec]>,
}

#[derive(Debug, PartialEq)]
pub enum Command {
    Show(Vec<TileRequestBody>),
    /// The newest sequence number drawn, by tile.
    Drawn(Vec<(u8, u32)>),
    Ping(Value),
    /// The name of the wall that the page shows; the one without a name has an empty one.
    Wall(String),
}

impl Command {
    /// Whether it only says what the page has done.
    pub fn is_report(&self) -> bool {
        matches!(self, Self::Drawn(_))
    }
}

/// The commands in one text; usually one.
///
/// # Errors
/// The mistake, in words; then no command in the text may be executed.
pub fn parse(text: &str, most_tiles: usize) -> Result<Vec<Command>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let object = value.as_object().ok_or("a message must be an object")?;
    if object.is_empty() {
        return Err("a message must hold show, drawn, wall or ping".to_owned());
    }
    let command = |(key, value): (&String, &Value)| match key.as_str() {
        "show" => show(value, most_tiles).map(Command::Show),
        "drawn" => drawn(value).map(Command::Drawn),
        "wall" => wall_name(value).map(Command::Wall),
        "ping" if value.is_number() => Ok(Command::Ping(value.clone())),
        "ping" => Err("ping must be a number".to_owned()),
        _ => Err(format!("{key:?} is not known here; known are show, drawn, wall and ping")),
    };
    object.iter().map(command).collect()
}

fn wall_name(value: &Value) -> Result<String, String> {
    let name = value.as_str().filter(|name| name.is_empty() || CameraId::new(name).is_some());
    name.map(str::to_owned).ok_or_else(|| "wall must be the name of a wall, or an empty text".to_owned())
}

/// What the page's wall shows.
pub fn wall(told: &Value) -> String {
    json!({ "wall": told }).to_string()
}

/// Who steers a camera of the page.
pub fn ptz(steered: &Value) -> String {
    json!({ "ptz": steered }).to_string()
}

fn show(value: &Value, most_tiles: usize) -> Result<Vec<TileRequestBody>, String> {
    let tiles = value.as_array().ok_or("show must be a list")?;
    if tiles.len() > most_tiles {
        return Err(format!("show has {} tiles; {most_tiles} are allowed", tiles.len()));
    }
    let mut rendition_requests: Vec<TileRequestBody> = Vec::with_capacity(tiles.len());
    for (place, tile) in tiles.iter().enumerate() {
        let tile = tile.as_object().ok_or_else(|| format!("show[{place}] must be an object"))?;
        let rendition_request = tile_request(tile).map_err(|wrong| format!("show[{place}]: {wrong}"))?;
        if rendition_requests.iter().any(|other| other.tile == rendition_request.tile) {
            return Err(format!("show[{place}]: tile {} is there twice", rendition_request.tile));
        }
        rendition_requests.push(rendition_request);
    }
    Ok(rendition_requests)
}

fn tile_request(tile: &Map<String, Value>) -> Result<TileRequestBody, String> {
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
    let accept = match tile.get("accept") {
        None | Some(Value::Null) => USUAL.into(),
        Some(accept) => formats(accept.as_array().ok_or("accept must be a list of formats")?),
    };
    Ok(TileRequestBody {
        tile: number.ok_or("tile must be a number from 0 to 255")?,
        camera: camera.to_owned(),
        rendition_request: RenditionRequest { size, quality: None, fps },
        accept,
    })
}

/// The formats known here; later protocols may know more.
fn formats(words: &[Value]) -> Arc<[Codec]> {
    let known = |word: &Value| [Codec::H264, Codec::H265, Codec::Jpeg].into_iter().find(|codec| word == codec.as_str());
    // Repetitions would only lengthen the list.
    words.iter().filter_map(known).take(8).collect()
}

/// The box that a page measured. While a window is resized, fractions of pixels and boxes smaller
/// than any picture are common, so they are rounded and not refused.
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
///
/// `format` is what the tile is sent; `None` if that is not decided yet. In the stream, `size` is
/// in samples and `display` in square pixels. `view` is what the page has to do to each picture that it
/// decodes; in JPEGs it is done.
pub fn state(
    tile: u8,
    camera: &str,
    name: &str,
    condition: &Condition,
    stream: Option<StreamInfo>,
    format: Option<Codec>,
) -> String {
    let codec_config =
        stream.and_then(|stream| stream.codec_config).filter(|codec_config| Some(codec_config.codec()) == format);
    let codec =
        if format == Some(Codec::Jpeg) { Some("mjpeg".to_owned()) } else { codec_config.map(|v| v.to_string()) };
    json!({
        "tile": tile,
        "camera": camera,
        "name": name,
        "state": condition.state.as_str(),
        "why": &*condition.why,
        "reason": reasons::as_json(&condition.why),
        "format": format.map(Codec::as_str),
        "codec": codec,
        "size": stream.map(|stream| pair(stream.size)),
        "display": stream.map(|stream| pair(stream.display_size())),
        "view": stream.filter(|_| format.is_some_and(|format| format != Codec::Jpeg)).and_then(view),
        "fps": stream.map(|stream| (f64::from(stream.fps) * 100.0).round() / 100.0),
    })
    .to_string()
}

/// What a decoder of the camera's own video has to know of `stream`, with the names of [`state`].
pub fn video(stream: StreamInfo) -> Value {
    json!({
        "format": stream.codec.as_str(),
        "codec": stream.codec_config.map(|config| config.to_string()),
        "size": pair(stream.size),
        "display": pair(stream.display_size()),
        "view": view(stream),
    })
}

/// The part of the picture that is shown, as left and upper edge, width and height in parts of the whole,
/// and how that part is mirrored and then turned clockwise; `None`: the picture is shown as it is.
fn view(stream: StreamInfo) -> Option<Value> {
    let (transform, size) = (stream.transform, stream.size);
    if transform.is_none() {
        return None;
    }
    let part = transform.crop.visible(size);
    let [width, height] = [size.width, size.height].map(f64::from);
    let crop = [
        f64::from(part.left) / width,
        f64::from(part.top) / height,
        f64::from(part.size.width) / width,
        f64::from(part.size.height) / height,
    ];
    let turn = u16::from(transform.quarter_turns) * 90;
    Some(json!({ "crop": crop, "mirror": transform.mirrored, "turn": turn }))
}

fn pair(size: Size) -> [u32; 2] {
    [size.width, size.height]
}

/// The state of a tile whose camera is not in the configuration.
pub fn unknown(tile: u8, camera: &str, why: Code) -> String {
    let condition = Condition { state: State::Offline, why: why.into() };
    state(tile, camera, camera, &condition, None, None)
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

/// What precedes the bytes of a picture in its message.
pub fn picture_header(tile: u8, picture: &Picture, skipped: bool) -> Header {
    let flags = KEY | if skipped { SKIPPED } else { 0 };
    header(Codec::Jpeg, tile, flags, picture.sequence, picture.taken)
}

/// What precedes the bytes of an access unit in its message.
pub fn unit_header(tile: u8, codec: Codec, QueuedUnit { unit, after_gap }: &QueuedUnit) -> Header {
    let damaged = if unit.damage.is_some() { DAMAGED } else { 0 };
    let flags = damaged | if unit.key { KEY } else { 0 } | if *after_gap { SKIPPED } else { 0 };
    header(codec, tile, flags, unit.sequence, unit.taken)
}

/// What precedes the bytes of a unit of sound, in which nothing refers to another unit.
pub fn sound_header(codec: &SoundCodec, QueuedSound { unit, after_gap }: &QueuedSound) -> Header {
    let format = match codec {
        SoundCodec::Pcmu => 16,
        SoundCodec::Pcma => 17,
        SoundCodec::Aac { .. } => 18,
    };
    write_header(format, 0, KEY | if *after_gap { SKIPPED } else { 0 }, unit.sequence, unit.taken)
}

fn header(format: Codec, tile: u8, flags: u8, sequence: u32, taken: UnixMicros) -> Header {
    let format = match format {
        Codec::Jpeg => 1,
        Codec::H264 => 2,
        Codec::H265 => 3,
        // Pages get JPEG of it.
        Codec::Mpeg4 => 4,
    };
    write_header(format, tile, flags, sequence, taken)
}

fn write_header(format: u8, tile: u8, flags: u8, sequence: u32, taken: UnixMicros) -> Header {
    let mut bytes = [0; HEADER_LEN];
    bytes[..4].copy_from_slice(&[VERSION, format, tile, flags]);
    bytes[4..8].copy_from_slice(&sequence.to_le_bytes());
    bytes[8..].copy_from_slice(&taken.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{
        AccessUnit, Rendition, SampleAspect,
        transform::{Crop, Transform},
    };

    #[test]
    fn show_is_read_with_everything_left_out_that_may_be() {
        let text = r#"{"show":[{"tile":0,"camera":"gate","size":[640.4,3],"fps":15,"accept":["av1","h264","jpeg"]},
            {"tile":255,"camera":"x"},{"tile":1,"camera":"y","accept":["h264"]}]}"#;
        let [Command::Show(tiles)] = &parse(text, 64).unwrap()[..] else { panic!("not a show") };
        assert_eq!(
            tiles[0].rendition_request,
            RenditionRequest { size: Some(Size { width: 640, height: 16 }), quality: None, fps: Some(15) }
        );
        assert_eq!((tiles[1].tile, tiles[1].rendition_request.size, &*tiles[1].accept), (255, None, USUAL));
        assert_eq!((&*tiles[0].accept, &*tiles[2].accept), (&[Codec::H264, Codec::Jpeg][..], &[Codec::H264][..]));
    }

    #[test]
    fn wrong_messages_are_told_what_is_wrong() {
        for (text, hint) in [
            ("{", "not JSON"),
            ("[]", "object"),
            ("{}", "show, drawn, wall or ping"),
            (r#"{"wall":7}"#, "name of a wall"),
            (r#"{"wall":"a b"}"#, "name of a wall"),
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
    fn view_is_for_pages_that_decode() {
        let transform =
            Transform { crop: Crop { left: 250, top: 0, right: 0, bottom: 500 }, mirrored: true, quarter_turns: 3 };
        let stream = StreamInfo {
            codec: Codec::H264,
            codec_config: None,
            size: Size { width: 1920, height: 1080 },
            sample_aspect: SampleAspect::SQUARE,
            transform,
            fps: 25.0,
        };
        let told = |stream, format| -> Value {
            let condition = Condition { state: State::Live, why: Code::Starting.into() };
            serde_json::from_str(&state(0, "gate", "Gate", &condition, Some(stream), Some(format))).unwrap()
        };
        let untouched = told(stream, Codec::H264);
        assert_eq!(untouched["view"], json!({"crop": [0.25, 0.0, 0.75, 0.5], "mirror": true, "turn": 270}));
        assert_eq!((&untouched["size"], &untouched["display"]), (&json!([1920, 1080]), &json!([540, 1440])));
        assert_eq!(told(stream, Codec::Jpeg)["view"], Value::Null);
        let whole = told(StreamInfo { transform: Transform::NONE, ..stream }, Codec::H264);
        assert_eq!(whole["view"], Value::Null);
        assert!(whole.as_object().unwrap().contains_key("view"));
    }

    #[test]
    fn frame_begins_with_the_header_of_the_contract() {
        let rendition =
            Rendition { size: Size { width: 1, height: 1 }, transform: Transform::NONE, quality: 1, fps: 1 };
        let picture = Picture { rendition, sequence: 0x0102_0304, taken: 0x0506, jpeg: vec![0xff, 0xd8].into() };
        let header = picture_header(9, &picture, true);
        assert_eq!(header, [1, 1, 9, 3, 4, 3, 2, 1, 6, 5, 0, 0, 0, 0, 0, 0]);
        assert_eq!(picture_header(9, &picture, false)[3], 1);
        let unit = AccessUnit { sequence: 1, taken: 2, key: true, damage: None, data: vec![0, 0, 1].into() };
        let first = unit_header(7, Codec::H265, &QueuedUnit { unit: unit.clone(), after_gap: true });
        assert_eq!(first, [1, 3, 7, 3, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
        let next =
            unit_header(7, Codec::H264, &QueuedUnit { unit: AccessUnit { key: false, ..unit }, after_gap: false });
        assert_eq!(next[..4], [1, 2, 7, 0]);
    }
}
