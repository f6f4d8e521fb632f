//! Starts workers: processes of the programs `cctv-worker`, which decodes, and `cctv-reader`, which
//! reads a stream as well.

use std::{
    env,
    io::{self, PipeWriter},
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::process::Process;
use crate::ipc::{self, Open};

/// The programs' file names, and the names of their processes: `pidof cctv-agent` finds no workers.
const DECODER: &str = "cctv-worker";
pub const READER: &str = "cctv-reader";

/// The programs' folder beside the folder of the agent's own program, such as `/usr/bin`.
const INSTALLED: &str = "libexec/cctv-agent";

/// What the agent's service manager tells the agent, and nobody else.
const AGENTS_OWN: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// Starts workers.
pub struct Spawner {
    decoder: PathBuf,
    reader: PathBuf,
}

impl Spawner {
    /// Starts `program` for each worker, whatever it does.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let program = program.into();
        Self { decoder: program.clone(), reader: program }
    }

    /// Looks for each program beside the agent's own, where a build has it, and in the folder
    /// `libexec/cctv-agent` of the agent's installation. If it is in neither, it is expected at the
    /// latter, and may still be installed there.
    pub fn find() -> Self {
        // The name stays right after an update has replaced the file.
        let own = env::current_exe().unwrap_or_default();
        Self::find_from(own.parent().unwrap_or(Path::new("/usr/bin")))
    }

    fn find_from(folder: &Path) -> Self {
        let prefix = folder.parent().unwrap_or(folder);
        let find = |name| {
            let beside = folder.join(name);
            if beside.is_file() { beside } else { prefix.join(INSTALLED).join(name) }
        };
        Self { decoder: find(DECODER), reader: find(READER) }
    }

    /// Where the program is expected for a worker that reads what `open` names, or decodes (`None`).
    pub fn program(&self, open: Option<&Open>) -> &Path {
        if open.is_some() { &self.reader } else { &self.decoder }
    }

    /// Starts a worker whose standard input is `socket`: one that reads what `open` names, or
    /// one that decodes. Call this on the thread that lives as long as the agent.
    ///
    /// # Errors
    /// If the system refuses the process, or the program is not there.
    pub fn start(&self, open: Option<&Open>, socket: OwnedFd, stderr: PipeWriter) -> io::Result<Process> {
        let child = self.command(open).stdin(socket).stdout(Stdio::null()).stderr(stderr).spawn()?;
        Ok(Process::new(child.id().cast_signed()))
    }

    /// The worker with its environment, still without its streams.
    fn command(&self, open: Option<&Open>) -> Command {
        let program = self.program(open);
        let mut command = Command::new(program);
        command.arg0(program.file_name().unwrap_or_default());
        for name in AGENTS_OWN {
            command.env_remove(name);
        }
        command.envs(open.map(ipc::environment).unwrap_or_default());
        command
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        camera::{Secret, Transport},
        sandbox::SandboxPolicy,
    };

    fn open(uri: &str, transport: Transport) -> Open {
        Open {
            uri: Secret::new(uri),
            transport,
            first_sequence: 0,
            default_quality: 80,
            read_limit: std::time::Duration::from_secs(5),
            most_memory: 1 << 20,
            group_memory: 1 << 20,
            sandbox: SandboxPolicy::Auto,
        }
    }

    #[test]
    fn reader_may_use_what_the_address_needs_and_nothing_else() {
        let options = |uri: &str, transport| {
            let environment = ipc::environment(&open(uri, transport));
            environment.into_iter().find(|(name, _)| name.ends_with("OPTIONS")).unwrap().1
        };
        let protocols = |uri: &str, transport| {
            let options = options(uri, transport);
            options.split('|').find_map(|option| option.strip_prefix("protocol_whitelist;").map(str::to_owned)).unwrap()
        };
        for (uri, transport, expected) in [
            ("rtsp://10.0.0.1/x", Transport::Multicast, "rtp,tcp,udp,tls"),
            ("rtsp://10.0.0.1/x", Transport::Http, "rtp,tcp,udp,tls,http"),
            ("http://10.0.0.1/x.m3u8", Transport::Tcp, "http,https,tls,tcp,crypto"),
            ("https://10.0.0.1/x.m3u8", Transport::Tcp, "https,tls,tcp,crypto"),
            ("rtmp://10.0.0.1/x", Transport::Tcp, "rtmp,tcp"),
            ("rtmps://10.0.0.1/x", Transport::Tcp, "rtmps,rtmp,tls,tcp"),
        ] {
            assert_eq!(protocols(uri, transport), expected, "{uri}");
        }
        assert!(options("rtsp://10.0.0.1/x", Transport::Multicast).contains("rtsp_transport;udp_multicast|"));
        assert!(!options("rtmp://10.0.0.1/x", Transport::Tcp).contains("rtsp"));
    }

    #[test]
    fn environment_holds_the_transport_of_a_reader_and_nothing_that_is_meant_for_the_agent() {
        let spawner = Spawner::new("/nonexistent/cctv-worker");
        let reader = spawner.command(Some(&open("rtsp://10.0.0.1/x", Transport::Udp)));
        let decoder = spawner.command(None);
        let withheld = |command: &Command| command.get_envs().filter(|(_, value)| value.is_none()).count();
        assert_eq!((withheld(&reader), withheld(&decoder)), (AGENTS_OWN.len(), AGENTS_OWN.len()));
        let set = |command: &Command| command.get_envs().filter_map(|(_, value)| value?.to_str()).collect::<String>();
        assert!(set(&reader).contains("rtsp_transport;udp"));
        for kept_from_the_camera in
            ["protocol_whitelist;rtp,tcp,udp,tls", "codec_whitelist;h264,hevc,mjpeg", "rtsp_flags;filter_src"]
        {
            assert!(set(&reader).split('|').any(|option| option.starts_with(kept_from_the_camera)));
        }
        assert_eq!(set(&decoder), "");
    }

    #[test]
    fn program_is_found_beside_the_agents_or_where_an_installation_has_it() {
        let root = env::temp_dir().join(format!("cctv-spawner-{}", std::process::id()));
        let (bin, libexec) = (root.join("bin"), root.join("libexec/cctv-agent"));
        fs::create_dir_all(&bin).unwrap();
        fs::create_dir_all(&libexec).unwrap();
        let installed = libexec.join("cctv-worker");
        let found = || Spawner::find_from(&bin).program(None).to_owned();
        assert_eq!(found(), installed, "it may be installed later");
        fs::write(&installed, "").unwrap();
        assert_eq!(found(), installed);
        fs::write(bin.join("cctv-worker"), "").unwrap();
        assert_eq!(found(), bin.join("cctv-worker"), "a build is not mixed with what is installed");
        fs::remove_dir_all(&root).unwrap();
        let installed = Spawner::find_from(Path::new("/usr/bin"));
        assert_eq!(installed.program(None), "/usr/libexec/cctv-agent/cctv-worker");
        assert_eq!(
            installed.program(Some(&open("rtsp://10.0.0.1/x", Transport::Tcp))),
            "/usr/libexec/cctv-agent/cctv-reader"
        );
    }
}
