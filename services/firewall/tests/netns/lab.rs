//! A home in network namespaces: a router with a bridge, a console, a tablet, and an internet.
//!
//! Every name carries this process's id; what is made here is removed here, and nothing else is.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use sanctum_api::firewall::{Client, Device, Happening};
use sanctum_firewall::Firewall;
use sanctum_kernel::{Catalogue, Context, Entry, Failure, Listen, Service, Spec, Stop};
use sanctum_testkit::{House, Stopped, eventually};

pub(crate) const XBOX: &str = "60:45:bd:12:34:56";
pub(crate) const TABLET: &str = "f0:18:98:00:00:01";
pub(crate) const INTERNET4: &str = "203.0.113.2";
pub(crate) const INTERNET6: &str = "2001:db8:113::2";

static CATALOGUE: Catalogue =
    const { Catalogue::new(const { &[Entry::of::<Firewall>(), Entry::of::<Hub>()] }) };
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A stand-in for the notification hub.
struct Hub(std::net::TcpListener);

impl Service for Hub {
    const SPEC: Spec = Spec {
        name: "notify",
        listen: &[Listen { name: "http", port: 4077, lore: "a stand-in" }],
        ..Spec::DEFAULT
    };
    type Config = std::collections::BTreeMap<String, String>;

    async fn build(mut cx: Context<Self::Config>) -> Result<Self, Failure> {
        Ok(Self(cx.listener("http")?))
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        stop.requested().await;
        drop(self.0);
        Ok(())
    }
}

/// The namespaces of one test.
pub(crate) struct Lab {
    stem: String,
    made: Vec<String>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        for name in &self.made {
            let _done = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

impl Lab {
    pub(crate) fn up() -> Self {
        assert!(rustix::process::geteuid().is_root(), "these tests make network namespaces and need root");
        let stem = format!("sfw{}x{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut lab = Self { stem, made: Vec::new() };
        for part in ["rt", "xb", "tb", "in"] {
            let name = lab.name(part);
            run("ip", &["netns", "add", &name]);
            lab.made.push(name);
            lab.ip(part, "link set lo up");
        }
        lab.ip("rt", "link add br-lan address 02:00:5e:77:00:01 type bridge forward_delay 0 stp_state 0");
        for (port, part) in [("p-xbox", "xb"), ("p-tablet", "tb")] {
            let peer = lab.name(part);
            lab.ip("rt", &format!("link add {port} type veth peer name eth0 netns {peer}"));
            lab.ip("rt", &format!("link set {port} master br-lan up"));
        }
        let peer = lab.name("in");
        lab.ip("rt", &format!("link add wan0 type veth peer name eth0 netns {peer}"));
        for line in [
            "link set br-lan up",
            "link set wan0 up",
            "address add 10.77.0.1/24 dev br-lan",
            "address add 203.0.113.1/24 dev wan0",
            "address add fd77::1/64 dev br-lan nodad",
            "address add 2001:db8:113::1/64 dev wan0 nodad",
        ] {
            lab.ip("rt", line);
        }
        for key in ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"] {
            lab.exec("rt", &["sysctl", "-qw", key]);
        }
        lab.ip("in", "address add 203.0.113.2/24 dev eth0");
        lab.ip("in", "address add 2001:db8:113::2/64 dev eth0 nodad");
        lab.ip("in", "link set eth0 up");
        lab.ip("in", "-6 route add fd77::/64 via 2001:db8:113::1");
        // Somebody else's permissive firewall: connections go on, the LAN may go out, and v4 is translated.
        lab.nft("rt", "table inet base { chain f { type filter hook forward priority 0; ct state established,related accept; }; chain n { type nat hook postrouting priority 100; oifname \"wan0\" masquerade; }; }");
        lab.address("tb", TABLET, 20);
        lab
    }

    pub(crate) fn name(&self, part: &str) -> String {
        format!("{}{part}", self.stem)
    }

    /// `ip` inside a part of the lab.
    pub(crate) fn ip(&self, part: &str, line: &str) {
        let name = self.name(part);
        let mut args = vec!["-n", &name];
        args.extend(line.split_whitespace());
        run("ip", &args);
    }

    pub(crate) fn exec(&self, part: &str, command: &[&str]) -> String {
        let name = self.name(part);
        let mut args = vec!["netns", "exec", &name];
        args.extend(command);
        String::from_utf8_lossy(&run("ip", &args).stdout).into_owned()
    }

    pub(crate) fn try_exec(&self, part: &str, command: &[&str]) -> bool {
        let name = self.name(part);
        let mut all = Command::new("ip");
        all.args(["netns", "exec", &name]).args(command).stdout(Stdio::null()).stderr(Stdio::null());
        all.status().unwrap().success()
    }

    pub(crate) fn nft(&self, part: &str, text: &str) {
        self.exec(part, &["nft", text]);
    }

    /// Gives a device its address by hand, as a child would type it.
    pub(crate) fn address(&self, part: &str, mac: &str, host: u8) {
        self.plug(part, mac);
        self.ip(part, &format!("address replace 10.77.0.{host}/24 dev eth0"));
        self.ip(part, &format!("address replace fd77::{host}/64 dev eth0 nodad"));
        self.ip(part, "route replace default via 10.77.0.1");
        self.ip(part, "-6 route replace default via fd77::1");
    }

    pub(crate) fn plug(&self, part: &str, mac: &str) {
        self.ip(part, "link set eth0 down");
        self.ip(part, &format!("link set eth0 address {mac}"));
        self.ip(part, "link set eth0 up");
    }

    pub(crate) fn pings(&self, part: &str, to: &str) -> bool {
        self.try_exec(part, &["ping", "-c1", "-W1", to])
    }

    /// A file that is the namespace.
    fn file(&self, part: &str) -> File {
        File::open(format!("/run/netns/{}", self.name(part))).unwrap()
    }

    /// Runs `work` on a thread inside a part of the lab.
    pub(crate) fn inside<T: Send + 'static>(
        &self,
        part: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> std::thread::JoinHandle<T> {
        let file = self.file(part);
        std::thread::spawn(move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            work()
        })
    }

    /// Runs `work` on a runtime whose threads all live in the router.
    pub(crate) fn on_router<T: Send + 'static, F: Future<Output = T>>(
        &self,
        work: impl FnOnce() -> F + Send + 'static,
    ) -> T {
        let thread = self.inside("rt", move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(work())
        });
        match thread.join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn run(program: &str, args: &[&str]) -> Output {
    let output = Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("`{program}` is needed: {error}"));
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A house whose router is this namespace.
pub(crate) fn house(config: &str) -> Stopped {
    let text = format!(
        "[device.xbox]\nmac = [\"{XBOX}\"]\ntier = \"gaming\"\n[device.tablet]\nmac = [\"{TABLET}\"]\ntier = \"personal\"\n\
         [firewall]\nbackend = \"nftables\"\naway = \"200ms\"\n{config}"
    );
    House::new(&CATALOGUE).config(&text)
}

pub(crate) fn client(house: &House) -> Client {
    Client::new(house.transport("firewall"))
}

pub(crate) async fn desire(house: &House, blocks: serde_json::Value, newcomers: &str) {
    let version = client(house).desired().await.unwrap().version + 1;
    let body = serde_json::json!({ "version": version, "blocks": blocks, "newcomers": newcomers });
    let (status, answer) = house.send("firewall", "PUT", "/desired", &body).await;
    assert_eq!(status, 200, "{answer}");
}

pub(crate) fn curfew() -> serde_json::Value {
    serde_json::json!({ "scope": "all", "reason": "curfew" })
}

pub(crate) async fn until(house: &House, id: &str, what: &str, right: impl Fn(&Device) -> bool) -> Device {
    eventually(what, Duration::from_secs(10), async || {
        client(house).device(id).await.ok().filter(|device| right(device))
    })
    .await
}

/// Follows the events.
pub(crate) struct Heard(sanctum_api::Events);

impl Heard {
    pub(crate) async fn from_now(house: &House) -> Self {
        Self(client(house).events(None).await.unwrap())
    }

    /// The next event for which `right` holds; all others are passed over.
    pub(crate) async fn next(&mut self, what: &str, right: impl Fn(&Happening) -> bool) -> Happening {
        let wait = async {
            loop {
                let event = std::future::poll_fn(|cx| self.0.as_mut().poll_next(cx)).await.unwrap().unwrap();
                if let Some(happening) = serde_json::from_str(&event.data).ok().filter(&right) {
                    return happening;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(15), wait)
            .await
            .unwrap_or_else(|_| panic!("waited for {what}"))
    }

    /// Everything that comes within `period`.
    pub(crate) async fn during(&mut self, period: Duration) -> Vec<Happening> {
        let mut all = Vec::new();
        let wait = async {
            while let Some(Ok(event)) = std::future::poll_fn(|cx| self.0.as_mut().poll_next(cx)).await {
                all.extend(serde_json::from_str::<Happening>(&event.data));
            }
        };
        let _over = tokio::time::timeout(period, wait).await;
        all
    }
}
