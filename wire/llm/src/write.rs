//! Objects and lists written straight into bytes, in the order they are told.

use serde::Serialize;

/// An object that is being written.
#[derive(Debug)]
pub(crate) struct Object<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

/// A list that is being written.
#[derive(Debug)]
pub(crate) struct List<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

pub(crate) fn object(out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    fill(&mut Object { out, first: true });
    out.push(b'}');
}

pub(crate) fn list(out: &mut Vec<u8>, fill: impl FnOnce(&mut List<'_>)) {
    out.push(b'[');
    fill(&mut List { out, first: true });
    out.push(b']');
}

/// A value as JSON text.
pub(crate) fn quoted(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

fn value(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    // Neither the writer nor the values in use can fail; whatever could is null rather than half a document.
    let before = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
}

impl Object<'_> {
    pub(crate) fn put(&mut self, name: &str, what: &(impl Serialize + ?Sized)) {
        self.key(name);
        value(self.out, what);
    }

    /// Nothing at all where there is nothing.
    pub(crate) fn maybe(&mut self, name: &str, what: Option<&(impl Serialize + ?Sized)>) {
        if let Some(what) = what {
            self.put(name, what);
        }
    }

    pub(crate) fn object(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        self.key(name);
        object(self.out, fill);
    }

    pub(crate) fn list(&mut self, name: &str, fill: impl FnOnce(&mut List<'_>)) {
        self.key(name);
        list(self.out, fill);
    }

    fn key(&mut self, name: &str) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        value(self.out, name);
        self.out.push(b':');
    }
}

impl List<'_> {
    pub(crate) fn put(&mut self, what: &(impl Serialize + ?Sized)) {
        self.next();
        value(self.out, what);
    }

    pub(crate) fn object(&mut self, fill: impl FnOnce(&mut Object<'_>)) {
        self.next();
        object(self.out, fill);
    }

    fn next(&mut self) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
    }
}
