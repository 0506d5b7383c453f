//! Embeddings: OpenAI's request and answer, in both forms of its vectors, and Google's `batchEmbedContents`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use crate::extra::Losses;
use crate::fields::{Fields, items, malformed, string, wrong};
use crate::write::object;
use crate::{Malformed, Raw, Written};

/// Texts that shall become vectors.
#[derive(Debug, Clone)]
pub struct Request {
    pub model: String,
    pub inputs: Vec<Input>,
    /// Whether it was one input rather than a list of one; only the way it is written differs.
    pub single: bool,
    pub form: Form,
    /// How long the vectors shall be.
    pub dimensions: Option<u64>,
    pub user: Option<String>,
    /// Fields this form has no word for, in their order.
    pub extra: Vec<(String, Raw)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Text(String),
    /// Numbers of the tokens, which mean something to one tokenizer only.
    Tokens(Vec<u32>),
}

/// How vectors are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    #[default]
    Float,
    /// The bytes of 32-bit floats, little end first, in base64: the default of OpenAI's own clients.
    Base64,
}

/// Vectors, one for each input, in its order.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub model: String,
    pub vectors: Vec<Vec<f32>>,
    /// Tokens read; `None` when the provider said nothing about it.
    pub tokens: Option<u64>,
}

/// A client's request.
pub fn read_request(body: &[u8]) -> Result<Request, Malformed> {
    let mut fields = Fields::body(body)?;
    let model = fields.needed("model")?.into_owned();
    if model.is_empty() {
        return Err(malformed("model", "is empty; the name of a model is needed"));
    }
    let Some(raw) = fields.raw("input") else {
        return Err(malformed("input", "is missing; a string or a list of strings is needed"));
    };
    let (inputs, single) = inputs(raw)?;
    let form = match fields.text("encoding_format")?.as_deref() {
        None | Some("float") => Form::Float,
        Some("base64") => Form::Base64,
        Some(other) => {
            return Err(malformed("encoding_format", format!("{other:?} is not float or base64")));
        }
    };
    let dimensions = fields.whole("dimensions", 1)?;
    let user = fields.owned("user")?;
    Ok(Request { model, inputs, single, form, dimensions, user, extra: fields.rest() })
}

fn inputs(raw: &RawValue) -> Result<(Vec<Input>, bool), Malformed> {
    const ALLOWED: &str = "a string, a list of strings, a list of tokens, or a list of such lists";
    let empty = |at: &str| malformed(at, "is empty; something to embed is needed");
    if let Some(text) = string(raw) {
        return if text.is_empty() {
            Err(empty("input"))
        } else {
            Ok((vec![Input::Text(text.into_owned())], true))
        };
    }
    if let Ok(tokens) = serde_json::from_str::<Vec<u32>>(raw.get()) {
        return if tokens.is_empty() { Err(empty("input")) } else { Ok((vec![Input::Tokens(tokens)], true)) };
    }
    let list = items(raw).ok_or_else(|| wrong("input", raw, ALLOWED))?;
    let mut inputs = Vec::with_capacity(list.len());
    for (index, raw) in list.into_iter().enumerate() {
        let at = format!("input[{index}]");
        inputs.push(match (string(raw), serde_json::from_str::<Vec<u32>>(raw.get())) {
            (Some(text), _) if text.is_empty() => return Err(empty(&at)),
            (Some(text), _) => Input::Text(text.into_owned()),
            (None, Ok(tokens)) if tokens.is_empty() => return Err(empty(&at)),
            (None, Ok(tokens)) => Input::Tokens(tokens),
            (None, Err(_)) => return Err(wrong(&at, raw, "a string or a list of tokens")),
        });
    }
    Ok((inputs, false))
}

/// The body for a provider with OpenAI's API.
pub fn write_request(request: &Request) -> Written {
    let mut body = Vec::with_capacity(256);
    object(&mut body, |o| {
        o.put("model", &request.model);
        match request.inputs.as_slice() {
            [Input::Text(text)] if request.single => o.put("input", text),
            [Input::Tokens(tokens)] if request.single => o.put("input", tokens),
            inputs => o.each("input", |list| {
                for input in inputs {
                    match input {
                        Input::Text(text) => list.put(text),
                        Input::Tokens(tokens) => list.put(tokens),
                    }
                }
            }),
        }
        if request.form == Form::Base64 {
            o.put("encoding_format", "base64");
        }
        o.some("dimensions", request.dimensions.as_ref());
        o.some("user", request.user.as_deref());
        o.fields(request.extra.iter().map(|(name, value)| (name.as_str(), value)));
    });
    Written { body, losses: Vec::new() }
}

/// The body for Google's `batchEmbedContents`, which takes texts only.
pub fn write_gemini(request: &Request) -> Result<Written, Malformed> {
    let model = request.model.strip_prefix("models/").unwrap_or(&request.model);
    let mut texts = Vec::with_capacity(request.inputs.len());
    for (index, input) in request.inputs.iter().enumerate() {
        match input {
            Input::Text(text) => texts.push(text),
            Input::Tokens(_) => {
                let reason = "is a list of tokens; this provider has another tokenizer and takes text only";
                return Err(malformed(format!("input[{index}]"), reason));
            }
        }
    }
    let mut losses = Losses::default();
    if request.user.is_some() {
        losses.dropped("user");
    }
    losses.extra("", &request.extra);
    let mut body = Vec::with_capacity(256);
    object(&mut body, |o| {
        o.each("requests", |list| {
            for text in texts {
                list.with(|o| {
                    o.put("model", &format!("models/{model}"));
                    o.with("content", |o| o.each("parts", |list| list.with(|o| o.put("text", text))));
                    o.some("outputDimensionality", request.dimensions.as_ref());
                });
            }
        });
    });
    Ok(Written { body, losses: losses.take() })
}

/// Where a request for a model of Google's goes, beneath the version of the API.
pub fn gemini_path(model: &str) -> String {
    format!("models/{}:batchEmbedContents", model.strip_prefix("models/").unwrap_or(model))
}

/// The answer of a provider with OpenAI's API, in either form.
pub fn read_answer(body: &[u8]) -> Result<Answer, Malformed> {
    let mut fields = Fields::body(body)?;
    let Some(data) = fields.list("data")? else {
        return Err(malformed("data", "is missing; a list of embeddings is needed"));
    };
    let mut vectors: Vec<(u64, Vec<f32>)> = Vec::with_capacity(data.len());
    for (place, raw) in data.into_iter().enumerate() {
        let mut item = Fields::of(raw, format!("data[{place}]"))?;
        let at = item.at("embedding");
        let Some(raw) = item.raw("embedding") else {
            return Err(malformed(at, "is missing; a list of numbers or base64 is needed"));
        };
        let index = item.whole("index", 0)?.unwrap_or(place as u64);
        vectors.push((index, vector(raw, &at)?));
    }
    vectors.sort_by_key(|(index, _)| *index);
    let tokens = match fields.object("usage")? {
        Some(mut usage) => usage.whole("prompt_tokens", 0)?.or(usage.whole("total_tokens", 0)?),
        None => None,
    };
    let vectors = vectors.into_iter().map(|(_, vector)| vector).collect();
    Ok(Answer { model: fields.owned("model")?.unwrap_or_default(), vectors, tokens })
}

fn vector(raw: &RawValue, at: &str) -> Result<Vec<f32>, Malformed> {
    let vector = match string(raw) {
        Some(text) => {
            let bytes = STANDARD.decode(text.as_bytes()).ok().filter(|bytes| bytes.len() % 4 == 0);
            let bytes = bytes.ok_or_else(|| wrong(at, raw, "base64 of 32-bit floats"))?;
            let (floats, _) = bytes.as_chunks::<4>();
            floats.iter().map(|float| f32::from_le_bytes(*float)).collect()
        }
        None => {
            serde_json::from_str::<Vec<f32>>(raw.get()).map_err(|_| wrong(at, raw, "a list of numbers"))?
        }
    };
    if vector.iter().all(|number| number.is_finite()) {
        Ok(vector)
    } else {
        Err(malformed(at, "holds a number that is not finite"))
    }
}

/// The answer of Google's `batchEmbedContents`.
pub fn read_gemini(body: &[u8], model: &str) -> Result<Answer, Malformed> {
    let mut fields = Fields::body(body)?;
    let Some(list) = fields.list("embeddings")? else {
        return Err(malformed("embeddings", "is missing; a list of embeddings is needed"));
    };
    let mut vectors = Vec::with_capacity(list.len());
    for (index, raw) in list.into_iter().enumerate() {
        let mut item = Fields::of(raw, format!("embeddings[{index}]"))?;
        let at = item.at("values");
        let raw =
            item.raw("values").ok_or_else(|| malformed(&at, "is missing; a list of numbers is needed"))?;
        vectors.push(vector(raw, &at)?);
    }
    let tokens = match fields.object("usageMetadata")? {
        Some(mut usage) => usage.whole("promptTokenCount", 0)?,
        None => None,
    };
    Ok(Answer { model: model.to_owned(), vectors, tokens })
}

/// The body for a client, in the form it asked for. Tokens nobody reported are estimated.
pub fn write_answer(answer: &Answer, asked: &Request) -> Vec<u8> {
    let tokens = answer.tokens.unwrap_or_else(|| estimate(asked));
    let mut body = Vec::with_capacity(answer.vectors.iter().map(|vector| vector.len() * 12).sum());
    object(&mut body, |o| {
        o.put("object", "list");
        o.each("data", |list| {
            for (index, vector) in answer.vectors.iter().enumerate() {
                list.with(|o| {
                    o.put("object", "embedding");
                    o.put("index", &index);
                    match asked.form {
                        Form::Float => o.put("embedding", vector),
                        Form::Base64 => {
                            let bytes: Vec<u8> =
                                vector.iter().flat_map(|number| number.to_le_bytes()).collect();
                            o.put("embedding", &STANDARD.encode(bytes));
                        }
                    }
                });
            }
        });
        o.put("model", if answer.model.is_empty() { &asked.model } else { &answer.model });
        o.with("usage", |o| {
            o.put("prompt_tokens", &tokens);
            o.put("total_tokens", &tokens);
        });
    });
    body
}

/// What a request makes a model read, see [`crate::count`].
pub fn estimate(request: &Request) -> u64 {
    request
        .inputs
        .iter()
        .map(|input| match input {
            Input::Text(text) => crate::count::text(text),
            Input::Tokens(tokens) => tokens.len() as u64,
        })
        .sum()
}
