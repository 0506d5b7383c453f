//! Which domains belong to which service: a list of our own, and what the configuration adds.

use std::collections::{BTreeMap, BTreeSet};

/// A name per service, a colon, its domains.
const OURS: &str = include_str!("services.txt");

/// Services by the domains they speak through.
#[derive(Debug, Clone, Default)]
pub(crate) struct Services {
    by_domain: BTreeMap<String, BTreeSet<String>>,
    names: BTreeSet<String>,
}

impl Services {
    /// Our list, and what a house adds to it: a new name, or more domains of a name that is there.
    pub(crate) fn with(own: &BTreeMap<String, Vec<String>>) -> Self {
        let mut services = Self::default();
        for line in OURS.lines().filter(|line| !line.starts_with('#')) {
            let Some((names, domains)) = line.split_once(':') else { continue };
            for name in names.split_whitespace() {
                for domain in domains.split_whitespace() {
                    services.add(name, domain);
                }
            }
        }
        for (name, domains) in own {
            for domain in domains {
                services.add(name, domain);
            }
        }
        services
    }

    fn add(&mut self, name: &str, domain: &str) {
        self.names.insert(name.to_owned());
        self.by_domain.entry(domain.to_ascii_lowercase()).or_default().insert(name.to_owned());
    }

    /// Every name.
    pub(crate) const fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// The services that this name, in lower case, belongs to.
    pub(crate) fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a String> {
        let tails = std::iter::successors(Some(name), |tail| tail.split_once('.').map(|(_, rest)| rest));
        tails.filter_map(|tail| self.by_domain.get(tail)).flatten()
    }
}

/// Whether `text` can be the name of a domain that stands for everything below it: at least two labels
/// (RFC 1035 §2.3.1, with the underscore that the world uses).
pub(crate) fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() < 64
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    text.len() < 254 && text.contains('.') && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_well_formed_and_has_every_name_the_rules_of_a_family_begin_with() {
        let services = Services::with(&BTreeMap::new());
        assert!(services.by_domain.keys().all(|domain| is_domain(domain)), "{services:?}");
        assert!(OURS.lines().all(|line| line.starts_with('#') || line.contains(": ")));
        let names = "roblox fortnite minecraft steam xbox playstation nintendo tiktok instagram snapchat facebook twitter discord reddit youtube netflix disney primevideo twitch hulu";
        for name in names.split(' ') {
            assert!(services.names().contains(name), "{name}");
        }
    }

    #[test]
    fn a_domain_stands_for_what_is_below_it_and_for_nothing_else() {
        let own =
            BTreeMap::from([("ours".to_owned(), vec!["Example.org".to_owned(), "ytimg.com".to_owned()])]);
        let services = Services::with(&own);
        let of = |name: &str| services.of(name).cloned().collect::<Vec<_>>();
        assert_eq!(of("rr3.sn-4g5.googlevideo.com"), ["youtube"]);
        assert_eq!(of("youtube.com"), ["youtube"]);
        assert_eq!(of("i.ytimg.com"), ["ours", "youtube"]);
        assert_eq!(of("www.example.org"), ["ours"]);
        assert!(of("notyoutube.com").is_empty() && of("com").is_empty() && of("").is_empty());
    }
}
