//! `docs/dialects.md`: what each dialect cannot say of another, told by real conversions.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use sanctum_llm::{Dialect, Loss};
use serde_json::{Value, json};

use crate::losses::{ANSWERS, REQUESTS};

const HEAD: &str = "\
# Dialects

Requests, answers and streams are read into one neutral form and written from it (`wire/llm`). A request whose client and
provider speak the same dialect passes as it came and loses nothing. For the others this page says what one dialect says
and the other has no word for: it is made by converting an example of each (`INSTA_UPDATE=always cargo test -p sanctum-llm
--test it docs` renews it), and a test fails when it is stale. Whatever is lost of a real request or answer is told beside
its bytes, with its path.

What is not in a table arrives. Some things arrive in other clothes:

- Signatures of thinking and of calls, and redacted thinking, travel through clients of Responses inside of
  `encrypted_content` and through clients of messages inside of `redacted_thinking`, marked `sanctum.1.`, and through clients
  of chat in `reasoning_details` and `extra_content`; they come back to their issuer as they were.
- Calls that another model made go to Gemini 3 with the signature Google documents for that,
  `skip_thought_signature_validator`.
- Calls without ids (Gemini 2, some local servers) get ids that stay the same for the same answer.
- A budget of thinking becomes the nearest effort and an effort becomes Google's own budget for it (1,024, 8,192, 24,576)
  where the model thinks in the other unit.
- `store` is set to `false` where a request of another dialect goes to Responses, which would keep it for 30 days.
- Tool schemas go to Gemini as JSON Schema; for models before 2.5 they are brought into Google's subset, and every keyword
  it lacks is reported.
- Reasoning is shown to the model that issued it and to no other: a foreign signature would be refused.

Examples are written for these models: ";

/// The model each target is asked for.
fn model(target: Dialect) -> &'static str {
    match target {
        Dialect::Chat | Dialect::Responses => "gpt-5.2",
        Dialect::Messages => "claude-sonnet-4-5",
        Dialect::Gemini => "gemini-3-pro",
    }
}

fn title(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Chat => "Chat completions",
        Dialect::Responses => "Responses",
        Dialect::Messages => "Messages",
        Dialect::Gemini => "Gemini",
    }
}

/// The smallest request of a dialect.
fn plain(dialect: Dialect) -> Value {
    match dialect {
        Dialect::Chat => json!({"model": "m", "messages": [{"role": "user", "content": "x"}]}),
        Dialect::Responses => json!({"model": "m", "input": "x"}),
        Dialect::Messages => {
            json!({"model": "m", "max_tokens": 64_000, "messages": [{"role": "user", "content": "x"}]})
        }
        Dialect::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}]}),
    }
}

fn merge(mut body: Value, fields: &str) -> String {
    let fields: Value = serde_json::from_str(&format!("{{{fields}}}")).expect(fields);
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string()
}

fn told(losses: &[Loss]) -> String {
    let each: Vec<String> = losses.iter().map(|loss| format!("`{}` {}", loss.what, loss.became)).collect();
    each.join("; ").replace('|', "\\|")
}

fn requests(target: Dialect, page: &mut String) {
    writeln!(page, "\n### What a provider of {} is not told\n", target.name()).unwrap();
    writeln!(page, "| client | says | becomes |\n|---|---|---|").unwrap();
    for (source, label, fields) in REQUESTS.iter().filter(|(source, ..)| *source != target) {
        let body = merge(plain(*source), fields);
        let mut request = source.codec().read_request(body.as_bytes()).expect(label);
        model(target).clone_into(&mut request.model);
        let losses = target.codec().write_request(&request).losses;
        if !losses.is_empty() {
            writeln!(page, "| {} | {label} | {} |", source.name(), told(&losses)).unwrap();
        }
    }
}

fn answers(target: Dialect, page: &mut String) {
    writeln!(page, "\n### What a client of {} is not told\n", target.name()).unwrap();
    writeln!(page, "| provider | says | becomes |\n|---|---|---|").unwrap();
    let asked = target.codec().read_request(plain(target).to_string().as_bytes()).unwrap();
    for (source, label, body) in ANSWERS.iter().filter(|(source, ..)| *source != target) {
        let answer = source.codec().read_answer(body.as_bytes()).expect(label);
        let losses = target.codec().write_answer(&answer, &asked).losses;
        if !losses.is_empty() {
            writeln!(page, "| {} | {label} | {} |", source.name(), told(&losses)).unwrap();
        }
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    let models: Vec<String> =
        Dialect::ALL.iter().map(|target| format!("{} `{}`", target.name(), model(*target))).collect();
    writeln!(page, "{}.", models.join(", ")).unwrap();
    for target in Dialect::ALL {
        writeln!(page, "\n## {}", title(target)).unwrap();
        requests(target, &mut page);
        answers(target, &mut page);
    }
    page
}

#[test]
fn the_page_of_losses_is_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/dialects.md");
    let page = page();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        File::create(&path).unwrap().write_all(page.as_bytes()).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == page,
        "docs/dialects.md is stale: INSTA_UPDATE=always cargo test -p sanctum-llm --test it docs"
    );
}
