//! The description of a service's API, computed from its routes (OpenAPI 3.1, whose schemas are JSON Schema).

use sanctum_api::Problem;
use sanctum_kernel::{Right, Spec};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::Op;

/// The description of these operations. Made when somebody asks: few do, and every service would start later for it.
pub(crate) fn describe(spec: &Spec, ops: &[Op]) -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for op in ops {
        let path = paths.entry(op.path.to_owned()).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(op.method.as_str().to_lowercase(), operation(&mut generator, op));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": format!("Sanctum {} ({})", spec.name, spec.house_name),
            "summary": spec.summary,
            "version": env!("CARGO_PKG_VERSION"),
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn operation(generator: &mut SchemaGenerator, op: &Op) -> Value {
    let problem = generator.subschema_for::<Problem>();
    let content = match op.returns.map(|schema| schema(generator)) {
        Some(schema) => json!({ "application/json": { "schema": schema } }),
        None if op.is_stream() => json!({ "text/event-stream": {} }),
        None => json!({}),
    };
    let mut operation = json!({
        "summary": op.summary,
        "operationId": format!("{}{}", op.method.as_str().to_lowercase(), op.path.replace(['/', '{', '}', '.'], "_")),
        "responses": {
            "2XX": { "description": "it went well", "content": content },
            "default": { "description": "a problem", "content": { "application/problem+json": { "schema": problem } } },
        },
        "parameters": parameters(op),
        "security": if op.right == Right::Open { json!([]) } else { json!([{ "token": [] }]) },
    });
    if let (Some(takes), Some(operation)) = (op.takes, operation.as_object_mut()) {
        let schema = takes(generator);
        operation.insert(
            "requestBody".into(),
            json!({ "required": true, "content": { "application/json": { "schema": schema } } }),
        );
    }
    operation
}

fn parameters(op: &Op) -> Vec<Value> {
    let in_path =
        op.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).map(
            |name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }),
        );
    let in_query = op.queries.iter().map(|(name, meaning)| {
        json!({ "name": name, "in": "query", "description": meaning, "schema": { "type": "string" } })
    });
    in_path.chain(in_query).collect()
}
