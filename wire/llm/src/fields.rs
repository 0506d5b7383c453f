//! An object that knows where it stands, for reading documents whose structure is deep.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::read::{self, At, Text};
use crate::{Malformed, Raw};

/// The fields of one object, borrowed. What is not taken is left for [`Fields::rest`].
#[derive(Debug, Default)]
pub(crate) struct Fields<'a> {
    at: String,
    fields: read::Fields<'a>,
}

/// Hands a place to a function of [`read::Fields`].
macro_rules! placed {
    ($self:ident.$name:ident($($argument:expr),*)) => {{
        let root = At::Root;
        let here = if $self.at.is_empty() { root } else { At::Field(&root, &$self.at) };
        $self.fields.$name($($argument,)* &here)
    }};
}

impl<'a> Fields<'a> {
    /// A whole body.
    pub(crate) fn body(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let fields = read::Fields::read(read::utf8(bytes)?, &At::Root)?;
        Ok(Self { at: String::new(), fields })
    }

    /// The object at a path.
    pub(crate) fn of(raw: &'a RawValue, at: String) -> Result<Self, Malformed> {
        let fields = read::Fields::of(raw, &At::Field(&At::Root, &at))?;
        Ok(Self { at, fields })
    }

    /// The object at a path of Google's, which takes `inline_data` for `inlineData`.
    pub(crate) fn google(raw: &'a RawValue, at: String) -> Result<Self, Malformed> {
        Self::of(raw, at).map(Self::camel)
    }

    /// With the names that Google's JSON also allows brought into its usual form.
    pub(crate) fn camel(mut self) -> Self {
        self.fields.rename(|name| {
            name.contains('_').then(|| {
                let mut words = name.split('_');
                let first = words.next().unwrap_or_default().to_owned();
                words.fold(first, |mut name, word| {
                    let mut chars = word.chars();
                    name.extend(chars.next().map(|first| first.to_ascii_uppercase()));
                    name.push_str(chars.as_str());
                    name
                })
            })
        });
        self
    }

    /// The path of one of its fields.
    pub(crate) fn at(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) }
    }

    /// Takes a field as it stands; `null` counts as absent.
    pub(crate) fn raw(&mut self, name: &str) -> Option<&'a RawValue> {
        self.fields.take(name)
    }

    /// Looks at a field without taking it.
    pub(crate) fn peek(&self, name: &str) -> Option<&'a RawValue> {
        self.fields.peek(name).filter(|value| value.get() != "null")
    }

    /// Whether a field is there and not `null`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.peek(name).is_some()
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<Cow<'a, str>>, Malformed> {
        placed!(self.text(name))
    }

    /// A string that must be there.
    pub(crate) fn needed(&mut self, name: &str) -> Result<Cow<'a, str>, Malformed> {
        self.text(name)?.ok_or_else(|| malformed(self.at(name), "is missing; a string is needed"))
    }

    pub(crate) fn owned(&mut self, name: &str) -> Result<Option<String>, Malformed> {
        placed!(self.owned(name))
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, Malformed> {
        placed!(self.flag(name))
    }

    pub(crate) fn list(&mut self, name: &str) -> Result<Option<Vec<&'a RawValue>>, Malformed> {
        placed!(self.list(name))
    }

    /// A list of strings.
    pub(crate) fn words(&mut self, name: &str) -> Result<Option<Vec<String>>, Malformed> {
        self.typed(name, "an array of strings")
    }

    /// A whole number that is at least `least`.
    pub(crate) fn whole(&mut self, name: &str, least: u64) -> Result<Option<u64>, Malformed> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        match serde_json::from_str::<u64>(raw.get()) {
            Ok(number) if number >= least => Ok(Some(number)),
            _ => Err(wrong(&self.at(name), raw, &format!("a whole number from {least} up"))),
        }
    }

    pub(crate) fn integer(&mut self, name: &str) -> Result<Option<i64>, Malformed> {
        self.typed(name, "a whole number")
    }

    /// A number between two bounds, both allowed.
    pub(crate) fn number(&mut self, name: &str, low: f64, high: f64) -> Result<Option<f64>, Malformed> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        match serde_json::from_str::<f64>(raw.get()) {
            Ok(number) if (low..=high).contains(&number) => Ok(Some(number)),
            _ => Err(wrong(&self.at(name), raw, &format!("a number from {low} to {high}"))),
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

    /// What nobody took, under the names of this object.
    pub(crate) fn rest(self) -> Vec<(String, Raw)> {
        self.fields.rest().into_iter().filter(|(_, value)| value.get() != "null").collect()
    }

    /// What nobody took, under its way from the top of the body, see [`crate::extra`].
    pub(crate) fn rest_at(self, into: &mut Vec<(String, Raw)>) {
        let way = pointer(&self.at);
        into.extend(self.rest().into_iter().map(|(name, value)| (format!("{way}/{name}"), value)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    fn typed<T: serde::Deserialize<'a>>(&mut self, name: &str, wanted: &str) -> Result<Option<T>, Malformed> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        serde_json::from_str(raw.get()).map(Some).map_err(|_| wrong(&self.at(name), raw, wanted))
    }
}

/// `tools[2].x` as `/tools/2/x`.
fn pointer(path: &str) -> String {
    let mut way = String::with_capacity(path.len() + 1);
    if !path.is_empty() {
        way.push('/');
    }
    way.extend(path.chars().filter(|c| *c != ']').map(|c| if matches!(c, '.' | '[') { '/' } else { c }));
    way
}

/// Whether it is a string, and which.
pub(crate) fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(raw.get()).ok().map(|text| text.0)
}

/// Whether it is a list, and of what.
pub(crate) fn items(raw: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

pub(crate) fn malformed(field: impl Into<String>, reason: impl Into<String>) -> Malformed {
    Malformed { field: field.into(), reason: reason.into() }
}

/// A value of the wrong kind.
pub(crate) fn wrong(at: &str, raw: &RawValue, wanted: &str) -> Malformed {
    malformed(at, format!("{} is not {wanted}", read::shown(raw.get())))
}
