//! A private network for a scenario: hosts with real addresses, multicast, loss and blocked ports.
//!
//! Each host is a network namespace with one interface, connected to a bridge in a namespace that
//! acts as the switch. Nothing reaches the machine's own network, and everything is removed with
//! the [`Network`]. It needs root and a kernel with namespaces; a scenario that gets no network
//! prints the reason and ends.

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

/// A port on which nothing listens.
const DISCARD_PORT: u16 = 9;

fn original_address(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, n)
}

/// Prints why a scenario was skipped, bypassing the capture of the test harness.
fn skip(reason: &str) {
    let thread = thread::current();
    let _ = writeln!(io::stderr(), "skipped: {}: {reason}", thread.name().unwrap_or("a test"));
}

/// Runs a command to its end; the error is its output.
fn run(words: &[&str]) -> Result<(), String> {
    let output = Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{}: {error}", words[0]))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

/// A network namespace with loopback up, removed when the value is dropped.
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
            // The kernel keeps a second address when the first is removed.
            let _ = fs::write("/proc/sys/net/ipv4/conf/default/promote_secondaries", "1");
            // A link-local address may be used at once, because no other host can have it. Without
            // IPv6 this file does not exist.
            let _ = fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
        });
        run(&["ip", "-n", &namespace.name, "link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// Runs `work` in a thread inside this namespace. Sockets opened and processes started there
    /// stay there, wherever they are used later.
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
        // The kernel removes interfaces and rules with it, as soon as its last process has ended.
        let _ = run(&["ip", "netns", "delete", &self.name]);
    }
}

/// A switch with hosts at 10.77.0.1, 10.77.0.2 …, in the order in which they are connected.
pub struct Network {
    switch: Namespace,
    hosts: Arc<AtomicU8>,
    ports: Mutex<Vec<String>>,
}

/// A machine in the network, with one address.
pub struct Host {
    namespace: Namespace,
    address: Mutex<Ipv4Addr>,
    /// The number of hosts in the network so far.
    hosts: Arc<AtomicU8>,
}

impl Network {
    /// Returns `None` and prints the reason if networks cannot be created.
    pub fn new() -> Option<Self> {
        if !geteuid().is_root() {
            skip("building a network takes root");
            return None;
        }
        let built = (|| {
            let switch = Namespace::new()?;
            let add = ["ip", "-n", &switch.name, "link", "add", BRIDGE, "type", "bridge"];
            // A bridge that floods multicast and forwards from the first moment.
            run(&[&add[..], &["mcast_snooping", "0", "stp_state", "0", "forward_delay", "0"]].concat())?;
            run(&["ip", "-n", &switch.name, "link", "set", BRIDGE, "up"])?;
            Ok(Self { switch, hosts: Arc::default(), ports: Mutex::default() })
        })();
        built.map_err(|reason: String| skip(&reason)).ok()
    }

    /// Connects a host with the next free address.
    ///
    /// # Panics
    /// If the kernel has no virtual Ethernet: a network once created must work.
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

    /// From now on the switch forwards a group only to those who said that they want it within the last `hundredths`
    /// of a second. Returns false and prints the reason if the bridge cannot.
    #[must_use]
    pub fn snoop(&self, hundredths: &str) -> bool {
        let switch = ["ip", "-n", &self.switch.name, "link", "set", BRIDGE, "type", "bridge"];
        // A bridge that has heard no querier floods; this one asks once and then not for two minutes.
        let snoops = ["mcast_snooping", "1", "mcast_querier", "1", "mcast_startup_query_count", "1"];
        let forgets = ["mcast_membership_interval", hundredths, "mcast_query_response_interval", "100"];
        let set = run(&[&switch[..], &snoops, &forgets].concat());
        if let Err(reason) = &set {
            skip(&format!("the switch cannot snoop: {reason}"));
        }
        set.is_ok()
    }

    /// From now on drops this share of all packets between the hosts connected so far, including
    /// ARP and IPv6. Returns false and prints the reason if neither netem nor nftables is
    /// available.
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

    /// From now on the switch drops UDP from or to this port. Returns false and prints the reason
    /// if nftables is not available.
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

    /// Adds a rule for packets that pass the switch.
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

    /// Like [`Namespace::within`]: sockets and processes made by `work` belong to this host.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.namespace.within(work)
    }

    /// Replaces the address, as after a DHCP lease that was not renewed. Nothing more comes from
    /// the old address, not even the end of its connections.
    pub fn move_to(&self, address: Ipv4Addr) {
        let old = std::mem::replace(&mut *self.address.lock().unwrap(), address);
        self.add(address);
        self.delete(old);
        // Real hosts announce a new address by ARP. An ARP request also tells the sender's own
        // hardware address, and any datagram causes one; without it the others would send to the
        // former owner for half a minute.
        self.within(|| {
            let socket = UdpSocket::bind((address, 0)).unwrap();
            for n in 1..=self.hosts.load(Ordering::Relaxed) {
                let _ = socket.send_to(b"", (original_address(n), DISCARD_PORT));
            }
        });
    }

    /// Removes the address, as on a machine that boots and waits for its lease. [`Host::plug_in`]
    /// restores it.
    pub fn unplug(&self) {
        self.delete(self.address());
    }

    pub fn plug_in(&self) {
        self.add(self.address());
    }

    fn add(&self, address: Ipv4Addr) {
        let (inside, address) = (self.namespace.name.as_str(), format!("{address}/24"));
        run(&["ip", "-n", inside, "address", "add", &address, "dev", INTERFACE]).unwrap();
        // The kernel removed this route with the last address.
        run(&["ip", "-n", inside, "route", "replace", "224.0.0.0/4", "dev", INTERFACE]).unwrap();
    }

    fn delete(&self, address: Ipv4Addr) {
        let address = format!("{address}/24");
        run(&["ip", "-n", &self.namespace.name, "address", "delete", &address, "dev", INTERFACE]).unwrap();
    }
}
