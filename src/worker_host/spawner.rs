//! Starts workers: processes of the program `cctv-worker`.

use std::{
    env,
    io::{self, PipeWriter},
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::process::Process;
use crate::{camera::Transport, ipc};

/// The program's file name, and the name of its processes: `pidof cctv-agent` finds no workers.
const PROGRAM: &str = "cctv-worker";

/// The program's folder beside the folder of the agent's own program, such as `/usr/bin`.
const INSTALLED: &str = "libexec/cctv-agent";

/// What the agent's service manager tells the agent, and nobody else.
const AGENTS_OWN: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// Starts workers.
pub struct Spawner {
    program: PathBuf,
}

impl Spawner {
    /// Starts `program` for each worker.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }

    /// Looks for the program beside the agent's own, where a build has it, and in the folder
    /// `libexec/cctv-agent` of the agent's installation. If it is in neither, it is expected at the
    /// latter, and may still be installed there.
    pub fn find() -> Self {
        // The name stays right after an update has replaced the file.
        let own = env::current_exe().unwrap_or_default();
        Self::find_from(own.parent().unwrap_or(Path::new("/usr/bin")))
    }

    fn find_from(folder: &Path) -> Self {
        let (beside, prefix) = (folder.join(PROGRAM), folder.parent().unwrap_or(folder));
        Self::new(if beside.is_file() { beside } else { prefix.join(INSTALLED).join(PROGRAM) })
    }

    /// Where the program is expected.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Starts a worker whose standard input is `socket`. One that reads needs the `transport`. Call
    /// this on the thread that lives as long as the agent.
    ///
    /// # Errors
    /// If the system refuses the process, or the program is not there.
    pub fn start(&self, transport: Option<Transport>, socket: OwnedFd, stderr: PipeWriter) -> io::Result<Process> {
        let child = self.command(transport).stdin(socket).stdout(Stdio::null()).stderr(stderr).spawn()?;
        Ok(Process::new(child.id().cast_signed()))
    }

    /// The worker with its environment, still without its streams.
    fn command(&self, transport: Option<Transport>) -> Command {
        let mut command = Command::new(&self.program);
        command.arg0(PROGRAM);
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
        assert_eq!(set(&decoder), "");
    }

    #[test]
    fn program_is_found_beside_the_agents_or_where_an_installation_has_it() {
        let root = env::temp_dir().join(format!("cctv-spawner-{}", std::process::id()));
        let (bin, libexec) = (root.join("bin"), root.join("libexec/cctv-agent"));
        fs::create_dir_all(&bin).unwrap();
        fs::create_dir_all(&libexec).unwrap();
        let installed = libexec.join(PROGRAM);
        assert_eq!(Spawner::find_from(&bin).program(), installed, "it may be installed later");
        fs::write(&installed, "").unwrap();
        assert_eq!(Spawner::find_from(&bin).program(), installed);
        fs::write(bin.join(PROGRAM), "").unwrap();
        assert_eq!(
            Spawner::find_from(&bin).program(),
            bin.join(PROGRAM),
            "a build is not mixed with what is installed"
        );
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(Spawner::find_from(Path::new("/usr/bin")).program(), "/usr/libexec/cctv-agent/cctv-worker");
    }
}
