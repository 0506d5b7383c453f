//! The story behind a trace id: what every service did or saw, by time, and whether the five links hold.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sanctum_api::Moment;
use sanctum_kernel::trace::TraceId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Asked;
use crate::app::App;

/// One story, merged from everyone who knows of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Story {
    pub trace_id: TraceId,
    /// `all five links hold, 312 ms from first to last`.
    pub said: String,
    pub links: Vec<Tie>,
    /// By time, earliest first.
    pub moments: Vec<Moment>,
    /// Services that could not be asked, each with the reason.
    pub silent: BTreeMap<String, String>,
}

/// The five links of the house's promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// The device came onto the network.
    Joined,
    /// It was blocked, and the block read back.
    Blocked,
    /// The violation was written down.
    Violation,
    /// A parent's message went out.
    Message,
    /// The banner reached a browser.
    Banner,
}

/// One link and its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tie {
    pub link: Link,
    /// When it was seen.
    #[schemars(schema_with = "sanctum_api::time::maybe_instant")]
    pub at: Option<Timestamp>,
    /// Milliseconds since the first moment of the story.
    pub after_ms: Option<i64>,
    /// What was seen, or why nothing was.
    pub detail: String,
}

impl Link {
    pub const ALL: [Self; 5] = [Self::Joined, Self::Blocked, Self::Violation, Self::Message, Self::Banner];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Blocked => "blocked",
            Self::Violation => "violation",
            Self::Message => "message",
            Self::Banner => "banner",
        }
    }

    /// Whose word it is, and the words that prove it: the strongest first.
    const fn evidence(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Joined => ("firewall", &["joined"]),
            Self::Blocked => ("firewall", &["verified", "blocked"]),
            Self::Violation => ("screen", &["violation"]),
            Self::Message => ("notify", &["delivered", "accepted"]),
            Self::Banner => ("dashboard", &["banner"]),
        }
    }

    /// What it means that its service answered and knows nothing of it.
    const fn absence(self) -> &'static str {
        match self {
            Self::Joined => "nobody was seen joining in this story",
            Self::Blocked => "nothing was blocked in this story",
            Self::Violation => "no violation was written down",
            Self::Message => "no message went out",
            Self::Banner => "no browser has shown it yet",
        }
    }
}

/// Asks everyone at once.
pub(crate) async fn gather(app: &App, trace: TraceId) -> Story {
    let calls = &app.calls;
    let (firewall, screen, notify, own) = tokio::join!(
        calls.ask(&calls.firewall, async |firewall| firewall.trace(trace).await),
        calls.ask(&calls.screen, async |screen| screen.trace(trace).await),
        calls.ask(&calls.notify, async |notify| notify.trace(trace).await),
        app.seen.of(trace),
    );
    let answers =
        [("firewall", firewall), ("screen", screen), ("notify", notify), ("dashboard", Asked::Known(own))];
    merge(trace, answers.into())
}

/// Puts the answers in order and looks for the links.
pub(crate) fn merge(trace_id: TraceId, answers: Vec<(&str, Asked<Vec<Moment>>)>) -> Story {
    let mut moments = Vec::new();
    let mut silent = BTreeMap::new();
    for (service, answer) in answers {
        match answer {
            Asked::Known(known) => moments.extend(known),
            Asked::Unknown(reason) => {
                silent.insert(service.to_owned(), reason);
            }
        }
    }
    moments.sort_by_key(|moment| moment.at);
    moments.dedup();
    let first = moments.first().map(|moment| moment.at);
    let links: Vec<Tie> = Link::ALL.into_iter().map(|link| tie(link, &moments, &silent, first)).collect();
    let said = said(&links, &moments, &silent);
    Story { trace_id, said, links, moments, silent }
}

fn tie(link: Link, moments: &[Moment], silent: &BTreeMap<String, String>, first: Option<Timestamp>) -> Tie {
    let (service, words) = link.evidence();
    let found = words
        .iter()
        .find_map(|word| moments.iter().find(|moment| moment.service == service && moment.what == *word));
    if let Some(moment) = found {
        if let Some(doubt) = doubt(link, moments) {
            return Tie { link, at: None, after_ms: None, detail: doubt };
        }
        let after_ms = first.map(|first| after(first, moment.at));
        return Tie { link, at: Some(moment.at), after_ms, detail: moment.detail.clone() };
    }
    let detail = silent.get(service).map_or_else(
        || link.absence().to_owned(),
        |reason| format!("not known: {service} could not be asked ({reason})"),
    );
    Tie { link, at: None, after_ms: None, detail }
}

/// A block that was read back and found wanting is no link. Its moment's words begin with the verdict.
fn doubt(link: Link, moments: &[Moment]) -> Option<String> {
    let read_back = |moment: &&Moment| moment.service == "firewall" && moment.what == "verified";
    let last = moments.iter().rfind(read_back).filter(|_| link == Link::Blocked)?;
    let wanting = ["leaking", "missing", "unknown"]
        .iter()
        .any(|verdict| last.detail.to_lowercase().starts_with(verdict));
    wanting.then(|| last.detail.clone())
}

/// Whole milliseconds from `first` to `at`.
pub(crate) fn after(first: Timestamp, at: Timestamp) -> i64 {
    i64::try_from(at.duration_since(first).as_millis()).unwrap_or(i64::MAX)
}

fn said(links: &[Tie], moments: &[Moment], silent: &BTreeMap<String, String>) -> String {
    let held = links.iter().filter(|tie| tie.at.is_some()).count();
    let (Some(first), Some(last)) = (moments.first(), links.iter().filter_map(|tie| tie.at).max()) else {
        return match (moments.is_empty(), silent.is_empty()) {
            (true, true) => "nobody in this house knows this story".to_owned(),
            (true, false) => "nothing is known of this story, and not everyone could be asked".to_owned(),
            (false, _) => "something happened, but none of the five links".to_owned(),
        };
    };
    let span = crate::words::lapse(after(first.at, last));
    if held == links.len() {
        return format!("all five links hold, {span} from first to last");
    }
    let missing: Vec<String> =
        links.iter().filter(|tie| tie.at.is_none()).map(|tie| tie.link.word().to_owned()).collect();
    format!("{held} of 5 links hold, within {span}; missing: {}", crate::words::list(&missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(service: &str, what: &str, ms: i64) -> Moment {
        let at = Timestamp::from_millisecond(1_795_225_620_000 + ms).unwrap();
        Moment {
            at,
            service: service.into(),
            what: what.into(),
            detail: format!("{what} it was"),
            trace_id: trace(),
        }
    }

    fn trace() -> TraceId {
        "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap()
    }

    fn full() -> Vec<(&'static str, Asked<Vec<Moment>>)> {
        vec![
            (
                "firewall",
                Asked::Known(vec![
                    moment("firewall", "verified", 4),
                    moment("firewall", "joined", 0),
                    moment("firewall", "blocked", 2),
                ]),
            ),
            ("screen", Asked::Known(vec![moment("screen", "violation", 30)])),
            (
                "notify",
                Asked::Known(vec![moment("notify", "accepted", 40), moment("notify", "delivered", 90)]),
            ),
            ("dashboard", Asked::Known(vec![moment("dashboard", "banner", 312)])),
        ]
    }

    #[test]
    fn a_whole_story_holds() {
        let story = merge(trace(), full());
        assert_eq!(story.said, "all five links hold, 312 ms from first to last");
        assert!(story.moments.is_sorted_by_key(|moment| moment.at));
        let after: Vec<_> = story.links.iter().map(|tie| tie.after_ms).collect();
        assert_eq!(after, [Some(0), Some(4), Some(30), Some(90), Some(312)]);
    }

    #[test]
    fn what_is_missing_is_named_and_silence_is_not_absence() {
        let mut answers = full();
        answers[1].1 = Asked::Unknown("screen did not answer: connection refused".into());
        answers[3].1 = Asked::Known(Vec::new());
        let story = merge(trace(), answers);
        assert_eq!(story.said, "3 of 5 links hold, within 90 ms; missing: violation and banner");
        assert_eq!(
            story.links[2].detail,
            "not known: screen could not be asked (screen did not answer: connection refused)"
        );
        assert_eq!(story.links[4].detail, "no browser has shown it yet");
    }

    #[test]
    fn a_block_that_leaks_is_no_link() {
        let mut answers = full();
        let mut seen = moment("firewall", "verified", 4);
        seen.detail = "leaking: 3 packets passed".into();
        answers[0].1 =
            Asked::Known(vec![moment("firewall", "joined", 0), moment("firewall", "blocked", 2), seen]);
        let story = merge(trace(), answers);
        assert_eq!(story.said, "4 of 5 links hold, within 312 ms; missing: blocked");
        assert_eq!(story.links[1].detail, "leaking: 3 packets passed");
    }

    #[test]
    fn nothing_known_is_said_as_what_it_is() {
        let nobody = |answer: Asked<Vec<Moment>>| merge(trace(), vec![("firewall", answer)]).said;
        assert_eq!(nobody(Asked::Known(Vec::new())), "nobody in this house knows this story");
        assert_eq!(
            nobody(Asked::Unknown("down".into())),
            "nothing is known of this story, and not everyone could be asked"
        );
    }
}
