//! Where everything stands when the services are drawn: layers, from what stands on nothing up to what stands on all. Pure, and the
//! same for the same list, so that nothing jumps between two looks.

use std::collections::{BTreeMap, BTreeSet};

/// A service to be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    pub name: String,
    /// What it stands on, and whether it cannot work without.
    pub on: Vec<(String, bool)>,
}

/// A drawing of a whole house, in units of its own: one box is [`Layout::WIDTH`] by [`Layout::HEIGHT`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layout {
    pub width: f64,
    pub height: f64,
    /// In the order of the rows, left to right.
    pub boxes: Vec<Placed>,
    pub lines: Vec<Line>,
    /// Names by row, the foundations first.
    pub rows: Vec<Vec<String>>,
}

/// A box; `x` and `y` are its middle.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    pub name: String,
    /// From 0, the foundations.
    pub row: usize,
    pub x: f64,
    pub y: f64,
}

/// A line from a service down to what it stands on, through the gaps between the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub from: String,
    pub to: String,
    /// It cannot work without.
    pub requires: bool,
    /// Corners from the bottom of the one box to the top of the other.
    pub points: Vec<(f64, f64)>,
}

impl Line {
    /// The `d` of an SVG path: straight through the rows, curved through the gaps.
    pub fn path(&self) -> String {
        let mut path = String::new();
        let mut last: Option<(f64, f64)> = None;
        for (x, y) in &self.points {
            let said = match last {
                None => format!("M{x:.1} {y:.1}"),
                Some((_, before)) => {
                    let half = f64::midpoint(before, *y);
                    format!(" C{:.1} {half:.1} {x:.1} {half:.1} {x:.1} {y:.1}", last.map_or(*x, |(x, _)| x))
                }
            };
            path.push_str(&said);
            last = Some((*x, *y));
        }
        path
    }
}

/// A place in a row: a service, or the passage of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Slot {
    Box(usize),
    Passage(usize),
}

const GAP: f64 = 22.0;
const ROW: f64 = 104.0;
const MARGIN: f64 = 12.0;
const PASSAGE: f64 = 8.0;

impl Layout {
    pub const WIDTH: f64 = 148.0;
    pub const HEIGHT: f64 = 46.0;

    /// Places them with at most `widest` boxes in a row.
    pub fn of(spots: &[Spot], widest: usize) -> Self {
        let plan = Plan::of(spots, widest.max(1));
        plan.draw(spots)
    }
}

/// Who is in which row, and who is beside whom.
struct Plan {
    rows: Vec<Vec<Slot>>,
    /// Pairs of neighbouring rows that a line joins: (upper, lower).
    joints: Vec<(Slot, Slot)>,
    /// For each line its service, what that stands on, whether it must, and its passages from above.
    lines: Vec<(usize, usize, bool, Vec<Slot>)>,
}

impl Plan {
    fn of(spots: &[Spot], widest: usize) -> Self {
        let at: BTreeMap<&str, usize> =
            spots.iter().enumerate().map(|(at, spot)| (spot.name.as_str(), at)).collect();
        let below: Vec<Vec<(usize, bool)>> = spots
            .iter()
            .map(|spot| {
                let mut seen = BTreeSet::new();
                spot.on
                    .iter()
                    .filter_map(|(name, requires)| Some((*at.get(name.as_str())?, *requires)))
                    .filter(|(other, _)| seen.insert(*other))
                    .collect()
            })
            .collect();
        let row = rows(&below, widest, spots);
        let height = row.iter().copied().max().map_or(0, |top| top + 1);
        let mut plan = Self { rows: vec![Vec::new(); height], joints: Vec::new(), lines: Vec::new() };
        for (spot, row) in row.iter().enumerate() {
            if let Some(slots) = plan.rows.get_mut(*row) {
                slots.push(Slot::Box(spot));
            }
        }
        let mut passages = 0;
        for (from, others) in below.iter().enumerate() {
            for (to, requires) in others {
                let (Some(top), Some(bottom)) = (row.get(from), row.get(*to)) else { continue };
                // A circle, which the lint refuses, has lines that go up: they are not drawn.
                if bottom >= top {
                    continue;
                }
                let mut way = vec![Slot::Box(from)];
                for between in (bottom + 1..*top).rev() {
                    let passage = Slot::Passage(passages);
                    passages += 1;
                    way.push(passage);
                    if let Some(slots) = plan.rows.get_mut(between) {
                        slots.push(passage);
                    }
                }
                way.push(Slot::Box(*to));
                plan.joints.extend(way.windows(2).filter_map(|pair| Some((*pair.first()?, *pair.get(1)?))));
                plan.lines.push((from, *to, *requires, way));
            }
        }
        plan.untangle();
        plan
    }

    /// Everybody goes where its neighbours of the next row are, up and down a few times (Sugiyama's barycentre); the order with the
    /// fewest crossings is kept.
    fn untangle(&mut self) {
        let mut best = (self.crossings(), self.rows.clone());
        for sweep in 0..12 {
            let up = sweep % 2 == 0;
            let order: Vec<usize> = if up {
                (1..self.rows.len()).collect()
            } else {
                (0..self.rows.len().saturating_sub(1)).rev().collect()
            };
            for row in order {
                let beside = if up { row - 1 } else { row + 1 };
                let places: BTreeMap<Slot, f64> = self
                    .rows
                    .get(beside)
                    .into_iter()
                    .flatten()
                    .zip(0_u32..)
                    .map(|(slot, place)| (*slot, f64::from(place)))
                    .collect();
                let neighbours = self.neighbours(up);
                let Some(slots) = self.rows.get_mut(row) else { continue };
                let mut keyed: Vec<(f64, Slot)> = slots
                    .iter()
                    .zip(0_u32..)
                    .map(|(slot, own)| {
                        let seen: Vec<f64> = neighbours
                            .get(slot)
                            .into_iter()
                            .flatten()
                            .filter_map(|other| places.get(other).copied())
                            .collect();
                        let middle = if seen.is_empty() {
                            f64::from(own)
                        } else {
                            seen.iter().sum::<f64>() / real(seen.len())
                        };
                        (middle, *slot)
                    })
                    .collect();
                keyed.sort_by(|(a, _), (b, _)| a.total_cmp(b));
                *slots = keyed.into_iter().map(|(_, slot)| slot).collect();
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.rows.clone());
            }
        }
        self.rows = best.1;
    }

    /// Who is joined to whom in the row below (`down`) or above.
    fn neighbours(&self, down: bool) -> BTreeMap<Slot, Vec<Slot>> {
        let mut all: BTreeMap<Slot, Vec<Slot>> = BTreeMap::new();
        for (upper, lower) in &self.joints {
            let (key, value) = if down { (upper, lower) } else { (lower, upper) };
            all.entry(*key).or_default().push(*value);
        }
        all
    }

    fn crossings(&self) -> usize {
        let place: BTreeMap<Slot, usize> =
            self.rows.iter().flat_map(|row| row.iter().enumerate().map(|(at, slot)| (*slot, at))).collect();
        let below = self.neighbours(true);
        self.rows
            .iter()
            .map(|row| {
                let ends: Vec<(usize, usize)> = row
                    .iter()
                    .flat_map(|slot| {
                        let own = place.get(slot).copied().unwrap_or(0);
                        below
                            .get(slot)
                            .into_iter()
                            .flatten()
                            .map(|other| (own, place.get(other).copied().unwrap_or(0)))
                            .collect::<Vec<_>>()
                    })
                    .collect();
                ends.iter()
                    .enumerate()
                    .map(|(at, (a, b))| {
                        ends.iter().skip(at + 1).filter(|(c, d)| (a < c && b > d) || (a > c && b < d)).count()
                    })
                    .sum::<usize>()
            })
            .sum()
    }

    fn draw(&self, spots: &[Spot]) -> Layout {
        let x = self.across();
        let width = self
            .rows
            .iter()
            .flatten()
            .filter_map(|slot| Some(x.get(slot)? + half(*slot)))
            .fold(0.0, f64::max)
            + MARGIN;
        let height = (real(self.rows.len()) - 1.0).max(0.0) * ROW + Layout::HEIGHT + 2.0 * MARGIN;
        let y = |row: usize| height - MARGIN - Layout::HEIGHT / 2.0 - real(row) * ROW;
        let row_of: BTreeMap<Slot, usize> = self
            .rows
            .iter()
            .enumerate()
            .flat_map(|(row, slots)| slots.iter().map(move |slot| (*slot, row)))
            .collect();
        let name = |spot: usize| spots.get(spot).map(|spot| spot.name.clone()).unwrap_or_default();
        let place =
            |slot: Slot| (x.get(&slot).copied().unwrap_or(0.0), y(row_of.get(&slot).copied().unwrap_or(0)));
        let boxes =
            self.rows.iter().enumerate().flat_map(|(row, slots)| slots.iter().map(move |slot| (row, *slot)));
        let boxes = boxes.filter_map(|(row, slot)| match slot {
            Slot::Box(spot) => Some(Placed { name: name(spot), row, x: place(slot).0, y: place(slot).1 }),
            Slot::Passage(_) => None,
        });
        let lines = self.lines.iter().map(|(from, to, requires, way)| {
            let last = way.len().saturating_sub(1);
            let points = way.iter().enumerate().flat_map(|(at, slot)| {
                let ((x, y), half) = (place(*slot), Layout::HEIGHT / 2.0);
                match at {
                    0 => vec![(x, y + half)],
                    at if at == last => vec![(x, y - half)],
                    _ => vec![(x, y - half), (x, y + half)],
                }
            });
            Line { from: name(*from), to: name(*to), requires: *requires, points: points.collect() }
        });
        let rows = self.rows.iter().map(|slots| {
            slots
                .iter()
                .filter_map(|slot| match slot {
                    Slot::Box(spot) => Some(name(*spot)),
                    Slot::Passage(_) => None,
                })
                .collect()
        });
        Layout { width, height, boxes: boxes.collect(), lines: lines.collect(), rows: rows.collect() }
    }

    /// Everybody as near to its neighbours as the others of its row allow.
    fn across(&self) -> BTreeMap<Slot, f64> {
        let mut x: BTreeMap<Slot, f64> = BTreeMap::new();
        for row in &self.rows {
            let wide: f64 = row.iter().map(|slot| 2.0 * half(*slot) + GAP).sum::<f64>() - GAP;
            let mut at = -wide / 2.0;
            for slot in row {
                x.insert(*slot, at + half(*slot));
                at += 2.0 * half(*slot) + GAP;
            }
        }
        let (below, above) = (self.neighbours(true), self.neighbours(false));
        for _ in 0..8 {
            for row in &self.rows {
                let wished: Vec<f64> = row
                    .iter()
                    .map(|slot| {
                        let near: Vec<f64> = [&below, &above]
                            .into_iter()
                            .filter_map(|side| side.get(slot))
                            .flatten()
                            .filter_map(|other| x.get(other).copied())
                            .collect();
                        let own = x.get(slot).copied().unwrap_or(0.0);
                        if near.is_empty() {
                            own
                        } else {
                            (near.iter().sum::<f64>() + own) / (real(near.len()) + 1.0)
                        }
                    })
                    .collect();
                x.extend(row.iter().copied().zip(spread(row, &wished)));
            }
        }
        let left = x.iter().map(|(slot, x)| x - half(*slot)).fold(f64::INFINITY, f64::min);
        for x in x.values_mut() {
            *x = (*x - left + MARGIN).round();
        }
        x
    }
}

/// There are never so many that it matters.
fn real(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

fn half(slot: Slot) -> f64 {
    match slot {
        Slot::Box(_) => Layout::WIDTH / 2.0,
        Slot::Passage(_) => PASSAGE / 2.0,
    }
}

/// The places nearest to the wished ones that keep the order and the gaps: least squares, which is isotonic regression of what is
/// left when the gaps are taken out (pool adjacent violators).
fn spread(row: &[Slot], wished: &[f64]) -> Vec<f64> {
    let mut offset = 0.0;
    let mut offsets = Vec::new();
    for (at, slot) in row.iter().enumerate() {
        if at > 0 {
            offset += half(*slot) + GAP + row.get(at - 1).copied().map_or(0.0, half);
        }
        offsets.push(offset);
    }
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (wish, offset) in wished.iter().zip(&offsets) {
        let (mut middle, mut count) = (wish - offset, 1);
        while let Some((last, many)) = pools.last().copied().filter(|(last, _)| *last > middle) {
            middle = (last * real(many) + middle * real(count)) / real(many + count);
            count += many;
            pools.pop();
        }
        pools.push((middle, count));
    }
    let flat = pools.iter().flat_map(|(value, count)| std::iter::repeat_n(*value, *count));
    flat.zip(&offsets).map(|(value, offset)| value + offset).collect()
}

/// The row of each: above all it stands on; a row that would be too wide goes on in the next.
fn rows(below: &[Vec<(usize, bool)>], widest: usize, spots: &[Spot]) -> Vec<usize> {
    let mut row: Vec<Option<usize>> = vec![None; below.len()];
    let mut filled = 0;
    let mut next = 0;
    while filled < below.len() {
        let placed = |other: usize| row.get(other).copied().flatten().is_some();
        let mut ready: Vec<usize> = (0..below.len())
            .filter(|at| !placed(*at))
            .filter(|at| below.get(*at).into_iter().flatten().all(|(other, _)| placed(*other) || other == at))
            .collect();
        if ready.is_empty() {
            // A circle: somebody has to begin.
            ready = (0..below.len())
                .filter(|at| !placed(*at))
                .min_by_key(|at| spots.get(*at).map(|spot| spot.name.as_str()))
                .into_iter()
                .collect();
        }
        for some in ready.chunks(widest) {
            for at in some {
                if let Some(row) = row.get_mut(*at) {
                    *row = Some(next);
                    filled += 1;
                }
            }
            next += 1;
        }
    }
    row.into_iter().map(Option::unwrap_or_default).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spot(name: &str, on: &[&str]) -> Spot {
        Spot { name: name.to_owned(), on: on.iter().map(|&name| (name.to_owned(), true)).collect() }
    }

    #[test]
    fn what_is_stood_on_is_below_and_lines_go_round_boxes() {
        let layout = Layout::of(
            &[
                spot("notify", &[]),
                spot("screen", &["notify", "firewall"]),
                spot("firewall", &["notify"]),
                spot("dashboard", &["notify", "screen"]),
            ],
            6,
        );
        assert_eq!(layout.rows, [vec!["notify"], vec!["firewall"], vec!["screen"], vec!["dashboard"]]);
        let y = |name: &str| layout.boxes.iter().find(|placed| placed.name == name).unwrap().y;
        assert!(y("notify") > y("firewall") && y("firewall") > y("dashboard"));
        let long = layout.lines.iter().find(|line| line.from == "dashboard" && line.to == "notify").unwrap();
        assert_eq!(long.points.len(), 6, "{long:?}");
        for placed in
            layout.boxes.iter().filter(|placed| !["dashboard", "notify"].contains(&placed.name.as_str()))
        {
            for (x, _) in long.points.iter().skip(1).take(4) {
                assert!(
                    (x - placed.x).abs() > Layout::WIDTH / 2.0,
                    "the line to notify goes through {}",
                    placed.name
                );
            }
        }
    }

    #[test]
    fn a_wide_row_goes_on_in_the_next_and_a_circle_is_drawn_all_the_same() {
        let many: Vec<Spot> = (0..10).map(|at| spot(&format!("s{at}"), &[])).collect();
        assert_eq!(Layout::of(&many, 4).rows.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
        let circle = Layout::of(&[spot("a", &["b"]), spot("b", &["a"])], 4);
        assert_eq!((circle.boxes.len(), circle.lines.len()), (2, 1));
        assert_eq!(Layout::of(&[], 4).boxes, []);
    }

    proptest! {
        #[test]
        fn no_two_boxes_touch_and_every_line_goes_down(edges in prop::collection::vec((0_usize..20, 0_usize..20), 0..40), widest in 1_usize..8) {
            let spots: Vec<Spot> = (0..20).map(|at| {
                let on = edges.iter().filter(|(from, to)| *from == at && to < from).map(|(_, to)| (format!("s{to}"), true)).collect();
                Spot { name: format!("s{at}"), on }
            }).collect();
            let layout = Layout::of(&spots, widest);
            prop_assert_eq!(layout.boxes.len(), 20);
            prop_assert_eq!(&layout, &Layout::of(&spots, widest));
            for (at, a) in layout.boxes.iter().enumerate() {
                prop_assert!(a.x - Layout::WIDTH / 2.0 >= 0.0 && a.x + Layout::WIDTH / 2.0 <= layout.width);
                prop_assert!(a.y - Layout::HEIGHT / 2.0 >= 0.0 && a.y + Layout::HEIGHT / 2.0 <= layout.height);
                for b in layout.boxes.iter().skip(at + 1) {
                    prop_assert!((a.x - b.x).abs() >= Layout::WIDTH || (a.y - b.y).abs() >= Layout::HEIGHT, "{:?} {:?}", a, b);
                }
            }
            for line in &layout.lines {
                prop_assert!(line.points.windows(2).all(|pair| pair[1].1 > pair[0].1));
            }
            let unique: std::collections::BTreeSet<_> = edges.iter().filter(|(from, to)| to < from).collect();
            prop_assert_eq!(layout.lines.len(), unique.len());
        }
    }
}
