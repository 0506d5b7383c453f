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
    /// What is left, large errors counted by their size.
    cost: f64,
}

/// A column for each thing that may explain the values; the first explains growth or a step.
fn design(points: &[(f64, f64)], first: impl Fn(f64) -> f64, daily: bool) -> Vec<Vec<f64>> {
    let row = |t: f64| {
        let turn = std::f64::consts::TAU * t / DAY;
        match daily {
            true => vec![first(t), 1.0, turn.sin(), turn.cos(), (2.0 * turn).sin(), (2.0 * turn).cos()],
            false => vec![first(t), 1.0],
        }
    };
    points.iter().map(|(t, _)| row(*t)).collect()
}

/// Fits a ramp, with the day's rise and fall if `daily`, to points of (hours, value) in order. None of too few.
pub(super) fn ramp(points: &[(f64, f64)], daily: bool) -> Option<Ramp> {
    let (first, last) = (points.first()?.0, points.last()?.0);
    let length = last - first;
    if points.len() < if daily { 24 } else { 8 } || length <= 0.0 {
        return None;
    }
    let rows = design(points, |t| (t - first) / length, daily);
    let solved = robust(points, &rows)?;
    let residuals = residuals(points, &solved, &rows);
    let noise = super::robust::spread(&residuals);
    Some(Ramp { rate: solved.first().copied()? / length, noise, cost: cost(&residuals, noise) })
}

/// How much better the ramp explains it than the best step does: below 1 it is better.
pub(super) fn against_step(points: &[(f64, f64)], daily: bool, ramp: &Ramp) -> Option<f64> {
    let (first, last) = (points.first()?.0, points.last()?.0);
    let steps = (1..12_u32).filter_map(|at| {
        let edge = first + (last - first) * f64::from(at) / 12.0;
        let rows = design(points, |t| f64::from(u8::from(t >= edge)), daily);
        let solved = robust(points, &rows)?;
        Some(cost(&residuals(points, &solved, &rows), ramp.noise))
    });
    let best = steps.fold(f64::INFINITY, f64::min);
    Some((ramp.cost + f64::MIN_POSITIVE) / (best + f64::MIN_POSITIVE))
}

/// In units of one scale, so that the costs of two explanations can be compared.
fn cost(residuals: &[f64], scale: f64) -> f64 {
    let scale = scale.max(f64::MIN_POSITIVE);
    residuals.iter().map(|residual| huber(residual / scale)).sum()
}

/// Large errors count with their size only, not with its square (Huber 1964).
fn huber(error: f64) -> f64 {
    let size = error.abs();
    if size <= 1.345 { size * size / 2.0 } else { 1.345 * (size - 1.345 / 2.0) }
}

fn residuals(points: &[(f64, f64)], solved: &[f64], rows: &[Vec<f64>]) -> Vec<f64> {
    let said =
        rows.iter().map(|row| row.iter().zip(solved).map(|(column, factor)| column * factor).sum::<f64>());
    points.iter().zip(said).map(|((_, value), said)| value - said).collect()
}

/// Iteratively reweighted least squares: what is far off has less and less to say.
fn robust(points: &[(f64, f64)], rows: &[Vec<f64>]) -> Option<Vec<f64>> {
    let mut weights = vec![1.0; points.len()];
    let mut solved = solve(points, rows, &weights)?;
    for _ in 0..4 {
        let residuals = residuals(points, &solved, rows);
        let scale = super::robust::spread(&residuals).max(f64::MIN_POSITIVE);
        let weight = |residual: &f64| (1.345 * scale / residual.abs().max(f64::MIN_POSITIVE)).min(1.0);
        weights = residuals.iter().map(weight).collect();
        solved = solve(points, rows, &weights)?;
    }
    Some(solved)
}

/// Weighted least squares by the normal equations, a handful of columns; a whisper of a ridge keeps them solvable.
fn solve(points: &[(f64, f64)], rows: &[Vec<f64>], weights: &[f64]) -> Option<Vec<f64>> {
    let width = rows.first()?.len();
    let mut system = vec![vec![0.0; width + 1]; width];
    for (((_, value), row), weight) in points.iter().zip(rows).zip(weights) {
        for (equation, left) in system.iter_mut().zip(row) {
            let factor = weight * left;
            for (cell, right) in equation.iter_mut().zip(row) {
                *cell += factor * right;
            }
            if let Some(cell) = equation.last_mut() {
                *cell += factor * value;
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
        let pivot = (at..system.len()).max_by(|a, b| {
            size(system.get(*a).unwrap_or(&Vec::new()))
                .total_cmp(&size(system.get(*b).unwrap_or(&Vec::new())))
        })?;
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
