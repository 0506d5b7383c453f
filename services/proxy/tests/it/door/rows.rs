//! Every row of the provider's faults, and what a client sees of it: alone, and with somebody else to ask.

use std::time::Duration;

use futures_util::future::join_all;
use sanctum_http::{Answer, Outbound, Outgoing};
use sanctum_testkit::provider::{Act, FAULTS, Fault, HELLO, Nature, Provider};
use sanctum_testkit::{House, eventually};
use serde_json::{Value, json};

use super::house::CATALOGUE;

/// What a good answer to `hello` says.
const WORDS: &str = "I read 5 characters.";

/// A provider that misbehaves by the name of the model, and one that does not, behind two models; time-outs that a test
/// can wait for, and a breaker that is another test's matter.
struct World {
    bad: Provider,
    good: Provider,
    house: House,
    outbound: Outbound,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Api {
    Chat,
    Messages,
    Responses,
}

const APIS: [Api; 3] = [Api::Chat, Api::Messages, Api::Responses];

impl Api {
    fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Messages => "/v1/messages",
            Self::Responses => "/v1/responses",
        }
    }

    fn body(self, model: &str, stream: bool) -> Value {
        let turns = json!([{ "role": "user", "content": "hello" }]);
        match self {
            Self::Chat => json!({ "model": model, "messages": turns, "stream": stream }),
            Self::Messages => {
                json!({ "model": model, "messages": turns, "stream": stream, "max_tokens": 100 })
            }
            Self::Responses => json!({ "model": model, "input": turns, "stream": stream }),
        }
    }

    /// The last event of a stream that is whole.
    fn end(self) -> &'static str {
        match self {
            Self::Chat => "[DONE]",
            Self::Messages => "event: message_stop",
            Self::Responses => "event: response.completed",
        }
    }
}

impl World {
    async fn new(fallback: bool) -> Self {
        let (bad, good) = (Provider::start(), Provider::start());
        let more = if fallback { "fallback = [\"good\"]" } else { "" };
        let config = format!(
            r#"
[proxy]
first-byte = "5s"
idle = "4s"
deadline = "30s"
rescue = "never"
{more}
[proxy.breaker]
failures = 1000000
[proxy.provider.openai]
kind = "openai"
base-url = "{bad}/v1"
auth = "none"
speaks = ["chat", "responses"]
[proxy.provider.anthropic]
kind = "anthropic"
base-url = "{bad}/v1"
auth = "none"
[proxy.provider.good]
kind = "openai"
base-url = "{good}/v1"
auth = "none"
[proxy.model."chat-fault-*"]
provider = "openai"
tier = "standard"
price = {{ input = 1.0, output = 5.0 }}
[proxy.model."responses-fault-*"]
provider = "openai"
tier = "standard"
price = {{ input = 1.0, output = 5.0 }}
[proxy.model."messages-fault-*"]
provider = "anthropic"
tier = "standard"
price = {{ input = 1.0, output = 5.0 }}
[proxy.model.good]
provider = "good"
tier = "standard"
price = {{ input = 1.0, output = 5.0 }}
"#,
            bad = bad.url(),
            good = good.url(),
        );
        let house = House::new(&CATALOGUE).config(&config).start().await;
        Self { bad, good, house, outbound: Outbound::default() }
    }

    /// One request; `Err` when the answer broke off.
    async fn ask(&self, api: Api, fault: &Fault, stream: bool) -> Result<Answer, String> {
        // A model of its own for each kind of request: a provider's Retry-After rests the model it was said of.
        let kind = format!("{api:?}").to_lowercase();
        let model = format!("{kind}-fault-{}", fault.name);
        let outgoing = Outgoing {
            method: "POST",
            url: format!("http://{}{}", self.house.addr("proxy"), api.path()),
            headers: vec![
                ("content-type".to_owned(), "application/json".to_owned()),
                ("authorization".to_owned(), format!("Bearer {}", self.house.token("cli", "proxy"))),
            ],
            body: serde_json::to_vec(&api.body(&model, stream)).unwrap(),
            timeout: Duration::from_mins(1),
        };
        self.outbound.send(outgoing).await.map_err(|error| error.to_string())
    }

    /// Every row in every language, whole and streamed, all at once: what each one saw, with its name.
    async fn all(&self) -> Vec<(String, &'static Fault, Api, bool, Result<Answer, String>)> {
        let rows = FAULTS.iter().filter(|fault| fault.act != Act::Huge);
        let cases = rows.flat_map(|fault| APIS.map(|api| [false, true].map(|stream| (fault, api, stream))));
        let asked = cases.flatten().map(async |(fault, api, stream)| {
            let name = format!("{} {}{}", fault.name, api.path(), if stream { " streamed" } else { "" });
            (name, fault, api, stream, self.ask(api, fault, stream).await)
        });
        join_all(asked).await
    }

    /// Afterwards nothing is under way, nothing is reserved, and the door stands open.
    async fn calm(self) {
        eventually("nothing to be under way", Duration::from_secs(10), async || {
            let (_, stats) = self.house.get("proxy", "/stats").await;
            let idle =
                stats["live"].as_array().is_some_and(Vec::is_empty) && stats["house"]["reserved_usd"] == 0.0;
            idle.then_some(())
        })
        .await;
        let fine = Fault { name: "none", what: "", act: Act::Good, nature: Nature::Whole };
        self.bad.always("chat-fault-none", sanctum_testkit::provider::Reply::good());
        assert_eq!(self.ask(Api::Chat, &fine, false).await.unwrap().status, 200);
        self.house.stop().await;
    }
}

/// Every text of the answer, in order.
fn words(api: Api, answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body).replace('\r', "");
    let data = text.split("\n\n").filter_map(|frame| frame.split_once("data: ").map(|(_, data)| data));
    let frames: Vec<Value> = data.filter_map(|data| serde_json::from_str(data).ok()).collect();
    let (bodies, at) = match (frames.is_empty(), api) {
        (true, Api::Chat) => {
            (serde_json::from_str(&text).into_iter().collect(), "/choices/0/message/content")
        }
        (true, Api::Messages) => (serde_json::from_str(&text).into_iter().collect(), "/content/0/text"),
        (true, Api::Responses) => {
            (serde_json::from_str(&text).into_iter().collect(), "/output/0/content/0/text")
        }
        (false, Api::Chat) => (frames, "/choices/0/delta/content"),
        (false, Api::Messages) => (frames, "/delta/text"),
        (false, Api::Responses) => (frames, "/delta"),
    };
    bodies.iter().filter_map(|body| body.pointer(at)?.as_str()).collect()
}

fn complete(api: Api, stream: bool, answer: &Answer) -> bool {
    let ended = !stream || String::from_utf8_lossy(&answer.body).contains(api.end());
    answer.status == 200 && ended && words(api, answer).contains(WORDS)
}

/// Anything an SDK would take for the end of a good answer.
fn looks_complete(api: Api, stream: bool, answer: &Answer) -> bool {
    let text = String::from_utf8_lossy(&answer.body);
    let error = text.contains("\"error\"");
    answer.status == 200 && !error && (!stream || text.contains(api.end()))
}

fn shaped(name: &str, api: Api, answer: &Answer) {
    let body: Value = serde_json::from_slice(&answer.body)
        .unwrap_or_else(|error| panic!("{name}: {error}: {}", String::from_utf8_lossy(&answer.body)));
    assert!(body["error"]["message"].is_string() && body["error"]["type"].is_string(), "{name}: {body}");
    match api {
        Api::Messages => assert_eq!(body["type"], "error", "{name}"),
        _ => assert!(
            body["error"].get("code").is_some() && body["error"].get("param").is_some(),
            "{name}: {body}"
        ),
    }
}

#[tokio::test]
async fn every_row_alone_is_told_as_it_is() {
    let world = World::new(false).await;
    for (name, fault, api, stream, seen) in world.all().await {
        match (fault.nature, seen) {
            (Nature::Whole, Ok(answer)) => {
                let text = String::from_utf8_lossy(&answer.body);
                // The reason it ended was said; the last event may be missing here as it was there.
                let whole = complete(api, stream && fault.act != Act::NoDone, &answer);
                assert!(whole, "{name}: {} {text}", answer.status);
                assert!(words(api, &answer).contains(HELLO), "{name}: a letter is broken");
            }
            (Nature::Whole | Nature::Refused(_), Err(why)) => panic!("{name}: {why}"),
            (Nature::Refused(status), Ok(answer)) => {
                shaped(&name, api, &answer);
                let kept = match status {
                    // The house's credentials are no business of the client's.
                    401..=403 | 502 => (500..600).contains(&answer.status),
                    529 => [503, 529].contains(&answer.status),
                    _ => answer.status == status,
                };
                assert!(kept, "{name}: became {}", answer.status);
            }
            // The connection was cut under the half answer: every SDK notices.
            (Nature::Broken | Nature::Cut, Err(_)) => {}
            (Nature::Broken | Nature::Cut, Ok(answer)) => {
                let text = String::from_utf8_lossy(&answer.body);
                // What was said word by word cannot be taken back, and it was all there was.
                let said = matches!(fault.act, Act::Empty | Act::Repeats) && stream;
                assert!(said || !looks_complete(api, stream, &answer), "{name}: {} {text}", answer.status);
                if answer.status >= 400 {
                    shaped(&name, api, &answer);
                }
            }
        }
    }
    assert!(world.good.requests().is_empty(), "nobody else was to be asked");
    world.calm().await;
}

#[tokio::test]
async fn every_row_that_shows_before_the_first_byte_is_answered_by_the_next() {
    let world = World::new(true).await;
    for (name, fault, api, stream, seen) in world.all().await {
        let hidden = match fault.nature {
            // Noise is passed on until it is known to be noise.
            Nature::Broken if fault.act == Act::GarbageStream => !stream,
            Nature::Whole | Nature::Broken => true,
            // A request that is wrong is wrong everywhere.
            Nature::Refused(status) => fault.act == Act::ContextLength || !matches!(status, 400 | 413),
            // Of a whole answer nothing has reached the client yet.
            Nature::Cut => !stream,
        };
        match (hidden, seen) {
            (true, Ok(answer)) => {
                let text = String::from_utf8_lossy(&answer.body);
                let said = matches!(fault.act, Act::Empty | Act::Repeats) && stream;
                let whole = said || complete(api, stream && fault.act != Act::NoDone, &answer);
                assert!(whole, "{name}: {} {text}", answer.status);
            }
            (true, Err(why)) => panic!("{name}: {why}"),
            // It may have failed before its first byte went on; nothing is ever said twice.
            (false, Ok(answer)) if complete(api, stream, &answer) => {
                assert_eq!(words(api, &answer), format!("{HELLO} {WORDS}"), "{name}");
            }
            (false, Ok(answer)) => {
                assert!(!looks_complete(api, stream, &answer), "{name}: it looks complete");
            }
            (false, Err(_)) => {}
        }
    }
    world.calm().await;
}
