//! Objects taken apart field by field, so that every complaint names the field, what is there and what is allowed.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{Malformed, Raw};

/// How much of a wrong value a complaint quotes.
const SHOWN: usize = 40;

/// The fields of one object, borrowed. What is not taken is left for [`Fields::rest`].
#[derive(Debug, Default)]
pub(crate) struct Fields<'a> {
    at: String,
    fields: Vec<(Cow<'a, str>, &'a RawValue)>,
}

/// A string that borrows where it may; `Option<Cow<str>>` alone never does.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Fields<'a> {
    /// A whole body.
    pub(crate) fn body(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| malformed("", format!("is not UTF-8 after byte {}", error.valid_up_to())))?;
        let raw = serde_json::from_str(text)
            .map_err(|error| malformed("", format!("is not JSON: {error}")))?;
        Self::of(raw, String::new())
    }

    /// The object at a path.
    pub(crate) fn of(raw: &'a RawValue, at: String) -> Result<Self, Malformed> {
        match serde_json::from_str(raw.get()) {
            Ok(Pairs(fields)) => Ok(Self { at, fields }),
            Err(_) => Err(wrong(&at, raw, "an object")),
        }
    }

    /// The path of one of its fields.
    pub(crate) fn at(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) }
    }

    /// Takes a field as it stands; `null` counts as absent. Of two fields with one name the last counts, as nearly
    /// every parser has it.
    pub(crate) fn raw(&mut self, name: &str) -> Option<&'a RawValue> {
        let mut found = None;
        self.fields.retain(|(key, value)| {
            let is = key == name;
            if is {
                found = Some(*value);
            }
            !is
        });
        found.filter(|value| value.get() != "null")
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<Cow<'a, str>>, Malformed> {
        self.typed::<Text<'a>>(name, "a string").map(|text| text.map(|text| text.0))
    }

    /// A string that must be there.
    pub(crate) fn needed(&mut self, name: &str) -> Result<Cow<'a, str>, Malformed> {
        self.text(name)?.ok_or_else(|| malformed(self.at(name), "is missing; a string is needed"))
    }

    pub(crate) fn owned(&mut self, name: &str) -> Result<Option<String>, Malformed> {
        Ok(self.text(name)?.map(Cow::into_owned))
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, Malformed> {
        self.typed(name, "true or false")
    }

    pub(crate) fn whole(&mut self, name: &str) -> Result<Option<u64>, Malformed> {
        self.typed(name, "a whole number of 0 or more")
    }

    pub(crate) fn integer(&mut self, name: &str) -> Result<Option<i64>, Malformed> {
        self.typed(name, "a whole number")
    }

    /// A number between two bounds, both allowed.
    pub(crate) fn number(&mut self, name: &str, low: f64, high: f64) -> Result<Option<f64>, Malformed> {
        let wanted = format!("a number from {low} to {high}");
        let at = self.at(name);
        let Some(raw) = self.raw(name) else { return Ok(None) };
        match serde_json::from_str::<f64>(raw.get()) {
            Ok(number) if (low..=high).contains(&number) => Ok(Some(number)),
            _ => Err(wrong(&at, raw, &wanted)),
        }
    }

    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Self>, Malformed> {
        let at = self.at(name);
        self.raw(name).map(|raw| Self::of(raw, at)).transpose()
    }

    /// An object as it stands.
    pub(crate) fn object_raw(&mut self, name: &str) -> Result<Option<&'a RawValue>, Malformed> {
        match self.raw(name) {
            Some(raw) if !raw.get().starts_with('{') => Err(wrong(&self.at(name), raw, "an object")),
            other => Ok(other),
        }
    }

    /// Looks at a field without taking it.
    pub(crate) fn peek(&self, name: &str) -> Option<&'a RawValue> {
        self.fields.iter().rev().find(|(key, value)| key == name && value.get() != "null").map(|(_, value)| *value)
    }

    pub(crate) fn list(&mut self, name: &str) -> Result<Option<Vec<&'a RawValue>>, Malformed> {
        self.typed(name, "a list")
    }

    /// A list of strings.
    pub(crate) fn words(&mut self, name: &str) -> Result<Option<Vec<String>>, Malformed> {
        self.typed(name, "a list of strings")
    }

    /// What nobody took, nulls left out, under the names of this object.
    pub(crate) fn rest(self) -> Vec<(String, Raw)> {
        self.fields
            .into_iter()
            .filter(|(_, value)| value.get() != "null")
            .map(|(name, value)| (name.into_owned(), value.to_owned()))
            .collect()
    }

    /// What nobody took, under paths from the top of the body, such as `tools[2].cost`.
    pub(crate) fn rest_at(self, into: &mut Vec<(String, Raw)>) {
        let at = self.at.clone();
        into.extend(self.rest().into_iter().map(|(name, value)| (format!("{at}.{name}"), value)));
    }

    /// Whether a field is there and not `null`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.peek(name).is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.fields.iter().all(|(_, value)| value.get() == "null")
    }

    fn typed<T: Deserialize<'a>>(&mut self, name: &str, wanted: &str) -> Result<Option<T>, Malformed> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        serde_json::from_str(raw.get()).map(Some).map_err(|_| wrong(&self.at(name), raw, wanted))
    }
}

/// Whether it is a string, and which.
pub(crate) fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(raw.get()).ok().map(|text| text.0)
}

/// Whether it is a list, and of what.
pub(crate) fn items(raw: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

/// JSON text as a value of its own; `None` when it is broken.
pub(crate) fn raw(json: String) -> Option<Raw> {
    RawValue::from_string(json).ok()
}

pub(crate) fn malformed(field: impl Into<String>, reason: impl Into<String>) -> Malformed {
    Malformed { field: field.into(), reason: reason.into() }
}

/// A value of the wrong kind.
pub(crate) fn wrong(at: &str, raw: &RawValue, wanted: &str) -> Malformed {
    let mut shown: String = raw.get().chars().take(SHOWN).collect();
    if shown.len() < raw.get().len() {
        shown.push('…');
    }
    malformed(at, format!("is {shown}; {wanted} is needed"))
}

struct Pairs<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Pairs<'de>;

            fn expecting(&self, into: &mut fmt::Formatter<'_>) -> fmt::Result {
                into.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some((Text(name), value)) = map.next_entry()? {
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Each)
    }
}
