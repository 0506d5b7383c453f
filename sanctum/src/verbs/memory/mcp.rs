//! MCP over standard input and output: a thin client of the memory that runs, which alone owns what is remembered.
//!
//! Lines are JSON-RPC messages; each goes to `/mcp` as it is, with the headers that the revision of its sender wants. A house that
//! is restarted meanwhile is found again, and a session it has forgotten is begun anew.

use std::cell::RefCell;
use std::io::Write;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::future::{AbortHandle, Abortable, LocalBoxFuture};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use sanctum_http::{Outbound, Outgoing, Streaming};
use sanctum_kernel::exit;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::cli::{Cli, Outcome};

/// A first word of the answer; the words themselves may take as long as they take.
const HEAD: Duration = Duration::from_mins(10);
/// Where a request of the newer revision says which one it is.
const VERSION: &str = "/params/_meta/io.modelcontextprotocol~1protocolVersion";
const SESSION: &str = "mcp-session-id";

/// Speak MCP over standard input and output, for agents that start their servers themselves.
///
/// What is written is an agent's, never the owner's, and belongs to the agent that is named here.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  claude mcp add memory -- sanctum memory mcp --agent claude
  { \"mcpServers\": { \"memory\": { \"command\": \"sanctum\", \"args\": [\"memory\", \"mcp\", \"--agent\", \"codex\"] } } }

An agent that speaks HTTP needs none of this: http://127.0.0.1:42069/mcp, with a key of `sanctum keys create`.")]
pub(super) struct Mcp {
    /// The agent's name in the house
    #[arg(long, default_value = "local")]
    agent: String,
}

pub(super) fn run(mcp: &Mcp, cli: &Cli) -> Outcome {
    // A house that is not there is said at once, and not to the first request.
    cli.peer("memory")?;
    let bridge = Bridge { cli, agent: &mcp.agent, outbound: Outbound::default(), session: RefCell::default() };
    cli.block_on(bridge.run())?;
    Ok(exit::OK)
}

/// What the older revision agrees on at its beginning.
#[derive(Debug, Clone, Default)]
struct Session {
    id: Option<String>,
    version: Option<String>,
    /// The message that began it, to begin it anew.
    opening: Option<Value>,
}

struct Bridge<'a> {
    cli: &'a Cli,
    agent: &'a str,
    outbound: Outbound,
    session: RefCell<Session>,
}

type Going<'a> = FuturesUnordered<LocalBoxFuture<'a, Option<Value>>>;

impl Bridge<'_> {
    async fn run(&self) {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        let mut going: Going<'_> = FuturesUnordered::new();
        let mut handles: Vec<(Value, AbortHandle)> = Vec::new();
        loop {
            let line = tokio::select! {
                line = lines.next_line() => line,
                Some(ended) = going.next(), if !going.is_empty() => {
                    handles.retain(|(id, _)| Some(id) != ended.as_ref());
                    continue;
                }
            };
            let Ok(Some(line)) = line else { break };
            if line.trim().is_empty() {
                continue;
            }
            match serde_json::from_str::<Value>(&line) {
                Ok(message) => self.take(message, &going, &mut handles).await,
                Err(error) => say(&failure(&Value::Null, -32700, &format!("this is no JSON: {error}"))),
            }
        }
        // Who closes its end may still be waiting for answers, but not for the house's own messages.
        handles.iter().filter(|(id, _)| id.is_null()).for_each(|(_, handle)| handle.abort());
        while going.next().await.is_some() {}
    }

    async fn take<'a>(&'a self, message: Value, going: &Going<'a>, handles: &mut Vec<(Value, AbortHandle)>) {
        let method = message.get("method").and_then(Value::as_str).unwrap_or_default().to_owned();
        let id = message.get("id").cloned();
        match (method.as_str(), id) {
            ("initialize", Some(_)) => {
                // What comes next needs what this agrees on.
                *self.session.borrow_mut() = Session { opening: Some(message.clone()), ..Session::default() };
                self.exchange(message).await;
            }
            (_, Some(id)) if !method.is_empty() => {
                let (handle, registration) = AbortHandle::new_pair();
                handles.push((id.clone(), handle));
                let work = async move {
                    self.exchange(message).await;
                    id
                };
                going.push(Abortable::new(work, registration).map(Result::ok).boxed_local());
            }
            ("notifications/cancelled", _) if self.session.borrow().id.is_none() => {
                // Without a session, not to listen any more is to cancel.
                let gone = message.pointer("/params/requestId").cloned().unwrap_or_default();
                handles.iter().filter(|(id, _)| *id == gone).for_each(|(_, handle)| handle.abort());
                handles.retain(|(id, _)| *id != gone);
            }
            (method, _) => {
                let begun = method == "notifications/initialized";
                self.exchange(message).await;
                if begun && self.session.borrow().id.is_some() {
                    let (handle, registration) = AbortHandle::new_pair();
                    handles.push((Value::Null, handle));
                    going.push(Abortable::new(self.follow(), registration).map(|_| None).boxed_local());
                }
            }
        }
    }

    /// Sends a message and says every message that answers it.
    async fn exchange(&self, message: Value) {
        let id = message.get("id").cloned().filter(|_| message.get("method").is_some());
        let opening = message.get("method").is_some_and(|method| method == "initialize");
        let mut answer = self.send("POST", &message).await;
        let forgotten = matches!(&answer, Ok(answer) if answer.status == 404) && self.session.borrow().id.is_some();
        if forgotten && !opening && self.begin_again().await {
            answer = self.send("POST", &message).await;
        }
        let outcome = match answer {
            Ok(answer) => self.relay(answer, opening, id.as_ref()).await,
            Err(words) => Err(words),
        };
        if let (Err(words), Some(id)) = (outcome, id) {
            say(&failure(&id, -32603, &words));
        }
    }

    async fn relay(&self, answer: Streaming, opening: bool, id: Option<&Value>) -> Result<(), String> {
        if opening && let Some(session) = answer.headers.get(SESSION).and_then(|id| id.to_str().ok()) {
            self.session.borrow_mut().id = Some(session.to_owned());
        }
        let kind = answer.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("text/event-stream") {
            let mut answered = id.is_none();
            let mut events = answer.events();
            while let Some(event) = events.next().await {
                let event = event.map_err(|error| error.to_string())?;
                let Ok(message) = serde_json::from_str::<Value>(&event.data) else { continue };
                answered |= message.get("id") == id && message.get("method").is_none();
                self.heard(&message, opening);
            }
            return if answered { Ok(()) } else { Err("the house closed the stream before it answered".to_owned()) };
        }
        let status = answer.status;
        let whole = answer.answer(HEAD).await.map_err(|error| error.to_string())?;
        match serde_json::from_slice::<Value>(&whole.body) {
            Ok(message) if message.get("jsonrpc").is_some() => self.heard(&message, opening),
            Ok(problem) if status >= 400 => {
                let words = |field: &str| problem.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
                return Err(format!("{} {}", words("title"), words("hint")).trim().to_owned());
            }
            _ if status >= 400 => return Err(whole.excerpt()),
            _ => {}
        }
        Ok(())
    }

    fn heard(&self, message: &Value, opening: bool) {
        if opening && let Some(version) = message.pointer("/result/protocolVersion").and_then(Value::as_str) {
            self.session.borrow_mut().version = Some(version.to_owned());
        }
        say(message);
    }

    /// The house has forgotten the session, most likely because it was restarted: the agent need not know.
    async fn begin_again(&self) -> bool {
        let Some(opening) = self.session.borrow().opening.clone() else { return false };
        *self.session.borrow_mut() = Session { opening: Some(opening.clone()), ..Session::default() };
        let Ok(answer) = self.send("POST", &opening).await else { return false };
        let session = answer.headers.get(SESSION).and_then(|id| id.to_str().ok()).map(str::to_owned);
        let mut events = answer.events();
        while let Some(Ok(event)) = events.next().await {
            let message = serde_json::from_str::<Value>(&event.data).unwrap_or_default();
            if let Some(version) = message.pointer("/result/protocolVersion").and_then(Value::as_str) {
                self.session.borrow_mut().version = Some(version.to_owned());
            }
        }
        self.session.borrow_mut().id = session;
        let begun = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        self.send("POST", &begun).await.is_ok_and(|answer| answer.status < 300)
    }

    /// What the house says of itself within a session, until it ends.
    async fn follow(&self) {
        let Ok(answer) = self.send("GET", &Value::Null).await else { return };
        if answer.status >= 300 {
            return;
        }
        let mut events = answer.events();
        while let Some(Ok(event)) = events.next().await {
            if let Ok(message) = serde_json::from_str::<Value>(&event.data) {
                say(&message);
            }
        }
    }

    async fn send(&self, method: &'static str, message: &Value) -> Result<Streaming, String> {
        // Where it is and which token opens it change with every start of the house.
        let peer = self.cli.peer("memory").map_err(|error| error.to_string())?;
        let mut headers = vec![
            ("accept".to_owned(), "application/json, text/event-stream".to_owned()),
            ("authorization".to_owned(), format!("Bearer {}", peer.token.expose_secret())),
            ("x-sanctum-agent".to_owned(), self.agent.to_owned()),
        ];
        headers.extend(self.protocol(message));
        let body = match message {
            Value::Null => Vec::new(),
            message => {
                headers.push(("content-type".to_owned(), "application/json".to_owned()));
                message.to_string().into_bytes()
            }
        };
        let outgoing = Outgoing { method, url: format!("http://{}/mcp", peer.addr), headers, body, timeout: HEAD };
        let answer = self.outbound.stream(outgoing).await;
        answer.map_err(|error| format!("the memory does not answer: {error}; `sanctum status memory` tells more"))
    }

    /// The headers that repeat what is in the message, or belong to its session.
    fn protocol(&self, message: &Value) -> Vec<(String, String)> {
        let Some(version) = message.pointer(VERSION).and_then(Value::as_str) else {
            let session = self.session.borrow().clone();
            let id = session.id.map(|id| (SESSION.to_owned(), id));
            return id.into_iter().chain(session.version.map(|version| ("mcp-protocol-version".to_owned(), version))).collect();
        };
        let method = message.get("method").and_then(Value::as_str).unwrap_or_default();
        let name = match method {
            "tools/call" | "prompts/get" => message.pointer("/params/name"),
            "resources/read" => message.pointer("/params/uri"),
            _ if method.starts_with("tasks/") => message.pointer("/params/taskId"),
            _ => None,
        };
        let name = name.and_then(Value::as_str).map(|name| ("mcp-name".to_owned(), in_header(name)));
        let all = [("mcp-protocol-version".to_owned(), version.to_owned()), ("mcp-method".to_owned(), method.to_owned())];
        all.into_iter().chain(name).collect()
    }
}

/// What no header can hold is wrapped (SEP-2243).
fn in_header(value: &str) -> String {
    let plain = value.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) && value.trim() == value && !value.starts_with("=?base64?");
    if plain { value.to_owned() } else { format!("=?base64?{}?=", BASE64_STANDARD.encode(value)) }
}

fn failure(id: &Value, code: i32, words: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": words } })
}

/// A message is a line. Who does not read any more is not told.
fn say(message: &Value) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{message}").and_then(|()| out.flush()).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_header_can_hold_is_wrapped() {
        assert_eq!(in_header("memory_search"), "memory_search");
        assert_eq!(in_header("memory://note/ü"), format!("=?base64?{}?=", BASE64_STANDARD.encode("memory://note/ü")));
        assert!(in_header(" padded").starts_with("=?base64?"));
        assert!(in_header("=?base64?eA==?=").starts_with("=?base64?PT"));
    }
}
