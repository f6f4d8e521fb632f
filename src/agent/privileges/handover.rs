//! What root does for the agent's user before it is gone: ports, the watchdog device, the state
//! directory. What fails is logged and is no reason to keep the wall dark.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, AtFlags, OFlag, openat},
    sys::stat::{Mode, major, makedev, minor},
    unistd::{User, fchown, fchownat},
};

use socket2::Socket;

use crate::{
    agent::listeners,
    config::{self, Startup},
    log::chain,
};

/// What was opened as root, for the agent as another user.
#[derive(Default)]
pub struct Opened {
    /// Sockets bound to ports below 1024. They do not listen yet.
    pub ports: Vec<(SocketAddr, Socket)>,
}

/// Ports below this one need root.
const FIRST_FREE_PORT: u16 = 1024;

/// The device number of `/dev/watchdog`; see the kernel's `devices.txt`.
const WATCHDOG: (u64, u64) = (10, 130);

/// How the names of the files of the store end, and of sessions and the key of commands as a whole.
const STATE_FILES: [&str; 4] = [".json", ".keys", "sessions", "command-key"];

/// Where the agent keeps its own certificate, and the files there.
const TLS_DIRECTORY: &str = "tls";
const TLS_FILES: [&str; 2] = ["key.pem", "certificate.pem"];

/// The end of the name of a file that was not finished.
const UNFINISHED: &str = ".new";

/// Opens and hands over what the configuration `file` names, mistakes elsewhere in it or not.
pub fn to(user: &User, file: &Path) -> Opened {
    // A file that cannot be read is reported by the agent, as every other mistake.
    let startup = config::startup(file).unwrap_or_default();
    hand_over_state(user, &startup.state_dir);
    if let Some(device) = &startup.watchdog {
        hand_over_watchdog(user, device);
    }
    open_ports(&startup)
}

fn open_ports(startup: &Startup) -> Opened {
    let mut opened = Opened::default();
    for address in startup.listen.iter().filter(|address| (1..FIRST_FREE_PORT).contains(&address.port())) {
        match listeners::bind_early(*address) {
            Ok(socket) => opened.ports.push((*address, socket)),
            Err(error) => log::error!("cannot open {address} as root: {}", chain(&error)),
        }
    }
    opened
}

/// Gives the device to the user, because it is opened only once the agent is healthy.
fn hand_over_watchdog(user: &User, device: &Path) {
    let Ok(about) = fs::metadata(device) else { return };
    if about.uid() == user.uid.as_raw() || about.file_type().is_fifo() {
        return;
    }
    let outcome = if about.file_type().is_char_device() && is_watchdog(about.rdev()) {
        fchownat(AT_FDCWD, device, Some(user.uid), None, AtFlags::empty()).map_err(io::Error::from)
    } else {
        Err(io::Error::other("it is not a watchdog device"))
    };
    if let Err(error) = outcome {
        log::error!("watchdog: cannot give {} to the user {}: {}", device.display(), user.name, chain(&error));
    }
}

/// Whether the kernel knows the character device `number` as a watchdog. Nothing is opened, because
/// that would start it.
fn is_watchdog(number: u64) -> bool {
    let class = format!("/sys/dev/char/{}:{}/subsystem", major(number), minor(number));
    number == makedev(WATCHDOG.0, WATCHDOG.1)
        || fs::canonicalize(class).is_ok_and(|class| class.ends_with("class/watchdog"))
}

fn hand_over_state(user: &User, directory: &Path) {
    if let Err(error) = give_directory(user, directory) {
        log::warn!(
            "state directory {}: cannot be given to the user {}: {}; what is learnt of the cameras may not be kept",
            directory.display(),
            user.name,
            chain(&error)
        );
    }
}

/// Makes the directory if needed, and gives it to the user with the agent's files in it.
///
/// Once the directory is the user's, no file in it is touched: the user could have put anything there,
/// such as another name of a file that is root's. What root left there is replaced when it is written
/// anew. Only the directory of the certificate could not be: nobody but root writes there.
fn give_directory(user: &User, directory: &Path) -> io::Result<()> {
    if !directory.exists() {
        if let Some(above) = directory.parent() {
            fs::create_dir_all(above)?;
        }
        DirBuilder::new().mode(0o700).create(directory)?;
    }
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    let open = OpenOptions::new().read(true).custom_flags(flags.bits()).open(directory)?;
    let about = open.metadata()?;
    if about.uid() == user.uid.as_raw() {
        return give_certificate(user, directory);
    }
    if about.uid() != 0 {
        return Err(io::Error::other(format!("it belongs to the user with the number {}", about.uid())));
    }
    if about.mode() & 0o022 != 0 {
        return Err(io::Error::other("users other than root can write to it"));
    }
    give_files(user, directory, &open)?;
    fchown(&open, Some(user.uid), Some(user.gid))?;
    Ok(())
}

fn give_files(user: &User, directory: &Path, open: &File) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (name, about) = (entry.file_name(), entry.metadata()?);
        if about.is_dir() && name.to_str() == Some(TLS_DIRECTORY) {
            continue;
        }
        if !is_state_file(&name) || !about.is_file() || about.nlink() != 1 {
            let name = name.display();
            return Err(io::Error::other(format!("{name} in it is no file of the agent; name another state_dir")));
        }
        names.push(name);
    }
    give_certificate(user, directory)?;
    for name in names {
        fchownat(open, name.as_os_str(), Some(user.uid), Some(user.gid), AtFlags::AT_SYMLINK_NOFOLLOW)?;
    }
    Ok(())
}

fn is_state_file(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let name = name.strip_suffix(UNFINISHED).unwrap_or(name);
    STATE_FILES.iter().any(|end| if end.starts_with('.') { name.ends_with(end) } else { name == *end })
}

/// Gives the directory of the certificate in `state` to the user, if it is root's, with its files. Nobody
/// else can have put one there, if nobody else can write to it.
fn give_certificate(user: &User, state: &Path) -> io::Result<()> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    let directory = match OpenOptions::new().read(true).custom_flags(flags.bits()).open(state.join(TLS_DIRECTORY)) {
        Ok(directory) => directory,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let about = directory.metadata()?;
    if about.uid() != 0 || about.mode() & 0o022 != 0 {
        return Ok(());
    }
    for name in TLS_FILES.iter().flat_map(|name| [(*name).to_owned(), format!("{name}{UNFINISHED}")]) {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = match openat(&directory, name.as_str(), flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::ENOENT) => continue,
            Err(error) => return Err(error.into()),
        };
        let about = file.metadata()?;
        if about.is_file() && about.nlink() == 1 {
            fchown(&file, Some(user.uid), Some(user.gid))?;
        }
    }
    fchown(&directory, Some(user.uid), Some(user.gid))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::symlink, path::PathBuf};

    use nix::unistd::{Gid, Uid, geteuid};

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("cctv-handover-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// A user that this machine need not have; `None` if this process may give no file away.
    fn somebody() -> Option<User> {
        if !geteuid().is_root() {
            eprintln!("skipped: only root can give a file away");
            return None;
        }
        let user = User::from_uid(Uid::from_raw(0)).unwrap().unwrap();
        Some(User { name: "somebody".to_owned(), uid: Uid::from_raw(64_123), gid: Gid::from_raw(64_124), ..user })
    }

    fn owner(path: &Path) -> (u32, u32) {
        let about = fs::symlink_metadata(path).unwrap();
        (about.uid(), about.gid())
    }

    #[test]
    fn state_directory_is_made_and_given_with_the_files_of_the_store() {
        let Some(user) = somebody() else { return };
        let folder = folder("state");
        let state = folder.join("lib/state");
        give_directory(&user, &state).unwrap();
        assert_eq!((owner(&state), owner(&folder.join("lib"))), ((64_123, 64_124), (0, 0)));
        assert_eq!(fs::metadata(&state).unwrap().mode() & 0o777, 0o700);

        let old = folder.join("old");
        DirBuilder::new().mode(0o700).create(&old).unwrap();
        fs::write(old.join("gate.json"), "{}").unwrap();
        give_directory(&user, &old).unwrap();
        assert_eq!((owner(&old), owner(&old.join("gate.json"))), ((64_123, 64_124), (64_123, 64_124)));

        // All that an agent as root leaves behind.
        let whole = folder.join("whole");
        fs::create_dir_all(whole.join("tls")).unwrap();
        let names = ["gate.json", "gate.keys", "gate.keys.new", "sessions", "command-key", "tls/key.pem"];
        names.iter().for_each(|name| fs::write(whole.join(name), "").unwrap());
        give_directory(&user, &whole).unwrap();
        for name in names.into_iter().chain(["tls", "."]) {
            assert_eq!(owner(&whole.join(name)), (64_123, 64_124), "{name}");
        }

        // From here on the user can put there what it likes.
        fs::write(old.join("root.json"), "").unwrap();
        give_directory(&user, &old).unwrap();
        assert_eq!(owner(&old.join("root.json")), (0, 0));

        // But a directory that root has made there since, where nobody else can put anything.
        fs::create_dir(old.join("tls")).unwrap();
        fs::write(old.join("tls/certificate.pem"), "").unwrap();
        fs::write(old.join("tls/other"), "").unwrap();
        symlink("/etc/passwd", old.join("tls/key.pem.new")).unwrap();
        let passwd = owner(Path::new("/etc/passwd"));
        assert!(give_directory(&user, &old).is_err(), "a link in the place of the key");
        fs::remove_file(old.join("tls/key.pem.new")).unwrap();
        fs::hard_link(old.join("tls/other"), old.join("tls/key.pem")).unwrap();
        give_directory(&user, &old).unwrap();
        let owners = ["tls", "tls/certificate.pem", "tls/key.pem", "tls/other"].map(|name| owner(&old.join(name)).0);
        assert_eq!((owners, owner(Path::new("/etc/passwd"))), ([64_123, 64_123, 0, 0], passwd));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn directory_with_anything_else_in_it_stays_roots() {
        let Some(user) = somebody() else { return };
        let folder = folder("else");
        let refused = |name: &str, prepare: &dyn Fn(&Path)| {
            let state = folder.join(name);
            DirBuilder::new().mode(0o755).create(&state).unwrap();
            fs::write(state.join("gate.json"), "{}").unwrap();
            prepare(&state);
            let error = give_directory(&user, &state).unwrap_err().to_string();
            assert_eq!((owner(&state), owner(&state.join("gate.json"))), ((0, 0), (0, 0)), "{name}");
            error
        };
        let other = refused("other", &|state| fs::write(state.join("passwd"), "").unwrap());
        assert!(other.contains("passwd in it is no file of the agent"), "{other}");
        refused("link", &|state| symlink("/etc/passwd", state.join("x.json")).unwrap());
        refused("twice", &|state| fs::hard_link(state.join("gate.json"), state.join("x.json")).unwrap());
        let open = refused("open", &|state| {
            fs::set_permissions(state, std::os::unix::fs::PermissionsExt::from_mode(0o1777)).unwrap();
        });
        assert!(open.contains("can write to it"), "{open}");
        symlink("other", folder.join("elsewhere")).unwrap();
        assert!(give_directory(&user, &folder.join("elsewhere")).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn only_a_watchdog_is_given_away() {
        let Some(user) = somebody() else { return };
        let folder = folder("watchdog");
        let disk = folder.join("disk");
        fs::write(&disk, "").unwrap();
        for path in [disk.as_path(), Path::new("/dev/null")] {
            hand_over_watchdog(&user, path);
            assert_eq!(owner(path).0, 0, "{}", path.display());
        }
        assert!(is_watchdog(makedev(10, 130)) && !is_watchdog(makedev(1, 3)));
        fs::remove_dir_all(&folder).unwrap();
    }
}
