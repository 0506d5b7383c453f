//! Disks, databases, certificates, secrets.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use sanctum_api::supervise::Phase;
use sanctum_api::watch::Light;
use sanctum_kernel::inventory::check::{Certificate, Check, Sqlite};
use sanctum_store::Connection;
use sanctum_testkit::disk::Mount;
use sanctum_watch::engine::Acted;

use super::ward::{checked, evidence, home, item, open, refused, sh};

fn filled(path: &Path, size: usize) {
    let mut file = fs::File::create(path).unwrap();
    file.write_all(&vec![b'x'; size]).unwrap();
    file.sync_all().unwrap();
}

#[tokio::test]
async fn a_full_disk_of_logs_is_freed_of_the_oldest_and_of_nothing_else() {
    let house = home();
    let logs = house.home().join("logs");
    let _disk = Mount::small(&logs);
    let ward = open(house, vec![], vec![item("app", &[])], "").await;
    assert!(
        refused(ward.act(None, "full-log-disk", evidence("disk", "full")).await).contains("there is room")
    );
    let outside = ward.home().join("outside.log");
    filled(&outside, 1000);
    for (name, size) in [
        ("app.log.3", 300_000),
        ("app.log.2", 300_000),
        ("web.log.2", 200_000),
        ("app.log.1", 300_000),
        ("web.log.1", 100_000),
    ] {
        filled(&logs.join(name), size);
    }
    for live in ["app.log", "web.log", "notes.txt", "app.log.bak"] {
        filled(&logs.join(live), 50_000);
    }
    symlink(&outside, logs.join("app.log.4")).unwrap();
    // As full as it gets.
    let mut rest = fs::File::create(logs.join("proxy.log")).unwrap();
    while rest.write_all(&[b'y'; 4096]).is_ok() {}
    let full = fs::metadata(logs.join("proxy.log")).unwrap().len();
    let evidence = evidence("disk", "full: 0 B left");
    let (rehearsed, done) = ward.act_twice(None, "full-log-disk", evidence).await;
    assert!(rehearsed.contains("remove the oldest of 3 old logs"), "{rehearsed}");
    assert!(done.starts_with("1 old logs"), "{done}");
    let there = |name: &str| logs.join(name).symlink_metadata().is_ok();
    assert!(!there("app.log.3"), "the oldest");
    for kept in
        ["app.log", "web.log", "notes.txt", "app.log.bak", "app.log.4", "app.log.1", "web.log.1", "app.log.2"]
    {
        assert!(there(kept), "{kept}");
    }
    assert_eq!(fs::metadata(logs.join("proxy.log")).unwrap().len(), full);
    assert!(outside.exists());
    filled(&logs.join("more.log"), 200_000);
    let line = ward.newest("acted").await;
    assert_eq!(line.undo, None);
    let why = ward.healer.undo(line.id, "ava").await.unwrap_err();
    assert!(why.to_string().contains("nothing of it can be undone"), "{why}");
    ward.house.stop().await;
}

#[tokio::test]
async fn a_disk_full_of_what_is_not_a_log_of_ours_is_a_persons_to_clear() {
    let house = home();
    let logs = house.home().join("logs");
    let _disk = Mount::small(&logs);
    let ward = open(house, vec![], vec![], "").await;
    let mut photo = fs::File::create(logs.join("photo.jpg")).unwrap();
    while photo.write_all(&[0; 4096]).is_ok() {}
    let why = refused(ward.act(None, "full-log-disk", evidence("disk", "full")).await);
    assert!(why.contains("a person must make room"), "{why}");
    assert!(fs::metadata(logs.join("photo.jpg")).unwrap().len() > 1_000_000);
    ward.house.stop().await;
}

/// A database whose index does not know every row of its table.
fn stale(path: &Path) {
    let db = Connection::open(path).unwrap();
    db.execute_batch(
        "PRAGMA journal_mode=WAL; CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
         CREATE INDEX by_name ON people (name); INSERT INTO people (name) VALUES ('ava'), ('leo');
         PRAGMA writable_schema=ON;
         CREATE TABLE kept AS SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master WHERE name = 'by_name';
         DELETE FROM sqlite_master WHERE name = 'by_name'; PRAGMA writable_schema=RESET;",
    )
    .unwrap();
    drop(db);
    let db = Connection::open(path).unwrap();
    db.execute_batch(
        "INSERT INTO people (name) VALUES ('mia'); PRAGMA writable_schema=ON;
         INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) SELECT type, name, tbl_name, rootpage, sql FROM kept;
         PRAGMA writable_schema=RESET;",
    )
    .unwrap();
}

fn whole(path: &Path) -> String {
    let db = Connection::open(path).unwrap();
    db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
}

fn mia(path: &Path) -> i64 {
    let db = Connection::open(path).unwrap();
    db.query_row("SELECT count(*) FROM people INDEXED BY by_name WHERE name = 'mia'", [], |row| row.get(0))
        .unwrap()
}

#[tokio::test]
async fn a_stale_index_is_built_anew_and_the_copy_can_be_put_back() {
    let house = home();
    let path = house.home().join("people.db");
    stale(&path);
    assert_ne!(whole(&path), "ok");
    assert_eq!(mia(&path), 0, "she is there, and is not found");
    let check = Check { sqlite: Some(Sqlite { path: path.clone() }), ..Check::default() };
    let ward = open(house, vec![], vec![checked("people", &[], check)], "").await;
    let evidence = evidence("sqlite", "row 3 missing from index by_name");
    assert!(matches!(ward.act(Some("people"), "stale-index", evidence.clone()).await, Acted::Rehearsed(_)));
    assert_ne!(whole(&path), "ok", "a rehearsal changes nothing");
    let done = ward.act(Some("people"), "stale-index", evidence.clone()).await;
    assert!(matches!(done, Acted::Done(_)), "{done:?}");
    assert_eq!((whole(&path).as_str(), mia(&path)), ("ok", 1));
    let line = ward.newest("acted").await;
    let in_use = Connection::open(&path).unwrap();
    let why = ward.healer.undo(line.id, "ava").await.unwrap_err();
    assert!(why.to_string().contains("is in use"), "{why}");
    drop(in_use);
    let undone = ward.healer.undo(line.id, "ava").await.unwrap();
    assert_eq!(undone.outcome, "undone");
    assert_ne!(whole(&path), "ok");
    assert!(ward.healer.undo(line.id, "ava").await.unwrap_err().to_string().contains("undone already"));
    ward.house.stop().await;
}

#[tokio::test]
async fn a_database_damaged_beyond_its_indexes_is_not_touched() {
    let house = home();
    let path = house.home().join("people.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch("CREATE TABLE t (x); INSERT INTO t SELECT value FROM generate_series(1, 5000);").ok();
    db.execute_batch("CREATE TABLE IF NOT EXISTS t (x); WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 5000) INSERT INTO t SELECT printf('row %d', x) FROM n;").unwrap();
    drop(db);
    let mut bytes = fs::read(&path).unwrap();
    bytes[8192..12288].fill(0xFF);
    sanctum_kernel::files::replace(&path, &bytes, 0o600).unwrap();
    let check = Check { sqlite: Some(Sqlite { path: path.clone() }), ..Check::default() };
    let ward = open(house, vec![], vec![checked("people", &[], check)], "").await;
    let why = refused(ward.act(Some("people"), "stale-index", evidence("sqlite", "malformed")).await);
    assert!(why.starts_with("a person's to mend"), "{why}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
    ward.house.stop().await;
}

fn openssl(folder: &Path, arguments: &str) -> String {
    let output = Command::new("openssl").current_dir(folder).args(arguments.split(' ')).output();
    let output = output.expect("this test needs openssl(1)");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn a_certificate_of_the_house_is_issued_again_and_a_foreign_one_is_not() {
    let house = home();
    let folder = house.home().to_owned();
    let ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(
        &folder,
        &format!(
            "req -x509 {ec} -keyout house.key -out house.pem -subj /CN=house.home -days 3 -addext subjectAltName=DNS:house.home"
        ),
    );
    openssl(&folder, &format!("req -x509 {ec} -keyout ca.key -out ca.pem -subj /CN=authority -days 900"));
    openssl(&folder, &format!("req {ec} -keyout foreign.key -out foreign.csr -subj /CN=shop.example"));
    openssl(
        &folder,
        "x509 -req -in foreign.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out foreign.pem -days 2",
    );
    let check = |name: &str| {
        let file = Some(folder.join(name));
        Check { certificate: Some(Certificate { file, ..Certificate::default() }), ..Check::default() }
    };
    let items = vec![
        checked("web", &[], check("house.pem")),
        checked("shop", &[], check("foreign.pem")),
        checked("fresh", &[], check("ca.pem")),
    ];
    let ward = open(house, vec![sh("web", "exec sleep 1000")], items, "").await;
    let first = ward.phase("web", Phase::Ready).await.pid;
    let old = fs::read(folder.join("house.pem")).unwrap();
    let public = openssl(&folder, "x509 -in house.pem -noout -pubkey");
    let evidence = evidence("certificate", "ends in 3 d");
    let (_, done) = ward.act_twice(Some("web"), "expired-certificate", evidence.clone()).await;
    assert!(done.contains("is valid until") && done.contains("is ready"), "{done}");
    openssl(&folder, "x509 -in house.pem -noout -checkend 31536000");
    openssl(&folder, "verify -CAfile house.pem house.pem");
    assert_eq!(openssl(&folder, "x509 -in house.pem -noout -pubkey"), public);
    assert!(openssl(&folder, "x509 -in house.pem -noout -text").contains("DNS:house.home"));
    assert_ne!(ward.phase("web", Phase::Ready).await.pid, first, "it shows the new one");
    let line = ward.newest("acted").await;
    ward.healer.undo(line.id, "ava").await.unwrap();
    assert_eq!(fs::read(folder.join("house.pem")).unwrap(), old);

    let before = fs::read(folder.join("foreign.pem")).unwrap();
    let why = refused(ward.act(Some("shop"), "expired-certificate", evidence.clone()).await);
    assert!(why.contains("signed by somebody else") && why.starts_with("a person's"), "{why}");
    assert_eq!(fs::read(folder.join("foreign.pem")).unwrap(), before);
    let why = refused(ward.act(Some("fresh"), "expired-certificate", evidence).await);
    assert!(why.contains("no certificate of it is about to expire"), "{why}");
    ward.house.stop().await;
}

#[tokio::test]
async fn secrets_that_others_can_read_are_closed_and_changed_ones_are_shown() {
    let ward = open(home(), vec![], vec![], "").await;
    let secret = ward.home().join("secrets/pushover");
    sanctum_kernel::files::replace(&secret, b"s3cret", 0o600).unwrap();
    ward.healer.remember().await;
    let verdict = |light| sanctum_api::watch::Verdict {
        sentinel: "secret-drift".to_owned(),
        light,
        detail: String::new(),
        hint: None,
        at: jiff::Timestamp::UNIX_EPOCH,
        since: jiff::Timestamp::UNIX_EPOCH,
    };
    assert!(ward.healer.on_verdict(&verdict(Light::Green)).await.is_empty());
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let token = fs::read_dir(ward.home().join("run/tokens")).unwrap().next().unwrap().unwrap().path();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o640)).unwrap();
    let outcomes = ward.healer.on_verdict(&verdict(Light::Red)).await;
    assert!(matches!(outcomes.as_slice(), [(id, Acted::Done(_))] if id == "secret-drift"), "{outcomes:?}");
    assert_eq!((mode(&secret), mode(&token)), (0o600, 0o600));
    let line = ward.newest("acted").await;
    ward.healer.undo(line.id, "ava").await.unwrap();
    assert_eq!((mode(&secret), mode(&token)), (0o644, 0o640));
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();

    sanctum_kernel::files::replace(&secret, b"an0ther", 0o600).unwrap();
    ward.healer.remember().await;
    let run = async || refused(ward.healer.run_recipe("secret-drift", Some("vault".to_owned()), "ava").await);
    let why = run().await;
    assert!(why.contains("the contents of `pushover` are not what they were"), "{why}");
    assert!(!why.contains("an0ther") && !why.contains("s3cret"));
    ward.healer.accept_secrets().await.unwrap();
    assert!(run().await.contains("none has changed"));
    ward.house.stop().await;
}
