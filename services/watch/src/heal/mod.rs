//! R2-D2: vetted recipes, the guards before them, and what was done, with what would undo it.

mod act;
mod case;
mod config;
mod database;
mod engine_socket;
mod face;
mod guard;
mod hands;
mod ledger;
mod model;
mod moment;
mod recipe;
mod remedy;
pub mod schema;
mod step;
pub mod switch;
mod undo;
mod words;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use sanctum_api::watch::Posture;
use sanctum_kernel::inventory::Item;
use sanctum_kernel::service::Shared;
use sanctum_kernel::{Chain, Inventory, Stop, files};
use sanctum_store::{Db, StoreError};

pub use config::{Config, PerHour};
pub use guard::By;
pub use recipe::CheckKind;

use crate::engine::Action;
use ledger::{Ledger, Line};
use recipe::Book;
use step::Hands;

/// How often what works is taken note of.
const REMEMBER: std::time::Duration = std::time::Duration::from_mins(5);

/// What is to be done, and why.
#[derive(Debug, Clone)]
pub struct Order {
    pub incident: Option<u64>,
    /// The service it is done for, as it is called in the inventory; none for what concerns the whole machine.
    pub service: Option<String>,
    pub action: Action,
    pub cause: Cause,
    /// What the failing checks have seen.
    pub evidence: Vec<Evidence>,
    pub by: By,
}

/// What makes somebody want it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Cause {
    /// Checks that fail: the evidence must be what the recipe is for.
    #[default]
    Checks,
    /// A sentinel that is not green, by its name.
    Sentinel(String),
    /// A person or a text says so; what the action looks for must be there all the same.
    Asked,
}

/// A check that fails.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Its short name in the file.
    pub check: String,
    /// `http`, `tcp`, …
    pub kind: String,
    /// What was seen, for people.
    pub detail: String,
}

/// Why something asked of healing itself was not done.
#[derive(Debug, thiserror::Error)]
pub enum HealError {
    #[error("there is no line {0} in the audit")]
    NoLine(i64),
    #[error("line {id} cannot be undone: {why}")]
    NotUndone { id: i64, why: String },
    #[error("what is remembered cannot be read or written")]
    Store(#[from] StoreError),
}

/// Heals what may be healed.
#[derive(Debug)]
pub struct Healer {
    hands: Hands,
    ledger: Ledger,
    config: Mutex<Arc<Config>>,
    book: Mutex<Arc<Book>>,
    inventory: Mutex<Arc<Inventory>>,
    posture: Mutex<Posture>,
    /// What is at work now: recipe and service.
    at_work: Mutex<BTreeSet<(String, String)>>,
}

/// The id of every recipe of this house, the owner's among them: what `recipe:ID` in `[service.NAME] heal` may name.
pub fn ids(paths: &sanctum_kernel::Paths) -> Vec<String> {
    recipe::load(&paths.home().join("recipes")).recipes.into_keys().collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Healer {
    /// Reads the recipes. `db` is the service's database, migrated with [`schema::MIGRATION`].
    pub fn new(shared: &Shared, config: Config, inventory: Arc<Inventory>, db: Db) -> Self {
        let hands = Hands { shared: shared.clone(), restart_within: config.restart_within.0 };
        let healer = Self {
            ledger: Ledger::new(db),
            config: Mutex::new(Arc::new(config)),
            book: Mutex::default(),
            inventory: Mutex::new(inventory),
            posture: Mutex::default(),
            at_work: Mutex::default(),
            hands,
        };
        healer.reread();
        healer
    }

    /// Another configuration, or other services.
    pub fn revise(&self, config: Config, inventory: Arc<Inventory>) {
        *lock(&self.config) = Arc::new(config);
        *lock(&self.inventory) = inventory;
        self.reread();
    }

    /// Reads the owner's recipes anew; returns what is wrong with them, each with file and field.
    pub fn reread(&self) -> Vec<String> {
        let book = recipe::load(&self.hands.home().join("recipes"));
        for complaint in &book.complaints {
            tracing::warn!(complaint, "a recipe is not used");
        }
        let complaints = book.complaints.clone();
        *lock(&self.book) = Arc::new(book);
        complaints
    }

    /// How tense the house is: while it saves its strength, half as much is done by itself.
    pub fn posture(&self, posture: Posture) {
        *lock(&self.posture) = posture;
    }

    /// What may be tried for a service, in this order: what it declares, then what the shipped ladder adds.
    pub fn ladder(&self, item: &Item) -> Vec<Action> {
        let mut ladder: Vec<Action> = Vec::new();
        let declared = item.heal.iter().map(|word| match word.strip_prefix("recipe:") {
            Some(id) => Action::Recipe(id.to_owned()),
            None => Action::Restart,
        });
        let kinds: Vec<CheckKind> = item.check.values().filter_map(CheckKind::of).collect();
        let book = Arc::clone(&lock(&self.book));
        // What looks and finds nothing costs nothing: it refuses.
        let fitting = book.recipes.values().filter(|recipe| {
            let checks = &recipe.detector.checks;
            let any = checks.iter().any(|kind| kinds.contains(kind));
            let starts = checks.is_empty() && recipe.detector.sentinels.is_empty() && item.supervised;
            recipe.action.is_specific() && (any || starts && recipe.action.is_about_starting())
        });
        let fitting = fitting.map(|recipe| Action::Recipe(recipe.id.clone()));
        let wide = [Action::RestartRequirement, Action::RestartSubtree];
        let wide = wide.into_iter().filter(|_| item.supervised && !item.requires.is_empty());
        for action in declared.chain(fitting).chain(wide) {
            if !ladder.contains(&action) {
                ladder.push(action);
            }
        }
        ladder
    }

    /// Takes note of what works, clears what was put aside long ago, and says what was torn off; until it is asked to stop.
    pub async fn run(&self, stop: Stop) {
        self.mend_audit().await;
        loop {
            self.remember().await;
            if stop.or(self.hands.shared.clock.sleep(REMEMBER)).await.is_none() {
                return;
            }
        }
    }

    /// Takes note of the default route, the resolvers and new secrets, as they are while nothing is wrong with them.
    pub async fn remember(&self) {
        let home = self.hands.home().to_owned();
        let book = Arc::clone(&lock(&self.book));
        let resolver = book.recipes.values().find_map(|recipe| match &recipe.action {
            recipe::Remedy::RestoreResolver(resolver) => Some(resolver.file.clone()),
            _ => None,
        });
        for outcome in [
            remedy::remember_route(&self.ledger).await,
            remedy::remember_resolver(&self.ledger, &resolver.unwrap_or_default()).await,
            remedy::remember_secrets(&self.ledger, &home, false).await,
        ] {
            if let Err(error) = outcome {
                tracing::warn!(error, "what works could not be taken note of");
            }
        }
        self.clear_aside();
    }

    /// A person says that the secrets are as they should be.
    pub async fn accept_secrets(&self) -> Result<(), String> {
        remedy::remember_secrets(&self.ledger, self.hands.home(), true).await
    }

    fn aside(&self) -> std::path::PathBuf {
        self.hands.shared.paths.state().join("heal-aside")
    }

    /// What was put aside longer ago than the configuration says goes.
    fn clear_aside(&self) {
        let keep = lock(&self.config).keep_aside.0;
        let now = self.hands.shared.clock.now().as_second();
        let Ok(entries) = std::fs::read_dir(self.aside()) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            // Each folder is named after the second it was made in.
            let made = name.to_str().and_then(|name| name.split('-').next()?.parse::<i64>().ok());
            let old = made.is_some_and(|made| {
                now.saturating_sub(made) > i64::try_from(keep.as_secs()).unwrap_or(i64::MAX)
            });
            if old
                && entry.file_type().is_ok_and(|kind| kind.is_dir())
                && let Err(error) = std::fs::remove_dir_all(entry.path())
            {
                tracing::warn!(%error, "what was put aside could not be cleared");
            }
        }
    }

    /// What had begun when the house ended in the middle of it is said to have failed, with what would undo it.
    async fn mend_audit(&self) {
        let torn = match self.ledger.torn().await {
            Ok(torn) => torn,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "the audit could not be read");
                return;
            }
        };
        for done in torn {
            let line = Line {
                recipe: done.audit.recipe,
                service: done.audit.service,
                incident: done.audit.incident.and_then(|id| u64::try_from(id).ok()),
                by: done.by,
                outcome: "failed",
                detail: "the house ended in the middle of it".to_owned(),
                undo: done.undo,
                about: Some(done.audit.id),
            };
            if let Err(error) = self.ledger.write(self.hands.shared.clock.now(), line).await {
                tracing::warn!(error = %Chain(&error), "the audit could not be written");
            }
        }
    }

    /// Makes the folders an owner needs, each for its owner only.
    pub fn prepare(&self) -> Result<(), files::FileError> {
        files::private_dir(&self.hands.home().join("recipes"))?;
        files::private_dir(&self.hands.scripts())
    }
}
