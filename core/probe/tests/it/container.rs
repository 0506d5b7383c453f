//! The container engine's socket, spoken to as it speaks.

use std::path::Path;

use sanctum_probe::Finding::{self, Drift, Fail, Pass, Unknown};
use tokio::net::UnixListener;
use tokio::task::JoinSet;

use super::eyes;
use super::peer::{answer, answered};

fn engine(path: &Path, said: String) -> JoinSet<()> {
    let listener = UnixListener::bind(path).unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            answer(&mut stream, &said).await;
        }
    });
    serving
}

async fn found(said: String) -> (Finding, String) {
    let eyes = eyes();
    let socket = eyes.home.path().join("engine.sock");
    let _engine = engine(&socket, said);
    let asked = format!(
        "timeout = \"2s\"\ncontainer = {{ name = \"home-assistant\", socket = \"{}\" }}",
        socket.display()
    );
    let answer = eyes.ask(&asked).await;
    (answer.finding, answer.detail)
}

/// As the engine answers: in chunks.
fn chunked(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    )
}

#[tokio::test]
async fn a_container_is_as_its_engine_says() {
    for (state, finding, words) in [
        (r#"{"Status":"running","Running":true}"#, Pass, "it runs"),
        (r#"{"Status":"running","Health":{"Status":"healthy","Log":[]}}"#, Pass, "its own check passes"),
        (r#"{"Status":"running","Health":{"Status":"starting"}}"#, Drift, "not passed yet"),
        (
            r#"{"Status":"running","Health":{"Status":"unhealthy","FailingStreak":3,"Log":[{"ExitCode":1,"Output":"curl: (7) no\n"}]}}"#,
            Fail,
            "its own check fails: curl: (7) no",
        ),
        (r#"{"Status":"exited","ExitCode":137,"OOMKilled":true}"#, Fail, "for want of memory"),
        (r#"{"Status":"exited","ExitCode":1}"#, Fail, "it is exited with 1"),
        (r#"{"Status":"paused","Running":true,"Paused":true}"#, Fail, "it is paused"),
        (r#"{"Status":"restarting"}"#, Fail, "it is restarting"),
    ] {
        let (is, detail) = found(chunked(&format!("{{\"Id\":\"a\",\"State\":{state}}}"))).await;
        assert_eq!(is, finding, "{state}: {detail}");
        assert!(detail.contains(words), "{state}: {detail}");
    }
}

#[tokio::test]
async fn an_engine_that_cannot_say_leaves_it_unknown() {
    let (is, detail) = found(answered(404, "{\"message\":\"No such container: home-assistant\"}")).await;
    assert_eq!((is, detail.as_str()), (Fail, "there is no container `home-assistant`"));
    assert_eq!(found(answered(500, "{\"message\":\"oh\"}")).await.0, Unknown);
    assert_eq!(found(answered(200, "hello")).await.0, Unknown);
    assert_eq!(found(answered(200, "{}")).await.0, Unknown);
    assert_eq!(found(String::new()).await.0, Unknown);
    let nobody = super::ask("container = { name = \"x\", socket = \"/no/such/engine.sock\" }").await;
    assert_eq!(nobody.finding, Unknown, "{}", nobody.detail);
}
