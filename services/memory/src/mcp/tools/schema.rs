//! Schemas as clients of every kind understand them: JSON Schema 2020-12 without the formats and unions that some drop.

use std::sync::Arc;

use sanctum_mcp::rmcp::model::JsonObject;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// Of arguments: what may be absent may not be `null`, so that a field has one type.
pub(super) fn input<T: JsonSchema>() -> Arc<JsonObject> {
    let mut schema = of::<T>();
    schema.values_mut().for_each(one_type);
    schema.entry("type").or_insert_with(|| "object".into());
    schema.entry("properties").or_insert_with(|| Value::Object(JsonObject::new()));
    Arc::new(schema)
}

/// Of results.
pub(super) fn output<T: JsonSchema>() -> Arc<JsonObject> {
    let mut schema = of::<T>();
    schema.entry("type").or_insert_with(|| "object".into());
    Arc::new(schema)
}

fn of<T: JsonSchema>() -> JsonObject {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<T>();
    let mut schema = schema.as_object().cloned().unwrap_or_default();
    schema.values_mut().for_each(plain);
    schema.remove("title");
    schema
}

/// Widths of numbers are Rust's, not JSON's.
fn plain(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let width = fields.get("format").and_then(Value::as_str);
            if width.is_some_and(|word| {
                word.starts_with("uint") || word.starts_with("int") || ["float", "double"].contains(&word)
            }) {
                fields.remove("format");
            }
            fields.values_mut().for_each(plain);
        }
        Value::Array(items) => items.iter_mut().for_each(plain),
        _ => {}
    }
}

fn one_type(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Array(types)) = fields.get_mut("type") {
                types.retain(|word| word != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    fields.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = fields.get_mut("enum") {
                choices.retain(|choice| !choice.is_null());
            }
            if let Some(Value::Array(any)) = fields.get_mut("anyOf") {
                any.retain(|choice| choice.get("type").and_then(Value::as_str) != Some("null"));
                if let [Value::Object(only)] = any.as_slice() {
                    let only = only.clone();
                    fields.remove("anyOf");
                    for (name, value) in only {
                        fields.entry(name).or_insert(value);
                    }
                }
            }
            fields.remove("default");
            fields.values_mut().for_each(one_type);
        }
        Value::Array(items) => items.iter_mut().for_each(one_type),
        _ => {}
    }
}
