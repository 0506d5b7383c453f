//! A conversation as notes: its turns in their order, in pieces that are not too long.

use std::ops::ControlFlow;

use jiff::Timestamp;
use sanctum_api::memory::{Kind, Write};

use super::{Draft, Item, LONGEST, Sink};

/// One thing somebody said.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    pub(super) who: &'static str,
    pub(super) text: String,
}

/// A whole conversation.
#[derive(Debug, Clone)]
pub(super) struct Talk {
    /// `chatgpt`, `claude`.
    pub(super) from: &'static str,
    pub(super) id: String,
    pub(super) title: String,
    pub(super) created: Option<Timestamp>,
    pub(super) updated: Option<Timestamp>,
    pub(super) turns: Vec<Turn>,
}

impl Talk {
    /// One note, or several of one session.
    pub(super) fn hand_on(self, at: &str, sink: &mut Sink<'_>) -> ControlFlow<()> {
        let mut pieces: Vec<String> = Vec::new();
        let mut piece = String::new();
        for turn in &self.turns {
            let said = format!("**{}**: {}\n\n", turn.who, turn.text.trim());
            if !piece.is_empty() && piece.len() + said.len() > LONGEST {
                pieces.push(std::mem::take(&mut piece));
            }
            piece.push_str(&said);
        }
        if !piece.trim().is_empty() {
            pieces.push(piece);
        }
        if pieces.is_empty() {
            return sink(Item::Left(at.to_owned(), "nothing is said in it".to_owned()));
        }
        let several = pieces.len() > 1;
        for (number, text) in (1..).zip(pieces) {
            let name = if self.title.trim().is_empty() { "Conversation" } else { self.title.trim() };
            let title = if several { format!("{name} ({number})") } else { name.to_owned() };
            let write = Write {
                text: text.trim_end().to_owned(),
                title: Some(title),
                folder: folder(self.created),
                kind: Some(Kind::Episodic),
                source: Some(format!("{}:{}", self.from, self.id)),
                session: Some(format!("{}:{}", self.from, self.id)),
                valid_from: None,
                ..Write::default()
            };
            let (created, updated) = (self.created, self.updated.or(self.created));
            sink(Item::Draft(Box::new(Draft {
                write,
                created,
                updated,
                at: at.to_owned(),
                ..Draft::default()
            })))?;
        }
        ControlFlow::Continue(())
    }
}

fn folder(created: Option<Timestamp>) -> Option<String> {
    let zoned = created?.to_zoned(jiff::tz::TimeZone::UTC);
    Some(zoned.strftime("events/%Y/%m").to_string())
}
