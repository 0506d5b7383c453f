//! Who hears of it: a pure function from a notice, the rules, what is known, and the time.

use std::sync::OnceLock;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use sanctum_api::notify::{Notice, Severity};

use crate::config::Config;
use crate::schema::flag;
use crate::target::{DIGEST, Manner};

/// What the configuration says, ready for use.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) config: Config,
    pub(crate) zone: TimeZone,
    /// What the table says of each severity, by day and in quiet hours; found out once.
    cells: [OnceLock<Routed>; 2 * Severity::ALL.len()],
}

/// What the table says of one severity at one time of day.
#[derive(Debug, Clone, Default)]
struct Routed {
    sends: Vec<Send>,
    reasons: Vec<String>,
    digest: bool,
}

/// What the store knows at this moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// An unresolved notification of the same identity within the dedup window.
    pub(crate) repeat: Option<Repeat>,
    /// A silence that matches, in words.
    pub(crate) silence: Option<String>,
    /// What inhibits it, in words.
    pub(crate) inhibited: Option<String>,
    /// Notifications sent this hour: by this source, and by all.
    pub(crate) sent: (u32, u32),
    /// The group it belongs to has spoken and will again then.
    pub(crate) group_until: Option<Timestamp>,
    /// The hub speaks of itself, or sums up: no dedup, no limit, no grouping.
    pub(crate) own: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Repeat {
    pub(crate) id: i64,
    pub(crate) severity: Severity,
    /// It went to nobody.
    pub(crate) unheard: bool,
}

/// One delivery to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Send {
    pub(crate) channel: String,
    pub(crate) manner: Manner,
    pub(crate) reason: String,
}

/// Kept for a summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) due: Timestamp,
}

/// The decision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) sends: Vec<Send>,
    pub(crate) hold: Option<Hold>,
    pub(crate) first: Option<i64>,
    pub(crate) flags: i64,
    pub(crate) reasons: Vec<String>,
    /// It counts against the hourly limit.
    pub(crate) counts: bool,
}

impl Rules {
    pub(crate) fn new(config: Config, zone: TimeZone) -> Self {
        Self { config, zone, cells: std::array::from_fn(|_| OnceLock::new()) }
    }

    fn routed(&self, severity: Severity, quiet: bool) -> Routed {
        let place = Severity::ALL.iter().position(|one| *one == severity).unwrap_or(0) * 2;
        match self.cells.get(place + usize::from(quiet)) {
            Some(cell) => cell.get_or_init(|| table(self, severity, quiet)).clone(),
            None => table(self, severity, quiet),
        }
    }

    /// The dedup window, in microseconds.
    pub(crate) fn dedup_window(&self) -> i64 {
        i64::try_from(self.config.dedup.0.as_micros()).unwrap_or(i64::MAX)
    }

    pub(crate) fn is_quiet(&self, now: &Zoned) -> bool {
        let (from, until) = (self.config.quiet.from.time(), self.config.quiet.until.time());
        let time = now.time();
        match from.cmp(&until) {
            std::cmp::Ordering::Less => from <= time && time < until,
            std::cmp::Ordering::Equal => false,
            std::cmp::Ordering::Greater => time >= from || time < until,
        }
    }

    /// When the quiet hours end next. A time that a change to summer time skips is taken after the gap.
    pub(crate) fn morning(&self, now: &Zoned) -> Timestamp {
        let until = self.config.quiet.until.time();
        let mut day = now.date();
        for _ in 0..3 {
            if let Ok(morning) = day.to_datetime(until).to_zoned(self.zone.clone())
                && morning.timestamp() > now.timestamp()
            {
                return morning.timestamp();
            }
            day = day.tomorrow().unwrap_or(day);
        }
        now.timestamp() + SignedDuration::from_hours(24)
    }

    /// Whether grouping is switched on, and the group of this notice.
    pub(crate) fn group(&self, notice: &Notice) -> Option<String> {
        let grouping = &self.config.grouping;
        if grouping.by.is_empty() || grouping.interval.is_none_or(|interval| interval.0.is_zero()) {
            return None;
        }
        let subject = crate::matching::Subject::of(notice);
        Some(
            grouping
                .by
                .iter()
                .map(|field| subject.field(field).unwrap_or(""))
                .collect::<Vec<_>>()
                .join("\u{1f}"),
        )
    }
}

/// The beginning of the hour on the wall, and its end.
pub(crate) fn hour(now: &Zoned) -> (Timestamp, Timestamp) {
    let into = i64::from(now.minute()) * 60 + i64::from(now.second());
    let start = Timestamp::from_second(now.timestamp().as_second() - into).unwrap_or(now.timestamp());
    (start, start.checked_add(1.hour()).unwrap_or(start))
}

/// The manner of a severity where nothing else is said.
pub(crate) const fn manner(severity: Severity) -> Manner {
    match severity {
        Severity::Info | Severity::Warn => Manner::Silent,
        Severity::Error => Manner::Sound,
        Severity::Critical => Manner::Critical,
    }
}

/// Decides about something that begins; what ends goes to whoever was told, whatever the hour.
pub(crate) fn decide(notice: &Notice, rules: &Rules, known: &Known, now: &Zoned) -> Plan {
    let mut plan = Plan::default();
    let critical = notice.severity == Severity::Critical;
    if let Some(repeat) = &known.repeat
        && !known.own
    {
        if notice.severity > repeat.severity {
            plan.reasons.push(format!("worse than {} was: not taken for a repeat", repeat.id));
        } else if critical && repeat.unheard {
            plan.reasons
                .push(format!("a repeat of {}, but nobody heard of that, and this is critical", repeat.id));
        } else {
            plan.first = Some(repeat.id);
            plan.flags |= flag::DEDUPLICATED;
            plan.reasons
                .push(format!("a repeat of {} within {}: counted there", repeat.id, rules.config.dedup));
            return plan;
        }
    }
    let quiet = rules.is_quiet(now);
    if quiet {
        plan.flags |= flag::QUIET;
    }
    if let Some(silence) = &known.silence {
        plan.flags |= flag::SILENCED;
        plan.reasons.push(format!("silenced: {silence}"));
        return plan;
    }
    if let Some(cause) = &known.inhibited {
        if critical {
            plan.reasons.push(format!("would be inhibited by {cause}, but this is critical"));
        } else {
            plan.flags |= flag::INHIBITED;
            plan.reasons.push(format!("inhibited by {cause}"));
            return plan;
        }
    }
    let digest = route(notice, rules, quiet, &mut plan);
    if digest && plan.sends.is_empty() {
        let due = rules.morning(now);
        plan.hold = Some(Hold { kind: "digest", name: String::new(), due });
        return plan;
    }
    if known.own && plan.sends.is_empty() {
        // What the hub sums up or says of itself is never only in the log.
        add(&mut plan.sends, "dashboard", Manner::Silent, "the hub's own word is always shown");
    }
    if !critical && !known.own && !is_canary(notice) && !plan.sends.is_empty() {
        hold_back(notice, rules, known, now, &mut plan);
    }
    plan
}

/// A test of the way to the banner, which calls nobody and counts against nobody's limit.
fn is_canary(notice: &Notice) -> bool {
    notice.severity == Severity::Info
        && notice.labels.contains_key("canary")
        && notice.force_channels.iter().all(|channel| channel == "dashboard")
        && !notice.force_channels.is_empty()
}

/// Fills in the sends; returns whether the cell asks for the digest.
fn route(notice: &Notice, rules: &Rules, quiet: bool, plan: &mut Plan) -> bool {
    if !notice.force_channels.is_empty() {
        for channel in &notice.force_channels {
            add(&mut plan.sends, channel, manner(notice.severity), "asked for by name");
        }
        plan.reasons.push(format!("asked for by name: {}", notice.force_channels.join(", ")));
        return false;
    }
    let routed = rules.routed(notice.severity, quiet);
    plan.reasons.extend(routed.reasons);
    plan.sends = routed.sends;
    routed.digest
}

fn table(rules: &Rules, severity: Severity, quiet: bool) -> Routed {
    let mut routed = Routed::default();
    let when = if quiet { "quiet hours" } else { "day" };
    let cell = rules.config.table.cell(severity, quiet);
    for target in &cell {
        if target.name == DIGEST {
            routed.digest = true;
            continue;
        }
        let manner = target.manner.unwrap_or_else(|| manner(severity));
        let reason = format!("{} · {when} → {target}", severity.word());
        let sends = &mut routed.sends;
        match rules.config.roles.play(&target.name, &rules.config.channel) {
            Some(channels) if channels.is_empty() => {
                routed.reasons.push(format!("no channel plays the role `{}`", target.name));
            }
            Some(channels) => channels.iter().for_each(|channel| add(sends, channel, manner, &reason)),
            None => add(sends, &target.name, manner, &reason),
        }
    }
    let cell: Vec<String> = cell.iter().map(ToString::to_string).collect();
    let cell = if cell.is_empty() { "log only".to_owned() } else { cell.join(", ") };
    routed.reasons.push(format!("{} · {when} → {cell}", severity.word()));
    routed
}

fn add(sends: &mut Vec<Send>, channel: &str, manner: Manner, reason: &str) {
    if !sends.iter().any(|send| send.channel == channel) {
        sends.push(Send { channel: channel.to_owned(), manner, reason: reason.to_owned() });
    }
}

fn hold_back(notice: &Notice, rules: &Rules, known: &Known, now: &Zoned, plan: &mut Plan) {
    if let (Some(name), Some(due)) = (rules.group(notice), known.group_until) {
        plan.sends.clear();
        plan.flags |= flag::GROUPED;
        plan.reasons.push("its group has just spoken: comes with the others of it".to_owned());
        plan.hold = Some(Hold { kind: "group", name, due });
        return;
    }
    let limit = rules.config.per_hour;
    let (source, all) = known.sent;
    if limit > 0 && (source >= limit || all >= limit) {
        let whose = if source >= limit { notice.source.as_str() } else { "all sources together" };
        plan.sends.clear();
        plan.flags |= flag::RATE_LIMITED;
        plan.reasons.push(format!("{whose} had {limit} this hour: summed up when the hour turns"));
        plan.hold = Some(Hold { kind: "rate", name: String::new(), due: hour(now).1 });
        return;
    }
    plan.counts = limit > 0;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::target::Target;

    fn rules() -> Rules {
        let mut config = Config::default();
        let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        config.roles.phone = names(&["phone"]);
        config.roles.speakers = names(&["speakers"]);
        config.roles.signal = names(&["signal"]);
        Rules::new(config, TimeZone::get("Europe/Paris").unwrap())
    }

    fn notice(severity: Severity) -> Notice {
        crate::api::post::plain("s".to_owned(), severity, Some("t".to_owned()), "m".to_owned())
    }

    fn severity() -> impl Strategy<Value = Severity> {
        prop::sample::select(Severity::ALL.to_vec())
    }

    fn known() -> impl Strategy<Value = Known> {
        let repeat = prop::option::of((severity(), any::<bool>()).prop_map(|(severity, unheard)| Repeat {
            id: 7,
            severity,
            unheard,
        }));
        let words = || prop::option::of(Just("because".to_owned()));
        (repeat, words(), words(), 0_u32..20, 0_u32..20).prop_map(
            |(repeat, silence, inhibited, source, all)| Known {
                repeat,
                silence,
                inhibited,
                sent: (source, all),
                group_until: None,
                own: false,
            },
        )
    }

    /// The whole of routing in a few lines, written from the page and not from the code.
    fn reference(severity: Severity, wall_hour: i8, known: &Known) -> &'static [&'static str] {
        let night = !(8..22).contains(&wall_hour);
        let said = known.repeat.as_ref().is_some_and(|before| {
            severity <= before.severity && !(severity == Severity::Critical && before.unheard)
        });
        if said || known.silence.is_some() {
            return &[];
        }
        if severity == Severity::Critical {
            return &["phone", "speakers", "signal", "dashboard"];
        }
        if known.inhibited.is_some() {
            return &[];
        }
        let told: &[&str] = match (severity, night) {
            (Severity::Info, false) => &["dashboard"],
            (Severity::Error, _) | (Severity::Warn, false) => &["phone", "dashboard"],
            _ => &[],
        };
        if known.sent.0 >= 10 || known.sent.1 >= 10 { &[] } else { told }
    }

    proptest! {
        #[test]
        fn f4_critical_is_never_muted_but_by_a_silence(known in known(), severity in severity(), second in 0_i64..200_000_000) {
            let rules = rules();
            let now = Timestamp::from_second(1_700_000_000 + second).unwrap().to_zoned(rules.zone.clone());
            let plan = decide(&notice(severity), &rules, &known, &now);
            let told: Vec<&str> = plan.sends.iter().map(|send| send.channel.as_str()).collect();
            prop_assert_eq!(&told[..], reference(severity, now.hour(), &known));
            if severity == Severity::Critical && known.silence.is_none() {
                // A repeat of something critical that people were told of is counted there: that is not muting it.
                let counted = known.repeat.as_ref().is_some_and(|before| before.severity == Severity::Critical && !before.unheard);
                prop_assert!(counted || told.len() == 4, "{:?}", plan.reasons);
            }
            prop_assert!(!told.is_empty() || !plan.reasons.is_empty(), "silence always has a reason");
        }

        #[test]
        fn f5_a_higher_severity_of_the_same_key_always_goes_through(known in known(), severity in severity()) {
            let rules = rules();
            let now = Timestamp::from_second(1_700_049_600).unwrap().to_zoned(rules.zone.clone());
            let plan = decide(&notice(severity), &rules, &known, &now);
            let worse = known.repeat.as_ref().is_none_or(|before| severity > before.severity);
            prop_assert!(!worse || plan.flags & flag::DEDUPLICATED == 0);
            prop_assert_eq!(plan.first.is_some(), plan.flags & flag::DEDUPLICATED != 0);
        }

        #[test]
        fn the_morning_comes_within_a_day_and_ends_the_quiet(second in 0_i64..200_000_000) {
            let rules = rules();
            let now = Timestamp::from_second(1_700_000_000 + second).unwrap().to_zoned(rules.zone.clone());
            let morning = rules.morning(&now);
            let wait = morning.duration_since(now.timestamp()).as_secs();
            prop_assert!(0 < wait && wait <= 25 * 3600);
            prop_assert!(!rules.is_quiet(&morning.to_zoned(rules.zone.clone())));
            let (start, end) = hour(&now);
            prop_assert!(start <= now.timestamp() && now.timestamp() < end);
        }
    }

    #[test]
    fn speakers_are_reduced_in_quiet_hours() {
        let rules = rules();
        let manner_at = |second: i64| {
            let now = Timestamp::from_second(second).unwrap().to_zoned(rules.zone.clone());
            let plan = decide(&notice(Severity::Critical), &rules, &Known::default(), &now);
            plan.sends.into_iter().find(|send| send.channel == "speakers").unwrap().manner
        };
        // 1_700_000_000 is 23:13 in Paris.
        assert_eq!((manner_at(1_700_000_000), manner_at(1_700_049_600)), (Manner::Reduced, Manner::Critical));
    }

    #[test]
    fn targets_are_read_and_refused() {
        for good in ["phone", "phone:silent", "speakers:reduced", "my-hook:critical"] {
            assert_eq!(good.parse::<Target>().unwrap().to_string(), good);
        }
        for bad in ["", ":silent", "phone:loud", "two words"] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }
}
