//! The optional stages as one configuration has them.

use sanctum_kernel::Failure;
use sanctum_kernel::service::Shared;
use sanctum_llm::Request;

use crate::config::Config;
use crate::stages::cache::Cache;
use crate::stages::limits::Limits;
use crate::stages::marks;
use crate::stages::mask::Mask;
use crate::stages::recall::Recall;
use crate::stages::repair::{self, Repair};

/// All of them; most are off.
#[derive(Debug)]
pub(crate) struct Wardrobe {
    pub(crate) mask: Mask,
    marks: marks::Config,
    pub(crate) repair: Repair,
    /// For a request that has been refused for a signature, or whose messages were left out.
    pub(crate) always_repair: Repair,
    pub(crate) cache: Cache,
    pub(crate) limits: Limits,
    pub(crate) recall: std::sync::Arc<Recall>,
}

impl Wardrobe {
    /// `before` is what was in force; what the limits have counted goes on.
    pub(crate) fn new(config: &Config, shared: &Shared, before: Option<&Self>) -> Result<Self, Failure> {
        let limits = match before {
            Some(before) => before.limits.reloaded(config.limits.clone()),
            None => Limits::new(config.limits.clone()),
        };
        Ok(Self {
            mask: Mask::new(config.mask.clone()),
            marks: config.marks.clone(),
            repair: Repair::new(config.repair.clone()),
            always_repair: Repair::new(repair::Config { on: true, foreign: config.repair.foreign }),
            cache: Cache::new(config.cache.clone()),
            limits,
            recall: std::sync::Arc::new(Recall::open(
                config.recall.clone(),
                &shared.paths,
                &shared.peers,
                shared.clock.clone(),
            )?),
        })
    }

    pub(crate) const fn marks_on(&self) -> bool {
        self.marks.on
    }

    /// Sets marks; whether any was.
    pub(crate) fn mark(&self, request: &mut Request) -> bool {
        self.marks.on && marks::before(&self.marks, request) > 0
    }
}
