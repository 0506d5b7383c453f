//! What people see: pure functions from state to markup. Nothing inline, so that the strictest policy holds.

pub(crate) mod assets;
pub(crate) mod banners;
pub(crate) mod body;
pub(crate) mod devices;
pub(crate) mod door;
pub(crate) mod home;
pub(crate) mod icons;
pub(crate) mod layout;
pub(crate) mod memory;
pub(crate) mod models;
pub(crate) mod sentence;
pub(crate) mod services;
pub(crate) mod story;
pub(crate) mod tonight;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html as markup};
use sanctum_http::Html;
use sanctum_kernel::House;

/// What every part needs to speak of times and people.
#[derive(Debug, Clone)]
pub(crate) struct Cx<'h> {
    pub(crate) house: &'h House,
    pub(crate) now: Timestamp,
    pub(crate) tz: TimeZone,
}

impl<'h> Cx<'h> {
    pub(crate) fn new(house: &'h House, now: Timestamp) -> Self {
        Self { house, now, tz: house.house.timezone.tz() }
    }

    /// A time for people, with the instant for machines.
    pub(crate) fn time(&self, at: Timestamp) -> Markup {
        markup! { time datetime=(at) { (crate::words::clock(at, self.now, &self.tz)) } }
    }
}

pub(crate) fn html(page: Markup) -> Html<String> {
    Html(page.into_string())
}

/// A tile whose service gave no answer.
pub(crate) fn unknown(service: &str, reason: &str) -> Markup {
    markup! {
        div.unknown {
            p.unknown-head { (icons::question()) "could not be asked" }
            p.unknown-why { (service) ": " (reason) }
        }
    }
}
