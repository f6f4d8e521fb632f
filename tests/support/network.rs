//! A network of its own for a story: hosts with real addresses, multicast, loss and blocked ports.
//!
//! Each host is a network namespace with one interface, plugged into a bridge in a namespace that plays the
//! switch. Nothing of it reaches the machine's own network, and all of it goes with the [`Network`]. It takes
//! root and a kernel with namespaces, so a story that gets no network says why and ends.

use std::{
    fs::{self, File},
    io::{self, Write},
    net::{Ipv4Addr, UdpSocket},
    panic,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, AtomicU32, Ordering},
    },
    thread,
};

use nix::{
    sched::{CloneFlags, setns},
    unistd::geteuid,
};

const BRIDGE: &str = "switch";
const INTERFACE: &str = "eth0";

/// Where nobody listens.
const DISCARD_PORT: u16 = 9;

fn original_address(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, n)
}

/// Prints, past the capture of the test harness, why a story was not told.
fn skip(reason: &str) {
    let thread = thread::current();
    let _ = writeln!(io::stderr(), "skipped: {}: {reason}", thread.name().unwrap_or("a story"));
}

/// Runs a command to its end; the error is what it said.
fn run(words: &[&str]) -> Result<(), String> {
    let output = Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{}: {error}", words[0]))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

/// A network namespace with loopback up, removed with the value.
pub struct Namespace {
    name: String,
}

impl Namespace {
    fn new() -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("cctv-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        run(&["ip", "netns", "add", &name])?;
        let namespace = Self { name };
        namespace.within(|| {
            // A second address outlives the first.
            let _ = fs::write("/proc/sys/net/ipv4/conf/default/promote_secondaries", "1");
            // A link-local address may be used at once: nobody else can have it. Without IPv6 there is no such file.
            let _ = fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
        });
        run(&["ip", "-n", &namespace.name, "link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// Does `work` in a thread that lives in this namespace. Sockets opened and processes started there stay there,
    /// whoever uses them later.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let path = PathBuf::from("/run/netns").join(&self.name);
        thread::scope(|scope| {
            let inside = scope.spawn(move || {
                let namespace = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                setns(namespace, CloneFlags::CLONE_NEWNET).expect("root may enter a namespace");
                work()
            });
            inside.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked))
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Interfaces and rules go with it, as soon as the last process in it has ended.
        let _ = run(&["ip", "netns", "delete", &self.name]);
    }
}

/// A switch with hosts at 10.77.0.1, 10.77.0.2 …, as they are plugged in.
pub struct Network {
    switch: Namespace,
    hosts: Arc<AtomicU8>,
    ports: Mutex<Vec<String>>,
}

/// A machine in the network, with one address.
pub struct Host {
    namespace: Namespace,
    address: Mutex<Ipv4Addr>,
    /// How many hosts the network has by now.
    hosts: Arc<AtomicU8>,
}

impl Network {
    /// Returns `None`, with the reason printed, where networks cannot be built.
    pub fn new() -> Option<Self> {
        if !geteuid().is_root() {
            skip("building a network takes root");
            return None;
        }
        let built = (|| {
            let switch = Namespace::new()?;
            let add = ["ip", "-n", &switch.name, "link", "add", BRIDGE, "type", "bridge"];
            // A switch that floods multicast, and does so from the first moment.
            run(&[&add[..], &["mcast_snooping", "0", "stp_state", "0", "forward_delay", "0"]].concat())?;
            run(&["ip", "-n", &switch.name, "link", "set", BRIDGE, "up"])?;
            Ok(Self { switch, hosts: Arc::default(), ports: Mutex::default() })
        })();
        built.map_err(|reason: String| skip(&reason)).ok()
    }

    /// Plugs in a host with the next free address.
    ///
    /// # Panics
    /// Where the kernel has no virtual Ethernet: a network that began must hold.
    pub fn host(&self) -> Host {
        let n = self.hosts.fetch_add(1, Ordering::Relaxed) + 1;
        let address = Mutex::new(original_address(n));
        let host = Host { namespace: Namespace::new().unwrap(), address, hosts: Arc::clone(&self.hosts) };
        let (inside, switch) = (host.namespace.name.as_str(), self.switch.name.as_str());
        let port = format!("port{n}");
        let pair = ["ip", "link", "add", INTERFACE, "netns", inside, "type", "veth", "peer", "name", &port];
        run(&[&pair[..], &["netns", switch]].concat()).unwrap();
        run(&["ip", "-n", switch, "link", "set", &port, "master", BRIDGE, "up"]).unwrap();
        run(&["ip", "-n", inside, "link", "set", INTERFACE, "up"]).unwrap();
        host.add(host.address());
        self.ports.lock().unwrap().push(port);
        host
    }

    /// From now on loses this share of all packets between the hosts plugged in so far, ARP and IPv6 too. Returns
    /// false, with the reason printed, where neither netem nor nftables is there.
    #[must_use]
    pub fn lose(&self, percent: u8) -> bool {
        let share = format!("{percent}%");
        let netem = self.ports.lock().unwrap().iter().try_for_each(|port| {
            run(&["tc", "-n", &self.switch.name, "qdisc", "add", "dev", port, "root", "netem", "loss", &share])
        });
        let Err(no_netem) = netem else { return true };
        let lost = self.filter(&format!("numgen random mod 100 < {percent} drop"));
        if let Err(no_nftables) = &lost {
            skip(&format!("packets cannot be lost: {no_netem}; {no_nftables}"));
        }
        lost.is_ok()
    }

    /// From now on no UDP from or to this port passes the switch. Returns false, with the reason printed, where
    /// there are no nftables.
    #[must_use]
    pub fn block_udp(&self, port: u16) -> bool {
        let blocked = self
            .filter(&format!("ether type ip udp dport {port} drop"))
            .and_then(|()| self.filter(&format!("ether type ip udp sport {port} drop")))
            .and_then(|()| self.filter(&format!("ether type ip6 udp dport {port} drop")))
            .and_then(|()| self.filter(&format!("ether type ip6 udp sport {port} drop")));
        if let Err(reason) = &blocked {
            skip(&format!("a port cannot be blocked: {reason}"));
        }
        blocked.is_ok()
    }

    /// Adds a rule for what passes the switch.
    fn filter(&self, rule: &str) -> Result<(), String> {
        self.switch.within(|| {
            run(&["nft", "add table bridge story"])?;
            run(&["nft", "add chain bridge story passing { type filter hook forward priority 0; }"])?;
            run(&["nft", &format!("add rule bridge story passing {rule}")])
        })
    }
}

impl Host {
    pub fn address(&self) -> Ipv4Addr {
        *self.address.lock().unwrap()
    }

    /// As [`Namespace::within`]: what is opened or started there belongs to this host.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.namespace.within(work)
    }

    /// Gives up the address and takes another, as after a DHCP lease that was not renewed. Nothing more comes from
    /// the old address, not even the end of its connections.
    pub fn move_to(&self, address: Ipv4Addr) {
        let old = std::mem::replace(&mut *self.address.lock().unwrap(), address);
        self.add(address);
        self.delete(old);
        // Real hosts announce a new address by ARP. Asking for somebody's hardware address tells one's own, too,
        // and any datagram does that; without it the others would talk to the former owner for half a minute.
        self.within(|| {
            let socket = UdpSocket::bind((address, 0)).unwrap();
            for n in 1..=self.hosts.load(Ordering::Relaxed) {
                let _ = socket.send_to(b"", (original_address(n), DISCARD_PORT));
            }
        });
    }

    /// Has no address for now, like a box that boots and waits for its lease. [`Host::plug_in`] gives it back.
    pub fn unplug(&self) {
        self.delete(self.address());
    }

    pub fn plug_in(&self) {
        self.add(self.address());
    }

    fn add(&self, address: Ipv4Addr) {
        let (inside, address) = (self.namespace.name.as_str(), format!("{address}/24"));
        run(&["ip", "-n", inside, "address", "add", &address, "dev", INTERFACE]).unwrap();
        // Goes with the last address.
        run(&["ip", "-n", inside, "route", "replace", "224.0.0.0/4", "dev", INTERFACE]).unwrap();
    }

    fn delete(&self, address: Ipv4Addr) {
        let address = format!("{address}/24");
        run(&["ip", "-n", &self.namespace.name, "address", "delete", &address, "dev", INTERFACE]).unwrap();
    }
}
