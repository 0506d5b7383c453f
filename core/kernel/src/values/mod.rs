//! Settings and fields with rules of their own: one file each, with its parsing and its cases.

mod cron;
mod mac;
mod period;
mod secret;
mod size;
mod wall;
mod weekday;
mod zone;

pub use cron::{Cron, NotACron, Times};
pub use mac::{Mac, NotAMac};
pub use period::Period;
pub use secret::{SecretError, SecretRef};
pub use size::Size;
pub use wall::Wall;
pub use weekday::Weekday;
pub use zone::Zone;

/// Implements serde's traits and the schema for a type that is text in files and messages.
macro_rules! text {
    ($type:ty, $name:literal, $description:literal, $pattern:literal) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $type;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!($description, ", in quotes, such as `\"", $pattern, "\"`"))
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
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
