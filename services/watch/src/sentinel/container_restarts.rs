//! Containers that are started again and again: the engine counts (`RestartCount`, Docker Engine API v1.24 and later).

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use sanctum_kernel::Period;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::{Eyes, Seen};

/// Containers that are started again and again.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Not looked at.
    pub off: bool,
    /// How often it looks.
    pub every: Period,
    /// The engine's socket.
    pub socket: PathBuf,
    /// The time in which restarts are counted.
    pub within: Period,
    /// This many restarts of one container are amber.
    pub amber: u64,
    /// This many are red.
    pub red: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            off: false,
            every: Period::mins(2),
            socket: "/var/run/docker.sock".into(),
            within: Period::hours(1),
            amber: 2,
            red: 10,
        }
    }
}

/// What was counted when, by the container's id.
#[derive(Debug, Default)]
pub(super) struct Memory(BTreeMap<String, VecDeque<(Timestamp, u64)>>);

/// More than an engine with a thousand containers says.
const MOST: u64 = 8 << 20;

impl Config {
    pub(super) async fn look(&self, eyes: &Eyes, memory: &mut Memory) -> Seen {
        if !self.socket.exists() {
            return Seen::green("there is no container engine here");
        }
        match self.count(eyes.clock.now(), memory).await {
            Ok(seen) => seen,
            Err(reason) => Seen::unknown(format!("the container engine did not say: {reason}")).hint(format!("look whether it runs, and whether this user may use {}", self.socket.display())),
        }
    }

    async fn count(&self, now: Timestamp, memory: &mut Memory) -> Result<Seen, String> {
        let all = ask(&self.socket, "/containers/json?all=1").await?;
        let ids: Vec<String> = all.as_array().into_iter().flatten().filter_map(|one| one.get("Id")?.as_str().map(str::to_owned)).collect();
        memory.0.retain(|id, _| ids.contains(id));
        let mut seen = Vec::new();
        for id in &ids {
            let one = ask(&self.socket, &format!("/containers/{id}/json")).await?;
            let name = one.get("Name").and_then(Value::as_str).unwrap_or(id).trim_start_matches('/').to_owned();
            let count = one.get("RestartCount").and_then(Value::as_u64).unwrap_or(0);
            seen.push(self.one(&name, self.within(memory.0.entry(id.clone()).or_default(), now, count)));
        }
        let count = seen.len();
        Ok(Seen::worst(seen, format!("{count} {}, none of them restarting", if count == 1 { "container" } else { "containers" })))
    }

    /// How much the count has grown within the window.
    fn within(&self, known: &mut VecDeque<(Timestamp, u64)>, now: Timestamp, count: u64) -> u64 {
        // A count that falls is a container that was made anew under its id, or an engine that began to count again.
        if known.back().is_some_and(|(_, before)| *before > count) {
            known.clear();
        }
        known.push_back((now, count));
        while known.front().is_some_and(|(at, _)| Duration::try_from(now.duration_since(*at)).unwrap_or_default() > self.within.0) {
            known.pop_front();
        }
        count.saturating_sub(known.front().map_or(count, |(_, first)| *first))
    }

    fn one(&self, name: &str, restarts: u64) -> Seen {
        let said = format!("container {name} was restarted {restarts} times within {}", self.within);
        let hint = format!("look why: docker logs --tail 50 {name}");
        match restarts {
            restarts if restarts >= self.red => Seen::red(said).hint(hint),
            restarts if restarts >= self.amber => Seen::amber(said).hint(hint),
            _ => Seen::green(said),
        }
    }
}

/// HTTP/1.0, so that the answer ends with the connection and is not in chunks.
async fn ask(socket: &Path, path: &str) -> Result<Value, String> {
    let plain = |error: std::io::Error| error.to_string();
    let talk = async {
        let mut stream = UnixStream::connect(socket).await.map_err(plain)?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: engine\r\n\r\n").as_bytes()).await.map_err(plain)?;
        let mut answer = Vec::new();
        stream.take(MOST).read_to_end(&mut answer).await.map_err(plain)?;
        let split = answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or("that is no answer")?;
        let head = String::from_utf8_lossy(answer.get(..split).unwrap_or_default()).into_owned();
        let status = head.split_whitespace().nth(1).unwrap_or_default().to_owned();
        if status != "200" {
            return Err(format!("it answered {status}"));
        }
        serde_json::from_slice(answer.get(split + 4..).unwrap_or_default()).map_err(|error| error.to_string())
    };
    tokio::time::timeout(Duration::from_secs(10), talk).await.map_err(|_| "no answer within 10 s".to_owned())?
}
