//! Not believing what cannot be seen: gaps in its own time, and networks that are gone.

use jiff::Timestamp;
use sanctum_kernel::Status;
use sanctum_probe::{Answer, Finding};
use tokio::time::Instant;

use super::Shell;
use super::obey::Moment;
use crate::engine::Event;
use crate::hub::Message;
use crate::senses::{self, Clocks, Gap, Sight};
use crate::store::{Letter, Write};
use crate::words;

/// The part of the board that speaks of it.
const PART: &str = "eyes";
/// A look around that is older says nothing about an answer of now.
const FRESH: std::time::Duration = std::time::Duration::from_secs(2);
/// As long as something is hidden, this often it is looked whether it still is.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(5);

/// What is known of its own eyes.
#[derive(Debug)]
pub(super) struct State {
    pub(super) now: Sight,
    /// When that was found out.
    looked: Option<Instant>,
    looking: bool,
    /// The engine waits for what is found out.
    wanted: bool,
    /// Bad answers from afar that wait for it.
    waiting: Vec<(u64, usize, usize, Answer)>,
    /// Since when something is hidden, and why.
    hidden: Option<(Timestamp, Instant, &'static str)>,
    /// What was asked before cannot be believed; it sees again then.
    from: Option<Instant>,
    settles: Option<Instant>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            now: Sight::CLEAR,
            looked: None,
            looking: false,
            wanted: false,
            waiting: Vec::new(),
            hidden: None,
            from: None,
            settles: None,
        }
    }
}

impl Shell {
    /// Compares the clocks with those of the look before.
    pub(super) async fn look_at_clocks(&mut self) {
        let rules = self.hub.config().blindness.clone();
        let now = Clocks::read(&self.hub.shared.clock, self.began);
        let before = std::mem::replace(&mut self.clocks, now);
        let missed = self.hub.pulse.missed(rules.gap.0);
        if let Some(gap) = now.since(before, missed, &rules) {
            self.gap(gap, rules.settle.0).await;
        }
        if self.sight.settles.is_some_and(|at| at <= Instant::now()) {
            self.sight.settles = None;
            self.hub.shared.well.set(PART, Status::Well, "it sees");
            self.digest(vec![Event::Sees]).await;
        }
    }

    /// Nothing that was seen in a gap, or is seen soon after it, is believed; one notice says so.
    async fn gap(&mut self, gap: Gap, settle: std::time::Duration) {
        let why = gap.sentence();
        tracing::warn!(why, "the watch was blind");
        let at = Instant::now() + settle;
        self.sight.from = Some(at);
        self.sight.settles = Some(at);
        self.sight.waiting.clear();
        // That nothing can be seen is no fault of the watch: it is shown, and no incident of its own.
        self.hub.shared.well.set(PART, Status::Well, format!("{why}: what is seen is not believed yet"));
        let since = {
            let brain = self.hub.brain();
            brain.now().saturating_sub(gap.length())
        };
        self.digest(vec![Event::Blind { since, why: why.clone() }]).await;
        let notice = match gap {
            Gap::Set(_) => {
                let style = self.hub.style();
                let title = words::capital(&why);
                let says = "Times of incidents and ages of files and certificates are counted by the new time from now on. \
                            Everything is asked again.";
                style.word(sanctum_api::notify::Severity::Warn, "watch-clock", title, says.to_owned(), false)
            }
            Gap::Stopped(length) | Gap::Slept(length) => {
                self.hub.style().blind(&words::capital(&why), length)
            }
        };
        self.tell(notice).await;
    }

    /// Puts a letter into the outbox.
    pub(super) async fn tell(&mut self, notice: sanctum_api::notify::Notice) {
        let trace = sanctum_kernel::Trace::current().id();
        let letter = Letter { at: self.hub.now(), trace, notice, claims: None };
        let moment = Moment { writes: vec![Write::Letter(Box::new(letter))], ..Moment::default() };
        self.settle(moment).await;
    }

    /// An answer as it may be believed; `None` if it is not, or must wait.
    pub(super) fn believe(
        &mut self,
        node: usize,
        check: usize,
        answer: Answer,
        heard: Instant,
    ) -> Option<Answer> {
        let asked = heard.checked_sub(answer.took).unwrap_or(heard);
        if self.sight.from.is_some_and(|from| asked < from) {
            return None;
        }
        let hides = {
            let brain = self.hub.brain();
            let item = brain.item(node)?;
            let asked = item.check.values().nth(check)?;
            // Whether it could be hidden at all.
            Sight { network: false, ..Sight::CLEAR }
                .hides(item, asked)
                .map(|_| self.sight().hides(item, asked))
        };
        let bad = matches!(answer.finding, Finding::Fail | Finding::Drift);
        let Some(hidden) = hides.filter(|_| bad && senses::is_configured(&self.hub.config().blindness))
        else {
            return Some(answer);
        };
        if self.sight.looked.is_some_and(|at| at.elapsed() < FRESH) {
            return Some(hidden.map_or(answer.clone(), |why| cannot(&answer, why)));
        }
        self.sight.waiting.push((self.list, node, check, answer));
        self.look_around(false);
        None
    }

    /// Asks the places that always answer, beside everything else.
    pub(super) fn look_around(&mut self, wanted: bool) {
        self.sight.wanted |= wanted;
        if self.sight.looking {
            return;
        }
        self.sight.looking = true;
        let (hub, prober) = (self.hub(), self.prober.clone());
        self.hub.shared.tasks.spawn("look around", sanctum_kernel::OnError::Log, |stop| async move {
            let rules = hub.config().blindness.clone();
            let here = hub.shared.peers.addr("watch");
            if let Some(sight) = stop.or(senses::look(&prober, &rules, here)).await {
                hub.mail.send(Message::Looked(sight)).await.ok();
            }
            Ok(())
        });
    }

    pub(super) async fn looked(&mut self, sight: Sight) {
        let state = &mut self.sight;
        state.looking = false;
        state.looked = Some(Instant::now());
        state.now = sight;
        let waiting = std::mem::take(&mut state.waiting);
        let wanted = std::mem::take(&mut state.wanted);
        let mut events = Vec::new();
        for (list, node, check, answer) in waiting.into_iter().filter(|(list, ..)| *list == self.list) {
            let why = {
                let brain = self.hub.brain();
                brain.item(node).and_then(|item| sight.hides(item, item.check.values().nth(check)?))
            };
            debug_assert_eq!(list, self.list);
            let answer = why.map_or_else(|| answer.clone(), |why| cannot(&answer, why));
            events.push(Event::Answered { node, check, answer });
        }
        if wanted {
            // A network that is gone hides what lies behind it, and nothing else.
            events.push(if sight.here {
                Event::Sees
            } else {
                let since = self.hub.brain().now();
                Event::Blind { since, why: sight.sentence().to_owned() }
            });
        }
        self.hide(sight).await;
        self.digest(events).await;
    }

    /// Says that something is hidden, or that it is no more and for how long it was.
    async fn hide(&mut self, sight: Sight) {
        let (wall, now) = (self.hub.now(), Instant::now());
        match (self.sight.hidden, sight.is_clear()) {
            (None, false) => {
                let why = sight.sentence();
                tracing::warn!(why, "the watch cannot see everything");
                self.sight.hidden = Some((wall, now, why));
                self.hub.brain().blind = Some((wall, why.to_owned()));
                self.hub.shared.well.set(PART, Status::Well, format!("{why}: what lies there is unknown"));
            }
            (Some((_, since, why)), true) => {
                self.sight.hidden = None;
                self.hub.brain().blind = None;
                self.hub.shared.well.set(PART, Status::Well, "it sees");
                let notice = self.hub.style().blind(&words::capital(why), since.elapsed());
                self.tell(notice).await;
            }
            _ => {}
        }
    }

    /// Looks again while something is hidden: it comes back by itself.
    pub(super) fn look_again(&mut self) {
        let stale = self.sight.looked.is_none_or(|at| at.elapsed() >= AGAIN);
        if stale && !self.sight.now.is_clear() {
            self.look_around(!self.sight.now.here);
        }
    }
}

fn cannot(answer: &Answer, why: &str) -> Answer {
    Answer {
        finding: Finding::Unknown,
        detail: format!("cannot be told: {why} ({})", answer.detail),
        ..answer.clone()
    }
}
