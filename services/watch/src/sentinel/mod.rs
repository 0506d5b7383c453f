//! Small scheduled looks at what surrounds the services, one verdict each: only a red one pages, the rest is ambient.

mod listeners;
mod seen;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use sanctum_api::watch::{Light, Verdict};
use sanctum_kernel::service::{Complaint, Shared};
use sanctum_kernel::{Clock, Inventory, Paths, Period, Stop};
use sanctum_probe::Prober;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::mpsc;

pub use listeners::{Listener, holder, listeners};
pub use seen::{Seen, lasting};

/// A look that has not ended by then is unknown: a hung disk hangs its own sentinel only.
const PATIENCE: Duration = Duration::from_secs(45);

/// What a sentinel may need to look.
#[derive(Debug, Clone)]
pub struct Eyes {
    pub paths: Paths,
    pub clock: Clock,
    pub prober: Prober,
    pub inventory: Arc<Mutex<Arc<Inventory>>>,
}

impl Eyes {
    pub fn inventory(&self) -> Arc<Inventory> {
        Arc::clone(&self.inventory.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at files and the like away from the threads that serve; a panic in there is an unknown, too.
    pub async fn aside(&self, look: impl FnOnce() -> Seen + Send + 'static) -> Seen {
        tokio::task::spawn_blocking(look).await.unwrap_or_else(|_| Seen::unknown("the look itself failed"))
    }
}

type Look = Box<dyn Fn(Eyes) -> BoxFuture<'static, Seen> + Send + Sync>;

/// One sentinel on its post.
struct Post {
    name: &'static str,
    every: Duration,
    look: Look,
}

/// Declares the sentinels: one file each, with a `Config` (`every`, `off`), a `Memory` (what it must know from the last time) and
/// `look`.
macro_rules! sentinels {
    ($($(#[$doc:meta])* $module:ident => $name:literal),+ $(,)?) => {
        $(mod $module;)+

        /// The sentinels: how often each looks, and what is amber and red to it.
        #[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
        pub struct Config {
            $($(#[$doc])* pub $module: $module::Config,)+
        }

        impl Config {
            pub fn complaints(&self) -> Vec<Complaint> {
                let mut complaints = Vec::new();
                $(
                    if self.$module.every < Period(Duration::from_millis(50)) {
                        let path = ["sentinel", $name, "every"];
                        complaints.push(Complaint::new(&path, format!("`{}` is too often", self.$module.every)).hint("at least `50ms`"));
                    }
                )+
                complaints
            }

            fn posts(&self) -> Vec<Post> {
                let mut posts = Vec::new();
                $(
                    if !self.$module.off {
                        let (config, memory) = (Arc::new(self.$module.clone()), Arc::new(tokio::sync::Mutex::new($module::Memory::default())));
                        posts.push(Post {
                            name: $name,
                            every: self.$module.every.0,
                            look: Box::new(move |eyes| {
                                let (config, memory) = (Arc::clone(&config), Arc::clone(&memory));
                                Box::pin(async move { config.look(&eyes, &mut *memory.lock().await).await })
                            }),
                        });
                    }
                )+
                posts
            }
        }
    };
}

sentinels! {
    /// How long certificates last.
    certificate_age => "certificate-age",
    /// When the last backup was written.
    backup_age => "backup-age",
    /// How wrong the clock is.
    clock_skew => "clock-skew",
    /// Room, inodes, read-only file systems, and what the disks say of themselves.
    disk_health => "disk-health",
    /// Who may read the secrets, and whether they are the same as yesterday.
    secret_drift => "secret-drift",
    /// What listens to the network without being declared.
    listening_ports => "listening-ports",
    /// Containers that are started again and again.
    container_restarts => "container-restarts",
    /// Whether the logs will fill the disk.
    log_growth => "log-growth",
    /// Whether the internet is there.
    wan => "wan",
    /// Mains, batteries.
    power => "power",
}

/// All of them, with what they said last.
pub struct Sentinels {
    posts: Vec<Post>,
    eyes: Eyes,
    said: Arc<Mutex<BTreeMap<String, Verdict>>>,
}

impl Sentinels {
    /// `before` is what they said in an earlier life, so that `since` survives a restart.
    pub fn new(config: &Config, shared: &Shared, inventory: Inventory, before: Vec<Verdict>) -> Self {
        let eyes = Eyes {
            paths: shared.paths.clone(),
            clock: shared.clock.clone(),
            prober: Prober::new(shared),
            inventory: Arc::new(Mutex::new(Arc::new(inventory))),
        };
        Self::with(config, eyes, before)
    }

    fn with(config: &Config, eyes: Eyes, before: Vec<Verdict>) -> Self {
        let said = before.into_iter().map(|verdict| (verdict.sentinel.clone(), verdict)).collect();
        Self { posts: config.posts(), eyes, said: Arc::new(Mutex::new(said)) }
    }

    /// The declarations have changed.
    pub fn revise(&self, inventory: Inventory) {
        *self.eyes.inventory.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(inventory);
    }

    /// Looks at the cadence of each and sends every verdict, until stopped. Who hears one whose light has turned red tells it once.
    pub async fn run(self, stop: Stop, tell: mpsc::Sender<Vec<Verdict>>) {
        let Self { posts, eyes, said } = &self;
        let all = posts.iter().enumerate().map(|(at, post)| {
            let (stop, tell) = (stop.clone(), tell.clone());
            async move {
                // Their first looks do not all come in one moment.
                let stagger = Duration::from_millis(40).saturating_mul(u32::try_from(at).unwrap_or(0));
                let mut pause = stagger.min(post.every);
                while stop.or(eyes.clock.sleep(pause)).await.is_some() {
                    pause = post.every;
                    let Some(verdict) = stop.or(judge(post, eyes, said)).await else { return };
                    if tell.send(vec![verdict]).await.is_err() {
                        return;
                    }
                }
            }
        });
        join_all(all).await;
    }
}

async fn judge(post: &Post, eyes: &Eyes, said: &Mutex<BTreeMap<String, Verdict>>) -> Verdict {
    let late = || Seen::unknown(format!("it could not be looked at within {}", Period(PATIENCE)));
    let seen = tokio::time::timeout(PATIENCE, (post.look)(eyes.clone())).await.unwrap_or_else(|_| late());
    let at = eyes.clock.now();
    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
    let since =
        said.get(post.name).filter(|before| before.light == seen.light).map_or(at, |before| before.since);
    let verdict = Verdict {
        sentinel: post.name.to_owned(),
        light: seen.light,
        detail: seen.detail,
        hint: seen.hint,
        at,
        since,
    };
    said.insert(post.name.to_owned(), verdict.clone());
    verdict
}

/// Whether somebody is to be told.
pub fn is_red(verdict: &Verdict) -> bool {
    verdict.light == Light::Red
}

#[cfg(test)]
mod tests;
