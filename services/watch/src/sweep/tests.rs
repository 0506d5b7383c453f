//! The sweep in virtual time: what falls due, how long answers take and what they say is made up; nothing waits.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use sanctum_api::watch::State;
use sanctum_kernel::inventory::check::Check;
use sanctum_kernel::inventory::{Kind, Plane};
use sanctum_kernel::{Period, Tier};
use sanctum_probe::Answer;
use tokio::time::Instant;

use super::pace::{Entry, Slot};
use super::queue::Queue;
use crate::engine::{Command, Engine, Event, Member, Outcomes, Question, Rules};

const SECOND: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(10);

fn entry(node: usize, every: Duration) -> Entry {
    let check = Check { timeout: Some(Period(TIMEOUT)), ..Check::default() };
    Entry { node, index: 0, check: Arc::new(check), every }
}

/// A question that was put: which, when, and how much later than its time.
#[derive(Debug, Clone, Copy)]
struct Put {
    node: usize,
    at: Duration,
    late: Duration,
}

/// Time that passes only when something happens.
struct Virtual {
    queue: Queue,
    began: Instant,
    now: Instant,
    landing: BinaryHeap<Reverse<(Instant, usize, Duration)>>,
    puts: Vec<Put>,
    flying: BTreeMap<usize, usize>,
}

impl Virtual {
    fn new(room: usize, entries: Vec<Entry>, full: Duration) -> Self {
        let began = Instant::now();
        let mut queue = Queue::new(room);
        queue.set(entries.into_iter().map(Slot::new).collect(), full, began);
        let (landing, puts, flying) = Default::default();
        Self { queue, began, now: began, landing, puts, flying }
    }

    fn houses(count: usize, every: Duration, room: usize) -> Self {
        Self::new(room, (0..count).map(|node| entry(node, every)).collect(), Duration::from_mins(10))
    }

    fn at(&self) -> Duration {
        self.now.duration_since(self.began)
    }

    /// Runs until `end`; `takes` says how long an answer takes to a question put to that node at that time, and `heard` is told of
    /// every answer: node, and when its question was put.
    fn run(
        &mut self,
        end: Duration,
        takes: impl Fn(usize, Duration) -> Duration,
        mut heard: impl FnMut(&mut Queue, usize, Duration, Duration),
    ) {
        loop {
            self.queue.turn(self.now);
            while let Some((slot, _, late)) = self.queue.launch(self.now) {
                let at = self.at();
                self.puts.push(Put { node: slot, at, late });
                *self.flying.entry(slot).or_default() += 1;
                assert_eq!(self.flying[&slot], 1, "{slot} is asked twice at once");
                let takes = takes(slot, at);
                self.landing.push(Reverse((self.now + takes, slot, takes)));
            }
            let landing = self.landing.peek().map(|Reverse((at, ..))| *at);
            let Some(next) = self.queue.next().into_iter().chain(landing).min() else { return };
            if next.duration_since(self.began) > end {
                self.now = self.began + end;
                return;
            }
            self.now = self.now.max(next);
            while let Some(Reverse((at, slot, took))) =
                self.landing.peek().copied().filter(|Reverse((at, ..))| *at <= self.now)
            {
                self.landing.pop();
                self.flying.remove(&slot);
                self.queue.landed(slot, took, at);
                let put = at.duration_since(self.began).checked_sub(took).unwrap();
                heard(&mut self.queue, slot, put, at.duration_since(self.began));
            }
        }
    }

    fn latest(&self) -> Duration {
        self.puts.iter().map(|put| put.late).max().unwrap_or_default()
    }
}

/// How long after its death at `dies` the first answer about `node` comes that can show it.
fn detection(
    mut house: Virtual,
    node: usize,
    dies: Duration,
    takes: impl Fn(usize, Duration) -> Duration,
) -> Duration {
    let mut seen = None;
    house.run(dies + Duration::from_mins(5), takes, |_, which, put, heard| {
        if which == node && put >= dies && seen.is_none() {
            seen = Some(heard.checked_sub(dies).unwrap());
        }
    });
    seen.expect("it is asked after its death")
}

const QUICK: Duration = Duration::from_millis(2);

#[test]
fn w1_a_hung_endpoint_costs_only_itself() {
    let every = Duration::from_secs(10);
    // 10 of 100 hang, as in the measurement; then half of them, with hardly any room.
    for (count, hung, room) in [(200, 10, 256), (200, 10, 16), (200, 100, 32)] {
        let takes = |node: usize, _| if node.is_multiple_of(count / hung) { TIMEOUT } else { QUICK };
        for (victim, dies) in [(3, 31), (57, 38), (101, 64), (199, 90)] {
            let dies = Duration::from_secs(dies);
            let took = detection(Virtual::houses(count, every, room), victim, dies, takes);
            assert!(took <= every + SECOND / 2, "{hung} of {count} hang, room for {room}: {took:?}");
        }
    }
}

#[test]
fn w2_everything_has_its_first_verdict_within_an_interval_and_a_second() {
    for (count, every, hung) in [(200, 10, 0), (200, 10, 10), (10_000, 30, 500)] {
        let takes =
            |node: usize, _| if hung > 0 && node.is_multiple_of(count / hung) { TIMEOUT } else { QUICK };
        let mut house = Virtual::houses(count, Duration::from_secs(every), 1024);
        let mut first = BTreeMap::new();
        house.run(Duration::from_mins(2), takes, |_, node, _, heard| {
            first.entry(node).or_insert(heard);
        });
        assert_eq!(first.len(), count);
        let last = first.values().max().unwrap();
        assert!(*last <= Duration::from_secs(every) + SECOND, "{count}: the last one only after {last:?}");
        // Nobody waits for a turn of its own at the start.
        let quick = first.values().filter(|heard| **heard <= SECOND).count();
        assert!(quick >= count - hung, "{quick} of {count} within the first second");
    }
}

fn member(every: Duration) -> Member {
    let check = Question { name: "web".to_owned(), every, fails: 3, passes: 2, start_within: Duration::ZERO };
    Member {
        name: "one".to_owned(),
        plane: Plane::Host,
        kind: Kind::Continuous,
        tier: Tier::Critical,
        requires: Vec::new(),
        wants: Vec::new(),
        checks: vec![check],
        ladder: Vec::new(),
        left: Duration::ZERO,
    }
}

/// A number from 0 to 1, always the same for the same place.
fn chance(seed: u64) -> f64 {
    let mut x = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let share = ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
    share
}

/// Asks one service every 2 s, which loses one answer of a hundred and dies at `dies`; returns the number of questions, and
/// when it was believed to have failed.
fn believed(seed: u64, dies: Duration, end: Duration) -> (usize, Option<Duration>) {
    let every = Duration::from_secs(2);
    let mut engine = Engine::new(vec![member(every)], Rules::default(), Outcomes::default(), seed);
    let mut house = Virtual::new(16, vec![entry(0, every)], Duration::from_mins(10));
    let began = house.began;
    let (mut asked, mut failed) = (0, None);
    house.run(
        end,
        |_, _| QUICK,
        |queue, node, put, heard| {
            asked += 1;
            let lost =
                chance(seed ^ u64::try_from(asked).unwrap().wrapping_mul(0x1234_5678_9ABC_DEF1)) < 0.01;
            let answer =
                if put >= dies || lost { Answer::fail("no answer") } else { Answer::pass("answered") };
            for command in engine.handle(Event::Answered { node, check: 0, answer }, heard) {
                match command {
                    Command::Ask { node, check, after } => queue.sooner((node, check), began + heard + after),
                    Command::Turned { to: State::Failed, .. } if failed.is_none() => failed = Some(heard),
                    _ => {}
                }
            }
        },
    );
    (asked, failed)
}

#[test]
fn w3_a_failure_is_confirmed_within_5_s_and_a_lost_answer_is_none() {
    let never = Duration::from_secs(10_000_000);
    let (asked, failed) = believed(4, never, Duration::from_mins(3500));
    assert!(asked >= 100_000, "{asked} questions");
    assert_eq!(failed, None, "one answer of a hundred was lost, and that was all");
    for seed in 0..50 {
        let dies = Duration::from_mins(10) + Duration::from_millis(seed * 41);
        let (_, failed) = believed(seed, dies, dies + Duration::from_secs(30));
        let took = failed.expect("it is believed").checked_sub(dies).unwrap();
        assert!(took <= Duration::from_secs(5), "seed {seed}: {took:?}");
    }
}

#[test]
fn ten_thousand_of_which_five_percent_hang_are_asked_in_time() {
    let takes = |node: usize, _| if node.is_multiple_of(20) { TIMEOUT } else { Duration::from_millis(20) };
    let mut house = Virtual::houses(10_000, Duration::from_secs(30), 1024);
    house.run(Duration::from_mins(3), takes, |_, _, _, _| {});
    assert!(house.latest() <= SECOND, "{:?}", house.latest());
    assert!(house.puts.len() >= 60_000 - 500, "{} questions in three minutes", house.puts.len());
    let busiest = (60..180).map(|second| house.puts.iter().filter(|put| put.at.as_secs() == second).count());
    assert!(busiest.max().unwrap() <= 10_000 / 30 * 2, "after the first round they are spread");
}

#[test]
fn the_numbers_stand_still_while_an_answer_is_missing() {
    let every = Duration::from_secs(10);
    let mut house = Virtual::houses(20, every, 64);
    house.run(Duration::from_secs(95), |_, _| QUICK, |_, _, _, _| {});
    let (rounds, fulls) = (house.queue.rounds, house.queue.fulls);
    assert!((7..=9).contains(&rounds), "{rounds} rounds in 95 s");
    assert_eq!(fulls, 1);
    // From now on one of them never comes back: whoever rests a heartbeat on the rounds must see it.
    let never = Duration::from_secs(100_000);
    house.run(Duration::from_mins(30), |node, _| if node == 7 { never } else { QUICK }, |_, _, _, _| {});
    assert!(house.queue.rounds <= rounds + 3, "{} rounds", house.queue.rounds);
    assert!(house.queue.fulls <= 2, "{} full sweeps", house.queue.fulls);
}

#[test]
fn a_full_sweep_asks_whoever_is_asked_more_rarely() {
    let entries = vec![entry(0, Duration::from_secs(30)), entry(1, Duration::from_hours(24))];
    let mut house = Virtual::new(16, entries, Duration::from_mins(10));
    house.run(Duration::from_mins(61), |_, _| QUICK, |_, _, _, _| {});
    let rare = house.puts.iter().filter(|put| put.node == 1).count();
    assert!((6..=7).contains(&rare), "{rare} times in an hour");
    assert_eq!(house.queue.fulls, 7, "the first, and one every ten minutes");
}

#[test]
fn detection_of_a_dead_critical_service_takes_its_cadence_and_a_second_at_most() {
    let every = Tier::Critical.cadence();
    for seed in 0..1000_u64 {
        let count = 5 + usize::try_from(seed % 40).unwrap();
        let dies = Duration::from_secs_f64(60.0 + chance(seed) * 60.0);
        let takes = move |node: usize, _| if node > 0 && node.is_multiple_of(7) { TIMEOUT } else { QUICK };
        let took = detection(Virtual::houses(count, every, 64), 0, dies, takes);
        assert!(took <= every + SECOND, "seed {seed}: {took:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_question_keeps_its_cadence(
        every in prop::collection::vec(1_u64..120, 1..60),
        slow in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        room in 16_usize..64,
        asks in prop::collection::vec((any::<prop::sample::Index>(), 0_u64..300), 0..20),
    ) {
        let count = every.len();
        let entries = every.iter().enumerate().map(|(node, every)| entry(node, Duration::from_secs(*every))).collect();
        let slow: Vec<usize> = slow.iter().map(|index| index.index(count)).collect();
        let mut house = Virtual::new(room, entries, Duration::from_mins(10));
        let mut asks: Vec<(u64, usize)> = asks.iter().map(|(which, at)| (*at, which.index(count))).collect();
        asks.sort_unstable();
        let began = house.began;
        house.run(Duration::from_mins(5), |node, _| if slow.contains(&node) { TIMEOUT } else { QUICK }, |queue, _, _, heard| {
            while let Some((_, node)) = asks.first().copied().filter(|(at, _)| *at <= heard.as_secs()) {
                asks.remove(0);
                queue.sooner((node, 0), began + heard);
            }
        });
        prop_assert!(house.latest() <= SECOND, "{:?}", house.latest());
        for (node, every) in every.iter().enumerate() {
            let at: Vec<Duration> = house.puts.iter().filter(|put| put.node == node).map(|put| put.at).collect();
            let most = Duration::from_secs(*every) + SECOND;
            // One that hangs is asked again at its next turn after it was cut off.
            let most = if slow.contains(&node) { most + TIMEOUT } else { most };
            for pair in at.windows(2) {
                prop_assert!(pair[1].checked_sub(pair[0]).unwrap() <= most, "{node} every {every} s: {:?}", pair);
            }
        }
    }
}
