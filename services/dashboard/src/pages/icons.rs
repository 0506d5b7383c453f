//! Small signs, drawn in place; each stands beside a word and is silent to screen readers.

use maud::{Markup, html};

fn sign(body: &Markup) -> Markup {
    html! {
        svg.icon viewBox="0 0 24 24" width="24" height="24" fill="none" stroke="currentColor" stroke-width="1.6"
            stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false" { (body) }
    }
}

/// The sign of a kind of device.
pub(crate) fn device(kind: Option<&str>) -> Markup {
    sign(&match kind {
        Some("console") => html! {
            path d="M7.5 7h9a5 5 0 0 1 4.9 4l.9 4.6a2.4 2.4 0 0 1-4.2 1.9L16 15H8l-2.1 2.5a2.4 2.4 0 0 1-4.2-1.9L2.6 11a5 5 0 0 1 4.9-4z" {}
            path d="M7 11h3M8.5 9.5v3M15.5 11.8h.01M17.5 10h.01" {}
        },
        Some("phone") => html! { rect x="7" y="3" width="10" height="18" rx="2.5" {} path d="M11 18h2" {} },
        Some("tablet") => html! { rect x="5" y="3" width="14" height="18" rx="2.5" {} path d="M11 18h2" {} },
        Some("tv") => html! { rect x="3" y="5" width="18" height="12" rx="2" {} path d="M8 21h8" {} },
        Some("computer" | "laptop") => {
            html! { rect x="4.5" y="5" width="15" height="10" rx="1.8" {} path d="M2.5 19h19" {} }
        }
        Some("speaker") => {
            html! { rect x="6" y="3" width="12" height="18" rx="3" {} circle cx="12" cy="14" r="3" {} path d="M12 7h.01" {} }
        }
        _ => {
            html! { path d="M5 12.5a10 10 0 0 1 14 0M8 15.5a6 6 0 0 1 8 0" {} path d="M12 18.8h.01M2.5 9.5a14 14 0 0 1 19 0" {} }
        }
    })
}

pub(crate) fn question() -> Markup {
    sign(
        &html! { circle cx="12" cy="12" r="9" {} path d="M9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.7.3-1 .9-1 1.7M12 16.8h.01" {} },
    )
}

pub(crate) fn check() -> Markup {
    sign(&html! { path d="M5 12.5l4.5 4.5L19 7.5" {} })
}

pub(crate) fn cross() -> Markup {
    sign(&html! { path d="M6.5 6.5l11 11M17.5 6.5l-11 11" {} })
}

pub(crate) fn dash() -> Markup {
    sign(&html! { path d="M6 12h12" {} })
}

/// Severity has a shape as well as a colour.
pub(crate) fn severity(severity: sanctum_api::notify::Severity) -> Markup {
    use sanctum_api::notify::Severity;
    sign(&match severity {
        Severity::Info => html! { circle cx="12" cy="12" r="9" {} path d="M12 11v5M12 7.8h.01" {} },
        Severity::Warn => html! { path d="M12 4l9 16H3z" {} path d="M12 10v4.5M12 17.3h.01" {} },
        Severity::Error => {
            html! { path d="M8.3 3h7.4L21 8.3v7.4L15.7 21H8.3L3 15.7V8.3z" {} path d="M12 8v5M12 16.3h.01" {} }
        }
        Severity::Critical => {
            html! { path d="M6 17V11a6 6 0 0 1 12 0v6M3.5 17h17M10 20.5h4M12 2.5v1M4 5l1 1M20 5l-1 1" {} }
        }
    })
}
