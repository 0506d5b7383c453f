//! Databases that are whole, and those that are not.

use std::io::{Seek, SeekFrom, Write};
use std::time::Duration;

use sanctum_probe::Finding::{Fail, Pass};
use sanctum_store::Db;
use sanctum_testkit::eventually;

use super::eyes;

const TABLE: &[&str] = &["CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); CREATE INDEX i ON t(b)"];

#[tokio::test]
async fn a_database_is_whole_or_it_is_said_what_is_not() {
    let eyes = eyes();
    let path = eyes.home.path().join("x.db");
    let asked = format!("sqlite = {{ path = {path:?} }}");
    assert_eq!(eyes.ask(&asked).await.finding, Fail, "it is not there");
    let db = Db::open(&path, TABLE).unwrap();
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000) INSERT INTO t SELECT i, hex(randomblob(50)) FROM n";
    db.write(move |tx| tx.execute_batch(fill)).await.unwrap();
    let open = eyes.ask(&asked).await;
    assert_eq!(open.finding, Pass, "while somebody uses it: {}", open.detail);
    db.write(|tx| tx.execute_batch("DELETE FROM t WHERE a=1")).await.unwrap();
    drop(db);
    // Its last connection takes the log into the file, in a thread of its own.
    let log = path.with_extension("db-wal");
    eventually("it to be closed", Duration::from_secs(20), async || (!log.exists()).then_some(())).await;
    let closed = || async { eyes.ask(&asked).await };
    assert_eq!(closed().await.finding, Pass);
    // The file is written over in the middle, as a bad disk does.
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let length = file.metadata().unwrap().len();
    assert!(length > 100_000, "{length}");
    file.seek(SeekFrom::Start(4096 * 3)).unwrap();
    file.write_all(&vec![0xA5; 4096 * 8]).unwrap();
    file.sync_all().unwrap();
    let damaged = closed().await;
    assert_eq!(damaged.finding, Fail, "{}", damaged.detail);
    assert!(damaged.detail.contains("damaged"), "{}", damaged.detail);
    sanctum_kernel::files::replace(&path, b"this is no database, but it is long enough to be one", 0o600)
        .unwrap();
    assert_eq!(closed().await.finding, Fail);
}
