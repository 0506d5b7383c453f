//! Pages for those who are not in yet, and for what went wrong.

use maud::{Markup, html};

use super::layout::{Frame, page as frame};

/// Says kindly where the way in is; `wrong` after a key that opens nothing.
pub(crate) fn page(house: &str, wrong: bool) -> Markup {
    let main = html! {
        div.door {
            h1.sentence data-tone="quiet" {
                @if wrong { span.sentence-head { "This key opens nothing here." } }
                @else { span.sentence-head { "This door needs its key." } }
            }
            p { "The Command Center shows what happens in your home, so it opens only for you. On the machine that runs the house, type" }
            pre { "sanctum status --url" }
            p { "and open the link it prints; " code { "sanctum up" } " prints it too. This browser is then remembered." }
            @if wrong { p.dim { "A key is good until the house is started again. Perhaps this link is from before." } }
            @else { p.dim { "Came from a link on another site? Then your browser kept its cookie to itself: " a.link href="/" { "try again" } "." } }
        }
    };
    frame(&Frame { title: "Command Center", house, live: None, now: None }, &main)
}

/// Something could not be done.
pub(crate) fn sorry(house: &str, what: &str, why: &str) -> Markup {
    let main = html! {
        div.door {
            h1.sentence data-tone="needs" { span.sentence-head { (what) "." } }
            p { (why) }
            p { a.link href="/" { "← The house" } }
        }
    };
    frame(&Frame { title: what, house, live: None, now: None }, &main)
}
