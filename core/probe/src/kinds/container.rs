//! A container runs, and its own health check passes, as the engine says over its socket (Docker Engine API, `ContainerInspect`).

use std::path::Path;

use sanctum_kernel::inventory::check::Container;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::answer::excerpt;
use crate::wire::{self, Question};
use crate::{Answer, Finding, Stage};

const SOCKET: &str = "/var/run/docker.sock";

pub(super) async fn look(container: &Container, stage: &Stage) -> Result<Answer, Answer> {
    let socket = container.socket.as_deref().unwrap_or(Path::new(SOCKET));
    // What the engine does not say of a container, nobody knows: it may well run without it.
    let engine = |reason: String| Answer::unknown(format!("the engine at `{}` {reason}", socket.display()));
    let connected = UnixStream::connect(socket).await;
    let mut stream = connected.map_err(|error| engine(format!("cannot be asked: {error}")))?;
    let path = format!("/containers/{}/json", container.name);
    let question = Question { path: &path, host: "localhost", ..Question::default() };
    let received = wire::get(&mut stream, &question, stage).await;
    let received = received.map_err(|answer| Answer { finding: Finding::Unknown, ..answer })?;
    match received.head.status {
        200 => {}
        404 => return Err(Answer::fail(format!("there is no container `{}`", container.name))),
        status => return Err(engine(format!("answered {status}: `{}`", excerpt(&received.body)))),
    }
    let said: Value = serde_json::from_slice(&received.body)
        .map_err(|_| engine(format!("answered with no JSON: `{}`", excerpt(&received.body))))?;
    judge(&said).ok_or_else(|| engine("says nothing of its state".to_owned()))
}

fn judge(said: &Value) -> Option<Answer> {
    let state = said.get("State")?;
    let status = state.get("Status")?.as_str()?;
    if status != "running" {
        let code = state.get("ExitCode").and_then(Value::as_i64).unwrap_or(0);
        let memory = state.get("OOMKilled").and_then(Value::as_bool) == Some(true);
        let why = match (status, memory) {
            (_, true) => " for want of memory".to_owned(),
            ("exited" | "dead", _) => format!(" with {code}"),
            _ => String::new(),
        };
        return Some(Answer::fail(format!("it is {status}{why}")));
    }
    let health = state.get("Health");
    let word = health.and_then(|health| health.get("Status")).and_then(Value::as_str).unwrap_or("none");
    let last = || {
        let log = health?.get("Log")?.as_array()?;
        Some(excerpt(log.last()?.get("Output")?.as_str()?.as_bytes())).filter(|line| !line.is_empty())
    };
    Some(match word {
        "unhealthy" => {
            let why = last().map_or_else(String::new, |line| format!(": {line}"));
            Answer::fail(format!("it runs, and its own check fails{why}"))
        }
        "starting" => Answer::drift("it runs, and its own check has not passed yet"),
        "healthy" => Answer::pass("it runs, and its own check passes"),
        _ => Answer::pass("it runs"),
    })
}
