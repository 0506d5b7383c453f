//! Requests read. Model and streaming stand in the path of this API, not in the body.

use super::part::{self, Names};
use super::schema;
use crate::fields::{Fields, malformed, string};
use crate::{
    Choice, Dialect, Effort, Format, Malformed, Part, Raw, Reasoning, Request, Role, Tool, Turn, effort,
};

pub(super) fn request(body: &[u8]) -> Result<Request, Malformed> {
    let mut fields = Fields::body(body)?.camel();
    let mut extra = Vec::new();
    let model = fields.text("model")?.map(|model| super::model::bare(&model).to_owned()).unwrap_or_default();
    let turns = turns(&mut fields, &mut extra)?;
    let tools = tools(&mut fields, &mut extra)?;
    let choice = choice(&mut fields, &mut extra)?;
    let mut request = Request {
        from: Dialect::Gemini,
        model,
        turns,
        tools,
        choice,
        parallel: None,
        max_tokens: None,
        temperature: None,
        top_p: None,
        top_k: None,
        stop: Vec::new(),
        seed: None,
        stream: false,
        include_usage: true,
        reasoning: None,
        format: None,
        user: None,
        extra: Vec::new(),
    };
    if let Some(config) = fields.object("generationConfig")?.map(Fields::camel) {
        settings(config, &mut request, &mut extra)?;
    }
    request.extra = fields.rest();
    request.extra.append(&mut extra);
    Ok(request)
}

fn turns(fields: &mut Fields<'_>, extra: &mut Vec<(String, Raw)>) -> Result<Vec<Turn>, Malformed> {
    let mut turns = Vec::new();
    let mut names = Names::new("gemini");
    let turn = |role, parts| Turn { role, parts, name: None, extra: Vec::new() };
    if let Some(raw) = fields.raw("systemInstruction") {
        let parts = match string(raw) {
            Some(text) => vec![Part::text(text)],
            None => contents(Fields::google(raw, "systemInstruction".to_owned())?, &mut names, extra)?.1,
        };
        turns.push(turn(Role::System, parts));
    }
    let Some(list) = fields.list("contents")? else {
        return Err(malformed("contents", "is missing; a list of contents is needed"));
    };
    if list.is_empty() {
        return Err(malformed("contents", "is empty; at least one content is needed"));
    }
    for (index, raw) in list.into_iter().enumerate() {
        let (role, parts) = contents(Fields::google(raw, format!("contents[{index}]"))?, &mut names, extra)?;
        turns.push(turn(role, parts));
    }
    Ok(turns)
}

fn contents(
    mut fields: Fields<'_>,
    names: &mut Names,
    extra: &mut Vec<(String, Raw)>,
) -> Result<(Role, Vec<Part>), Malformed> {
    let role = match fields.text("role")?.as_deref() {
        None | Some("user" | "function" | "") => Role::User,
        Some("model") => Role::Assistant,
        Some("system") => Role::System,
        Some(other) => {
            return Err(malformed(fields.at("role"), format!("{other:?} is not user, model or function")));
        }
    };
    let at = fields.at("parts");
    let mut parts = Vec::new();
    let Some(list) = fields.list("parts")? else {
        return Err(malformed(at, "is missing; a list of parts is needed"));
    };
    if list.is_empty() {
        return Err(malformed(at, "is empty; at least one part is needed"));
    }
    for (index, raw) in list.into_iter().enumerate() {
        part::read(raw, format!("{at}[{index}]"), names, extra, &mut parts)?;
    }
    fields.rest_at(extra);
    Ok((role, parts))
}

/// A tool of this API is a bundle: declarations of functions, or a key for each tool of Google's own.
fn tools(fields: &mut Fields<'_>, extra: &mut Vec<(String, Raw)>) -> Result<Vec<Tool>, Malformed> {
    let mut tools = Vec::new();
    for (index, raw) in fields.list("tools")?.unwrap_or_default().into_iter().enumerate() {
        let at = format!("tools[{index}]");
        let mut bundle = Fields::google(raw, at.clone())?;
        let declared = bundle.list("functionDeclarations")?.unwrap_or_default();
        for (index, raw) in declared.into_iter().enumerate() {
            let at = format!("{at}.functionDeclarations[{index}]");
            tools.push(function(Fields::google(raw, at)?, extra)?);
        }
        for (name, value) in bundle.rest() {
            let json = crate::json::raw(format!("{{{}:{}}}", serde_json::Value::from(name), value.get()));
            tools.push(Tool::Opaque { dialect: Dialect::Gemini, json });
        }
    }
    Ok(tools)
}

fn function(mut fields: Fields<'_>, extra: &mut Vec<(String, Raw)>) -> Result<Tool, Malformed> {
    let name = fields.needed("name")?.into_owned();
    let description = fields.owned("description")?;
    let schema = match fields.object_raw("parametersJsonSchema")? {
        Some(schema) => Some(schema.to_owned()),
        None => fields.object_raw("parameters")?.map(|schema| schema::standard(&schema.to_owned())),
    };
    fields.rest_at(extra);
    Ok(Tool::Function { name, description, schema, strict: None, cache: None })
}

fn choice(fields: &mut Fields<'_>, extra: &mut Vec<(String, Raw)>) -> Result<Option<Choice>, Malformed> {
    let Some(mut config) = fields.object("toolConfig")?.map(Fields::camel) else { return Ok(None) };
    let mut choice = None;
    if let Some(mut calling) = config.object("functionCallingConfig")?.map(Fields::camel) {
        let mode = calling.text("mode")?.map(|mode| mode.to_ascii_uppercase());
        let allowed = calling.peek("allowedFunctionNames").map(|raw| raw.get().to_owned());
        let names = calling.words("allowedFunctionNames")?.unwrap_or_default();
        choice = match (mode.as_deref(), names.as_slice()) {
            (None | Some("AUTO" | "MODE_UNSPECIFIED"), _) => Some(Choice::Auto),
            (Some("NONE"), _) => Some(Choice::None),
            (Some("ANY"), [name]) => Some(Choice::Named(name.clone())),
            (Some("ANY"), _) => Some(Choice::Required),
            (Some("VALIDATED"), _) => {
                let way = "/toolConfig/functionCallingConfig/mode".to_owned();
                extra.push((way, crate::json::raw("\"VALIDATED\"".to_owned())));
                Some(Choice::Auto)
            }
            (Some(other), _) => {
                let reason = format!("{other:?} is not AUTO, ANY, NONE or VALIDATED");
                return Err(malformed(calling.at("mode"), reason));
            }
        };
        if let Some(allowed) = allowed.filter(|_| !matches!(choice, Some(Choice::Named(_)))) {
            let way = "/toolConfig/functionCallingConfig/allowedFunctionNames".to_owned();
            extra.push((way, crate::json::raw(allowed)));
        }
        calling.rest_at(extra);
    }
    config.rest_at(extra);
    Ok(choice)
}

fn settings(
    mut config: Fields<'_>,
    request: &mut Request,
    extra: &mut Vec<(String, Raw)>,
) -> Result<(), Malformed> {
    request.max_tokens = config.whole("maxOutputTokens", 1)?;
    request.temperature = config.number("temperature", 0.0, 2.0)?;
    request.top_p = config.number("topP", 0.0, 1.0)?;
    // Google's clients send it as a float.
    request.top_k = config.number("topK", 0.0, 1e6)?.map(whole);
    request.stop = config.words("stopSequences")?.unwrap_or_default();
    request.seed = config.integer("seed")?;
    request.format = format(&mut config)?;
    if let Some(thinking) = config.object("thinkingConfig")?.map(Fields::camel) {
        request.reasoning = Some(reasoning(thinking, extra)?);
    }
    config.rest_at(extra);
    Ok(())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a million")]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

fn format(config: &mut Fields<'_>) -> Result<Option<Format>, Malformed> {
    let kind = config.text("responseMimeType")?;
    let standard = config.object_raw("responseJsonSchema")?.map(ToOwned::to_owned);
    let subset = config.object_raw("responseSchema")?.map(|schema| schema::standard(&schema.to_owned()));
    let schema = standard.or(subset);
    match (kind.as_deref(), schema) {
        (None, None) => Ok(None),
        (Some("text/plain"), None) => Ok(Some(Format::Text)),
        (Some("application/json"), None) => Ok(Some(Format::JsonObject)),
        (None | Some("application/json"), Some(schema)) => Ok(Some(Format::JsonSchema {
            name: "answer".to_owned(),
            description: None,
            schema,
            strict: None,
        })),
        (Some(other), _) => {
            let reason = format!("{other:?} is not application/json, or text/plain without a schema");
            Err(malformed(config.at("responseMimeType"), reason))
        }
    }
}

fn reasoning(mut fields: Fields<'_>, extra: &mut Vec<(String, Raw)>) -> Result<Reasoning, Malformed> {
    let mut reasoning = Reasoning::default();
    match fields.integer("thinkingBudget")? {
        None => {}
        Some(-1) => (reasoning.enabled, reasoning.adaptive) = (Some(true), true),
        Some(0) => reasoning.enabled = Some(false),
        Some(budget) => {
            reasoning.enabled = Some(true);
            reasoning.budget = u64::try_from(budget).ok();
            if reasoning.budget.is_none() {
                let reason = format!("`{budget}` is not -1 for automatic, 0 for none, or a number of tokens");
                return Err(malformed(fields.at("thinkingBudget"), reason));
            }
        }
    }
    if let Some(word) = fields.text("thinkingLevel")? {
        let word = word.to_ascii_lowercase();
        let known = effort::from_word(&word).filter(|effort| *effort != Effort::None);
        reasoning.effort = match known {
            None if word != "thinking_level_unspecified" => {
                let reason = format!("{word:?} is not minimal, low, medium, high or xhigh");
                return Err(malformed(fields.at("thinkingLevel"), reason));
            }
            known => known,
        };
        reasoning.enabled = reasoning.enabled.or(known.map(|_| true));
    }
    if fields.flag("includeThoughts")? == Some(true) {
        reasoning.summary = Some("auto".to_owned());
    }
    fields.rest_at(extra);
    Ok(reasoning)
}
