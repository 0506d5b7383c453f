//! Names, as the system and as one server knows them.

use std::net::SocketAddr;

use sanctum_probe::Finding::{Fail, Pass};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

use super::expect;

/// The answer of a name server: the question again, and these addresses, each after a name that points back.
fn answer(question: &[u8], flags: [u8; 2], addresses: &[[u8; 4]]) -> Vec<u8> {
    let mut text = question.to_vec();
    text[2] = flags[0];
    text[3] = flags[1];
    text[7] = u8::try_from(addresses.len()).unwrap();
    for address in addresses {
        text.extend_from_slice(&[0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        text.extend_from_slice(address);
    }
    text
}

async fn server(serve: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> (SocketAddr, JoinSet<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut heard = [0; 512];
        loop {
            let (count, from) = socket.recv_from(&mut heard).await.unwrap();
            for said in serve(&heard[..count]) {
                socket.send_to(&said, from).await.unwrap();
            }
        }
    });
    (addr, serving)
}

fn asked(addr: SocketAddr, more: &str) -> String {
    format!("timeout = \"3s\"\ndns = {{ name = \"router.lan\", server = \"{addr}\"{more} }}")
}

#[tokio::test]
async fn a_server_is_asked_in_its_tongue() {
    let (addr, _serving) = server(|question| {
        assert!(question[12..].starts_with(b"\x06router\x03lan\0"), "{question:?}");
        // A forged answer to another question comes first, and is not taken.
        let mut forged = answer(question, [0x81, 0x80], &[[6, 6, 6, 6]]);
        forged[0] ^= 0xFF;
        vec![forged, answer(question, [0x81, 0x80], &[[192, 168, 1, 1], [192, 168, 1, 2]])]
    })
    .await;
    expect(&asked(addr, ""), Pass, "leads to 192.168.1.1, 192.168.1.2").await;
    expect(&asked(addr, ", expect = \"192.168.1.2\""), Pass, "").await;
    expect(&asked(addr, ", expect = \"192.168.1.9\""), Fail, "instead of 192.168.1.9").await;
}

#[tokio::test]
async fn what_a_server_refuses_is_told() {
    for (code, words) in [(3, "no such name"), (2, "SERVFAIL"), (5, "REFUSED")] {
        let (addr, _serving) = server(move |question| vec![answer(question, [0x81, 0x80 | code], &[])]).await;
        expect(&asked(addr, ""), Fail, words).await;
    }
    let (addr, _serving) = server(|question| vec![answer(question, [0x81, 0x80], &[])]).await;
    expect(&asked(addr, ""), Fail, "no address").await;
    let (addr, _serving) = server(|question| vec![[&question[..2], &[0x81, 0x80, 0]].concat()]).await;
    expect(&asked(addr, ""), Fail, "not one of a name server").await;
    let (addr, _serving) = server(|_| Vec::new()).await;
    expect(&asked(addr, "").replace("3s", "300ms"), Fail, "no answer within").await;
}

#[tokio::test]
async fn a_long_answer_comes_over_tcp() {
    let (addr, _serving, listener) = loop {
        let (addr, serving) = server(|question| vec![answer(question, [0x83, 0x80], &[])]).await;
        // The same number may be somebody's over TCP.
        if let Ok(listener) = TcpListener::bind(addr).await {
            break (addr, serving, listener);
        }
    };
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let length = stream.read_u16().await.unwrap();
        let mut question = vec![0; usize::from(length)];
        stream.read_exact(&mut question).await.unwrap();
        let said = answer(&question, [0x81, 0x80], &[[10, 0, 0, 7]]);
        stream.write_u16(u16::try_from(said.len()).unwrap()).await.unwrap();
        stream.write_all(&said).await.unwrap();
    });
    expect(&asked(addr, ""), Pass, "leads to 10.0.0.7").await;
}

#[tokio::test]
async fn the_system_knows_itself() {
    expect("dns = { name = \"localhost\", expect = \"127.0.0.1\" }", Pass, "127.0.0.1").await;
    expect("timeout = \"5s\"\ndns = { name = \"nobody.invalid\" }", Fail, "").await;
}
