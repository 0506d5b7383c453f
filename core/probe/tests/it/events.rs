//! Streams of events that live, and one that only greets.

use std::time::Duration;

use sanctum_probe::Finding::{Fail, Pass};

use super::expect;
use super::peer::{answered, drips, says};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

fn at(addr: std::net::SocketAddr) -> String {
    format!("timeout = \"1s\"\nevents = {{ url = \"http://{addr}/events\", within = \"1500ms\" }}")
}

#[tokio::test]
async fn a_stream_lives_while_something_comes() {
    let lives = drips(
        &[HEAD, ": hello\n\n", ":\n\n", ":\n\n", ":\n\n", ":\n\n", ":\n\n"],
        Duration::from_millis(200),
    )
    .await;
    expect(&at(lives.addr), Pass, "something came after").await;
}

#[tokio::test]
async fn a_greeting_is_no_life() {
    let stalls = drips(&[HEAD, ": hello\n\n"], Duration::ZERO).await;
    expect(&at(stalls.addr), Fail, "nothing came within").await;
    let closes = says(HEAD).await;
    expect(&at(closes.addr), Fail, "was closed").await;
    let other = says(answered(200, "hello")).await;
    expect(&at(other.addr), Fail, "instead of a stream of events").await;
    let none = says(answered(503, "")).await;
    expect(&at(none.addr), Fail, "answered 503").await;
}
