//! Every rule of the engine, in virtual time.

use std::collections::BinaryHeap;

use proptest::prelude::*;

use super::*;

fn rules() -> Rules {
    Rules::from(&crate::Config::default())
}

fn engine(needs: &Needs, rules: Rules) -> Engine {
    let graces = vec![Duration::from_secs(10); needs.len()];
    Engine::new(needs, &graces, &[], rules, 7)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn exited(unit: usize, run: u64) -> Event {
    Event::Exited { unit, run, exit: Exit::Code(70) }
}

fn delay_of(commands: &[Command], wanted: Timer) -> Option<Duration> {
    commands.iter().find_map(|command| match command {
        Command::After { timer, delay, .. } if *timer == wanted => Some(*delay),
        _ => None,
    })
}

fn is_lock(command: &Command) -> bool {
    matches!(command, Command::Lock { .. })
}

/// Crashes unit 0 as soon as it runs, at these times; says at which crash it locked.
fn crash_at(times: &[Duration]) -> Option<usize> {
    let mut engine = engine(&vec![vec![]], rules());
    engine.handle(Event::Begin, Duration::ZERO);
    for (count, &now) in times.iter().enumerate() {
        let run = engine.unit(0).unwrap().run;
        let commands = engine.handle(exited(0, run), now);
        if commands.iter().any(is_lock) {
            return Some(count + 1);
        }
        engine.handle(Event::Timer { unit: 0, run, timer: Timer::Retry }, now);
        assert_eq!(engine.unit(0).unwrap().run, run + 1, "it is started again");
    }
    None
}

#[test]
fn c3_the_breaker_opens_at_exactly_the_fifth_failure_within_ten_minutes() {
    assert_eq!(crash_at(&[0, 1, 2, 3, 4].map(secs)), Some(5));
    assert_eq!(crash_at(&[0, 1, 2, 3].map(secs)), None);
    assert_eq!(crash_at(&[0, 150, 300, 450, 599].map(secs)), Some(5), "one second inside the window");
    assert_eq!(crash_at(&[0, 150, 300, 450, 600].map(secs)), None, "the first one is forgotten");
    assert_eq!(crash_at(&[0, 150, 300, 450, 600, 601].map(secs)), Some(6));
    let slow: Vec<_> = (0..1000).map(|n| secs(n * 150)).collect();
    assert_eq!(crash_at(&slow), None, "four in ten minutes for ever is not five");
}

#[test]
fn c2_waits_double_with_jitter_and_begin_again_after_stability() {
    let mut engine = engine(&vec![vec![]], Rules { failures: 100, ..rules() });
    engine.handle(Event::Begin, Duration::ZERO);
    for (count, least) in [0, 1, 2, 4, 8, 16, 32, 60, 60].into_iter().enumerate() {
        let run = engine.unit(0).unwrap().run;
        let delay =
            delay_of(&engine.handle(exited(0, run), Duration::ZERO), Timer::Retry).unwrap_or_default();
        assert!(delay >= secs(least) && delay <= secs(least).mul_f64(1.25), "wait {count}: {delay:?}");
        engine.handle(Event::Timer { unit: 0, run, timer: Timer::Retry }, Duration::ZERO);
    }
    let run = engine.unit(0).unwrap().run;
    engine.handle(Event::Ready { unit: 0, run }, Duration::ZERO);
    engine.handle(Event::Timer { unit: 0, run, timer: Timer::Stable }, secs(60));
    assert_eq!(delay_of(&engine.handle(exited(0, run), secs(61)), Timer::Retry), None, "at once");
    assert_eq!(engine.unit(0).unwrap().phase, Phase::Starting);
}

#[test]
fn exit_78_locks_at_once_and_unlock_starts() {
    let mut engine = engine(&vec![vec![]], rules());
    engine.handle(Event::Begin, Duration::ZERO);
    let commands = engine.handle(Event::Exited { unit: 0, run: 1, exit: Exit::Code(78) }, secs(1));
    assert!(commands.iter().any(is_lock));
    assert_eq!(engine.unit(0).unwrap().phase, Phase::Locked);
    assert!(engine.handle(Event::Start { unit: 0 }, secs(2)).is_empty(), "only unlock unlocks");
    let commands = engine.handle(Event::Unlock { unit: 0 }, secs(3));
    assert!(commands.contains(&Command::Unlocked { unit: 0 }));
    assert!(commands.contains(&Command::Spawn { unit: 0, run: 2 }));
    assert_eq!(engine.failures(0, secs(3)), 0, "the breaker starts afresh");
}

#[test]
fn a_unit_that_was_locked_before_stays_locked_and_its_dependants_wait() {
    let needs = vec![vec![], vec![0], vec![]];
    let mut engine = Engine::new(&needs, &[secs(1); 3], &[true, false, false], rules(), 1);
    let commands = engine.handle(Event::Begin, Duration::ZERO);
    let spawned: Vec<_> =
        commands.iter().filter(|command| matches!(command, Command::Spawn { .. })).collect();
    assert_eq!(spawned, [&Command::Spawn { unit: 2, run: 1 }]);
    assert_eq!(engine.missing(1).collect::<Vec<_>>(), [0]);
    engine.handle(Event::Unlock { unit: 0 }, secs(5));
    let commands = engine.handle(Event::Ready { unit: 0, run: 1 }, secs(6));
    assert!(
        commands.contains(&Command::Spawn { unit: 1, run: 1 }),
        "it starts by itself when what it needs returns"
    );
}

#[test]
fn a_late_word_from_an_earlier_process_is_ignored() {
    let mut engine = engine(&vec![vec![]], rules());
    engine.handle(Event::Begin, Duration::ZERO);
    engine.handle(exited(0, 1), secs(1));
    assert_eq!(engine.unit(0).unwrap().run, 2);
    assert!(engine.handle(Event::Ready { unit: 0, run: 1 }, secs(1)).is_empty());
    assert!(engine.handle(exited(0, 1), secs(1)).is_empty());
    assert!(engine.handle(Event::Timer { unit: 0, run: 1, timer: Timer::Start }, secs(60)).is_empty());
}

#[test]
fn a_unit_that_never_becomes_ready_has_failed() {
    let mut engine = engine(&vec![vec![]], rules());
    engine.handle(Event::Begin, Duration::ZERO);
    let commands = engine.handle(Event::Timer { unit: 0, run: 1, timer: Timer::Start }, secs(60));
    assert!(commands.contains(&Command::Terminate { unit: 0, run: 1 }));
    let commands = engine.handle(Event::Timer { unit: 0, run: 1, timer: Timer::Grace }, secs(70));
    assert!(commands.contains(&Command::Kill { unit: 0, run: 1 }));
    let commands = engine.handle(Event::Exited { unit: 0, run: 1, exit: Exit::Signal(9) }, secs(70));
    assert!(commands.contains(&Command::Spawn { unit: 0, run: 2 }));
    assert_eq!(engine.failures(0, secs(70)), 1);
    assert_eq!(engine.unit(0).unwrap().last_exit, Some(Exit::Overdue));
}

#[test]
fn stop_start_and_restart() {
    let phase = |engine: &Engine| engine.unit(0).unwrap().phase;
    let mut engine = engine(&vec![vec![]], rules());
    engine.handle(Event::Begin, Duration::ZERO);
    engine.handle(Event::Ready { unit: 0, run: 1 }, secs(1));
    engine.handle(Event::Stop { unit: 0 }, secs(2));
    assert_eq!(phase(&engine), Phase::Stopping);
    assert!(
        engine.handle(exited(0, 1), secs(3)).iter().all(|command| !matches!(command, Command::Spawn { .. }))
    );
    assert_eq!(phase(&engine), Phase::Stopped);
    assert_eq!(engine.failures(0, secs(3)), 0, "to stop is not to fail");
    engine.handle(Event::Start { unit: 0 }, secs(4));
    assert_eq!(phase(&engine), Phase::Starting);
    engine.handle(Event::Restart { unit: 0 }, secs(5));
    assert!(engine.handle(exited(0, 2), secs(6)).contains(&Command::Spawn { unit: 0, run: 3 }));
    engine.handle(Event::Stop { unit: 0 }, secs(7));
    engine.handle(Event::Start { unit: 0 }, secs(8));
    assert!(
        engine.handle(exited(0, 3), secs(9)).contains(&Command::Spawn { unit: 0, run: 4 }),
        "the last word counts"
    );
}

/// A house in virtual time: every process takes a while to be ready and to end, some crash on the way.
struct World {
    engine: Engine,
    needs: Needs,
    slow: Vec<u64>,
    crashes: Vec<u32>,
    now: Duration,
    queue: BinaryHeap<std::cmp::Reverse<(Duration, u64)>>,
    events: Vec<Option<Event>>,
    violations: usize,
}

impl World {
    fn new(needs: &Needs, slow: Vec<u64>, crashes: Vec<u32>) -> Self {
        let rules = Rules { failures: 1000, start_timeout: secs(1_000_000), ..rules() };
        let engine = engine(needs, rules);
        let (queue, events) = (BinaryHeap::new(), Vec::new());
        Self {
            engine,
            needs: needs.clone(),
            slow,
            crashes,
            now: Duration::ZERO,
            queue,
            events,
            violations: 0,
        }
    }

    fn later(&mut self, delay: Duration, event: Event) {
        self.events.push(Some(event));
        self.queue.push(std::cmp::Reverse((self.now + delay, self.events.len() as u64 - 1)));
    }

    fn feed(&mut self, event: Event) {
        for command in self.engine.handle(event, self.now) {
            self.obey(&command);
        }
    }

    fn obey(&mut self, command: &Command) {
        match *command {
            Command::Spawn { unit, run } => {
                let unmet = self.needs[unit]
                    .iter()
                    .any(|&need| self.engine.unit(need).unwrap().phase != Phase::Ready);
                self.violations += usize::from(unmet);
                let delay = Duration::from_millis(self.slow[unit]);
                if self.crashes[unit] > 0 {
                    self.crashes[unit] -= 1;
                    self.later(delay / 2, exited(unit, run));
                } else {
                    self.later(delay, Event::Ready { unit, run });
                }
            }
            Command::Terminate { unit, run } => {
                let held = (0..self.needs.len())
                    .any(|by| self.needs[by].contains(&unit) && self.engine.unit(by).unwrap().alive);
                self.violations += usize::from(held);
                self.later(Duration::from_millis(self.slow[unit]), exited(unit, run));
            }
            Command::After { unit, run, timer, delay } => {
                self.later(delay, Event::Timer { unit, run, timer });
            }
            _ => {}
        }
    }

    fn until(&mut self, done: impl Fn(&Engine) -> bool) {
        while !done(&self.engine) {
            let std::cmp::Reverse((at, number)) = self.queue.pop().expect("something is left to happen");
            self.now = at;
            let event = self.events[usize::try_from(number).unwrap()].take().unwrap();
            self.feed(event);
        }
    }
}

/// The longest way through the graph, in milliseconds.
fn critical_path(needs: &Needs, slow: &[u64]) -> u64 {
    let mut ends = vec![0; needs.len()];
    for at in 0..needs.len() {
        ends[at] = slow[at] + needs[at].iter().map(|&need| ends[need]).max().unwrap_or(0);
    }
    ends.into_iter().max().unwrap_or(0)
}

/// Up to 24 units, each needing some of those before it.
fn graphs() -> impl Strategy<Value = Needs> {
    proptest::collection::vec(any::<u32>(), 1..24).prop_map(|masks| {
        let pick = |(at, mask): (usize, &u32)| (0..at).filter(|need| mask >> need & 1 == 1).collect();
        masks.iter().enumerate().map(pick).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn c1_order_is_never_violated_up_or_down_and_nothing_waits_longer_than_it_must(
        needs in graphs(),
        slow in proptest::collection::vec(1_u64..500, 24),
        crashes in proptest::collection::vec(0_u32..3, 24),
        crashing in any::<bool>(),
    ) {
        let slow = slow[..needs.len()].to_vec();
        let crashes = if crashing { crashes[..needs.len()].to_vec() } else { vec![0; needs.len()] };
        let all = needs.len();
        let path = critical_path(&needs, &slow);
        let mut world = World::new(&needs, slow, crashes);
        world.feed(Event::Begin);
        world.until(|engine| (0..all).all(|at| engine.is_ready(at)));
        prop_assert_eq!(world.violations, 0);
        if !crashing {
            prop_assert_eq!(world.now, Duration::from_millis(path), "as fast as the longest way through the graph");
        }
        world.feed(Event::Down);
        world.until(Engine::is_over);
        prop_assert_eq!(world.violations, 0);
        prop_assert!((0..all).all(|at| world.engine.unit(at).unwrap().phase == Phase::Stopped));
    }

    #[test]
    fn c3_the_breaker_agrees_with_counting(gaps in proptest::collection::vec(0_u64..400, 1..40)) {
        let times: Vec<u64> = gaps.iter().scan(0, |now, gap| { *now += gap; Some(*now) }).collect();
        let expected = (0..times.len())
            .find(|&last| times[..=last].iter().filter(|&&at| times[last] - at < 600).count() >= 5)
            .map(|last| last + 1);
        let times: Vec<_> = times.into_iter().map(secs).collect();
        prop_assert_eq!(crash_at(&times), expected);
    }
}
