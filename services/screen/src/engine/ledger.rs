//! What people and devices have done, as far as the rules look back.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;

use super::policy::Subject;

/// Everything that was added after the rules were written down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// In the order they were done.
    pub acts: Vec<Act>,
    pub holidays: BTreeSet<Date>,
    /// By device id.
    pub guests: BTreeMap<String, Guest>,
    /// Minutes of use by device id and day.
    pub device_minutes: BTreeMap<(String, Date), u32>,
    /// Minutes of use by person and day; a minute on two devices at once is one.
    pub person_minutes: BTreeMap<(String, Date), u32>,
}

/// Something a person decided for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    pub deed: Deed,
    pub target: Target,
    /// When it was done.
    pub from: Timestamp,
    /// When it ends; by default at the end of the device's night.
    pub until: Option<Timestamp>,
    pub author: String,
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Before bedtime it moves tonight's bedtime; during the curfew it opens so many minutes from then. The day's
    /// limit grows as much.
    Extend { minutes: u32 },
    /// The same, paid with credits.
    Credit { minutes: u32 },
    /// Curfew now.
    Curfew,
    /// Everything is allowed.
    AllClear,
    /// Gaming, social and streaming off; always has an end.
    Homework,
}

/// Whom an act concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Everyone,
    Person(String),
    Device(String),
}

/// A device that nobody has named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    pub pass: Pass,
    /// The end of an approved guest's pass.
    pub expires: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// The house's rules apply; a parent has been asked.
    Waiting,
    /// The house's rules apply until the pass expires; then it is blocked.
    Approved,
    /// Blocked until a parent changes their mind.
    Refused,
    /// Not a guest but part of the house: no rule applies.
    Resident,
}

impl Target {
    pub fn covers(&self, subject: &Subject) -> bool {
        match self {
            Self::Everyone => true,
            Self::Person(person) => subject.owner.as_ref() == Some(person),
            Self::Device(device) => subject.id == *device,
        }
    }
}

impl Deed {
    /// Minutes it gives, if it gives minutes.
    pub const fn minutes(self) -> Option<u32> {
        match self {
            Self::Extend { minutes } | Self::Credit { minutes } => Some(minutes),
            _ => None,
        }
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Extend { .. } => "extend",
            Self::Credit { .. } => "credit",
            Self::Curfew => "curfew",
            Self::AllClear => "all-clear",
            Self::Homework => "homework",
        }
    }
}
