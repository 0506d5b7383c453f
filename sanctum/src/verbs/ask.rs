//! `sanctum ask`: a question, or a whole chat, through the house's own door.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::time::Duration;

use futures_util::StreamExt;
use sanctum_http::{HeaderMap, Outbound, OutboundError, Outgoing, Streaming};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::peers::read_token;
use sanctum_kernel::{Failure, exit};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cli::{Cli, Outcome};
use crate::paint::Paint;

/// A local model may have to be loaded before it says its first word.
const PATIENCE: Duration = Duration::from_mins(5);

/// Ask a model through the house's own door, and see who answered.
///
/// The house picks the model by its rules unless one is named. What is piped in is added to the question. Without a
/// question on a terminal it is a chat: an empty line or Ctrl-D ends it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sanctum ask \"why is the sky blue\"
  git diff | sanctum ask --model opus review this
  sanctum ask --agent windu --class security < report.txt
  sanctum ask                                   a chat")]
pub(crate) struct Args {
    /// The question
    question: Vec<String>,
    /// The model to ask for [default: auto, the house's choice]
    #[arg(long, short)]
    model: Option<String>,
    /// Ask as this agent: its cap, its class
    #[arg(long)]
    agent: Option<String>,
    /// Say what it is about: general, code, security, health, finance
    #[arg(long)]
    class: Option<String>,
    /// Instructions that come first
    #[arg(long)]
    system: Option<String>,
    /// Most tokens of the answer
    #[arg(long, value_name = "TOKENS")]
    max_tokens: Option<u64>,
}

/// The answer for scripts.
#[derive(Debug, Serialize)]
struct Said {
    text: String,
    served: String,
    rule: String,
    trace: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

/// What a chunk of a chat stream says; everything else in it is not for people.
#[derive(Debug, Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Part>,
    usage: Option<Value>,
    error: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(default)]
    delta: Piece,
}

#[derive(Debug, Default, Deserialize)]
struct Piece {
    content: Option<String>,
    #[serde(alias = "reasoning")]
    reasoning_content: Option<String>,
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    let mut chat = Chat::open(&args, cli)?;
    let piped = if io::stdin().is_terminal() { String::new() } else { read_all()? };
    let question = [args.question.join(" "), piped].into_iter().filter(|text| !text.trim().is_empty());
    let question = question.collect::<Vec<_>>().join("\n\n");
    if !question.is_empty() {
        chat.turn(cli, &question)?;
        return Ok(exit::OK);
    }
    if !io::stdin().is_terminal() || cli.json {
        let hint = "`sanctum ask \"why is the sky blue\"`, or pipe something in";
        return Err(Hinted::new(exit::USAGE, "there is no question", hint).into());
    }
    let paint = Paint::stderr();
    loop {
        eprint_now(&paint.cyan("you › "))?;
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line)? == 0 || line.trim().is_empty() {
            return Ok(exit::OK);
        }
        chat.turn(cli, line.trim_end())?;
    }
}

fn read_all() -> io::Result<String> {
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text)?;
    Ok(text)
}

/// Prompts and what surrounds an answer go to standard error, so that standard output is the answer and nothing else.
fn eprint_now(text: &str) -> io::Result<()> {
    let mut err = io::stderr().lock();
    write!(err, "{text}")?;
    err.flush()
}

/// A conversation, and the way to the proxy.
struct Chat {
    url: String,
    headers: Vec<(String, String)>,
    model: String,
    max_tokens: Option<u64>,
    messages: Vec<Value>,
}

impl Chat {
    fn open(args: &Args, cli: &Cli) -> Result<Self, Failure> {
        let addr = cli.addr("proxy")?;
        let token = read_token(&cli.paths, "cli", "proxy").map_err(|error| {
            Hinted::new(exit::UNAVAILABLE, "the house is not running", "`sanctum up` starts it").because(error)
        })?;
        let mut headers = vec![
            ("authorization".to_owned(), format!("Bearer {}", token.expose_secret())),
            ("content-type".to_owned(), "application/json".to_owned()),
        ];
        headers.extend(args.agent.iter().map(|agent| ("x-sanctum-agent".to_owned(), agent.clone())));
        headers.extend(args.class.iter().map(|class| ("x-sanctum-class".to_owned(), class.clone())));
        let system = args.system.iter().map(|text| json!({ "role": "system", "content": text }));
        Ok(Self {
            url: format!("http://{addr}/v1/chat/completions"),
            headers,
            model: args.model.clone().unwrap_or_else(|| "auto".to_owned()),
            max_tokens: args.max_tokens,
            messages: system.collect(),
        })
    }

    fn turn(&mut self, cli: &Cli, question: &str) -> Result<(), Failure> {
        self.messages.push(json!({ "role": "user", "content": question }));
        let said = cli.block_on(self.exchange(cli.json))??;
        self.messages.push(json!({ "role": "assistant", "content": said.text }));
        if cli.json {
            return cli.show(&said, |_, _| Ok(()));
        }
        let ends = if said.text.ends_with('\n') { "" } else { "\n" };
        io::stdout().lock().write_all(ends.as_bytes())?;
        let by = format!("— {}{} · {} · {}\n", said.served, tokens(said.usage.as_ref()), said.rule, said.trace);
        eprint_now(&Paint::stderr().dim(by))?;
        Ok(())
    }

    async fn exchange(&self, quiet: bool) -> Result<Said, Failure> {
        let mut body = json!({
            "model": self.model, "messages": self.messages, "stream": true, "stream_options": { "include_usage": true }
        });
        if let (Some(tokens), Some(body)) = (self.max_tokens, body.as_object_mut()) {
            body.insert("max_tokens".to_owned(), tokens.into());
        }
        let outgoing = Outgoing {
            method: "POST",
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: serde_json::to_vec(&body)?,
            timeout: PATIENCE,
        };
        let streaming = Outbound::default().stream(outgoing).await.map_err(|error| silent(&error))?;
        if streaming.status != 200 {
            return Err(refused(streaming).await);
        }
        let header = |headers: &HeaderMap, name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let (served, rule, trace) = (
            header(&streaming.headers, "x-sanctum-served"),
            header(&streaming.headers, "x-sanctum-rule"),
            header(&streaming.headers, "x-sanctum-trace"),
        );
        let mut said = Said { text: String::new(), served, rule, trace, usage: None };
        follow(streaming, &mut said, quiet).await?;
        Ok(said)
    }
}

/// Prints what comes as it comes, the model's thoughts dimmed and apart from the answer.
async fn follow(streaming: Streaming, said: &mut Said, quiet: bool) -> Result<(), Failure> {
    let (mut events, mut thinking) = (streaming.events(), false);
    let thoughts = !quiet && io::stderr().is_terminal();
    while let Some(event) = events.next().await {
        let event = event.map_err(|error| broke_off(&error.to_string()))?;
        if event.data == "[DONE]" {
            return Ok(());
        }
        let chunk: Chunk = serde_json::from_str(&event.data)?;
        if let Some(error) = chunk.error {
            let message = error.get("message").and_then(Value::as_str).unwrap_or("the provider failed");
            return Err(broke_off(message));
        }
        said.usage = chunk.usage.or(said.usage.take());
        for piece in chunk.choices.into_iter().map(|part| part.delta) {
            if let Some(thought) = piece.reasoning_content.filter(|text| thoughts && !text.is_empty()) {
                thinking = true;
                eprint_now(&Paint::stderr().dim(thought))?;
            }
            if let Some(text) = piece.content.filter(|text| !text.is_empty()) {
                if std::mem::take(&mut thinking) {
                    eprint_now("\n\n")?;
                }
                said.text.push_str(&text);
                if !quiet {
                    let mut out = io::stdout().lock();
                    out.write_all(text.as_bytes()).and_then(|()| out.flush())?;
                }
            }
        }
    }
    Err(broke_off("the stream ended before the answer did"))
}

fn tokens(usage: Option<&Value>) -> String {
    let count = |name: &str| usage.and_then(|usage| usage.get(name)).and_then(Value::as_u64);
    match (count("prompt_tokens"), count("completion_tokens")) {
        (Some(read), Some(written)) => format!(" · {read} tokens in, {written} out"),
        _ => String::new(),
    }
}

fn silent(error: &OutboundError) -> Failure {
    let hint = "is the house up? `sanctum status` tells; `sanctum logs proxy` says why not";
    Hinted::new(exit::UNAVAILABLE, format!("proxy did not answer: {error}"), hint).into()
}

fn broke_off(why: &str) -> Failure {
    let hint = "what came so far is above; `sanctum usage` and `sanctum logs proxy` know more";
    Hinted::new(exit::TRY_AGAIN, format!("the answer broke off: {why}"), hint).into()
}

/// The proxy's words for why not, with the way to see how it decided.
async fn refused(streaming: Streaming) -> Failure {
    let status = streaming.status;
    let answer = match streaming.answer(Duration::from_secs(10)).await {
        Ok(answer) => answer,
        Err(error) => return silent(&error),
    };
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let message = body.pointer("/error/message").or_else(|| body.get("title")).and_then(Value::as_str);
    let message = message.map_or_else(|| answer.excerpt(), str::to_owned);
    let code = if status >= 500 { exit::TRY_AGAIN } else { exit::NO };
    Hinted::new(code, format!("{message} ({status})"), "`sanctum route explain` shows how the house decides").into()
}
