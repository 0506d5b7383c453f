//! Taking over a changed file: what is new is started, what is gone is stopped, what is otherwise is started anew, and
//! everything else does not notice.

use std::collections::BTreeMap;
use std::sync::Arc;

use sanctum_kernel::{Chain, Failure, House, Status};

use super::begin::member;
use super::{Face, Keeper, Ours};
use crate::engine::{Bond, Fate, Shape};
use crate::{Config, Plan, order, plan};

/// Every plan there is: ours and those of the file.
pub(super) fn declared(ours: &Ours, config: &Config, house: &House) -> Result<Vec<Plan>, Failure> {
    let mut plans = ours(config)?;
    let foreign = plan::of_house(house, &plans);
    plans.extend(foreign);
    Ok(plans)
}

impl Keeper {
    /// Makes the house as it is declared now.
    pub(super) async fn reshape(&mut self) {
        if self.leaving {
            return;
        }
        let resolved = declared(&self.ours, &self.config, &self.house)
            .and_then(|plans| Ok((order::resolve(plans.iter())?, plans)));
        let (bonds, plans) = match resolved {
            Ok(resolved) => resolved,
            Err(error) => {
                tracing::error!(error = %Chain(&*error), "the changed declarations cannot be run: the old ones stay");
                let detail = format!("the changed declarations cannot be run: {}", Chain(&*error));
                self.shared.well.set_hint(
                    "declarations",
                    Status::Degraded,
                    detail,
                    "mend `[service.…]` in sanctum.toml",
                );
                return;
            }
        };
        self.shared.well.clear("declarations");
        let fates = self.place(&plans);
        let slots: BTreeMap<&str, usize> =
            self.plans.iter().enumerate().map(|(at, plan)| (plan.name.as_str(), at)).collect();
        // From places in the new list to places here.
        let places: Vec<usize> =
            plans.iter().filter_map(|plan| slots.get(plan.name.as_str()).copied()).collect();
        let mut here: BTreeMap<usize, Vec<(usize, Bond)>> = BTreeMap::new();
        for (at, bonds) in bonds.into_iter().enumerate() {
            let Some(&slot) = places.get(at) else { continue };
            let moved = bonds.into_iter().filter_map(|(to, bond)| Some((*places.get(to)?, bond)));
            here.insert(slot, moved.collect());
        }
        let shapes = self.plans.iter().zip(fates).enumerate().map(|(at, (plan, fate))| Shape {
            member: member(plan, here.remove(&at).unwrap_or_default()),
            fate,
        });
        let shapes: Vec<Shape> = shapes.collect();
        let commands = self.engine.reshape(shapes, self.now());
        self.touch_all();
        self.obey(commands, None).await;
        self.due().await;
    }

    /// Puts the new plans into their places and says what becomes of each.
    fn place(&mut self, plans: &[Plan]) -> Vec<Fate> {
        let mut fates = Vec::with_capacity(plans.len());
        for here in &mut self.plans {
            let Some(plan) = plans.iter().find(|plan| plan.name == here.name) else {
                fates.push(Fate::Gone);
                continue;
            };
            let same = plan.signature() == here.signature() && plan.kind == here.kind;
            fates.push(if same { Fate::Same } else { Fate::Changed });
            if **here != *plan {
                *here = Arc::new(plan.clone());
            }
        }
        let now = self.shared.clock.now();
        for plan in plans {
            if !self.plans.iter().any(|here| here.name == plan.name) {
                self.plans.push(Arc::new(plan.clone()));
                self.faces.push(Face::new(now, None));
                fates.push(Fate::New);
            }
        }
        let counted = |wanted: Fate| fates.iter().filter(|fate| **fate == wanted).count();
        tracing::info!(
            new = counted(Fate::New),
            changed = counted(Fate::Changed),
            same = counted(Fate::Same),
            "the house is made as it is declared now"
        );
        fates
    }
}
