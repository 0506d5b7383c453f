//! Values, objects and lists written in one go, on top of [`crate::json`].

use serde::Serialize;

use crate::json::{Array, Object};

/// Writes an object into bytes.
pub(crate) fn object(out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
    fill(&mut Object::new(out));
}

/// Writes a list into bytes.
pub(crate) fn list(out: &mut Vec<u8>, fill: impl FnOnce(&mut Array<'_>)) {
    fill(&mut Array::new(out));
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
        value(self.key(name), what);
    }

    /// Nothing at all where there is nothing.
    pub(crate) fn some(&mut self, name: &str, what: Option<&(impl Serialize + ?Sized)>) {
        if let Some(what) = what {
            self.put(name, what);
        }
    }

    pub(crate) fn with(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        object(self.key(name), fill);
    }

    /// The inside of another object.
    pub(crate) fn inside(&mut self, fields: &[u8]) {
        if !fields.is_empty() {
            self.place().extend_from_slice(fields);
        }
    }

    pub(crate) fn each(&mut self, name: &str, fill: impl FnOnce(&mut Array<'_>)) {
        list(self.key(name), fill);
    }
}

impl Array<'_> {
    pub(crate) fn put(&mut self, what: &(impl Serialize + ?Sized)) {
        value(self.place(), what);
    }

    pub(crate) fn with(&mut self, fill: impl FnOnce(&mut Object<'_>)) {
        object(self.place(), fill);
    }
}
