//! Instants on the wire: RFC 3339 in UTC, as `jiff::Timestamp` prints them, with their place in a schema.

use schemars::{Schema, SchemaGenerator};

/// The schema of a `jiff::Timestamp` field: `#[schemars(schema_with = "instant")]`.
pub fn instant(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": "string", "format": "date-time" })
}

/// The schema of an `Option<jiff::Timestamp>` field.
pub fn maybe_instant(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": ["string", "null"], "format": "date-time" })
}

/// The schema of a `jiff::civil::Date` field.
pub fn date(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": "string", "format": "date" })
}
