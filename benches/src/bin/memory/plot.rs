//! How a question's cost grows with the number of notes, drawn.

use std::fmt::Write;

/// Of one number of notes: milliseconds of processor time, and of the slowest of a hundred as clients wait.
pub(crate) struct Point {
    pub(crate) notes: u32,
    pub(crate) processor: f64,
    pub(crate) slow: f64,
}

const WIDE: f64 = 720.0;
const HIGH: f64 = 420.0;
/// Left, top, right, bottom.
const MARGINS: [f64; 4] = [64.0, 48.0, 48.0, 48.0];

/// Where numbers lie in the drawing: the powers of ten at the ends of each axis.
struct Field {
    notes: (f64, f64),
    times: (f64, f64),
}

impl Field {
    fn x(&self, notes: f64) -> f64 {
        let [left, _, right, _] = MARGINS;
        left + (notes.log10() - self.notes.0) / (self.notes.1 - self.notes.0) * (WIDE - left - right)
    }

    fn y(&self, time: f64) -> f64 {
        let [_, top, _, bottom] = MARGINS;
        HIGH - bottom - (time.log10() - self.times.0) / (self.times.1 - self.times.0) * (HIGH - top - bottom)
    }
}

/// An SVG with both axes logarithmic, so that what grows with the notes is a line of slope one; such a line is drawn too.
pub(crate) fn svg(points: &[Point]) -> String {
    let field = Field {
        notes: span(points.iter().map(|point| f64::from(point.notes))),
        times: span(points.iter().flat_map(|point| [point.processor, point.slow])),
    };
    let left = MARGINS[0];
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDE} {HIGH}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDE}\" height=\"{HIGH}\" fill=\"#fff\"/>\n\
         <text x=\"{left}\" y=\"24\" font-size=\"16\">A recall among so many notes, 8 clients, milliseconds</text>\n"
    );
    axes(&mut out, &field);
    if let Some(first) = points.first() {
        slope(&mut out, &field, first);
    }
    line(&mut out, &field, points, "#0b6e4f", |point| point.processor);
    line(&mut out, &field, points, "#a23b2a", |point| point.slow);
    let names = [
        ("#0b6e4f", "processor time of one"),
        ("#a23b2a", "99th percentile as clients wait"),
        ("#999", "dashed: growth with the notes"),
    ];
    for (number, (colour, name)) in names.into_iter().enumerate() {
        let (x, y) = (left + 12.0, MARGINS[1] + 16.0 + 18.0 * number as f64);
        writeln!(out, "<text x=\"{x}\" y=\"{y}\" fill=\"{colour}\">{name}</text>").ok();
    }
    out + "</svg>\n"
}

fn axes(out: &mut String, field: &Field) {
    let [left, top, right, bottom] = MARGINS;
    for power in field.notes.0 as i32..=field.notes.1 as i32 {
        let value = 10_f64.powi(power);
        let (x, end) = (field.x(value), HIGH - bottom);
        writeln!(out, "<path d=\"M{x:.1} {top}V{end}\" stroke=\"#ddd\"/><text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{value}</text>", end + 24.0).ok();
    }
    for power in field.times.0 as i32..=field.times.1 as i32 {
        let value = 10_f64.powi(power);
        let (y, end) = (field.y(value), WIDE - right);
        writeln!(out, "<path d=\"M{left} {y:.1}H{end}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>", left - 8.0, y + 4.0).ok();
    }
}

/// What would grow as the notes do, from the first measurement to an edge.
fn slope(out: &mut String, field: &Field, first: &Point) {
    let notes = f64::from(first.notes);
    let most = 10_f64.powf(field.times.1).min(first.processor * 10_f64.powf(field.notes.1) / notes);
    let (x, y) = (field.x(notes * most / first.processor), field.y(most));
    let (from_x, from_y) = (field.x(notes), field.y(first.processor));
    writeln!(
        out,
        "<path d=\"M{from_x:.1} {from_y:.1}L{x:.1} {y:.1}\" stroke=\"#999\" stroke-dasharray=\"5 4\"/>"
    )
    .ok();
}

fn line(out: &mut String, field: &Field, points: &[Point], colour: &str, of: impl Fn(&Point) -> f64) {
    let path: Vec<String> = points
        .iter()
        .map(|point| format!("{:.1} {:.1}", field.x(f64::from(point.notes)), field.y(of(point))))
        .collect();
    writeln!(out, "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>", path.join("L"))
        .ok();
    for point in points {
        let (x, y) = (field.x(f64::from(point.notes)), field.y(of(point)));
        writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/><text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"{colour}\">{:.1}</text>", y - 9.0, of(point)).ok();
    }
}

/// The powers of ten around some numbers.
fn span(numbers: impl Iterator<Item = f64>) -> (f64, f64) {
    let ends = numbers.fold((f64::MAX, f64::MIN), |(low, high), number| (low.min(number), high.max(number)));
    let (low, high) = (ends.0.log10().floor(), ends.1.log10().ceil());
    (low, high.max(low + 1.0))
}
