//! What every service promises at its door, tried through real sockets.

mod echo;
mod origin;

use std::time::Duration;

use echo::CATALOGUE;
use futures_util::StreamExt;
use sanctum_kernel::Peer;
use sanctum_testkit::{House, eventually};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn house() -> House {
    House::new(&CATALOGUE).config("[echo]\ngreeting = \"hello\"\n").start().await
}

#[tokio::test]
async fn live_ready_and_well_are_three_answers_that_need_no_token() {
    let house = house().await;
    for path in ["/live", "/ready", "/health", "/metrics", "/openapi.json"] {
        let answer = house.raw("echo", "GET", path, &[("authorization", "none")], Vec::new()).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    let (_, health) = house.get("echo", "/health").await;
    assert_eq!((&health["status"], &health["ready"]), (&json!("well"), &json!(true)));
    let metrics = house.raw("echo", "GET", "/metrics", &[], Vec::new()).await;
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(
        metrics.contains("sanctum_echo_http_requests_total{method=\"GET\",route=\"/live\",status=\"200\"} 1"),
        "{metrics}"
    );
    let (_, document) = house.get("echo", "/openapi.json").await;
    assert!(document["paths"]["/say"]["post"]["requestBody"].is_object(), "{document:#}");
    house.stop().await;
}

#[tokio::test]
async fn a_token_says_who_may_do_what() {
    let house = house().await;
    let say = json!({ "word": "a", "count": 1 }).to_string().into_bytes();
    let with = async |token: &str, method: &'static str, path: &str| {
        let bearer = format!("Bearer {token}");
        house
            .raw(
                "echo",
                method,
                path,
                &[("authorization", &bearer), ("content-type", "application/json")],
                say.clone(),
            )
            .await
            .status
    };
    let (cli, reader) = (house.token("cli", "echo"), house.token("reader", "echo"));
    assert_eq!(with(&cli, "POST", "/say").await, 200);
    assert_eq!(with(&reader, "GET", "/who").await, 200);
    assert_eq!(with(&reader, "POST", "/say").await, 403, "reading is not acting");
    assert_eq!(with("wrong", "GET", "/who").await, 401);
    assert_eq!(with(&house.token("cli", "reader"), "GET", "/who").await, 401, "a token opens one door");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(house.paths().tokens().join("cli-echo")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    house.stop().await;
}

#[tokio::test]
async fn bad_requests_get_problems_that_name_the_field() {
    let house = house().await;
    let post = async |body: &[u8]| {
        let answer =
            house.raw("echo", "POST", "/say", &[("content-type", "application/json")], body.to_vec()).await;
        assert_eq!(answer.headers.get("content-type").unwrap(), "application/problem+json");
        (answer.status, serde_json::from_slice::<Value>(&answer.body).unwrap())
    };
    let (status, problem) = post(b"{\"word\": \"a\", \"count\": -1}").await;
    assert_eq!((status, &problem["field"]), (422, &json!("count")), "{problem}");
    let (status, problem) = post(b"{\"word\": \"a\"}").await;
    assert!(status == 422 && problem["detail"].as_str().unwrap().contains("count"), "{problem}");
    let (status, problem) = post(b"{\"word\": ").await;
    assert_eq!((status, &problem["type"]), (400, &json!("urn:sanctum:bad-json")));
    let (status, _) = post(b"{\"word\": \"\xff\", \"count\": 1}").await;
    assert_eq!(status, 400);
    let (status, _) = post(&vec![b'x'; 1024 * 1024]).await;
    assert_eq!(status, 413);
    let (status, problem) = house.get("echo", "/nowhere").await;
    assert_eq!((status, &problem["value"]), (404, &json!("/nowhere")));
    let (status, _) = house.send("echo", "DELETE", "/say", &Value::Null).await;
    assert_eq!(status, 405);
    house.stop().await;
}

#[tokio::test]
async fn a_request_stays_in_its_story_and_keeps_its_id() {
    let house = house().await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let answer = house
        .raw("echo", "GET", "/trace", &[("traceparent", parent), ("x-request-id", "mine")], Vec::new())
        .await;
    assert_eq!(&answer.body[..], b"4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(answer.headers.get("x-request-id").unwrap(), "mine");
    assert!(
        answer
            .headers
            .get("traceparent")
            .unwrap()
            .to_str()
            .unwrap()
            .contains("4bf92f3577b34da6a3ce929d0e0e4736")
    );
    house.stop().await;
}

#[tokio::test]
async fn a_page_elsewhere_that_resolves_to_us_is_not_us() {
    let house = house().await;
    let answer = house.raw("echo", "GET", "/health", &[("host", "evil.example")], Vec::new()).await;
    assert_eq!(answer.status, 421);
    house.stop().await;
}

#[tokio::test]
async fn events_resume_after_the_last_one_seen() {
    let house = house().await;
    let echo = house.transport("echo");
    let say =
        async |count: u32| house.send("echo", "POST", "/say", &json!({ "word": "a", "count": count })).await;
    let mut first = echo.events("/events".to_owned(), None).await.unwrap();
    say(1).await;
    let seen = first.next().await.unwrap().unwrap();
    drop(first);
    say(2).await;
    say(3).await;
    let mut again = echo.events("/events".to_owned(), seen.id.clone()).await.unwrap();
    let missed = [again.next().await.unwrap().unwrap(), again.next().await.unwrap().unwrap()];
    assert!(missed[0].data.contains("\"count\":2") && missed[1].data.contains("\"count\":3"), "{missed:?}");
    let mut stranger = echo.events("/events".to_owned(), Some("0".to_owned())).await.unwrap();
    assert!(stranger.next().await.unwrap().unwrap().data.contains("\"count\":1"), "nothing is lost yet");
    let mut lost = echo.events("/events".to_owned(), Some("999999".to_owned())).await.unwrap();
    assert_eq!(lost.next().await.unwrap().unwrap().kind, "lost");
    house.stop().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_those_who_listen_for_ever() {
    let house = house().await;
    let mut events = house.transport("echo").events("/events".to_owned(), None).await.unwrap();
    house.stop().await;
    assert!(events.next().await.is_none_or(|end| end.is_err()));
}

#[tokio::test]
async fn a_changed_file_rebuilds_a_service_on_its_socket_and_a_bad_one_leaves_it() {
    let mut house = house().await;
    let addr = house.addr("echo");
    let greeting = async |house: &House| {
        String::from_utf8(house.raw("echo", "GET", "/greeting", &[], Vec::new()).await.body.to_vec()).unwrap()
    };
    house.reconfigure("[echo]\ngreeting = \"good evening\"\n").await;
    eventually("the new greeting", Duration::from_secs(5), async || {
        (greeting(&house).await == "good evening").then_some(())
    })
    .await;
    for bad in ["[echo]\ngreting = \"typo\"\n", "[echo]\nbroken = true\n", "[echo\n"] {
        house.reconfigure(bad).await;
        assert_eq!(greeting(&house).await, "good evening");
        let (_, health) = house.get("echo", "/health").await;
        assert_eq!(health["status"], json!("degraded"), "{bad}: {health}");
    }
    house.reconfigure("[echo]\ngreeting = \"good evening\"\n").await;
    let (_, health) = house.get("echo", "/health").await;
    assert_eq!(health["status"], json!("well"), "{health}");
    assert_eq!(house.addr("echo"), addr);
    house.stop().await;
}

#[tokio::test]
async fn a_port_in_use_names_the_service_the_port_and_the_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = format!("[listen]\necho = \"{}\"\nreader = \"127.0.0.1:0\"\n", taken.local_addr().unwrap());
    let (_, why) = House::new(&CATALOGUE).config(&config).try_start().await.err().unwrap();
    assert!(
        why.contains("echo")
            && why.contains(&taken.local_addr().unwrap().port().to_string())
            && why.contains("[listen]"),
        "{why}"
    );
    assert!(why.contains(&format!("pid {}", std::process::id())), "who holds it: {why}");
}

#[tokio::test]
async fn a_refusal_without_an_end_is_a_refusal_all_the_same() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let endless = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        // An answer before the question would be another error.
        assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
        let head = b"HTTP/1.1 503 Busy\r\nconnection: close\r\n\r\n";
        stream.write_all(head).await.unwrap();
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
        stream
    };
    let peer = Peer { name: "babbler".to_owned(), addr, token: "t".to_owned().into() };
    let transport = sanctum_http::transport(peer);
    let refused = async {
        match transport.events("/events".to_owned(), None).await {
            Err(sanctum_api::CallError::Refused { problem, .. }) => problem.status,
            other => panic!("{:?}", other.map(drop)),
        }
    };
    let both = tokio::time::timeout(Duration::from_secs(5), async { tokio::join!(refused, endless).0 });
    assert_eq!(both.await.expect("the words are read no further than they may be"), 503);
}
