//! What a request asks for, as far as this provider cares.

use serde_json::Value;

/// What a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    Chat,
    Responses,
    Messages,
    Gemini,
    Embeddings,
    GeminiEmbeddings,
    CountTokens,
    GeminiCount,
    /// Lists of models, in the shape the caller's headers or path ask for.
    Models,
}

#[derive(Debug, Clone, Default)]
pub struct Ask {
    pub model: String,
    pub stream: bool,
    /// Whether a stream ends with usage.
    pub include_usage: bool,
    /// Names and schemas.
    pub tools: Vec<(String, Value)>,
    /// A call is required.
    pub must_call: bool,
    /// The last words of the user.
    pub text: String,
    /// Results of tools in the last turn.
    pub results: Vec<String>,
    /// Media types of pictures and documents in the last turn of the user.
    pub pictures: Vec<String>,
    /// The answer must have this shape.
    pub schema: Option<Value>,
    /// Reasoning was asked for.
    pub thinks: bool,
    /// And may be shown.
    pub shows: bool,
    /// OpenAI's `include: ["reasoning.encrypted_content"]`.
    pub encrypted: bool,
}

/// A refusal: HTTP status and message.
pub(super) type Refused = (u16, String);

/// What this path is, whatever stands before it; with the model where the path names it, and whether it streams.
pub(super) fn route(method: &str, path: &str) -> Option<(Api, Option<(String, bool)>)> {
    let path = path.split('?').next().unwrap_or_default();
    if let Some((model, verb)) = path.rsplit('/').next().and_then(|last| last.split_once(':')) {
        let api = match verb {
            "generateContent" | "streamGenerateContent" => Api::Gemini,
            "countTokens" => Api::GeminiCount,
            "embedContent" | "batchEmbedContents" => Api::GeminiEmbeddings,
            _ => return None,
        };
        return Some((api, Some((model.to_owned(), verb.starts_with("stream")))));
    }
    let api = match (method, path) {
        ("POST", path) if path.ends_with("/chat/completions") => Api::Chat,
        ("POST", path) if path.ends_with("/responses") => Api::Responses,
        ("POST", path) if path.ends_with("/messages") => Api::Messages,
        ("POST", path) if path.ends_with("/messages/count_tokens") => Api::CountTokens,
        ("POST", path) if path.ends_with("/embeddings") => Api::Embeddings,
        ("GET", path) if path.ends_with("/models") => Api::Models,
        _ => return None,
    };
    Some((api, None))
}

/// Text of a string or of a list of blocks that have `text`.
pub(super) fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts = blocks.iter().filter_map(|block| block.as_str().or_else(|| block["text"].as_str()));
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

/// The media type of a `data:` URL, or `url`.
pub(super) fn media(url: &str) -> String {
    let inline = url.strip_prefix("data:").and_then(|rest| rest.split_once(';'));
    inline.map_or_else(|| "url".to_owned(), |(media, _)| media.to_owned())
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
