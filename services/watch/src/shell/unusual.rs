//! What is unusual and not yet a failure: shown beside its service, and told before it bites.

use sanctum_api::notify::Severity;
use sanctum_kernel::inventory::check::Check;
use sanctum_probe::{Answer, Finding};

use super::Shell;
use super::obey::Moment;
use crate::anomaly::{Anomaly, Measure, Series};

impl Shell {
    /// How long a good answer took is a series like others, and so is how full a disk is.
    pub(super) async fn read_off(&mut self, node: usize, check: usize, answer: &Answer) {
        let anomaly = {
            let brain = self.hub.brain();
            let Some(item) = brain.item(node) else { return };
            let Some((measure, value)) =
                item.check.values().nth(check).and_then(|asked| reading(asked, answer))
            else {
                return;
            };
            // Of several checks the first speaks for the service: they do not compare.
            let same = |other: &Check| speaks(other) == Some(measure);
            if item.check.values().position(same) != Some(check) {
                return;
            }
            let limit = (measure == Measure::Room).then_some(100.0);
            let series = Series { service: item.name.clone(), measure, limit };
            drop(brain);
            self.hub.detector().feed(&series, self.hub.now(), value)
        };
        if let Some(anomaly) = anomaly {
            self.anomalies(vec![anomaly]).await;
        }
    }

    pub(super) async fn anomalies(&mut self, news: Vec<Anomaly>) {
        for one in news {
            self.anomaly(one).await;
        }
    }

    async fn anomaly(&mut self, anomaly: Anomaly) {
        let Anomaly { service, measure, text, over } = anomaly;
        let name = format!("{measure:?}").to_lowercase();
        let (known, at) = {
            let mut brain = self.hub.brain();
            let all = brain.anomalies.entry(service.clone()).or_default();
            let known = if over { all.remove(&name) } else { all.insert(name.clone(), text.clone()) };
            (known, brain.find(&service))
        };
        self.settle(Moment { nodes: at.into_iter().collect(), ..Moment::default() }).await;
        // What grows clearer is shown; it was told already.
        if known.is_some() != over || at.is_none() {
            return;
        }
        let title = if over {
            format!("{service}: its {name} is as usual again")
        } else {
            format!("{service}: {text}")
        };
        let message =
            if over { known.unwrap_or_default() } else { format!("{text}. It has not failed yet.") };
        let key = format!("anomaly-{service}-{name}");
        let mut notice = self.hub.style().word(Severity::Warn, &key, title, message, over);
        if matches!(measure, Measure::Latency | Measure::Restarts) {
            // Worth a look, and nobody's sleep.
            notice.severity = Severity::Info;
            notice.force_channels = vec!["dashboard".to_owned()];
        }
        self.tell(notice).await;
    }
}

/// Which series the answers to a check belong to.
fn speaks(check: &Check) -> Option<Measure> {
    match check.kind() {
        "http" | "tcp" | "health" | "dns" => Some(Measure::Latency),
        "disk" => Some(Measure::Room),
        _ => None,
    }
}

fn reading(check: &Check, answer: &Answer) -> Option<(Measure, f64)> {
    match (speaks(check)?, answer.finding) {
        (Measure::Latency, Finding::Pass) => Some((Measure::Latency, answer.took.as_secs_f64() * 1000.0)),
        (Measure::Room, Finding::Pass | Finding::Drift) => Some((Measure::Room, answer.value?)),
        _ => None,
    }
}
