//! The page without JavaScript, and the sentence over every state of the house.

use sanctum_api::firewall::{Scope, Standing, Verdict};
use sanctum_api::notify::Severity;
use sanctum_api::supervise::{Locked, Phase};
use sanctum_kernel::{Applied, Status};

use crate::house::{Night, text};
use crate::night;

#[tokio::test(flavor = "multi_thread")]
async fn the_page_reads_without_javascript() {
    let night = Night::tried().await;
    let html = night.page("/").await;
    let page = text(&html);
    for said in [
        "1 thing needs you: Ava's Xbox tried to go online at 02:47.",
        "error said 3 times ×3 screen · 02:47",
        "acknowledged by Claire at 00:15",
        "21:30–10:00, 12 h 30 min in force",
        "Ava's Xbox blocked 21:30 – 10:00 , weekend curfew",
        "Léo's tablet allowed all night",
        "blocked 20:00 – 20:45 , homework ; blocked 21:30 – 10:00 , weekend curfew",
        "02:47 Ava's Xbox blocked · weekend curfew 21:30–10:00 · proven",
        "4 of 5 online, 2 blocked",
        "Ava · gaming · 192.168.1.28 Curfew, until 10:00 · 14 packets dropped, 0 passed blocked proven",
        "YouTube and Netflix blocked in force, untested",
        "Claire · exempt · last seen 18:12",
        "Force Flow notify tells people what happens",
        "watched by Castellan",
        "now 02:47",
    ] {
        let said = said.replace(" – ", "–").replace(" ,", ",").replace(" ;", ";");
        let page = page.replace(" – ", "–").replace(" ,", ",").replace(" ;", ";");
        assert!(page.contains(&said), "`{said}` is not in: {page}");
    }
    assert!(html.contains("<noscript><meta http-equiv=\"refresh\""), "it looks again by itself");
    assert!(
        html.contains("action=\"/banners/7/ack\"")
            && html.contains("href=\"/story/4bf92f3577b34da6a3ce929d0e0e4736\"")
    );
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_write_is_text_and_never_markup() {
    let night = Night::calm().await;
    let mut device = night::xbox();
    device.name = "<script>alert(1)</script>\" onmouseover=\"x".into();
    let mut banner = night::banner();
    banner.title = "<img src=x onerror=alert(1)>".into();
    night.answer("firewall", "GET /devices", &[device]).await;
    night.answer("notify", "GET /banners", &[banner]).await;
    let page = night.page("/").await;
    assert!(!page.contains("<script>alert") && !page.contains("<img"), "{page}");
    assert!(page.contains("&lt;img src=x"));
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sentence_on_the_house() {
    let night = Night::calm().await;
    let says = async |expected: &str| {
        let (said, overview) = night.sentence().await;
        assert_eq!(said, expected, "{}", overview["sentence"]);
    };
    says("All is well: 5 services, 4 devices online, curfew until 10:00.").await;

    night.answer("notify", "GET /banners", &[night::read_banner()]).await;
    says("All is well: 5 services, 4 devices online, curfew until 10:00.").await;
    let mut quiet = night::banner();
    quiet.severity = Severity::Info;
    night.answer("notify", "GET /banners", &[quiet.clone()]).await;
    says("All is well: 5 services, 4 devices online, curfew until 10:00.").await;
    // Even a small thing is for you if nobody else was told.
    quiet.undelivered = true;
    night.answer("notify", "GET /banners", &[quiet]).await;
    says("1 thing needs you: Ava's Xbox tried to go online at 02:47.").await;

    let mut devices = night::devices();
    devices.push(night::newcomer());
    devices[0] = night::blocked(night::xbox(), Scope::All, Verdict::Leaking, "3 packets passed");
    night.answer("firewall", "GET /devices", &devices).await;
    let mut services = night::services();
    services[1].phase = Phase::Locked;
    let (at, reason) = (night::now(), "5 failures".into());
    services[1].locked = Some(Locked { at, reason, last_lines: vec!["boom".into()], told: None });
    night.answer("supervise", "GET /services", &services).await;
    says(
        "4 things need you: Ava's Xbox tried to go online at 02:47; Ava's Xbox is blocked and yet packets pass; \
         iPad waits for your approval; 1 more.",
    )
    .await;
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sentence_knows_less_than_well() {
    let night = Night::calm().await;
    let says = async |expected: &str| assert_eq!(night.sentence().await.0, expected);
    let mut services = night::services();
    services[2].well = Some(Status::Degraded);
    night.answer("supervise", "GET /services", &services).await;
    says("Nothing needs you: Screen Time does with less than it should, 5 services, 4 devices online, curfew until 10:00.").await;
    services[2].well = None;
    night.answer("supervise", "GET /services", &services).await;
    says("Not all is known: the health of Screen Time could not be asked.").await;
    night.answer("supervise", "GET /services", &night::services()).await;

    night.answer("screen", "GET /screen/status", &night::status(Applied::Unknown)).await;
    says("Not all is known: whether the rules of tonight are in force cannot be told.").await;
    night.answer("screen", "GET /screen/status", &night::status(Applied::NotApplied)).await;
    says("1 thing needs you: the rules of tonight are not in force.").await;
    night.line("firewall", "GET /devices", 503, &serde_json::json!({}), 0).await;
    says("1 thing needs you: the rules of tonight are not in force. Also not known: firewall could not be asked.").await;
    night.answer("screen", "GET /screen/status", &night::status(Applied::Applied)).await;
    says("Not all is known: firewall could not be asked.").await;

    let unseen = night::blocked(night::xbox(), Scope::All, Verdict::Unknown, "");
    night.answer("firewall", "GET /devices", &[unseen]).await;
    says("Not all is known: the block of Ava's Xbox could not be looked at.").await;
    let mut newcomer = night::newcomer();
    newcomer.standing = Standing::Automatic;
    night.answer("firewall", "GET /devices", &[newcomer]).await;
    night.answer("screen", "GET /screen/schedule", &Vec::<()>::new()).await;
    says("All is well: 5 services, 1 device online.").await;
    night.answer("firewall", "GET /devices", &Vec::<()>::new()).await;
    says("All is well: 5 services, no device online.").await;
    night.answer("firewall", "GET /devices", &[night::xbox()]).await;
    // Before the night, the sentence says when it begins.
    let mut later = night::schedule();
    later.retain(|stretch| stretch.from > night::at("20T21:00:00"));
    night.answer("screen", "GET /screen/schedule", &later).await;
    night.house.clock().step(jiff::SignedDuration::from_hours(-6));
    says("All is well: 5 services, 1 device online, curfew at 21:30.").await;
    night.house.stop().await;
}
