//! `/v1/models`, in the shape of the client's dialect.

use sanctum_api::proxy::Model;
use sanctum_http::hyper::http::{HeaderValue, Response, StatusCode};
use sanctum_http::{Bytes, HeaderMap, header};
use sanctum_kernel::trace::hex;
use sanctum_llm::{Dialect, FaultKind};
use serde_json::{Value, json};

use crate::ask::Api;
use crate::body::OutBody;
use crate::candidates::tier;
use crate::gate::Gate;
use crate::glob::Glob;
use crate::identity::{Who, identify};
use crate::refusal::{Refusal, write};
use crate::table::AUTO;

/// When models are said to have been made; nobody here knows.
const CREATED: i64 = 1_700_000_000;

/// The models a client may ask for, or one of them.
pub(crate) fn list(
    gate: &Gate,
    headers: &HeaderMap,
    name: Option<&str>,
    query: Option<&str>,
) -> Response<OutBody> {
    gate.house.count();
    let anthropic = headers.contains_key("anthropic-version") || headers.contains_key("x-api-key");
    let api = if anthropic { Api::Messages } else { Api::Chat };
    let answer = identify(gate, headers, api).and_then(|who| tell(gate, &who, anthropic, name, query));
    let id = hex(&sanctum_kernel::trace::random::<16>());
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body.to_string().into_bytes()),
        Err(refusal) => {
            let dialect = if anthropic { Dialect::Messages } else { Dialect::Chat };
            let status = StatusCode::from_u16(refusal.fault.status).unwrap_or(StatusCode::BAD_REQUEST);
            (status, write(dialect, &refusal.fault, &id))
        }
    };
    let mut response = Response::new(OutBody::Whole(Some(Bytes::from(body))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("x-request-id", id.clone());
        headers.insert("request-id", id);
    }
    response
}

fn tell(
    gate: &Gate,
    who: &Who,
    anthropic: bool,
    name: Option<&str>,
    query: Option<&str>,
) -> Result<Value, Refusal> {
    let names = names(gate, who);
    if let Some(name) = name {
        let name = unescape(name);
        let known = names.contains(&name) || (gate.table.find(&name).is_some() && who.may_ask(gate, &name));
        if !known {
            let message = format!("the model `{name}` does not exist here");
            return Err(Refusal::new(404, FaultKind::NotFound, "model_not_found", message));
        }
        return Ok(one(gate, &name, anthropic));
    }
    let limit =
        query.and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("limit=")?.parse().ok()));
    let limit: usize = limit.filter(|_| anthropic).unwrap_or(usize::MAX);
    let data: Vec<Value> = names.iter().take(limit).map(|name| one(gate, name, anthropic)).collect();
    // Both shapes have `data`; each client ignores what is the other's.
    Ok(json!({
        "object": "list",
        "data": data,
        "has_more": names.len() > limit,
        "first_id": names.first(),
        "last_id": names.get(limit.min(names.len()).saturating_sub(1)),
    }))
}

fn unescape(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first == b'%'
            && let Some(byte) = after
                .get(..2)
                .and_then(|pair| std::str::from_utf8(pair).ok())
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
        {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn names(gate: &Gate, who: &Who) -> Vec<String> {
    let table = &gate.table;
    let mut names: Vec<String> = Vec::new();
    if table.choices().next().is_some() {
        names.push(AUTO.to_owned());
    }
    names.extend(table.aliases().keys().cloned());
    for entry in &table.entries {
        if Glob::is_plain(entry.id.text()) {
            names.push(entry.id.text().to_owned());
        } else if entry.auto {
            names.push(entry.id.text().trim_end_matches('*').to_owned());
        }
    }
    names.dedup();
    names.retain(|name| who.may_ask(gate, name));
    names
}

fn one(gate: &Gate, name: &str, anthropic: bool) -> Value {
    let found = gate.table.configured(name);
    let owner = found.as_ref().map_or("sanctum", |pick| &*pick.entry.provider);
    let mut model = json!({
        "id": name,
        "object": "model",
        "created": CREATED,
        "owned_by": owner,
    });
    if let Some(model) = model.as_object_mut().filter(|_| anthropic) {
        model.insert("type".to_owned(), "model".into());
        model.insert("display_name".to_owned(), name.into());
        model.insert("created_at".to_owned(), "2023-11-14T22:13:20Z".into());
    }
    model
}

/// The models as the house's own tools see them.
pub(crate) fn house(gate: &Gate) -> Vec<Model> {
    let told = gate.table.entries.iter().map(|entry| {
        let price = entry.price.unwrap_or_default();
        Model {
            id: entry.id.text().to_owned(),
            provider: entry.provider.to_string(),
            tier: tier(entry.tier).to_owned(),
            locality: entry.locality.word().to_owned(),
            context: entry.context,
            can: entry.can.iter().flatten().map(|can| can.word().to_owned()).collect(),
            input_usd: price.input,
            output_usd: price.output,
            aliases: gate.table.aliases_of(entry.id.text()),
        }
    });
    told.collect()
}
