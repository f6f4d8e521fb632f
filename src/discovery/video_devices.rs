//! The cameras at this machine: its Video4Linux devices, as the kernel and udev describe them.
//!
//! No device is opened. `/sys` has the nodes and their names, `/dev/v4l` the names that stay with a camera, and
//! udev's database what a node is for, which otherwise only an ioctl tells.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
};

use crate::camera::VideoDevice;

/// Number of entries of a folder that are looked at.
const MAX_ENTRIES: usize = 256;
/// Number of bytes of a file that are read.
const MAX_FILE_LEN: u64 = 16 << 10;
/// The folders of links, the better names first: a name by identity stays with the camera, one by path with its socket.
const LINKS: [&str; 2] = ["by-id", "by-path"];
/// What udev writes of a node: the classes that its driver claims, with a colon on each side.
const CAPABILITIES: &str = "E:ID_V4L_CAPABILITIES=";

/// A device that gives video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalCamera {
    /// Its paths, each as `url` takes it, the one that stays with the camera first. Never empty.
    pub paths: Vec<String>,
    /// What the driver calls it; it may be empty.
    pub name: String,
    /// The name of its driver.
    pub driver: Option<String>,
    /// Whether udev says that it gives video. Without udev it is only the first node of its device.
    pub is_certain: bool,
}

impl LocalCamera {
    /// The path that stays with the camera, if there is one.
    pub fn path(&self) -> &str {
        &self.paths[0]
    }
}

/// Returns the devices of the machine whose folders `/sys`, `/dev` and `/run` are below `root`, in the order of their
/// numbers. Nodes for metadata, output and radio are left out.
///
/// # Blocking
/// Reads a few small files.
pub fn local_cameras(root: &Path) -> Vec<LocalCamera> {
    let mut nodes: Vec<_> = names_in(&root.join("sys/class/video4linux")).filter_map(number).collect();
    nodes.sort_unstable();
    nodes.into_iter().filter_map(|number| local_camera(root, number)).collect()
}

fn local_camera(root: &Path, number: u32) -> Option<LocalCamera> {
    let node = format!("video{number}");
    let folder = root.join("sys/class/video4linux").join(&node);
    let is_certain = match capabilities(root, &text_of(&folder.join("dev"))) {
        Some(capabilities) => capabilities.split(':').any(|class| class == "capture").then_some(true)?,
        None if matches!(text_of(&folder.join("index")).as_str(), "" | "0") => false,
        // The second node of a USB camera carries metadata.
        None => return None,
    };
    let driver = fs::read_link(folder.join("device/driver")).ok();
    let driver = driver.and_then(|link| link.file_name().map(|name| name.to_string_lossy().into_owned()));
    let links = LINKS.iter().flat_map(|links| {
        let folder = root.join("dev/v4l").join(links);
        let mut names: Vec<_> = names_in(&folder).filter(|name| leads_to(&folder.join(name), &node)).collect();
        names.sort_unstable();
        names.into_iter().map(move |name| format!("/dev/v4l/{links}/{name}"))
    });
    let links = links.filter(|path| VideoDevice::parse(path).is_some());
    let paths = links.chain([format!("/dev/{node}")]).collect();
    Some(LocalCamera { paths, name: text_of(&folder.join("name")), driver, is_certain })
}

/// What udev knows of the node with the device number `number`, such as `81:0`.
fn capabilities(root: &Path, number: &str) -> Option<String> {
    let entry = text_of(&root.join("run/udev/data").join(format!("c{number}")));
    entry.lines().find_map(|line| line.strip_prefix(CAPABILITIES).map(str::to_owned))
}

/// The number of a node for video; `None` for others, such as `vbi0` and `v4l-subdev0`.
fn number(node: String) -> Option<u32> {
    VideoDevice::parse(&format!("/dev/{node}"))?;
    node.strip_prefix("video")?.parse().ok()
}

fn leads_to(link: &Path, node: &str) -> bool {
    fs::read_link(link).is_ok_and(|target| target.file_name().is_some_and(|name| name == node))
}

fn names_in(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(MAX_ENTRIES);
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}

/// The text of a small file, without white space around it; empty if there is none.
fn text_of(file: &Path) -> String {
    let mut bytes = Vec::new();
    let _ = File::open(file).and_then(|file| file.take(MAX_FILE_LEN).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::symlink, path::PathBuf};

    use super::*;

    /// The folders of a machine, deleted when dropped.
    struct Machine(PathBuf);

    impl Machine {
        fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("cctv-agent-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&root);
            Self(root)
        }

        fn write(&self, file: &str, text: &str) {
            let file = self.0.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }

        fn link(&self, from: &str, to: &str) {
            let from = self.0.join(from);
            fs::create_dir_all(from.parent().unwrap()).unwrap();
            symlink(to, from).unwrap();
        }

        /// A node as the kernel shows it, and as udev describes it if that runs.
        fn node(&self, node: &str, name: &str, index: &str, capabilities: Option<&str>) {
            let folder = format!("sys/class/video4linux/{node}");
            let number = format!("81:{}", node.trim_start_matches(|letter: char| letter.is_ascii_alphabetic()));
            self.write(&format!("{folder}/name"), &format!("{name}\n"));
            self.write(&format!("{folder}/index"), &format!("{index}\n"));
            self.write(&format!("{folder}/dev"), &format!("{number}\n"));
            self.link(&format!("{folder}/device/driver"), "../../../bus/usb/drivers/uvcvideo");
            if let Some(capabilities) = capabilities {
                let entry = format!("S:v4l/by-id/x\nE:ID_V4L_VERSION=2\nE:ID_V4L_CAPABILITIES={capabilities}\n");
                self.write(&format!("run/udev/data/c{number}"), &entry);
            }
        }

        fn cameras(&self) -> Vec<LocalCamera> {
            local_cameras(&self.0)
        }
    }

    impl Drop for Machine {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn cameras_are_named_by_what_stays_with_them() {
        let machine = Machine::new("local-cameras");
        machine.node("video10", "Grabber", "0", Some(":capture:video_output:"));
        machine.node("video0", "HD Pro Webcam C920", "0", Some(":capture:"));
        machine.node("video1", "HD Pro Webcam C920", "1", Some(":"));
        machine.node("video2", "Screen", "0", Some(":video_output:"));
        machine.node("vbi0", "Teletext", "0", Some(":capture:"));
        machine.link("dev/v4l/by-id/usb-046d_C920_8B-video-index0", "../../video0");
        machine.link("dev/v4l/by-id/usb-046d_C920_8B-video-index1", "../../video1");
        machine.link("dev/v4l/by-id/a name with spaces", "../../video0");
        machine.link("dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0", "../../video0");
        let [webcam, grabber] = &machine.cameras()[..] else { panic!("{:?}", machine.cameras()) };
        let paths = [
            "/dev/v4l/by-id/usb-046d_C920_8B-video-index0",
            "/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0",
            "/dev/video0",
        ];
        assert_eq!((webcam.path(), &webcam.paths[..]), (paths[0], &paths.map(str::to_owned)[..]));
        assert_eq!((webcam.name.as_str(), webcam.driver.as_deref()), ("HD Pro Webcam C920", Some("uvcvideo")));
        assert_eq!((webcam.is_certain, grabber.is_certain), (true, true));
        assert_eq!((grabber.path(), grabber.name.as_str()), ("/dev/video10", "Grabber"));
    }

    #[test]
    fn without_udev_the_first_node_of_each_device_may_be_a_camera() {
        let machine = Machine::new("local-cameras-without-udev");
        machine.node("video0", "Webcam", "0", None);
        machine.node("video1", "Webcam", "1", None);
        let [webcam] = &machine.cameras()[..] else { panic!("{:?}", machine.cameras()) };
        assert_eq!((webcam.path(), webcam.is_certain), ("/dev/video0", false));
        assert_eq!(Machine::new("local-cameras-none").cameras(), []);
    }
}
