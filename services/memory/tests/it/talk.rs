//! Conversations over the Model Context Protocol that go back and forth: a question within a session, progress, an end that
//! is asked for, and tasks.

use jiff::SignedDuration;
use sanctum_kernel::Clock;
use sanctum_testkit::{House, eventually};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;

use crate::house::{CATALOGUE, PATIENCE, WORDS, paths, write};

const START: &str = "2026-11-22T02:00:00Z";
const MODERN: &str = "2026-07-28";
/// Enough notes that a pass over them is seen while it goes on.
const HIVES: u32 = 200;

/// Notes that wait to be sorted, in a house where nobody sorts them but the test.
async fn hives(number: u32) -> House {
    let house = House::new(&CATALOGUE)
        .config(&format!("[memory]\nconsolidate-every = \"0s\"\n{WORDS}"))
        .clock(Clock::starting_at(START.parse().unwrap()))
        .start()
        .await;
    for i in 0..number {
        let text = format!("Beehive {i} stands in row {} and gave {} grams.", i % 7, i * 13 + 5);
        let note = json!({ "text": text, "agent": "yoda", "type": "semantic", "title": format!("Hive {i}") });
        write(&house, note).await;
    }
    house.clock().step(SignedDuration::from_hours(48));
    house
}

async fn pass(house: &House) -> Value {
    let (status, report) = house.send("memory", "POST", "/consolidate?apply=true", &Value::Null).await;
    assert_eq!(status, 200, "{report}");
    report
}

async fn sorted(house: &House) -> usize {
    paths(house).await.iter().filter(|path| path.starts_with("knowledge/")).count()
}

/// How many notes a report says were sorted.
fn promoted(report: &Value) -> usize {
    report["steps"].as_array().unwrap().iter().filter(|step| step["what"] == "promote").count()
}

/// An answer that is read while it comes.
struct Stream(Lines<BufReader<TcpStream>>);

impl Stream {
    async fn open(house: &House, headers: &[(&str, &str)], body: &Value) -> Self {
        let addr = house.addr("memory");
        let mut tcp = TcpStream::connect(addr).await.unwrap();
        let body = body.to_string();
        let mut head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {addr}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\nauthorization: Bearer {}\r\nx-sanctum-agent: claude\r\ncontent-length: {}\r\n",
            house.token("cli", "memory"),
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        tcp.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
        Self(BufReader::new(tcp).lines())
    }

    /// The next message, `None` at the end.
    async fn next(&mut self) -> Option<Value> {
        let message = async {
            // The last chunk of an answer has no length; the connection stays open behind it.
            while let Some(line) = self.0.next_line().await.ok().flatten().filter(|line| line != "0") {
                let data = line.strip_prefix("data:").and_then(|data| serde_json::from_str(data).ok());
                if data.is_some() {
                    return data;
                }
            }
            None
        };
        tokio::time::timeout(PATIENCE, message).await.expect("another message, or the end")
    }
}

/// A client of the revision with sessions, which can ask its user.
struct Session<'h> {
    house: &'h House,
    id: String,
}

impl<'h> Session<'h> {
    async fn begin(house: &'h House) -> Self {
        let client = json!({ "name": "old", "version": "1" });
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": { "elicitation": {} }, "clientInfo": client });
        let begun = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
        let answer = send(house, &[], &begun).await;
        let id = answer.headers.get("mcp-session-id").unwrap().to_str().unwrap().to_owned();
        let session = Self { house, id };
        session.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        session
    }

    fn headers(&self) -> [(&str, &str); 2] {
        [("mcp-session-id", &self.id), ("mcp-protocol-version", "2025-11-25")]
    }

    /// Something that has no answer.
    async fn say(&self, message: &Value) {
        assert_eq!(send(self.house, &self.headers(), message).await.status, 202, "{message}");
    }

    async fn call(&self, id: u32, tool: &str, arguments: &Value) -> Stream {
        let params = json!({ "name": tool, "arguments": arguments, "_meta": { "progressToken": "seen" } });
        let call = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
        Stream::open(self.house, &self.headers(), &call).await
    }
}

async fn send(house: &House, more: &[(&str, &str)], body: &Value) -> sanctum_http::Answer {
    let mut headers = vec![
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("x-sanctum-agent", "claude"),
    ];
    headers.extend(more);
    house.raw("memory", "POST", "/mcp", &headers, body.to_string().into_bytes()).await
}

/// Headers and body of a request that stands for itself.
fn modern(method: &'static str, name: &str, mut params: Value) -> (Vec<(&'static str, String)>, Value) {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": { "extensions": { "io.modelcontextprotocol/tasks": {} } },
        "progressToken": 7,
    });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let headers = vec![
        ("mcp-protocol-version", MODERN.to_owned()),
        ("mcp-method", method.to_owned()),
        ("mcp-name", name.to_owned()),
    ];
    (headers, body)
}

/// The answer to a request that stands for itself, of a client that has tasks.
async fn ask(house: &House, method: &'static str, name: &str, params: Value) -> Value {
    let (headers, body) = modern(method, name, params);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut stream = Stream::open(house, &headers, &body).await;
    let mut last = Value::Null;
    while let Some(message) = stream.next().await {
        last = message;
        if last.get("id").is_some() {
            break;
        }
    }
    last["result"].clone()
}

#[tokio::test]
async fn within_a_session_the_user_is_asked_before_a_note_is_forgotten() {
    let house = hives(2).await;
    let session = Session::begin(&house).await;
    let hive = house.get("memory", "/list?limit=1").await.1["notes"][0].clone();
    let forget = json!({ "id": hive["id"] });
    let path = hive["path"].as_str().unwrap();
    let answers = [
        json!({ "action": "decline" }),
        json!({ "action": "cancel" }),
        json!({ "action": "accept", "content": { "agreed": false } }),
        json!({ "action": "accept", "content": { "agreed": true } }),
    ];
    for (id, answer) in (10..).zip(&answers) {
        let mut stream = session.call(id, "memory_delete", &forget).await;
        let question = stream.next().await.unwrap();
        assert_eq!(question["method"], "elicitation/create", "{question}");
        assert!(question["params"]["message"].as_str().unwrap().contains(path), "{question}");
        assert_eq!(question["params"]["requestedSchema"]["required"], json!(["agreed"]));
        assert!(paths(&house).await.iter().any(|own| own == path), "nothing is done before the answer");
        session.say(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": answer })).await;
        let done = stream.next().await.unwrap();
        assert_eq!(done["id"], id, "{done}");
        let agreed = answer["content"]["agreed"] == true;
        assert_eq!(done["result"]["isError"] == true, !agreed, "{done}");
        assert_eq!(paths(&house).await.iter().any(|own| own == path), !agreed);
    }
    house.stop().await;
}

#[tokio::test]
async fn a_pass_reports_how_far_it_is() {
    let house = hives(40).await;
    let session = Session::begin(&house).await;
    let mut stream = session.call(3, "memory_consolidate", &json!({ "apply": true })).await;
    let mut far = Vec::new();
    let report = loop {
        let message = stream.next().await.unwrap();
        if message["method"] != "notifications/progress" {
            break message["result"]["structuredContent"].clone();
        }
        let told = &message["params"];
        assert_eq!((&told["progressToken"], &told["total"]), (&json!("seen"), &json!(40.0)), "{told}");
        assert!(told["message"].as_str().unwrap().contains(" of 40"), "{told}");
        far.push(told["progress"].as_f64().unwrap());
    };
    assert_eq!(promoted(&report), 40, "{report}");
    assert!(!far.is_empty() && far.windows(2).all(|two| two[0] < two[1]), "{far:?}");
    house.stop().await;
}

#[tokio::test]
async fn a_pass_ends_when_its_client_says_so_or_goes_and_is_taken_up() {
    let house = hives(HIVES).await;
    let planned = usize::try_from(HIVES).unwrap();
    let session = Session::begin(&house).await;
    let mut stream = session.call(5, "memory_consolidate", &json!({ "apply": true })).await;
    assert_eq!(stream.next().await.unwrap()["method"], "notifications/progress");
    let params = json!({ "requestId": 5, "reason": "the user pressed stop" });
    session.say(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params })).await;
    while let Some(message) = stream.next().await {
        assert!(message["result"].is_null(), "it was stopped, and has no report: {message}");
    }
    let far = sorted(&house).await;
    assert!(far > 0 && far < planned, "{far} of {planned}");

    // Where every request stands for itself, to go is to cancel. It has no task here, but a stream.
    let call = json!({ "name": "memory_consolidate", "arguments": { "apply": true } });
    let (headers, mut body) = modern("tools/call", "memory_consolidate", call);
    body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut stream = Stream::open(&house, &headers, &body).await;
    let told = stream.next().await.unwrap();
    assert_eq!(told["method"], "notifications/progress", "{told}");
    drop(stream);
    let report = pass(&house).await;
    assert_eq!(
        (&report["resumed"], promoted(&report), &report["troubles"]),
        (&json!(true), planned, &json!([])),
    );
    assert_eq!(sorted(&house).await, planned);
    house.stop().await;
}

#[tokio::test]
async fn a_client_with_tasks_follows_a_pass_and_may_end_it() {
    let house = hives(HIVES).await;
    let planned = usize::try_from(HIVES).unwrap();
    let call = json!({ "name": "memory_consolidate", "arguments": { "apply": true } });
    let begun = ask(&house, "tools/call", "memory_consolidate", call.clone()).await;
    assert_eq!((&begun["resultType"], &begun["status"]), (&json!("task"), &json!("working")), "{begun}");
    let task = begun["taskId"].as_str().unwrap().to_owned();
    let look = async |task: &str| ask(&house, "tasks/get", task, json!({ "taskId": task })).await;
    eventually("the task to say how far it is", PATIENCE, async || {
        let seen = look(&task).await;
        seen["statusMessage"].as_str().is_some_and(|words| words.contains(" of 200")).then_some(())
    })
    .await;
    ask(&house, "tasks/cancel", &task, json!({ "taskId": task })).await;
    eventually("the task to have ended", PATIENCE, async || {
        (look(&task).await["status"] == "cancelled").then_some(())
    })
    .await;

    let begun = ask(&house, "tools/call", "memory_consolidate", call).await;
    let task = begun["taskId"].as_str().unwrap().to_owned();
    let done = eventually("the next task to be done", PATIENCE, async || {
        let seen = look(&task).await;
        (seen["status"] != "working").then_some(seen)
    })
    .await;
    let report = &done["result"]["structuredContent"];
    assert_eq!(
        (&done["status"], &report["resumed"], promoted(report)),
        (&json!("completed"), &json!(true), planned),
        "{done}"
    );
    assert_eq!(sorted(&house).await, planned);
    house.stop().await;
}
