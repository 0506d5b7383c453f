//! Is it a ramp, or is it a step? Robust regression with the house's day taken out.

/// The day's own rise and fall, and half of it: a house breathes once a day.
const DAY: f64 = 24.0;

/// What fits best, in units of the values and hours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ramp {
    /// Growth an hour, without what the day does.
    pub(super) rate: f64,
    /// What is left unexplained, as a standard deviation.
    pub(super) noise: f64,
    /// How much better a ramp explains it than the best step: below 1 it does.
    pub(super) against_step: f64,
}

/// A column for each thing that may explain the values; the first explains growth or a step.
fn columns(first: impl Fn(f64) -> f64, t: f64, daily: bool) -> Vec<f64> {
    let turn = std::f64::consts::TAU * t / DAY;
    match daily {
        true => vec![first(t), 1.0, turn.sin(), turn.cos(), (2.0 * turn).sin(), (2.0 * turn).cos()],
        false => vec![first(t), 1.0],
    }
}

/// Fits a ramp, with the day's rise and fall if `daily`, to points of (hours, value) in order. None of too few.
pub(super) fn ramp(points: &[(f64, f64)], daily: bool) -> Option<Ramp> {
    let (first, last) = (points.first()?.0, points.last()?.0);
    let length = last - first;
    if points.len() < if daily { 24 } else { 8 } || length <= 0.0 {
        return None;
    }
    let (of_ramp, weights) = robust(points, |t| (t - first) / length, daily)?;
    let residuals = residuals(points, &of_ramp, |t| (t - first) / length, daily);
    let noise = super::robust::spread(&residuals);
    // One scale for both, so that their costs can be compared.
    let scale = noise.max(f64::MIN_POSITIVE);
    let cost_of = |residuals: &[f64]| residuals.iter().map(|residual| huber(residual / scale)).sum::<f64>();
    let steps = (1..16_u32).filter_map(|at| {
        let edge = first + length * f64::from(at) / 16.0;
        let step = move |t: f64| f64::from(u8::from(t >= edge));
        let solved = solve(points, step, daily, &weights)?;
        let (solved, _) = refine(points, step, daily, solved)?;
        Some(cost_of(&self::residuals(points, &solved, step, daily)))
    });
    let best = steps.fold(f64::INFINITY, f64::min);
    let against_step = (cost_of(&residuals) + f64::MIN_POSITIVE) / (best + f64::MIN_POSITIVE);
    Some(Ramp { rate: of_ramp.first().copied()? / length, noise, against_step })
}

/// Large errors count with their size only, not with its square (Huber 1964).
fn huber(error: f64) -> f64 {
    let size = error.abs();
    if size <= 1.345 { size * size / 2.0 } else { 1.345 * (size - 1.345 / 2.0) }
}

fn residuals(points: &[(f64, f64)], solved: &[f64], first: impl Fn(f64) -> f64, daily: bool) -> Vec<f64> {
    points.iter().map(|(t, value)| {
        let said: f64 = columns(&first, *t, daily).iter().zip(solved).map(|(column, factor)| column * factor).sum();
        value - said
    }).collect()
}

fn robust(points: &[(f64, f64)], first: impl Fn(f64) -> f64 + Copy, daily: bool) -> Option<(Vec<f64>, Vec<f64>)> {
    let even = vec![1.0; points.len()];
    let solved = solve(points, first, daily, &even)?;
    refine(points, first, daily, solved)
}

/// Iteratively reweighted least squares: what is far off has less and less to say.
fn refine(points: &[(f64, f64)], first: impl Fn(f64) -> f64 + Copy, daily: bool, mut solved: Vec<f64>) -> Option<(Vec<f64>, Vec<f64>)> {
    let mut weights = vec![1.0; points.len()];
    for _ in 0..6 {
        let residuals = residuals(points, &solved, first, daily);
        let scale = super::robust::spread(&residuals).max(f64::MIN_POSITIVE);
        weights = residuals.iter().map(|residual| (1.345 * scale / residual.abs().max(f64::MIN_POSITIVE)).min(1.0)).collect();
        solved = solve(points, first, daily, &weights)?;
    }
    Some((solved, weights))
}

/// Weighted least squares by the normal equations, a handful of columns; a whisper of a ridge keeps them solvable.
fn solve(points: &[(f64, f64)], first: impl Fn(f64) -> f64, daily: bool, weights: &[f64]) -> Option<Vec<f64>> {
    let width = if daily { 6 } else { 2 };
    let mut system = vec![vec![0.0; width + 1]; width];
    for ((t, value), weight) in points.iter().zip(weights) {
        let row = columns(&first, *t, daily);
        for (equation, left) in system.iter_mut().zip(&row) {
            let factors = row.iter().copied().chain(std::iter::once(*value));
            for (cell, right) in equation.iter_mut().zip(factors) {
                *cell += weight * left * right;
            }
        }
    }
    for (at, equation) in system.iter_mut().enumerate() {
        *equation.get_mut(at)? += 1e-9;
    }
    eliminate(system)
}

/// Gauss and Jordan, with the largest pivot of each column.
fn eliminate(mut system: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    for at in 0..system.len() {
        let size = |row: &Vec<f64>| row.get(at).copied().unwrap_or_default().abs();
        let pivot = (at..system.len()).max_by(|a, b| size(system.get(*a).unwrap_or(&Vec::new())).total_cmp(&size(system.get(*b).unwrap_or(&Vec::new()))))?;
        system.swap(at, pivot);
        let row = system.get(at)?.clone();
        let factor = *row.get(at)?;
        if factor == 0.0 || !factor.is_finite() {
            return None;
        }
        for (other, equation) in system.iter_mut().enumerate() {
            let times = if other == at { 1.0 - 1.0 / factor } else { equation.get(at)? / factor };
            for (cell, value) in equation.iter_mut().zip(&row) {
                *cell -= times * value;
            }
        }
    }
    let solved: Vec<f64> = system.iter().filter_map(|row| row.last().copied()).collect();
    solved.iter().all(|value| value.is_finite()).then_some(solved)
}
