//! What is due, what has room, what comes next: without any input or output.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sanctum_kernel::inventory::check::Check;
use tokio::time::Instant;

use super::pace::{Place, Slot, share};

/// A question that took more than this share of its time-out may hang the next time.
const SUSPECT: f64 = 0.5;
/// The window of rounds where nothing is asked more often.
const WINDOW: Duration = Duration::from_secs(30);
/// What a full sweep brings forward is spread over this.
const SPREAD: Duration = Duration::from_secs(30);

pub(super) struct Queue {
    slots: Vec<Slot>,
    places: HashMap<(usize, usize), usize>,
    heap: BinaryHeap<Reverse<(Instant, usize)>>,
    ready: VecDeque<usize>,
    suspects: VecDeque<usize>,
    /// In flight: all of them, and those that may hang.
    flying: (usize, usize),
    room: usize,
    pub(super) stretch: f64,
    /// Every this long a full sweep begins; the next one, and how many questions this one still misses.
    full: (Duration, Option<Instant>, usize),
    pub(super) fulls: u64,
    window: Window,
    pub(super) rounds: u64,
}

/// Two windows of time, the present one and the one before, and what fell due in them and is not answered.
struct Window {
    length: Duration,
    end: Option<Instant>,
    /// Which of the two is the present one.
    present: bool,
    owed: (usize, usize),
    /// Whether anything was ever due in the one before.
    begun: bool,
}

impl Window {
    fn owed(&mut self, which: bool) -> &mut usize {
        if which { &mut self.owed.1 } else { &mut self.owed.0 }
    }

    fn before(&self) -> usize {
        if self.present { self.owed.0 } else { self.owed.1 }
    }
}

impl Queue {
    pub(super) fn new(room: usize) -> Self {
        Self {
            slots: Vec::new(),
            places: HashMap::new(),
            heap: BinaryHeap::new(),
            ready: VecDeque::new(),
            suspects: VecDeque::new(),
            flying: (0, 0),
            room: room.max(2),
            stretch: 1.0,
            full: (Duration::MAX, None, 0),
            fulls: 0,
            window: Window { length: WINDOW, end: None, present: false, owed: (0, 0), begun: false },
            rounds: 0,
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.flying.0
    }

    /// Everything anew, and everything at once; what is asked more often comes first. From then on each has its own place
    /// within its cadence, so that a house is not asked in bursts.
    pub(super) fn set(&mut self, slots: Vec<Slot>, full: Duration, now: Instant) {
        let stretch = self.stretch;
        self.slots = slots;
        self.places = self.slots.iter().enumerate().map(|(at, slot)| (slot.key(), at)).collect();
        let mut order: Vec<usize> = (0..self.slots.len()).collect();
        order.sort_by_key(|at| self.slots.get(*at).map(|slot| slot.entry.every));
        let count = self.slots.len();
        for (at, slot) in self.slots.iter_mut().enumerate() {
            slot.due = now;
            let share = share(at, count, &slot.entry.check);
            slot.regular = now + slot.entry.every.mul_f64(share * stretch);
            slot.place = Place::Due;
            slot.window = false;
        }
        self.heap.clear();
        self.suspects.clear();
        self.ready = order.into();
        self.flying = (0, 0);
        let shortest = self.slots.iter().map(|slot| slot.entry.every).min().unwrap_or(WINDOW).min(WINDOW);
        let owed = (self.slots.len(), 0);
        self.window =
            Window { length: shortest, end: Some(now + shortest), present: false, owed, begun: false };
        self.full = (full, now.checked_add(full), self.slots.len());
    }

    /// When to look again without being asked.
    pub(super) fn next(&self) -> Option<Instant> {
        let due = self.heap.peek().map(|Reverse((at, _))| *at);
        // A window that waits for an answer is closed by that answer.
        let window = self.window.end.filter(|_| self.window.before() == 0);
        due.into_iter().chain(window).chain(self.full.1).min()
    }

    /// Lets time pass: what is due is taken from the heap, windows and full sweeps begin.
    pub(super) fn turn(&mut self, now: Instant) {
        while let Some(Reverse((at, slot))) = self.heap.peek().copied().filter(|Reverse((at, _))| *at <= now)
        {
            self.heap.pop();
            let Some(found) = self.slots.get_mut(slot) else { continue };
            if found.place != Place::Waits || found.due != at {
                continue;
            }
            found.place = Place::Due;
            found.window = self.window.present;
            *self.window.owed(found.window) += 1;
            if found.suspect { self.suspects.push_back(slot) } else { self.ready.push_back(slot) }
        }
        let window = &mut self.window;
        if window.end.is_some_and(|end| end <= now) && window.before() == 0 {
            self.rounds += u64::from(window.begun);
            (window.present, window.begun, window.end) = (!window.present, true, Some(now + window.length));
        }
        if self.full.1.is_some_and(|at| at <= now) {
            self.sweep(now);
        }
    }

    /// A full sweep begins: whoever would not be asked within it is brought forward.
    fn sweep(&mut self, now: Instant) {
        let end = now.checked_add(self.full.0);
        self.full = (self.full.0, end, self.slots.len());
        let (spread, count) = (SPREAD.min(self.full.0), self.slots.len());
        for (at, slot) in self.slots.iter_mut().enumerate() {
            slot.swept = false;
            if slot.place == Place::Waits && end.is_some_and(|end| slot.due >= end) {
                slot.due = now + spread.mul_f64(share(at, count, &slot.entry.check));
                self.heap.push(Reverse((slot.due, at)));
            }
        }
    }

    /// The next question to put, if there is room: where it is, what it is, and how late.
    pub(super) fn launch(&mut self, now: Instant) -> Option<(usize, Arc<Check>, Duration)> {
        if self.flying.0 >= self.room {
            return None;
        }
        let at = self.ready.pop_front().or_else(|| {
            // Those that hang may never take the place of those that do not.
            if self.flying.1 < self.room / 2 { self.suspects.pop_front() } else { None }
        })?;
        let slot = self.slots.get_mut(at)?;
        slot.place = Place::Flies;
        self.flying.0 += 1;
        self.flying.1 += usize::from(slot.suspect);
        let late = now.saturating_duration_since(slot.due);
        if slot.regular <= slot.due {
            slot.advance(now, self.stretch);
        }
        Some((at, Arc::clone(&slot.entry.check), late))
    }

    /// It has been answered: the next time stands. Returns whose answer it is.
    pub(super) fn landed(&mut self, at: usize, took: Duration, now: Instant) -> Option<(usize, usize)> {
        let slot = self.slots.get_mut(at)?;
        self.flying.0 = self.flying.0.saturating_sub(1);
        self.flying.1 = self.flying.1.saturating_sub(usize::from(slot.suspect));
        slot.suspect = took > slot.entry.check.patience().mul_f64(SUSPECT);
        if slot.regular <= now {
            slot.advance(now, self.stretch);
        }
        slot.due = slot.sooner.take().map_or(slot.regular, |sooner| sooner.max(now).min(slot.regular));
        slot.place = Place::Waits;
        self.heap.push(Reverse((slot.due, at)));
        let owed = self.window.owed(slot.window);
        *owed = owed.saturating_sub(1);
        if !slot.swept {
            slot.swept = true;
            self.full.2 = self.full.2.saturating_sub(1);
            if self.full.2 == 0 {
                self.fulls += 1;
            }
        }
        Some(slot.key())
    }

    /// Somebody wants it by `by`.
    pub(super) fn sooner(&mut self, key: (usize, usize), by: Instant) {
        let Some(at) = self.places.get(&key).copied() else { return };
        let Some(slot) = self.slots.get_mut(at) else { return };
        match slot.place {
            Place::Flies => slot.sooner = Some(slot.sooner.map_or(by, |sooner| sooner.min(by))),
            Place::Waits if by < slot.due => {
                slot.due = by;
                self.heap.push(Reverse((by, at)));
            }
            Place::Waits | Place::Due => {}
        }
    }
}
