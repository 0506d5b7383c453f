//! In a real Chromium: live, by mouse and keyboard, on a phone and a desk, in the light and in the dark.

use sanctum_api::firewall::{Scope, Verdict};
use sanctum_kernel::Clock;
use sanctum_testkit::browser::{Browser, Screen};
use serde_json::json;

use crate::house::{Night, SOON, notification};
use crate::night;

/// A banner has to be on the page by then.
const BAR_MS: i64 = 1000;
const LIVE: &str = "document.querySelector('#pulse').dataset.state === 'live' && document.querySelectorAll('#sentence h1').length === 1";

/// Comes in by the link, as a person does, and waits until the page is live.
async fn visit(night: &Night, screen: Screen) -> Browser {
    let browser = Browser::open().await;
    browser.screen(screen).await;
    browser.visit(&night.link()).await;
    assert_eq!(
        browser.eval("location.pathname + location.search").await,
        "/",
        "the key is gone from the address"
    );
    browser.until(LIVE, SOON).await;
    browser
}

/// Nothing was refused by the policy, nothing failed, nothing came from elsewhere.
async fn is_clean(browser: &Browser, night: &Night) {
    let console = browser.console().await;
    assert!(console.is_empty(), "{console:?}");
    let names = browser.eval("performance.getEntriesByType('resource').map((entry) => entry.name)").await;
    for name in names.as_array().unwrap() {
        assert!(name.as_str().unwrap().starts_with(&night.url("/")), "{name} is not ours");
    }
}

async fn glow(night: &Night) {
    night.answer("notify", "GET /banners", &[night::read_banner(), night::banner()]).await;
    night.event("notify", "banner", &json!({ "banner": night::banner() })).await;
}

async fn acknowledged(night: &Night, browser: &Browser) {
    browser.until("document.querySelector('#banner-7') !== null", SOON).await;
    sanctum_testkit::eventually("the acknowledgement to reach notify", SOON, async || {
        let asked = night.asked("notify", "POST /notifications/7/ack").await;
        (!asked.is_empty()).then(|| assert_eq!(asked, [json!({ "who": "browser" })]))
    })
    .await;
    let mut banner = night::banner();
    banner.acked = night::read_banner().acked;
    night.answer("notify", "GET /banners", &[&banner]).await;
    night.event("notify", "banner", &json!({ "banner": banner })).await;
    browser.until("document.querySelector('#banner-7').dataset.acked === '' && !document.querySelector('#banner-7-ack')", SOON).await;
    browser.until("document.querySelector('#sentence').innerText.startsWith('All is well')", SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_banner_appears_at_once_and_is_acknowledged_by_a_click() {
    let night = Night::calm().await;
    night.answer("notify", "POST /notifications/7/ack", &notification(7)).await;
    let browser = visit(&night, Screen::DESKTOP).await;
    assert!(browser.eval("document.title").await.as_str().unwrap().starts_with("All is well"));

    // The page itself notes when it has changed: asking it from outside takes time of its own.
    browser
        .eval("new MutationObserver(() => { if (document.querySelector('#banner-7')) window.seen ??= Date.now(); }).observe(document.querySelector('#banners'), { childList: true, subtree: true })")
        .await;
    let said = Clock::system().now().as_millisecond();
    glow(&night).await;
    browser.until("document.querySelector('#banner-7')?.dataset.severity === 'error'", SOON).await;
    let after = browser.eval("window.seen").await.as_i64().unwrap() - said;
    assert!(after < BAR_MS, "{after} ms");
    browser.until("document.title.startsWith('1 thing needs you')", SOON).await;
    eprintln!("the banner was on the page {after} ms after it was said");
    // Who listens hears it at once; who looks sees how often and whom it reached.
    assert!(
        browser
            .eval("document.querySelector('#urgent').textContent")
            .await
            .as_str()
            .unwrap()
            .starts_with("error: Ava's Xbox")
    );
    assert!(
        browser.eval("document.querySelector('#banner-7').innerText").await.as_str().unwrap().contains("×3")
    );
    assert_ne!(
        browser.eval("getComputedStyle(document.querySelector('#banner-7'), '::before').boxShadow").await,
        "none"
    );

    browser.click("#banner-7-ack").await;
    acknowledged(&night, &browser).await;
    // It has gone from the list once notify clears it.
    night.answer("notify", "GET /banners", &Vec::<()>::new()).await;
    night.event("notify", "cleared", &json!({ "cleared": { "id": 7 } })).await;
    browser.until("document.querySelector('#banner-7') === null", SOON).await;
    is_clean(&browser, &night).await;
    browser.close().await;
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_done_by_keyboard() {
    let night = Night::tried().await;
    night.answer("notify", "POST /notifications/7/ack", &notification(7)).await;
    let browser = visit(&night, Screen::DESKTOP).await;
    // Tab goes the way the page reads, and each stop shows where it is.
    let mut stops = Vec::new();
    for _ in 0..10 {
        browser.press("\u{e004}").await;
        let stop = browser
            .eval("(document.activeElement.id || document.activeElement.className) + ' ' + getComputedStyle(document.activeElement).outlineStyle")
            .await;
        stops.push(stop.as_str().unwrap().to_owned());
    }
    let way = [
        "skip solid",
        "brand solid",
        "to-home solid",
        "to-body solid",
        "to-models solid",
        "to-memory solid",
        "banner-7-story solid",
        "banner-7-ack solid",
        "banner-5-story solid",
        "violation-3 solid",
    ];
    assert_eq!(stops, way);
    // The skip link leads past the header.
    browser.eval("document.querySelector('.skip').focus()").await;
    browser.press("\u{e007}").await;
    assert_eq!(browser.eval("document.activeElement.id").await, "main");
    // Shortcuts say what they are, and can be switched off.
    browser.press("?").await;
    browser.until("document.querySelector('#help').open", SOON).await;
    browser.press("\u{e00c}").await;
    browser.until("!document.querySelector('#help').open", SOON).await;
    browser.press("j").await;
    assert_eq!(browser.eval("document.activeElement.id").await, "banner-7");
    browser.press("j").await;
    assert_eq!(browser.eval("document.activeElement.id").await, "banner-5");
    browser.press("k").await;
    browser.press("a").await;
    acknowledged(&night, &browser).await;
    // The button is gone; whoever was there is not thrown to the top of the page.
    assert_eq!(browser.eval("document.activeElement.id").await, "banner-7");
    browser.press("s").await;
    browser.until("location.pathname.startsWith('/story/')", SOON).await;
    is_clean(&browser, &night).await;
    browser.close().await;
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_changes_before_your_eyes() {
    let night = Night::calm().await;
    let browser = visit(&night, Screen::DESKTOP).await;
    let state = "document.querySelector('[data-device=\"leo-tablet\"]').dataset.state";
    assert_eq!(browser.eval(state).await, "online");
    let mut devices = night::devices();
    devices[2] = night::blocked(devices[2].clone(), Scope::All, Verdict::Leaking, "9 packets passed");
    night.answer("firewall", "GET /devices", &devices).await;
    night.event("firewall", "attempt", &night::joined()).await;
    browser.until(&format!("{state} === 'alarm'"), SOON).await;
    browser
        .until(
            "document.querySelector('#sentence').innerText.includes('is blocked and yet packets pass')",
            SOON,
        )
        .await;
    // A newcomer is approved as the device it resembles.
    devices.push(night::newcomer());
    night.answer("firewall", "GET /devices", &devices).await;
    night.answer("firewall", "PUT /devices/7a-11-9c-4e-02-d8", &night::newcomer()).await;
    night.event("firewall", "joined", &night::joined()).await;
    browser.until("document.getElementById('same-7a-11-9c-4e-02-d8') !== null", SOON).await;
    browser.click("#same-7a-11-9c-4e-02-d8").await;
    sanctum_testkit::eventually("the approval to reach firewall", SOON, async || {
        let asked = night.asked("firewall", "PUT /devices/7a-11-9c-4e-02-d8").await;
        asked.first().map(|naming| assert_eq!(naming["same_as"], "leo-tablet"))
    })
    .await;
    is_clean(&browser, &night).await;
    browser.close().await;
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_shows_five_links_as_they_come() {
    let night = Night::tried().await;
    let browser = visit(&night, Screen::DESKTOP).await;
    night.answer("screen", &format!("GET /trace/{}", night::TRACE), &json!([])).await;
    browser.click("#banner-7-story").await;
    browser.until("document.querySelectorAll('.tie[data-held]').length === 4 && document.querySelector('#pulse').dataset.state === 'live'", SOON).await;
    assert!(
        browser
            .eval("document.querySelector('[data-link=violation]').innerText")
            .await
            .as_str()
            .unwrap()
            .contains("missing")
    );
    // What comes later joins the story while it is being looked at.
    night.answer("screen", &format!("GET /trace/{}", night::TRACE), &night::moments("screen")).await;
    night.event("screen", "violation", &json!({ "violation": night::violation() })).await;
    browser.until("document.querySelectorAll('.tie[data-held]').length === 5", SOON).await;
    assert_eq!(browser.eval("document.querySelectorAll('.moment').length").await, 7);
    assert!(
        browser
            .eval("document.querySelector('h1').innerText")
            .await
            .as_str()
            .unwrap()
            .contains("all five links hold")
    );
    is_clean(&browser, &night).await;
    browser.close().await;
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_stream_is_said_and_found_again() {
    let night = Night::calm().await;
    let browser = visit(&night, Screen::DESKTOP).await;
    browser.devtools("Network.enable", &json!({})).await;
    let network = |offline: bool| json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
    browser.devtools("Network.emulateNetworkConditions", &network(true)).await;
    // Being offline cuts new connections; the stream itself is cut here as a sleeping laptop would.
    browser.eval("dispatchEvent(new Event('online'))").await;
    browser.until("document.querySelector('#pulse').innerText.includes('not live')", SOON).await;
    night.answer("notify", "GET /banners", &[night::banner()]).await;
    browser.devtools("Network.emulateNetworkConditions", &network(false)).await;
    browser.until("document.querySelector('#pulse').dataset.state === 'live'", SOON).await;
    browser.until("document.querySelector('#banner-7') !== null", SOON).await;
    browser.close().await;
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_fits_a_phone_and_every_control_has_a_name() {
    let night = Night::tried().await;
    let mut devices = night::devices();
    devices.push(night::newcomer());
    night.answer("firewall", "GET /devices", &devices).await;
    let browser = visit(&night, Screen::PHONE).await;
    for path in ["/", &format!("/story/{}", night::TRACE), "/story/nonsense"] {
        browser.visit(&night.url(path)).await;
        for width in [320, 390] {
            browser.screen(Screen { width, ..Screen::PHONE }).await;
            let wide = browser.eval("document.documentElement.scrollWidth").await;
            assert!(wide.as_u64().unwrap() <= u64::from(width), "{path} is {wide} wide on {width}");
        }
        let controls = ["link", "button", "checkbox", "dialog", "region", "main"];
        for (role, name) in browser.accessibility().await {
            assert!(
                !controls.contains(&role.as_str()) || !name.is_empty() || role == "main",
                "{path}: a {role} without a name"
            );
        }
    }
    browser.visit(&night.url("/")).await;
    browser.screen(Screen::PHONE).await;
    // Large enough for a thumb: 24 px by WCAG 2.2 §2.5.8, and 44 px where it matters.
    let small = browser
        .eval("[...document.querySelectorAll('button.act')].filter((button) => button.checkVisibility() && button.getBoundingClientRect().height < 44).map((button) => button.innerText)")
        .await;
    assert_eq!(small, json!([]));
    let landmarks = browser.accessibility().await;
    for role in ["banner", "main", "contentinfo"] {
        assert_eq!(landmarks.iter().filter(|(seen, _)| seen == role).count(), 1, "{role}");
    }
    browser.close().await;
    night.house.stop().await;
}

/// The contrast of every visible text with what is behind it, by WCAG 2.2 §1.4.3; what is below AA.
const PALE: &str = r"
(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = (c) => { const [r, g, b] = c.map((v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const behind = (el) => { for (; el; el = el.parentElement) { const c = rgba(getComputedStyle(el).backgroundColor); if (c[3] === 255) return c; } return [255, 255, 255, 255]; };
  const pale = [];
  for (const el of document.querySelectorAll('body *')) {
    const own = [...el.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !el.checkVisibility() || el.closest('.vh, .skip, dialog, noscript')) continue;
    const style = getComputedStyle(el), svg = el instanceof SVGElement;
    const text = rgba(svg ? style.fill : style.color), back = behind(el);
    const [a, b] = [light(text.slice(0, 3)), light(back.slice(0, 3))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05), size = parseFloat(style.fontSize), bold = Number(style.fontWeight) >= 700;
    if (ratio < (size >= 24 || (bold && size >= 18.66) ? 3 : 4.5)) pale.push(`${el.className?.baseVal ?? el.className} ${ratio.toFixed(2)} ${el.textContent.trim().slice(0, 30)}`);
  }
  return pale;
})()";

#[tokio::test(flavor = "multi_thread")]
async fn light_and_dark_are_readable_and_still_when_asked() {
    let night = Night::tried().await;
    let mut devices = night::devices();
    devices.push(night::newcomer());
    night.answer("firewall", "GET /devices", &devices).await;
    let browser = visit(&night, Screen::DESKTOP).await;
    let mut papers = Vec::new();
    for screen in [Screen::DESKTOP, Screen::DESKTOP.dark()] {
        browser.screen(screen).await;
        for path in ["/", &format!("/story/{}", night::TRACE)] {
            browser.visit(&night.url(path)).await;
            assert_eq!(browser.eval(PALE).await, json!([]), "{screen:?} {path}");
        }
        papers.push(browser.eval("getComputedStyle(document.documentElement).backgroundColor").await);
        let shot = browser.screenshot(false).await;
        assert!(shot.starts_with(b"\x89PNG") && shot.len() > 10_000);
    }
    assert_ne!(papers[0], papers[1]);
    browser.visit(&night.url("/")).await;
    let breath = "getComputedStyle(document.querySelector('#banner-7'), '::before').animationName";
    assert_eq!(browser.eval(breath).await, "breathe");
    browser.media(&[("prefers-reduced-motion", "reduce")]).await;
    assert_eq!(browser.eval(breath).await, "none");
    browser.close().await;
    night.house.stop().await;
}

/// The picture in the README; `SANCTUM_BLESS=1` takes it anew.
#[tokio::test(flavor = "multi_thread")]
async fn the_picture_for_the_readme() {
    let night = Night::tried().await;
    let mut devices = night::devices();
    devices.push(night::newcomer());
    night.answer("firewall", "GET /devices", &night::devices()).await;
    let browser = visit(&night, Screen { height: 1000, ..Screen::DESKTOP }.dark()).await;
    browser.media(&[("prefers-color-scheme", "dark"), ("prefers-reduced-motion", "reduce")]).await;
    let shot = browser.screenshot(true).await;
    assert!(shot.len() < 300 * 1024, "{} bytes", shot.len());
    if std::env::var_os("SANCTUM_BLESS").is_some() {
        let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        sanctum_kernel::files::replace(&docs.join("dashboard.png"), &shot, 0o644).unwrap();
    }
    if let Some(folder) = std::env::var_os("SANCTUM_SHOTS") {
        let folder = std::path::PathBuf::from(folder);
        let keep = |name: &str, shot: &[u8]| {
            sanctum_kernel::files::replace(&folder.join(name), shot, 0o644).unwrap();
        };
        night.answer("firewall", "GET /devices", &devices).await;
        for (name, screen) in [
            ("desk-light", Screen::DESKTOP),
            ("desk-dark", Screen::DESKTOP.dark()),
            ("phone-light", Screen::PHONE),
            ("phone-dark", Screen::PHONE.dark()),
        ] {
            browser.screen(screen).await;
            for (part, path) in [("home", "/".to_owned()), ("story", format!("/story/{}", night::TRACE))] {
                browser.visit(&night.url(&path)).await;
                keep(&format!("{part}-{name}.png"), &browser.screenshot(true).await);
                if screen.mobile && part == "home" {
                    browser.screen(Screen { height: 1900, ..screen }).await;
                    keep(&format!("{part}-{name}-1.png"), &browser.screenshot(false).await);
                    browser.eval("scrollTo(0, 1850)").await;
                    keep(&format!("{part}-{name}-2.png"), &browser.screenshot(false).await);
                }
            }
        }
    }
    browser.close().await;
    night.house.stop().await;
}
