//! Feeds of numbers in, what is unusual about them out. Time is handed in; nothing is read or written.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::fit;
use super::robust::{median, spread};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Resident memory, bytes.
    Memory,
    /// Bytes that it keeps on the house's disk: its state and its logs.
    Disk,
    /// How full a disk is that one of its checks looks at, percent.
    Room,
    /// Open file descriptors.
    Files,
    /// Restarts since the beginning of the world.
    Restarts,
    /// How long an answer took, milliseconds.
    Latency,
}

impl Measure {
    const fn word(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "what it keeps on disk",
            Self::Room => "its disk",
            Self::Files => "open files",
            Self::Restarts => "restarts",
            Self::Latency => "answers",
        }
    }

    /// Whether a new process begins anew with it.
    const fn is_of_process(self) -> bool {
        matches!(self, Self::Memory | Self::Files)
    }
}

/// One series of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub service: String,
    pub measure: Measure,
    /// Where it bites, in the unit of the values.
    pub limit: Option<f64>,
}

/// Something unusual has begun, has become clearer, or is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Anomaly {
    pub service: String,
    pub measure: Measure,
    /// `memory grows by 12 MiB/h: it is full in 31 h`; empty when it is over.
    pub text: String,
    pub over: bool,
}

/// Values are gathered for so long before they are looked at: one wild value is none.
const FINE: f64 = 5.0 / 60.0;
/// The fast look: this many fine ones.
const FAST: usize = 24;
/// A leak is announced when it bites within this, hours.
const HORIZON: f64 = 48.0;
/// As long as a day has not been seen, a rise may be the day's: only what bites soon is announced.
const SOON: f64 = 1.0;
/// Hours that are kept: a week.
const KEPT: usize = 168;
/// The slow looks, hours each: the shortest sees one whole day and a quarter.
const SLOW: [usize; 3] = [30, 72, 168];
/// How much better a ramp must explain it than a step.
const CLEARLY: f64 = 0.7;

/// The rolling picture of one series.
#[derive(Debug, Default)]
struct Picture {
    raw: Vec<f64>,
    raw_from: Option<f64>,
    fine: VecDeque<(f64, f64)>,
    hours: VecDeque<(f64, f64)>,
    hour: Vec<f64>,
    hour_from: Option<f64>,
    /// In a row, by how many looks it was found.
    found: u32,
    missed: u32,
    said: Option<String>,
    /// In how many hours it bites, as was said last.
    left: f64,
    /// When it was said first, hours.
    said_at: Option<f64>,
    /// Growth an hour, as the last whole hour showed it.
    daily: Option<f64>,
    /// A whole hour has come since.
    stale: bool,
}

/// All series of the house.
#[derive(Debug, Default)]
pub struct Detector {
    pictures: BTreeMap<(String, Measure), Picture>,
    began: Option<Timestamp>,
}

impl Detector {
    /// One reading; what is new about the series because of it.
    pub fn feed(&mut self, series: &Series, at: Timestamp, value: f64) -> Option<Anomaly> {
        if !value.is_finite() || value < 0.0 {
            return None;
        }
        let began = *self.began.get_or_insert(at);
        let t = at.duration_since(began).as_secs_f64() / 3600.0;
        let picture = self.pictures.entry((series.service.clone(), series.measure)).or_default();
        if !picture.take(t, value) {
            return None;
        }
        let found = match (series.measure, series.limit) {
            (Measure::Restarts, _) => picture.restarts(),
            (Measure::Latency, _) => picture.slowness(),
            (_, Some(limit)) if limit > 0.0 => picture.leak(series.measure, limit),
            _ => None,
        };
        picture.news(series, found)
    }

    /// The service has a new process: what was seen of the old one says nothing of it.
    pub fn restarted(&mut self, service: &str) -> Vec<Anomaly> {
        let mut over = Vec::new();
        self.pictures.retain(|(name, measure), picture| {
            let gone = name == service && measure.is_of_process();
            if gone && picture.said.is_some() {
                over.push(Anomaly {
                    service: name.clone(),
                    measure: *measure,
                    text: String::new(),
                    over: true,
                });
            }
            !gone
        });
        over
    }

    /// It is no service any more.
    pub fn forget(&mut self, service: &str) {
        self.pictures.retain(|(name, _), _| name != service);
    }
}

impl Picture {
    /// Takes a value in; whether there is a new fine one to look at.
    fn take(&mut self, t: f64, value: f64) -> bool {
        let from = *self.raw_from.get_or_insert(t);
        // A clock that was set back, or a long silence: gather anew.
        if t < from {
            *self = Self { said: self.said.take(), ..Self::default() };
            return false;
        }
        let whole = t - from >= FINE && !self.raw.is_empty();
        if whole {
            let middle = median(&mut self.raw).unwrap_or(value);
            self.raw.clear();
            self.raw_from = Some(t);
            self.fine.push_back((from, middle));
            if self.fine.len() > FAST {
                self.fine.pop_front();
            }
            let hour = *self.hour_from.get_or_insert(from);
            if from - hour >= 1.0 {
                if let Some(middle) = median(&mut self.hour) {
                    self.hours.push_back((hour + 0.5, middle));
                }
                if self.hours.len() > KEPT {
                    self.hours.pop_front();
                }
                self.hour.clear();
                self.hour_from = Some(from);
                self.stale = true;
            }
            self.hour.push(middle);
        }
        self.raw.push(value);
        whole
    }

    fn last(&self) -> f64 {
        let mut last: Vec<f64> = self.fine.iter().rev().take(3).map(|(_, value)| *value).collect();
        median(&mut last).unwrap_or_default()
    }

    fn leak(&mut self, measure: Measure, limit: f64) -> Option<(String, f64)> {
        let now = self.last();
        if std::mem::replace(&mut self.stale, false) {
            self.daily = self.slow(now, limit);
        }
        let rate = self.fast(now, limit).or(self.daily)?;
        let left = ((limit - now) / rate).max(0.0);
        let (word, rate) = (measure.word(), amount(measure, rate, "/h"));
        let (limit, when) = (amount(measure, limit, ""), hours(left));
        let text = match measure {
            Measure::Disk => format!("{word} grows by {rate}: there is no room for more in {when}"),
            Measure::Room => format!("{word} fills by {rate}: it is full in {when}"),
            _ => format!("{word} grows by {rate}: its limit of {limit} is reached in {when}"),
        };
        Some((text, left))
    }

    /// What bites before a day's worth of history could tell.
    fn fast(&self, now: f64, limit: f64) -> Option<f64> {
        if self.fine.len() < FAST {
            return None;
        }
        let points: Vec<(f64, f64)> = self.fine.iter().copied().collect();
        let length = points.last()?.0 - points.first()?.0;
        let day_seen = self.hours.len() >= 26;
        let horizon = if day_seen { HORIZON / 4.0 } else { SOON };
        // Where it has been before without harm, it may be again.
        let older = self.hours.iter().rev().skip(3).map(|(_, value)| *value).fold(0.0, f64::max);
        let fresh = !day_seen || now > older + 0.02 * limit;
        if !fresh || !might(&points, now, limit, horizon) {
            return None;
        }
        let ramp = fit::ramp(&points, false)?;
        let grown = ramp.rate * length;
        if day_seen && ramp.rate < 1.5 * self.usual_rise() {
            return None;
        }
        if now + ramp.rate * horizon < limit || grown < 6.0 * ramp.noise || grown < 0.005 * limit {
            return None;
        }
        // Both halves must grow: whatever has jumped, or has stopped growing, does not.
        let (early, late) = points.split_at(points.len() / 2);
        let half = |half: &[(f64, f64)]| super::robust::slope(half).unwrap_or_default();
        let steady = half(early) > 0.4 * ramp.rate && half(late) > 0.6 * ramp.rate;
        (steady && fit::against_step(&points, false, &ramp)? < CLEARLY).then_some(ramp.rate)
    }

    /// How fast it has risen before, an hour, without a jump or two: what the day does is no leak.
    fn usual_rise(&self) -> f64 {
        let older: Vec<f64> = self.hours.iter().rev().skip(3).map(|(_, value)| *value).collect();
        let mut rises: Vec<f64> =
            older.iter().zip(older.iter().skip(2)).map(|(late, early)| (late - early) / 2.0).collect();
        rises.sort_by(|a, b| b.total_cmp(a));
        rises.get(4).copied().unwrap_or(0.0)
    }

    /// What grows from day to day.
    fn slow(&self, now: f64, limit: f64) -> Option<f64> {
        SLOW.iter()
            .filter(|length| self.hours.len() >= **length || (**length == SLOW[0] && self.hours.len() >= 26))
            .find_map(|length| {
                let points: Vec<(f64, f64)> =
                    self.hours.iter().skip(self.hours.len().saturating_sub(*length)).copied().collect();
                if !might(&points, now, limit, HORIZON) {
                    return None;
                }
                let ramp = fit::ramp(&points, true)?;
                let grown = ramp.rate * (points.last()?.0 - points.first()?.0);
                if now + ramp.rate * HORIZON < limit || grown < 5.0 * ramp.noise || grown < 0.01 * limit {
                    return None;
                }
                let (early, late) = points.split_at(points.len() / 2);
                let middle = |half: &[(f64, f64)]| {
                    median(&mut half.iter().map(|(_, value)| *value).collect::<Vec<_>>()).unwrap_or_default()
                };
                let risen = middle(late) - middle(early) > 0.2 * grown;
                (risen && fit::against_step(&points, true, &ramp)? < CLEARLY).then_some(ramp.rate)
            })
    }

    /// Far above what it was in the last week, for a quarter of an hour.
    fn slowness(&self) -> Option<(String, f64)> {
        if self.hours.len() < 6 {
            return None;
        }
        // What is slow now is not what it is compared with, for a day: then it is how things are.
        let now_at = self.fine.back().map_or(0.0, |(at, _)| *at);
        let before = self.said_at.filter(|at| now_at - at < 24.0).map_or(f64::INFINITY, |at| at - 0.5);
        let known: Vec<f64> =
            self.hours.iter().filter(|(at, _)| *at < before).map(|(_, value)| *value).collect();
        let (middle, spread) = (median(&mut known.clone()).unwrap_or_default(), spread(&known));
        let worst = known.iter().copied().fold(0.0, f64::max);
        let now = self.last();
        let far =
            now > middle + 8.0 * spread && now > 2.5 * middle && now > 1.5 * worst && now > middle + 20.0;
        far.then(|| (format!("answers take {now:.0} ms, {middle:.0} ms is usual"), f64::INFINITY))
    }

    /// The count went up by three within an hour.
    fn restarts(&self) -> Option<(String, f64)> {
        let (last_at, last) = self.fine.back().copied()?;
        let hour = self.fine.iter().find(|(at, _)| last_at - at <= 1.0).map_or(last, |(_, value)| *value);
        let grown = last - hour;
        (grown >= 3.0).then(|| (format!("restarted {grown:.0} times within an hour"), f64::INFINITY))
    }

    /// Found twice in a row begins it, missed for an hour ends it; what is only a little different is no news.
    fn news(&mut self, series: &Series, found: Option<(String, f64)>) -> Option<Anomaly> {
        let say = |text: String, over| {
            Some(Anomaly { service: series.service.clone(), measure: series.measure, text, over })
        };
        let Some((text, left)) = found else {
            self.found = 0;
            self.missed += 1;
            return if self.missed >= 12 {
                self.said_at = None;
                self.said.take().and_then(|_| say(String::new(), true))
            } else {
                None
            };
        };
        self.found += 1;
        self.missed = 0;
        let first = self.said.is_none() && self.found >= 2;
        // It bites twice as soon as was said.
        let clearer = self.said.is_some() && left < self.left / 2.0;
        if !(first || clearer) {
            return None;
        }
        self.said_at = self.said_at.or_else(|| self.fine.back().map(|(at, _)| *at));
        self.left = left;
        self.said = Some(text.clone());
        say(text, false)
    }
}

/// Whether a closer look is worth its while: the later half is higher, and generously carried on that reaches the limit.
fn might(points: &[(f64, f64)], now: f64, limit: f64, horizon: f64) -> bool {
    let (early, late) = points.split_at(points.len() / 2);
    let middle = |half: &[(f64, f64)]| median(&mut half.iter().map(|(_, value)| *value).collect::<Vec<_>>());
    let (Some(early), Some(late), Some(first), Some(last)) =
        (middle(early), middle(late), points.first(), points.last())
    else {
        return false;
    };
    let rate = 2.0 * (late - early) / (last.0 - first.0);
    rate > 0.0 && now + 3.0 * rate * horizon >= limit
}

fn amount(measure: Measure, value: f64, per: &str) -> String {
    match measure {
        Measure::Memory | Measure::Disk if value >= f64::from(1 << 30) => {
            format!("{:.1} GiB{per}", value / f64::from(1 << 30))
        }
        Measure::Memory | Measure::Disk if value >= f64::from(1 << 20) => {
            format!("{:.0} MiB{per}", value / f64::from(1 << 20))
        }
        Measure::Memory | Measure::Disk => format!("{:.0} KiB{per}", value / 1024.0),
        Measure::Room => format!("{value:.1} %{per}"),
        _ => format!("{value:.0}{per}"),
    }
}

fn hours(hours: f64) -> String {
    crate::sentinel::lasting(Duration::try_from_secs_f64(hours * 3600.0).unwrap_or_default())
}
