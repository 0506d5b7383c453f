//! A clock that is off.

use jiff::SignedDuration;

use super::Looked;
use crate::heal::case::{Case, Found};
use crate::heal::hands::ntp;
use crate::heal::recipe::StepClock;
use crate::heal::step::Step;

pub(super) async fn look(case: &Case<'_>, parameters: &StepClock) -> Looked {
    let off = ntp::offset(&case.hands.shared.clock, &parameters.servers).await.map_err(Found::Nothing)?;
    let max = SignedDuration::try_from(parameters.max.0).unwrap_or(SignedDuration::MAX);
    if off.abs() <= max {
        return Err(Found::Nothing(format!("the clock is off by {:.3} s only", off.as_secs_f64())));
    }
    let StepClock { servers, max, command } = parameters.clone();
    Ok(Found::Plan(vec![Step::Clock { command, servers, max: max.0 }]))
}
