//! How wrong the clock is: the kernel's own word, and that of time servers.

mod sntp;

use std::time::Duration;

use futures_util::future::join_all;
use sanctum_kernel::Period;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Eyes, Seen};

/// How wrong the clock is. Bedtimes, certificates and tokens depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Not looked at.
    pub off: bool,
    /// How often it looks.
    pub every: Period,
    /// Time servers, as `host` or `host:port`; three or more outvote one that lies. Without any, only the kernel is asked whether
    /// something keeps the clock right.
    pub servers: Vec<String>,
    /// Further off than this is amber.
    pub amber: Period,
    /// Further off than this is red.
    pub red: Period,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            off: false,
            every: Period::mins(15),
            servers: Vec::new(),
            amber: Period(Duration::from_millis(500)),
            red: Period::secs(5),
        }
    }
}

/// Nothing is remembered.
#[derive(Debug, Default)]
pub(super) struct Memory;

/// How long a server may take.
const PATIENCE: Duration = Duration::from_secs(3);

impl Config {
    pub(super) async fn look(&self, eyes: &Eyes, _: &mut Memory) -> Seen {
        let kept = eyes.clock.discipline().map(|clock| clock.synchronised);
        let asked = join_all(self.servers.iter().map(|server| async move {
            let answer = tokio::time::timeout(PATIENCE, sntp::ask(&eyes.clock, server)).await;
            (server.as_str(), answer.unwrap_or_else(|_| Err(format!("no answer within {}", Period(PATIENCE)))))
        })).await;
        self.judge(kept, &asked)
    }

    /// `asked` holds seconds this clock is behind each server, or why it did not say.
    fn judge(&self, kept: Option<bool>, asked: &[(&str, Result<f64, String>)]) -> Seen {
        let hint = "start NTP (`timedatectl set-ntp true`); a clock that is far off is set by hand first";
        let mut offsets: Vec<f64> = asked.iter().filter_map(|(_, answer)| answer.as_ref().ok().copied()).collect();
        if offsets.is_empty() {
            return match (kept, asked.first()) {
                (Some(true), None) => Seen::green("the kernel says that something keeps it right"),
                (Some(false), None) => Seen::amber("nothing keeps it right, as the kernel says").hint(hint),
                (None, None) => Seen::unknown("nobody was asked").hint("set `servers` in `[watch.sentinel.clock-skew]`"),
                (_, Some((server, Err(reason)))) => Seen::unknown(format!("no time server answers: {server}: {reason}")),
                (_, Some((_, Ok(_)))) => Seen::unknown("no time server answers"),
            };
        }
        let middle = crate::anomaly::median(&mut offsets).unwrap_or_default();
        let liars: Vec<&str> = asked.iter().filter(|(_, answer)| answer.as_ref().is_ok_and(|offset| (offset - middle).abs() > self.red.0.as_secs_f64())).map(|(server, _)| *server).collect();
        let said = format!("{} {}", seconds(middle.abs()), if middle > 0.0 { "slow" } else { "fast" });
        if !liars.is_empty() && liars.len() * 2 >= offsets.len() {
            return Seen::amber(format!("the time servers contradict each other: {}", liars.join(", "))).hint("name a third one, so that the two who agree are believed");
        }
        let lies = if liars.is_empty() { String::new() } else { format!("; {} says otherwise and is not believed", liars.join(", ")) };
        match middle.abs() {
            off if off > self.red.0.as_secs_f64() => Seen::red(format!("it is {said}{lies}")).hint(hint),
            off if off > self.amber.0.as_secs_f64() => Seen::amber(format!("it is {said}{lies}")).hint(hint),
            _ if kept == Some(false) => Seen::amber(format!("it is right now ({said}), and nothing keeps it so{lies}")).hint(hint),
            _ => Seen::green(format!("{said}{lies}")),
        }
    }
}

fn seconds(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1000.0) } else { format!("{seconds:.1} s") }
}
