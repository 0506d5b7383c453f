//! How soon the router holds the block of somebody it has never seen.

use std::path::Path;

use sanctum_api::firewall::Kind;
use sanctum_kernel::trace::random;
use sanctum_kernel::{Failure, Mac};

use crate::house::{Night, is_in_force};
use crate::net::Net;
use crate::report::{Report, quantile};
use crate::stage::Stage;
use crate::stream::{internet, player};
use crate::wait::until;
use crate::watch::sum;

/// The bars: median and 99th percentile, in milliseconds.
const BARS: (f64, f64) = (5.0, 25.0);
/// How long each stranger goes on trying after it was blocked.
const TRYING: u64 = 300;

/// A made-up address: the locally-administered bit is set (IEEE 802c), the group bit is not.
pub(crate) fn stranger() -> Mac {
    let mut octets = random::<6>();
    if let Some(first) = octets.first_mut() {
        *first = (*first & !1) | 2;
    }
    Mac(octets)
}

/// Each stranger has its addresses by hand and sends from the first moment, while its DHCP client asks as well:
/// nobody can be quicker to leak.
pub(crate) async fn measure(binary: &Path, net: Net, n: usize, report: &mut Report) -> Result<(), Failure> {
    let _internet = internet(&net.internet)?;
    let mut stage = Stage::set(binary, net, &Night::long()?, false, report).await?;
    let begun = crate::now();
    let _player = player(&stage.net.console)?;
    let (mut by_event, mut by_kernel, mut by_frame, mut early) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for round in 0..n {
        let mac = stranger();
        stage.net.unplug()?;
        stage.watch.expect(mac);
        let since = crate::now();
        let host = 30 + u16::try_from(round % 60).unwrap_or_default();
        Net::by_hand(&stage.net.console, mac, host)?;
        let _asking = stage.net.ask_for_lease()?;
        let asked = until("the stranger's first DHCP packet", 10, async || stage.watch.asked(mac)).await?;
        let fits = |what: &sanctum_api::firewall::Happening| {
            what.kind == Kind::Attempt && what.mac == Some(mac) && what.verdict.is_some_and(is_in_force)
        };
        let attempt =
            until("the firewall to tell of the attempt", 5, async || stage.follow.happening(since, fits))
                .await;
        let attempt = attempt.map_err(|error| {
            format!("join {}: {error}; it told only this:\n{}", round + 1, stage.follow.told(since))
        })?;
        let named = until("the kernel to hold the block", 5, async || stage.watch.named(mac)).await?;
        by_event.push(crate::ms(crate::nanos(attempt.what.at) - asked));
        by_kernel.push(crate::ms(named - asked));
        by_frame.extend(stage.watch.first(mac).map(|first| crate::ms(named - first)));
        early += usize::from(named < asked);
        let end = crate::now() + i64::try_from(TRYING * 1_000_000).unwrap_or_default();
        until("the stranger's tries", 5, async || (crate::now() >= end).then_some(())).await?;
    }
    let out = stage.watch.out(begun);
    report.part("joins", &format!("{n} strangers join at night; each sends from its first moment on"));
    report.note(format!(
        "{early} of {n} were blocked before they asked for a lease (the bridge had learnt their address)"
    ));
    for (name, what, values) in [
        ("event", "block read back, by the firewall's event", &by_event),
        ("kernel", "block in the kernel, by its own news", &by_kernel),
    ] {
        let (median, high) = (quantile(values, 0.5), quantile(values, 0.99));
        report.fact(name, serde_json::json!({ "median_ms": median, "p99_ms": high, "max_ms": quantile(values, 1.0), "n": values.len(), "ms": values }));
        let seen = format!("median {median:.2} ms (bar {}), p99 {high:.2} ms (bar {})", BARS.0, BARS.1);
        report.check(what, median <= BARS.0 && high <= BARS.1, seen);
    }
    let (median, high) = (quantile(&by_frame, 0.5), quantile(&by_frame, 0.99));
    report.note(format!("after the very first frame of any kind: median {median:.2} ms, p99 {high:.2} ms"));
    report
        .fact("first_frame", serde_json::json!({ "median_ms": median, "p99_ms": high, "n": by_frame.len() }));
    report.check("no packet passed", out.is_empty(), sum(&out));
    report.fact("packets_out", out.len());
    stage.house.down()?;
    let Stage { watch, .. } = stage;
    let lost = watch.finish()?;
    report.check("our own taps lost nothing", lost == 0, lost);
    Ok(())
}
