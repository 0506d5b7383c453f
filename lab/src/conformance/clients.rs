//! Checks of one client's language: what it sends arrives, what goes wrong is said in its words, HTTP is HTTP.

use serde_json::json;

use super::check::Outcome;
use super::dialect::{Client, Pair};
use super::heard::{self, at, list, words};
use super::pairs::OfPair;
use super::stage::{Stage, same, shaped};
use super::wire::{Answer, Conn, Framing};

pub(super) const CHECKS: &[OfPair] = &[
    ("a body that is no JSON", &[17], |s, p| refuses(s, p, b"{ not json", 400)),
    ("an empty body", &[17], |s, p| refuses(s, p, b"", 400)),
    ("a body that is no UTF-8", &[17], not_utf8),
    ("no messages", &[17], no_messages),
    ("messages of the wrong type", &[17], wrong_type),
    ("a model nobody has", &[17], unknown_model),
    ("no key", &[17, 28], no_key),
    ("a wrong key", &[17, 28], wrong_key),
    ("the key in either header", &[28], either_header),
    ("the client's key stays here", &[28], key_stays),
    ("bytes pass unchanged", &[21, 23], bytes_exact),
    ("fields nobody knows pass", &[21], unknown_fields),
    ("headers and the query pass", &[22], headers_pass),
    ("no compression is asked of the provider", &[4], no_compression),
    ("a stream's head", &[1, 4], stream_head),
    ("the provider's request id and limits come back", &[19], answer_headers),
    ("retry-after-ms", &[19], |s, p| retry(s, p, "429-ms", 1.0)),
    ("retry-after as a date", &[19], retry_date),
    ("a retry-after of an hour is not waited for here", &[19, 20], |s, p| retry(s, p, "429-hour", 3600.0)),
    ("one request is one request upstream", &[20], |s, p| attempts(s, p, "500")),
    ("a refused request is not repeated", &[20], |s, p| attempts(s, p, "400")),
    ("the provider's wrong key is not the client's", &[18], upstream_key),
    ("a prompt of a megabyte", &[24], megabyte),
    ("a body of 100 MB", &[24], too_large),
    ("a body in chunks", &[30], chunked),
    ("Expect: 100-continue", &[30], expect),
    ("HEAD", &[30], |s, p| other_method(s, p, "HEAD")),
    ("OPTIONS", &[30], |s, p| other_method(s, p, "OPTIONS")),
    ("GET where POST belongs", &[30], |s, p| other_method(s, p, "GET")),
    ("the connection stays after a refusal", &[30], stays_after_refusal),
    ("the connection stays after the provider failed", &[30], stays_after_failure),
    ("the connection stays after a stream", &[30], stays_after_stream),
    ("a hundred requests on one connection", &[30], hundred),
    ("a body byte by byte", &[2], slow_sender),
];

fn refuses(stage: &Stage, pair: &Pair, body: &[u8], status: u16) -> Outcome {
    let answer = stage.raw(pair, body)?;
    same("the status", &answer.head.status, &status)?;
    shaped(pair.client, &answer).map(drop)
}

fn not_utf8(stage: &Stage, pair: &Pair) -> Outcome {
    let mut body = pair.ask("hello").body.to_string().into_bytes();
    if let Some(at) = body.windows(5).position(|window| window == b"hello") {
        body.splice(at..=at, [0xff, 0xfe]).for_each(drop);
    }
    refuses(stage, pair, &body, 400)
}

fn key_of(client: Client) -> &'static str {
    if client == Client::Responses { "input" } else { "messages" }
}

fn no_messages(stage: &Stage, pair: &Pair) -> Outcome {
    refuses(
        stage,
        pair,
        pair.ask("hello").set(key_of(pair.client), json!([])).body.to_string().as_bytes(),
        400,
    )
}

fn wrong_type(stage: &Stage, pair: &Pair) -> Outcome {
    refuses(
        stage,
        pair,
        pair.ask("hello").set(key_of(pair.client), json!(7)).body.to_string().as_bytes(),
        400,
    )
}

fn unknown_model(stage: &Stage, pair: &Pair) -> Outcome {
    let answer = stage.answer(&pair.ask("hello").set("model", json!("no-such-model-anywhere")))?;
    if ![400, 404].contains(&answer.head.status) {
        return Err(format!("the status is {}", answer.head.status));
    }
    if stage.provider.requests().is_empty() {
        return shaped(pair.client, &answer).map(drop);
    }
    Err("it was asked of a provider".to_owned())
}

/// With these headers instead of the right ones.
fn with_headers(stage: &Stage, pair: &Pair, headers: &[(&str, &str)]) -> Result<Answer, String> {
    let mut conn = stage.open(pair)?;
    let mut all = vec![("content-type".to_owned(), "application/json".to_owned())];
    all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let body = pair.ask("hello").body.to_string();
    conn.send(&stage.line("POST", pair.client.path()), &all, body.as_bytes(), Framing::Length)?;
    conn.answer(false)
}

fn no_key(stage: &Stage, pair: &Pair) -> Outcome {
    let answer = with_headers(stage, pair, &[])?;
    same("the status", &answer.head.status, &401)?;
    shaped(pair.client, &answer).map(drop)
}

fn wrong_key(stage: &Stage, pair: &Pair) -> Outcome {
    let answer = with_headers(
        stage,
        pair,
        &[("authorization", "Bearer sk-sanctum-wrong"), ("x-api-key", "sk-sanctum-wrong")],
    )?;
    same("the status", &answer.head.status, &401)?;
    shaped(pair.client, &answer).map(drop)
}

fn either_header(stage: &Stage, pair: &Pair) -> Outcome {
    let bearer = format!("Bearer {}", stage.key);
    for header in [("authorization", bearer.as_str()), ("x-api-key", stage.key.as_str())] {
        let answer = with_headers(stage, pair, &[header, ("anthropic-version", "2023-06-01")])?;
        same(header.0, &answer.head.status, &200)?;
    }
    Ok(())
}

fn key_stays(stage: &Stage, pair: &Pair) -> Outcome {
    stage.whole(&pair.ask("hello"))?;
    let seen = stage.last()?;
    let told = seen.headers.iter().find(|(_, value)| value.contains(&stage.key));
    told.map_or(Ok(()), |(name, _)| Err(format!("the provider saw it in `{name}`")))
}

/// Odd spacing, keys in no order, numbers and letters written in unusual ways.
fn odd(pair: &Pair) -> String {
    let turns = match pair.client {
        Client::Chat => r#""messages" : [ {"content":"h\u00e9llo \/ 1e3","role":"user"} ]"#,
        Client::Messages => {
            r#""system":[{"type":"text","text":"Rules.","cache_control":{"ttl":"1h","type":"ephemeral"}}],"max_tokens":  64, "messages" : [ {"content":[{"text":"h\u00e9llo","type":"text","cache_control":{"type":"ephemeral"}}],"role":"user"} ]"#
        }
        Client::Responses => r#""input" : [ {"content":"h\u00e9llo \/ 1e3","role":"user"} ]"#,
    };
    format!("{{ \"temperature\":1.0E0 ,\t{turns},\n  \"model\" : \"{}\" }}\n", pair.model)
}

fn bytes_exact(stage: &Stage, pair: &Pair) -> Outcome {
    let body = odd(pair);
    let answer = stage.raw(pair, body.as_bytes())?;
    same("the status", &answer.head.status, &200)?;
    let seen = stage.last()?;
    let came = String::from_utf8_lossy(&seen.body).into_owned();
    // A gateway may have to give the model its provider's name.
    let name = at(&seen.json(), "/model").clone();
    let wanted = body.replace(&format!("\"{}\"", pair.model), &name.to_string());
    if came == wanted { Ok(()) } else { Err(format!("it came as `{came}`")) }
}

fn unknown_fields(stage: &Stage, pair: &Pair) -> Outcome {
    let fields = json!({ "chat_template_kwargs": { "enable_thinking": false }, "min_p": 0.05, "service_tier": "auto",
        "prompt_cache_key": "house", "context_management": { "edits": [] }, "metadata": { "user_id": "kid" },
        "x_nobody_knows": [1, null, "\u{e9}"] });
    let mut ask = pair.ask("hello");
    for (key, value) in fields.as_object().into_iter().flatten() {
        ask = ask.set(key, value.clone());
    }
    stage.whole(&ask)?;
    let came = stage.last()?.json();
    let wanted = fields.as_object().into_iter().flatten();
    let lost: Vec<&str> = wanted
        .filter(|(key, value)| came.get(key.as_str()) != Some(value))
        .map(|(key, _)| key.as_str())
        .collect();
    if lost.is_empty() { Ok(()) } else { Err(format!("lost: {}", lost.join(", "))) }
}

fn headers_pass(stage: &Stage, pair: &Pair) -> Outcome {
    let mut conn = stage.open(pair)?;
    let mut headers = stage.headers(pair);
    headers.retain(|(name, _)| !name.starts_with("anthropic"));
    let mut expected = vec![("x-house-story", "0af7651916cd43dd8448eb211c80319c")];
    if pair.client == Client::Messages {
        expected.extend([
            ("anthropic-beta", "context-1m-2025-08-07,interleaved-thinking-2025-05-14"),
            ("anthropic-version", "2023-06-01"),
        ]);
    } else {
        expected.push(("openai-beta", "assistants=v2"));
    }
    headers.extend(expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let line = stage.line("POST", &format!("{}?beta=true", pair.client.path()));
    conn.send(&line, &headers, pair.ask("hello").body.to_string().as_bytes(), Framing::Length)?;
    same("the status", &conn.answer(false)?.head.status, &200)?;
    let seen = stage.last()?;
    let mut lost: Vec<&str> = expected
        .iter()
        .filter(|(name, value)| seen.header(name) != Some(value))
        .map(|(name, _)| *name)
        .collect();
    if !seen.path.ends_with("?beta=true") {
        lost.push("?beta=true");
    }
    if lost.is_empty() { Ok(()) } else { Err(format!("lost: {}", lost.join(", "))) }
}

fn no_compression(stage: &Stage, pair: &Pair) -> Outcome {
    let mut conn = stage.open(pair)?;
    let mut headers = stage.headers(pair);
    headers.push(("accept-encoding".to_owned(), "gzip, deflate, br".to_owned()));
    conn.send(
        &stage.line("POST", pair.client.path()),
        &headers,
        pair.ask("hello").stream().body.to_string().as_bytes(),
        Framing::Length,
    )?;
    conn.answer(false)?;
    let seen = stage.last()?;
    match seen.header("accept-encoding") {
        None | Some("identity" | "") => Ok(()),
        Some(other) => Err(format!("it asks for `{other}`")),
    }
}

fn stream_head(stage: &Stage, pair: &Pair) -> Outcome {
    let head = stage.streamed(&pair.ask("hello"))?.head;
    for header in ["content-encoding", "content-length"] {
        if let Some(value) = head.get(header) {
            return Err(format!("a stream with {header}: {value}"));
        }
    }
    Ok(())
}

fn answer_headers(stage: &Stage, pair: &Pair) -> Outcome {
    let answer = stage.answer(&pair.ask("hello"))?;
    let wanted: &[&str] = match pair.client {
        Client::Messages => &["request-id", "anthropic-ratelimit-requests-remaining"],
        _ => &["x-request-id", "x-ratelimit-remaining-requests"],
    };
    let lost: Vec<&&str> = wanted.iter().filter(|name| answer.head.get(name).is_none()).collect();
    if lost.is_empty() { Ok(()) } else { Err(format!("lost: {lost:?}")) }
}

fn retry(stage: &Stage, pair: &Pair, fault: &str, most: f64) -> Outcome {
    stage.goes_wrong(fault);
    let answer = stage.answer(&pair.ask("hello"))?;
    same("the status", &answer.head.status, &429)?;
    let number = |name: &str| answer.head.get(name).and_then(|value| value.parse::<f64>().ok());
    let told = number("retry-after-ms").map(|ms| ms / 1000.0).or_else(|| number("retry-after"));
    match told {
        Some(seconds) if seconds <= most => Ok(()),
        told => Err(format!("it says {told:?} s, the provider {most}")),
    }
}

fn retry_date(stage: &Stage, pair: &Pair) -> Outcome {
    stage.goes_wrong("429-date");
    let answer = stage.answer(&pair.ask("hello"))?;
    same("the status", &answer.head.status, &429)?;
    answer.head.get("retry-after").map(drop).ok_or_else(|| "it is gone".to_owned())
}

fn attempts(stage: &Stage, pair: &Pair, fault: &str) -> Outcome {
    stage.goes_wrong(fault);
    stage.answer(&pair.ask("hello"))?;
    same("requests upstream", &stage.provider.requests().len(), &1)
}

fn upstream_key(stage: &Stage, pair: &Pair) -> Outcome {
    stage.goes_wrong("401");
    let answer = stage.answer(&pair.ask("hello"))?;
    shaped(pair.client, &answer)?;
    if (500..600).contains(&answer.head.status) {
        Ok(())
    } else {
        Err(format!("the status is {}", answer.head.status))
    }
}

fn megabyte(stage: &Stage, pair: &Pair) -> Outcome {
    let text = "word ".repeat(210_000);
    let heard = stage.stream(&pair.ask(&text))?;
    if heard.text.contains("I read 1050000 characters.") {
        Ok(())
    } else {
        Err(format!("it said `{}`", heard.text))
    }
}

fn too_large(stage: &Stage, pair: &Pair) -> Outcome {
    let mut conn = stage.open(pair)?;
    let mut headers = stage.headers(pair);
    headers.push(("content-length".to_owned(), "104857600".to_owned()));
    // The head announces what never comes: who waits for it all has no limit.
    conn.announce(&stage.line("POST", pair.client.path()), &headers)?;
    let answer = conn.answer(false)?;
    same("the status", &answer.head.status, &413)?;
    shaped(pair.client, &answer).map(drop)
}

fn framed(stage: &Stage, pair: &Pair, framing: Framing) -> Outcome {
    let mut conn = stage.open(pair)?;
    let body = pair.ask(&"hello ".repeat(1000)).body.to_string();
    conn.send(&stage.line("POST", pair.client.path()), &stage.headers(pair), body.as_bytes(), framing)?;
    let answer = conn.answer(false)?;
    same("the status", &answer.head.status, &200)?;
    let heard = heard::whole(pair.client, &answer.json()?)?;
    if heard.text.contains("I read 6000 characters.") {
        Ok(())
    } else {
        Err(format!("it said `{}`", heard.text))
    }
}

fn chunked(stage: &Stage, pair: &Pair) -> Outcome {
    framed(stage, pair, Framing::Chunked)
}

fn expect(stage: &Stage, pair: &Pair) -> Outcome {
    framed(stage, pair, Framing::Expect)
}

/// Another request on the same connection.
fn again(stage: &Stage, pair: &Pair, conn: &mut Conn) -> Outcome {
    stage.provider.behave();
    stage.post(conn, pair, pair.ask("hello").body.to_string().as_bytes())?;
    same("the status of the next request", &conn.answer(false)?.head.status, &200)
}

fn other_method(stage: &Stage, pair: &Pair, method: &str) -> Outcome {
    let mut conn = stage.open(pair)?;
    conn.send(&stage.line(method, pair.client.path()), &stage.headers(pair), b"", Framing::Length)?;
    let answer = conn.answer(method == "HEAD")?;
    if answer.head.status >= 500 {
        return Err(format!("{}: {}", answer.head.status, answer.text()));
    }
    again(stage, pair, &mut conn)
}

fn stays_after_refusal(stage: &Stage, pair: &Pair) -> Outcome {
    let mut conn = stage.open(pair)?;
    stage.post(&mut conn, pair, b"{ not json")?;
    conn.answer(false)?;
    again(stage, pair, &mut conn)
}

fn stays_after_failure(stage: &Stage, pair: &Pair) -> Outcome {
    stage.goes_wrong("500");
    let mut conn = stage.open(pair)?;
    stage.post(&mut conn, pair, pair.ask("hello").body.to_string().as_bytes())?;
    conn.answer(false)?;
    again(stage, pair, &mut conn)
}

fn stays_after_stream(stage: &Stage, pair: &Pair) -> Outcome {
    let mut conn = stage.open(pair)?;
    stage.post(&mut conn, pair, pair.ask("hello").stream().body.to_string().as_bytes())?;
    conn.answer(false)?;
    again(stage, pair, &mut conn)
}

fn hundred(stage: &Stage, pair: &Pair) -> Outcome {
    let mut conn = stage.open(pair)?;
    for _ in 0..100 {
        again(stage, pair, &mut conn)?;
    }
    Ok(())
}

fn slow_sender(stage: &Stage, pair: &Pair) -> Outcome {
    let mut conn = stage.open(pair)?;
    let body = pair.ask("hello").body.to_string();
    conn.trickle(&stage.line("POST", pair.client.path()), &stage.headers(pair), body.as_bytes())?;
    same("the status", &conn.answer(false)?.head.status, &200)
}

/// A list of models in the shape of this client's API.
pub(super) fn models(stage: &Stage, pair: &Pair) -> Outcome {
    let client = pair.client;
    let mut conn = stage.open(pair)?;
    let mut headers = stage.headers(pair);
    if client == Client::Messages && !headers.iter().any(|(name, _)| name == "anthropic-version") {
        headers.push(("anthropic-version".to_owned(), "2023-06-01".to_owned()));
    }
    conn.send(&stage.line("GET", "/models"), &headers, b"", Framing::Length)?;
    let answer = conn.answer(false)?;
    same("the status", &answer.head.status, &200)?;
    let body = answer.json()?;
    let models = list(at(&body, "/data"));
    if models.is_empty() || models.iter().any(|model| words(at(model, "/id")).is_empty()) {
        return Err(format!("no list of models with ids: {body}"));
    }
    if client == Client::Messages {
        let all = models
            .iter()
            .all(|model| at(model, "/type") == "model" && at(model, "/display_name").is_string());
        return if all && at(&body, "/has_more").is_boolean() {
            Ok(())
        } else {
            Err(format!("not Anthropic's shape: {body}"))
        };
    }
    let all = models.iter().all(|model| at(model, "/object") == "model");
    if all && at(&body, "/object") == "list" { Ok(()) } else { Err(format!("not OpenAI's shape: {body}")) }
}
