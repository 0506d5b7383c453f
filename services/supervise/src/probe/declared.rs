//! A question as the file declares it.

use std::time::Duration;

use sanctum_kernel::Status;
use sanctum_kernel::inventory::check;
use sanctum_probe::{Finding, Prober};

use super::{COSTLY, EAGER, Seen};
use crate::Check;

/// How often it may be put at most.
pub(super) fn least(check: &Check) -> Duration {
    match check {
        Check::Declared(check) if !is_cheap(check) => COSTLY,
        _ => EAGER,
    }
}

/// Whether one look or one connection answers it.
fn is_cheap(check: &check::Check) -> bool {
    check.tcp.is_some() || check.http.is_some() || check.health.is_some() || check.file.is_some()
}

pub(super) async fn look(check: &check::Check, prober: &Prober) -> Seen {
    let answer = prober.ask(check).await;
    match answer.finding {
        // Ready is not the same as without fault: the watch minds the rest.
        Finding::Pass | Finding::Drift => {
            Seen { live: true, ready: true, well: Some(Status::Well), detail: None }
        }
        Finding::Fail | Finding::Unknown => Seen::silent(answer.detail),
    }
}
