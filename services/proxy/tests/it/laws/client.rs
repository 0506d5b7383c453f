//! A client that keeps what it got of a broken answer, and one that leaves in the middle.

use std::net::SocketAddr;
use std::time::Duration;

use sanctum_testkit::House;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::door::house::PATIENCE;

#[derive(Debug, Clone)]
pub(crate) struct Wire {
    addr: SocketAddr,
    token: String,
}

/// An answer, as far as it came.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines
            .filter(|(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .next()
            .unwrap_or_default()
    }

    /// Why there is no answer, in whichever shape it is told.
    pub(crate) fn reason(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let message = body["error"]["message"].as_str().or_else(|| body["message"].as_str());
        message.unwrap_or_default().to_owned()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Wire {
    /// With the command line's token.
    pub(crate) fn to(house: &House) -> Self {
        Self { addr: house.addr("proxy"), token: house.token("cli", "proxy") }
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The whole answer, or what came of it. Headers with an `authorization` replace the token; an empty one is left out.
    pub(crate) async fn post(&self, path: &str, headers: &[(String, String)], body: &[u8]) -> Reply {
        let mut stream = self.begin(path, headers, body).await;
        let mut all = Vec::new();
        // Half an answer that ends in a reset is what some of this is about.
        drop(tokio::time::timeout(PATIENCE, stream.read_to_end(&mut all)).await.unwrap());
        parse(&all)
    }

    /// Goes away when `bytes` of the answer have come, or when it has waited `long` for them.
    pub(crate) async fn leave(
        &self,
        path: &str,
        headers: &[(String, String)],
        body: &[u8],
        bytes: usize,
        long: Duration,
    ) {
        let mut stream = self.begin(path, headers, body).await;
        let mut all = Vec::new();
        let reading =
            async { while all.len() < bytes && stream.read_buf(&mut all).await.unwrap_or(0) > 0 {} };
        drop(tokio::time::timeout(long, reading).await);
    }

    async fn begin(&self, path: &str, headers: &[(String, String)], body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n",
            self.addr,
            body.len()
        );
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !headers.iter().any(|(name, _)| name == "authorization") {
            head.push_str(&format!("authorization: Bearer {}\r\n", self.token));
        }
        head.push_str("\r\n");
        let mut all = head.into_bytes();
        all.extend_from_slice(body);
        // A refusal may come before everything has been sent.
        drop(stream.write_all(&all).await);
        stream
    }
}

fn parse(all: &[u8]) -> Reply {
    let Some(end) = all.windows(4).position(|window| window == b"\r\n\r\n") else { return Reply::default() };
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let rest = &all[end + 4..];
    let body = if chunked { chunks(rest) } else { rest.to_vec() };
    Reply { status, head, body }
}

fn chunks(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let Ok(size) = usize::from_str_radix(&String::from_utf8_lossy(&rest[..end]), 16) else { break };
        let until = (end + 2 + size).min(rest.len());
        body.extend_from_slice(&rest[end + 2..until]);
        if size == 0 || until + 2 > rest.len() {
            break;
        }
        rest = &rest[until + 2..];
    }
    body
}
