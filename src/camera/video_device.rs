//! A camera at this machine: a Video4Linux device, such as a USB camera.

/// A device, and what it is asked for. Written `/dev/video0` or `/dev/v4l/by-id/NAME`, and
/// `?size=1280x720&fps=15` behind it, of which both parts may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoDevice<'a> {
    pub path: &'a str,
    /// Width and height in pixels, 1 to 16384; the device takes what comes near.
    pub size: Option<(u32, u32)>,
    /// Frames per second, 1 to 240; the device takes what comes near.
    pub fps: Option<u32>,
}

impl<'a> VideoDevice<'a> {
    /// `None` unless `text` is such an address.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let name = path.strip_prefix("/dev/")?;
        let is_name = |name: &str| {
            let rest = name.strip_prefix("video").unwrap_or_default();
            !rest.is_empty() && rest.len() <= 3 && rest.bytes().all(|byte| byte.is_ascii_digit())
        };
        // What udev writes there; nothing of it leads out of the folder.
        let is_link = |name: &str| {
            let name = name.strip_prefix("v4l/by-id/").or_else(|| name.strip_prefix("v4l/by-path/"));
            let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+@".contains(&byte);
            name.is_some_and(|name| !name.is_empty() && !name.starts_with('.') && name.bytes().all(known))
        };
        if !is_name(name) && !is_link(name) {
            return None;
        }
        let mut device = Self { path, size: None, fps: None };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=')? {
                ("size", size) => {
                    let (width, height) = size.split_once('x')?;
                    let side = |text: &str| text.parse().ok().filter(|side| (1..=16384).contains(side));
                    device.size = Some((side(width)?, side(height)?));
                }
                ("fps", fps) => device.fps = Some(fps.parse().ok().filter(|fps| (1..=240).contains(fps))?),
                _ => return None,
            }
        }
        Some(device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_is_one_of_video_and_may_say_what_it_is_asked_for() {
        let plain = VideoDevice { path: "/dev/video0", size: None, fps: None };
        assert_eq!(VideoDevice::parse("/dev/video0"), Some(plain));
        let asked = VideoDevice { size: Some((1280, 720)), fps: Some(15), ..plain };
        assert_eq!(VideoDevice::parse("/dev/video0?size=1280x720&fps=15"), Some(asked));
        assert_eq!(VideoDevice::parse("/dev/video0?fps=15&size=1280x720"), Some(asked));
        for path in [
            "/dev/v4l/by-id/usb-046d_C920_8B-video-index0",
            "/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0",
        ] {
            assert_eq!(VideoDevice::parse(path).map(|device| device.path), Some(path));
        }
    }

    #[test]
    fn other_files_and_other_words_are_no_device() {
        for text in [
            "",
            "/dev/",
            "/dev/video",
            "/dev/video0123",
            "/dev/sda",
            "/dev/video0/../sda",
            "/dev/v4l/by-id/",
            "/dev/v4l/by-id/../../sda",
            "/dev/v4l/by-id/a/b",
            "/etc/shadow",
            "video0",
            "/dev/video0?size=0x720",
            "/dev/video0?size=1280",
            "/dev/video0?fps=0",
            "/dev/video0?fps=many",
            "/dev/video0?colour=1",
            "/dev/video0?fps",
        ] {
            assert_eq!(VideoDevice::parse(text), None, "{text}");
        }
    }
}
