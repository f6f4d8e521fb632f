//! The page: files in one directory, read when they are requested.
//!
//! No path can lead out of the directory: only plain names that do not begin with a dot are
//! followed, and the target of a symbolic link must be inside the directory.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use http_types::Request;
use sha2::{Digest, Sha256};

use crate::disk::regular_file;
use crate::web::http::{
    gzip_cache::{Packed, Tag},
    response::Response,
};

/// Maximum bytes of one file; a page consists of small ones.
const MAX_BYTES: u64 = 8 << 20;

/// Smaller files gain nothing from compression: they fit into one packet anyway.
const WORTH_COMPRESSING: usize = 1200;

#[derive(Default)]
pub struct Files {
    packed: Arc<Packed>,
}

struct File {
    content_type: &'static str,
    /// Identifies the content. Modification times would not: in a read-only image all files have
    /// the same one, before and after an update.
    tag: Tag,
    body: Vec<u8>,
    gzip: bool,
}

impl Files {
    /// The response for `path` below `root`, with `security` as Content-Security-Policy.
    pub async fn response(&self, root: PathBuf, path: &str, request: &Request, security: String) -> Response {
        let Some(relative) = relative(path) else { return not_found() };
        let gzip = request
            .header("accept-encoding")
            .is_some_and(|values| values.iter().any(|value| takes_gzip(value.as_str())));
        let is_front = path == "/";
        let packed = Arc::clone(&self.packed);
        let read = smol::unblock(move || read(&root, &relative, gzip, &packed)).await;
        let file = match read {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound && is_front => {
                let text = "the agent runs, but its page is missing: there is no index.html where the configuration's www points";
                return Response::new(404, "text/plain; charset=utf-8", format!("{text}\n"));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return not_found(),
            Err(error) => {
                log::warn!("web: cannot read {path} of the page: {error}");
                return Response::error(500, "the file cannot be read");
            }
        };
        let name: String = file.tag.iter().map(|byte| format!("{byte:02x}")).collect();
        let tag = format!("\"{name}{}\"", if file.gzip { "-gz" } else { "" });
        let known = request.header("if-none-match").is_some_and(|values| {
            values.iter().flat_map(|value| value.as_str().split(',')).any(|item| {
                let item = item.trim();
                item == "*" || item.strip_prefix("W/").unwrap_or(item) == tag
            })
        });
        let mut response = Response::new(if known { 304 } else { 200 }, file.content_type, file.body)
            .header("ETag", tag)
            .header("Cache-Control", "no-cache")
            .header("Vary", "Accept-Encoding")
            .header("Referrer-Policy", "no-referrer")
            .header("Content-Security-Policy", security);
        if file.gzip {
            response = response.header("Content-Encoding", "gzip");
        }
        response
    }
}

fn not_found() -> Response {
    Response::error(404, "there is nothing at this address")
}

/// The path below the directory, of plain names only; `/` is the page itself.
fn relative(path: &str) -> Option<PathBuf> {
    let path = path.strip_prefix('/')?;
    if path.is_empty() {
        return Some(PathBuf::from("index.html"));
    }
    let plain = |name: &str| {
        !name.is_empty()
            && !name.starts_with('.')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    path.split('/').all(plain).then(|| PathBuf::from(path))
}

/// # Blocking
/// Reads the file, and compresses it the first time.
fn read(root: &Path, relative: &Path, gzip: bool, packed: &Packed) -> io::Result<File> {
    let root = root.canonicalize()?;
    let path = root.join(relative).canonicalize()?;
    if !path.starts_with(&root) {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut body = Vec::new();
    open(&path)?.take(MAX_BYTES + 1).read_to_end(&mut body)?;
    if body.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("it is larger than {MAX_BYTES} bytes")));
    }
    let mut tag = Tag::default();
    tag.copy_from_slice(&Sha256::digest(&body)[..16]);
    let content_type = content_type(relative);
    let pays = content_type.starts_with("text/") || content_type.contains("json") || content_type.contains("svg");
    if !gzip || !pays || body.len() < WORTH_COMPRESSING {
        return Ok(File { content_type, tag, body, gzip: false });
    }
    Ok(File { content_type, tag, body: packed.pack(tag, &body)?, gzip: true })
}

/// Opens a file of the page; whatever is no regular file is not there. `path` holds no links: one
/// that is found now was put there since.
fn open(path: &Path) -> io::Result<fs::File> {
    match regular_file::open_without_links(path) {
        Ok((file, _)) => Ok(file),
        // Not the system's error: it opened something of another kind.
        Err(error) if error.raw_os_error().is_none() => Err(io::ErrorKind::NotFound.into()),
        Err(error) => Err(error),
    }
}

/// Whether an Accept-Encoding allows gzip: it names gzip, and not with weight 0.
fn takes_gzip(accept: &str) -> bool {
    accept.split(',').any(|item| {
        let (coding, parameters) = item.split_once(';').unwrap_or((item, ""));
        let weight = parameters.trim().strip_prefix("q=").and_then(|weight| weight.trim().parse::<f32>().ok());
        coding.trim().eq_ignore_ascii_case("gzip") && weight.is_none_or(|weight| weight > 0.0)
    })
}

fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()).unwrap_or("") {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "txt" | "md" => "text/plain; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_followed() {
        assert_eq!(relative("/"), Some(PathBuf::from("index.html")));
        assert_eq!(relative("/js/wall-1.js"), Some(PathBuf::from("js/wall-1.js")));
        for path in [
            "",
            "//",
            "//etc/passwd",
            "/../x",
            "/a/../x",
            "/a/./x",
            "/.git",
            "/a/",
            "/a//b",
            "/a\\b",
            "/%2e%2e/x",
            "/a%2fb",
            "/a\0b",
            "/a b",
            "/ä",
            "/~root",
        ] {
            assert_eq!(relative(path), None, "{path:?}");
        }
    }

    #[test]
    fn gzip_is_sent_only_to_those_who_take_it() {
        assert!(takes_gzip("gzip, deflate, br") && takes_gzip("br;q=1.0, GZIP;q=0.5") && takes_gzip(" gzip"));
        assert!(!takes_gzip("") && !takes_gzip("gzip;q=0") && !takes_gzip("br, x-gzip-not") && !takes_gzip("identity"));
    }
}
