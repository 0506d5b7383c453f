//! Writing JSON straight into bytes, in the order of the calls.

use crate::Raw;

/// An object that is being written; it is closed when it goes out of scope.
#[derive(Debug)]
pub struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

/// An array that is being written; it is closed when it goes out of scope.
#[derive(Debug)]
pub struct Array<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

impl<'o> Object<'o> {
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Writes the key; the value is to be written into what is returned.
    pub fn key(&mut self, name: &str) -> &mut Vec<u8> {
        let out = self.place();
        string(out, name);
        out.push(b':');
        out
    }

    /// The place of the next fields; at least one is to be written into it.
    pub(crate) fn place(&mut self) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
        self.out
    }

    pub fn string(&mut self, name: &str, value: &str) -> &mut Self {
        string(self.key(name), value);
        self
    }

    /// Writes the field only if there is something to say.
    pub fn maybe(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.string(name, value),
            None => self,
        }
    }

    /// `json` must be one JSON value.
    pub fn raw(&mut self, name: &str, json: &str) -> &mut Self {
        self.key(name).extend_from_slice(json.as_bytes());
        self
    }

    pub fn integer(&mut self, name: &str, value: i64) -> &mut Self {
        let out = self.key(name);
        if value < 0 {
            out.push(b'-');
        }
        digits(out, value.unsigned_abs());
        self
    }

    pub fn count(&mut self, name: &str, value: u64) -> &mut Self {
        digits(self.key(name), value);
        self
    }

    /// A float that is not finite has no JSON and becomes `null`.
    pub fn float(&mut self, name: &str, value: f64) -> &mut Self {
        let text = if value.is_finite() { format!("{value:?}") } else { "null".to_owned() };
        self.raw(name, &text)
    }

    pub fn flag(&mut self, name: &str, value: bool) -> &mut Self {
        self.raw(name, if value { "true" } else { "false" })
    }

    pub fn null(&mut self, name: &str) -> &mut Self {
        self.raw(name, "null")
    }

    pub fn object(&mut self, name: &str) -> Object<'_> {
        Object::new(self.key(name))
    }

    pub fn array(&mut self, name: &str) -> Array<'_> {
        Array::new(self.key(name))
    }

    /// Fields kept from elsewhere, as they were.
    pub fn fields<'f>(&mut self, fields: impl IntoIterator<Item = (&'f str, &'f Raw)>) -> &mut Self {
        for (name, value) in fields {
            self.raw(name, value.get());
        }
        self
    }
}

impl Drop for Object<'_> {
    fn drop(&mut self) {
        self.out.push(b'}');
    }
}

impl<'o> Array<'o> {
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { out, empty: true }
    }

    /// The place of the next element; exactly one JSON value is to be written into it.
    pub fn place(&mut self) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
        self.out
    }

    pub fn object(&mut self) -> Object<'_> {
        Object::new(self.place())
    }

    pub fn string(&mut self, value: &str) {
        string(self.place(), value);
    }

    /// `json` must be one JSON value.
    pub fn raw(&mut self, json: &str) {
        self.place().extend_from_slice(json.as_bytes());
    }
}

impl Drop for Array<'_> {
    fn drop(&mut self) {
        self.out.push(b']');
    }
}

/// Writes a JSON string with its quotes.
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escaped(out, text);
    out.push(b'"');
}

/// Writes the inside of a JSON string; what must be escaped is escaped, everything else stays.
pub fn escaped(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\') {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain);
        let [special, more @ ..] = tail else { break };
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => {
                out.extend_from_slice(if *other < 0x10 { b"\\u000" } else { b"\\u001" });
                out.push(b"0123456789abcdef".get(usize::from(other & 0xF)).copied().unwrap_or(b'0'));
            }
        }
        rest = more;
    }
    out.extend_from_slice(rest);
}

/// Writes a number.
pub fn digits(out: &mut Vec<u8>, mut number: u64) {
    let start = out.len();
    loop {
        out.push(b'0' + u8::try_from(number % 10).unwrap_or(0));
        number /= 10;
        if number == 0 {
            break;
        }
    }
    if let Some(written) = out.get_mut(start..) {
        written.reverse();
    }
}

/// JSON text as a [`Raw`]; `null` for what is no JSON, which the caller rules out.
pub fn raw(text: String) -> Raw {
    serde_json::value::RawValue::from_string(text)
        .unwrap_or_else(|_| serde_json::value::RawValue::NULL.to_owned())
}

/// Whether this is the text of one JSON object.
pub fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn closes_what_it_opens() {
        let mut out = Vec::new();
        {
            let mut object = Object::new(&mut out);
            object
                .string("a", "\"\\\n\u{1}\u{1f}ä")
                .integer("b", -70)
                .count("c", 0)
                .float("d", 1.0)
                .flag("e", true);
            object.array("f").raw("[]");
            let mut array = object.array("g");
            array.string("x");
            array.object().null("y");
        }
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            r#"{"a":"\"\\\n\u0001\u001fä","b":-70,"c":0,"d":1.0,"e":true,"f":[[]],"g":["x",{"y":null}]}"#
        );
    }

    proptest! {
        #[test]
        fn strings_and_numbers_are_read_again(text: String, number: u64, signed: i64, float: f64) {
            let mut out = Vec::new();
            Object::new(&mut out).string("t", &text).count("n", number).integer("s", signed).float("f", float);
            let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(value["t"].as_str(), Some(text.as_str()));
            prop_assert_eq!(value["n"].as_u64(), Some(number));
            prop_assert_eq!(value["s"].as_i64(), Some(signed));
            if float.is_finite() {
                prop_assert!(value["f"].as_f64().is_some_and(|read| (read - float).abs() <= float.abs() * 1e-12));
            }
        }
    }
}
