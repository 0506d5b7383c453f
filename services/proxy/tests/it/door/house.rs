//! A house with a proxy, and short ways to ask.

use std::time::Duration;

use sanctum_http::Answer;
use sanctum_kernel::{Catalogue, Entry};
use sanctum_proxy::Proxy;
use sanctum_testkit::provider::Provider;
use sanctum_testkit::{House, eventually};
use serde_json::{Value, json};

use super::hub::Hub;

pub(crate) static CATALOGUE: Catalogue =
    const { Catalogue::new(const { &[Entry::of::<Hub>(), Entry::of::<Proxy>()] }) };

/// Long enough for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A cloud of both kinds and a seat of the house, each a provider of its own.
pub(crate) struct World {
    pub(crate) cloud: Provider,
    pub(crate) other: Provider,
    pub(crate) local: Provider,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { cloud: Provider::start(), other: Provider::start(), local: Provider::start() }
    }

    /// Providers `cloud` (OpenAI), `claude` (Anthropic), `other` (OpenAI) and `local`, with some models.
    pub(crate) fn config(&self, more: &str) -> String {
        let (cloud, other, local) = (self.cloud.url(), self.other.url(), self.local.url());
        format!(
            r#"
[house]
timezone = "Europe/Paris"
[proxy]
connect = "2s"
{more}
[proxy.provider.cloud]
kind = "openai"
base-url = "{cloud}/v1"
auth = "none"
[proxy.provider.claude]
kind = "anthropic"
base-url = "{cloud}/v1"
auth = "none"
[proxy.provider.other]
kind = "openai"
base-url = "{other}/v1"
auth = "none"
[proxy.provider.local]
kind = "openai"
base-url = "{local}/v1"
auth = "none"
locality = "local"
[proxy.model.strong]
provider = "cloud"
tier = "strong"
price = {{ input = 5.0, output = 25.0 }}
[proxy.model.standard]
provider = "cloud"
tier = "standard"
price = {{ input = 1.0, output = 5.0 }}
[proxy.model.second]
provider = "other"
tier = "strong"
price = {{ input = 4.0, output = 20.0 }}
[proxy.model."claude-*"]
provider = "claude"
tier = "strong"
price = {{ input = 5.0, output = 25.0 }}
[proxy.model."fault-*"]
provider = "cloud"
tier = "standard"
price = {{ input = 1.0, output = 5.0 }}
[proxy.model.small]
provider = "local"
tier = "small"
[proxy.alias]
fast = "standard"
"#
        )
    }

    pub(crate) async fn house(&self, more: &str) -> House {
        House::new(&CATALOGUE).config(&self.config(more)).start().await
    }
}

/// A chat request.
pub(crate) fn chat(model: &str, text: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": text }] })
}

/// A request to Anthropic's API.
pub(crate) fn messages(model: &str, text: &str) -> Value {
    json!({ "model": model, "max_tokens": 100, "messages": [{ "role": "user", "content": text }] })
}

/// The same as a stream.
pub(crate) fn streamed(mut request: Value) -> Value {
    request["stream"] = true.into();
    request
}

/// Posts a request as the command line does.
pub(crate) async fn post(house: &House, path: &str, body: &Value) -> Answer {
    with(house, path, &[], body).await
}

/// The same with headers.
pub(crate) async fn with(house: &House, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    house.raw("proxy", "POST", path, headers, serde_json::to_vec(body).unwrap()).await
}

pub(crate) fn json_of(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&answer.body)))
}

pub(crate) fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Every line of the usage log, once there are `count`.
pub(crate) async fn lines(house: &House, count: usize) -> Vec<Value> {
    let dir = house.paths().logs().join("proxy");
    let read = || {
        let mut files: Vec<_> =
            std::fs::read_dir(&dir).into_iter().flatten().flatten().map(|file| file.path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
        files.sort();
        let text: String =
            files.iter().map(|file| std::fs::read_to_string(file).unwrap_or_default()).collect();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<Value>>()
    };
    eventually("the lines of the usage log", PATIENCE, async || {
        let lines = read();
        (lines.len() >= count).then_some(lines)
    })
    .await
}
