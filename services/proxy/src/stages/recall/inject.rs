//! Memories in a request: one marked part behind the instructions.

use sanctum_llm::{Part, Request, Role, Turn};

use super::Recalled;

/// Adds what was recalled to the instructions, behind everything they say: what stands before stays in the provider's
/// cache.
pub fn inject(request: &mut Request, recalled: &Recalled) {
    let part = Part::text(recalled.text.clone());
    let leading = request.turns.iter_mut().take_while(|turn| turn.role == Role::System).last();
    if let Some(turn) = leading {
        turn.parts.push(part);
    } else {
        let turn = Turn { role: Role::System, parts: vec![part], name: None, extra: Vec::new() };
        request.turns.insert(0, turn);
    }
}
