//! Cache marks, as Anthropic writes them and some chat providers take them.

use serde_json::value::RawValue;

use crate::{
    Cache,
    json::Object,
    read::{At, Fields},
};

impl Cache {
    /// `{"type":"ephemeral","ttl":"5m"|"1h"}`; `None` for what is not exactly that.
    pub fn read(raw: &RawValue) -> Option<Self> {
        let mut fields = Fields::of(raw, &At::Root).ok()?;
        let kind = fields.text("type", &At::Root).ok()??;
        let ttl = fields.text("ttl", &At::Root).ok()?;
        if kind != "ephemeral" || !fields.is_empty() {
            return None;
        }
        match ttl.as_deref() {
            None => Some(Self::Ephemeral),
            Some("5m") => Some(Self::FiveMinutes),
            Some("1h") => Some(Self::OneHour),
            Some(_) => None,
        }
    }

    /// Takes `cache_control` out of an object if it is understood; what is not stays among the rest.
    pub fn take(fields: &mut Fields<'_>) -> Option<Self> {
        let cache = Self::read(fields.peek("cache_control")?)?;
        fields.take("cache_control").map(|_| cache)
    }

    pub fn write(self, object: &mut Object<'_>) {
        let mut mark = object.object("cache_control");
        mark.string("type", "ephemeral");
        match self {
            Self::Ephemeral => {}
            Self::FiveMinutes => {
                mark.string("ttl", "5m");
            }
            Self::OneHour => {
                mark.string("ttl", "1h");
            }
        }
    }
}
