//! The key that says whether a camera can be heard.

use super::key::{Flag, Key, Row, key, rows};

rows! {
    /// They stand where the other keys of a camera's streams may stand.
    SOUND_ROWS:
    SOUND: Key<Flag, bool> = key(
        "sound",
        Flag,
        false,
        "`true`: the camera can be heard by those who have the right `listen`. Its sound is read only while somebody \
         listens, in an RTSP session of its own. Whether people may be listened to is a matter of law.",
    )
    .aliases(&["audio", "microphone"]);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::{Config, changes::Changes, parse};

    fn read(text: &str) -> Config {
        let no_files = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        parse(text, Path::new("c"), &no_files).unwrap()
    }

    #[test]
    fn camera_is_heard_only_if_somebody_wrote_so() {
        let text = "[template.hall]\nsound = true\n[[camera]]\nid = 'a'\nip = '10.0.0.1'\n\
                    [[camera]]\nid = 'b'\nip = '10.0.0.2'\ntemplate = 'hall'\n\
                    [[camera]]\nid = 'c'\nip = '10.0.0.3'\ntemplate = 'hall'\nsound = false\n\
                    [[camera]]\nid = 'd'\nurl = 'rtsp://10.0.0.4/a'\nsound = true\n\
                    [[recorder]]\nid = 'e'\nip = '10.0.0.5'\nchannels = '1-2'\nsound = true\n";
        let heard: Vec<_> = read(text).cameras.iter().map(|camera| camera.sound).collect();
        assert_eq!(heard, [false, true, false, true, true, true]);
    }

    #[test]
    fn camera_that_can_be_heard_from_now_on_is_not_opened_again() {
        let camera = "[[camera]]\nid = 'a'\nip = '10.0.0.1'\n";
        let changes = Changes::between(&read(camera), &read(&format!("{camera}sound = true\n")));
        assert!(changes.retuned.len() == 1 && changes.reconnect.is_empty(), "{changes}");
    }
}
