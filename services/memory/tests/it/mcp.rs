//! Over the Model Context Protocol: who asks, what tools may do, and that nothing is forgotten before somebody agreed.

use sanctum_testkit::House;
use serde_json::{Value, json};

use crate::house::{WORDS, house, read, stopped, write};

const MODERN: &str = "2026-07-28";

/// A client of the revision where every request stands for itself.
struct Client<'h> {
    house: &'h House,
    agent: &'h str,
    capabilities: Value,
}

impl<'h> Client<'h> {
    fn new(house: &'h House, agent: &'h str) -> Self {
        Self { house, agent, capabilities: json!({ "elicitation": {} }) }
    }

    /// Status and JSON-RPC message.
    async fn ask(&self, method: &str, mut params: Value) -> (u16, Value) {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": self.capabilities,
        });
        let name =
            ["name", "uri", "taskId"].iter().find_map(|field| params[field].as_str()).map(str::to_owned);
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut headers = vec![
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", MODERN),
            ("mcp-method", method),
            ("x-sanctum-agent", self.agent),
        ];
        headers.extend(name.as_deref().map(|name| ("mcp-name", name)));
        let answer = self.house.raw("memory", "POST", "/mcp", &headers, body.to_string().into_bytes()).await;
        (answer.status, last(&String::from_utf8_lossy(&answer.body)))
    }

    async fn call(&self, tool: &str, arguments: Value) -> Value {
        let (status, message) = self.ask("tools/call", json!({ "name": tool, "arguments": arguments })).await;
        assert_eq!(status, 200, "{message}");
        message["result"].clone()
    }
}

/// The answer itself, or the last message of a stream.
fn last(body: &str) -> Value {
    let lines = body.lines().filter_map(|line| line.strip_prefix("data:"));
    let message = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok()).next_back();
    message.or_else(|| serde_json::from_str(body).ok()).unwrap_or_default()
}

#[tokio::test]
async fn a_model_is_an_agent_whatever_its_token_and_sees_nothing_private() {
    let house = house().await;
    let claude = Client::new(&house, "claude");
    let written =
        claude.call("memory_write", json!({ "text": "Ava likes plums.", "key": "ava.fruit" })).await;
    let note = &written["structuredContent"]["note"];
    assert_eq!((&note["origin"], &note["agent"]), (&json!("agent"), &json!("claude")), "{written}");
    let mirror: Value = serde_json::from_str(written["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(mirror, written["structuredContent"]);
    // The agent is no argument.
    let forged = claude.call("memory_write", json!({ "text": "x", "agent": "yoda" })).await;
    assert_eq!(forged["isError"], true);
    assert!(forged["content"][0]["text"].as_str().unwrap().contains("`agent`"), "{forged}");
    let private = json!({ "text": "The cardiologist is Dr. Wu.", "class": "health", "folder": "knowledge" });
    let private = write(&house, private).await;
    let found = claude.call("memory_search", json!({ "query": "who is the cardiologist" })).await;
    assert_eq!(found["structuredContent"]["results"], json!([]), "{found}");
    let refused = claude.call("memory_read", json!({ "id": private["id"] })).await;
    assert_eq!(refused["isError"], true, "{refused}");
    assert!(!refused.to_string().contains("Dr. Wu"), "{refused}");
    let listed = claude.call("memory_list", json!({})).await;
    assert!(!listed.to_string().contains("cardiologist"), "{listed}");
    house.stop().await;

    let house = stopped(&format!("{WORDS}[memory.mcp]\ninside = [\"windu\"]\n")).start().await;
    let private = json!({ "text": "The cardiologist is Dr. Wu.", "class": "health", "folder": "knowledge" });
    write(&house, private).await;
    let windu = Client::new(&house, "windu");
    let found = windu.call("memory_search", json!({ "query": "who is the cardiologist" })).await;
    assert_eq!(found["structuredContent"]["results"].as_array().unwrap().len(), 1, "{found}");
    house.stop().await;
}

#[tokio::test]
async fn nothing_is_forgotten_before_somebody_has_agreed_to_this_very_thing() {
    let house = house().await;
    let claude = Client::new(&house, "claude");
    let first = write(&house, json!({ "text": "The ladder is in the barn.", "folder": "knowledge" })).await;
    let second = write(&house, json!({ "text": "The saw hangs by the door.", "folder": "knowledge" })).await;
    let forget = |id: &Value| json!({ "name": "memory_delete", "arguments": { "id": id } });
    let asked = claude.ask("tools/call", forget(&first["id"])).await.1["result"].clone();
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let question = &asked["inputRequests"]["forget"];
    assert_eq!(question["method"], "elicitation/create");
    assert!(
        question["params"]["message"].as_str().unwrap().contains("the-ladder-is-in-the-barn"),
        "{question}"
    );
    let answer = |id: &Value, agreed: bool, state: &Value| {
        let mut request = forget(id);
        request["inputResponses"] =
            json!({ "forget": { "action": "accept", "content": { "agreed": agreed } } });
        request["requestState"] = state.clone();
        request
    };
    let state = &asked["requestState"];
    // A yes to one note is none to another, nor to somebody else, nor to a state that was changed.
    let (_, other) = claude.ask("tools/call", answer(&second["id"], true, state)).await;
    assert_eq!(other["error"]["code"], -32602, "{other}");
    let (_, yoda) = Client::new(&house, "yoda").ask("tools/call", answer(&first["id"], true, state)).await;
    assert_eq!(yoda["error"]["code"], -32602, "{yoda}");
    let tampered = json!(format!("{}x", state.as_str().unwrap()));
    let (_, tampered) = claude.ask("tools/call", answer(&first["id"], true, &tampered)).await;
    assert_eq!(tampered["error"]["code"], -32602, "{tampered}");
    let declined = claude.ask("tools/call", answer(&first["id"], false, state)).await.1;
    assert_eq!(declined["result"]["isError"], true, "{declined}");
    assert_eq!(read(&house, "knowledge/the-ladder-is-in-the-barn.md").await["id"], first["id"]);
    // A yes to what the note said before is none to what it says now.
    let change = json!({ "id": first["id"], "text": "The ladder is in the attic." });
    write(&house, change).await;
    let (_, stale) = claude.ask("tools/call", answer(&first["id"], true, state)).await;
    assert_eq!(stale["error"]["code"], -32602, "{stale}");
    let asked = claude.ask("tools/call", forget(&first["id"])).await.1["result"].clone();
    let gone = claude.ask("tools/call", answer(&first["id"], true, &asked["requestState"])).await.1;
    assert!(gone["result"]["structuredContent"]["path"].as_str().unwrap().starts_with("archive/"), "{gone}");

    // A client that cannot ask is told what to do instead.
    let plain = Client { capabilities: json!({}), ..Client::new(&house, "claude") };
    let refused = plain.call("memory_delete", json!({ "id": second["id"] })).await;
    assert_eq!(refused["isError"], true);
    let version = second["version"].as_str().unwrap();
    assert!(refused["content"][0]["text"].as_str().unwrap().contains(version), "{refused}");
    let wrong = plain.call("memory_delete", json!({ "id": second["id"], "confirm": "v0" })).await;
    assert_eq!(wrong["isError"], true, "{wrong}");
    let gone = plain.call("memory_delete", json!({ "id": second["id"], "confirm": version })).await;
    assert!(gone["structuredContent"]["path"].as_str().unwrap().starts_with("archive/"), "{gone}");
    house.stop().await;
}

#[tokio::test]
async fn lists_go_on_page_by_page_and_addresses_are_completed() {
    let house = house().await;
    let claude = Client::new(&house, "claude");
    for n in 0..5 {
        write(&house, json!({ "text": format!("Harbour number {n} has a crane."), "folder": "knowledge" }))
            .await;
    }
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let mut arguments = json!({ "limit": 2 });
        if !cursor.is_null() {
            arguments["cursor"] = cursor;
        }
        let page = claude.call("memory_list", arguments).await["structuredContent"].clone();
        let notes = page["notes"].as_array().unwrap();
        assert!(notes.len() <= 2);
        seen.extend(notes.iter().map(|note| note["id"].as_str().unwrap().to_owned()));
        cursor = page["next"].clone();
        if cursor.is_null() {
            break;
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5);
    let reference = json!({ "type": "ref/resource", "uri": "memory://note/{id}" });
    let asked = json!({ "ref": reference, "argument": { "name": "id", "value": "number-3" } });
    let completed = claude.ask("completion/complete", asked).await.1["result"]["completion"].clone();
    assert_eq!(completed["total"], 1, "{completed}");
    let uri = format!("memory://note/{}", completed["values"][0].as_str().unwrap());
    let text = claude.ask("resources/read", json!({ "uri": uri })).await.1;
    assert_eq!(text["result"]["contents"][0]["text"], "Harbour number 3 has a crane.\n", "{text}");
    let (_, missing) = claude.ask("resources/read", json!({ "uri": "memory://note/n-none" })).await;
    assert_eq!(
        (&missing["error"]["code"], &missing["error"]["data"]["uri"]),
        (&json!(-32602), &json!("memory://note/n-none"))
    );
    house.stop().await;
}

#[tokio::test]
async fn an_older_client_has_a_session_and_it_ends_when_it_says_so() {
    let house = house().await;
    let send = async |session: Option<&str>, method: &'static str, body: &Value| {
        let mut headers = vec![
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("x-sanctum-agent", "claude"),
        ];
        headers.extend(session.map(|session| ("mcp-session-id", session)));
        headers.extend(session.map(|_| ("mcp-protocol-version", "2025-11-25")));
        house.raw("memory", method, "/mcp", &headers, body.to_string().into_bytes()).await
    };
    let client = json!({ "name": "old", "version": "1" });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
    let begun = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
    let opened = send(None, "POST", &begun).await;
    let session = opened.headers.get("mcp-session-id").unwrap().to_str().unwrap().to_owned();
    let agreed = last(&String::from_utf8_lossy(&opened.body));
    assert_eq!(agreed["result"]["protocolVersion"], "2025-11-25", "{agreed}");
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(send(Some(&session), "POST", &initialized).await.status, 202);
    let call = json!({ "name": "memory_health", "arguments": {} });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call });
    let answer = last(&String::from_utf8_lossy(&send(Some(&session), "POST", &call).await.body));
    assert!(answer["result"]["structuredContent"]["notes"].is_number(), "{answer}");
    assert!(answer["result"]["resultType"].is_null(), "the older revision does not know it: {answer}");
    assert!(send(Some(&session), "DELETE", &Value::Null).await.status < 300);
    assert_eq!(send(Some(&session), "POST", &call).await.status, 404);
    house.stop().await;
}

#[tokio::test]
async fn the_door_is_the_houses_own() {
    let house = house().await;
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }).to_string().into_bytes();
    let token = format!("Bearer {}", house.token("cli", "memory"));
    for (headers, expected) in [
        (vec![("authorization", "")], 401),
        (vec![("authorization", "Bearer sk-sanctum-none")], 503),
        (vec![("authorization", token.as_str()), ("origin", "http://evil.example")], 403),
        (vec![("authorization", token.as_str()), ("host", "evil.example")], 421),
    ] {
        let answer = house.raw("memory", "POST", "/mcp", &headers, body.clone()).await;
        assert_eq!(answer.status, expected, "{headers:?}");
    }
    house.stop().await;
}
