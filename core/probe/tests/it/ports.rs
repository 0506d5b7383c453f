//! TCP and UDP ports.

use std::time::Duration;

use sanctum_probe::Finding::{Fail, Pass, Unknown};
use tokio::io::AsyncWriteExt;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::peer::{nobody, peer};
use super::{ask, expect};

fn greets(text: &'static str) -> impl Future<Output = super::peer::Peer> {
    peer(move |mut stream| async move {
        stream.write_all(text.as_bytes()).await.ok();
        tokio::time::sleep(Duration::from_secs(5)).await;
    })
}

#[tokio::test]
async fn a_port_takes_connections_and_greets() {
    let ssh = greets("SSH-2.0-OpenSSH_9.9\r\n").await;
    let at = |more: &str| format!("timeout = \"300ms\"\ntcp = {{ address = \"{}\"{more} }}", ssh.addr);
    expect(&at(""), Pass, "takes connections").await;
    expect(&at(", banner = \"SSH-2.0\""), Pass, "SSH-2.0-OpenSSH_9.9").await;
    expect(&at(", banner = \"220 \""), Fail, "").await;
    let mute = peer(|_stream| std::future::pending()).await;
    let asked = format!("timeout = \"300ms\"\ntcp = {{ address = \"{}\", banner = \"220\" }}", mute.addr);
    expect(&asked, Fail, "").await;
    expect(&format!("tcp = {{ address = \"{}\" }}", nobody().await), Fail, "connection refused").await;
    expect("timeout = \"5s\"\ntcp = { address = \"nobody.invalid:22\" }", Fail, "has no address").await;
    let port = ssh.addr.port();
    expect(&format!("tcp = {{ address = \"localhost:{port}\" }}"), Pass, "").await;
}

#[tokio::test]
async fn a_datagram_is_answered() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut heard = [0; 64];
        // The first one is lost, as it happens.
        socket.recv_from(&mut heard).await.unwrap();
        loop {
            let (_, from) = socket.recv_from(&mut heard).await.unwrap();
            socket.send_to(b"pong 7", from).await.unwrap();
        }
    });
    let at =
        |more: &str| format!("timeout = \"4s\"\nudp = {{ address = \"{addr}\", send = \"ping\"{more} }}");
    expect(&at(""), Pass, "answers").await;
    expect(&at(", expect = \"pong\""), Pass, "").await;
    expect(&at(", expect = \"hello\""), Fail, "answers `pong 7` instead of `hello`").await;
    let deaf = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let asked = format!(
        "timeout = \"200ms\"\nudp = {{ address = \"{}\", send = \"x\" }}",
        deaf.local_addr().unwrap()
    );
    expect(&asked, Fail, "no answer within 200ms").await;
    drop(deaf);
    expect(&asked, Fail, "").await;
}

#[tokio::test]
async fn a_machine_answers_to_ping_or_we_may_not_ask() {
    let answer = ask("timeout = \"2s\"\nicmp = { host = \"127.0.0.1\" }").await;
    match answer.finding {
        Pass => assert!(answer.detail.contains("127.0.0.1 answers to ping"), "{}", answer.detail),
        // A kernel that forbids it must be said so, with the way out.
        Unknown => assert!(answer.detail.contains("ping_group_range"), "{}", answer.detail),
        _ => panic!("{}", answer.detail),
    }
}
