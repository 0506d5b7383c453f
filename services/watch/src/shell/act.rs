//! Taking a step.

use std::sync::Arc;

use sanctum_kernel::Inventory;
use sanctum_kernel::inventory::Item;

use crate::config::Config;
use crate::engine::{Acted, Action, Member};
use crate::heal::{By, Cause, Evidence, Healer, Order};
use crate::hub::Hub;

/// Who takes it. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Hands(pub(crate) Arc<Healer>);

impl Hands {
    /// The list as the engine wants it, with the ladders that healing knows.
    pub(crate) fn members(&self, config: &Config, inventory: &Inventory) -> Vec<Member> {
        let mut members = config.members(inventory);
        for (member, item) in members.iter_mut().zip(&inventory.0) {
            if !item.heal.is_empty() {
                member.ladder = self.0.ladder(item);
            }
        }
        members
    }

    pub(super) async fn act(&self, hub: &Hub, incident: u64, item: &Item, action: Action) -> Acted {
        let evidence = {
            let brain = hub.brain();
            let node = brain.find(&item.name).and_then(|at| brain.engine.node(at));
            let checks = node.into_iter().flat_map(|node| &node.checks).filter(|check| check.bad > 0);
            let evidence = checks.map(|check| Evidence {
                check: check.name.clone(),
                kind: item.check.get(&check.name).map(|check| check.kind().to_owned()).unwrap_or_default(),
                detail: check.detail.clone(),
            });
            evidence.collect()
        };
        let order = Order {
            incident: Some(incident),
            service: Some(item.name.clone()),
            action,
            cause: Cause::Checks,
            evidence,
            by: By::House,
        };
        self.0.act(order).await
    }
}

pub(super) const fn word(outcome: &Acted) -> &'static str {
    match outcome {
        Acted::Done(_) => "done",
        Acted::Rehearsed(_) => "rehearsed",
        Acted::Refused(_) => "refused",
        Acted::Failed(_) => "failed",
    }
}
