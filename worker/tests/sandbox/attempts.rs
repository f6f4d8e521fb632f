//! What somebody would try who has taken a worker over.

use std::{
    fs::{self, File},
    io::{self, IoSliceMut},
    net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket},
    os::unix::{net::UnixDatagram, process::CommandExt as _},
    process::{self, Command},
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::{
        ptrace,
        signal::kill,
        uio::{RemoteIoVec, process_vm_readv},
    },
    unistd::Pid,
};

/// What stands for the device of a reader: it is there on every machine.
pub const DEVICE: &str = "/dev/null";

/// These are refused.
pub const REFUSED: &[&str] = &[
    "open",
    "create",
    "list",
    "remove",
    "memory_of_parent",
    "connect",
    "listen",
    "udp",
    "unix_socket",
    "kill",
    "run",
    "executable_memory",
];

/// These end the process.
pub const DEADLY: &[&str] = &["exec", "trace", "read_process", "io_uring", "unshare", "mount"];

/// Only root may do these without a sandbox.
pub const NEEDS_ROOT: &[&str] = &["memory_of_parent", "trace", "read_process", "io_uring", "unshare", "mount"];

/// What a worker does itself.
pub const NEEDED: &[&str] = &["threads", "memory", "random", "processors", "sleep"];

/// Makes the attempt called `name`; `port` is that of somebody who listens.
pub fn make(name: &str, port: u16, parent: Pid) -> io::Result<()> {
    match name {
        "device" => File::options().read(true).write(true).open(DEVICE).map(drop),
        "open" => File::open("/etc/passwd").map(drop),
        "create" => {
            let path = std::env::temp_dir().join(format!("cctv-sandbox-{}", process::id()));
            File::create(&path)?;
            fs::remove_file(path)
        }
        "list" => fs::read_dir("/etc").map(drop),
        // A file that is not there: without a sandbox that is the answer.
        "remove" => match fs::remove_file("/nonexistent/cctv-sandbox") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        },
        "memory_of_parent" => File::open(format!("/proc/{parent}/mem")).map(drop),
        "connect" => TcpStream::connect(("127.0.0.1", port)).map(drop),
        "listen" => TcpListener::bind(("127.0.0.1", 0)).map(drop),
        "udp" => UdpSocket::bind(("127.0.0.1", 0))?.send_to(b"x", ("127.0.0.1", 9)).map(drop),
        "unix_socket" => UnixDatagram::unbound().map(drop),
        "name" => ("localhost", port).to_socket_addrs().map(drop),
        "kill" => Ok(kill(parent, None)?),
        "run" => Command::new("/bin/true").status().map(drop),
        "executable_memory" => memmap2::MmapMut::map_anon(4096)?.make_exec().map(drop),
        "exec" => Err(Command::new("/bin/echo").arg("done").exec()),
        "trace" => Ok(ptrace::seize(parent, ptrace::Options::empty())?),
        "read_process" => {
            let (source, mut copy) = ([7_u8], [0_u8]);
            let from = [RemoteIoVec { base: source.as_ptr().addr(), len: 1 }];
            process_vm_readv(Pid::this(), &mut [IoSliceMut::new(&mut copy)], &from)?;
            assert_eq!(copy, source);
            Ok(())
        }
        "io_uring" => io_uring::IoUring::new(2).map(drop),
        "unshare" => Ok(unshare(CloneFlags::CLONE_NEWNS)?),
        "mount" => {
            // A place that is not there: without a sandbox that is the answer.
            let none = None::<&str>;
            match mount(none, "/nonexistent/cctv-sandbox", none, MsFlags::MS_PRIVATE, none) {
                Err(Errno::ENOENT) => Ok(()),
                other => Ok(other?),
            }
        }
        "threads" => thread::Builder::new().name("decode".to_owned()).spawn(|| 7)?.join().map(drop).map_err(died),
        "memory" => {
            // Several threads have heaps of their own, which grow and are trimmed.
            let work = || (0..64).map(|count| vec![1_u8; count << 16]).collect::<Vec<_>>().concat().len();
            let threads: Vec<_> = (0..4).map(|_| thread::spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().map(drop).map_err(died))
        }
        "random" => thread::spawn(std::collections::HashMap::<u8, u8>::new).join().map(drop).map_err(died),
        "processors" => thread::available_parallelism().map(drop),
        "sleep" => {
            thread::sleep(Duration::from_millis(1));
            Ok(())
        }
        "panic" => {
            let default = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                default(panic);
                process::abort();
            }));
            panic!("the decoder is at its end");
        }
        other => match other.strip_prefix("connect:") {
            Some(port) => TcpStream::connect(("127.0.0.1", port.parse().unwrap())).map(drop),
            None => panic!("no attempt is called {other}"),
        },
    }
}

fn died<T>(_: T) -> io::Error {
    io::Error::other("a thread has panicked")
}
