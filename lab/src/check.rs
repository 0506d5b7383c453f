//! The lab without a house: what must be counted when nobody blocks, so that a zero means something.

use sanctum_kernel::{Failure, Mac};

use crate::browser::Browser;
use crate::net::{CONSOLE_MAC, Net};
use crate::report::Report;
use crate::stream::{Tablet, internet, player};
use crate::wait::{blocking, until};
use crate::watch::{Passed, Watch, sum};

/// Every tap must see a console that nobody stops.
pub(crate) async fn instruments(mut net: Net, browser: bool, report: &mut Report) -> Result<(), Failure> {
    report.part("0", "nobody blocks: every instrument must show it");
    let _internet = internet(&net.internet)?;
    let watch = Watch::start(&net)?;
    let tablet = Tablet::start(&net.tablet)?;
    until("the tablet to stream", 10, async || tablet.is_streaming().then_some(())).await?;
    report.check("the tablet's packets are not the console's", watch.out(0).is_empty(), sum(&watch.out(0)));
    let _playing = player(&net.console)?;
    let mac: Mac = CONSOLE_MAC.parse()?;
    watch.expect(mac);
    let since = crate::now();
    net.plug(mac)?;
    let asked = until("the first DHCP packet", 10, async || watch.asked(mac)).await?;
    report.check(
        "the tap on br-lan sees the first DHCP packet",
        true,
        format!("{:.0} ms after it was plugged in", crate::ms(asked - since)),
    );
    let all = ["tcp4", "tcp6", "udp4", "udp6"];
    let has = |seen: &[Passed], kind: &str| {
        seen.iter().any(|one| one.packet.word() == kind && one.packet.payload > 500)
    };
    let moved = until("the console to play", 12, async || {
        let (out, back) = (watch.out(since), watch.back(since));
        all.iter().all(|kind| has(&out, kind) && has(&back, kind)).then_some(())
    });
    let moved = moved.await.is_ok();
    report.check("the tap at the internet sees what goes up", moved, sum(&watch.out(since)));
    report.check("the tap at the console sees what comes down", moved, sum(&watch.back(since)));
    net.rules(&format!(
        "table inet lab {{ set one {{ type ether_addr; }}; }}\nadd element inet lab one {{ {mac} }}\n"
    ))?;
    let named = until("the kernel's news", 2, async || watch.named(mac)).await;
    report.check("the kernel's news about its rules is heard", named.is_ok(), "");
    if browser {
        let mut browser = Browser::start(&net)?;
        let page = "data:text/html,<article class=banner><a href=/story/0123456789abcdef0123456789abcdef>x</a></article>";
        browser.open(page)?;
        let shown =
            blocking("Chromium to show a banner", 20, || browser.shown("0123456789abcdef0123456789abcdef"));
        report.check("Chromium tells of a banner", shown.is_ok(), "");
    }
    let seen = tablet.finish();
    report.check(
        "the tablet noticed nothing",
        seen.lost == 0 && seen.broken.is_empty(),
        format!("longest pause {:.0} ms, {} lost", seen.longest_pause_ms, seen.lost),
    );
    let lost = watch.finish()?;
    report.check("the taps lost nothing", lost == 0, lost);
    Ok(())
}
