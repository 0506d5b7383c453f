//! An agent that we did not write uses the memory: Claude Code, over HTTP, with a key of the house. Its model is the testkit's,
//! so that what it asks of the memory is known; all else is its own.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sanctum_api::memory::{List, Origin};
use sanctum_kernel::{Failure, files};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{Memory, Tools};
use crate::report::Report;

const WAIT: Duration = Duration::from_mins(2);

pub(super) fn run(
    tools: &Tools,
    house: &Memory,
    runtime: &Runtime,
    report: &mut Report,
) -> Result<(), Failure> {
    report.part("", "an agent that is not ours");
    let home = tempfile::tempdir()?;
    let ask = |tool: &str, arguments: &Value| {
        claude(tools, house, home.path(), &format!("call mcp__memory__{tool} {arguments}"))
    };
    let jam = json!({ "text": "Aunt Ida keeps the quince jam behind the clock.", "key": "jam.quince" });
    let said = ask("memory_write", &jam);
    let written = said.as_ref().is_ok_and(|said| said.contains("created"));
    report.check("claude code writes a note", written, shown(&said));
    let said = ask("memory_search", &json!({ "query": "where is the quince jam" }));
    let found = said.as_ref().is_ok_and(|said| said.contains("behind the clock"));
    report.check("claude code finds it in another session", found, shown(&said));
    let list = List { agent: Some("lab".to_owned()), ..List::default() };
    let notes = runtime.block_on(house.client.list(&list))?.notes;
    let kept = notes.iter().find(|head| head.key.as_deref() == Some("jam.quince"));
    let seen = kept.map_or_else(|| "no such note".to_owned(), |head| format!("{} in {}", head.id, head.path));
    let own = kept.is_some_and(|head| head.origin == Origin::Agent);
    report.check("the note is the agent's, by its key", own, seen);
    Ok(())
}

fn shown(said: &Result<String, String>) -> String {
    match said {
        Ok(said) => said.chars().take(160).collect(),
        Err(why) => why.chars().take(600).collect(),
    }
}

fn bare(tools: &Tools, program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    let node = tools.node.parent().unwrap_or(Path::new("/usr/bin"));
    command.env_clear().current_dir(home);
    command.env("PATH", format!("{}:/usr/bin:/bin", node.display()));
    for (name, value) in [("TERM", "dumb"), ("LANG", "C.UTF-8"), ("IS_SANDBOX", "1")] {
        command.env(name, value);
    }
    command.env("HOME", home);
    command
}

/// What it printed.
fn printed(mut command: Command) -> Result<String, String> {
    use std::process::Stdio;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| error.to_string())?;
    let (pid, done) = (child.id(), std::sync::mpsc::channel());
    let waiting = std::thread::spawn(move || done.0.send(child.wait_with_output()).ok());
    let output = done.1.recv_timeout(WAIT).map_err(|_| {
        let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
        pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::KILL));
        format!("nothing within {} s", WAIT.as_secs())
    })?;
    waiting.join().ok();
    let output = output.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    Err(format!("ended with {}: {}{said}", output.status, String::from_utf8_lossy(&output.stderr)))
}

fn claude(tools: &Tools, house: &Memory, home: &Path, prompt: &str) -> Result<String, String> {
    let server = json!({ "type": "http", "url": house.url(), "headers": { "Authorization": format!("Bearer {}", house.key) } });
    let config = home.join("mcp.json");
    let text = json!({ "mcpServers": { "memory": server } }).to_string();
    files::replace(&config, text.as_bytes(), 0o600).map_err(|error| error.to_string())?;
    let mut command = bare(tools, &tools.agents.join("@anthropic-ai/claude-code-linux-x64/claude"), home);
    for (name, value) in [
        ("ANTHROPIC_BASE_URL", format!("http://{}", house.gateway.addr)),
        ("ANTHROPIC_AUTH_TOKEN", house.key.clone()),
        ("ANTHROPIC_MODEL", "mock-anthropic".to_owned()),
        ("ANTHROPIC_SMALL_FAST_MODEL", "mock-anthropic".to_owned()),
        ("ANTHROPIC_DEFAULT_HAIKU_MODEL", "mock-anthropic".to_owned()),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()),
        ("DISABLE_TELEMETRY", "1".to_owned()),
        ("DISABLE_ERROR_REPORTING", "1".to_owned()),
        ("DISABLE_AUTOUPDATER", "1".to_owned()),
        ("API_TIMEOUT_MS", "20000".to_owned()),
        ("CLAUDE_CODE_MAX_RETRIES", "1".to_owned()),
        // All tools are there from the beginning, and none is looked for first.
        ("ENABLE_TOOL_SEARCH", "false".to_owned()),
    ] {
        command.env(name, value);
    }
    command
        .args(["-p", prompt, "--output-format", "json", "--strict-mcp-config", "--mcp-config"])
        .arg(&config);
    command.args(["--allowedTools", "mcp__memory__memory_write,mcp__memory__memory_search"]);
    let said = printed(command)?;
    let answer: Value = serde_json::from_str(&said).map_err(|error| format!("{error}: {said}"))?;
    let last = answer.as_array().and_then(|all| all.last()).unwrap_or(&answer);
    Ok(last.get("result").and_then(Value::as_str).unwrap_or_default().to_owned())
}
