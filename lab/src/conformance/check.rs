//! What a check is, and how all of them are run.

use sanctum_testkit::provider::FAULTS;
use serde_json::{Value, json};

use super::dialect::{CLIENTS, pairs};
use super::stage::Stage;
use super::{clients, pairs as of_pairs, rows, specials};

/// `Err` says what the client saw instead.
pub(super) type Outcome = Result<(), String>;

/// A check that was made.
#[derive(Debug)]
pub(super) struct Checked {
    /// `chat > anthropic`, `messages`, `embeddings`, …
    pub(super) group: String,
    pub(super) name: String,
    /// The numbers of the points of conformance it proves.
    pub(super) points: Vec<u8>,
    /// `None` where the gateway does not offer the route.
    pub(super) outcome: Option<Outcome>,
}

impl Checked {
    pub(super) fn json(&self) -> Value {
        let (verdict, why) = match &self.outcome {
            None => ("not offered", None),
            Some(Ok(())) => ("passed", None),
            Some(Err(why)) => ("failed", Some(why)),
        };
        json!({ "group": self.group, "check": self.name, "points": self.points, "verdict": verdict, "why": why })
    }
}

/// All of them, one after another; `see` hears of each.
pub(super) fn run(stage: &Stage, only: Option<&str>, mut see: impl FnMut(&Checked)) -> Vec<Checked> {
    let mut all = Vec::new();
    let mut made = |group: String, name: String, points: &[u8], outcome: &dyn Fn() -> Option<Outcome>| {
        if only.is_some_and(|word| !format!("{group}: {name}").contains(word)) {
            return;
        }
        stage.fresh();
        let checked = Checked { group, name, points: points.to_vec(), outcome: outcome() };
        see(&checked);
        all.push(checked);
    };
    for (client, upstream) in pairs() {
        let group = format!("{} > {}", client.word(), upstream.word());
        for (name, points, check) in of_pairs::CHECKS {
            made(group.clone(), (*name).to_owned(), points, &|| {
                stage.pair(client, upstream).map(|pair| check(stage, &pair))
            });
        }
    }
    for client in CLIENTS {
        let own = || stage.pair(client, client.own());
        for (name, points, check) in clients::CHECKS {
            let name = (*name).to_owned();
            made(client.word().to_owned(), name, points, &|| own().map(|pair| check(stage, &pair)));
        }
        for row in FAULTS.iter().filter(|row| stage.ours || !rows::needs_short_patience(row)) {
            for stream in [false, true] {
                let name = format!("{}{}", row.what, if stream { ", streamed" } else { "" });
                made(format!("{} faults", client.word()), name, &[6, 7, 17], &|| {
                    own().map(|pair| rows::check(stage, &pair, row, stream))
                });
            }
        }
    }
    for (group, name, points, check) in specials::CHECKS {
        made((*group).to_owned(), (*name).to_owned(), points, &|| check(stage));
    }
    all
}
