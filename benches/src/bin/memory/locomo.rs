//! Conversations and questions in the format of LoCoMo.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sanctum_kernel::Failure;
use serde_json::Value;

/// What one said. A picture counts by its caption.
pub(crate) struct Turn {
    pub(crate) session: String,
    pub(crate) at: Timestamp,
    pub(crate) text: String,
}

/// A question, and the positions of the turns that answer it.
pub(crate) struct Question {
    pub(crate) text: String,
    /// 1 multi-hop, 2 temporal, 3 open-domain, 4 single-hop.
    pub(crate) category: u64,
    pub(crate) conversation: usize,
    pub(crate) evidence: Vec<u32>,
}

pub(crate) struct Set {
    pub(crate) turns: Vec<Turn>,
    pub(crate) questions: Vec<Question>,
}

/// Reads all conversations of a file into one store; questions of category 5, and those without evidence, are left out.
pub(crate) fn read(file: &str) -> Result<Set, Failure> {
    let all: Vec<Value> = serde_json::from_slice(&std::fs::read(file)?)?;
    let mut set = Set { turns: Vec::new(), questions: Vec::new() };
    for (number, talk) in all.iter().enumerate() {
        let mut places = HashMap::new();
        let conversation = &talk["conversation"];
        for session in 1.. {
            let Some(date) = conversation[format!("session_{session}_date_time")].as_str() else { break };
            let date = DateTime::strptime("%I:%M %p on %d %B, %Y", date)?;
            let mut at = date.to_zoned(TimeZone::UTC)?.timestamp();
            let turns = conversation[format!("session_{session}")].as_array();
            for turn in turns.into_iter().flatten() {
                let place = u32::try_from(set.turns.len())?;
                places.insert(turn["dia_id"].as_str().unwrap_or_default().to_owned(), place);
                set.turns.push(Turn { session: format!("{number}-{session}"), at, text: text(turn) });
                at = at.checked_add(jiff::Span::new().seconds(30))?;
            }
        }
        for question in talk["qa"].as_array().into_iter().flatten() {
            let category = question["category"].as_u64().unwrap_or_default();
            let evidence = question["evidence"].as_array().into_iter().flatten().filter_map(Value::as_str);
            // Some name several turns in one string.
            let names = evidence.flat_map(|names| names.split([';', ',', ' ']));
            let mut evidence: Vec<u32> = names.filter_map(|name| places.get(name.trim()).copied()).collect();
            evidence.sort_unstable();
            evidence.dedup();
            if (1..=4).contains(&category) && !evidence.is_empty() {
                let text = question["question"].as_str().unwrap_or_default().to_owned();
                set.questions.push(Question { text, category, conversation: number, evidence });
            }
        }
    }
    Ok(set)
}

fn text(turn: &Value) -> String {
    let said = format!(
        "{}: {}",
        turn["speaker"].as_str().unwrap_or_default(),
        turn["text"].as_str().unwrap_or_default()
    );
    match turn["blip_caption"].as_str() {
        Some(caption) => format!("{said} [shares {caption}]"),
        None => said,
    }
}
