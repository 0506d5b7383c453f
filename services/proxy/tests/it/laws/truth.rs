//! Every request has one line in the log, whatever became of it, and the line says what the providers saw.

use std::time::Duration;

use futures_util::future::join_all;
use sanctum_testkit::House;
use sanctum_testkit::provider::{FAULTS, Provider, Reply as Served, Seen};
use serde_json::Value;

use super::client::{Reply, Wire};
use super::dice::Dice;
use super::words::{TALK, body, path};
use crate::door::house::{CATALOGUE, lines};

const ROUNDS: usize = 10;
const AT_ONCE: usize = 16;
/// Faults that close a connection before there is an answer.
const CLOSE: &[&str] = &["reset-before-head", "close-before-head", "half-head"];

struct Seats {
    cloud: Provider,
    claude: Provider,
    near: Provider,
}

impl Seats {
    fn all(&self) -> [(&'static str, &Provider); 3] {
        [("cloud", &self.cloud), ("claude", &self.claude), ("near", &self.near)]
    }

    fn config(&self) -> String {
        let (cloud, claude, near) = (self.cloud.url(), self.claude.url(), self.near.url());
        format!(
            r#"
[proxy]
first-byte = "400ms"
idle = "300ms"
body-limit = "256 KiB"
rescue = "always"
[proxy.breaker]
failures = 1000000
[proxy.provider.cloud]
kind = "openai"
base-url = "{cloud}/v1"
auth = "none"
[proxy.provider.claude]
kind = "anthropic"
base-url = "{claude}/v1"
auth = "none"
[proxy.provider.near]
kind = "openai"
base-url = "{near}/v1"
auth = "none"
locality = "local"
[proxy.provider.down]
kind = "openai"
base-url = "http://127.0.0.1:9/v1"
auth = "none"
[proxy.model."claude-*"]
provider = "claude"
price = {{ input = 5.0, output = 25.0 }}
fallback = ["cloud-b"]
[proxy.model."cloud-*"]
provider = "cloud"
price = {{ input = 1.0, output = 5.0 }}
fallback = ["claude-b"]
[proxy.model."down-*"]
provider = "down"
price = {{ input = 1.0, output = 5.0 }}
fallback = ["claude-b"]
[proxy.model.small]
provider = "near"
[proxy.alias]
fast = "cloud-a"
"#
        )
    }
}

/// What the client does.
#[derive(Debug, Clone)]
enum Deed {
    Asks,
    /// After so many bytes, or so many milliseconds.
    Leaves(usize, u64),
    /// With this instead of a request.
    Sends(Vec<u8>),
    /// With these headers.
    With(&'static str, &'static str),
}

#[derive(Debug, Clone)]
struct Case {
    /// In its words, so that it is known again.
    tag: String,
    parent: String,
    trace: String,
    api: &'static str,
    model: String,
    stream: bool,
    deed: Deed,
}

fn case(dice: &mut Dice, at: usize) -> Case {
    let (parent, trace) = dice.trace();
    let faults: Vec<&str> = FAULTS.iter().map(|fault| fault.name).filter(|name| *name != "huge").collect();
    let family = dice.pick(&["cloud", "cloud", "claude"]);
    let model = match dice.below(9) {
        0 => dice.pick(&["fast", "small", "cloud-a", "claude-a", "down-a", "auto"]).to_owned(),
        1 => "nobody-knows".to_owned(),
        2 => format!("{family}-slowly"),
        _ => format!("{family}-fault-{}", dice.pick(&faults)),
    };
    let deed = match dice.below(12) {
        0 | 1 => Deed::Leaves(dice.pick(&[1, 300, 700, 1500]), dice.pick(&[5, 50, 250])),
        2 => Deed::Sends(
            dice.pick(&[
                &b"{"[..],
                b"",
                b"[]",
                b"{\"model\": 7, \"messages\": []}",
                b"{\"model\": \"small\"",
                b"\xff\xfe",
            ])
            .to_vec(),
        ),
        3 => Deed::Sends(vec![b' '; 300 * 1024]),
        4 => {
            let (name, value) = dice.pick(&[
                ("authorization", "Bearer sk-sanctum-nonsense"),
                ("x-sanctum-class", "secret"),
                ("authorization", "Bearer foreign"),
            ]);
            Deed::With(name, value)
        }
        _ => Deed::Asks,
    };
    let api = if dice.once_in(8) { dice.pick(&["embeddings", "count-tokens"]) } else { dice.pick(TALK) };
    Case { tag: format!("number-{at:04}-of-them"), parent, trace, api, model, stream: dice.once_in(2), deed }
}

async fn run(wire: &Wire, case: &Case, body: Vec<u8>) -> Option<Reply> {
    let mut headers = vec![("traceparent".to_owned(), case.parent.clone())];
    match &case.deed {
        Deed::Asks => {}
        Deed::Leaves(bytes, long) => {
            wire.leave(path(case.api), &headers, &body, *bytes, Duration::from_millis(*long)).await;
            return None;
        }
        Deed::Sends(other) => return Some(wire.post(path(case.api), &headers, other).await),
        Deed::With(name, value) => headers.push(((*name).to_owned(), (*value).to_owned())),
    }
    Some(wire.post(path(case.api), &headers, &body).await)
}

/// The requests of a case that a provider saw, oldest first.
fn seen(provider: &Provider, tag: &str) -> Vec<std::sync::Arc<Seen>> {
    let all = provider.requests();
    all.into_iter().filter(|seen| String::from_utf8_lossy(&seen.body).contains(tag)).collect()
}

fn judge(seats: &Seats, case: &Case, reply: Option<&Reply>, line: &Value) {
    let attempts = line["attempts"].as_array().unwrap();
    let gone = reply.is_none();
    let mut egress = false;
    for (name, provider) in seats.all() {
        let saw = seen(provider, &case.tag).len();
        egress |= saw > 0 && name != "near";
        let tried = attempts.iter().filter(|attempt| attempt["provider"] == name);
        let tried = tried
            .filter(|attempt| !matches!(attempt["outcome"].as_str(), Some("connect" | "malformed")))
            .count();
        // Whoever leaves may do so between the line and the wire; and what was sent on a kept connection that closes without a
        // word is sent once more on a fresh one, as part of the same attempt.
        let closes = CLOSE.iter().any(|fault| case.model.ends_with(fault));
        assert!(
            saw == tried || (gone && saw <= tried) || (closes && saw == tried + 1 && tried > 0),
            "{name} saw {saw} requests: {case:?}\n{line}"
        );
    }
    assert!(!egress || line["egress"] == true, "what went out is told: {case:?}\n{line}");
    if let Some(provider) = line["provider"].as_str() {
        let (_, there) = seats.all().into_iter().find(|(name, _)| *name == provider).unwrap();
        let last = seen(there, &case.tag).pop().unwrap();
        assert_eq!(last.json()["model"], line["model"], "{case:?}\n{line}");
        assert_eq!(line["locality"], if provider == "near" { "local" } else { "cloud" }, "{line}");
        assert_eq!(attempts.last().unwrap()["outcome"], "ok", "{line}");
    }
    let Some(reply) = reply else { return };
    assert_eq!(line["status"], reply.status, "{case:?}: {}\n{line}", reply.text());
    assert_eq!(reply.header("x-sanctum-trace"), case.trace);
    let served =
        line["provider"].as_str().map(|provider| format!("{provider}/{}", line["model"].as_str().unwrap()));
    assert_eq!(reply.header("x-sanctum-served"), served.unwrap_or_default(), "{case:?}\n{line}");
    if matches!(case.deed, Deed::Asks) {
        assert_eq!((&line["asked"], &line["api"]), (&case.model.as_str().into(), &case.api.into()), "{line}");
        assert_eq!(line["agent"], "cli", "{line}");
    }
    if !reply.is_good() {
        assert!(matches!(line["finish"].as_str(), Some("refused" | "error")), "{line}");
        assert!(!line["error"].as_str().unwrap_or_default().is_empty(), "{line}");
    } else if line["finish"] == "stop" && line["source"] == "reported" && TALK.contains(&case.api) {
        assert_eq!(
            (&line["tokens"]["in"], &line["tokens"]["out"]),
            (&40.into(), &12.into()),
            "{case:?}\n{line}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_has_one_line_and_it_is_true() {
    let mut dice = Dice::new();
    let seats = Seats { cloud: Provider::start(), claude: Provider::start(), near: Provider::start() };
    for (_, seat) in seats.all() {
        for model in ["cloud-slowly", "claude-slowly"] {
            seat.always(model, Served::good().paced(Duration::from_millis(15)));
        }
    }
    let house = House::new(&CATALOGUE).config(&seats.config()).start().await;
    let wire = Wire::to(&house);
    let mut done: Vec<(Case, Option<Reply>)> = Vec::new();
    for round in 0..ROUNDS {
        let cases: Vec<Case> = (0..AT_ONCE).map(|at| case(&mut dice, round * AT_ONCE + at)).collect();
        let bodies: Vec<Vec<u8>> = cases
            .iter()
            .map(|case| {
                serde_json::to_vec(&body(case.api, &case.model, &[&case.tag], case.stream, &mut dice))
                    .unwrap()
            })
            .collect();
        let replies = join_all(cases.iter().zip(bodies).map(|(case, body)| run(&wire, case, body))).await;
        done.extend(cases.into_iter().zip(replies));
    }
    // Everybody who came has been written down, and nobody twice, also after all is over.
    lines(&house, done.len()).await;
    let paths = house.paths().logs().join("proxy");
    let lines = lines(&house, done.len()).await;
    assert_eq!(lines.len(), done.len(), "in {}", paths.display());
    for (case, reply) in &done {
        let mine: Vec<&Value> = lines.iter().filter(|line| line["trace"] == case.trace.as_str()).collect();
        assert_eq!(mine.len(), 1, "{case:?}");
        judge(&seats, case, reply.as_ref(), mine[0]);
    }
    let finishes: std::collections::BTreeSet<&str> =
        lines.iter().filter_map(|line| line["finish"].as_str()).collect();
    assert!(finishes.len() > 3, "all kinds of ends: {finishes:?}");
    house.stop().await;
}
