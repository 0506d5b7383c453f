//! The messages of a chat completion request, written.

use std::borrow::Cow;

use super::{calls, request_out::Out};
use crate::{
    Dialect, Part, Role, Source, Turn, data_uri,
    extra::{self, Kept},
    json::{Array, Object},
};

pub(super) fn write(out: &mut Out<'_>, object: &mut Object<'_>) {
    let mut list = object.array("messages");
    let mut moved = Vec::new();
    for (index, turn) in out.request.turns.iter().enumerate() {
        if !out.same {
            out.losses.extra(&format!("messages[{index}]"), &turn.extra);
        }
        match turn.role {
            Role::User => user(out, &mut list, turn, index, &mut moved),
            Role::System => {
                flush(out, &mut list, &mut moved);
                let role = if is_developer(out, turn) { "developer" } else { "system" };
                let mut message = list.object();
                message.string("role", role);
                name(turn, &mut message);
                let kept = Kept::of(&turn.extra, out.same);
                content(out, &mut message, turn, &kept, index, turn.parts.iter().enumerate());
            }
            Role::Assistant => {
                flush(out, &mut list, &mut moved);
                calls::assistant(out, &mut list.object(), turn, index);
            }
        }
    }
    flush(out, &mut list, &mut moved);
}

fn is_developer(out: &Out<'_>, turn: &Turn) -> bool {
    out.same && extra::get(&turn.extra, "role").is_some_and(|role| role.get() == "\"developer\"")
}

/// What the message itself was given beside what we know.
pub(super) fn fields(out: &Out<'_>, turn: &Turn, message: &mut Object<'_>) {
    if out.same {
        message.fields(extra::own(&turn.extra).filter(|(name, _)| *name != "role"));
    }
}

pub(super) fn name(turn: &Turn, message: &mut Object<'_>) {
    message.maybe("name", turn.name.as_deref());
}

/// Pictures of tool results wait here until a user may speak: this dialect's tool messages hold text only.
type Moved<'r> = Vec<(usize, usize, &'r Part)>;

fn user<'r>(out: &mut Out<'r>, list: &mut Array<'_>, turn: &'r Turn, index: usize, moved: &mut Moved<'r>) {
    for (place, part) in turn.parts.iter().enumerate() {
        if let Part::ToolResult { .. } = part {
            result(out, list, turn, (index, place), part, moved);
        }
    }
    let kept = Kept::of(&turn.extra, out.same);
    let mut others =
        turn.parts.iter().enumerate().filter(|(_, part)| !matches!(part, Part::ToolResult { .. })).peekable();
    if others.peek().is_none() {
        if turn.parts.is_empty() {
            out.losses.dropped(format!("messages[{index}]"));
        }
        return;
    }
    if moved.is_empty() {
        let mut message = list.object();
        message.string("role", "user");
        name(turn, &mut message);
        content(out, &mut message, turn, &kept, index, others);
        return;
    }
    let mut message = list.object();
    message.string("role", "user");
    name(turn, &mut message);
    fields(out, turn, &mut message);
    let mut parts = message.array("content");
    for (index, place, part) in moved.drain(..) {
        write_part(out, &mut parts, None, &format!("messages[{index}].content[{place}]"), part);
    }
    for (place, part) in others {
        write_part(
            out,
            &mut parts,
            Some((&kept, place)),
            &format!("messages[{index}].content[{place}]"),
            part,
        );
    }
}

fn flush(out: &mut Out<'_>, list: &mut Array<'_>, moved: &mut Moved<'_>) {
    if moved.is_empty() {
        return;
    }
    let mut message = list.object();
    message.string("role", "user");
    let mut parts = message.array("content");
    for (index, place, part) in moved.drain(..) {
        write_part(out, &mut parts, None, &format!("messages[{index}].content[{place}]"), part);
    }
}

fn result<'r>(
    out: &mut Out<'r>,
    list: &mut Array<'_>,
    turn: &'r Turn,
    (index, place): (usize, usize),
    part: &'r Part,
    moved: &mut Moved<'r>,
) {
    let Part::ToolResult { id, name, parts, error, cache } = part else { return };
    let at = || format!("messages[{index}].content[{place}]");
    if *error {
        out.losses.dropped(format!("{}.is_error", at()));
    }
    if cache.is_some() {
        out.losses.dropped(format!("{}.cache_control", at()));
    }
    let mut said = Vec::new();
    for (inner, part) in parts.iter().enumerate() {
        match part {
            Part::Image { .. } | Part::Document { .. } | Part::Audio { .. } if !out.same => {
                out.losses.became(format!("{}.content[{inner}]", at()), "moved into a user's message");
                moved.push((index, place, part));
            }
            _ => said.push((inner, part)),
        }
    }
    let mut message = list.object();
    message.string("role", "tool").string("tool_call_id", &out.ids.result(id)).maybe("name", name.as_deref());
    // Fields of a tool message are kept in its turn, which then holds nothing else.
    let alone = turn.parts.len() == 1;
    if said.is_empty() {
        message.string(
            "content",
            if parts.is_empty() { "" } else { "(see the attachment in the next message)" },
        );
        if alone {
            fields(out, turn, &mut message);
        }
        return;
    }
    if alone {
        let kept = Kept::of(&turn.extra, out.same);
        content(out, &mut message, turn, &kept, index, said.into_iter());
    } else if let [(_, Part::Text { text, cache: None, notes: None })] = said.as_slice() {
        message.string("content", text);
    } else {
        let mut list = message.array("content");
        for (inner, part) in said {
            write_part(out, &mut list, None, &format!("{}.content[{inner}]", at()), part);
        }
    }
}

/// Writes the fields of the message and its content: a string where that says all.
pub(super) fn content<'p>(
    out: &mut Out<'_>,
    message: &mut Object<'_>,
    turn: &Turn,
    kept: &Kept<'_>,
    index: usize,
    parts: impl Iterator<Item = (usize, &'p Part)> + Clone,
) {
    fields(out, turn, message);
    let mut first_two = parts.clone();
    let (first, second) = (first_two.next(), first_two.next());
    let inner = kept.within("/content/");
    if let (Some((place, Part::Text { text, cache, notes })), None) = (first, second)
        && !inner
        && !(out.same && (cache.is_some() || notes.is_some()))
    {
        marks(out, &format!("messages[{index}].content[{place}]"), cache.is_some(), notes.is_some());
        message.string("content", text);
        return;
    }
    let mut list = message.array("content");
    for (count, (place, part)) in parts.enumerate() {
        write_part(out, &mut list, Some((kept, count)), &format!("messages[{index}].content[{place}]"), part);
    }
}

fn marks(out: &mut Out<'_>, at: &str, cache: bool, notes: bool) {
    if cache && !out.same {
        out.losses.dropped(format!("{at}.cache_control"));
    }
    if notes && !out.same {
        out.losses.dropped(format!("{at}.citations"));
    }
}

/// `kept` tells where the part stood in its source, for the fields kept of it.
pub(super) fn write_part(
    out: &mut Out<'_>,
    list: &mut Array<'_>,
    kept: Option<(&Kept<'_>, usize)>,
    at: &str,
    part: &Part,
) {
    let (Part::Text { cache, .. } | Part::Image { cache, .. } | Part::Document { cache, .. }) = part else {
        return rare(out, list, kept, at, part);
    };
    let notes = matches!(part, Part::Text { notes: Some(_), .. });
    marks(out, at, cache.is_some(), notes);
    if let Some(text) = as_text(out, at, part) {
        list.object().string("type", "text").string("text", &text);
        return;
    }
    let inside = |object: &mut Object<'_>, name: &str| {
        if let Some((kept, place)) = kept {
            object.fields(kept.under(&format!("/content/{place}{name}")));
        }
    };
    let mut object = match part {
        Part::Image { source, detail, .. } => {
            let Some(url) = data_uri::url(source) else { return out.losses.dropped(at) };
            let mut object = list.object();
            object.string("type", "image_url");
            let mut image = object.object("image_url");
            image.string("url", &url).maybe("detail", detail.as_deref());
            inside(&mut image, "/image_url");
            drop(image);
            object
        }
        Part::Document { source, name, .. } => {
            let mut object = list.object();
            object.string("type", "file");
            let mut file = object.object("file");
            match source {
                Source::File { id, .. } => file.string("file_id", id),
                other => file.maybe("file_data", data_uri::url(other).as_deref()),
            };
            file.maybe("filename", name.as_deref());
            inside(&mut file, "/file");
            drop(file);
            object
        }
        Part::Text { text, notes, .. } => {
            let mut object = list.object();
            object.string("type", "text").string("text", text);
            if let Some(notes) = notes.as_ref().filter(|_| out.same) {
                object.raw("annotations", notes.get());
            }
            object
        }
        _ => return,
    };
    if let Some(cache) = cache.filter(|_| out.same) {
        cache.write(&mut object);
    }
    inside(&mut object, "");
}

/// What this dialect can only say as plain text.
fn as_text<'p>(out: &mut Out<'_>, at: &str, part: &'p Part) -> Option<Cow<'p, str>> {
    let Part::Document { source, name, .. } = part else { return None };
    let text = match source {
        Source::Text { text, .. } => match name {
            Some(name) => Cow::Owned(format!("{name}\n\n{text}")),
            None => Cow::Borrowed(text.as_str()),
        },
        Source::Url(url) if !out.same => {
            Cow::Owned(format!("{} {url}", name.as_deref().unwrap_or("document:")))
        }
        Source::File { id, dialect } if *dialect != Dialect::Chat => {
            out.losses.became(at, "as text: the file is kept at another provider");
            return Some(Cow::Owned(format!(
                "(the file {} is not available here)",
                name.as_deref().unwrap_or(id)
            )));
        }
        _ => return None,
    };
    out.losses.became(at, "as text");
    Some(text)
}

fn rare(out: &mut Out<'_>, list: &mut Array<'_>, kept: Option<(&Kept<'_>, usize)>, at: &str, part: &Part) {
    match part {
        Part::Audio { source: Source::Base64 { media, data } } => {
            let mut object = list.object();
            object.string("type", "input_audio");
            {
                let format = media.strip_prefix("audio/").unwrap_or(media);
                let mut audio = object.object("input_audio");
                audio.string("data", data).string("format", if format == "mpeg" { "mp3" } else { format });
                if let Some((kept, place)) = kept {
                    audio.fields(kept.under(&format!("/content/{place}/input_audio")));
                }
            }
            if let Some((kept, place)) = kept {
                object.fields(kept.under(&format!("/content/{place}")));
            }
        }
        Part::Refusal { text } => {
            list.object().string("type", "refusal").string("refusal", text);
        }
        Part::Opaque { dialect: Dialect::Chat, json } => list.raw(json.get()),
        _ => out.losses.dropped(at),
    }
}
