//! What people are told of an incident: one notification, that says what is wrong, since when, what was tried, what it
//! takes with it and what to do; brought up to date, never repeated; and its end.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sanctum_api::notify::{Action, Notice, Severity};
use sanctum_api::supervise::{Locked, Teller};
use sanctum_api::watch::{Attention, Incident, Stage, State, Tried};
use sanctum_kernel::Tier;

use crate::view::REFUSED;
use crate::words;

/// Who speaks, and how it is addressed.
const SOURCE: &str = "watch";

/// What a notice needs to know beside the incident.
#[derive(Debug, Clone)]
pub(crate) struct Style {
    /// The house's.
    pub(crate) zone: TimeZone,
    pub(crate) url: Option<String>,
    pub(crate) attention: Option<Attention>,
}

/// The service an incident is about.
#[derive(Debug, Clone)]
pub(crate) struct About {
    pub(crate) house_name: String,
    pub(crate) tier: Tier,
    pub(crate) supervised: bool,
    /// The supervisor has given it up.
    pub(crate) lock: Option<Lock>,
}

/// What the supervisor says of a lock.
#[derive(Debug, Clone)]
pub(crate) struct Lock {
    pub(crate) locked: Locked,
    /// How often it failed before, and was started again but for the last time.
    pub(crate) failures: u32,
}

impl Lock {
    pub(crate) fn is_told_by_supervisor(&self) -> bool {
        self.locked.told == Some(Teller::Supervise)
    }
}

/// How bad it is that a service of this criticality fails; alive but wrong is one less.
pub(crate) const fn severity(tier: Tier, state: State) -> Severity {
    match (tier, state) {
        (Tier::Critical, State::Drift) | (Tier::Important, _) => Severity::Error,
        (Tier::Critical, _) => Severity::Critical,
        (Tier::Ordinary, _) => Severity::Warn,
    }
}

impl Style {
    fn notice(&self, severity: Severity, title: String, message: String) -> Notice {
        let mut notice = Notice::plain(SOURCE, severity, title, message);
        if let Some(attention) = &self.attention {
            notice.labels.insert("attention".to_owned(), attention.word.clone());
        }
        notice.url.clone_from(&self.url);
        notice.actions =
            self.url.iter().map(|url| Action { label: "Open".to_owned(), url: url.clone() }).collect();
        notice
    }

    fn about(&self, incident: &Incident, severity: Severity, title: String, message: String) -> Notice {
        let mut notice = self.notice(severity, title, message);
        notice.dedup_key = Some(key(incident.id));
        let labels = [("service", incident.root.clone()), ("incident", incident.id.to_string())];
        notice.labels.extend(labels.map(|(name, value)| (name.to_owned(), value)));
        notice
    }

    fn time(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }

    /// A person is needed.
    pub(crate) fn escalated(&self, incident: &Incident, about: &About) -> Notice {
        let what = match (&about.lock, incident.stage, incident.state) {
            (Some(_), ..) => "is locked",
            (None, Stage::Healing, _) => "has failed and is tried again",
            (None, _, State::Drift) => "is alive but wrong",
            (None, ..) => "has failed and was not healed",
        };
        let severity = match &about.lock {
            Some(_) => Severity::Critical,
            None => severity(about.tier, incident.state),
        };
        self.about(incident, severity, format!("{} {what}", about.house_name), self.message(incident, about))
    }

    /// Something about it is new: shown in its place, and nobody is called again.
    pub(crate) fn updated(&self, incident: &Incident, about: &About) -> Notice {
        let mut notice = self.escalated(incident, about);
        notice.force_channels = vec!["dashboard".to_owned()];
        notice
    }

    fn message(&self, incident: &Incident, about: &About) -> String {
        let first = match &about.lock {
            Some(Lock { locked, .. }) => {
                format!("{}; locked since {}.", words::capital(&locked.reason), self.time(locked.at))
            }
            None => format!("{}; since {}.", incident.title, self.time(incident.began)),
        };
        let mut lines = vec![first];
        if !incident.symptoms.is_empty() {
            lines.push(format!("It takes with it: {}.", words::list(&incident.symptoms)));
        }
        // What found nothing to mend is in the timeline, and nobody's matter at three in the morning.
        let tried = incident.tried.iter().filter(|tried| !tried.detail.starts_with(REFUSED));
        let tried: Vec<String> = about.lock.iter().filter_map(starts).chain(tried.map(outcome)).collect();
        lines.push(match tried.as_slice() {
            [] => "Nothing was tried.".to_owned(),
            tried => format!("Tried: {}.", tried.join("; ")),
        });
        lines.extend(incident.memory.as_ref().map(|memory| format!("Before: {memory}.")));
        lines.push(format!("To do: {}.", advice(incident, about)));
        if let Some(Lock { locked, .. }) =
            about.lock.as_ref().filter(|lock| !lock.locked.last_lines.is_empty())
        {
            lines.push("Its last lines:".to_owned());
            lines.extend(locked.last_lines.iter().cloned());
        }
        lines.join("\n")
    }

    /// It is over, for those who were told.
    pub(crate) fn resolved(&self, incident: &Incident, about: &About, merged: Option<i64>) -> Notice {
        let (title, how) = match merged {
            Some(other) => (
                format!("{} was part of a greater trouble", about.house_name),
                format!("it goes on as incident {other}"),
            ),
            None => (format!("{} is well again", about.house_name), how(incident)),
        };
        let lasted =
            incident.resolved.map(|end| words::span(words::between(incident.began, end))).unwrap_or_default();
        let message = format!("After {lasted}: {how}. It was: {}.", incident.title);
        let mut notice = self.about(incident, severity(about.tier, incident.state), title, message);
        notice.resolved = true;
        notice
    }

    /// It was over before anybody was asked.
    pub(crate) fn healed(&self, incident: &Incident, about: &About) -> Notice {
        let lasted =
            incident.resolved.map(|end| words::span(words::between(incident.began, end))).unwrap_or_default();
        let title = format!("{} was healed in {lasted}", about.house_name);
        let symptoms = match incident.symptoms.as_slice() {
            [] => String::new(),
            symptoms => format!("; it took {} with it", words::list(symptoms)),
        };
        let message = format!("{}{symptoms}. {}.", incident.title, words::capital(&how(incident)));
        let mut notice = self.about(incident, Severity::Info, title, message);
        notice.force_channels = vec!["dashboard".to_owned()];
        notice
    }

    /// Nothing could be known for a while.
    pub(crate) fn blind(&self, why: &str, length: std::time::Duration) -> Notice {
        let title = format!("The watch was blind for {}", words::span(length));
        let message = format!("{why}. What failed meanwhile was not seen; everything is asked again now.");
        let mut notice = self.notice(Severity::Info, title, message);
        notice.dedup_key = Some("watch-blind".to_owned());
        notice
    }

    /// Something else worth a word, such as a leak or a sentinel that is red; `over` ends it.
    pub(crate) fn word(
        &self,
        severity: Severity,
        key: &str,
        title: String,
        message: String,
        over: bool,
    ) -> Notice {
        let mut notice = self.notice(severity, title, message);
        notice.dedup_key = Some(key.to_owned());
        notice.resolved = over;
        notice
    }
}

/// What all notices of one incident share.
pub(crate) fn key(incident: i64) -> String {
    format!("incident-{incident}")
}

/// What put it right, as a clause.
pub(crate) fn how(incident: &Incident) -> String {
    let helped = incident.tried.iter().rev().find(|tried| tried.helped == Some(true) && !tried.rehearsal);
    match (helped, incident.tried.is_empty()) {
        (Some(tried), _) => format!("`{}` put it right", tried.action),
        (None, true) => "it came back by itself".to_owned(),
        (None, false) => "something else than what was tried put it right".to_owned(),
    }
}

/// What the supervisor has tried before it gave up.
fn starts(lock: &Lock) -> Option<String> {
    match lock.failures.saturating_sub(1) {
        0 => None,
        1 => Some("the supervisor started it again".to_owned()),
        times => Some(format!("the supervisor started it again {times} times")),
    }
}

fn outcome(tried: &Tried) -> String {
    let became = match (tried.rehearsal, tried.helped) {
        (true, _) => "rehearsed only",
        (false, Some(true)) => "helped",
        (false, Some(false)) => "did not help",
        (false, None) => "is under way",
    };
    match tried.detail.as_str() {
        "" => format!("{} ({became})", tried.action),
        detail => format!("{} ({became}: {detail})", tried.action),
    }
}

fn advice(incident: &Incident, about: &About) -> String {
    let root = &incident.root;
    let logs =
        if about.supervised { format!(", `sanctum logs {root}` its last words") } else { String::new() };
    let shows = format!("`sanctum why {root}` shows the evidence{logs}");
    if about.lock.is_some() {
        return format!("remove the cause, then `sanctum unlock {root}` starts it again; {shows}");
    }
    match &incident.advice {
        Some(advice) if advice.contains("sanctum") => advice.clone(),
        Some(advice) => format!("{advice}; {shows}"),
        None => shows,
    }
}
