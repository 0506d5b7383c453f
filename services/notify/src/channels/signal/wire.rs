//! JSON-RPC 2.0 to signal-cli: `POST /api/v1/rpc` and its event stream, or one JSON object a line over TCP.
#![expect(clippy::indexing_slicing, reason = "a JSON value answers null for what is not there")]

use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream;
use futures_util::StreamExt;
use sanctum_http::{Outbound, Outgoing};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::channels::{SendError, judge};

/// How the daemon is reached.
#[derive(Debug)]
pub(crate) enum Way {
    Http(String, Outbound),
    Tcp(String),
}

/// Envelopes as they come.
pub(crate) type Envelopes = Pin<Box<dyn Stream<Item = Value> + Send>>;

impl Way {
    /// One call; the whole answer, which may be an error in a 200.
    pub(crate) async fn call(&self, method: &str, params: Value, id: &str, deadline: Duration) -> Result<Value, SendError> {
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let answer = match self {
            Self::Http(url, outbound) => {
                let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
                let body = request.to_string().into_bytes();
                let outgoing = Outgoing { method: "POST", url: format!("{url}/api/v1/rpc"), headers, body, timeout: deadline };
                let answer = judge(outbound.send(outgoing).await)?;
                serde_json::from_slice(&answer.body).map_err(|_| SendError::later(format!("not JSON-RPC: {}", answer.excerpt())))?
            }
            Self::Tcp(addr) => match tokio::time::timeout(deadline, over_tcp(addr, &request, id)).await {
                Ok(answer) => answer.map_err(|error| SendError::later(error.to_string()))?,
                Err(_) => return Err(SendError::later(format!("no answer within {} s", deadline.as_secs_f32()))),
            },
        };
        let ours: &Value = &answer["id"];
        if ours != id && answer["error"].is_null() {
            return Err(SendError::later("the daemon answered something else"));
        }
        Ok(answer)
    }

    /// What the account receives, until the connection ends.
    pub(crate) async fn events(&self, account: Option<&str>) -> Result<Envelopes, SendError> {
        match self {
            Self::Http(url, outbound) => {
                let query = account.map(|account| format!("?account={}", sanctum_api::transport::escape(account))).unwrap_or_default();
                let url = format!("{url}/api/v1/events{query}");
                let outgoing = Outgoing { method: "GET", url, headers: Vec::new(), body: Vec::new(), timeout: Duration::from_secs(10) };
                let events = outbound.events(outgoing).await.map_err(|error| SendError::later(error.to_string()))?;
                let good = events.filter_map(|event| async move { serde_json::from_str(&event.ok()?.data).ok() });
                Ok(Box::pin(good))
            }
            Self::Tcp(addr) => {
                let (lines, writer) = open(addr).await.map_err(|error| SendError::later(error.to_string()))?;
                let next = |(mut lines, writer): (Lines<BufReader<OwnedReadHalf>>, OwnedWriteHalf)| async move {
                    let line = lines.next_line().await.ok().flatten()?;
                    Some((serde_json::from_str(&line).unwrap_or(Value::Null), (lines, writer)))
                };
                Ok(Box::pin(futures_util::stream::unfold((lines, writer), next)))
            }
        }
    }
}

async fn open(addr: &str) -> std::io::Result<(Lines<BufReader<OwnedReadHalf>>, OwnedWriteHalf)> {
    let (reader, writer) = TcpStream::connect(addr).await?.into_split();
    Ok((BufReader::new(reader).lines(), writer))
}

/// Received messages come on every connection; they belong to the listener and are passed over here.
async fn over_tcp(addr: &str, request: &Value, id: &str) -> std::io::Result<Value> {
    let (mut lines, mut writer) = open(addr).await?;
    writer.write_all(format!("{request}\n").as_bytes()).await?;
    while let Some(line) = lines.next_line().await? {
        let answer: Value = serde_json::from_str(&line).map_err(std::io::Error::other)?;
        let ours = answer["id"] == id || (answer["id"].is_null() && !answer["error"].is_null());
        if ours {
            return Ok(answer);
        }
    }
    Err(std::io::Error::other("the daemon closed the connection"))
}
