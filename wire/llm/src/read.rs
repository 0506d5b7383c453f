//! Reading JSON objects field by field, knowing where one stands.
//!
//! Each level is scanned once for its extent and once for its content, so that the cost grows with the depth of the
//! known structure, never with the square of the length.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::{Malformed, Raw};

/// A place in a document. Costs nothing until it is printed.
#[derive(Debug, Clone, Copy)]
pub enum At<'p> {
    Root,
    Field(&'p At<'p>, &'p str),
    Index(&'p At<'p>, usize),
}

impl<'p> At<'p> {
    #[must_use]
    pub fn field(&'p self, name: &'p str) -> At<'p> {
        At::Field(self, name)
    }

    #[must_use]
    pub fn index(&'p self, index: usize) -> At<'p> {
        At::Index(self, index)
    }

    /// A complaint about what stands here.
    pub fn wrong(&self, reason: impl Into<String>) -> Malformed {
        Malformed { field: self.to_string(), reason: reason.into() }
    }

    /// "`value` is not …".
    pub fn is_not(&self, value: &RawValue, allowed: &str) -> Malformed {
        self.wrong(format!("{} is not {allowed}", shown(value.get())))
    }

    /// The way here as `/a/0/b`, without its first `skip` steps.
    pub fn pointer(&self, skip: usize) -> String {
        let mut steps = Vec::new();
        let mut at = self;
        loop {
            at = match at {
                At::Root => break,
                At::Field(parent, name) => {
                    steps.push(format!("/{name}"));
                    parent
                }
                At::Index(parent, index) => {
                    steps.push(format!("/{index}"));
                    parent
                }
            };
        }
        steps.iter().rev().skip(skip).map(String::as_str).collect()
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Root => Ok(()),
            At::Field(At::Root, name) => f.write_str(name),
            At::Field(parent, name) => write!(f, "{parent}.{name}"),
            At::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// A value as it is shown in a complaint: its beginning, within backticks.
pub fn shown(json: &str) -> String {
    const MOST: usize = 60;
    match json.char_indices().nth(MOST) {
        Some((end, _)) => format!("`{}…`", json.get(..end).unwrap_or_default()),
        None => format!("`{json}`"),
    }
}

/// The body of a request or of an answer as text.
pub fn utf8(body: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(body)
        .map_err(|error| At::Root.wrong(format!("the body is not UTF-8 from byte {}", error.valid_up_to())))
}

/// The fields of an object in their order, taken out one by one; what nobody takes is the rest.
#[derive(Debug, Default)]
pub struct Fields<'a> {
    fields: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Fields<'a> {
    /// `text` is a whole JSON document.
    pub fn read(text: &'a str, at: &At<'_>) -> Result<Self, Malformed> {
        serde_json::from_str(text).map_err(|error| {
            if error.is_data() {
                at.wrong(format!("{} is not an object", shown(text.trim())))
            } else {
                at.wrong(format!("the body is not JSON: {error}"))
            }
        })
    }

    pub fn of(raw: &'a RawValue, at: &At<'_>) -> Result<Self, Malformed> {
        Self::read(raw.get(), at)
    }

    /// Takes a field; `null` is as good as none. Of several with one name the last counts, as everywhere.
    pub fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let mut found = None;
        self.fields.retain(|(field, value)| {
            let same = field == name;
            if same {
                found = Some(*value);
            }
            !same
        });
        found.filter(|value| value.get() != "null")
    }

    /// Looks at a field without taking it.
    pub fn peek(&self, name: &str) -> Option<&'a RawValue> {
        self.fields.iter().rev().find(|(field, _)| field == name).map(|(_, value)| *value)
    }

    /// A field that is a string, without taking it.
    pub fn peek_text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.peek(name).and_then(|raw| serde_json::from_str::<Text<'a>>(raw.get()).ok()).map(|text| text.0)
    }

    /// Takes a field of a type; `allowed` completes "is not …".
    pub fn get<T: Deserialize<'a>>(
        &mut self,
        name: &str,
        at: &At<'_>,
        allowed: &str,
    ) -> Result<Option<T>, Malformed> {
        self.take(name)
            .map(|raw| serde_json::from_str(raw.get()).map_err(|_| at.field(name).is_not(raw, allowed)))
            .transpose()
    }

    pub fn text(&mut self, name: &str, at: &At<'_>) -> Result<Option<Cow<'a, str>>, Malformed> {
        Ok(self.get::<Text<'a>>(name, at, "a string")?.map(|text| text.0))
    }

    pub fn owned(&mut self, name: &str, at: &At<'_>) -> Result<Option<String>, Malformed> {
        Ok(self.text(name, at)?.map(Cow::into_owned))
    }

    pub fn need(&mut self, name: &str, at: &At<'_>) -> Result<String, Malformed> {
        self.owned(name, at)?.ok_or_else(|| at.field(name).wrong("is missing; a string is needed"))
    }

    pub fn flag(&mut self, name: &str, at: &At<'_>) -> Result<Option<bool>, Malformed> {
        self.get(name, at, "true or false")
    }

    pub fn object(&mut self, name: &str, at: &At<'_>) -> Result<Option<Fields<'a>>, Malformed> {
        self.take(name).map(|raw| Fields::of(raw, &at.field(name))).transpose()
    }

    pub fn list(&mut self, name: &str, at: &At<'_>) -> Result<Option<Vec<&'a RawValue>>, Malformed> {
        self.get(name, at, "an array")
    }

    /// A number within bounds.
    pub fn number(&mut self, name: &str, at: &At<'_>, from: f64, to: f64) -> Result<Option<f64>, Malformed> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        match serde_json::from_str::<f64>(raw.get()) {
            Ok(number) if (from..=to).contains(&number) => Ok(Some(number)),
            _ => Err(at.field(name).is_not(raw, &format!("a number from {from} to {to}"))),
        }
    }

    /// A whole number that is at least `least`.
    pub fn count(&mut self, name: &str, at: &At<'_>, least: u64) -> Result<Option<u64>, Malformed> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        match serde_json::from_str::<u64>(raw.get()) {
            Ok(number) if number >= least => Ok(Some(number)),
            _ => Err(at.field(name).is_not(raw, &format!("a whole number from {least} up"))),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Renames fields that go by two names.
    pub fn rename(&mut self, new: impl Fn(&str) -> Option<String>) {
        for (name, _) in &mut self.fields {
            if let Some(other) = new(name) {
                *name = Cow::Owned(other);
            }
        }
    }

    /// Puts back what was taken and not understood.
    pub fn restore(&mut self, name: &'a str, raw: &'a RawValue) {
        self.fields.push((Cow::Borrowed(name), raw));
    }

    /// What nobody took, under its own names.
    pub fn rest(self) -> Vec<(String, Raw)> {
        self.fields.into_iter().map(|(name, value)| (name.into_owned(), value.to_owned())).collect()
    }

    /// What nobody took of an object inside: named by its way from the step `skip` on, see [`crate::extra`].
    pub fn rest_inside(self, at: &At<'_>, skip: usize, into: &mut Vec<(String, Raw)>) {
        if self.fields.is_empty() {
            return;
        }
        let way = at.pointer(skip);
        into.extend(self.fields.into_iter().map(|(name, value)| (format!("{way}/{name}"), value.to_owned())));
    }
}

impl<'a> Deserialize<'a> for Fields<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'a> Visitor<'a> for Seen {
            type Value = Fields<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(8);
                while let Some(Text(name)) = map.next_key()? {
                    fields.push((name, map.next_value()?));
                }
                Ok(Fields { fields })
            }
        }
        deserializer.deserialize_map(Seen)
    }
}

/// A string that is borrowed where nothing in it was escaped; serde's own `Option<Cow<str>>` always copies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text)))
            }
        }
        deserializer.deserialize_str(Seen)
    }
}

/// What may be a string or a list of parts.
#[derive(Debug, Clone)]
pub enum Content<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<&'a RawValue>),
}

impl<'a> Deserialize<'a> for Content<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'a> Visitor<'a> for Seen {
            type Value = Content<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array")
            }

            fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Self::Value, E> {
                Ok(Content::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Content::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut parts = Vec::new();
                while let Some(part) = seq.next_element()? {
                    parts.push(part);
                }
                Ok(Content::Parts(parts))
            }
        }
        deserializer.deserialize_any(Seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_print_as_paths_and_pointers() {
        let messages = At::Root.field("messages");
        let third = messages.index(3);
        let content = third.field("content");
        let at = content.index(0);
        assert_eq!(at.to_string(), "messages[3].content[0]");
        assert_eq!(at.pointer(2), "/content/0");
        assert_eq!(At::Root.to_string(), "");
    }

    #[test]
    fn fields_are_taken_and_the_rest_keeps_its_order_and_bytes() {
        let mut fields =
            Fields::read(r#"{"z": [1, 2],"a":"x","n":null,"a":"y\n","b":  1.50 }"#, &At::Root).unwrap();
        assert_eq!(fields.owned("a", &At::Root).unwrap().as_deref(), Some("y\n"));
        assert!(fields.take("n").is_none());
        let rest = fields.rest();
        let rest: Vec<_> = rest.iter().map(|(name, raw)| (name.as_str(), raw.get())).collect();
        assert_eq!(rest, [("z", "[1, 2]"), ("b", "1.50")]);
    }

    #[test]
    fn complaints_name_field_value_and_what_is_allowed() {
        let mut fields = Fields::read(r#"{"t":9,"m":0,"s":{"x":1}}"#, &At::Root).unwrap();
        let told = |error: Malformed| error.to_string();
        assert_eq!(
            told(fields.number("t", &At::Root, 0.0, 2.0).unwrap_err()),
            "t: `9` is not a number from 0 to 2"
        );
        assert_eq!(
            told(fields.count("m", &At::Root, 1).unwrap_err()),
            "m: `0` is not a whole number from 1 up"
        );
        assert_eq!(told(fields.text("s", &At::Root).unwrap_err()), "s: `{\"x\":1}` is not a string");
        assert_eq!(told(Fields::read("[1]", &At::Root).unwrap_err()), "`[1]` is not an object");
        assert!(told(Fields::read("{\"a\":", &At::Root).unwrap_err()).contains("not JSON"));
        assert!(told(utf8(b"{\"a\xFF").unwrap_err()).contains("from byte 3"));
        assert_eq!(shown(&"ä".repeat(100)).chars().count(), 63);
    }
}
