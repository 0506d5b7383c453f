//! Other memories, asked the same over the Model Context Protocol: `tools/peers` installs them.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use sanctum_kernel::Failure;
use serde_json::{Value, json};

use crate::locomo::Set;
use crate::plain;
use crate::quality::Row;

/// Results that are asked for.
const DEPTH: usize = 10;

pub(crate) fn measure(set: &Set) -> Vec<Row> {
    let home = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    let Some(home) = home.map(|home| home.join("sanctum/peers")) else { return Vec::new() };
    server_memory(&home, set).unwrap_or_else(|error| {
        println!("server-memory is left out: {error}");
        Vec::new()
    })
}

/// A server that speaks over its standard input and output.
struct Server {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    next: u64,
}

impl Server {
    fn start(command: &mut Command) -> Result<Self, Failure> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let to = child.stdin.take().ok_or("no input")?;
        let from = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut server = Self { child, to, from, next: 0 };
        let client = json!({ "name": "bench", "version": "1" });
        server.call(
            "initialize",
            &json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client }),
        )?;
        server.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))?;
        Ok(server)
    }

    fn say(&mut self, message: &Value) -> Result<(), Failure> {
        writeln!(self.to, "{message}")?;
        Ok(self.to.flush()?)
    }

    fn call(&mut self, method: &str, params: &Value) -> Result<Value, Failure> {
        self.next += 1;
        let id = self.next;
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
        let mut line = String::new();
        loop {
            line.clear();
            if self.from.read_line(&mut line)? == 0 {
                return Err("it ended".into());
            }
            let Ok(answer) = serde_json::from_str::<Value>(&line) else { continue };
            if answer["id"] == json!(id) {
                return match answer.get("error") {
                    Some(error) => Err(error.to_string().into()),
                    None => Ok(answer["result"].clone()),
                };
            }
        }
    }

    /// What a tool answers, as text or as it is structured.
    fn tool(&mut self, name: &str, arguments: &Value) -> Result<Value, Failure> {
        let result = self.call("tools/call", &json!({ "name": name, "arguments": arguments }))?;
        let text = result["content"][0]["text"].as_str().unwrap_or_default().to_owned();
        if result["isError"] == json!(true) {
            return Err(text.into());
        }
        Ok(serde_json::from_str(&text).unwrap_or_else(|_| result["structuredContent"].clone()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// It finds what holds the question letter by letter, and gives it in the order it was written; so it is asked for each
/// word of the question as well, and what most words find comes first.
fn server_memory(home: &Path, set: &Set) -> Result<Vec<Row>, Failure> {
    let program = home.join("server-memory/node_modules/.bin/mcp-server-memory");
    let work = tempfile::tempdir()?;
    let mut server =
        Server::start(Command::new(program).env("MEMORY_FILE_PATH", work.path().join("memory.jsonl")))?;
    let turns: Vec<Value> = set.turns.iter().enumerate().map(|(at, turn)| {
        json!({ "name": format!("turn-{at}"), "entityType": "turn", "observations": [turn.text] })
    }).collect();
    for some in turns.chunks(500) {
        server.tool("create_entities", &json!({ "entities": some }))?;
    }
    let mut found = HashMap::new();
    let mut ask = |query: &str| -> Result<Vec<u32>, Failure> {
        if let Some(rows) = found.get(query) {
            return Ok(Vec::clone(rows));
        }
        let answer = server.tool("search_nodes", &json!({ "query": query }))?;
        let names =
            answer["entities"].as_array().into_iter().flatten().filter_map(|entity| entity["name"].as_str());
        let rows: Vec<u32> = names.filter_map(|name| name.strip_prefix("turn-")?.parse().ok()).collect();
        found.insert(query.to_owned(), rows.clone());
        Ok(rows)
    };
    let mut whole = Vec::new();
    let mut by_word = Vec::new();
    for question in &set.questions {
        whole.push(ask(&question.text)?);
        let mut scores: HashMap<u32, usize> = HashMap::new();
        for word in plain::words(&question.text).iter().filter(|word| word.len() > 3) {
            for row in ask(word)? {
                *scores.entry(row).or_default() += 1;
            }
        }
        let mut ranked: Vec<(u32, usize)> = scores.into_iter().collect();
        ranked.sort_by(|one, two| two.1.cmp(&one.1).then(one.0.cmp(&two.0)));
        by_word.push(ranked.into_iter().map(|(row, _)| row).take(DEPTH).collect());
    }
    Ok(vec![Row::new("server-memory", whole), Row::new("server-memory, word by word", by_word)])
}
