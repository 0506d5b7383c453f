//! The configuration, the house and what the firewall sees, turned into a policy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sanctum_api::firewall;
use sanctum_kernel::house::{DeviceTier, Language, Role};
use sanctum_kernel::{House, Period};

use crate::config::{Config, HolidayNights, check::hours};
use crate::engine::{Ledger, Policy, Subject, WindDown};

/// What is written down, as long as this configuration lasts.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) config: Config,
    pub(crate) house: Arc<House>,
    pub(crate) tz: TimeZone,
    /// Holidays of the configuration: the list and the files named there, each day with its source and name.
    pub(crate) listed: BTreeMap<Date, (String, String)>,
}

impl Rules {
    pub(crate) fn new(config: Config, house: Arc<House>) -> Self {
        let listed = config
            .holidays
            .dates
            .iter()
            .flat_map(|days| days.iter().map(|day| (day, ("sanctum.toml".to_owned(), days.to_string()))));
        Self { tz: house.house.timezone.tz(), listed: listed.collect(), house, config }
    }

    pub(crate) fn language(&self) -> Language {
        self.house.house.language
    }

    /// The policy for the devices of the configuration, those the firewall has a tier for, and guests.
    pub(crate) fn policy(&self, seen: &BTreeMap<String, firewall::Device>, ledger: &Ledger) -> Policy {
        let mut subjects: BTreeMap<String, Subject> = BTreeMap::new();
        for (id, device) in &self.house.device {
            let name = device.name.clone().unwrap_or_else(|| id.clone());
            subjects.insert(id.clone(), self.subject(id, name, device.owner.clone(), device.tier));
        }
        for (id, device) in seen.iter().filter(|(id, _)| !self.house.device.contains_key(*id)) {
            let guest = ledger.guests.contains_key(id).then_some(DeviceTier::Guest);
            if let Some(tier) = device.tier.or(guest) {
                subjects
                    .insert(id.clone(), self.subject(id, device.name.clone(), device.owner.clone(), tier));
            }
        }
        for id in ledger.guests.keys().filter(|id| !seen.contains_key(*id)) {
            subjects
                .entry(id.clone())
                .or_insert_with(|| self.subject(id, id.clone(), None, DeviceTier::Guest));
        }
        let config = &self.config;
        let services = &config.services;
        let all: BTreeSet<&String> =
            services.gaming.iter().chain(&services.social).chain(&services.streaming).collect();
        Policy {
            tz: self.tz.clone(),
            hours: hours(config, None, None, config.schedule.wake),
            wake_guests: config.schedule.wake_guests,
            holidays_before: config.holidays.nights == HolidayNights::BeforeTheDay,
            wind_down: WindDown {
                streaming_off: span(config.wind_down.streaming_off),
                streaming: services.streaming.clone(),
            },
            homework_services: all
                .iter()
                .filter(|name| !config.homework.allow.contains(name))
                .map(|name| (*name).clone())
                .collect(),
            screen_services: all.into_iter().cloned().collect(),
            subjects,
            person_limits: config
                .limits
                .person
                .iter()
                .map(|(name, limit)| (name.clone(), minutes(*limit)))
                .collect(),
        }
    }

    fn subject(&self, id: &str, name: String, owner: Option<String>, tier: DeviceTier) -> Subject {
        let config = &self.config;
        let wake = if tier == DeviceTier::Guest { config.schedule.wake_guests } else { config.schedule.wake };
        let person = owner.as_ref().and_then(|owner| config.person.get(owner));
        let limit = config.limits.device.get(id).map(|limit| minutes(*limit));
        Subject {
            hours: hours(config, person, config.device.get(id), wake),
            id: id.to_owned(),
            name,
            owner,
            tier,
            limit,
        }
    }

    /// What people call somebody.
    pub(crate) fn called(&self, person: &str) -> String {
        self.house
            .person
            .get(person)
            .and_then(|person| person.name.clone())
            .unwrap_or_else(|| person.to_owned())
    }

    /// Who the rules are for.
    pub(crate) fn children(&self) -> Vec<String> {
        self.house
            .person
            .iter()
            .filter(|(_, person)| person.role == Role::Child)
            .map(|(name, _)| name.clone())
            .collect()
    }
}

/// Whole minutes of a period.
pub(crate) fn minutes(period: Period) -> u32 {
    u32::try_from(period.0.as_secs() / 60).unwrap_or(u32::MAX)
}

/// A period as a signed duration.
pub(crate) fn span(period: Period) -> SignedDuration {
    SignedDuration::try_from(period.0).unwrap_or(SignedDuration::MAX)
}
