//! Statistics that a few wild values do not move.

/// The middle one; of an even number, the mean of both. None of nothing.
pub fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let at = values.len() / 2;
    let upper = values.get(at).copied()?;
    Some(if values.len().is_multiple_of(2) {
        f64::midpoint(upper, values.get(at.wrapping_sub(1)).copied().unwrap_or(upper))
    } else {
        upper
    })
}

/// The median distance from the median, scaled to the standard deviation of a normal distribution (Rousseeuw and Croux 1993).
pub(super) fn spread(values: &[f64]) -> f64 {
    let middle = median(&mut values.to_vec()).unwrap_or_default();
    let mut away: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    median(&mut away).unwrap_or_default() * 1.4826
}

/// The slope that half of all pairs exceed (Theil 1950, Sen 1968): 29 % of the points may be anything. For a few hundred points.
pub fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let mut slopes = Vec::with_capacity(points.len().saturating_mul(points.len()) / 2);
    for (at, (x, y)) in points.iter().enumerate() {
        let later = points.iter().skip(at + 1).filter(|(later, _)| later > x);
        slopes.extend(later.map(|(x2, y2)| (y2 - y) / (x2 - x)));
    }
    median(&mut slopes)
}
