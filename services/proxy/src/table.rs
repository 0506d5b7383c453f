//! The models that can be asked for, and what a name means.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::config::{Can, Config, Locality, Ready};
use crate::glob::Glob;
use crate::kinds::{Price, Tier};

/// The name that leaves the choice to the house.
pub(crate) const AUTO: &str = "auto";

/// One model, or a family of them whose names match a glob.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// What a client writes: a name or a glob.
    pub(crate) id: Glob,
    /// The provider's name in the configuration.
    pub(crate) provider: Arc<str>,
    /// How the provider calls it; as it was asked for if absent.
    pub(crate) name: Option<Arc<str>>,
    pub(crate) tier: Tier,
    pub(crate) price: Option<Price>,
    pub(crate) context: Option<u64>,
    pub(crate) max_output: Option<u64>,
    pub(crate) can: Option<Vec<Can>>,
    pub(crate) locality: Locality,
    pub(crate) fallback: Vec<String>,
    pub(crate) auto: bool,
}

/// A model, by the name its provider knows it by.
#[derive(Debug, Clone)]
pub(crate) struct Pick {
    pub(crate) entry: Arc<Entry>,
    pub(crate) name: Arc<str>,
}

/// Which rule found a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rule {
    Exact,
    /// By this alias.
    Alias(String),
    /// By this glob.
    Glob(String),
    /// `provider/model`.
    Provider,
    /// The house chose.
    Auto,
    /// The client pays with credentials of its own, by this route.
    OwnCredentials(String),
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact => f.write_str("exact"),
            Self::Alias(name) => write!(f, "alias {name}"),
            Self::Glob(glob) => write!(f, "glob {glob}"),
            Self::Provider => f.write_str("provider"),
            Self::Auto => f.write_str("auto"),
            Self::OwnCredentials(name) => write!(f, "own-credentials {name}"),
        }
    }
}

/// What a provider's configuration says of its models.
#[derive(Debug, Clone)]
struct House {
    locality: Locality,
    price: Option<Price>,
    /// Models whose names end like this are only passed on to a cloud.
    cloud_suffixes: &'static [&'static str],
}

/// Ollama's names of models that run at its maker's.
const OLLAMA_CLOUD: &[&str] = &[":cloud", "-cloud"];

/// What names mean.
#[derive(Debug, Default)]
pub(crate) struct Table {
    exact: HashMap<String, Arc<Entry>>,
    globs: Vec<Arc<Entry>>,
    aliases: BTreeMap<String, String>,
    houses: BTreeMap<Arc<str>, House>,
    /// Everything, in the order of the configuration.
    pub(crate) entries: Vec<Arc<Entry>>,
}

/// An alias may name an alias, so often.
const DEEPEST_ALIAS: usize = 8;

impl Table {
    pub(crate) fn new(config: &Config) -> Self {
        let mut table = Self { aliases: config.alias.clone(), ..Self::default() };
        for (name, provider) in config.providers() {
            let sheet = provider.like.and_then(Ready::sheet);
            let locality = provider.locality.or(sheet.map(|sheet| sheet.locality)).unwrap_or(Locality::Cloud);
            let free = sheet.is_some_and(|sheet| sheet.free) || locality == Locality::Local;
            let price = provider.price.or(free.then(Price::default));
            let ollama = sheet.is_some_and(|sheet| sheet.ready == Ready::Ollama);
            let cloud_suffixes = if ollama { OLLAMA_CLOUD } else { &[] };
            table.houses.insert(name.as_str().into(), House { locality, price, cloud_suffixes });
        }
        for (id, model) in &config.model {
            let Some((provider, house)) = table.houses.get_key_value(model.provider.as_str()) else {
                continue;
            };
            let called = model.name.as_deref().unwrap_or(id);
            let plain = Glob::is_plain(id);
            let entry = Entry {
                id: Glob::new(id),
                provider: Arc::clone(provider),
                name: (plain || model.name.is_some()).then(|| called.into()),
                tier: model.tier.unwrap_or_default(),
                price: model.price.or(house.price),
                context: model.context,
                max_output: model.max_output,
                can: model.can.clone(),
                locality: if model.locality == Some(Locality::Cloud) {
                    Locality::Cloud
                } else {
                    house.of(called)
                },
                fallback: model.fallback.clone(),
                auto: model.auto.unwrap_or(plain && model.can.as_ref().is_none_or(|can| talks(can))),
            };
            table.put(entry);
        }
        for (name, provider) in config.providers() {
            for stock in provider.like.and_then(Ready::sheet).map(|sheet| sheet.stock).into_iter().flatten() {
                let Some((owner, house)) = table.houses.get_key_value(name.as_str()) else { continue };
                let entry = Entry {
                    id: Glob::new(stock.name),
                    provider: Arc::clone(owner),
                    name: None,
                    tier: stock.tier,
                    price: stock.price().or(house.price),
                    context: stock.context,
                    max_output: stock.max_output,
                    can: Some(stock.can.to_vec()),
                    locality: house.locality,
                    fallback: Vec::new(),
                    auto: stock.auto,
                };
                // What the configuration says of a name comes first.
                if !table.entries.iter().any(|known| known.id == entry.id) {
                    table.put(entry);
                }
            }
        }
        // Among globs the longer one says more.
        table.globs.sort_by_key(|entry| std::cmp::Reverse(entry.id.text().len()));
        table
    }

    fn put(&mut self, entry: Entry) {
        let entry = Arc::new(entry);
        if Glob::is_plain(entry.id.text()) {
            self.exact.insert(entry.id.text().to_owned(), Arc::clone(&entry));
        } else {
            self.globs.push(Arc::clone(&entry));
        }
        self.entries.push(entry);
    }

    /// What a name means; `None` if nothing, and for `auto`.
    pub(crate) fn find(&self, asked: &str) -> Option<(Pick, Rule)> {
        if let Some(found) = self.direct(asked) {
            return Some(found);
        }
        let mut name = asked;
        for _ in 0..DEEPEST_ALIAS {
            let Some(next) = self.aliases.get(name) else { break };
            name = next;
            if let Some((pick, _)) = self.direct(name) {
                return Some((pick, Rule::Alias(asked.to_owned())));
            }
        }
        // An alias may end at a name that only a glob knows; that is meant before a glob that the alias itself happens to match.
        for known in [name, asked] {
            let Some(glob) = self.globs.iter().find(|entry| entry.id.matches(known)) else { continue };
            let pick =
                Pick { entry: Arc::clone(glob), name: glob.name.clone().unwrap_or_else(|| known.into()) };
            let by_alias = known != asked;
            let rule =
                if by_alias { Rule::Alias(asked.to_owned()) } else { Rule::Glob(glob.id.text().to_owned()) };
            return Some((pick, rule));
        }
        None
    }

    fn direct(&self, asked: &str) -> Option<(Pick, Rule)> {
        if let Some(entry) = self.exact.get(asked) {
            let name = entry.name.clone().unwrap_or_else(|| asked.into());
            return Some((Pick { entry: Arc::clone(entry), name }, Rule::Exact));
        }
        let (provider, model) = asked.split_once('/')?;
        let (provider, house) = self.houses.get_key_value(provider)?;
        // What is known of the model under its own name holds here too, where it is this provider's.
        let known = self.exact.get(model).or_else(|| self.globs.iter().find(|entry| entry.id.matches(model)));
        let entry = match known.filter(|known| known.provider == *provider) {
            Some(known) => Arc::clone(known),
            None => Arc::new(house.stranger(provider, asked, model)),
        };
        let name = entry.name.clone().unwrap_or_else(|| model.into());
        Some((Pick { entry, name }, Rule::Provider))
    }

    /// What a name of the configuration means: also through aliases that end at a glob.
    pub(crate) fn configured(&self, name: &str) -> Option<Pick> {
        let mut at = name;
        for _ in 0..DEEPEST_ALIAS {
            if let Some((pick, _)) = self.find(at) {
                return Some(pick);
            }
            at = self.aliases.get(at)?;
        }
        None
    }

    /// Everything `auto` may choose.
    pub(crate) fn choices(&self) -> impl Iterator<Item = Pick> + '_ {
        self.entries.iter().filter(|entry| entry.auto).map(|entry| {
            let plain = || entry.id.text().trim_end_matches('*').into();
            Pick { entry: Arc::clone(entry), name: entry.name.clone().unwrap_or_else(plain) }
        })
    }

    /// A model of a provider, whatever is known of it: for clients who bring its credentials.
    pub(crate) fn of(&self, provider: &str, model: &str) -> Option<Pick> {
        let known = self.find(model).map(|(pick, _)| pick).filter(|pick| &*pick.entry.provider == provider);
        known.or_else(|| {
            let (provider, house) = self.houses.get_key_value(provider)?;
            let entry = Arc::new(house.stranger(provider, model, model));
            Some(Pick { entry, name: model.into() })
        })
    }

    pub(crate) fn aliases_of(&self, id: &str) -> Vec<String> {
        self.aliases.iter().filter(|(_, to)| *to == id).map(|(name, _)| name.clone()).collect()
    }

    pub(crate) const fn aliases(&self) -> &BTreeMap<String, String> {
        &self.aliases
    }
}

impl House {
    fn of(&self, model: &str) -> Locality {
        let passed_on = self.cloud_suffixes.iter().any(|suffix| model.ends_with(suffix));
        if passed_on { Locality::Cloud } else { self.locality }
    }

    /// A model nothing is known of.
    fn stranger(&self, provider: &Arc<str>, asked: &str, model: &str) -> Entry {
        let locality = self.of(model);
        let passed_on = locality != self.locality;
        Entry {
            id: Glob::new(asked),
            provider: Arc::clone(provider),
            name: Some(model.into()),
            tier: Tier::Standard,
            price: if passed_on { None } else { self.price },
            context: None,
            max_output: None,
            can: None,
            locality,
            fallback: Vec::new(),
            auto: false,
        }
    }
}

/// Whether a model that can do this talks at all.
fn talks(can: &[Can]) -> bool {
    can.is_empty() || can.iter().any(|can| !matches!(can, Can::Embeddings | Can::Speech))
}
