//! Checks where the paths in the file lead: a slip there could publish passwords or overwrite a disk.

use std::{
    fs,
    os::unix::fs::FileTypeExt as _,
    path::{Path, PathBuf},
};

use super::{
    Server,
    diagnostics::{Complaint, Diagnostics},
    keys,
    root::Root,
    schema, server_keys, syntax,
    watchdog::Watchdog,
};

/// Checks the paths of `server` and `watchdog`, which were read from `text`, the content of the file
/// at `path`. What does not exist is no mistake: it may come later.
///
/// # Errors
/// All complaints, in file order.
///
/// # Blocking
/// Blocks on the disk; opens nothing.
pub(super) fn check(text: &str, path: &Path, server: &Server, watchdog: &Watchdog) -> Result<(), Vec<Complaint>> {
    let mut unheard = Diagnostics::new(path, text);
    let readable = syntax::readable(text, &mut unheard);
    let mut root = Root::parse(&readable, &mut unheard);
    let mut diagnostics = Diagnostics::new(path, text);
    let section = root.section(&schema::SERVER);
    if let Some(at) = section.key_at(&server_keys::WWW)
        && let Some(wrong) = wrong_page(&server.www, path, &server.state_dir)
    {
        section.report(at, format!("www {wrong}"), &mut diagnostics);
    }
    let section = root.section(&schema::WATCHDOG);
    if let Some((at, device)) = section.key_at(&keys::DEVICE).zip(watchdog.device.as_ref())
        && is_no_device(device)
    {
        let wrong = "device is not a watchdog device; write the path of one, like \"/dev/watchdog\"";
        section.report(at, wrong, &mut diagnostics);
    }
    diagnostics.finish().map(drop)
}

/// What is wrong with the directory of the page, to which every visitor has access.
fn wrong_page(www: &Path, config: &Path, state_dir: &Path) -> Option<String> {
    let www = fs::canonicalize(www).ok()?;
    let holds = |path: &Path| whole(path).is_some_and(|path| path.starts_with(&www));
    if holds(config) {
        return Some(
            "is a directory that holds this file, with its passwords; name the page's own directory".to_owned(),
        );
    }
    if holds(state_dir) {
        return Some("is a directory that holds state_dir; name the page's own directory".to_owned());
    }
    // It may be a directory that this user cannot look into.
    let missing = fs::metadata(www.join("index.html")).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
    (missing || !www.is_dir()).then(|| "is a directory without an index.html; name that of the page".to_owned())
}

fn whole(path: &Path) -> Option<PathBuf> {
    fs::canonicalize(path).ok()
}

/// Whether this is something that must not be written to. Whether a character device is a watchdog,
/// only its driver can say, and only once it is open.
fn is_no_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| !about.file_type().is_char_device() && !about.file_type().is_fifo())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read;

    #[test]
    fn page_is_not_where_passwords_are_and_the_watchdog_is_no_file() {
        let folder = std::env::temp_dir().join(format!("cctv-file-checks-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        for name in ["etc", "www", "empty", "var/state"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        fs::write(folder.join("www/index.html"), "").unwrap();
        fs::write(folder.join("var/index.html"), "").unwrap();
        let file = folder.join("etc/cameras.toml");
        let complaint = |text: &str| {
            fs::write(&file, text).unwrap();
            read(&file).err().map(|complaints| complaints.iter().map(|one| one.to_string()).collect::<String>())
        };
        for good in ["www = \"../www\"", "www = \"../absent\"", "www = \"../var\""] {
            assert_eq!(complaint(&format!("[server]\n{good}\n")), None, "{good}");
        }
        for (bad, why) in [
            ("www = \"..\"", "holds this file"),
            ("www = \".\"", "holds this file"),
            ("www = \"/\"", "holds this file"),
            ("www = \"../var\"\nstate_dir = \"../var/state\"", "holds state_dir"),
            ("www = \"../empty\"", "without an index.html"),
            ("www = \"../www/index.html\"", "without an index.html"),
        ] {
            let told = complaint(&format!("[server]\n{bad}\n")).unwrap();
            assert!(told.contains("cameras.toml:2:1: [server]: www") && told.contains(why), "{bad}: {told}");
        }
        for good in ["/dev/null", "absent"] {
            assert_eq!(complaint(&format!("[watchdog]\ndevice = \"{good}\"\n")), None, "{good}");
        }
        for bad in [".", "cameras.toml"] {
            let told = complaint(&format!("[watchdog]\ndevice = \"{bad}\"\n")).unwrap();
            assert!(told.contains("device is not a watchdog device"), "{told}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
