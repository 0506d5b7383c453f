//! The languages a client speaks: how it asks for each feature.

use serde_json::{Value, json};

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    Chat,
    Messages,
    Responses,
}

/// What a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upstream {
    /// Chat completions and responses.
    OpenAi,
    /// Chat completions alone, as local servers speak them.
    Local,
    Anthropic,
    Gemini,
}

pub(super) const CLIENTS: [Client; 3] = [Client::Chat, Client::Messages, Client::Responses];
/// Every pair; what a local server adds shows with responses alone.
pub(super) fn pairs() -> impl Iterator<Item = (Client, Upstream)> {
    let all = CLIENTS.into_iter().flat_map(|client| {
        [Upstream::OpenAi, Upstream::Anthropic, Upstream::Gemini].map(|upstream| (client, upstream))
    });
    all.chain([(Client::Responses, Upstream::Local)])
}

impl Client {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Messages => "messages",
            Self::Responses => "responses",
        }
    }

    /// The path below the base, which ends in `/v1`.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Messages => "/messages",
            Self::Responses => "/responses",
        }
    }

    /// The provider that speaks the same.
    pub(super) fn own(self) -> Upstream {
        if self == Self::Messages { Upstream::Anthropic } else { Upstream::OpenAi }
    }
}

impl Upstream {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Local => "local",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }
}

/// A picture of one pixel.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// The user's words that make the provider call both tools.
pub(super) const CALL_ONE: &str = "call weather {\"city\":\"Z\u{fc}rich\"}";
pub(super) const CALL_TWO: &str = "call weather {\"city\":\"Z\u{fc}rich\"}\ncall time {\"zone\":\"UTC\"}";

/// A tool's name, its description, and its one argument.
const TOOLS: [(&str, &str, &str); 2] =
    [("weather", "The weather of a city", "city"), ("time", "The time in a zone", "zone")];

fn schema(argument: &str) -> Value {
    json!({ "type": "object", "properties": { argument: { "type": "string" } }, "required": [argument] })
}

/// A client's language, a provider's, and the model between them.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) client: Client,
    pub(super) upstream: Upstream,
    pub(super) model: String,
}

impl Pair {
    pub(super) fn ask(&self, text: &str) -> Ask {
        Ask::new(self, text)
    }
}

/// A request in the making.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) pair: Pair,
    pub(super) body: Value,
}

impl Ask {
    /// One turn of the user.
    pub(super) fn new(pair: &Pair, text: &str) -> Self {
        let model = &pair.model;
        let body = match pair.client {
            Client::Responses => json!({ "model": model, "input": [{ "role": "user", "content": text }] }),
            Client::Chat => json!({ "model": model, "messages": [{ "role": "user", "content": text }] }),
            Client::Messages => {
                json!({ "model": model, "max_tokens": 4000, "messages": [{ "role": "user", "content": text }] })
            }
        };
        Self { pair: pair.clone(), body }
    }

    pub(super) fn set(mut self, key: &str, value: Value) -> Self {
        if let Some(fields) = self.body.as_object_mut() {
            fields.insert(key.to_owned(), value);
        }
        self
    }

    pub(super) fn stream(self) -> Self {
        let asked = self.set("stream", json!(true));
        if asked.pair.client == Client::Chat {
            return asked.set("stream_options", json!({ "include_usage": true }));
        }
        asked
    }

    fn push(mut self, turn: Value) -> Self {
        let key = if self.pair.client == Client::Responses { "input" } else { "messages" };
        if let Some(turns) = self.body.get_mut(key).and_then(Value::as_array_mut) {
            turns.push(turn);
        }
        self
    }

    pub(super) fn tools(self) -> Self {
        let client = self.pair.client;
        let tools = TOOLS.map(|(name, description, argument)| match client {
            Client::Chat => json!({ "type": "function", "function":
                { "name": name, "description": description, "parameters": schema(argument) } }),
            Client::Messages => {
                json!({ "name": name, "description": description, "input_schema": schema(argument) })
            }
            Client::Responses => json!({ "type": "function", "name": name, "description": description,
                "parameters": schema(argument), "strict": false }),
        });
        self.set("tools", json!(tools))
    }

    /// `none`, `required`, or the name of a tool.
    pub(super) fn choose(self, choice: &str) -> Self {
        let named = !matches!(choice, "none" | "required");
        let value = match self.pair.client {
            Client::Messages if named => json!({ "type": "tool", "name": choice }),
            Client::Messages if choice == "required" => json!({ "type": "any" }),
            Client::Messages => json!({ "type": "none" }),
            Client::Chat if named => json!({ "type": "function", "function": { "name": choice } }),
            Client::Responses if named => json!({ "type": "function", "name": choice }),
            _ => json!(choice),
        };
        self.set("tool_choice", value)
    }

    /// The assistant called both tools, and here is what they said.
    pub(super) fn results(self) -> Self {
        let calls = [
            ("call_a", "weather", json!({ "city": "Z\u{fc}rich" })),
            ("call_b", "time", json!({ "zone": "UTC" })),
        ];
        let said = ["sunny", "noon"];
        match self.pair.client {
            Client::Chat => {
                let all = calls.each_ref().map(|(id, name, arguments)| {
                    json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments.to_string() } })
                });
                let mut ask = self.push(json!({ "role": "assistant", "content": null, "tool_calls": all }));
                for ((id, ..), text) in calls.iter().zip(said) {
                    ask = ask.push(json!({ "role": "tool", "tool_call_id": id, "content": text }));
                }
                ask
            }
            Client::Messages => {
                let uses = calls.each_ref().map(
                    |(id, name, input)| json!({ "type": "tool_use", "id": id, "name": name, "input": input }),
                );
                let results: Vec<Value> = calls
                    .iter()
                    .zip(said)
                    .map(|((id, ..), text)| json!({ "type": "tool_result", "tool_use_id": id, "content": text }))
                    .collect();
                self.push(json!({ "role": "assistant", "content": uses }))
                    .push(json!({ "role": "user", "content": results }))
            }
            Client::Responses => {
                let mut ask = self;
                for (id, name, arguments) in &calls {
                    ask = ask.push(json!({ "type": "function_call", "call_id": id, "name": name, "arguments": arguments.to_string() }));
                }
                for ((id, ..), text) in calls.iter().zip(said) {
                    ask = ask.push(json!({ "type": "function_call_output", "call_id": id, "output": text }));
                }
                ask
            }
        }
    }

    /// `look` and a picture.
    pub(super) fn picture(pair: &Pair) -> Self {
        let client = pair.client;
        let url = format!("data:image/png;base64,{PIXEL}");
        let content = match client {
            Client::Chat => {
                json!([{ "type": "text", "text": "look" }, { "type": "image_url", "image_url": { "url": url } }])
            }
            Client::Messages => json!([{ "type": "text", "text": "look" },
                { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": PIXEL } }]),
            Client::Responses => {
                json!([{ "type": "input_text", "text": "look" }, { "type": "input_image", "image_url": url, "detail": "auto" }])
            }
        };
        let mut ask = Self::new(pair, "");
        let at = if client == Client::Responses { "/input/0/content" } else { "/messages/0/content" };
        if let Some(slot) = ask.body.pointer_mut(at) {
            *slot = content;
        }
        ask
    }

    pub(super) fn thinking(self) -> Self {
        match self.pair.client {
            Client::Chat => self.set("reasoning_effort", json!("high")),
            Client::Messages => self.set("thinking", json!({ "type": "enabled", "budget_tokens": 2000 })),
            Client::Responses => self.set("reasoning", json!({ "effort": "high", "summary": "auto" })),
        }
    }

    /// The answer must be an object with a city and a number.
    pub(super) fn shaped(self) -> Self {
        let schema = json!({ "type": "object", "additionalProperties": false, "required": ["city", "n"],
            "properties": { "city": { "type": "string" }, "n": { "type": "integer" } } });
        match self.pair.client {
            Client::Chat => self.set(
                "response_format",
                json!({ "type": "json_schema", "json_schema": { "name": "place", "schema": schema, "strict": true } }),
            ),
            Client::Messages => self.set("output_config", json!({ "format": { "type": "json_schema", "schema": schema } })),
            Client::Responses => self.set(
                "text",
                json!({ "format": { "type": "json_schema", "name": "place", "schema": schema, "strict": true } }),
            ),
        }
    }

    /// Only one tool at a time.
    pub(super) fn one_at_a_time(self) -> Self {
        match self.pair.client {
            Client::Messages => {
                self.set("tool_choice", json!({ "type": "auto", "disable_parallel_tool_use": true }))
            }
            _ => self.set("parallel_tool_calls", json!(false)),
        }
    }

    pub(super) fn system(mut self, text: &str) -> Self {
        match self.pair.client {
            Client::Chat => {
                if let Some(turns) = self.body.get_mut("messages").and_then(Value::as_array_mut) {
                    turns.insert(0, json!({ "role": "system", "content": text }));
                }
                self
            }
            Client::Messages => self.set("system", json!(text)),
            Client::Responses => self.set("instructions", json!(text)),
        }
    }
}
