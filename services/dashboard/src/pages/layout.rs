//! The frame of every page: landmarks, the skip link, the two voices for screen readers.

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use super::assets::version;

/// What differs from page to page.
pub(crate) struct Frame<'a> {
    pub(crate) title: &'a str,
    pub(crate) house: &'a str,
    /// The script's name for it: `home`, `story`; absent where nothing is live.
    pub(crate) live: Option<&'a str>,
    pub(crate) now: Option<(Timestamp, String, String)>,
}

/// The pages that have a place of their own: the script's name, the path, the word.
const PAGES: [(&str, &str, &str); 4] = [
    ("home", "/", "House"),
    ("body", "/body", "Body"),
    ("models", "/models", "Models"),
    ("memory", "/memory", "Memory"),
];

pub(crate) fn page(frame: &Frame<'_>, main: &Markup) -> Markup {
    let version = version();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (frame.title) }
                link rel="icon" type="image/svg+xml" href={ "/assets/icon.svg?v=" (version) };
                link rel="stylesheet" href={ "/assets/app.css?v=" (version) };
                @if frame.live.is_some() {
                    script type="module" src={ "/assets/app.js?v=" (version) } {}
                    noscript { meta http-equiv="refresh" content="30"; }
                }
            }
            body data-page=[frame.live] data-now=[frame.now.as_ref().map(|(now, ..)| now.as_millisecond())]
                data-zone=[frame.now.as_ref().map(|(_, zone, _)| zone)] {
                a.skip href="#main" { "Skip to the state of the house" }
                header.top {
                    div.top-in {
                        a.brand href="/" { (sign()) span { "Command Center" } }
                        span.house-name { (frame.house) }
                        @if frame.live.is_some() {
                            nav.nav aria-label="Pages" {
                                @for (name, path, word) in PAGES {
                                    a #{ "to-" (name) } href=(path) aria-current=[(frame.live == Some(name)).then_some("page")] { (word) }
                                }
                            }
                        }
                        @if let Some((at, _, clock)) = &frame.now {
                            span.grow {}
                            span.pulse #pulse role="status" data-state="still" {
                                span.pulse-dot aria-hidden="true" {}
                                span.pulse-text { "as of" }
                            }
                            time.clock #clock datetime=(at) { (clock) }
                        }
                    }
                }
                main #main tabindex="-1" { (main) }
                @if frame.live.is_some() {
                    div.vh #polite aria-live="polite" {}
                    div.vh #urgent aria-live="assertive" {}
                    div.toast #toast role="alert" hidden {}
                }
                footer.foot {
                    @if frame.live == Some("home") {
                        (shortcuts())
                    }
                    p { "Sanctum " (env!("CARGO_PKG_VERSION")) " · everything on this page comes from this house" }
                }
            }
        }
    }
}

fn shortcuts() -> Markup {
    let keys = [
        ("?", "Show or hide these shortcuts"),
        ("j", "Next banner"),
        ("k", "Previous banner"),
        ("a", "Acknowledge the banner you are on, or the first"),
        ("s", "Open its story"),
        ("Esc", "Close"),
    ];
    html! {
        button.quiet #help-open type="button" aria-haspopup="dialog" hidden { "Keyboard shortcuts " kbd { "?" } }
        dialog #help aria-labelledby="help-title" {
            h2 #help-title { "Keyboard shortcuts" }
            dl.keys {
                @for (key, meaning) in keys { div { dt { kbd { (key) } } dd { (meaning) } } }
            }
            label.check { input #keys-on type="checkbox" checked; span { "Single-key shortcuts are on" } }
            form method="dialog" { button.act #help-close { "Close" } }
        }
    }
}

fn sign() -> Markup {
    html! {
        svg.sign viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" focusable="false" {
            path.sign-arch d="M6 27V15a10 10 0 0 1 20 0v12" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round" {}
            circle.sign-flame cx="16" cy="18" r="3.4" {}
            path d="M3.5 27.5h25" stroke="currentColor" stroke-width="2.4" stroke-linecap="round" {}
        }
    }
}
