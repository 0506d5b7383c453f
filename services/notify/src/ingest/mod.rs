//! Webhooks of tools people already run, as notices.

use sanctum_http::Routes;

use crate::api::House;

/// The routes of every tool.
pub(crate) fn routes(routes: Routes<House>) -> Routes<House> {
    routes
}
