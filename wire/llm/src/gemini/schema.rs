//! JSON Schema, and the subset of OpenAPI 3.0 that Gemini's older fields take.

use serde_json::{Map, Value};

use crate::extra::Losses;
use crate::{Raw, json};

/// What a [Schema](https://ai.google.dev/api/caching#Schema) of Google's knows.
const KNOWN: &[&str] = &[
    "anyOf",
    "default",
    "description",
    "enum",
    "example",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "nullable",
    "pattern",
    "properties",
    "propertyOrdering",
    "required",
    "title",
    "type",
];

/// The formats Google documents for its types; others are refused.
const FORMATS: &[&str] = &["float", "double", "int32", "int64", "enum", "date-time"];

/// References are followed no deeper; schemas may refer to themselves.
const DEEPEST: usize = 8;

/// Most schemas that references may grow into: each may refer to itself from several places.
const MOST: usize = 500;

/// Brings a JSON schema into Google's subset. What it has no word for is removed, each a loss.
pub(super) fn subset(schema: &Raw, at: &str, losses: &mut Losses) -> Raw {
    let Ok(whole) = serde_json::from_str::<Value>(schema.get()) else { return schema.clone() };
    let mut subset = Subset { whole: &whole, followed: 0, losses };
    let reduced = subset.reduce(&whole, at, 0);
    json::raw(reduced.to_string())
}

struct Subset<'s> {
    whole: &'s Value,
    followed: usize,
    losses: &'s mut Losses,
}

impl Subset<'_> {
    fn reduce(&mut self, schema: &Value, at: &str, depth: usize) -> Value {
        let Value::Object(fields) = schema else {
            // `true` and `false` allow everything and nothing.
            self.losses.became(at, "any value");
            return Value::Object(Map::new());
        };
        if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
            return self.follow(reference, at, depth);
        }
        let mut out = Map::new();
        for (name, value) in fields {
            let here = format!("{at}.{name}");
            match (name.as_str(), value) {
                ("type", Value::Array(types)) => self.types(types, &here, &mut out),
                ("properties", Value::Object(properties)) => {
                    let reduced = properties.iter().map(|(name, schema)| {
                        (name.clone(), self.reduce(schema, &format!("{here}.{name}"), depth))
                    });
                    let reduced: Map<String, Value> = reduced.collect();
                    out.insert(name.clone(), Value::Object(reduced));
                }
                ("items", schema) => {
                    let reduced = self.reduce(schema, &here, depth);
                    out.insert(name.clone(), reduced);
                }
                ("anyOf" | "oneOf", Value::Array(schemas)) => {
                    if name == "oneOf" {
                        self.losses.became(&here, "anyOf");
                    }
                    let each = schemas.iter().enumerate();
                    let reduced =
                        each.map(|(index, schema)| self.reduce(schema, &format!("{here}[{index}]"), depth));
                    let reduced: Vec<Value> = reduced.collect();
                    out.insert("anyOf".to_owned(), Value::Array(reduced));
                }
                ("const", value) => {
                    out.insert("enum".to_owned(), Value::Array(vec![self.word(value, &here)]));
                }
                ("enum", Value::Array(values)) => {
                    let words = values.iter().map(|value| self.word(value, &here)).collect();
                    out.insert(name.clone(), Value::Array(words));
                }
                ("format", Value::String(format)) if !FORMATS.contains(&format.as_str()) => {
                    self.losses.dropped(&here);
                }
                // Only what refers to them needs them.
                ("$defs" | "definitions", _) => {}
                (known, value) if KNOWN.contains(&known) => {
                    out.insert(name.clone(), value.clone());
                }
                _ => self.losses.dropped(&here),
            }
        }
        Value::Object(out)
    }

    /// Enumerations hold nothing but strings.
    fn word(&mut self, value: &Value, at: &str) -> Value {
        match value {
            Value::String(_) => value.clone(),
            other => {
                self.losses.became(at, "strings");
                Value::String(other.to_string())
            }
        }
    }

    /// `["string", "null"]` is a string that may be null; of several other types the first counts.
    fn types(&mut self, types: &[Value], at: &str, out: &mut Map<String, Value>) {
        let mut named = types.iter().filter_map(Value::as_str).filter(|name| *name != "null");
        if types.iter().any(|name| name.as_str() == Some("null")) {
            out.insert("nullable".to_owned(), Value::Bool(true));
        }
        if let Some(first) = named.next() {
            out.insert("type".to_owned(), Value::String(first.to_owned()));
        }
        if named.next().is_some() {
            self.losses.became(at, "its first type");
        }
    }

    fn follow(&mut self, reference: &str, at: &str, depth: usize) -> Value {
        let target = reference.strip_prefix('#').and_then(|pointer| self.whole.pointer(pointer));
        match target {
            Some(target) if depth < DEEPEST && self.followed < MOST => {
                self.followed += 1;
                let target = target.clone();
                self.reduce(&target, at, depth + 1)
            }
            _ => {
                self.losses.became(format!("{at}.$ref"), "any value");
                Value::Object(Map::new())
            }
        }
    }
}

/// Google's subset as JSON Schema: its types are in capitals, and what may be null says so beside.
pub(super) fn standard(schema: &Raw) -> Raw {
    let Ok(mut value) = serde_json::from_str::<Value>(schema.get()) else { return schema.clone() };
    if standardise(&mut value) { json::raw(value.to_string()) } else { schema.clone() }
}

/// Whether anything had to be changed.
fn standardise(schema: &mut Value) -> bool {
    let Value::Object(fields) = schema else { return false };
    let mut changed = false;
    if let Some(Value::String(name)) = fields.get_mut("type") {
        let lower = name.to_ascii_lowercase();
        changed |= lower != *name;
        *name = lower;
    }
    if let Some(nullable) = fields.remove("nullable") {
        changed = true;
        if nullable == Value::Bool(true)
            && let Some(name) = fields.get_mut("type")
        {
            *name = Value::Array(vec![name.take(), Value::String("null".to_owned())]);
        }
    }
    for (name, value) in fields.iter_mut() {
        match (name.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                changed |= properties.values_mut().fold(false, |any, schema| standardise(schema) | any);
            }
            ("items", schema) => changed |= standardise(schema),
            ("anyOf", Value::Array(schemas)) => {
                changed |= schemas.iter_mut().fold(false, |any, schema| standardise(schema) | any);
            }
            _ => {}
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw {
        json::raw(text.to_owned())
    }

    #[test]
    fn what_gemini_does_not_take_is_removed_and_told() {
        let schema = raw(
            r##"{"$schema":"x","type":"object","additionalProperties":false,"$defs":{"n":{"type":"integer","exclusiveMinimum":0}},
            "properties":{"a":{"type":["string","null"],"format":"uri"},"b":{"$ref":"#/$defs/n"},"c":{"const":1},
            "d":{"oneOf":[{"type":"string"},true]},"e":{"type":"array","items":{"type":"string","format":"date-time"}},
            "f":{"$ref":"other.json"}},"required":["a"]}"##,
        );
        let mut losses = Losses::default();
        let reduced = subset(&schema, "s", &mut losses);
        assert_eq!(
            reduced.get(),
            r#"{"properties":{"a":{"nullable":true,"type":"string"},"b":{"type":"integer"},"c":{"enum":["1"]},"d":{"anyOf":[{"type":"string"},{}]},"e":{"items":{"format":"date-time","type":"string"},"type":"array"},"f":{}},"required":["a"],"type":"object"}"#
        );
        let told: Vec<String> =
            losses.take().into_iter().map(|loss| format!("{}: {}", loss.what, loss.became)).collect();
        assert_eq!(
            told,
            [
                "s.$schema: dropped",
                "s.additionalProperties: dropped",
                "s.properties.a.format: dropped",
                "s.properties.b.exclusiveMinimum: dropped",
                "s.properties.c.const: strings",
                "s.properties.d.oneOf: anyOf",
                "s.properties.d.oneOf[1]: any value",
                "s.properties.f.$ref: any value",
            ]
        );
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = raw(r##"{"type":"object","properties":{"next":{"$ref":"#"}}}"##);
        let mut losses = Losses::default();
        assert!(subset(&schema, "s", &mut losses).get().len() < 4_000);
        assert_eq!(losses.take().len(), 1);
        let properties: Vec<String> = (0..30).map(|name| format!(r##""{name}":{{"$ref":"#"}}"##)).collect();
        let many = raw(&format!(r#"{{"type":"object","properties":{{{}}}}}"#, properties.join(",")));
        assert!(subset(&many, "s", &mut losses).get().len() < 4_000_000);
    }

    #[test]
    fn capitals_become_json_schema() {
        let schema = raw(r#"{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true}}}"#);
        assert_eq!(
            standard(&schema).get(),
            r#"{"properties":{"a":{"type":["string","null"]}},"type":"object"}"#
        );
        let plain = raw(r#"{ "type": "object" }"#);
        assert_eq!(standard(&plain).get(), plain.get());
    }
}
