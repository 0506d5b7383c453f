//! The way out, in a network of the test's own: a thread that has left the machine's network, and ends with the test.

use std::process::Command;
use std::sync::Arc;

use sanctum_watch::engine::Acted;
use sanctum_watch::heal::Healer;

use super::ward::{evidence, home, open, refused};

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("this test needs ip(8)");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

fn routes() -> String {
    shown("-4")
}

fn routes_6() -> String {
    shown("-6")
}

fn shown(family: &str) -> String {
    let output = Command::new("ip").args([family, "route", "show", "default"]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Runs `work` on a thread in an empty network.
async fn elsewhere<F>(healer: &Arc<Healer>, work: impl FnOnce(Arc<Healer>) -> F + Send + 'static)
where
    F: Future<Output = ()>,
{
    let healer = Arc::clone(healer);
    let thread = std::thread::spawn(move || {
        #[expect(
            unsafe_code,
            reason = "the call can also unshare descriptors, which is not asked of it here"
        )]
        // SAFETY: only the network of this one thread changes; no descriptor is shared anew or unshared by it.
        let left = unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) };
        left.expect("this test needs root: it makes a network of its own");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(work(healer));
    });
    let joined = tokio::task::spawn_blocking(move || thread.join()).await.unwrap();
    if let Err(panic) = joined {
        std::panic::resume_unwind(panic);
    }
}

#[tokio::test]
async fn a_lost_default_route_is_set_again_and_can_be_dropped_again() {
    let ward = open(home(), vec![], vec![], "").await;
    let order = ward.order(None, "lost-route", evidence("icmp", "network is unreachable"));
    elsewhere(&ward.healer, async move |healer: Arc<Healer>| {
        ip("link add wan type veth peer name far");
        ip("addr add 10.99.7.2/24 dev wan");
        ip("link set wan up");
        ip("link set far up");
        let why = refused(healer.act(order.clone()).await);
        assert!(why.contains("none was seen before"), "{why}");
        ip("route add default via 10.99.7.1 dev wan metric 50");
        let why = refused(healer.act(order.clone()).await);
        assert!(why.contains("there is a default route: default via 10.99.7.1 on wan"), "{why}");
        healer.remember().await;
        ip("route del default");
        healer.remember().await;
        let rehearsed = healer.act(order.clone()).await;
        assert!(matches!(rehearsed, Acted::Rehearsed(_)), "{rehearsed:?}");
        assert_eq!(routes(), "", "a rehearsal changes nothing");
        let done = healer.act(order.clone()).await;
        assert!(matches!(done, Acted::Done(_)), "{done:?}");
        assert_eq!(routes(), "default via 10.99.7.1 dev wan metric 50");
        let line = healer.audit(1).await.unwrap().into_iter().find(|line| line.outcome == "acted").unwrap();
        assert_eq!(line.undo.as_deref(), Some("drop the route default via 10.99.7.1 on wan"));
        healer.undo(line.id, "ava").await.unwrap();
        assert_eq!(routes(), "");
        // In another network the old gateway is of no use.
        ip("addr del 10.99.7.2/24 dev wan");
        ip("addr add 192.168.44.2/24 dev wan");
        let why = refused(healer.run_recipe("lost-route", None, "ava").await);
        assert!(why.starts_with("cool-down") || why.contains("in no network of this machine"), "{why}");
    })
    .await;
    ward.house.stop().await;
}

#[tokio::test]
async fn a_lost_default_route_of_the_new_protocol_is_set_again() {
    let ward = open(home(), vec![], vec![], "").await;
    let order = ward.order(None, "lost-route", evidence("icmp", "network is unreachable"));
    elsewhere(&ward.healer, async move |healer: Arc<Healer>| {
        ip("link add wan type veth peer name far");
        ip("-6 addr add fd00:99::2/64 dev wan nodad");
        ip("addr add 10.99.7.2/24 dev wan");
        ip("link set wan up");
        ip("link set far up");
        ip("route add default via 10.99.7.1 dev wan metric 50");
        ip("-6 route add default via fd00:99::1 dev wan metric 77");
        healer.remember().await;
        ip("-6 route del default");
        let rehearsed = healer.act(order.clone()).await;
        assert!(matches!(rehearsed, Acted::Rehearsed(_)), "{rehearsed:?}");
        assert_eq!(routes_6(), "");
        let done = healer.act(order.clone()).await;
        assert!(matches!(done, Acted::Done(_)), "{done:?}");
        assert!(routes_6().starts_with("default via fd00:99::1 dev wan metric 77"), "{}", routes_6());
        assert_eq!(
            routes(),
            "default via 10.99.7.1 dev wan metric 50",
            "the other one was there all the time"
        );
    })
    .await;
    ward.house.stop().await;
}

#[tokio::test]
async fn another_network_than_that_of_the_old_gateway_is_a_persons_to_look_at() {
    let ward = open(home(), vec![], vec![], "").await;
    let order = ward.order(None, "lost-route", evidence("icmp", "network is unreachable"));
    elsewhere(&ward.healer, async move |healer: Arc<Healer>| {
        ip("link add wan type veth peer name far");
        ip("addr add 10.99.7.2/24 dev wan");
        ip("link set wan up");
        ip("link set far up");
        ip("route add default via 10.99.7.1 dev wan");
        healer.remember().await;
        ip("addr flush dev wan");
        ip("addr add 192.168.44.2/24 dev wan");
        assert_eq!(routes(), "");
        let why = refused(healer.act(order).await);
        assert!(why.contains("10.99.7.1 is in no network of this machine"), "{why}");
    })
    .await;
    ward.house.stop().await;
}

#[tokio::test]
async fn resolvers_that_were_wiped_out_are_put_back() {
    let ward = open(home(), vec![], vec![], "").await;
    let file = ward.home().join("resolv.conf");
    let recipe = format!(
        "id = \"broken-resolver\"\nsummary = \"puts it back\"\ntrigger = \"names do not resolve\"\nseverity = \"low\"\n\
         cool-down = \"0s\"\nreversible = true\n[detector]\nchecks = [\"dns\"]\n[action.restore-resolver]\nfile = \"{}\"\n",
        file.display()
    );
    ward.recipe("resolver", &recipe);
    let good = "search home\nnameserver 192.168.7.1\n";
    sanctum_kernel::files::replace(&file, good.as_bytes(), 0o644).unwrap();
    ward.healer.remember().await;
    let evidence = evidence("dns", "no answer");
    assert!(refused(ward.act(None, "broken-resolver", evidence.clone()).await).contains("names resolvers"));
    sanctum_kernel::files::replace(&file, b"# Generated\n", 0o644).unwrap();
    ward.healer.remember().await;
    ward.act_twice(None, "broken-resolver", evidence.clone()).await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), good);
    let line = ward.newest("acted").await;
    ward.healer.undo(line.id, "ava").await.unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "# Generated\n");
    std::fs::remove_file(&file).unwrap();
    let done = ward.act(None, "broken-resolver", evidence).await;
    assert!(matches!(done, Acted::Done(_)), "{done:?}");
    ward.healer.undo(ward.newest("acted").await.id, "ava").await.unwrap();
    assert!(!file.exists());
    ward.house.stop().await;
}
