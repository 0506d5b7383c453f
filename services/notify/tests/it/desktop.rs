//! The desktop: a real session bus with a small notification service on it, and no bus at all.

use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::house::{NOON, PATIENCE, all, house, notice, say, until, with};
use crate::peers::dbus::Shown;

struct Bus {
    daemon: Child,
    dir: tempfile::TempDir,
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.daemon.kill().ok();
        self.daemon.wait().ok();
    }
}

impl Bus {
    async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let address = format!("--address=unix:path={}", dir.path().join("bus").display());
        let mut command = Command::new("dbus-daemon");
        command.args(["--session", "--nofork", &address]).stdout(Stdio::null()).stderr(Stdio::null());
        let daemon = command.spawn().expect("dbus-daemon is needed (Debian: dbus)");
        let bus = Self { daemon, dir };
        let socket = bus.dir.path().join("bus");
        sanctum_testkit::eventually("the bus", PATIENCE, async || socket.exists().then_some(())).await;
        bus
    }

    fn address(&self) -> String {
        format!("unix:path={}", self.dir.path().join("bus").display())
    }

    async fn serve(&self) -> Shown {
        crate::peers::dbus::serve(self.dir.path().join("bus")).await
    }
}

fn config(address: &str) -> String {
    format!("[notify.channel.desktop.screen]\nbus = \"{address}\"\n[notify.roles]\nphone = [\"screen\"]\n")
}

#[tokio::test]
async fn a_notification_is_shown_acknowledged_and_replaced() {
    let bus = Bus::open().await;
    let screen = bus.serve().await;
    let house = house(NOON, &config(&bus.address())).await;
    let said = say(
        &house,
        with(notice("critical", "Café open"), json!({ "dedup_key": "k", "message": "a < b & c\nd" })),
    )
    .await;
    let shown = screen.wait(1).await;
    assert_eq!(shown[0], "Sanctum|0|Café open|a &lt; b &amp; c\nd|ack,Acknowledge|urgency 2|-1");
    until(&house, &said["id"], "shown", |life| all(life, "screen", "delivered")).await;
    let life =
        until(&house, &said["id"], "acknowledged", |life| !life["acks"].as_array().unwrap().is_empty()).await;
    assert_eq!(life["acks"][0]["channel"], "screen");
    say(&house, with(notice("critical", "Café closed"), json!({ "dedup_key": "k", "resolved": true }))).await;
    let shown = screen.wait(2).await;
    assert!(shown[1].starts_with("Sanctum|41|Resolved: Café closed|"), "in place: {shown:?}");
    house.stop().await;
}

#[tokio::test]
async fn no_desktop_is_unavailable_and_no_failure() {
    let bus = Bus::open().await;
    for address in [bus.address(), "unix:path=/nonexistent/bus".to_owned(), "tcp:host=127.0.0.1".to_owned()] {
        let house = house(NOON, &config(&address)).await;
        let said = say(&house, notice("error", "n")).await;
        let life = until(&house, &said["id"], "unavailable", |life| all(life, "screen", "dead")).await;
        let outcome = life["deliveries"][0]["attempts"][0]["outcome"].as_str().unwrap();
        assert!(outcome.starts_with("unavailable: "), "{outcome}");
        let (_, channels) = house.get("notify", "/channels").await;
        assert!(channels.as_array().unwrap().iter().all(|channel| channel["breaker"] == "closed"));
        house.stop().await;
    }
}
