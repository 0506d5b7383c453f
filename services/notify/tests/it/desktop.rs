//! The desktop: a real session bus with a small notification service on it, and no bus at all.

use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::house::{NOON, PATIENCE, all, house, notice, say, until, with};

const SERVICE: &str = r#"
import sys, dbus, dbus.service, dbus.mainloop.glib
from gi.repository import GLib
dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
NAME = 'org.freedesktop.Notifications'
class Service(dbus.service.Object):
    n = 0
    @dbus.service.method(NAME, in_signature='susssasa{sv}i', out_signature='u')
    def Notify(self, app, replaces, icon, title, body, actions, hints, expire):
        if not replaces:
            Service.n += 1
            replaces = Service.n
        print(app, int(replaces), title, body.replace('\n', '|'), list(map(str, actions)), int(hints['urgency']), int(expire), sep='\t', flush=True)
        if actions: GLib.timeout_add(300, lambda: self.ActionInvoked(replaces, 'ack') and False)
        return replaces
    @dbus.service.method(NAME, out_signature='ssss')
    def GetServerInformation(self): return ('little', 'test', '1', '1.2')
    @dbus.service.signal(NAME, signature='us')
    def ActionInvoked(self, id, key): pass
bus = dbus.SessionBus()
name = dbus.service.BusName(NAME, bus)
Service(bus, '/org/freedesktop/Notifications')
print('ready', flush=True)
GLib.MainLoop().run()
"#;

struct Bus {
    daemon: Child,
    service: Option<Child>,
    dir: tempfile::TempDir,
}

impl Drop for Bus {
    fn drop(&mut self) {
        for child in self.service.iter_mut().chain([&mut self.daemon]) {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

impl Bus {
    async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let address = format!("--address=unix:path={}", dir.path().join("bus").display());
        let mut command = Command::new("dbus-daemon");
        command.args(["--session", "--nofork", &address]).stdout(Stdio::null()).stderr(Stdio::null());
        let daemon = command.spawn().expect("dbus-daemon is needed (Debian: dbus)");
        let bus = Self { daemon, service: None, dir };
        let socket = bus.dir.path().join("bus");
        sanctum_testkit::eventually("the bus", PATIENCE, async || socket.exists().then_some(())).await;
        bus
    }

    fn address(&self) -> String {
        format!("unix:path={}", self.dir.path().join("bus").display())
    }

    async fn serve(&mut self) {
        let out = std::fs::File::create(self.dir.path().join("out")).unwrap();
        let err = std::fs::File::create(self.dir.path().join("err")).unwrap();
        let mut command = Command::new("python3");
        command.args(["-c", SERVICE]).env("DBUS_SESSION_BUS_ADDRESS", self.address()).stdout(out).stderr(err);
        self.service = Some(command.spawn().expect("python3 with dbus and gi is needed (Debian: python3-dbus python3-gi)"));
        self.lines(1).await;
    }

    async fn lines(&self, count: usize) -> Vec<String> {
        let (out, err) = (self.dir.path().join("out"), self.dir.path().join("err"));
        sanctum_testkit::eventually("the notification service (Debian: python3-dbus python3-gi)", PATIENCE, async || {
            let failed = std::fs::read_to_string(&err).unwrap_or_default();
            assert!(!failed.contains("Error"), "the notification service failed (Debian: python3-dbus python3-gi): {failed}");
            let lines: Vec<String> = std::fs::read_to_string(&out).unwrap_or_default().lines().map(str::to_owned).collect();
            (lines.len() >= count).then_some(lines)
        })
        .await
    }
}

fn config(address: &str) -> String {
    format!("[notify.channel.desktop.screen]\nbus = \"{address}\"\n[notify.roles]\nphone = [\"screen\"]\n")
}

#[tokio::test]
async fn a_notification_is_shown_acknowledged_and_replaced() {
    let mut bus = Bus::open().await;
    bus.serve().await;
    let house = house(NOON, &config(&bus.address())).await;
    let said = say(&house, with(notice("critical", "Café open"), json!({ "dedup_key": "k", "message": "a < b & c\nd" }))).await;
    let shown = bus.lines(2).await;
    assert_eq!(shown[1], "Sanctum\t1\tCafé open\ta &lt; b &amp; c|d\t['ack', 'Acknowledge']\t2\t-1");
    until(&house, &said["id"], "shown", |life| all(life, "screen", "delivered")).await;
    let life = until(&house, &said["id"], "acknowledged", |life| !life["acks"].as_array().unwrap().is_empty()).await;
    assert_eq!(life["acks"][0]["channel"], "screen");
    say(&house, with(notice("critical", "Café closed"), json!({ "dedup_key": "k", "resolved": true }))).await;
    let shown = bus.lines(3).await;
    assert!(shown[2].starts_with("Sanctum\t1\tResolved: Café closed\t"), "in place: {shown:?}");
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
