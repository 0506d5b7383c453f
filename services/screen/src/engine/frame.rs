//! The nights around a moment, for one device, with everything that moves them.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::ledger::{Act, Deed, Ledger};
use super::night::Night;
use super::policy::{Policy, Subject};

/// A night with what was given to the device.
#[derive(Debug, Clone)]
pub struct Moved<'a> {
    pub night: Night,
    /// When it locks after every extension; never later than the unlock.
    pub lock: Timestamp,
    /// The last act that moved the lock.
    pub pushed_by: Option<&'a Act>,
    /// Stretches opened inside the night, each by its act.
    pub opens: Vec<(Timestamp, Timestamp, &'a Act)>,
}

/// What is materialised around one moment. Good for [`Frame::REACH`] from there.
#[derive(Debug)]
pub struct Frame<'a> {
    pub policy: &'a Policy,
    pub ledger: &'a Ledger,
    pub subject: &'a Subject,
    pub nights: Vec<Moved<'a>>,
    /// Acts that concern the device, with the end each really has.
    pub acts: Vec<(&'a Act, Timestamp)>,
    /// The first instants of the days around, for limits.
    pub days: Vec<(Date, Timestamp)>,
}

/// Nights before the moment: one that may still last, one whose bedtime was past midnight, and the one before those.
const BEFORE: i64 = 3;
/// Nights after it: one always locks within them.
const AFTER: i64 = 3;

impl<'a> Frame<'a> {
    /// How far from its moment a frame knows every edge.
    pub const REACH: SignedDuration = SignedDuration::from_hours(48);

    pub fn of(policy: &'a Policy, ledger: &'a Ledger, subject: &'a Subject, at: Timestamp) -> Self {
        let mut frame =
            Self { policy, ledger, subject, nights: Vec::new(), acts: Vec::new(), days: Vec::new() };
        if matches!(
            subject.tier,
            sanctum_kernel::house::DeviceTier::Personal | sanctum_kernel::house::DeviceTier::Exempt
        ) {
            return frame;
        }
        let mut acts: Vec<&Act> = ledger.acts.iter().filter(|act| act.target.covers(subject)).collect();
        // Stable: acts of one instant keep their order.
        acts.sort_by_key(|act| act.from);
        let bare = bare_nights(policy, ledger, subject, at, BEFORE, AFTER);
        frame.nights = moved(bare, &acts);
        frame.acts = acts.into_iter().map(|act| (act, end_of(act, policy, ledger, subject))).collect();
        if subject.limit.is_some()
            || subject.owner.as_ref().is_some_and(|owner| policy.person_limits.contains_key(owner))
        {
            frame.days = days(policy, at);
        }
        frame
    }

    /// The night that lasts at `at`, or the next one.
    pub fn night(&self, at: Timestamp) -> Option<&Moved<'a>> {
        self.nights.iter().find(|moved| moved.night.unlock > at)
    }

    /// Every instant at which a ruling of this device may change.
    pub fn edges(&self) -> Vec<Timestamp> {
        let mut edges = Vec::new();
        let wind_down = self.policy.wind_down.streaming_off;
        for moved in &self.nights {
            edges.extend([moved.night.lock, moved.lock, moved.night.unlock]);
            edges.extend(moved.lock.checked_sub(wind_down));
            edges.extend(moved.opens.iter().flat_map(|(from, to, _)| [*from, *to]));
        }
        edges.extend(self.acts.iter().flat_map(|(act, end)| [act.from, *end]));
        edges.extend(self.acts.iter().filter_map(|(act, _)| given_until(act)));
        edges.extend(self.days.iter().map(|(_, start)| *start));
        edges.extend(self.ledger.guests.get(&self.subject.id).and_then(|guest| guest.expires));
        edges.sort_unstable();
        edges.dedup();
        edges
    }
}

fn bare_nights(
    policy: &Policy,
    ledger: &Ledger,
    subject: &Subject,
    at: Timestamp,
    before: i64,
    after: i64,
) -> Vec<Night> {
    let today = policy.tz.to_datetime(at).date();
    (-before..=after)
        .filter_map(|days| today.checked_add(SignedDuration::from_hours(24 * days)).ok())
        .map(|date| Night::of(&subject.hours, policy.kind_of(date, &ledger.holidays), date, &policy.tz))
        .collect()
}

/// Gives each act that gives minutes to the first night that ends after it. The first night of the frame only
/// says where the second begins.
fn moved<'a>(bare: Vec<Night>, acts: &[&'a Act]) -> Vec<Moved<'a>> {
    let mut previous: Option<Timestamp> = None;
    let mut nights = Vec::with_capacity(bare.len());
    for night in bare {
        let Some(begins) = previous.replace(night.unlock) else { continue };
        let mut moved = Moved { lock: night.lock, pushed_by: None, opens: Vec::new(), night };
        for act in acts.iter().filter(|act| begins <= act.from && act.from < moved.night.unlock) {
            let Some(minutes) = act.deed.minutes() else { continue };
            let by = SignedDuration::from_mins(minutes.into());
            let latest = act.until.map_or(moved.night.unlock, |until| until.min(moved.night.unlock));
            if act.from < moved.lock {
                moved.lock = moved.lock.checked_add(by).unwrap_or(latest).min(latest).max(moved.lock);
                moved.pushed_by = Some(act);
            } else {
                // What is given while something given still lasts comes on top of it.
                let open =
                    moved.opens.last().map(|(_, to, _)| *to).filter(|to| *to > act.from).unwrap_or(act.from);
                let to = open.checked_add(by).unwrap_or(latest).min(latest);
                moved.opens.push((act.from, to, act));
            }
        }
        nights.push(moved);
    }
    nights
}

/// When an act ends for this device.
fn end_of(act: &Act, policy: &Policy, ledger: &Ledger, subject: &Subject) -> Timestamp {
    if let Some(until) = act.until {
        return until;
    }
    if act.deed.minutes().is_some() {
        // Its end is the night's, which knows it.
        return act.from;
    }
    let nights = bare_nights(policy, ledger, subject, act.from, 2, 2);
    nights.iter().map(|night| night.unlock).find(|unlock| *unlock > act.from).unwrap_or(Timestamp::MAX)
}

/// When nothing of an act is left for any device it concerns; `None` if it concerns none. The ledger knows the act.
pub fn over(act: &Act, policy: &Policy, ledger: &Ledger) -> Option<Timestamp> {
    let stranger = policy.newcomer();
    let ruled = |subject: &&Subject| {
        !matches!(
            subject.tier,
            sanctum_kernel::house::DeviceTier::Personal | sanctum_kernel::house::DeviceTier::Exempt
        )
    };
    let subjects = policy.subjects.values().chain([&stranger]).filter(ruled);
    subjects
        .filter(|subject| act.target.covers(subject))
        .map(|subject| last_effect(act, policy, ledger, subject))
        .max()
}

/// When an act is over for this device: minutes are over when the night that got them is at the moved bedtime, or at
/// the end of what they opened, and not before the day whose limit they raise.
fn last_effect(act: &Act, policy: &Policy, ledger: &Ledger, subject: &Subject) -> Timestamp {
    if act.deed.minutes().is_none() {
        return end_of(act, policy, ledger, subject);
    }
    let frame = Frame::of(policy, ledger, subject, act.from);
    let Some(moved) = frame.night(act.from) else { return act.from };
    let opened = moved.opens.iter().rfind(|(_, _, by)| *by == act).map(|(_, to, _)| *to);
    let tomorrow = frame.days.get(1).map(|(_, start)| *start);
    opened.unwrap_or(moved.lock).max(tomorrow.unwrap_or(act.from))
}

fn days(policy: &Policy, at: Timestamp) -> Vec<(Date, Timestamp)> {
    let today = policy.tz.to_datetime(at).date();
    (0..=AFTER)
        .filter_map(|days| today.checked_add(SignedDuration::from_hours(24 * days)).ok())
        .filter_map(|date| {
            Some((date, date.to_zoned(policy.tz.clone()).ok()?.start_of_day().ok()?.timestamp()))
        })
        .collect()
}

/// Minutes that were given on this day, for the daily limit.
pub(super) fn given(frame: &Frame<'_>, day: Date) -> u32 {
    let on_day = |at: Timestamp| frame.policy.tz.to_datetime(at).date() == day;
    let gives = |(act, _): &(&Act, Timestamp)| if on_day(act.from) { act.deed.minutes() } else { None };
    frame.acts.iter().filter_map(gives).sum()
}

/// When minutes that are given at once are over.
fn given_until(act: &Act) -> Option<Timestamp> {
    let over = act.from.checked_add(SignedDuration::from_mins(act.deed.minutes()?.into())).ok()?;
    Some(act.until.map_or(over, |until| until.min(over)))
}

/// The act that gave minutes at or after `since` and has some left at `at`.
pub(super) fn given_since<'a>(frame: &Frame<'a>, since: Timestamp, at: Timestamp) -> Option<&'a Act> {
    let acts = frame.acts.iter().rev().map(|(act, _)| *act);
    acts.filter(|act| since <= act.from && act.from <= at)
        .find(|act| given_until(act).is_some_and(|end| at < end))
}

/// The last override or homework act that is in force at `at`.
pub(super) fn in_force<'f, 'a>(
    frame: &'f Frame<'a>,
    at: Timestamp,
    homework: bool,
) -> Option<(&'f &'a Act, Timestamp)> {
    let wanted = |deed: Deed| match deed {
        Deed::Homework => homework,
        Deed::Curfew | Deed::AllClear => !homework,
        Deed::Extend { .. } | Deed::Credit { .. } => false,
    };
    frame
        .acts
        .iter()
        .rev()
        .find(|(act, end)| wanted(act.deed) && act.from <= at && at < *end)
        .map(|(act, end)| (act, *end))
}
