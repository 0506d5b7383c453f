//! What the surface asks: the recipes, the audit, undoing, matching free text.

use std::sync::Arc;

use sanctum_api::watch::{Audit, Classified, FreeText, Recipe as Shown, Verdict};
use sanctum_kernel::Chain;

use super::guard::By;
use super::ledger::{Line, days_before};
use super::recipe::DryRun;
use super::words::{self, Match};
use super::{Cause, HealError, Healer, Order, lock, model};
use crate::engine::{Acted, Action};

impl Healer {
    /// Every recipe, with how it has done so far.
    pub async fn recipes(&self) -> Result<Vec<Shown>, HealError> {
        let records = self.ledger.records().await?;
        let (book, config) = (Arc::clone(&lock(&self.book)), Arc::clone(&lock(&self.config)));
        let shown = book.recipes.values().map(|recipe| {
            let record = records.get(&recipe.id).cloned().unwrap_or_default();
            let mode = match recipe.dry_run {
                _ if config.off.contains(&recipe.id) => "off",
                DryRun::First => "rehearses first",
                DryRun::Never => "acts at once",
                DryRun::Always => "only rehearses",
            };
            Shown {
                id: recipe.id.clone(),
                summary: recipe.summary.clone(),
                trigger: recipe.trigger.clone(),
                severity: recipe.severity.word().to_owned(),
                reversible: recipe.reversible,
                cool_down: recipe.cool_down,
                mode: mode.to_owned(),
                last_fired: record.last_fired,
                helped: record.helped,
                tries: record.tries,
            }
        });
        Ok(shown.collect())
    }

    /// What is wrong with the owner's recipes, each with file and field.
    pub fn complaints(&self) -> Vec<String> {
        lock(&self.book).complaints.clone()
    }

    /// The lines of the last days, newest first.
    pub async fn audit(&self, days: u32) -> Result<Vec<Audit>, HealError> {
        Ok(self.ledger.since(days_before(self.hands.shared.clock.now(), days)).await?)
    }

    /// Undoes what a line says can be undone, and reads back that it is. Returns the new line.
    pub async fn undo(&self, id: i64, who: &str) -> Result<Audit, HealError> {
        let not = |why: &str| HealError::NotUndone { id, why: why.to_owned() };
        let done = self.ledger.find(id).await?.ok_or(HealError::NoLine(id))?;
        if done.undone {
            return Err(not("it has been undone already"));
        }
        if done.undo.is_empty() {
            return Err(not("nothing of it can be undone"));
        }
        let (mut said, mut left) = (Vec::new(), Vec::new());
        for undo in &done.undo {
            match undo.perform(&self.hands).await {
                Ok(words) => said.push(words),
                Err(why) => {
                    said.push(format!("not undone: {why}"));
                    left.push(undo.clone());
                }
            }
        }
        let line = Line {
            recipe: done.audit.recipe,
            service: done.audit.service,
            incident: done.audit.incident.and_then(|id| u64::try_from(id).ok()),
            by: By::Person(who.to_owned()).word(),
            outcome: if left.is_empty() { "undone" } else { "not-undone" },
            detail: said.join("; "),
            undo: left.clone(),
            about: Some(id),
        };
        let why = line.detail.clone();
        let written = self.ledger.write(self.hands.shared.clock.now(), line).await?;
        if !left.is_empty() {
            return Err(HealError::NotUndone { id, why });
        }
        Ok(self.ledger.find(written).await?.ok_or(HealError::NoLine(written))?.audit)
    }

    /// A recipe, because a person wants it: it need not rehearse, and may be a critical one. Every other guard holds.
    pub async fn run_recipe(&self, recipe: &str, service: Option<String>, who: &str) -> Acted {
        let action = Action::Recipe(recipe.to_owned());
        let by = By::Person(who.to_owned());
        self.act(Order { incident: None, service, action, cause: Cause::Asked, evidence: Vec::new(), by })
            .await
    }

    /// Every recipe that names this sentinel, if it is not green; what came of each.
    pub async fn on_verdict(&self, verdict: &Verdict) -> Vec<(String, Acted)> {
        use sanctum_api::watch::Light;
        if !matches!(verdict.light, Light::Amber | Light::Red) {
            return Vec::new();
        }
        let book = Arc::clone(&lock(&self.book));
        let named =
            book.recipes.values().filter(|recipe| recipe.detector.sentinels.contains(&verdict.sentinel));
        let mut outcomes = Vec::new();
        for recipe in named {
            let order = Order {
                incident: None,
                service: None,
                action: Action::Recipe(recipe.id.clone()),
                cause: Cause::Sentinel(verdict.sentinel.clone()),
                evidence: Vec::new(),
                by: By::House,
            };
            outcomes.push((recipe.id.clone(), self.act(order).await));
        }
        outcomes
    }

    /// Matches free text with a recipe that exists, and rehearses it: by words, and where those do not suffice, by the model of
    /// the house that is configured.
    pub async fn classify(&self, text: &FreeText) -> Classified {
        let (book, config) = (Arc::clone(&lock(&self.book)), Arc::clone(&lock(&self.config)));
        let (recipe, by, mut detail) = match words::classify(&text.text, &book.recipes) {
            Match::One { id, because } => (Some(id), "words", format!("because of: {}", because.join(", "))),
            Match::Unclear(close) => match &config.model {
                None if close.is_empty() => (None, "words", "no recipe knows these words".to_owned()),
                None => (None, "words", format!("between {}", close.join(", "))),
                Some(model) => {
                    let timeout = config.model_timeout.0;
                    let asked =
                        model::classify(&self.hands.shared, model, timeout, &text.text, &book.recipes);
                    match asked.await {
                        Ok(Some(id)) => (Some(id), "model", format!("`{model}` says so")),
                        Ok(None) => (None, "model", format!("`{model}` says that none fits")),
                        Err(error) => (None, "model", Chain(&error).to_string()),
                    }
                }
            },
        };
        if let Some(id) = &recipe {
            let order = Order {
                incident: None,
                service: text.service.clone(),
                action: Action::Recipe(id.clone()),
                cause: Cause::Asked,
                evidence: Vec::new(),
                by: By::Notice,
            };
            let outcome = match self.act(order).await {
                Acted::Done(words) => format!("done: {words}"),
                Acted::Rehearsed(words) => format!("rehearsed: {words}"),
                Acted::Refused(words) => format!("not done: {words}"),
                Acted::Failed(words) => format!("failed: {words}"),
            };
            detail = format!("{detail}; {outcome}");
        }
        Classified { recipe, by: by.to_owned(), detail }
    }
}
