//! Checks of every client's language before every provider's.

use sanctum_testkit::provider::{HELLO, Reply, Say};
use serde_json::{Value, json};

use super::check::Outcome;
use super::dialect::{Ask, CALL_ONE, CALL_TWO, Client, Pair, Upstream};
use super::heard::{Heard, at, words};
use super::stage::{Stage, notices, same, shaped};
use super::wire::Ended;

/// A name, the points of the list it proves, and how.
pub(super) type OfPair = (&'static str, &'static [u8], fn(&Stage, &Pair) -> Outcome);

pub(super) const CHECKS: &[OfPair] = &[
    ("answers", &[27], answers),
    ("streams", &[1], streams),
    ("letters split between packets, in a stream", &[2], |s, p| strange(s, p, "split-letters")),
    ("one byte a packet, in a stream", &[2], |s, p| strange(s, p, "bytewise")),
    ("CR LF and a byte order mark, in a stream", &[2], |s, p| {
        strange(s, p, "crlf").and_then(|()| strange(s, p, "bom"))
    }),
    ("comments between events", &[3], |s, p| strange(s, p, "heartbeats")),
    ("the first words come before the last were said", &[4], unbuffered),
    ("a client that leaves a stream is noticed upstream", &[5], |s, p| leaves(s, p, true)),
    ("a client that leaves before an answer is noticed upstream", &[5], |s, p| leaves(s, p, false)),
    ("a reset in mid-stream is no success", &[6], |s, p| cut(s, p, "reset-mid")),
    ("a silent end in mid-stream is no success", &[6], |s, p| cut(s, p, "end-mid")),
    ("an error in mid-stream surfaces", &[7], |s, p| {
        cut(s, p, "error-mid").and_then(|()| told(s, p, "error-mid"))
    }),
    ("an error event before content surfaces", &[7], |s, p| told(s, p, "error-first")),
    ("a 200 with an error in it surfaces", &[7], error_body),
    ("usage", &[9], usage),
    ("usage of a stream", &[8, 9, 10], usage_streamed),
    ("no usage from the provider", &[11], no_usage),
    ("a tool call", &[12, 14], |s, p| calls(s, p, CALL_ONE, false)),
    ("a tool call, streamed", &[12, 14], |s, p| calls(s, p, CALL_ONE, true)),
    ("parallel tool calls", &[12, 13], |s, p| calls(s, p, CALL_TWO, false)),
    ("parallel tool calls, streamed", &[12, 13], |s, p| calls(s, p, CALL_TWO, true)),
    ("results of parallel calls", &[13], results),
    ("results of parallel calls, streamed", &[13], results_streamed),
    ("tool_choice none", &[14], choice_none),
    ("tool_choice required", &[14], |s, p| choice(s, p, "required", "weather")),
    ("tool_choice of a named tool", &[14], |s, p| choice(s, p, "time", "time")),
    ("thinking", &[15], thinking),
    ("thinking, streamed", &[15], thinking_streamed),
    ("structured output", &[21], structured),
    ("a picture", &[24], picture),
    ("a system prompt", &[21], system),
    ("an answer cut by its limit of tokens", &[14], length),
    ("a prompt that is too long", &[17, 18], too_long),
    ("a provider that is busy, with retry-after", &[18, 19], busy),
    ("a provider that fails", &[17, 18], fails),
    ("a provider that is overloaded", &[18], overloaded),
];

/// What the provider says to `text`.
fn says(text: &str) -> String {
    format!("{HELLO} I read {} characters.", text.chars().count())
}

fn good(heard: &Heard, text: &str, client: Client) -> Outcome {
    same("the text", &heard.text, &text.to_owned())?;
    let finish = match client {
        Client::Chat => "stop",
        Client::Messages => "end_turn",
        Client::Responses => "completed",
    };
    same("the finish", &heard.finish.as_str(), &finish)
}

fn answers(stage: &Stage, pair: &Pair) -> Outcome {
    good(&stage.whole(&pair.ask("hello"))?, &says("hello"), pair.client)
}

fn streams(stage: &Stage, pair: &Pair) -> Outcome {
    good(&stage.stream(&pair.ask("hello"))?, &says("hello"), pair.client)
}

fn strange(stage: &Stage, pair: &Pair, fault: &str) -> Outcome {
    stage.goes_wrong(fault);
    streams(stage, pair)
}

fn unbuffered(stage: &Stage, pair: &Pair) -> Outcome {
    stage.goes_wrong("stall-mid");
    stage.begun(&pair.ask("hello")).map(drop)
}

fn leaves(stage: &Stage, pair: &Pair, stream: bool) -> Outcome {
    stage.goes_wrong(if stream { "stall-mid" } else { "never" });
    if stream {
        drop(stage.begun(&pair.ask("hello"))?);
    } else {
        let mut conn = stage.open(pair)?;
        stage.post(&mut conn, pair, pair.ask("hello").body.to_string().as_bytes())?;
        notices("the request to arrive upstream", || !stage.provider.requests().is_empty())?;
        drop(conn);
    }
    notices("the provider to see its client leave", || !stage.provider.cancelled().is_empty())
}

/// However it is told, it must not look complete.
fn cut(stage: &Stage, pair: &Pair, fault: &str) -> Outcome {
    stage.goes_wrong(fault);
    let streamed = stage.streamed(&pair.ask("hello"))?;
    if streamed.success() {
        return Err(format!("it looks complete, with finish `{}`", streamed.heard.finish));
    }
    if streamed.heard.done {
        return Err("the last event was invented".to_owned());
    }
    if !streamed.heard.finish.is_empty() {
        return Err(format!("the finish `{}` was invented", streamed.heard.finish));
    }
    if streamed.refused.is_none() && streamed.heard.error.is_none() && streamed.ended == Ended::Whole {
        return Err("a clean end without an error event: SDKs take it for the whole answer".to_owned());
    }
    Ok(())
}

/// The client is told in its own language.
fn told(stage: &Stage, pair: &Pair, fault: &str) -> Outcome {
    stage.goes_wrong(fault);
    let streamed = stage.streamed(&pair.ask("hello"))?;
    match (&streamed.refused, &streamed.heard.error) {
        (Some(refused), _) if refused.head.status >= 400 => shaped(pair.client, refused).map(drop),
        (None, Some(error)) => {
            let message = ["/error/message", "/message", "/response/error/message"];
            if message.iter().any(|path| !words(at(error, path)).is_empty()) {
                return Ok(());
            }
            Err(format!("an error event without a message: {error}"))
        }
        _ => Err(format!("nothing says that it failed ({} events)", streamed.frames.len())),
    }
}

fn error_body(stage: &Stage, pair: &Pair) -> Outcome {
    stage.goes_wrong("error-body");
    let answer = stage.answer(&pair.ask("hello"))?;
    if answer.head.status < 400 {
        return Err(format!("{}: {}", answer.head.status, answer.text()));
    }
    shaped(pair.client, &answer).map(drop)
}

/// Input, cached, output and reasoning as this client's API counts them; the provider read 40 tokens, 8 of them
/// cached, and wrote 12.
fn counted(client: Client, usage: &Value, reasoning: bool) -> Outcome {
    let wanted: &[(&str, u64)] = match client {
        Client::Chat => &[
            ("/prompt_tokens", 40),
            ("/completion_tokens", 12),
            ("/total_tokens", 52),
            ("/prompt_tokens_details/cached_tokens", 8),
        ],
        Client::Messages => &[("/input_tokens", 32), ("/cache_read_input_tokens", 8), ("/output_tokens", 12)],
        Client::Responses => &[
            ("/input_tokens", 40),
            ("/output_tokens", 12),
            ("/total_tokens", 52),
            ("/input_tokens_details/cached_tokens", 8),
        ],
    };
    for (path, tokens) in wanted {
        same(&format!("usage{path}"), &at(usage, path).as_u64(), &Some(*tokens))?;
    }
    let path = match client {
        Client::Chat => "/completion_tokens_details/reasoning_tokens",
        Client::Responses => "/output_tokens_details/reasoning_tokens",
        Client::Messages => return Ok(()),
    };
    if reasoning { same(path, &at(usage, path).as_u64(), &Some(4)) } else { Ok(()) }
}

fn usage(stage: &Stage, pair: &Pair) -> Outcome {
    counted(pair.client, &stage.whole(&pair.ask("hello"))?.usage, false)
}

fn usage_streamed(stage: &Stage, pair: &Pair) -> Outcome {
    let heard = stage.stream(&pair.ask("hello"))?;
    counted(pair.client, &heard.usage, false)?;
    if pair.client == Client::Messages && !heard.begins_counted {
        return Err("message_start has no input_tokens".to_owned());
    }
    if pair.client != Client::Chat {
        return Ok(());
    }
    // Who does not ask for it gets no chunk without choices.
    let mut ask = pair.ask("hello");
    ask = ask.set("stream", json!(true));
    let answer = stage.answer(&ask)?;
    let (frames, _) = super::heard::frames(&answer.body)?;
    let heard = super::heard::stream(pair.client, &frames)?;
    if heard.usage.is_null() { Ok(()) } else { Err("usage for a client that did not ask".to_owned()) }
}

fn no_usage(stage: &Stage, pair: &Pair) -> Outcome {
    stage.goes_wrong("no-usage");
    good(&stage.whole(&pair.ask("hello"))?, &says("hello"), pair.client)?;
    good(&stage.stream(&pair.ask("hello"))?, &says("hello"), pair.client)
}

fn calls(stage: &Stage, pair: &Pair, text: &str, stream: bool) -> Outcome {
    let ask = pair.ask(text).tools();
    let heard = if stream { stage.stream(&ask)? } else { stage.whole(&ask)? };
    let mut wanted = vec![("weather".to_owned(), json!({ "city": "Z\u{fc}rich" }))];
    if text == CALL_TWO {
        wanted.push(("time".to_owned(), json!({ "zone": "UTC" })));
    }
    let got: Vec<_> =
        heard.calls.iter().map(|(_, name, arguments)| (name.clone(), arguments.clone())).collect();
    same("the calls", &got, &wanted)?;
    let mut ids: Vec<_> = heard.calls.iter().map(|(id, ..)| id).collect();
    ids.dedup();
    if ids.len() != wanted.len() || ids.iter().any(|id| id.is_empty()) {
        return Err(format!("ids are not one each: {ids:?}"));
    }
    let finish = match pair.client {
        Client::Chat => "tool_calls",
        Client::Messages => "tool_use",
        Client::Responses => "completed",
    };
    same("the finish", &heard.finish.as_str(), &finish)
}

fn said_by_tools() -> String {
    format!("{} The tools said: sunny | noon.", says(CALL_TWO))
}

fn results(stage: &Stage, pair: &Pair) -> Outcome {
    good(&stage.whole(&pair.ask(CALL_TWO).tools().results())?, &said_by_tools(), pair.client)
}

fn results_streamed(stage: &Stage, pair: &Pair) -> Outcome {
    good(&stage.stream(&pair.ask(CALL_TWO).tools().results())?, &said_by_tools(), pair.client)
}

fn choice_none(stage: &Stage, pair: &Pair) -> Outcome {
    let heard = stage.whole(&pair.ask("hello").tools().choose("none"))?;
    if heard.calls.is_empty() {
        good(&heard, &says("hello"), pair.client)
    } else {
        Err("it called a tool".to_owned())
    }
}

fn choice(stage: &Stage, pair: &Pair, choice: &str, tool: &str) -> Outcome {
    let heard = stage.whole(&pair.ask("hello").tools().choose(choice))?;
    let names: Vec<&str> = heard.calls.iter().map(|(_, name, _)| name.as_str()).collect();
    same("the called tools", &names, &vec![tool])
}

const THOUGHT: &str = "The house asks; I weigh it.";

fn thought(pair: &Pair, heard: &Heard) -> Outcome {
    // Gemini shows its thoughts only to who asks to see them, and chat completions have no word for that.
    let unseen =
        (pair.client, pair.upstream) == (Client::Chat, Upstream::Gemini) && heard.thinking.is_empty();
    if !unseen {
        same("the thinking", &heard.thinking.as_str(), &THOUGHT)?;
    }
    same("the text", &heard.text, &says("hello"))?;
    if pair.client == Client::Messages && pair.upstream == Upstream::Anthropic && heard.signature.is_empty() {
        return Err("the signature is gone".to_owned());
    }
    // Anthropic does not count reasoning apart.
    counted(pair.client, &heard.usage, pair.upstream != Upstream::Anthropic)
}

fn thinking(stage: &Stage, pair: &Pair) -> Outcome {
    thought(pair, &stage.whole(&pair.ask("hello").thinking())?)
}

fn thinking_streamed(stage: &Stage, pair: &Pair) -> Outcome {
    thought(pair, &stage.stream(&pair.ask("hello").thinking())?)
}

fn structured(stage: &Stage, pair: &Pair) -> Outcome {
    for heard in [stage.whole(&pair.ask("hello").shaped())?, stage.stream(&pair.ask("hello").shaped())?] {
        let value: Value =
            serde_json::from_str(&heard.text).map_err(|_| format!("not JSON: `{}`", heard.text))?;
        same("the object", &value, &json!({ "city": "Paris", "n": 7 }))?;
    }
    Ok(())
}

fn picture(stage: &Stage, pair: &Pair) -> Outcome {
    let text = format!("{} I saw 1 picture(s): image/png.", says("look"));
    good(&stage.whole(&Ask::picture(pair))?, &text, pair.client)
}

fn system(stage: &Stage, pair: &Pair) -> Outcome {
    const RULE: &str = "You are the steward of a quiet house.";
    good(&stage.whole(&pair.ask("hello").system(RULE))?, &says("hello"), pair.client)?;
    let seen = stage.last()?;
    if String::from_utf8_lossy(&seen.body).contains(RULE) {
        Ok(())
    } else {
        Err("it did not arrive".to_owned())
    }
}

fn length(stage: &Stage, pair: &Pair) -> Outcome {
    let say = Say { text: "Once upon".to_owned(), cut_short: true, ..Say::default() };
    stage.provider.always("*", Reply { say: Some(say), ..Reply::good() });
    let finish = match pair.client {
        Client::Chat => "length",
        Client::Messages => "max_tokens",
        Client::Responses => "incomplete",
    };
    for heard in [stage.whole(&pair.ask("hello"))?, stage.stream(&pair.ask("hello"))?] {
        same("the finish", &heard.finish.as_str(), &finish)?;
        same("the text", &heard.text.as_str(), &"Once upon")?;
    }
    Ok(())
}

fn too_long(stage: &Stage, pair: &Pair) -> Outcome {
    stage.goes_wrong("context");
    let answer = stage.answer(&pair.ask("hello"))?;
    same("the status", &answer.head.status, &400)?;
    let body = shaped(pair.client, &answer)?;
    if pair.client == Client::Messages {
        // Claude Code looks for these words before it makes the conversation shorter.
        let message = words(at(&body, "/error/message"));
        let found = message.contains("prompt is too long") || pair.upstream != Upstream::Anthropic;
        return if found { Ok(()) } else { Err(format!("the words changed: {message}")) };
    }
    same("the code", &words(at(&body, "/error/code")), &"context_length_exceeded")
}

fn busy(stage: &Stage, pair: &Pair) -> Outcome {
    stage.goes_wrong("429-seconds");
    let answer = stage.answer(&pair.ask("hello"))?;
    same("the status", &answer.head.status, &429)?;
    shaped(pair.client, &answer)?;
    let after: f64 = answer.head.get("retry-after").and_then(|value| value.parse().ok()).unwrap_or(-1.0);
    if (0.0..=5.0).contains(&after) { Ok(()) } else { Err(format!("retry-after is {after}")) }
}

fn fails(stage: &Stage, pair: &Pair) -> Outcome {
    stage.goes_wrong("500");
    let answer = stage.answer(&pair.ask("hello"))?;
    if !(500..600).contains(&answer.head.status) {
        return Err(format!("the status is {}", answer.head.status));
    }
    shaped(pair.client, &answer).map(drop)
}

fn overloaded(stage: &Stage, pair: &Pair) -> Outcome {
    stage.goes_wrong("529");
    let answer = stage.answer(&pair.ask("hello"))?;
    let body = shaped(pair.client, &answer)?;
    if pair.client == Client::Messages && pair.upstream == Upstream::Anthropic {
        same("the status", &answer.head.status, &529)?;
        return same("the type", &words(at(&body, "/error/type")), &"overloaded_error");
    }
    if [503, 529].contains(&answer.head.status) {
        Ok(())
    } else {
        Err(format!("the status is {}", answer.head.status))
    }
}
