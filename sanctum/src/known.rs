//! The services a word on the command line may mean: ours and those the file declares.

use sanctum_kernel::chain::Hinted;
use sanctum_kernel::inventory::Declared;
use sanctum_kernel::{Failure, exit};

use crate::CATALOGUE;
use crate::cli::Cli;

impl Cli {
    /// The service a word means, by its name, its house name or what people call it.
    pub(crate) fn service(&self, word: &str) -> Result<String, Failure> {
        if let Some(entry) = CATALOGUE.find(word) {
            return Ok(entry.spec.name.to_owned());
        }
        let declared = self.declared();
        let called =
            |declared: &Declared| declared.name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(word));
        let found = declared.iter().find(|(name, declared)| name == word || called(declared));
        if let Some((name, _)) = found {
            return Ok(name.clone());
        }
        // A service that was taken out of the file, or whose file is broken, may still run, and has its log.
        if self.paths.logs().join(format!("{word}.log")).is_file() && !word.contains('/') {
            return Ok(word.to_owned());
        }
        let ours = CATALOGUE.iter().map(|entry| entry.spec.name.to_owned());
        let known: Vec<String> = ours.chain(declared.into_iter().map(|(name, _)| name)).collect();
        Err(Hinted::new(
            exit::USAGE,
            format!("no service is called `{word}`"),
            format!("the services are {}", known.join(", ")),
        )
        .into())
    }

    /// What the file declares; nothing while it is missing or broken.
    pub(crate) fn declared(&self) -> Vec<(String, Declared)> {
        if !self.paths.config().exists() {
            return Vec::new();
        }
        let house = self.settings().map(|loaded| loaded.house).ok();
        house
            .map(|house| {
                house.service.iter().map(|(name, declared)| (name.clone(), declared.clone())).collect()
            })
            .unwrap_or_default()
    }

    /// Everything that writes a log: ours, and what the supervisor runs of the rest.
    pub(crate) fn logged(&self) -> Vec<String> {
        let ours = CATALOGUE.iter().map(|entry| entry.spec.name.to_owned());
        ours.chain(
            self.declared().into_iter().filter(|(_, declared)| declared.run.is_some()).map(|(name, _)| name),
        )
        .collect()
    }
}
