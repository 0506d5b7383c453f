//! Whether the watch itself can see: three clocks that must agree, and a few places that always answer.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sanctum_kernel::inventory::check::{Check, Icmp, Tcp};
use sanctum_kernel::inventory::{Item, Plane};
use sanctum_kernel::{Clock, Period};
use sanctum_probe::{Finding, Prober};

use crate::config::Blindness;
use crate::words;

/// How long a place that always answers may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// All clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clocks {
    /// Stands still while the machine sleeps.
    pub(crate) monotonic: Duration,
    /// Goes on while the machine sleeps; absent where it cannot be read.
    pub(crate) boot: Option<Duration>,
    /// May be set.
    pub(crate) wall: Timestamp,
}

/// What the clocks say has happened since the look before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gap {
    /// The process was stopped, or got no processor.
    Stopped(Duration),
    /// The machine slept.
    Slept(Duration),
    /// Somebody set the clock, by so much.
    Set(SignedDuration),
}

impl Clocks {
    pub(crate) fn read(clock: &Clock, began: tokio::time::Instant) -> Self {
        let boot = clock.discipline().map(|discipline| discipline.up);
        Self { monotonic: began.elapsed(), boot, wall: clock.now() }
    }

    /// What has happened since `before`; `missed` is how long this process did not run meanwhile.
    pub(crate) fn since(self, before: Self, missed: Option<Duration>, rules: &Blindness) -> Option<Gap> {
        if let Some(missed) = missed {
            return Some(Gap::Stopped(missed));
        }
        let gap = rules.gap.0;
        let monotonic = self.monotonic.saturating_sub(before.monotonic);
        let boot = match (self.boot, before.boot) {
            (Some(now), Some(then)) => now.saturating_sub(then),
            _ => monotonic,
        };
        // The boot clock is read in whole seconds.
        if boot.saturating_sub(monotonic) > gap + Duration::from_secs(1) {
            return Some(Gap::Slept(boot));
        }
        // A short sleep counts; the coarseness of that clock does not.
        let slept = boot.saturating_sub(monotonic) > Duration::from_secs(2);
        let passed = if slept { boot } else { monotonic };
        let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::ZERO);
        let step = self.wall.duration_since(before.wall) - passed;
        let half = SignedDuration::from_millis(if step.is_negative() { -500 } else { 500 });
        let step = SignedDuration::from_secs((step + half).as_secs());
        let limit = SignedDuration::try_from(rules.step.0).unwrap_or(SignedDuration::MAX);
        (step.abs() > limit).then_some(Gap::Set(step))
    }
}

impl Gap {
    pub(crate) fn sentence(self) -> String {
        match self {
            Self::Stopped(length) => {
                format!("the watch itself was stopped, or got no processor, for {}", words::span(length))
            }
            Self::Slept(length) => format!("the machine slept for {}", words::span(length)),
            Self::Set(step) => {
                let way = if step.is_negative() { "back" } else { "forward" };
                format!("the clock was set {way} by {}", words::span(step.unsigned_abs()))
            }
        }
    }

    pub(crate) const fn length(self) -> Duration {
        match self {
            Self::Stopped(length) | Self::Slept(length) => length,
            Self::Set(_) => Duration::ZERO,
        }
    }
}

/// What can be seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sight {
    /// This machine itself.
    pub(crate) here: bool,
    /// The house's network.
    pub(crate) network: bool,
    /// What lies beyond it.
    pub(crate) outside: bool,
}

impl Sight {
    pub(crate) const CLEAR: Self = Self { here: true, network: true, outside: true };

    /// What hides an item whose check looks there; `None` if it can be seen.
    pub(crate) fn hides(self, item: &Item, check: &Check) -> Option<&'static str> {
        if !leaves(check) {
            return None;
        }
        if !self.network {
            return Some("the house's own network does not answer");
        }
        (item.plane == Plane::Outside && !self.outside).then_some("nothing outside the house answers")
    }

    pub(crate) const fn is_clear(self) -> bool {
        self.here && self.network && self.outside
    }

    pub(crate) const fn sentence(self) -> &'static str {
        match (self.here, self.network) {
            (false, _) => "this machine does not answer itself",
            (true, false) => "the house's own network does not answer",
            (true, true) => "nothing outside the house answers",
        }
    }
}

/// Whether anything but this machine itself may be looked at.
pub(crate) fn is_configured(rules: &Blindness) -> bool {
    rules.gateway.is_some() || !rules.outside.is_empty()
}

/// Asks the places that always answer. `here` is the watch's own address.
pub(crate) async fn look(prober: &Prober, rules: &Blindness, here: Option<std::net::SocketAddr>) -> Sight {
    let answers = async |place: String| prober.ask(&place_check(&place)).await.finding == Finding::Pass;
    let own = async {
        match here {
            Some(addr) => answers(addr.to_string()).await,
            None => true,
        }
    };
    let gateway = async {
        match &rules.gateway {
            Some(gateway) => Some(answers(gateway.clone()).await),
            None => None,
        }
    };
    let outside = async {
        let mut any = None;
        for place in &rules.outside {
            any = Some(any == Some(true) || answers(place.clone()).await);
        }
        any
    };
    let (here, gateway, outside) = tokio::join!(own, gateway, outside);
    // One place that answers proves the way to it: a router that ignores pings is no network that is gone.
    let network = gateway != Some(false) || outside == Some(true);
    Sight { here, network, outside: outside.unwrap_or(network) }
}

fn place_check(place: &str) -> Check {
    let timeout = Some(Period(PATIENCE));
    let has_port = place.rsplit_once(':').is_some_and(|(host, port)| {
        port.parse::<u16>().is_ok() && (!host.contains(':') || host.starts_with('['))
    });
    if has_port {
        Check { tcp: Some(Tcp { address: place.to_owned(), banner: None }), timeout, ..Check::default() }
    } else {
        Check { icmp: Some(Icmp { host: place.to_owned() }), timeout, ..Check::default() }
    }
}

/// Whether a check looks at something that is not this machine.
fn leaves(check: &Check) -> bool {
    let url = |url: &str| {
        url.split_once("://").map_or(url, |(_, rest)| rest).split(['/', '?']).next().unwrap_or("").to_owned()
    };
    let places = [
        check.http.as_ref().map(|http| url(&http.url)),
        check.events.as_ref().map(|events| url(&events.url)),
        check.tcp.as_ref().map(|tcp| tcp.address.clone()),
        check.udp.as_ref().map(|udp| udp.address.clone()),
        check.icmp.as_ref().map(|icmp| icmp.host.clone()),
        check.health.as_ref().map(|health| health.address.clone()),
        check.certificate.as_ref().and_then(|certificate| certificate.address.clone()),
        // Without a server of its own, the machine's resolver asks somebody else.
        check.dns.as_ref().map(|dns| dns.server.clone().unwrap_or_else(|| "resolver".to_owned())),
    ];
    places.into_iter().flatten().any(|place| !is_here(&place))
}

fn is_here(place: &str) -> bool {
    let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
    let host = host.strip_prefix('[').map_or(host, |rest| rest.split(']').next().unwrap_or(rest));
    host.starts_with("127.") || host.starts_with("localhost") || host == "::1" || host.starts_with("::1:")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clocks(monotonic: u64, boot: u64, wall: i64) -> Clocks {
        Clocks {
            monotonic: Duration::from_secs(monotonic),
            boot: Some(Duration::from_secs(boot)),
            wall: Timestamp::from_second(1_700_000_000 + wall).unwrap(),
        }
    }

    /// W8: a stop, a sleep and a clock that was set are told apart, and an ordinary second is none of them.
    #[test]
    fn w8_the_clocks_tell_a_stop_from_a_sleep_from_a_clock_that_was_set() {
        let (rules, before) = (Blindness::default(), clocks(100, 100, 0));
        let seen = |now: Clocks| now.since(before, None, &rules);
        assert_eq!(seen(clocks(101, 101, 1)), None);
        assert_eq!(seen(clocks(105, 106, 5)), None);
        assert_eq!(seen(clocks(160, 160, 60)), None, "whoever looks seldom is not blind for that");
        let minute = Duration::from_mins(1);
        assert_eq!(clocks(160, 160, 60).since(before, Some(minute), &rules), Some(Gap::Stopped(minute)));
        assert_eq!(seen(clocks(101, 3701, 3601)), Some(Gap::Slept(Duration::from_secs(3601))));
        let year = 365 * 86_400;
        assert_eq!(seen(clocks(101, 101, year + 1)), Some(Gap::Set(SignedDuration::from_secs(year))));
        assert_eq!(seen(clocks(101, 101, 1 - year)), Some(Gap::Set(SignedDuration::from_secs(-year))));
        assert_eq!(Gap::Set(SignedDuration::from_secs(-year)).sentence(), "the clock was set back by 365 d");
        let blind =
            |now: Clocks| Clocks { boot: None, ..now }.since(Clocks { boot: None, ..before }, None, &rules);
        assert_eq!(blind(clocks(101, 0, 3601)), Some(Gap::Set(SignedDuration::from_secs(3600))));
    }

    #[test]
    fn what_stays_on_this_machine_is_seen_without_a_network() {
        let http = |url: &str| {
            let http =
                Some(sanctum_kernel::inventory::check::Http { url: url.to_owned(), ..Default::default() });
            leaves(&Check { http, ..Check::default() })
        };
        assert!(!http("http://127.0.0.1:8123/") && !http("http://localhost/x") && !http("http://[::1]:80/"));
        assert!(http("http://192.168.1.7:8123/") && http("https://example.org/"));
        assert!(!leaves(&Check {
            disk: Some(sanctum_kernel::inventory::check::Disk::default()),
            ..Check::default()
        }));
        assert!(leaves(&Check {
            dns: Some(sanctum_kernel::inventory::check::Dns::default()),
            ..Check::default()
        }));
        for (place, tcp) in
            [("1.1.1.1:443", true), ("192.168.1.1", false), ("fe80::1", false), ("[fe80::1]:53", true)]
        {
            assert_eq!(place_check(place).tcp.is_some(), tcp, "{place}");
        }
    }
}
