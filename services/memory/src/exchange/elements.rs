//! The elements of a JSON array, one by one, wherever in an object the array stands: an export may have gigabytes.

use std::fmt;
use std::io::{self, BufRead};
use std::ops::ControlFlow;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{Item, Sink};

/// Hands on each element of the array, or of the array under one of `names`. What is broken in the middle ends the reading,
/// and is said: JSON cannot be taken up again behind it.
pub(super) fn each(
    input: &mut dyn BufRead,
    names: &'static [&'static str],
    sink: &mut Sink<'_>,
    take: &mut dyn FnMut(Value, String, &mut Sink<'_>) -> ControlFlow<()>,
) -> io::Result<()> {
    let mut number = 0;
    let mut stopped = false;
    let outcome = {
        let seed = Elements { names, number: &mut number, stopped: &mut stopped, sink: &mut *sink, take };
        let mut deserializer = serde_json::Deserializer::from_reader(input);
        seed.deserialize(&mut deserializer)
    };
    match outcome {
        Err(error) if error.is_io() => Err(error.into()),
        Err(error) if !stopped => {
            let why = format!("it is not JSON from there on: {error}");
            // Nothing is read behind it either way.
            match sink(Item::Left(format!("after element {number}"), why)) {
                ControlFlow::Continue(()) | ControlFlow::Break(()) => {}
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

struct Elements<'a, 's> {
    names: &'static [&'static str],
    number: &'a mut u64,
    stopped: &'a mut bool,
    sink: &'a mut Sink<'s>,
    take: &'a mut dyn FnMut(Value, String, &mut Sink<'_>) -> ControlFlow<()>,
}

impl<'de> DeserializeSeed<'de> for Elements<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array, or an object with one")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element::<Value>()? {
            *self.number += 1;
            if (self.take)(element, format!("element {}", self.number), self.sink).is_break() {
                *self.stopped = true;
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if self.names.contains(&key.as_str()) {
                let (names, number, stopped) = (self.names, &mut *self.number, &mut *self.stopped);
                map.next_value_seed(Elements {
                    names,
                    number,
                    stopped,
                    sink: &mut *self.sink,
                    take: &mut *self.take,
                })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}
