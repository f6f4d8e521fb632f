//! The command line: its help, and the commands that print a result and exit.

mod agent_client;
pub mod arguments;
pub mod check;
pub mod discover;
pub mod info;
pub mod keys;
pub mod list;
mod output;
pub mod passwd;
mod password_prompt;
mod process;
mod reasons;
pub mod reload;
mod sockets;
pub mod status;
mod table;
pub mod token;
mod user_file;
pub mod users;
pub mod verify;

pub const HELP: &str = "\
cctv-agent: a camera wall that comes up by itself and never shows an old picture as live

Usage:
  cctv-agent [run] [--config FILE] [--log syslog|stderr] [--log-level LEVEL]
             [--user NAME]
      Keeps the cameras of FILE and serves the wall. LEVEL is error, warn, info or debug.
      SIGHUP reads FILE again, SIGTERM stops, SIGUSR1 logs the state of every camera.
      With --user, root opens ports below 1024, then becomes that user, without capabilities.
  cctv-agent check [FILE]
      Says everything that is wrong with FILE; exit code 78 if anything is.
  cctv-agent info [https://]IP[:PORT] [--username U] [--password-file F] [--json]
             [--quick] [--picture FILE]
      Asks a camera what it is and which profiles it offers, reads each of their streams for some
      seconds, and gives lines for cameras.toml. --quick opens no stream; --picture writes the
      newest picture of the first stream to FILE, as JPEG.
  cctv-agent info URL|/dev/VIDEO [--username U] [--password-file F] [--json] [--quick]
             [--picture FILE]
      The same of what has no ONVIF: the address of a stream, as url in cameras.toml, or a camera at
      this machine, such as /dev/video0.
  cctv-agent list [--config FILE] [--json]
      Lists the cameras of the running agent, and where each was found.
  cctv-agent status [--config FILE] [--json]
      Tells how each camera of the running agent is doing, and why one is not live. CPU is the
      share of one processor since its worker began.
  cctv-agent status CAMERA [--config FILE] [--json]
      The same of one camera, with what became of the packets that it sent.
  cctv-agent reload [--config FILE]
      Checks FILE as check does, has the running agent read it, and tells what has changed.
  cctv-agent passwd NAME [--config FILE] [--stdin] [--delete]
      Asks for a password of the user NAME, who may then watch from other machines, writes its hash
      into FILE, and reloads the agent. --delete removes the user.
  cctv-agent token NAME [--config FILE]
      The same for a screen or a program: makes a token and prints it once.
  cctv-agent users [--config FILE] [--json]
      Lists the users of the running agent, and when each was last seen.
  cctv-agent keys [--config FILE] [--json]
      Lists the TLS keys that cameras had the first time and must keep. Needs no running agent.
  cctv-agent keys --forget CAMERA [--config FILE]
      Forgets those of one camera, which was reset or replaced; its next key is learnt.
  cctv-agent discover [--seconds N] [--json | --toml] [--config FILE]
      Searches the network for cameras, for 3 seconds unless --seconds says otherwise; sends no password.
      Lists the cameras at this machine, too.
      --toml writes sections for FILE for those that are not in it yet.
  cctv-agent verify MANIFEST [--keys FOLDER] [--installed FILE] [--downgrade]
             [--image FILE|- [--output FILE]]
      Verifies an update of the disk image: the signature MANIFEST.minisig by one of the public
      keys in FOLDER, and that it is newer than what is installed; then the image against the
      manifest. --output takes the image while it is read, and can be started only if all is right.
      Exit code 65: refused, 66: a file cannot be read, 74: the output cannot be written.
  cctv-agent --version
  cctv-agent --help

list, status, users and reload mean the agent that runs with FILE.
FILE is /etc/cctv-agent/cameras.toml unless named. Exit codes: 0 stopped as asked, 64 wrong usage,
65 no usable password, 70 internal error or no answer, 71 cannot listen, 73 cannot write FILE,
77 cannot become the user of --user, 78 bad configuration.
";
