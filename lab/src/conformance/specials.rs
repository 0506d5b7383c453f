//! Checks of what belongs to no pair: counting, embeddings, lists of models, signatures between providers.

use std::time::Duration;

use sanctum_testkit::provider::{Act, Reply};
use serde_json::{Value, json};

use super::check::Outcome;
use super::clients::models;
use super::dialect::{Ask, Client, Pair, Upstream};
use super::heard::{self, at, list, words};
use super::stage::{Stage, same, shaped};
use super::wire::{Answer, Framing};

type Special = (&'static str, &'static str, &'static [u8], fn(&Stage) -> Option<Outcome>);

pub(super) const CHECKS: &[Special] = &[
    ("count_tokens", "for Anthropic's models", &[25], |s| count(s, Upstream::Anthropic)),
    ("count_tokens", "for OpenAI's models", &[25], |s| count(s, Upstream::OpenAi)),
    ("count_tokens", "for Gemini's models", &[25], |s| count(s, Upstream::Gemini)),
    ("count_tokens", "more words are more tokens", &[25], count_grows),
    ("count_tokens", "tools and pictures count", &[25], count_tools),
    ("count_tokens", "no JSON", &[17, 25], count_refuses),
    ("models", "OpenAI's shape", &[26], |s| Some(models(s, &s.pair(Client::Chat, Upstream::OpenAi)?))),
    ("models", "Anthropic's shape", &[26], |s| {
        Some(models(s, &s.pair(Client::Messages, Upstream::Anthropic)?))
    }),
    ("models", "every name in the list is served", &[26], models_served),
    ("models", "one model", &[26], one_model),
    ("embeddings", "one text", &[21], |s| embeds(s, &json!("hello"), 1)),
    ("embeddings", "a batch", &[21], |s| embeds(s, &json!(["a", "b", "c"]), 3)),
    ("embeddings", "as base64", &[21], embeds_base64),
    ("embeddings", "fields nobody knows pass", &[21], embeds_fields),
    ("embeddings", "usage", &[9], embeds_usage),
    ("embeddings", "a model nobody has", &[17], embeds_unknown),
    ("embeddings", "a busy provider", &[18, 19], embeds_busy),
    ("embeddings", "no JSON", &[17], embeds_refuses),
    ("thinking", "its signature passes back unchanged", &[15], |s| replayed(s, false)),
    ("thinking", "another provider's signature is no dead end", &[16], |s| replayed(s, true)),
    ("thinking", "redacted thinking passes back unchanged", &[15], redacted),
    ("thinking", "a later turn with OpenAI's reasoning_content", &[15, 16], reasoning_replayed),
    ("responses", "previous_response_id reaches OpenAI", &[29], previous),
    ("responses", "words alone as input", &[29], words_alone),
    ("responses", "tools of kinds only OpenAI has", &[29], odd_tools),
    ("waiting", "a client hears something while the provider thinks", &[3], heartbeat),
    ("parallel", "chat's parallel_tool_calls reaches Anthropic", &[14], |s| one_at_a_time(s, Client::Chat)),
    ("parallel", "Anthropic's disable_parallel_tool_use reaches OpenAI", &[14], |s| {
        one_at_a_time(s, Client::Messages)
    }),
    ("many at once", "64 streams", &[4], many),
];

fn post(stage: &Stage, pair: &Pair, path: &str, body: &[u8]) -> Result<Answer, String> {
    let mut conn = stage.open(pair)?;
    conn.send(&stage.line("POST", path), &stage.headers(pair), body, Framing::Length)?;
    conn.answer(false)
}

fn counted(stage: &Stage, pair: &Pair, body: &Value) -> Result<u64, String> {
    let answer = post(stage, pair, "/messages/count_tokens", body.to_string().as_bytes())?;
    same("the status", &answer.head.status, &200)?;
    let tokens = at(&answer.json()?, "/input_tokens").as_u64();
    tokens.filter(|tokens| *tokens > 0).ok_or_else(|| format!("no input_tokens: {}", answer.text()))
}

/// Needs no `max_tokens`.
fn to_count(pair: &Pair, text: &str) -> Value {
    let mut body = pair.ask(text).body;
    body.as_object_mut().map(|fields| fields.remove("max_tokens"));
    body
}

fn count(stage: &Stage, upstream: Upstream) -> Option<Outcome> {
    let pair = stage.pair(Client::Messages, upstream)?;
    Some(counted(stage, &pair, &to_count(&pair, "How many tokens are these words?")).map(drop))
}

fn count_grows(stage: &Stage) -> Option<Outcome> {
    let pair = stage.pair(Client::Messages, Upstream::Anthropic)?;
    let count = |times: usize| counted(stage, &pair, &to_count(&pair, &"a few words ".repeat(times)));
    Some(count(10).and_then(|few| {
        count(1000).and_then(|many| if many > few * 20 { Ok(()) } else { Err(format!("{few} and {many}")) })
    }))
}

fn count_tools(stage: &Stage) -> Option<Outcome> {
    let pair = stage.pair(Client::Messages, Upstream::Anthropic)?;
    let plain = Ask::new(&pair, "look");
    let count = |ask: Ask| counted(stage, &pair, &ask.body);
    Some(count(plain.clone()).and_then(|bare| {
        let tools = count(plain.tools())?;
        let picture = count(Ask::picture(&pair))?;
        if tools > bare && picture > bare {
            Ok(())
        } else {
            Err(format!("bare {bare}, tools {tools}, picture {picture}"))
        }
    }))
}

fn count_refuses(stage: &Stage) -> Option<Outcome> {
    let pair = stage.pair(Client::Messages, Upstream::Anthropic)?;
    Some(post(stage, &pair, "/messages/count_tokens", b"{ no").and_then(|answer| {
        same("the status", &answer.head.status, &400)?;
        shaped(Client::Messages, &answer).map(drop)
    }))
}

fn list_models(stage: &Stage, pair: &Pair) -> Result<Vec<String>, String> {
    let mut conn = stage.open(pair)?;
    conn.send(&stage.line("GET", "/models"), &stage.headers(pair), b"", Framing::Length)?;
    let body = conn.answer(false)?.json()?;
    Ok(list(at(&body, "/data")).iter().map(|model| words(at(model, "/id")).to_owned()).collect())
}

fn models_served(stage: &Stage) -> Option<Outcome> {
    let pair = stage.pair(Client::Chat, Upstream::OpenAi)?;
    Some(list_models(stage, &pair).and_then(|names| {
        if names.is_empty() {
            return Err("the list is empty".to_owned());
        }
        for name in names.iter().filter(|name| !name.contains(['*', '/']) && !name.contains("embed")) {
            stage
                .whole(&pair.ask("hello").set("model", json!(name)))
                .map_err(|why| format!("{name}: {why}"))?;
        }
        Ok(())
    }))
}

fn one_model(stage: &Stage) -> Option<Outcome> {
    let pair = stage.pair(Client::Chat, Upstream::OpenAi)?;
    let get = || {
        let names = list_models(stage, &pair)?;
        let name = names.iter().find(|name| !name.contains(['*', '/'])).ok_or("no plain name in the list")?;
        let mut conn = stage.open(&pair)?;
        conn.send(
            &stage.line("GET", &format!("/models/{name}")),
            &stage.headers(&pair),
            b"",
            Framing::Length,
        )?;
        let answer = conn.answer(false)?;
        same("the status", &answer.head.status, &200)?;
        same("its id", &words(at(&answer.json()?, "/id")), &name.as_str())
    };
    Some(get())
}

fn embedding(stage: &Stage, extra: &Value) -> Option<Result<Value, String>> {
    let pair = stage.pair(Client::Chat, Upstream::OpenAi)?;
    let mut body = json!({ "model": stage.embeds, "input": "hello" });
    if let (Some(fields), Some(extra)) = (body.as_object_mut(), extra.as_object()) {
        fields.extend(extra.clone());
    }
    Some(post(stage, &pair, "/embeddings", body.to_string().as_bytes()).and_then(|answer| {
        if answer.head.status == 200 {
            answer.json()
        } else {
            Err(format!("{}: {}", answer.head.status, answer.text()))
        }
    }))
}

fn embeds(stage: &Stage, input: &Value, count: usize) -> Option<Outcome> {
    Some(embedding(stage, &json!({ "input": input, "encoding_format": "float" }))?.and_then(|body| {
        let data = list(at(&body, "/data"));
        same("the number of vectors", &data.len(), &count)?;
        let good = data.iter().enumerate().all(|(i, one)| {
            at(one, "/index").as_u64() == u64::try_from(i).ok() && list(at(one, "/embedding")).len() == 8
        });
        if good { Ok(()) } else { Err(format!("{body}")) }
    }))
}

fn embeds_base64(stage: &Stage) -> Option<Outcome> {
    Some(embedding(stage, &json!({ "encoding_format": "base64" }))?.and_then(|body| {
        let text = words(at(&body, "/data/0/embedding"));
        // Eight floats are 32 bytes.
        same("the letters of base64", &text.len(), &44)
    }))
}

fn embeds_fields(stage: &Stage) -> Option<Outcome> {
    Some(embedding(stage, &json!({ "dimensions": 16, "user": "kid", "x_nobody_knows": true }))?.and_then(
        |_| {
            let came = stage.last()?.json();
            let kept = at(&came, "/dimensions") == 16
                && at(&came, "/user") == "kid"
                && at(&came, "/x_nobody_knows") == true;
            if kept { Ok(()) } else { Err(format!("it came as {came}")) }
        },
    ))
}

fn embeds_usage(stage: &Stage) -> Option<Outcome> {
    Some(
        embedding(stage, &json!({}))?
            .and_then(|body| same("prompt_tokens", &at(&body, "/usage/prompt_tokens").as_u64(), &Some(5))),
    )
}

fn embeds_unknown(stage: &Stage) -> Option<Outcome> {
    let pair = stage.pair(Client::Chat, Upstream::OpenAi)?;
    let body = json!({ "model": "no-such-model-anywhere", "input": "hello" });
    Some(post(stage, &pair, "/embeddings", body.to_string().as_bytes()).and_then(|answer| {
        if ![400, 404].contains(&answer.head.status) {
            return Err(format!("the status is {}", answer.head.status));
        }
        shaped(Client::Chat, &answer).map(drop)
    }))
}

fn embeds_busy(stage: &Stage) -> Option<Outcome> {
    stage.goes_wrong("429-seconds");
    let model = if stage.ours { "mock-embed-busy" } else { stage.embeds };
    let why = embedding(stage, &json!({ "model": model }))?.map_or_else(|why| why, |_| "200".to_owned());
    Some(if why.starts_with("429") { Ok(()) } else { Err(why) })
}

fn embeds_refuses(stage: &Stage) -> Option<Outcome> {
    let pair = stage.pair(Client::Chat, Upstream::OpenAi)?;
    Some(post(stage, &pair, "/embeddings", b"{ no").and_then(|answer| {
        same("the status", &answer.head.status, &400)?;
        shaped(Client::Chat, &answer).map(drop)
    }))
}

/// A thought of one turn in the next one, at the same provider or another.
fn replayed(stage: &Stage, moved: bool) -> Option<Outcome> {
    let pair = stage.pair(Client::Messages, Upstream::Anthropic)?;
    let next = if moved { stage.other_model? } else { pair.model.as_str() };
    let talk = || {
        let first = Ask::new(&pair, "hello").thinking();
        let answer = stage.answer(&first)?.json()?;
        let content = at(&answer, "/content").clone();
        if at(&content, "/0/signature").is_null() {
            return Err(format!("no signed thought came: {answer}"));
        }
        let mut body = first.body;
        if let Some(turns) = body.get_mut("messages").and_then(Value::as_array_mut) {
            turns.push(json!({ "role": "assistant", "content": content }));
            turns.push(json!({ "role": "user", "content": "and?" }));
        }
        let again = Ask { pair: pair.clone(), body }.set("model", json!(next));
        stage.whole(&again)?;
        let provider = if moved { &stage.other } else { &stage.provider };
        let came = provider.requests().pop().ok_or("nothing arrived there")?.json();
        if !moved && *at(&came, "/messages/1/content") != content {
            return Err(format!("it came as {}", at(&came, "/messages/1/content")));
        }
        Ok(())
    };
    Some(talk())
}

fn redacted(stage: &Stage) -> Option<Outcome> {
    let pair = stage.pair(Client::Messages, Upstream::Anthropic)?;
    let block =
        json!({ "type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix/LafPsn4aDFIT2Xlxh0L5L8rLVyIw" });
    let mut ask = Ask::new(&pair, "hello");
    if let Some(turns) = ask.body.get_mut("messages").and_then(Value::as_array_mut) {
        turns.push(json!({ "role": "assistant", "content": [block, { "type": "text", "text": "Hm." }] }));
        turns.push(json!({ "role": "user", "content": "and?" }));
    }
    Some(
        stage
            .whole(&ask)
            .and_then(|_| same("the block", at(&stage.last()?.json(), "/messages/1/content/0"), &block)),
    )
}

fn reasoning_replayed(stage: &Stage) -> Option<Outcome> {
    let pair = stage.pair(Client::Chat, Upstream::Anthropic)?;
    let mut ask = Ask::new(&pair, "hello");
    if let Some(turns) = ask.body.get_mut("messages").and_then(Value::as_array_mut) {
        turns.push(json!({ "role": "assistant", "content": "Hm.", "reasoning_content": "I weigh it." }));
        turns.push(json!({ "role": "user", "content": "and?" }));
    }
    // A thought nobody signed is one Anthropic refuses.
    Some(stage.whole(&ask).map(drop))
}

fn previous(stage: &Stage) -> Option<Outcome> {
    let pair = stage.pair(Client::Responses, Upstream::OpenAi)?;
    let ask = Ask::new(&pair, "hello").set("previous_response_id", json!("resp_41"));
    Some(
        stage.whole(&ask).and_then(|_| {
            same("the id", at(&stage.last()?.json(), "/previous_response_id"), &json!("resp_41"))
        }),
    )
}

fn words_alone(stage: &Stage) -> Option<Outcome> {
    let pair = stage.pair(Client::Responses, Upstream::Anthropic)?;
    let ask = pair.ask("").set("input", json!("hello"));
    Some(stage.whole(&ask).and_then(|heard| {
        if heard.text.contains("I read 5 characters.") {
            Ok(())
        } else {
            Err(format!("it said `{}`", heard.text))
        }
    }))
}

fn odd_tools(stage: &Stage) -> Option<Outcome> {
    let pair = stage.pair(Client::Responses, Upstream::OpenAi)?;
    let tools = json!([{ "type": "web_search", "search_context_size": "low" }, { "type": "namespace", "name": "files", "tools": [] }]);
    let ask = Ask::new(&pair, "hello").set("tools", tools.clone());
    Some(stage.whole(&ask).and_then(|_| same("the tools", at(&stage.last()?.json(), "/tools"), &tools)))
}

/// Ours is told to speak up after a second; the others are not asked.
fn heartbeat(stage: &Stage) -> Option<Outcome> {
    let pair = stage.pair(Client::Chat, Upstream::OpenAi).filter(|_| stage.ours)?;
    let slow = Act::SlowFirstByte(Duration::from_secs(3));
    stage.provider.always("*", Reply { say: None, act: slow });
    let listen = || {
        let mut conn = stage.open(&pair)?;
        stage.post(&mut conn, &pair, Ask::new(&pair, "hello").stream().body.to_string().as_bytes())?;
        conn.head(false)?;
        let first = conn.some()?.map_err(|_| "it ended".to_owned())?;
        if first.starts_with(b":") {
            Ok(())
        } else {
            Err(format!("first came `{}`", String::from_utf8_lossy(&first)))
        }
    };
    Some(listen())
}

fn one_at_a_time(stage: &Stage, client: Client) -> Option<Outcome> {
    let upstream = if client == Client::Chat { Upstream::Anthropic } else { Upstream::OpenAi };
    let pair = stage.pair(client, upstream)?;
    let ask = Ask::new(&pair, "hello").tools().one_at_a_time();
    Some(stage.whole(&ask).and_then(|_| {
        let came = stage.last()?.json();
        let said = at(&came, "/parallel_tool_calls") == false
            || at(&came, "/tool_choice/disable_parallel_tool_use") == true;
        if said { Ok(()) } else { Err("it did not arrive".to_owned()) }
    }))
}

fn many(stage: &Stage) -> Option<Outcome> {
    let pair = stage.pair(Client::Chat, Upstream::OpenAi)?;
    let outcomes: Vec<Result<heard::Heard, String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..64).map(|_| scope.spawn(|| stage.stream(&pair.ask("hello")))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("panicked".to_owned())))
            .collect()
    });
    let failed: Vec<String> = outcomes.into_iter().filter_map(Result::err).collect();
    failed.first().map_or(Some(Ok(())), |why| Some(Err(format!("{} of 64: {why}", failed.len()))))
}
