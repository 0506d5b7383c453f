//! How long it takes to notice and to heal, over a time.

use std::collections::BTreeMap;

use sanctum_api::watch::{Incident, Trend};

use crate::words;

/// One line a service, the most troubled first. `escalated` says whether a person was asked.
pub(crate) fn of<'a>(incidents: impl Iterator<Item = (&'a Incident, bool)>) -> Vec<Trend> {
    let mut services: BTreeMap<&str, Vec<(&Incident, bool)>> = BTreeMap::new();
    for (incident, escalated) in incidents {
        services.entry(&incident.root).or_default().push((incident, escalated));
    }
    let mut trends: Vec<Trend> =
        services.into_iter().map(|(service, incidents)| trend(service, &incidents)).collect();
    trends.sort_by(|a, b| b.incidents.cmp(&a.incidents).then_with(|| a.service.cmp(&b.service)));
    trends
}

fn trend(service: &str, incidents: &[(&Incident, bool)]) -> Trend {
    let detect = incidents.iter().map(|(one, _)| words::between(one.began, one.detected).as_secs_f64());
    let over = incidents.iter().filter_map(|(one, escalated)| Some((one, one.resolved?, *escalated)));
    let heal = over.clone().map(|(one, end, _)| words::between(one.detected, end).as_secs_f64());
    Trend {
        service: service.to_owned(),
        incidents: u32::try_from(incidents.len()).unwrap_or(u32::MAX),
        to_detect: median(detect.collect()),
        to_heal: median(heal.collect()),
        by_itself: u32::try_from(over.filter(|(_, _, escalated)| !escalated).count()).unwrap_or(u32::MAX),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), middle.checked_sub(1).and_then(|before| values.get(before))) {
        (Some(upper), Some(lower)) if values.len().is_multiple_of(2) => f64::midpoint(*upper, *lower),
        (Some(value), _) => *value,
        (None, _) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_of_any_number_of_values() {
        let of = |values: &[f64]| median(values.to_vec());
        assert!((of(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9 && (of(&[4.0, 1.0]) - 2.5).abs() < 1e-9);
        assert!(of(&[]).abs() < 1e-9);
    }
}
