//! Each sentinel against the fault it is there for: real files, sockets, file systems, and peers that lie.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use jiff::SignedDuration;
use sanctum_kernel::{Peers, files};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UdpSocket, UnixListener};

use super::*;
use crate::anomaly::fixtures::item;

static EMPTY: sanctum_kernel::Catalogue = sanctum_kernel::Catalogue::new(&[]);

/// A house of nothing but a home.
struct House {
    _home: tempfile::TempDir,
    eyes: Eyes,
}

impl House {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths::new(home.path());
        paths.prepare().unwrap();
        let clock = Clock::starting_at("2026-11-22T02:47:00Z".parse().unwrap());
        let nobody = Peers::load("test", &EMPTY, &paths, std::collections::BTreeMap::new()).unwrap();
        let prober = Prober::with(paths.clone(), clock.clone(), nobody);
        Self { _home: home, eyes: Eyes { paths, clock, prober, inventory: Arc::default() } }
    }

    /// What the sentinel of this name sees now; memory does not last.
    async fn look(&self, config: &Config, name: &str) -> Seen {
        let posts = config.posts();
        let post = posts.iter().find(|post| post.name == name).unwrap();
        (post.look)(self.eyes.clone()).await
    }

    fn write(&self, path: &str, bytes: &[u8], mode: u32) -> std::path::PathBuf {
        let path = self.eyes.paths.home().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        files::replace(&path, bytes, mode).unwrap();
        path
    }
}

fn mount(args: &[&str], at: &Path) {
    let ran = Command::new("mount").args(args).arg(at).output().expect("`mount` is needed for this test");
    assert!(
        ran.status.success(),
        "this test mounts a tmpfs, which needs root: {}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

/// Unmounts what a test has mounted, also if it fails.
struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}

#[tokio::test]
async fn disks_that_fill_run_out_of_inodes_or_become_read_only_are_red() {
    let house = House::new();
    let place = tempfile::tempdir().unwrap();
    mount(&["-t", "tmpfs", "-o", "size=4m,nr_inodes=40", "sanctum-test"], place.path());
    let _mounted = Mounted(place.path().to_owned());
    let mut config = Config::default();
    config.disk_health.paths = vec![place.path().to_owned()];
    // The disk of this machine is its own affair here.
    config.disk_health.amber = 98;
    config.disk_health.red = 99;
    let first = house.look(&config, "disk-health").await;
    assert_ne!(first.light, Light::Red, "{first:?}");
    files::replace(&place.path().join("big"), &vec![7; 4_190_000], 0o600).ok();
    let mut fill = std::fs::File::create(place.path().join("rest")).unwrap();
    while std::io::Write::write_all(&mut fill, &[7; 4096]).is_ok() {}
    drop(fill);
    let full = house.look(&config, "disk-health").await;
    assert!(full.light == Light::Red && full.detail.contains("100 % full"), "{full:?}");
    for name in ["big", "rest"] {
        std::fs::remove_file(place.path().join(name)).ok();
    }
    for at in 0..60 {
        std::fs::File::create(place.path().join(at.to_string())).ok();
    }
    let inodes = house.look(&config, "disk-health").await;
    assert!(inodes.light == Light::Red && inodes.detail.contains("of its inodes"), "{inodes:?}");
    mount(&["-o", "remount,ro"], place.path());
    let read_only = house.look(&config, "disk-health").await;
    assert!(read_only.light == Light::Red && read_only.detail.contains("read-only"), "{read_only:?}");
    config.disk_health.paths = vec!["/nowhere/at/all".into()];
    assert!(house.look(&config, "disk-health").await.detail.contains("is not there"));
}

#[tokio::test]
async fn a_disk_that_says_it_fails_is_red_and_one_that_cannot_be_asked_is_unknown() {
    let house = House::new();
    let mut config = Config::default();
    (config.disk_health.amber, config.disk_health.red) = (99, 100);
    config.disk_health.devices = vec!["/dev/test".into()];
    let says = |text: &str, code: u8| {
        let script =
            house.write("smartctl", format!("#!/bin/sh\necho '{text}'\nexit {code}\n").as_bytes(), 0o755);
        script.display().to_string()
    };
    config.disk_health.smartctl = says(r#"{"smart_status":{"passed":false}}"#, 8);
    let failing = house.look(&config, "disk-health").await;
    assert!(failing.light == Light::Red && failing.detail.contains("about to fail"), "{failing:?}");
    config.disk_health.smartctl = says(r#"{"smart_status":{"passed":true}}"#, 0);
    assert_eq!(house.look(&config, "disk-health").await.light, Light::Green);
    config.disk_health.smartctl = says("{}", 2);
    assert_eq!(house.look(&config, "disk-health").await.light, Light::Unknown);
    config.disk_health.smartctl = "/no/such/smartctl".into();
    assert_eq!(house.look(&config, "disk-health").await.light, Light::Unknown);
}

#[tokio::test]
async fn a_secret_that_others_may_read_is_red_and_one_that_changes_is_amber_for_a_day() {
    let house = House::new();
    let config = Config::default();
    let key = house.write("secrets/hook-key", b"one", 0o600);
    house.write("run/tokens/cli-notify", b"two", 0o600);
    let posts = config.posts();
    let post = posts.iter().find(|post| post.name == "secret-drift").unwrap();
    let look = async || (post.look)(house.eyes.clone()).await;
    let calm = look().await;
    assert_eq!(
        (calm.light, calm.detail.as_str()),
        (Light::Green, "1 secrets and 1 tokens, for their owner only")
    );
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = look().await;
    assert!(open.light == Light::Red && open.detail.contains("mode 644"), "{open:?}");
    assert_eq!(open.hint.as_deref(), Some(format!("chmod 600 {}", key.display()).as_str()));
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(look().await.light, Light::Green);
    // It changes while nobody looks: a watch that begins anew knows all the same.
    files::replace(&key, b"another", 0o600).unwrap();
    let changed = house.look(&config, "secret-drift").await;
    assert!(changed.light == Light::Amber && changed.detail.contains("has changed"), "{changed:?}");
    house.eyes.clock.step(SignedDuration::from_hours(25));
    assert_eq!(house.look(&config, "secret-drift").await.light, Light::Green);
    std::fs::remove_file(&key).unwrap();
    assert!(house.look(&config, "secret-drift").await.detail.contains("is gone"));
    let kept = std::fs::read_to_string(house.eyes.paths.state().join("watch-secrets.json")).unwrap();
    assert!(!kept.contains("another"), "a hash is kept, never the secret");
}

/// A time server on loopback that is off by so much.
async fn time_server(clock: Clock, off: SignedDuration) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let serve = async move {
        let mut packet = [0_u8; 48];
        while let Ok((_, to)) = socket.recv_from(&mut packet).await {
            let theirs = clock.now() + off;
            let micros = u64::try_from(theirs.as_microsecond()).unwrap();
            let stamp = (((micros / 1_000_000 + 2_208_988_800) << 32)
                | (((micros % 1_000_000) << 32) / 1_000_000))
                .to_be_bytes();
            let mut answer = [0_u8; 48];
            (answer[0], answer[1]) = (0x24, 2);
            answer[24..32].copy_from_slice(&packet[40..48]);
            answer[32..40].copy_from_slice(&stamp);
            answer[40..48].copy_from_slice(&stamp);
            socket.send_to(&answer, to).await.ok();
        }
    };
    serving(serve);
    address
}

/// Runs beside the test until its runtime ends.
#[expect(clippy::disallowed_methods, reason = "a peer of a test, which ends with its runtime")]
fn serving(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}

#[tokio::test]
async fn a_clock_that_is_off_is_red_and_a_server_that_lies_is_outvoted() {
    let house = House::new();
    let clock = &house.eyes.clock;
    let mut config = Config::default();
    let honest = [
        time_server(clock.clone(), SignedDuration::ZERO).await,
        time_server(clock.clone(), SignedDuration::from_millis(20)).await,
    ];
    let liar = time_server(clock.clone(), SignedDuration::from_hours(1)).await;
    config.clock_skew.servers = vec![honest[0].clone(), honest[1].clone(), liar.clone()];
    let outvoted = house.look(&config, "clock-skew").await;
    assert!(
        outvoted.light == Light::Green && outvoted.detail.contains(&format!("{liar} says otherwise")),
        "{outvoted:?}"
    );
    config.clock_skew.servers = vec![honest[0].clone(), liar.clone()];
    let torn = house.look(&config, "clock-skew").await;
    assert!(torn.light == Light::Amber && torn.detail.contains("contradict"), "{torn:?}");
    config.clock_skew.servers = vec![liar];
    let off = house.look(&config, "clock-skew").await;
    assert!(off.light == Light::Red && off.detail.contains("3600.0 s slow"), "{off:?}");
    config.clock_skew.servers = vec!["127.0.0.1:9".into()];
    assert_eq!(house.look(&config, "clock-skew").await.light, Light::Unknown);
    config.clock_skew.servers = Vec::new();
    clock.disciplined(Some(sanctum_kernel::discipline::Discipline {
        synchronised: false,
        up: Duration::from_hours(1),
    }));
    let unkept = house.look(&config, "clock-skew").await;
    assert!(unkept.light == Light::Amber && unkept.detail.contains("nothing keeps it right"), "{unkept:?}");
}

#[tokio::test]
async fn a_backup_that_is_old_empty_or_gone_is_said() {
    let house = House::new();
    let mut config = Config::default();
    assert_eq!(
        house.look(&config, "backup-age").await.light,
        Light::Unknown,
        "nothing declared is not a backup"
    );
    let made = |hours: u64| {
        let file = house.write("backup/nas/monday.tar", b"x", 0o600);
        let at = std::time::SystemTime::from(house.eyes.clock.now()) - Duration::from_hours(hours);
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(at).unwrap();
        file
    };
    config.backup_age.paths = vec![house.eyes.paths.home().join("backup")];
    for (hours, light) in [(1, Light::Green), (30, Light::Amber), (100, Light::Red)] {
        made(hours);
        let seen = house.look(&config, "backup-age").await;
        assert_eq!(seen.light, light, "{hours} h: {seen:?}");
    }
    let file = made(1);
    files::replace(&file, b"", 0o600).unwrap();
    assert_eq!(house.look(&config, "backup-age").await.light, Light::Red, "an empty file is no backup");
}

#[tokio::test]
async fn what_listens_to_the_network_undeclared_is_found_on_a_real_socket() {
    let house = House::new();
    let socket = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let others: Vec<u16> =
        listeners().unwrap().iter().map(|listener| listener.port).filter(|other| *other != port).collect();
    let mut config = Config::default();
    config.listening_ports.allow = others;
    config.listening_ports.strict = true;
    let seen = house.look(&config, "listening-ports").await;
    assert!(seen.light == Light::Red && seen.detail.contains(&format!("port {port} is open")), "{seen:?}");
    assert!(seen.detail.contains(&std::process::id().to_string()), "it says who holds it: {seen:?}");
    *house.eyes.inventory.lock().unwrap() = Arc::new(Inventory(vec![item("declared", port)]));
    assert!(!house.look(&config, "listening-ports").await.detail.contains(&format!("port {port} ")));
    drop(socket);
}

/// An engine on a socket that says how often its container was restarted.
fn engine(path: &Path, count: Arc<Mutex<u64>>) {
    let listener = UnixListener::bind(path).unwrap();
    serving(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = [0_u8; 512];
            let length = stream.read(&mut asked).await.unwrap_or(0);
            let list = String::from_utf8_lossy(&asked[..length]).contains("/containers/json");
            let count = *count.lock().unwrap();
            let body = if list {
                r#"[{"Id":"abc"}]"#.to_owned()
            } else {
                format!(r#"{{"Name":"/web","RestartCount":{count}}}"#)
            };
            stream
                .write_all(
                    format!("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{body}").as_bytes(),
                )
                .await
                .ok();
        }
    });
}

#[tokio::test]
async fn a_container_that_restarts_again_and_again_becomes_amber_red_and_green_again() {
    let house = House::new();
    let mut config = Config::default();
    config.container_restarts.socket = house.eyes.paths.run().join("engine.sock");
    assert_eq!(
        house.look(&config, "container-restarts").await.light,
        Light::Green,
        "no engine is no trouble"
    );
    let count = Arc::new(Mutex::new(40));
    engine(&config.container_restarts.socket, Arc::clone(&count));
    let posts = config.posts();
    let post = posts.iter().find(|post| post.name == "container-restarts").unwrap();
    let look = async || (post.look)(house.eyes.clone()).await;
    assert_eq!(look().await.light, Light::Green, "what was before is not counted");
    for (now, light) in [(41, Light::Green), (43, Light::Amber), (51, Light::Red)] {
        *count.lock().unwrap() = now;
        let seen = look().await;
        assert_eq!(seen.light, light, "{seen:?}");
    }
    house.eyes.clock.step(SignedDuration::from_hours(2));
    assert_eq!(look().await.light, Light::Green);
}

#[tokio::test]
async fn logs_that_will_fill_the_disk_are_red_before_it_is_full() {
    let house = House::new();
    let place = house.eyes.paths.logs();
    mount(&["-t", "tmpfs", "-o", "size=64m", "sanctum-test"], &place);
    let _mounted = Mounted(place.clone());
    let config = Config::default();
    let posts = config.posts();
    let post = posts.iter().find(|post| post.name == "log-growth").unwrap();
    for minute in 0..6_usize {
        files::replace(&place.join("loud.log"), &vec![b'x'; minute << 20], 0o600).unwrap();
        let seen = (post.look)(house.eyes.clone()).await;
        house.eyes.clock.step(SignedDuration::from_mins(5));
        let light = if minute < 3 { Light::Green } else { Light::Red };
        assert_eq!(seen.light, light, "after {minute}: {seen:?}");
    }
}

#[tokio::test]
async fn the_internet_is_there_partly_there_and_gone() {
    let house = House::new();
    let mut config = Config::default();
    assert_eq!(house.look(&config, "wan").await.light, Light::Unknown, "nobody is asked by default");
    let canaries = [0, 1].map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    config.wan.canaries = canaries.iter().map(|canary| canary.local_addr().unwrap().to_string()).collect();
    let [first, second] = canaries;
    assert_eq!(house.look(&config, "wan").await.light, Light::Green);
    drop(first);
    let partly = house.look(&config, "wan").await;
    assert!(partly.light == Light::Amber && partly.detail.contains(&config.wan.canaries[0]), "{partly:?}");
    drop(second);
    assert_eq!(house.look(&config, "wan").await.light, Light::Red);
}

#[tokio::test]
async fn on_battery_is_amber_and_nearly_empty_is_red() {
    let house = House::new();
    let mut config = Config::default();
    config.power.supplies = house.eyes.paths.home().join("power");
    assert_eq!(house.look(&config, "power").await.light, Light::Green);
    let set = |mains: &str, status: &str, charge: &str| {
        house.write("power/AC/type", b"Mains\n", 0o644);
        house.write("power/AC/online", mains.as_bytes(), 0o644);
        house.write("power/BAT0/type", b"Battery\n", 0o644);
        house.write("power/BAT0/status", status.as_bytes(), 0o644);
        house.write("power/BAT0/capacity", charge.as_bytes(), 0o644);
        house.write("power/mouse/type", b"Battery\n", 0o644);
        house.write("power/mouse/scope", b"Device\n", 0o644);
        house.write("power/mouse/status", b"Discharging\n", 0o644);
    };
    for (mains, status, charge, light) in [
        ("1\n", "Full\n", "100\n", Light::Green),
        ("0\n", "Discharging\n", "80\n", Light::Amber),
        ("0\n", "Discharging\n", "12\n", Light::Red),
    ] {
        set(mains, status, charge);
        let seen = house.look(&config, "power").await;
        assert_eq!(seen.light, light, "{seen:?}");
    }
}

#[tokio::test]
async fn a_certificate_is_green_amber_red_as_its_time_runs_out() {
    let house = House::new();
    let file = house.eyes.paths.home().join("cert.pem");
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=test",
            "-keyout",
            "/dev/null",
            "-out",
        ])
        .arg(&file)
        .output()
        .expect("`openssl` is needed for this test");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut config = Config::default();
    assert_eq!(house.look(&config, "certificate-age").await.light, Light::Green);
    config.certificate_age.files = vec![file];
    let clock = &house.eyes.clock;
    clock.set(Clock::system().now());
    for (days, light) in [(0, Light::Green), (15, Light::Amber), (10, Light::Red), (10, Light::Red)] {
        clock.step(SignedDuration::from_hours(24 * days));
        let seen = house.look(&config, "certificate-age").await;
        assert_eq!(seen.light, light, "{seen:?}");
    }
}

#[tokio::test]
async fn verdicts_keep_since_when_the_light_is_so_and_come_at_their_cadence() {
    let house = House::new();
    let mut config = Config::default();
    config.wan.every = Period(Duration::from_millis(60));
    config.wan.canaries = vec!["127.0.0.1:9".into()];
    for off in [
        &mut config.certificate_age.off,
        &mut config.backup_age.off,
        &mut config.clock_skew.off,
        &mut config.disk_health.off,
        &mut config.secret_drift.off,
    ] {
        *off = true;
    }
    for off in [
        &mut config.listening_ports.off,
        &mut config.container_restarts.off,
        &mut config.log_growth.off,
        &mut config.power.off,
    ] {
        *off = true;
    }
    let before = Verdict {
        sentinel: "wan".into(),
        light: Light::Red,
        detail: String::new(),
        hint: None,
        at: house.eyes.clock.now(),
        since: "2026-11-21T00:00:00Z".parse().unwrap(),
    };
    let sentinels = Sentinels::with(&config, house.eyes.clone(), vec![before.clone()]);
    let (stopper, stop) = sanctum_kernel::stop::channel();
    let (tell, mut hear) = mpsc::channel(8);
    let running = sentinels.run(stop, tell);
    let hearing = async {
        let mut heard = Vec::new();
        while heard.len() < 3 {
            heard.extend(hear.recv().await.unwrap());
        }
        stopper.request();
        heard
    };
    let (heard, ()) = tokio::join!(hearing, running);
    assert!(
        heard
            .iter()
            .all(|verdict| verdict.light == Light::Red && verdict.since == before.since && is_red(verdict)),
        "{heard:?}"
    );
}
