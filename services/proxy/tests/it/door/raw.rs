//! A client with bare hands: sees bytes as they come, and may leave in the middle.

use std::time::Duration;

use sanctum_testkit::House;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::house::PATIENCE;

pub(crate) struct Raw {
    pub(crate) socket: TcpStream,
    pub(crate) seen: Vec<u8>,
}

impl Raw {
    /// Sends a request and returns before anything has come back.
    pub(crate) async fn post(house: &House, path: &str, body: &Value) -> Self {
        Self::send(house, path, "", body.to_string().as_bytes()).await
    }

    pub(crate) async fn send(house: &House, path: &str, headers: &str, body: &[u8]) -> Self {
        let mut socket = TcpStream::connect(house.addr("proxy")).await.unwrap();
        let token = house.token("cli", "proxy");
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(body).await.unwrap();
        Self { socket, seen: Vec::new() }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// Reads until this has been seen.
    pub(crate) async fn until(&mut self, what: &str) {
        let reading = async {
            while !self.text().contains(what) {
                let mut part = [0; 4096];
                let read = self.socket.read(&mut part).await.unwrap();
                assert!(read > 0, "the connection ended before `{what}`: {}", self.text());
                self.seen.extend_from_slice(&part[..read]);
            }
        };
        let waited = tokio::time::timeout(PATIENCE, reading).await;
        assert!(waited.is_ok(), "waited for `{what}`: {}", self.text());
    }

    /// Reads until the connection ends or is silent; whether it ended.
    pub(crate) async fn rest(&mut self, patience: Duration) -> bool {
        let reading = async {
            let mut part = [0; 4096];
            loop {
                match self.socket.read(&mut part).await {
                    Ok(0) | Err(_) => break,
                    Ok(read) => self.seen.extend_from_slice(&part[..read]),
                }
            }
        };
        tokio::time::timeout(patience, reading).await.is_ok()
    }
}
