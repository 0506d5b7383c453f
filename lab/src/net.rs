//! A home network in a box: a router, an internet, a console and a tablet as network namespaces.

use std::fs::File;
use std::io;
use std::path::Path;
use std::thread::JoinHandle;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Failure, Mac, exit};
use tempfile::TempDir;

use crate::procs::{self, Proc, ip, run, within};

pub(crate) const LAN: &str = "10.77.0";
pub(crate) const LAN6: &str = "fd77::";
/// Documentation addresses (RFC 5737, RFC 3849): nothing here can be meant for a real internet.
pub(crate) const INTERNET: &str = "203.0.113.2";
pub(crate) const INTERNET6: &str = "2001:db8:113::2";
/// The router's own addresses towards the internet.
pub(crate) const ROUTER: [&str; 2] = ["203.0.113.1", "2001:db8:113::1"];
/// What the tablet looks like from the internet: it has a translated address of its own there, so that a packet of
/// anybody else can be told from its packets.
pub(crate) const TABLET_OUT: [&str; 2] = ["203.0.113.10", "fd77::20"];
/// Registered to Microsoft Corporation and Apple, Inc. (IEEE MA-L).
pub(crate) const CONSOLE_MAC: &str = "60:45:bd:12:34:56";
pub(crate) const TABLET_MAC: &str = "f0:18:98:00:00:01";
/// The prefix of every namespace of the lab; the process id follows.
const PREFIX: &str = "sanlab";
/// The beginning of the name of its directory; the process id follows.
const DIR: &str = "sanctum-lab-";

/// The router's own rules, which Sanctum must live beside: everything that is established is accepted first, and IPv6
/// is let in freely. That is the hardest case for a block: a single packet from outside would open a flow again.
pub(crate) const BASE: &str = "table inet base {
  chain forward {
    type filter hook forward priority 0; policy accept;
    ct state established,related accept
    iifname \"br-lan\" accept
  }
  chain translate {
    type nat hook postrouting priority 100;
    oifname \"wan0\" ip saddr 10.77.0.20 snat to 203.0.113.10
    oifname \"wan0\" ip saddr 10.77.0.0/24 snat to 203.0.113.11
  }
}
";

/// The network; it is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) router: String,
    pub(crate) internet: String,
    pub(crate) console: String,
    pub(crate) tablet: String,
    pub(crate) dir: TempDir,
    dnsmasq: Option<Proc>,
    udhcpc: Option<Proc>,
}

impl Net {
    /// Builds it. Names carry our process id, so that two labs can run at once.
    pub(crate) fn up() -> Result<Self, Failure> {
        sweep();
        let name = |role: &str| format!("{PREFIX}{}{role}", std::process::id());
        let dir = tempfile::Builder::new().prefix(&format!("{DIR}{}-", std::process::id())).tempdir()?;
        let (router, internet, console, tablet) = (name("rt"), name("in"), name("co"), name("ta"));
        let mut net = Self { router, internet, console, tablet, dir, dnsmasq: None, udhcpc: None };
        for ns in net.names() {
            ip(&format!("netns add {ns}"))?;
            ip(&format!("-n {ns} link set lo up"))?;
        }
        net.wire()?;
        net.rules(BASE)?;
        let script = "#!/bin/sh\ncase \"$1\" in\n  bound|renew) ip addr replace \"$ip/${mask:-24}\" dev \"$interface\"\n    [ -n \"$router\" ] && ip route replace default via \"${router%% *}\" ;;\nesac\nexit 0\n";
        sanctum_kernel::files::replace(&net.dir.path().join("udhcpc.sh"), script.as_bytes(), 0o755)?;
        net.dnsmasq = Some(net.serve_dhcp()?);
        Ok(net)
    }

    fn names(&self) -> [&str; 4] {
        [&self.router, &self.internet, &self.console, &self.tablet]
    }

    fn wire(&self) -> Result<(), Failure> {
        let (rt, inet) = (&self.router, &self.internet);
        let on = |ns: &str, words: &str| ip(&format!("-n {ns} {words}")).map(drop);
        on(rt, "link add br-lan type bridge forward_delay 0 stp_state 0")?;
        on(rt, "link set br-lan address 02:00:5e:77:00:01")?;
        for (port, ns) in [("p-console", &self.console), ("p-tablet", &self.tablet)] {
            on(rt, &format!("link add {port} type veth peer name eth0 netns {ns}"))?;
            on(rt, &format!("link set {port} master br-lan up"))?;
        }
        on(rt, &format!("link add wan0 type veth peer name eth0 netns {inet}"))?;
        on(rt, "link set br-lan up")?;
        on(rt, "link set wan0 up")?;
        on(rt, &format!("addr add {LAN}.1/24 dev br-lan"))?;
        on(rt, &format!("addr add {LAN6}1/64 dev br-lan nodad"))?;
        for host in [1, 10, 11] {
            on(rt, &format!("addr add 203.0.113.{host}/24 dev wan0"))?;
        }
        on(rt, "addr add 2001:db8:113::1/64 dev wan0 nodad")?;
        let knobs =
            ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.netfilter.nf_conntrack_acct=1"];
        run(within(rt, "sysctl", &[&["-qw"], &knobs[..]].concat()), "")?;
        // A console that may use its IPv6 address at once is the hardest to be quicker than.
        run(
            within(
                &self.console,
                "sysctl",
                &["-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.eth0.accept_dad=0"],
            ),
            "",
        )?;
        on(inet, &format!("addr add {INTERNET}/24 dev eth0"))?;
        on(inet, &format!("addr add {INTERNET6}/64 dev eth0 nodad"))?;
        on(inet, "link set eth0 up")?;
        on(inet, &format!("-6 route add {LAN6}/64 via 2001:db8:113::1"))?;
        Self::by_hand(&self.tablet, TABLET_MAC.parse()?, 20)
    }

    /// Gives a device addresses by hand.
    pub(crate) fn by_hand(ns: &str, mac: Mac, host: u16) -> Result<(), Failure> {
        let on = |words: &str| ip(&format!("-n {ns} {words}")).map(drop);
        on("link set eth0 down")?;
        on(&format!("link set eth0 address {mac}"))?;
        on("addr flush dev eth0")?;
        on("link set eth0 up")?;
        on(&format!("addr replace {LAN}.{host}/24 dev eth0"))?;
        on(&format!("addr replace {LAN6}{host}/64 dev eth0 nodad"))?;
        on(&format!("route replace default via {LAN}.1"))?;
        on(&format!("-6 route replace default via {LAN6}1"))
    }

    /// Loads rules into the router as one transaction.
    pub(crate) fn rules(&self, rules: &str) -> Result<(), Failure> {
        run(within(&self.router, "nft", &["-f", "-"]), rules).map(drop)
    }

    /// What the router's kernel holds, read by `nft` itself.
    pub(crate) fn nft(&self, words: &str) -> Result<String, Failure> {
        let words: Vec<&str> = words.split_whitespace().collect();
        run(within(&self.router, "nft", &words), "")
    }

    /// Debian's dnsmasq, with its default probe of an address before it offers it, and router advertisements.
    fn serve_dhcp(&self) -> Result<Proc, Failure> {
        let dir = self.dir.path();
        let ready = dir.join("dnsmasq.pid");
        let args = [
            "--keep-in-foreground".to_owned(),
            "--conf-file=/dev/null".to_owned(),
            "--user=root".to_owned(),
            "--port=0".to_owned(),
            "--interface=br-lan".to_owned(),
            "--bind-interfaces".to_owned(),
            "--dhcp-authoritative".to_owned(),
            format!("--pid-file={}", ready.display()),
            format!("--dhcp-range={LAN}.100,{LAN}.250,255.255.255.0,1h"),
            format!("--dhcp-range={LAN6},ra-only"),
            "--enable-ra".to_owned(),
            format!("--dhcp-leasefile={}", dir.join("leases").display()),
            format!("--log-facility={}", dir.join("dnsmasq.log").display()),
        ];
        let words: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut dnsmasq = Proc::start("dnsmasq", within(&self.router, "dnsmasq", &words))?;
        crate::wait::blocking("dnsmasq to serve", 5, || {
            if let Some(how) = dnsmasq.ended() {
                return Some(Err(Failure::from(how)));
            }
            ready.exists().then_some(Ok(()))
        })??;
        Ok(dnsmasq)
    }

    /// Unplugs the console.
    pub(crate) fn unplug(&mut self) -> Result<(), Failure> {
        self.udhcpc = None;
        ip(&format!("-n {} addr flush dev eth0", self.console))?;
        ip(&format!("-n {} link set eth0 down", self.console)).map(drop)
    }

    /// Plugs the console in with this address; a real DHCP client says what an Xbox says.
    pub(crate) fn plug(&mut self, mac: Mac) -> Result<(), Failure> {
        let ns = &self.console;
        ip(&format!("-n {ns} link set eth0 address {mac}"))?;
        ip(&format!("-n {ns} link set eth0 up"))?;
        self.udhcpc = Some(self.ask_for_lease()?);
        Ok(())
    }

    /// A real DHCP client that says what an Xbox says.
    pub(crate) fn ask_for_lease(&self) -> Result<Proc, Failure> {
        let script = self.dir.path().join("udhcpc.sh").display().to_string();
        let args = [
            "-f",
            "-i",
            "eth0",
            "-s",
            &script,
            "-x",
            "hostname:XBOX",
            "-V",
            "MSFT 5.0 XBOX",
            "-t",
            "10",
            "-T",
            "2",
            "-A",
            "2",
        ];
        let mut command = within(&self.console, "udhcpc", &args);
        let log = File::create(self.dir.path().join("udhcpc.log"))?;
        command.stdout(log.try_clone()?).stderr(log);
        Proc::start("udhcpc", command)
    }

    /// Whether the console has an address of this kind from the router.
    pub(crate) fn has_address(&self, beginning: &str) -> bool {
        ip(&format!("-n {} -o addr show dev eth0", self.console)).is_ok_and(|shown| shown.contains(beginning))
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        self.udhcpc = None;
        self.dnsmasq = None;
        for ns in self.names() {
            remove(ns);
        }
    }
}

fn remove(ns: &str) {
    procs::clear(ns);
    // It is not there if it had not been made yet.
    ip(&format!("netns del {ns}")).ok();
}

/// Removes what labs left behind that were killed: their process is gone, their namespaces and directories are not.
fn sweep() {
    for ns in left_behind(Path::new("/run/netns"), PREFIX) {
        remove(&ns);
    }
    let temporary = std::env::temp_dir();
    for dir in left_behind(&temporary, DIR) {
        std::fs::remove_dir_all(temporary.join(dir)).ok();
    }
}

/// Names in a directory that carry the id of a process of ours that is gone.
fn left_behind(place: &Path, prefix: &str) -> Vec<String> {
    let names = std::fs::read_dir(place)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    let is_orphan = |name: &String| {
        let owner: Option<String> =
            name.strip_prefix(prefix).map(|rest| rest.chars().take_while(char::is_ascii_digit).collect());
        owner.is_some_and(|owner| !owner.is_empty() && !Path::new("/proc").join(owner).exists())
    };
    names.filter(is_orphan).collect()
}

/// Moves the calling thread into a namespace; threads and processes it starts are born there.
pub(crate) fn enter(ns: &str) -> io::Result<()> {
    let door = File::open(Path::new("/run/netns").join(ns))?;
    move_into_link_name_space(std::os::fd::AsFd::as_fd(&door), Some(LinkNameSpaceType::Network))?;
    Ok(())
}

/// Runs `work` on a thread inside a namespace. It is given precedence: measuring must not wait for the measured.
pub(crate) fn inside<T, F>(ns: &str, name: &str, work: F) -> io::Result<JoinHandle<io::Result<T>>>
where
    T: Send + 'static,
    F: FnOnce() -> io::Result<T> + Send + 'static,
{
    let ns = ns.to_owned();
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        enter(&ns)?;
        rustix::process::setpriority_process(None, -10)?;
        work()
    })
}

/// Says what is missing before anything is begun.
pub(crate) fn check_tools(browser: bool) -> Result<(), Failure> {
    if !rustix::process::geteuid().is_root() {
        return Err(Hinted::new(
            exit::NO_PERMISSION,
            "network namespaces need root",
            "run `sudo make lab`, or `sudo -E sanctum-lab story`",
        )
        .into());
    }
    let needed = [
        ("ip", "iproute2"),
        ("nft", "nftables"),
        ("dnsmasq", "dnsmasq-base"),
        ("udhcpc", "udhcpc"),
        ("sysctl", "procps"),
    ];
    let mut missing: Vec<(&str, &str)> =
        needed.into_iter().filter(|(program, _)| procs::find(program).is_none()).collect();
    if browser && crate::browser::program().is_none() {
        missing.push(("chromium", "chromium"));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let programs: Vec<&str> = missing.iter().map(|(program, _)| *program).collect();
    let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    let hint = format!("on Debian: apt-get install -y --no-install-recommends {}", packages.join(" "));
    Err(Hinted::new(exit::UNAVAILABLE, format!("not installed: {}", programs.join(", ")), hint).into())
}
