//! The description of a service's API, computed from its routes (OpenAPI 3.1, whose schemas are JSON Schema).

use sanctum_api::Problem;
use sanctum_kernel::{Right, Spec};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::Op;

/// Grows with every operation, then renders once.
#[derive(Debug)]
pub(crate) struct Document {
    spec: &'static Spec,
    generator: schemars::SchemaGenerator,
    paths: Map<String, Value>,
}

impl Document {
    pub(crate) fn new(spec: &'static Spec) -> Self {
        let settings = SchemaSettings::draft2020_12()
            .with(|settings| settings.definitions_path = "/components/schemas".into());
        Self { spec, generator: settings.into_generator(), paths: Map::new() }
    }

    pub(crate) fn add(&mut self, op: &Op) {
        let problem = self.generator.subschema_for::<Problem>();
        let content = match op.returns.map(|schema| schema(&mut self.generator)) {
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
            let schema = takes(&mut self.generator);
            operation.insert(
                "requestBody".into(),
                json!({ "required": true, "content": { "application/json": { "schema": schema } } }),
            );
        }
        let path = self.paths.entry(op.path.to_owned()).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(op.method.as_str().to_lowercase(), operation);
        }
    }

    pub(crate) fn render(&mut self) -> Value {
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": format!("Sanctum {} ({})", self.spec.name, self.spec.house_name),
                "summary": self.spec.summary,
                "version": env!("CARGO_PKG_VERSION"),
            },
            "paths": self.paths,
            "components": {
                "schemas": self.generator.take_definitions(true),
                "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            },
        })
    }
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
