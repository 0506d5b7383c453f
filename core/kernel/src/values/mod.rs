//! Settings and fields with rules of their own: one file each, with its parsing and its cases.

mod mac;
mod period;
mod secret;
mod size;
mod wall;
mod zone;

pub use mac::{Mac, NotAMac};
pub use period::Period;
pub use secret::{SecretError, SecretRef};
pub use size::Size;
pub use wall::Wall;
pub use zone::Zone;

/// Implements serde's traits and the schema for a type that is text in files and messages.
macro_rules! text {
    ($type:ty, $name:literal, $description:literal, $pattern:expr) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "title": $description, "examples": [$pattern] })
            }
        }
    };
}
use text;
