//! The keys that say whether a camera is steered.

use super::key::{Flag, Key, Row, SecondsOrNever, Unset, key, rows};

rows! {
    /// They stand where the other keys of a camera's streams may stand.
    PTZ_ROWS:
    PTZ: Key<Flag, bool> = key(
        "ptz",
        Flag,
        false,
        "`true`: the camera can be turned and zoomed by ONVIF, and those who have the right `ptz` may do so. Its login \
         must be one that may move the camera. It means nothing to a camera with `url`.",
    )
    .aliases(&["steer", "pan_tilt_zoom"]);
    HOME_AFTER: Key<SecondsOrNever, Unset> = key(
        "home_after",
        // Long enough to look at what was found.
        SecondsOrNever { from: 10, to: 86_400 },
        Unset("`0`"),
        "The camera goes back to its home position when nobody has steered it for so many seconds. `0`: it stays.",
    )
    .aliases(&["home", "park_after"]);
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use crate::{
        camera::PtzOptions,
        config::{Config, changes::Changes, parse},
    };

    fn read(text: &str) -> Result<Config, Vec<String>> {
        let no_files = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        let config = parse(text, Path::new("c"), &no_files);
        config.map_err(|complaints| complaints.iter().map(ToString::to_string).collect())
    }

    fn options(text: &str) -> Vec<PtzOptions> {
        read(text).unwrap().cameras.iter().map(|camera| camera.ptz).collect()
    }

    #[test]
    fn keys_are_those_of_the_camera_its_template_its_recorder_or_the_defaults() {
        let steered = |home_after: u64| PtzOptions {
            is_steered: true,
            home_after: (home_after > 0).then(|| Duration::from_secs(home_after)),
        };
        let text = "[defaults]\nhome_after = 60\n[template.dome]\nptz = true\n\
                    [[camera]]\nid = 'a'\nip = '10.0.0.1'\nptz = true\nhome_after = 0\n\
                    [[camera]]\nid = 'b'\nip = '10.0.0.2'\ntemplate = 'dome'\n\
                    [[camera]]\nid = 'c'\nip = '10.0.0.3'\ntemplate = 'dome'\nptz = false\n\
                    [[recorder]]\nid = 'd'\nip = '10.0.0.4'\nchannels = '1-2'\nptz = true\nhome_after = 10\n";
        let still = PtzOptions { is_steered: false, ..steered(60) };
        assert_eq!(options(text), [steered(0), steered(60), still, steered(10), steered(10)]);
    }

    #[test]
    fn camera_without_onvif_cannot_be_steered() {
        let url = "[[camera]]\nid = 'a'\nurl = 'rtsp://10.0.0.1/a'\n";
        let wrong = "c:4:1: camera \"a\": ptz needs ONVIF; write ip in place of url, or remove ptz";
        assert_eq!(read(&format!("{url}ptz = true\n")).unwrap_err(), [wrong]);
        for right in [format!("[defaults]\nptz = true\n{url}"), format!("{url}ptz = false\n")] {
            assert_eq!(options(&right), [PtzOptions::default()]);
        }
        let soon = read("[[camera]]\nid = 'a'\nip = '10.0.0.1'\nhome_after = 5\n").unwrap_err();
        assert!(soon[0].contains("write 10 seconds or more, or 0 for never"), "{soon:?}");
    }

    #[test]
    fn camera_that_is_steered_from_now_on_is_not_opened_again() {
        let camera = "[[camera]]\nid = 'a'\nip = '10.0.0.1'\n";
        let (before, after) = (read(camera).unwrap(), read(&format!("{camera}ptz = true\n")).unwrap());
        let changes = Changes::between(&before, &after);
        assert!(changes.retuned.len() == 1 && changes.reconnect.is_empty(), "{changes}");
    }
}
