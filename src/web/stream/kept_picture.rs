//! `POST /snapshot/<id>`: keeps one picture as a file of this machine, for the person at its own screen.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use http_types::Url;
use serde_json::json;

use crate::web::{
    admission::identification::Identification,
    http::response::Response,
    stream::{snapshot, wanted::Wanted},
};
use crate::{disk, local_time::Zone, media::Picture};

/// Space in bytes that is left free on the disk: other programs need it more than the next picture.
const MIN_FREE: u64 = 32 << 20;
/// Pictures of one camera in one second; there are never so many.
const MAX_NAMES: u32 = 30;
/// For the person who takes the stick to another machine.
const FILE_MODE: u32 = 0o644;

/// Keeps the newest picture of the camera `id` where the wall that the URL names wants them. Its response is 201 with
/// the name of the file.
///
/// # Errors
/// The response if nothing is kept: only this machine's own screen may, the wall keeps none, no picture is live, or the
/// folder cannot take it.
pub async fn keep(asked: &Identification<'_>, id: &str, wanted: &Wanted) -> Result<Response, Response> {
    asked.check_own_page()?;
    if !asked.admitted.visitor.is_loopback {
        return Err(Response::error(403, "only this machine's own screen keeps pictures on this machine"));
    }
    let wall = wall_name(asked.request.url());
    let Some(folder) = asked.web.walls.pictures(&wall) else {
        let words = "this wall keeps no pictures: it has no `pictures` in cameras.toml";
        return Err(Response::error(404, words));
    };
    let picture = snapshot::newest(asked.web, wanted).await?;
    let (shown, camera) = (folder.display().to_string(), id.to_owned());
    match smol::unblock(move || write(&folder, &camera, &picture)).await {
        Ok(name) => {
            log::info!("web: a picture of {id} is kept in {shown}");
            Ok(Response::json(201, &json!({ "file": name })))
        }
        Err(error) => {
            let words = format!("{shown} {}", in_words(&error));
            log::warn!("web: no picture of {id} is kept: {words}");
            Err(Response::error(507, words))
        }
    }
}

fn wall_name(url: &Url) -> String {
    url.query_pairs().find(|(name, _)| name == "wall").map_or_else(String::new, |(_, value)| value.into_owned())
}

/// Writes `picture` into a file of its own and returns its name.
///
/// # Blocking
/// Blocks on the disk until the file is on it: a stick may be pulled at any time.
fn write(folder: &Path, camera: &str, picture: &Picture) -> io::Result<String> {
    if disk::free_bytes(folder)? < MIN_FREE + picture.jpeg.len() as u64 {
        return Err(io::ErrorKind::StorageFull.into());
    }
    let taken = i64::try_from(picture.taken / 1_000_000).unwrap_or(0);
    let stamp = Zone::of_machine().unwrap_or_default().file_stamp(taken);
    for number in 1..=MAX_NAMES {
        let name = match number {
            1 => format!("{camera}-{stamp}.jpg"),
            number => format!("{camera}-{stamp}-{number}.jpg"),
        };
        let path = folder.join(&name);
        // Never through a symbolic link, and never over another file.
        let mut file = match OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        };
        return match file.write_all(&picture.jpeg).and_then(|()| file.sync_all()) {
            Ok(()) => Ok(name),
            Err(error) => {
                // Half a picture is none.
                let _ = fs::remove_file(&path);
                Err(error)
            }
        };
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// What is wrong with a folder, as the end of a sentence that begins with it, and what would be right.
fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "is not there; plug in the stick, or make the folder".to_owned(),
        io::ErrorKind::NotADirectory => "is no folder".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "cannot be written by the agent's user; give it the folder, or mount the stick for it (uid=)".to_owned()
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "is on a file system that is read-only for the agent; see ReadWritePaths in docs/appliance.md".to_owned()
        }
        io::ErrorKind::StorageFull => format!("has less than {} MB left", MIN_FREE >> 20),
        io::ErrorKind::AlreadyExists => "has too many pictures of this second".to_owned(),
        _ => format!("cannot be written: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::media::{Rendition, RenditionRequest, Size};

    #[test]
    fn each_picture_has_a_file_of_its_own_and_nothing_is_written_over() {
        let folder = std::env::temp_dir().join(format!("cctv-kept-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let rendition = Rendition::for_request(
            RenditionRequest { size: None, quality: None, fps: None },
            Size { width: 64, height: 36 },
            80,
            25,
        );
        let picture = |taken| Picture { rendition, sequence: 1, taken, jpeg: b"picture".as_slice().into() };
        assert_eq!(write(&folder, "gate", &picture(0)).unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::create_dir_all(&folder).unwrap();
        let first = write(&folder, "gate", &picture(1_000_000)).unwrap();
        let stamp = Zone::of_machine().unwrap_or_default().file_stamp(1);
        assert_eq!(first, format!("gate-{stamp}.jpg"));
        symlink("/etc/passwd", folder.join(format!("gate-{stamp}-2.jpg"))).unwrap();
        assert_eq!(write(&folder, "gate", &picture(1_000_000)).unwrap(), format!("gate-{stamp}-3.jpg"));
        assert_eq!(fs::read(folder.join(first)).unwrap(), b"picture");
        fs::remove_dir_all(&folder).unwrap();
    }
}
