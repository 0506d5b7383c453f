//! The conversation of a request for messages, written: instructions before it, then turns that alternate.

use super::{blocks_out, request_out::Out};
use crate::{
    Part, Role, Turn,
    extra::{self, Kept},
    json::{Array, Object},
};

pub(super) fn write(out: &mut Out<'_>, object: &mut Object<'_>) {
    let turns = out.request.turns.as_slice();
    let place = |turn: &Turn| out.same && extra::get(&turn.extra, "role").is_some();
    let before = turns.iter().take_while(|turn| turn.role == Role::System && !place(turn)).count();
    // Instructions alone are no conversation: the last of them is asked.
    let before = if before == turns.len() && !out.same { before.saturating_sub(1) } else { before };
    if !out.same {
        for (index, turn) in turns.iter().enumerate() {
            losses(out, turn, index);
        }
    }
    system(out, object, turns.get(..before).unwrap_or_default());
    let mut list = object.array("messages");
    let rest = turns.get(before..).unwrap_or_default();
    if !out.same && rest.first().is_some_and(|turn| turn.role == Role::Assistant) {
        // "first message must use the `user` role".
        list.object().string("role", "user").string("content", "(the conversation begins here)");
    }
    let mut index = before;
    while let Some(turn) = turns.get(index) {
        let many = together(turns.get(index..).unwrap_or_default());
        message(out, &mut list, turns.get(index..index + many).unwrap_or_default(), index, turn);
        index += many;
    }
}

fn losses(out: &mut Out<'_>, turn: &Turn, index: usize) {
    let at = format!("messages[{index}]");
    if turn.name.is_some() {
        out.losses.dropped(format!("{at}.name"));
    }
    out.losses.extra(&at, &turn.extra);
}

/// How many turns from here on make one message: results of calls that were made together must come together.
fn together(turns: &[Turn]) -> usize {
    let results = |turn: &&Turn| {
        turn.role == Role::User
            && !turn.parts.is_empty()
            && turn.parts.iter().all(|part| matches!(part, Part::ToolResult { .. }))
    };
    turns.iter().take_while(results).count().max(1)
}

fn system(out: &mut Out<'_>, object: &mut Object<'_>, turns: &[Turn]) {
    if let [Turn { parts, extra, .. }] = turns
        && let [Part::Text { text, cache: None, notes: None }] = parts.as_slice()
        && (extra.is_empty() || !out.same)
    {
        if out.same || !text.trim().is_empty() {
            object.string("system", text);
        }
        return;
    }
    let any = turns.iter().flat_map(|turn| &turn.parts).any(|part| out.same || !blocks_out::is_blank(part));
    if !any {
        return;
    }
    let mut list = object.array("system");
    for (index, turn) in turns.iter().enumerate() {
        let kept = Kept::of(&turn.extra, out.same);
        for (place, part) in turn.parts.iter().enumerate() {
            if out.same || matches!(part, Part::Text { .. }) {
                let at = format!("messages[{index}].content[{place}]");
                blocks_out::write(out, &mut list, &kept, &format!("/content/{place}"), &at, part);
            } else {
                out.losses.dropped(format!("messages[{index}].content[{place}]"));
            }
        }
    }
}

fn message<'r>(out: &mut Out<'r>, list: &mut Array<'_>, turns: &'r [Turn], index: usize, first: &'r Turn) {
    let foreign = first.role == Role::System && !out.same;
    let role = match first.role {
        Role::Assistant => "assistant",
        Role::System if out.same => "system",
        Role::User | Role::System => "user",
    };
    if foreign {
        out.losses.became(
            format!("messages[{index}]"),
            "a user's text, because instructions stand before the conversation",
        );
    }
    let sayable = |part: &Part| out.same || !blocks_out::is_blank(part);
    if !out.same && !turns.iter().flat_map(|turn| &turn.parts).any(sayable) {
        out.losses.dropped(format!("messages[{index}], because it is empty"));
        return;
    }
    let mut message = list.object();
    message.string("role", role);
    if out.same {
        message.fields(extra::own(&first.extra).filter(|(name, _)| *name != "role"));
    }
    if let [Turn { parts, extra, .. }] = turns
        && let [Part::Text { text, cache: None, notes: None }] = parts.as_slice()
        && (extra::own(extra).count() == extra.len() || !out.same)
    {
        message.string("content", text);
        return;
    }
    let mut content = message.array("content");
    for (turn, index) in turns.iter().zip(index..) {
        let kept = Kept::of(&turn.extra, out.same);
        // Results must stand first in the turn that brings them.
        let result = |part: &Part| !out.same && matches!(part, Part::ToolResult { .. });
        let parts = || turn.parts.iter().enumerate();
        let ordered: Vec<(usize, &Part)> = parts()
            .filter(|(_, part)| result(part))
            .chain(parts().filter(|(_, part)| !result(part)))
            .collect();
        for (place, part) in ordered {
            let at = format!("messages[{index}].content[{place}]");
            if turn.role == Role::Assistant && !out.same && blocks_out::is_media(part) {
                out.losses.dropped(at);
                continue;
            }
            blocks_out::in_turn(out, &mut content, &kept, place, &at, part);
        }
    }
}
