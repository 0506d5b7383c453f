//! One order, from the guards to the audit.

use std::sync::Arc;
use std::time::Duration;

use sanctum_api::notify::{Notice, Severity as Loud};
use sanctum_api::watch::Posture;
use sanctum_kernel::Chain;
use sanctum_kernel::trace::{hex, random};
use sanctum_store::StoreError;

use super::case::{Case, Found};
use super::guard::{By, Decision, Facts, Known, decide};
use super::hands::script;
use super::ledger::Line;
use super::moment::Moment;
use super::recipe::{Recipe, Remedy, Severity, is_id};
use super::step::Step;
use super::undo::Undo;
use super::{Healer, Order, lock, switch};
use crate::engine::{Acted, Action};

/// What stands in the audit where no service is named.
const HOUSE: &str = "house";

/// The id of the recipe behind a step of the ladder.
fn id_of(action: &Action) -> &str {
    match action {
        Action::Restart => "restart",
        Action::RestartRequirement => "restart-requirement",
        Action::RestartSubtree => "restart-subtree",
        Action::Recipe(id) => id,
    }
}

/// What is asked for, and when.
struct Ask<'a> {
    order: &'a Order,
    id: &'a str,
    service: &'a str,
    recipe: Option<&'a Recipe>,
    now: Moment,
}

/// Taken while a recipe is at work for a service.
struct AtWork<'a> {
    healer: &'a Healer,
    key: (String, String),
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        lock(&self.healer.at_work).remove(&self.key);
    }
}

impl Healer {
    /// Does what is ordered, if every guard lets it; whatever comes of it stands in the audit.
    pub async fn act(&self, order: Order) -> Acted {
        match self.guarded(&order).await {
            Ok(acted) => acted,
            // Who cannot write down what is done does nothing.
            Err(error) => Acted::Refused(format!("the audit cannot be kept: {}", Chain(&error))),
        }
    }

    async fn guarded(&self, order: &Order) -> Result<Acted, StoreError> {
        let id = id_of(&order.action).to_owned();
        let service = order.service.clone().unwrap_or_else(|| HOUSE.to_owned());
        let book = Arc::clone(&lock(&self.book));
        let recipe = book.recipes.get(&id);
        let key = (id.clone(), service.clone());
        let mine = lock(&self.at_work).insert(key.clone());
        let _at_work = mine.then(|| AtWork { healer: self, key });
        let now = Moment::now(&self.hands.shared.clock);
        let ask = Ask { order, id: &id, service: &service, recipe, now };
        let facts = self.facts(&ask, !mine).await?;
        let decision = decide(&facts);
        let (recipe, rehearsal) = match (decision, recipe) {
            (Decision::Refuse(guard, why), _) => {
                return self.refuse(&ask, format!("{}: {why}", guard.word())).await;
            }
            (_, None) => {
                return self.refuse(&ask, "there is no such recipe".to_owned()).await;
            }
            (Decision::Rehearse(why), Some(recipe)) => (recipe, Some(why)),
            (Decision::Act, Some(recipe)) => (recipe, None),
        };
        let inventory = Arc::clone(&lock(&self.inventory));
        let aside = format!("{}-{}", self.hands.shared.clock.now().as_second(), hex(&random::<6>()));
        let case = Case {
            hands: &self.hands,
            ledger: &self.ledger,
            inventory: &inventory,
            item: order.service.as_deref().and_then(|name| inventory.get(name)),
            evidence: &order.evidence,
            cause: &order.cause,
            aside: self.aside().join(aside),
            incident: order.incident,
        };
        let found = match case.fits(&recipe.detector).await {
            Ok(()) => recipe.action.look(&case).await,
            Err(why) => Found::Nothing(why),
        };
        match found {
            Found::Nothing(why) => self.refuse(&ask, format!("nothing to mend: {why}")).await,
            Found::Advice(what) => self.refuse(&ask, format!("a person's to mend: {what}")).await,
            Found::Plan(steps) => match rehearsal {
                Some(why) => self.rehearse(&ask, &steps, &why).await,
                None => self.perform(&ask, recipe, &steps).await,
            },
        }
    }

    async fn facts(&self, ask: &Ask<'_>, in_flight: bool) -> Result<Facts, StoreError> {
        let Ask { order, id, service, recipe, now } = ask;
        let config = Arc::clone(&lock(&self.config));
        let fired = self.ledger.pace(id, service, "fired").await?;
        let seen = self.ledger.pace(id, service, "seen").await?;
        let severity = recipe.map_or(Severity::Low, |recipe| recipe.severity);
        let per_hour = match severity {
            Severity::Low => config.per_hour.low,
            Severity::Medium => config.per_hour.medium,
            Severity::High | Severity::Critical => config.per_hour.high,
        };
        let saving = *lock(&self.posture) == Posture::Conserving;
        Ok(Facts {
            killed: switch::words(&self.hands.shared.paths),
            forbidden: self.forbidden(id, *recipe),
            in_flight,
            fired: fired.map(|then| then.at_least(now)),
            seen: seen.and_then(|then| then.at_most(now)),
            promote_within: config.promote_within.0,
            known: recipe.map(|recipe| Known {
                cool_down: recipe.cool_down.0,
                dry_run: recipe.dry_run,
                severity,
                off: config.off.iter().any(|off| off == *id),
            }),
            fires: self.ledger.fires(severity, now).await?,
            budget: if saving { per_hour.div_ceil(2) } else { per_hour },
            by: order.by.clone(),
        })
    }

    /// Why it is not on the list of what may be done: an id that could lead somewhere, a script that is not as it must be.
    fn forbidden(&self, id: &str, recipe: Option<&Recipe>) -> Option<String> {
        if !is_id(id) {
            return Some(format!(
                "`{}` is no id of a recipe",
                id.escape_default().take(60).collect::<String>()
            ));
        }
        let recipe = recipe?;
        let mut scripts: Vec<&str> = Vec::new();
        scripts.extend(recipe.detector.script.as_ref().map(|script| script.file.as_str()));
        if let Remedy::Script(script) = &recipe.action {
            scripts.push(&script.file);
            scripts.extend(script.undo.as_deref());
        }
        scripts.into_iter().find_map(|name| script::allowed(&self.hands.scripts(), name).err())
    }

    fn line(ask: &Ask<'_>, outcome: &'static str, detail: String) -> Line {
        Line {
            // What somebody wrote goes into the audit shortened: it may be anything.
            recipe: ask.id.escape_debug().take(60).collect(),
            service: ask.service.to_owned(),
            incident: ask.order.incident,
            by: ask.order.by.word(),
            outcome,
            detail,
            undo: Vec::new(),
            about: None,
        }
    }

    async fn write(&self, line: Line) -> Result<i64, StoreError> {
        self.ledger.write(self.hands.shared.clock.now(), line).await
    }

    async fn refuse(&self, ask: &Ask<'_>, why: String) -> Result<Acted, StoreError> {
        self.write(Self::line(ask, "refused", why.clone())).await?;
        Ok(Acted::Refused(why))
    }

    async fn rehearse(&self, ask: &Ask<'_>, steps: &[Step], why: &str) -> Result<Acted, StoreError> {
        let detail = format!("would {} ({why})", words(steps));
        self.write(Self::line(ask, "rehearsed", detail.clone())).await?;
        // Only now it counts as seen: a rehearsal that nobody can read about is none.
        self.ledger.note(ask.id, ask.service, None, &ask.now).await?;
        Ok(Acted::Rehearsed(detail))
    }

    async fn perform(&self, ask: &Ask<'_>, recipe: &Recipe, steps: &[Step]) -> Result<Acted, StoreError> {
        let undo: Vec<Undo> = steps.iter().rev().filter_map(Step::undo).collect();
        let mut line = Self::line(ask, "began", words(steps));
        line.undo.clone_from(&undo);
        let begun = self.write(line).await?;
        self.ledger.note(ask.id, ask.service, Some(recipe.severity), &ask.now).await?;
        let mut seen = Vec::new();
        let mut failed = None;
        let mut done = 0;
        for step in steps {
            match step.perform(&self.hands).await {
                Ok(words) => seen.push(words),
                Err(why) => {
                    failed = Some(why);
                    break;
                }
            }
            done += 1;
        }
        let said = seen.join("; ");
        let Some(why) = failed else {
            let mut line = Self::line(ask, "acted", said.clone());
            (line.undo, line.about) = (undo, Some(begun));
            self.write(line).await?;
            self.escalate(ask, recipe, &said).await;
            return Ok(Acted::Done(said));
        };
        let back = self.roll_back(steps.get(..=done).unwrap_or(steps)).await;
        let mut detail = why;
        if !said.is_empty() {
            detail = format!("{said}; then: {detail}");
        }
        let (words, left) = back;
        if !words.is_empty() {
            detail = format!("{detail}; {words}");
        }
        let mut line = Self::line(ask, "failed", detail.clone());
        (line.undo, line.about) = (left, Some(begun));
        self.write(line).await?;
        self.escalate(ask, recipe, &detail).await;
        Ok(Acted::Failed(detail))
    }

    /// Undoes, last first, what a plan did before it failed; returns what was said, and what could not be undone.
    async fn roll_back(&self, steps: &[Step]) -> (String, Vec<Undo>) {
        let (mut said, mut left) = (Vec::new(), Vec::new());
        for undo in steps.iter().rev().filter_map(Step::undo) {
            match undo.perform(&self.hands).await {
                Ok(words) => said.push(format!("undone: {words}")),
                Err(why) => {
                    said.push(format!("not undone: {why}"));
                    left.push(undo);
                }
            }
        }
        (said.join("; "), left)
    }

    /// Of what changes much a person hears at once; what belongs to an incident is told with it.
    async fn escalate(&self, ask: &Ask<'_>, recipe: &Recipe, what: &str) {
        let Ask { order, service, .. } = ask;
        if recipe.severity < Severity::High || order.incident.is_some() || matches!(order.by, By::Person(_)) {
            return;
        }
        let title = format!("{service}: {}", recipe.summary);
        let message = format!("{what}\n\n`sanctum heal audit` shows it, and what would undo it.");
        let mut notice = Notice::plain("watch", Loud::Warn, title, message);
        notice.dedup_key = Some(format!("heal.{}.{service}", recipe.id));
        let tell = sanctum_http::tell(&self.hands.shared, notice, true);
        tokio::time::timeout(Duration::from_secs(15), tell).await.ok();
    }
}

fn words(steps: &[Step]) -> String {
    steps.iter().map(Step::words).collect::<Vec<_>>().join(", then ")
}
