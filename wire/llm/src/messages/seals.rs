//! What other issuers want to see again, carried through clients of this dialect in blocks they give back unread.
//!
//! Gemini refuses a call without the signature it was made with, and OpenAI checks that encrypted reasoning bears its
//! id. This dialect has a field for neither, but clients return `redacted_thinking` as they got it.

use crate::{
    Part, Raw,
    responses::sealed::{self, Sealed},
};

/// The data of a block that stands before a call and holds its signature.
pub(super) fn of_call(id: &str, signature: &str) -> String {
    Sealed::Call { id: id.into(), signature: signature.into() }.write()
}

/// The data of redacted reasoning, with its id where it has one.
pub(super) fn of_redacted<'d>(data: &'d str, id: Option<&str>) -> std::borrow::Cow<'d, str> {
    match id {
        Some(id) => Sealed::Kept { id: id.into(), data: data.into() }.write().into(),
        None => data.into(),
    }
}

/// Whether redacted reasoning is another issuer's, which Anthropic refuses.
pub(super) fn is_foreign(data: &str, id: Option<&str>) -> bool {
    sealed::is_own(data, id)
}

/// Puts what was sealed where it belongs.
pub(super) fn open(parts: &mut Vec<Part>, extra: &mut [(String, Raw)]) {
    let mut index = 0;
    while let Some(part) = parts.get_mut(index) {
        let Part::Redacted { data, id } = part else {
            index += 1;
            continue;
        };
        let given = data.clone();
        match sealed::open(given.as_str().into()) {
            Sealed::Kept { id: kept, data: inner } => {
                *data = inner.into_owned();
                *id = Some(kept.into_owned());
            }
            Sealed::Call { id, signature } => {
                sign(parts, &id, &signature);
                parts.remove(index);
                close_gap(extra, index);
                continue;
            }
            Sealed::Thinking(_) | Sealed::Redacted(_) | Sealed::Own(_) => {}
        }
        index += 1;
    }
}

fn sign(parts: &mut [Part], call: &str, with: &str) {
    for part in parts {
        if let Part::ToolCall { id, signature, .. } = part
            && id == call
        {
            *signature = Some(with.to_owned());
        }
    }
}

/// Kept fields are named by the place of their block.
fn close_gap(extra: &mut [(String, Raw)], gone: usize) {
    for (name, _) in extra {
        let moved = name.strip_prefix("/content/").and_then(|rest| {
            let (place, rest) = rest.split_once('/')?;
            let place = place.parse::<usize>().ok().filter(|place| *place > gone)?;
            Some(format!("/content/{}/{rest}", place - 1))
        });
        if let Some(moved) = moved {
            *name = moved;
        }
    }
}
