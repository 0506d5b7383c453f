//! The floor: an outbox with nothing but its promise. Insert, group commit with fsync, answer, deliver, mark.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sanctum_http::axum::routing::{get, post};
use sanctum_http::axum::{Json, Router, extract::State};
use sanctum_http::{Outbound, Outgoing};
use sanctum_kernel::Failure;
use sanctum_store::{Connection, params};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc, oneshot};

type Job = (String, oneshot::Sender<i64>);

pub(crate) async fn serve(home: &str, port: &str, sink: &str) -> Result<(), Failure> {
    let path = Path::new(home).join("outbox.db");
    let writer = Connection::open(&path)?;
    writer.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000;
         CREATE TABLE IF NOT EXISTS outbox(id INTEGER PRIMARY KEY, body TEXT NOT NULL, state INT NOT NULL DEFAULT 0);
         CREATE INDEX IF NOT EXISTS pending ON outbox(id) WHERE state=0;",
    )?;
    let (jobs, queue) = mpsc::channel::<Job>(65_536);
    let wake = Arc::new(Notify::new());
    let waking = Arc::clone(&wake);
    std::thread::spawn(move || write(&writer, queue, &waking));
    let marker = Connection::open(&path)?;
    marker.execute_batch("PRAGMA busy_timeout=5000; PRAGMA synchronous=NORMAL")?;
    let url = sink.to_owned();
    let delivering = tokio::task::spawn_blocking(move || {
        tokio::runtime::Handle::current().block_on(deliver(marker, url, wake))
    });
    let app =
        Router::new().route("/notify", post(accept)).route("/ready", get(async || "ready")).with_state(jobs);
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    sanctum_http::axum::serve(listener, app).await?;
    delivering.await??;
    Ok(())
}

async fn accept(State(jobs): State<mpsc::Sender<Job>>, Json(notice): Json<Value>) -> Json<Value> {
    let (reply, answer) = oneshot::channel();
    jobs.send((notice.to_string(), reply)).await.ok();
    Json(json!({ "id": answer.await.unwrap_or_default() }))
}

fn write(db: &Connection, mut queue: mpsc::Receiver<Job>, wake: &Notify) {
    while let Some(first) = queue.blocking_recv() {
        let mut group = vec![first];
        while group.len() < 512 {
            match queue.try_recv() {
                Ok(job) => group.push(job),
                Err(_) => break,
            }
        }
        let commit = || -> Result<Vec<i64>, sanctum_store::SqlError> {
            db.execute_batch("BEGIN IMMEDIATE")?;
            let mut insert = db.prepare_cached("INSERT INTO outbox(body) VALUES(?1)")?;
            let ids = group
                .iter()
                .map(|(body, _)| insert.execute([body]).map(|_| db.last_insert_rowid()))
                .collect::<Result<_, _>>()?;
            db.execute_batch("COMMIT")?;
            Ok(ids)
        };
        // Who is not answered was not accepted.
        let Ok(ids) = commit() else { continue };
        for ((_, reply), id) in group.into_iter().zip(ids) {
            if reply.send(id).is_err() {}
        }
        wake.notify_one();
    }
}

async fn deliver(db: Connection, url: String, wake: Arc<Notify>) -> Result<(), sanctum_store::SqlError> {
    let outbound = Outbound::default();
    loop {
        let due: Vec<(i64, String)> = {
            let mut due =
                db.prepare_cached("SELECT id, body FROM outbox WHERE state=0 ORDER BY id LIMIT 64")?;
            due.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?
        };
        if due.is_empty() {
            tokio::time::timeout(Duration::from_secs(1), wake.notified()).await.ok();
            continue;
        }
        let mut sending = tokio::task::JoinSet::new();
        for (id, body) in due {
            let (outbound, url) = (outbound.clone(), url.clone());
            sending.spawn(async move {
                let headers = vec![
                    ("content-type".to_owned(), "application/json".to_owned()),
                    ("idempotency-key".to_owned(), id.to_string()),
                ];
                let outgoing = Outgoing {
                    method: "POST",
                    url,
                    headers,
                    body: body.into_bytes(),
                    timeout: Duration::from_secs(5),
                };
                (id, outbound.send(outgoing).await.is_ok_and(|answer| answer.is_success()))
            });
        }
        let mut delivered = Vec::new();
        let mut failed = false;
        while let Some(Ok((id, good))) = sending.join_next().await {
            if good { delivered.push(id) } else { failed = true }
        }
        db.execute_batch("BEGIN IMMEDIATE")?;
        for id in delivered {
            db.prepare_cached("UPDATE outbox SET state=1 WHERE id=?1")?.execute(params![id])?;
        }
        db.execute_batch("COMMIT")?;
        if failed {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
