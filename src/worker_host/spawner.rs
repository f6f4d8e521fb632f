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
use crate::{camera::Transport, ipc};

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

    /// Where the program is expected for a worker that reads with this `transport`, or decodes
    /// (`None`).
    pub fn program(&self, transport: Option<Transport>) -> &Path {
        if transport.is_some() { &self.reader } else { &self.decoder }
    }

    /// Starts a worker whose standard input is `socket`: one that reads with this `transport`, or
    /// one that decodes. Call this on the thread that lives as long as the agent.
    ///
    /// # Errors
    /// If the system refuses the process, or the program is not there.
    pub fn start(&self, transport: Option<Transport>, socket: OwnedFd, stderr: PipeWriter) -> io::Result<Process> {
        let child = self.command(transport).stdin(socket).stdout(Stdio::null()).stderr(stderr).spawn()?;
        Ok(Process::new(child.id().cast_signed()))
    }

    /// The worker with its environment, still without its streams.
    fn command(&self, transport: Option<Transport>) -> Command {
        let program = self.program(transport);
        let mut command = Command::new(program);
        command.arg0(program.file_name().unwrap_or_default());
        for name in AGENTS_OWN {
            command.env_remove(name);
        }
        command.envs(transport.map(ipc::environment).unwrap_or_default());
        command
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn environment_holds_the_transport_of_a_reader_and_nothing_that_is_meant_for_the_agent() {
        let spawner = Spawner::new("/nonexistent/cctv-worker");
        let (reader, decoder) = (spawner.command(Some(Transport::Udp)), spawner.command(None));
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
        assert_eq!(installed.program(Some(Transport::Tcp)), "/usr/libexec/cctv-agent/cctv-reader");
    }
}
