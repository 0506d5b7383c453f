//! The inventory as the engine needs it.

use std::time::Duration;

use sanctum_kernel::inventory::{Inventory, Item, Kind};
use sanctum_kernel::{Period, Tier};

use super::{Action, Member, Question};

/// Bad and good answers in a row where the file says nothing.
const FAILS: u32 = 3;
const PASSES: u32 = 2;

/// How often something of this criticality is asked where the file says nothing.
const fn cadence(tier: Tier) -> Duration {
    match tier {
        Tier::Critical => Duration::from_secs(30),
        Tier::Important => Duration::from_mins(1),
        Tier::Ordinary => Duration::from_mins(5),
    }
}

impl Member {
    /// One for each item, at the same position; its checks are those of the item, in their order. Requirements that are not in
    /// the list are left out.
    pub fn list(inventory: &Inventory) -> Vec<Self> {
        let at = |name: &String| inventory.0.iter().position(|item| item.name == *name);
        let member = |item: &Item| Self {
            name: item.name.clone(),
            plane: item.plane,
            kind: item.kind,
            tier: item.tier,
            requires: item.requires.iter().filter_map(at).collect(),
            wants: item.wants.iter().filter_map(at).collect(),
            checks: questions(item),
            ladder: ladder(item),
            left: left(inventory, item),
        };
        inventory.0.iter().map(member).collect()
    }
}

fn questions(item: &Item) -> Vec<Question> {
    let question = |(name, check): (&String, &sanctum_kernel::inventory::check::Check)| Question {
        name: name.clone(),
        every: check.every.map_or(cadence(item.tier), |Period(every)| every),
        fails: check.fails.unwrap_or(FAILS),
        passes: check.passes.unwrap_or(PASSES),
        start_within: check.start_within.map_or(Duration::ZERO, |Period(within)| within),
    };
    item.check.iter().map(question).collect()
}

/// The dead-man's switch brings the supervisor back, and says so itself: a minute of silence, and what a start takes.
const BROUGHT_BACK: Duration = Duration::from_secs(90);

fn left(inventory: &Inventory, item: &Item) -> Duration {
    let has_switch = item.ours && item.name == "supervise" && inventory.get("deadman").is_some();
    if has_switch { BROUGHT_BACK } else { Duration::ZERO }
}

/// What is declared, and then, where the supervisor runs it, one level up and the subtree. What runs once or at its times is never
/// restarted.
fn ladder(item: &Item) -> Vec<Action> {
    let continuous = item.kind == Kind::Continuous;
    let declared = item.heal.iter().filter_map(|word| Action::parse(word));
    let declared = declared.filter(|action| continuous || matches!(action, Action::Recipe(_)));
    let mut ladder: Vec<Action> = declared.collect();
    if item.supervised && ladder.contains(&Action::Restart) {
        ladder.extend([Action::RestartRequirement, Action::RestartSubtree]);
    }
    ladder.dedup();
    ladder
}
