//! The protocol's own Inspector, by its command line, against the memory of a real house: over HTTP and over standard input.

use std::process::Command;
use std::time::Duration;

use sanctum_http::{Outbound, Outgoing};
use sanctum_kernel::Failure;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{Memory, Tools};
use crate::report::Report;

/// In the order in which they are listed.
const TOOLS: [&str; 8] = [
    "memory_search",
    "memory_read",
    "memory_write",
    "memory_delete",
    "memory_list",
    "memory_links",
    "memory_consolidate",
    "memory_health",
];

type Headers<'a> = &'a [(&'a str, &'a str)];

/// How the Inspector reaches the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Revision 2026-07-28.
    Modern,
    /// Revision 2025-11-25.
    Legacy,
    /// `sanctum memory mcp`.
    Stdio,
}

struct Inspector<'a> {
    tools: &'a Tools,
    house: &'a Memory,
    home: tempfile::TempDir,
}

impl Inspector<'_> {
    /// What it prints, read as JSON; its complaint, if it has one.
    fn ask(&self, way: Way, words: &[&str]) -> Result<Value, String> {
        let mut command = Command::new(&self.tools.node);
        let program = "@modelcontextprotocol/inspector/clients/launcher/build/index.js";
        command.arg(self.tools.packages.join(program)).arg("--cli").env("HOME", self.home.path());
        match way {
            Way::Stdio => {
                let home = self.house.gateway.home();
                command.arg(&self.house.binary).arg("--home").arg(home);
                command.args(["memory", "mcp", "--agent", "inspector"]);
            }
            Way::Modern | Way::Legacy => {
                let era = if way == Way::Modern { "modern" } else { "legacy" };
                let key = format!("Authorization: Bearer {}", self.house.key);
                command.arg(self.house.url()).args(["--transport", "http", "--protocol-era", era]);
                command.args(["--header", &key]);
            }
        }
        let output = command.args(words).output().map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("ended with {}: {} {}", output.status, complaint.trim(), said.trim()));
        }
        serde_json::from_str(&said).map_err(|error| format!("{error}: {said}"))
    }

    fn call(&self, way: Way, tool: &str, arguments: &[&str]) -> Result<Value, String> {
        let mut words = vec!["--method", "tools/call", "--tool-name", tool];
        words.extend(arguments.iter().flat_map(|pair| ["--tool-arg", *pair]));
        self.ask(way, &words)
    }
}

fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

pub(super) fn run(
    tools: &Tools,
    house: &Memory,
    runtime: &Runtime,
    report: &mut Report,
) -> Result<(), Failure> {
    let inspector = Inspector { tools, house, home: tempfile::tempdir()? };
    for (way, name) in [(Way::Modern, "2026-07-28"), (Way::Legacy, "2025-11-25"), (Way::Stdio, "stdio")] {
        report.part("", &format!("the Inspector, {name}"));
        let mut check = |what: &str, outcome: Result<String, String>| {
            let (holds, seen) = match outcome {
                Ok(seen) => (true, seen),
                Err(why) => (false, why.chars().take(600).collect()),
            };
            report.check(&format!("{name}: {what}"), holds, seen);
        };
        check(
            "lists the eight tools, and finds nothing in them that a client cannot read",
            listed(&inspector, way),
        );
        check("writes a note, finds it, and reads it back", kept(&inspector, way, name));
        check("a wrong argument is an error with its way out", refused(&inspector, way));
        check("resources, templates and prompts", others(&inspector, way));
    }
    report.part("", "at the door");
    let door = |headers: &[(&str, &str)]| runtime.block_on(knock(house, headers));
    let key = format!("Bearer {}", house.key);
    let cases: [(&str, Headers<'_>, u16); 5] = [
        ("without a key", &[], 401),
        ("with a key that is none", &[("authorization", "Bearer sk-sanctum-none")], 401),
        ("from a page of another origin", &[("authorization", &key), ("origin", "http://evil.example")], 403),
        ("by a name that is not ours", &[("authorization", &key), ("host", "evil.example")], 421),
        ("from a page of this machine", &[("authorization", &key), ("origin", "http://localhost:1111")], 200),
    ];
    for (what, headers, expected) in cases {
        let status = door(headers)?;
        report.check(what, status == expected, status);
    }
    Ok(())
}

fn listed(inspector: &Inspector<'_>, way: Way) -> Result<String, String> {
    let listed = inspector.ask(way, &["--method", "tools/list", "--strict"])?;
    let names: Vec<&str> = at(&listed, "/tools")
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|tool| at(tool, "/name").as_str())
        .collect();
    if names != TOOLS {
        return Err(format!("{names:?}"));
    }
    for tool in at(&listed, "/tools").as_array().into_iter().flatten() {
        for part in ["/title", "/outputSchema", "/annotations/readOnlyHint"] {
            if at(tool, part).is_null() {
                return Err(format!("{} has no {part}", at(tool, "/name")));
            }
        }
    }
    Ok(format!("{} tools", names.len()))
}

fn kept(inspector: &Inspector<'_>, way: Way, name: &str) -> Result<String, String> {
    let text = format!("text=The lantern of the {name} harbour is lit by Oda.");
    let written = inspector.call(way, "memory_write", &[&text, "type=semantic"])?;
    if at(&written, "/structuredContent/outcome") != "created" {
        return Err(format!("it was not kept: {written}"));
    }
    let id = at(&written, "/structuredContent/note/id").as_str().unwrap_or_default().to_owned();
    let found = inspector.call(
        way,
        "memory_search",
        &[&format!("query=who lights the lantern of the {name} harbour")],
    )?;
    if at(&found, "/structuredContent/results/0/id") != id.as_str() {
        return Err(format!("it was not found first: {found}"));
    }
    let mirror: Value =
        serde_json::from_str(at(&found, "/content/0/text").as_str().unwrap_or_default()).unwrap_or_default();
    if !alike(&mirror, at(&found, "/structuredContent")) {
        return Err("the text is not the structured content".to_owned());
    }
    let read = inspector.call(way, "memory_read", &[&format!("id={id}")])?;
    let note = at(&read, "/structuredContent");
    let agent = if way == Way::Stdio { "inspector" } else { "lab" };
    if at(note, "/origin") != "agent" || at(note, "/agent") != agent {
        return Err(format!("it is not the note of the agent `{agent}`: {note}"));
    }
    Ok(format!("{id} of {agent}"))
}

/// Whether they are the same to a client in JavaScript, to which 1 and 1.0 are one number.
fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let same =
                |(name, one): (&String, &Value)| other.get(name).is_some_and(|other| alike(one, other));
            one.len() == other.len() && one.iter().all(same)
        }
        _ => one == other,
    }
}

fn refused(inspector: &Inspector<'_>, way: Way) -> Result<String, String> {
    // The Inspector ends with an error as well when the tool says it is one; its words are what counts.
    let said = match inspector.call(way, "memory_read", &["id=n-nobody"]) {
        Ok(answer) if at(&answer, "/isError") == true => answer.to_string(),
        Ok(answer) => return Err(format!("it is no error: {answer}")),
        Err(words) => words,
    };
    if said.contains("n-nobody") { Ok(String::new()) } else { Err(said) }
}

fn others(inspector: &Inspector<'_>, way: Way) -> Result<String, String> {
    let resources = inspector.ask(way, &["--method", "resources/list"])?;
    let uris: Vec<&str> = at(&resources, "/resources")
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| at(one, "/uri").as_str())
        .collect();
    let note = uris
        .iter()
        .find(|uri| uri.starts_with("memory://note/"))
        .ok_or_else(|| format!("no note in {uris:?}"))?;
    for uri in ["memory://health", "memory://audit/latest", *note] {
        let read = inspector.ask(way, &["--method", "resources/read", "--uri", uri])?;
        if at(&read, "/contents/0/text").as_str().is_none_or(str::is_empty) {
            return Err(format!("{uri} has no text: {read}"));
        }
    }
    let templates = inspector.ask(way, &["--method", "resources/templates/list"])?;
    if at(&templates, "/resourceTemplates/0/uriTemplate") != "memory://note/{id}" {
        return Err(templates.to_string());
    }
    let prompt = ["--method", "prompts/get", "--prompt-name", "recall", "--prompt-args", "topic=the lantern"];
    let prompt = inspector.ask(way, &prompt)?;
    let words = at(&prompt, "/messages/0/content/text").as_str().unwrap_or_default();
    if words.contains("Oda") { Ok(format!("{} resources", uris.len())) } else { Err(prompt.to_string()) }
}

/// A request of the newer revision with these headers; the status of its answer.
async fn knock(house: &Memory, headers: &[(&str, &str)]) -> Result<u16, Failure> {
    let meta = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "_meta": meta } });
    let own = [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/list"),
    ];
    let headers = own.iter().chain(headers).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let outgoing = Outgoing {
        method: "POST",
        url: house.url(),
        headers: headers.collect(),
        body: body.to_string().into_bytes(),
        timeout: Duration::from_secs(10),
    };
    Ok(Outbound::default().send(outgoing).await?.status)
}
