//! Fields the neutral form has no word for, and where they stood.
//!
//! A field of the request (or of the turn) itself is kept under its name. One of an object inside is kept under its way as a
//! JSON pointer, such as `/tools/2/defer_loading` in `Request::extra` or `/content/0/citations` in `Turn::extra`; the
//! numbers count what stands in the source's own arrays. The same dialect writes each where it stood, another one
//! reports each as lost.

use std::collections::HashMap;

use crate::{Loss, Raw, effort};

type Field = (String, Raw);

/// Kept fields by the object they stood in, for whoever writes many objects: looking through all of them for each would
/// take the square of their number.
#[derive(Debug, Default)]
pub struct Kept<'e>(HashMap<&'e str, Vec<(&'e str, &'e Raw)>>);

impl<'e> Kept<'e> {
    /// Those of a source of the same dialect; of another one none can be written.
    pub fn of(extra: &'e [Field], same: bool) -> Self {
        let mut kept = Self::default();
        for (name, value) in extra.iter().filter(|_| same) {
            let (way, leaf) = name.rsplit_once('/').filter(|_| name.starts_with('/')).unwrap_or(("", name));
            kept.0.entry(way).or_default().push((leaf, value));
        }
        kept
    }

    /// Those of the object that stood at `way`.
    pub fn under(&self, way: &str) -> impl Iterator<Item = (&'e str, &'e Raw)> + use<'e, '_> {
        self.0.get(way).into_iter().flatten().copied()
    }

    /// Whether any stood in one of the objects within `way`.
    pub fn within(&self, way: &str) -> bool {
        self.0.keys().any(|kept| kept.starts_with(way))
    }
}

/// Those of the object itself.
pub fn own(extra: &[Field]) -> impl Iterator<Item = (&str, &Raw)> {
    extra.iter().filter(|(name, _)| !name.starts_with('/')).map(|(name, value)| (name.as_str(), value))
}

/// Those of the object inside that stands at `way`.
pub fn under<'e>(extra: &'e [Field], way: &str) -> impl Iterator<Item = (&'e str, &'e Raw)> {
    extra.iter().filter_map(move |(name, value)| {
        let leaf = name.strip_prefix(way)?.strip_prefix('/')?;
        (!leaf.contains('/')).then_some((leaf, value))
    })
}

/// The one at exactly this way or name.
pub fn get<'e>(extra: &'e [Field], name: &str) -> Option<&'e Raw> {
    extra.iter().find(|(kept, _)| kept == name).map(|(_, value)| value)
}

/// What was lost so far, in the order of its finding.
#[derive(Debug, Default)]
pub struct Losses(Vec<Loss>);

impl Losses {
    pub fn dropped(&mut self, what: impl Into<String>) {
        self.became(what, "dropped");
    }

    pub fn became(&mut self, what: impl Into<String>, became: impl Into<String>) {
        self.0.push(Loss { what: what.into(), became: became.into() });
    }

    /// Reports kept fields that the target cannot say. What says the same as its absence is no loss: `null`, and the
    /// documented defaults of the APIs.
    pub fn extra(&mut self, place: &str, extra: &[Field]) {
        self.fields(place, extra.iter());
    }

    /// The same for some of them.
    pub fn fields<'f>(&mut self, place: &str, extra: impl Iterator<Item = &'f Field>) {
        const DEFAULTS: [(&str, &str); 10] = [
            ("n", "1"),
            ("logprobs", "false"),
            ("store", "false"),
            ("presence_penalty", "0"),
            ("presence_penalty", "0.0"),
            ("frequency_penalty", "0"),
            ("frequency_penalty", "0.0"),
            ("service_tier", "\"auto\""),
            ("background", "false"),
            ("/usage/service_tier", "\"standard\""),
        ];
        for (name, value) in extra {
            let harmless = value.get() == "null"
                || DEFAULTS.contains(&(name.as_str(), value.get()))
                || (name.starts_with("/tools/") && name.ends_with("/type"))
                || is_understood(name, value.get());
            if name == "reasoning" {
                self.became(name, "its effort or budget alone");
            } else if !harmless {
                self.dropped(join(place, name));
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn take(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.0)
    }

    pub fn into_vec(self) -> Vec<Loss> {
        self.0
    }
}

/// Kept for its exact word; what it means is in the neutral form.
fn is_understood(name: &str, value: &str) -> bool {
    name == "role"
        || (name == "/output_config/effort" && effort::from_word(value.trim_matches('"')).is_some())
}

/// `messages[3]` and `/content/0/x` are `messages[3].content[0].x`.
fn join(place: &str, name: &str) -> String {
    let mut path = place.to_owned();
    for step in name.strip_prefix('/').map_or_else(|| vec![name], |way| way.split('/').collect()) {
        if name.starts_with('/') && !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push_str(&format!("[{step}]"));
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(step);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::raw;

    #[test]
    fn fields_find_their_place_again() {
        let kept = |name: &str| (name.to_owned(), raw("1".to_owned()));
        let extra = [kept("a"), kept("/tools/2/x"), kept("/tools/2/y/z"), kept("/tools/20/x")];
        assert_eq!(own(&extra).map(|(name, _)| name).collect::<Vec<_>>(), ["a"]);
        assert_eq!(under(&extra, "/tools/2").map(|(name, _)| name).collect::<Vec<_>>(), ["x"]);
        assert!(get(&extra, "/tools/2/y/z").is_some());
    }

    #[test]
    fn losses_are_named_by_path_and_defaults_are_none() {
        let mut losses = Losses::default();
        let kept = |name: &str, value: &str| (name.to_owned(), raw(value.to_owned()));
        losses.extra("messages[3]", &[kept("/content/0/x", "1"), kept("name", "null")]);
        losses.extra("", &[kept("n", "1"), kept("n", "2"), kept("/tools/2/x", "1"), kept("x/y", "1")]);
        let what: Vec<_> = losses.into_vec().into_iter().map(|loss| loss.what).collect();
        assert_eq!(what, ["messages[3].content[0].x", "n", "tools[2].x", "x/y"]);
    }
}
