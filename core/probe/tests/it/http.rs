//! Web addresses that answer well, and all the ways in which they do not.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sanctum_probe::Finding::{Drift, Fail, Pass, Unknown};

use super::peer::{answered, drips, nobody, peer, question, says};
use super::{ask, expect, eyes};

fn at(addr: std::net::SocketAddr, more: &str) -> String {
    format!("timeout = \"400ms\"\nhttp = {{ url = \"http://{addr}/x?y=z\"{more} }}")
}

#[tokio::test]
async fn a_status_is_right_or_not() {
    for (status, more, finding) in [
        (200, "", Pass),
        (204, "", Pass),
        (404, "", Fail),
        (503, "", Fail),
        (401, ", status = [401]", Pass),
        (200, ", status = [401]", Fail),
    ] {
        let peer = says(answered(status, "well")).await;
        expect(&at(peer.addr, more), finding, &format!("answered {status}")).await;
    }
    let peer =
        says("HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\n\r\n").await;
    expect(&at(peer.addr, ""), Fail, "leads to https://elsewhere.example/").await;
}

#[tokio::test]
async fn a_200_with_the_wrong_words_is_a_lie() {
    let peer = says(answered(200, "<h1>Database error</h1>")).await;
    expect(
        &at(peer.addr, ", body = \"Welcome\""),
        Fail,
        "does not contain `Welcome`: `<h1>Database error</h1>`",
    )
    .await;
    expect(&at(peer.addr, ", not-body = \"error\""), Fail, "contains `error`").await;
    expect(&at(peer.addr, ", body = \"Database\", not-body = \"panic\""), Pass, "answered 200").await;
}

#[tokio::test]
async fn a_place_in_json_is_looked_at() {
    let peer = says(answered(200, r#"{"a":{"b":["x","up"]},"n":17.5,"t":"23.1","no":false,"e":""}"#)).await;
    for (json, finding, words) in [
        ("at = \"/a/b/1\", equals = \"up\"", Pass, "stands `up`"),
        ("at = \"/a/b/0\", equals = \"up\"", Fail, "`x` instead of `up`"),
        ("at = \"/n\", min = 10, max = 20", Pass, "17.5"),
        ("at = \"/n\", min = 18", Fail, "less than 18"),
        ("at = \"/t\", max = 23", Fail, "more than 23"),
        ("at = \"/a\", min = 1", Fail, "no number"),
        ("at = \"/a\"", Pass, ""),
        ("at = \"/no\"", Fail, "stands `false`"),
        ("at = \"/e\"", Fail, ""),
        ("at = \"/z\"", Fail, "nothing at `/z`"),
        ("at = \"/no\", equals = \"false\"", Pass, ""),
    ] {
        expect(&at(peer.addr, &format!(", json = {{ {json} }}")), finding, words).await;
    }
    let measured = ask(&at(peer.addr, ", json = { at = \"/t\" }")).await;
    assert_eq!(measured.value, Some(23.1));
    let liar = says(answered(200, "<html>not found</html>")).await;
    expect(&at(liar.addr, ", json = { at = \"/a\" }"), Fail, "is not JSON").await;
}

#[tokio::test]
async fn whoever_hangs_is_cut_and_it_is_said_where() {
    let silent = peer(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    expect(&at(silent.addr, ""), Fail, "takes connections and gave no answer within 400ms").await;
    let pieces = &["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"];
    let headed = drips(pieces, Duration::ZERO).await;
    expect(&at(headed.addr, ""), Fail, "did not end within 400ms").await;
    // A byte now and then keeps many clients waiting for ever.
    let dripping =
        drips(&["H", "T", "T", "P", "/", "1", ".", "1", " ", "2", "0", "0"], Duration::from_millis(60)).await;
    let answer = ask(&at(dripping.addr, "")).await;
    assert_eq!(answer.finding, Fail, "{}", answer.detail);
    assert!(answer.took >= Duration::from_millis(400));
}

#[tokio::test]
async fn whoever_hangs_up_has_failed() {
    expect(&at(nobody().await, ""), Fail, "connection refused").await;
    let gone = peer(|mut stream| async move {
        question(&mut stream).await;
    })
    .await;
    expect(&at(gone.addr, ""), Fail, "hung up without an answer").await;
    let reset = peer(|stream| async move {
        // Zero makes it end with a reset, whatever is still to be read.
        stream.set_zero_linger().ok();
        drop(stream);
    })
    .await;
    let answer = ask(&at(reset.addr, "")).await;
    assert_eq!(answer.finding, Fail, "{}", answer.detail);
    let short = says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
    expect(&at(short.addr, ""), Fail, "broke off").await;
    let shorter = says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal").await;
    expect(&at(shorter.addr, ""), Fail, "broke off").await;
    let other = says("SSH-2.0-OpenSSH_9.9\r\n").await;
    expect(&at(other.addr, ""), Fail, "does not speak HTTP").await;
}

#[tokio::test]
async fn a_body_is_read_however_it_is_delimited() {
    for text in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nwel\r\n1\r\nl\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nwell",
        "HTTP/1.0 200 OK\r\ncontent-length: 4\r\n\r\nwell and what is too much",
        "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell",
    ] {
        let peer = says(text).await;
        expect(&at(peer.addr, ", body = \"well\", not-body = \"much\""), Pass, "answered 200").await;
    }
}

#[tokio::test]
async fn no_answer_is_too_large_to_be_cut() {
    let endless = peer(|mut stream| async move {
        use tokio::io::AsyncWriteExt;
        question(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok();
        while stream.write_all(&[b'x'; 16_000]).await.is_ok() {}
    })
    .await;
    let check =
        format!("timeout = \"10s\"\nhttp = {{ url = \"http://{}/\", body = \"never\" }}", endless.addr);
    expect(&check, Fail, "the first megabyte of its answer does not contain `never`").await;
    let headed = peer(|mut stream| async move {
        use tokio::io::AsyncWriteExt;
        question(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nA: ").await.ok();
        while stream.write_all(&[b'x'; 16_000]).await.is_ok() {}
    })
    .await;
    expect(
        &format!("http = {{ url = \"http://{}/\" }}", headed.addr),
        Fail,
        "the head of its answer is longer",
    )
    .await;
    let boasting = says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx").await;
    expect(&at(boasting.addr, ""), Fail, "").await;
    let long = says("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nx").await;
    expect(&at(long.addr, ""), Fail, "no number").await;
}

#[tokio::test]
async fn a_slow_answer_is_drift() {
    let slow = peer(|mut stream| async move {
        use tokio::io::AsyncWriteExt;
        question(&mut stream).await;
        tokio::time::sleep(Duration::from_millis(60)).await;
        stream.write_all(answered(200, "well").as_bytes()).await.ok();
    })
    .await;
    expect(&at(slow.addr, ", slow = \"30ms\""), Drift, "more than 30ms is slow").await;
    expect(&at(slow.addr, ", slow = \"30s\""), Pass, "answered 200").await;
}

#[tokio::test]
async fn what_is_asked_is_asked_as_it_stands() {
    let echo = peer(|mut stream| async move {
        use tokio::io::AsyncWriteExt;
        let asked = question(&mut stream).await;
        stream.write_all(answered(200, &asked).as_bytes()).await.ok();
    })
    .await;
    let eyes = eyes();
    sanctum_kernel::files::private_dir(&eyes.home.path().join("secrets")).unwrap();
    sanctum_kernel::files::replace(&eyes.home.path().join("secrets/key"), b"s3cret\n", 0o600).unwrap();
    let asked = |words: &str| at(echo.addr, &format!(", token = \"file:key\", body = \"{words}\""));
    for words in ["GET /x?y=z HTTP/1.1", "Authorization: Bearer s3cret", &format!("Host: {}", echo.addr)] {
        let answer = eyes.ask(&asked(words)).await;
        assert_eq!(answer.finding, Pass, "{}", answer.detail);
    }
    assert_eq!(echo.taken.load(Ordering::SeqCst), 3, "a new connection each time");
    let lost = eyes.ask(&at(echo.addr, ", token = \"file:gone\"")).await;
    assert_eq!(lost.finding, Unknown, "without its key the question cannot be put: {}", lost.detail);
}
