//! Single services are cut by the addresses that a real DNS server answers, and nothing else is.

use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use sanctum_api::firewall::Verdict;
use sanctum_testkit::eventually;
use serde_json::json;

use crate::lab::{INTERNET4, INTERNET6, Lab, XBOX, client, desire, house, until};

const VIDEO4: &str = "203.0.113.3";
const VIDEO6: &str = "2001:db8:113::3";
const LATER4: &str = "203.0.113.4";

/// The router's DNS server; ends with the test.
struct Dns(Child);

impl Drop for Dns {
    fn drop(&mut self) {
        let _done = (self.0.kill(), self.0.wait());
    }
}

fn dns(lab: &Lab) -> Dns {
    let answers = [
        ("www.youtube.com", VIDEO4),
        ("www.youtube.com", VIDEO6),
        ("later.youtube.com", LATER4),
        ("example.org", INTERNET4),
    ];
    let child = Command::new("ip")
        .args(["netns", "exec", &lab.name("rt"), "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null"])
        .args(["--no-resolv", "--no-hosts", "--pid-file=", "--user=root", "--bind-interfaces", "--port=53"])
        .args(["--listen-address=10.77.0.1", "--local-ttl=60"])
        .args(answers.map(|(name, address)| format!("--host-record={name},{address}")))
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("`ip` is needed: {error}"));
    Dns(child)
}

/// Asks the router for a name's addresses, as a device does; whether it answered with one.
fn resolve(lab: &Lab, part: &str, name: &'static str, kind: u8) -> bool {
    let asked = lab.inside(part, move || {
        let mut query = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0".to_vec();
        for label in name.split('.') {
            query.push(u8::try_from(label.len()).unwrap());
            query.extend(label.as_bytes());
        }
        query.extend([0, 0, kind, 0, 1]);
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut room = [0; 1500];
        socket.send_to(&query, "10.77.0.1:53").is_ok()
            && socket.recv(&mut room).is_ok_and(|length| length > query.len() && room[7] > 0)
    });
    asked.join().unwrap()
}

async fn resolved(lab: &Lab, part: &str, name: &'static str, kind: u8) {
    eventually("an answer of dnsmasq", Duration::from_secs(10), async || {
        resolve(lab, part, name, kind).then_some(())
    })
    .await;
}

async fn cut(lab: &Lab, address: &str) {
    eventually("the address to be cut", Duration::from_secs(5), async || {
        (!lab.pings("xb", address)).then_some(())
    })
    .await;
}

fn homework(services: &[&str]) -> serde_json::Value {
    json!({ "xbox": { "scope": { "services": services }, "reason": "homework" } })
}

fn lab() -> Arc<Lab> {
    let lab = Lab::up();
    for address in [VIDEO4, LATER4] {
        lab.ip("in", &format!("address add {address}/24 dev eth0"));
    }
    lab.ip("in", &format!("address add {VIDEO6}/64 dev eth0 nodad"));
    lab.address("xb", XBOX, 50);
    Arc::new(lab)
}

#[test]
fn a_service_is_cut_where_its_names_lead_and_everything_else_stays() {
    let lab = lab();
    let inner = Arc::clone(&lab);
    lab.on_router(move || async move {
        let lab = inner;
        let _dns = dns(&lab);
        let house = house("reconcile = \"1s\"\n").start().await;
        // Resolved before the block: the memory cuts it all the same.
        resolved(&lab, "tb", "www.youtube.com", 1).await;
        resolved(&lab, "tb", "example.org", 1).await;
        assert!(lab.pings("xb", VIDEO4) && lab.pings("xb", VIDEO6) && lab.pings("xb", LATER4));
        desire(&house, homework(&["youtube"]), "allow").await;
        let state = client(&house).device("xbox").await.unwrap().block.unwrap();
        assert_eq!(state.verdict, Verdict::Applied, "{}", state.evidence);
        assert!(state.evidence.contains("1 addresses"), "{}", state.evidence);
        assert!(!lab.pings("xb", VIDEO4));
        // What is resolved while the block holds is cut as soon as the answer is out, in v6 as in v4.
        resolved(&lab, "xb", "www.youtube.com", 28).await;
        resolved(&lab, "xb", "later.youtube.com", 1).await;
        cut(&lab, VIDEO6).await;
        cut(&lab, LATER4).await;
        let proven = until(&house, "xbox", "the proof", |device| {
            device.block.as_ref().unwrap().verdict == Verdict::Proven
        });
        let evidence = proven.await.block.unwrap().evidence;
        assert!(evidence.contains("0 passed to 3 addresses"), "{evidence}");
        // Nothing else, and nobody else.
        assert!(lab.pings("xb", INTERNET4) && lab.pings("xb", INTERNET6) && lab.pings("xb", "10.77.0.20"));
        assert!(lab.pings("tb", VIDEO4) && lab.pings("tb", VIDEO6) && lab.pings("tb", LATER4));
        // Another service instead, everything, and this one again.
        desire(&house, homework(&["netflix"]), "allow").await;
        assert!(lab.pings("xb", VIDEO4) && lab.pings("xb", VIDEO6));
        desire(&house, json!({ "xbox": { "scope": "all", "reason": "curfew" } }), "allow").await;
        assert!(!lab.pings("xb", INTERNET4));
        desire(&house, homework(&["youtube"]), "allow").await;
        assert!(lab.pings("xb", INTERNET4) && !lab.pings("xb", VIDEO4) && !lab.pings("xb", VIDEO6));
        desire(&house, json!({}), "allow").await;
        assert!(lab.pings("xb", VIDEO4) && lab.pings("xb", VIDEO6) && lab.pings("xb", LATER4));
        let left = lab.exec("rt", &["nft", "list", "ruleset"]);
        assert!(!left.contains(". 203.0.113.3") && !left.contains(". 2001:db8:113::3"), "{left}");
        house.stop().await;
    });
}

#[test]
fn what_is_deleted_comes_back_and_what_the_kernel_holds_outlives_the_service() {
    let lab = lab();
    let inner = Arc::clone(&lab);
    lab.on_router(move || async move {
        let lab = inner;
        let _dns = dns(&lab);
        let house = house("reconcile = \"1s\"\n").start().await;
        desire(&house, homework(&["youtube"]), "allow").await;
        let state = client(&house).device("xbox").await.unwrap().block.unwrap();
        assert_eq!(state.verdict, Verdict::Applied);
        assert!(state.evidence.contains("no address"), "{}", state.evidence);
        resolved(&lab, "xb", "www.youtube.com", 1).await;
        cut(&lab, VIDEO4).await;
        for sabotage in [
            format!("delete element inet sanctum svc4 {{ {XBOX} . {VIDEO4} }}"),
            format!("delete element bridge sanctum svc4 {{ {XBOX} . {VIDEO4} }}"),
            format!("delete element inet sanctum served {{ {XBOX} }}"),
            "delete table inet sanctum".to_owned(),
        ] {
            lab.nft("rt", &sabotage);
            eventually("the repair", Duration::from_secs(10), async || {
                let text = lab.exec("rt", &["nft", "list", "ruleset"]);
                (text.matches(&format!(". {VIDEO4}")).count() == 2).then_some(())
            })
            .await;
            cut(&lab, VIDEO4).await;
        }
        let stopped = house.stop().await;
        assert!(!lab.pings("xb", VIDEO4) && lab.pings("xb", INTERNET4));
        let house = stopped.start().await;
        until(&house, "xbox", "the block", |device| {
            device.block.as_ref().is_some_and(|block| block.verdict != Verdict::Missing)
        })
        .await;
        assert!(!lab.pings("xb", VIDEO4) && lab.pings("xb", INTERNET4));
        // A name of nobody's is refused, and the answer names those that there are.
        let body = json!({ "scope": { "services": ["yotube"] }, "reason": "typo" });
        let (status, answer) = house.send("firewall", "PUT", "/devices/tablet/block", &body).await;
        assert_eq!(status, 422, "{answer}");
        assert!(answer.to_string().contains("youtube"), "{answer}");
        house.stop().await;
    });
}
